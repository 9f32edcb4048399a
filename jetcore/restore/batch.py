"""Batches: the unit of work of a restore, a few hundred entries of directories that are there already."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import orjson

from jetcore.repository.tree import Node
from jetcore.restore.beneath import Beneath
from jetcore.restore.metadata import Policy
from jetcore.restore.names import fit_nodes
from jetcore.restore.nodes import NodeRestorer, Source, link_group
from jetcore.restore.report import Tally

_MOST_ENTRIES = 512
_MOST_BYTES = 16 * 1024 * 1024


@attrs.frozen
class Piece:
    """Some entries of one directory: ``fit_nodes(load_tree(tree))[start:stop]``."""

    #: The directory, relative to the target.
    path: bytes
    tree: bytes
    start: int
    stop: int


Batch = tuple[Piece, ...]


def encode_batch(batch: Batch) -> bytes:
    """Return *batch* as JSON; paths are written as Latin-1 so that any bytes survive."""
    return orjson.dumps([(p.path.decode("latin-1"), p.tree.hex(), p.start, p.stop) for p in batch])


def decode_batch(encoded: bytes) -> Batch:
    """Return the batch that :func:`encode_batch` encoded."""
    return tuple(
        Piece(path.encode("latin-1"), bytes.fromhex(tree), start, stop)
        for path, tree, start, stop in orjson.loads(encoded)
    )


class Batcher:
    """Collects entries in the order of the walk and cuts them into batches of about equal work."""

    def __init__(self) -> None:
        self._pieces: list[Piece] = []
        self._path = self._tree = b""
        self._start = self._stop = 0
        self._entries = self._bytes = 0

    def add(self, path: bytes, tree: bytes, index: int, size: int) -> Batch | None:
        """Add one entry; return a batch when one is full."""
        if index != self._stop or path != self._path or tree != self._tree:
            self._finish_piece()
            self._path, self._tree, self._start = path, tree, index
        self._stop = index + 1
        self._entries += 1
        self._bytes += size
        return self.rest() if self._entries >= _MOST_ENTRIES or self._bytes >= _MOST_BYTES else None

    def rest(self) -> Batch:
        """Return what has been added since the last batch; may be empty."""
        self._finish_piece()
        batch = tuple(self._pieces)
        self._pieces = []
        self._entries = self._bytes = 0
        return batch

    def _finish_piece(self) -> None:
        if self._stop > self._start:
            self._pieces.append(Piece(self._path, self._tree, self._start, self._stop))
        self._start = self._stop = 0


class BatchRestorer:
    """Restores batches into directories that were made before, one at a time."""

    def __init__(self, source: Source, root: Beneath, policy: Policy) -> None:
        self._source = source
        self._root = root
        self._policy = policy
        self._last_tree: tuple[bytes, Sequence[Node]] = (b"", ())

    def restore(self, batch: Batch) -> Tally:
        """Restore all entries of *batch* but hard links and return what was done.

        :raises RestoreError: The target takes nothing more, or is unsafe.
        :raises DestinationError: The repository cannot be read.
        """
        tally = Tally()
        # Files that are one blob, which is nearly all, are restored in the order of the blobs.
        by_blob: dict[bytes, list[tuple[bytes, Node]]] = {}
        with NodeRestorer(self._source, self._root, self._policy, tally) as restorer:
            for piece in batch:
                for node in self._nodes(piece):
                    if link_group(node) is not None:
                        continue
                    if node.type == "file" and len(node.content) == 1:
                        by_blob.setdefault(node.content[0], []).append((piece.path, node))
                    else:
                        restorer.restore(piece.path, node)
            for identity, blob in self._source.load_blobs(by_blob):
                for folder, node in by_blob[identity]:
                    restorer.restore(folder, node, (blob,))
        return tally

    def _nodes(self, piece: Piece) -> Sequence[Node]:
        tree, nodes = self._last_tree
        if tree != piece.tree:
            # What is refused was reported by the walk.
            nodes = fit_nodes(self._source.load_tree(piece.tree), lambda _name, _reason: None)
            self._last_tree = (piece.tree, nodes)
        return nodes[piece.start : piece.stop]
