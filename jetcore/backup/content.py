"""Storing the content of a file that is open, whatever its owner does to it meanwhile."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import Protocol

from jetcore.backup.opening import ItemError, source_calls

#: Files up to this size are one blob: the cut that restic makes, so that both find each other's blobs.
WHOLE_FILE = 512 * 1024
#: Longest piece of a hole that is one blob of zeros; the most that restic makes of a chunk.
_ZEROS = 8 * 1024 * 1024
#: Shorter holes are read like data: cutting the content there would cost more than reading zeros.
_SHORTEST_HOLE = 1024 * 1024
#: What all holes of an account may add up to. Holes cost their owner nothing, but each 8 MiB of them an id here.
MOST_HOLES = 16 * 1024**4


class DataWriter(Protocol):
    """What is needed here of a repository's writer."""

    def save_data(self, data: bytes) -> bytes: ...
    def save_into(self, read_into: Callable[[memoryview], int]) -> tuple[tuple[bytes, ...], int]: ...


class ContentSaver:
    """Stores the contents of open files as blobs.

    :param on_bytes: Called with the number of bytes that were read or skipped as a hole, from time to time.
    """

    def __init__(self, writer: DataWriter, on_bytes: Callable[[int], None]) -> None:
        self._writer = writer
        self._on_bytes = on_bytes
        self._zeros: dict[int, bytes] = {}
        self._holes_left = MOST_HOLES

    def save(self, descriptor: int, facts: os.stat_result, size: int) -> tuple[tuple[bytes, ...], int]:
        """Store the first *size* bytes of a file and no more: one that grows is not chased.

        :returns: Ids of the blobs in order, and the number of bytes in them: less than *size* if the file shrank.
        :raises ItemError: The file cannot be read.
        """
        if size <= WHOLE_FILE:
            with source_calls:
                data = os.read(descriptor, size)
                if 0 < len(data) < size:
                    data = _read_on(descriptor, data, size)
            self._on_bytes(len(data))
            return ((self._writer.save_data(data),) if data else ()), len(data)
        if facts.st_blocks * 512 < size:  # the unit is always 512 bytes
            return self._save_sparse(descriptor, size)
        return self._save_range(descriptor, size)

    def _save_range(self, descriptor: int, length: int) -> tuple[tuple[bytes, ...], int]:
        left = length

        def read_into(buffer: memoryview) -> int:
            nonlocal left
            with source_calls:
                count = os.readv(descriptor, [buffer[:left]])
            left -= count
            self._on_bytes(count)
            return count

        return self._writer.save_into(read_into)

    def _save_sparse(self, descriptor: int, size: int) -> tuple[tuple[bytes, ...], int]:
        ids: list[bytes] = []
        at = 0
        for hole, start, end in _extents(descriptor, size):
            if hole:
                ids.extend(self._save_zeros(start, end))
                at = end
            else:
                with source_calls:
                    os.lseek(descriptor, start, os.SEEK_SET)
                stored, length = self._save_range(descriptor, end - start)
                ids.extend(stored)
                at = start + length
                if at < end:
                    break
        return tuple(ids), at

    def _save_zeros(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the ids for a hole, cut at multiples of the longest piece, so that equal holes give equal ids."""
        self._holes_left -= end - start
        if self._holes_left < 0:
            raise ItemError(
                f"holes of more than {MOST_HOLES // 1024**4} TiB in the files of one account are not stored"
            )
        self._on_bytes(end - start)
        while start < end:
            length = min(end - start, _ZEROS - start % _ZEROS)
            found = self._zeros.get(length)
            if found is None:
                found = self._zeros[length] = self._writer.save_data(bytes(length))
            yield found
            start += length


def _read_on(descriptor: int, data: bytes, size: int) -> bytes:
    """Return *data* and what follows it, up to *size* in all: a read may stop early."""
    pieces = [data]
    missing = size - len(data)
    while missing and (piece := os.read(descriptor, missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _extents(descriptor: int, size: int) -> Iterator[tuple[bool, int, int]]:
    """Yield the holes (True, start, end) and the data between them (False, start, end) of the first *size* bytes."""
    start = at = 0
    while at < size:
        with source_calls:
            data = min(_seek(descriptor, at, os.SEEK_DATA, size), size)
            hole_end = data if data - at >= _SHORTEST_HOLE else at
            following = min(_seek(descriptor, data, os.SEEK_HOLE, size), size) if data < size else size
        if hole_end > at:
            if at > start:
                yield False, start, at
            yield True, at, hole_end
            start = hole_end
        # A writer can punch holes in between; the position must grow all the same.
        at = max(following, at + 1)
    if at > start:
        yield False, start, size


def _seek(descriptor: int, at: int, whence: int, end: int) -> int:
    """Return where data or a hole begins at or after *at*; *end* where there is none."""
    try:
        return os.lseek(descriptor, at, whence)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return end
        raise
