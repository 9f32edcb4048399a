"""A stored file as a readable stream."""

from __future__ import annotations

import io
from collections.abc import Iterator

from jetcore.repository import Node, Repository


class StoredFile(io.RawIOBase):
    """The contents of a file node, read from its repository piece by piece."""

    def __init__(self, repository: Repository, node: Node) -> None:
        super().__init__()
        self._pieces: Iterator[bytes] = repository.read_file(node)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # any writable buffer, as RawIOBase gives it
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size
