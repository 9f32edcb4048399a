"""Batches: the unit of work of a restore, a few hundred entries of directories that are there already."""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

import attrs
import orjson

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.tree import Node
from jetcore.restore.beneath import Beneath
from jetcore.restore.entries import Entries, explain
from jetcore.restore.metadata import DEFAULT_ACL, Metadata, Policy, check_fatal
from jetcore.restore.names import fit_nodes
from jetcore.restore.report import Tally

_MOST_ENTRIES = 512
_MOST_BYTES = 16 * 1024 * 1024
_MOST_OPEN = 64


class Source(Protocol):
    """What a restore needs of a :class:`jetcore.repository.Repository`."""

    def load_tree(self, identity: bytes, /) -> Sequence[Node]:
        """Return the nodes of a tree."""
        ...

    def load_blob(self, identity: bytes, /) -> bytes:
        """Return the content of a blob."""
        ...


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
        self._entries = 0
        self._bytes = 0

    def add(self, path: bytes, tree: bytes, index: int, size: int) -> Batch | None:
        """Add one entry; return a batch when one is full."""
        last = self._pieces[-1] if self._pieces else None
        if last and last.stop == index and last.tree == tree and last.path == path:
            self._pieces[-1] = attrs.evolve(last, stop=index + 1)
        else:
            self._pieces.append(Piece(path, tree, index, index + 1))
        self._entries += 1
        self._bytes += size
        return self.rest() if self._entries >= _MOST_ENTRIES or self._bytes >= _MOST_BYTES else None

    def rest(self) -> Batch:
        """Return what has been added since the last batch; may be empty."""
        batch = tuple(self._pieces)
        self._pieces = []
        self._entries = self._bytes = 0
        return batch


def link_group(node: Node) -> tuple[object, ...] | None:
    """Return what the hard links of one file have in common, or None if *node* is none of several.

    Content is part of it: two entries that claim one inode but differ are restored as two files.
    """
    if node.links < 2 or not node.inode or node.type == "dir":
        return None
    return (node.device_id, node.inode, node.type, node.content, node.linktarget)


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
        entries = Entries(Metadata(self._policy, tally))
        with OpenDirectories(self._root) as directories:
            for piece in batch:
                for node in self._nodes(piece):
                    if link_group(node) is None:
                        self.restore_one(piece.path, node, entries, directories, tally)
        return tally

    def restore_one(
        self, folder: bytes, node: Node, entries: Entries, directories: OpenDirectories, tally: Tally
    ) -> bool:
        """Restore *node* in the directory *folder*; say whether it is there now. A reason why not is tallied."""
        path = b"%b/%b" % (folder, node.name) if folder else node.name
        if node.type == "socket":
            tally.note(path, "sockets are not restored")
            return False
        if node.type in ("dev", "chardev") and not self._policy.allow_devices:
            tally.problem(path, "refused: a device node in a restore point of an account")
            return False
        if node.type not in ("file", "symlink", "fifo", "dev", "chardev"):
            tally.problem(path, f"refused: entries of type {node.type!r} are unknown")
            return False
        directory = -1
        try:
            directory, inherits = directories.open(folder)
            if node.type == "file":
                blobs = _blobs(self._source, node.content)
                tally.bytes += entries.file(directory, node, path, blobs, inherits=inherits)
            else:
                entries.special(directory, node, path, inherits=inherits)
        except CorruptRepositoryError as error:
            tally.problem(path, f"not restored: {error}")
            return False
        except (ValueError, OverflowError) as error:
            # A NUL byte in a link's target, a number that no owner or time can have: nothing that we ever store.
            tally.problem(path, f"refused: the restore point describes it wrongly: {error}")
            return False
        except OSError as error:
            check_fatal(error, self._root.shown_as)
            tally.problem(path, explain(error, directory, node.name))
            return False
        tally.files += 1
        return True

    def _nodes(self, piece: Piece) -> Sequence[Node]:
        tree, nodes = self._last_tree
        if tree != piece.tree:
            # What is refused was reported by the walk.
            nodes = fit_nodes(self._source.load_tree(piece.tree), lambda _name, _reason: None)
            self._last_tree = (piece.tree, nodes)
        return nodes[piece.start : piece.stop]


def _blobs(source: Source, content: Iterable[bytes]) -> Iterator[bytes]:
    last, blob = b"", b""
    for identity in content:
        # A file of zeros is one blob many times over.
        if identity != last:
            last, blob = identity, source.load_blob(identity)
        yield blob


class OpenDirectories:
    """The directories that were used last, kept open; a context manager that closes them."""

    def __init__(self, root: Beneath) -> None:
        self._root = root
        self._open: OrderedDict[bytes, tuple[int, bool]] = OrderedDict()

    def open(self, path: bytes) -> tuple[int, bool]:
        """Return a descriptor of the directory *path*, and whether new entries inherit an ACL from it."""
        found = self._open.get(path)
        if found is None:
            if len(self._open) >= _MOST_OPEN:
                _, (oldest, _) = self._open.popitem(last=False)
                os.close(oldest)
            directory = self._root.open(path)
            found = self._open[path] = (directory, _has_default_acl(directory))
        else:
            self._open.move_to_end(path)
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for directory, _ in self._open.values():
            os.close(directory)
        self._open.clear()


def _has_default_acl(directory: int) -> bool:
    try:
        os.getxattr(directory, DEFAULT_ACL)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return False
        raise
    return True
