"""Nodes: one entry of a restore point after the other is put where it belongs, or it is tallied why not."""

from __future__ import annotations

import errno
import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Protocol, Self

import attrs

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.tree import Node
from jetcore.restore.beneath import Beneath
from jetcore.restore.entries import Entries, explain
from jetcore.restore.metadata import DEFAULT_ACL, Metadata, Policy, check_fatal
from jetcore.restore.names import joined
from jetcore.restore.report import Tally

_MOST_OPEN = 64
_BLOBS_AT_ONCE = 8

Loaded = bytes | CorruptRepositoryError
"""The content of a blob, or what is wrong with it."""


class Source(Protocol):
    """What a restore needs of a :class:`jetcore.repository.Repository`."""

    def load_tree(self, identity: bytes, /) -> Sequence[Node]:
        """Return the nodes of a tree."""
        ...

    def load_blobs(self, identities: Iterable[bytes], /) -> Iterator[tuple[bytes, Loaded]]:
        """Yield blobs with their contents, each once and in any order, or with what is wrong with them."""
        ...

    @property
    def fork_safe(self) -> bool:
        """Whether a forked child may go on reading from it."""
        ...


def link_group(node: Node) -> tuple[object, ...] | None:
    """Return what the hard links of one file have in common, or None if *node* is none of several.

    Content is part of it: two entries that claim one inode but differ are restored as two files.
    """
    if node.links < 2 or not node.inode or node.type == "dir":
        return None
    return (node.device_id, node.inode, node.type, node.content, node.linktarget)


@attrs.frozen
class Restored:
    """An entry that others are linked to."""

    folder: bytes
    name: bytes
    #: Device and inode number.
    identity: tuple[int, int]


class NodeRestorer:
    """Restores entries into directories that were made before. A context manager: it keeps directories open."""

    def __init__(self, source: Source, root: Beneath, policy: Policy, tally: Tally) -> None:
        self._source = source
        self._root = root
        self._policy = policy
        self._tally = tally
        self._entries = Entries(Metadata(policy, tally))
        self._directories = _OpenDirectories(root)

    def restore(self, folder: bytes, node: Node, blobs: Sequence[Loaded] | None = None) -> bool:
        """Restore *node* in the directory *folder*; say whether it is there now. A reason why not is tallied.

        :param blobs: The content of a file, if it has been loaded.
        :raises RestoreError: The target takes nothing more, or is unsafe.
        :raises DestinationError: The repository cannot be read.
        """
        path = joined(folder, node.name)
        if not self._wanted(path, node):
            return False
        directory = -1
        try:
            directory, inherits = self._directories.open(folder)
            if node.type == "file":
                loaded = _load(self._source, node.content) if blobs is None else blobs
                self._tally.bytes += self._entries.file(directory, node, path, map(_sound, loaded), inherits=inherits)
            else:
                self._entries.special(directory, node, path, inherits=inherits)
        except CorruptRepositoryError as error:
            self._tally.problem(path, f"not restored: {error}")
            return False
        except (ValueError, OverflowError) as error:
            # A NUL byte in a link's target, a number that no owner or time can have: nothing that we ever store.
            self._tally.problem(path, f"refused: the restore point describes it wrongly: {error}")
            return False
        except OSError as error:
            check_fatal(error, self._root.shown_as)
            self._tally.problem(path, explain(error, directory, node.name))
            return False
        self._tally.files += 1
        return True

    def look(self, folder: bytes, name: bytes) -> Restored | None:
        """Return what is needed to link to the entry *name*, or None if it is gone already."""
        try:
            directory, _ = self._directories.open(folder)
            found = os.stat(name, dir_fd=directory, follow_symlinks=False)
        except OSError:
            return None
        return Restored(folder, name, (found.st_dev, found.st_ino))

    def link(self, first: Restored, folder: bytes, name: bytes) -> bool:
        """Make *name* in *folder* a hard link to *first*; say whether it is one. A reason why not is tallied.

        :raises RestoreError: The target takes nothing more, or is unsafe.
        """
        try:
            directory, _ = self._directories.open(folder)
            first_directory, _ = self._directories.open(first.folder)
            if self._entries.link(directory, name, (first_directory, first.name), first.identity):
                self._tally.files += 1
                return True
            reason = "another file has taken the place of the first"
        except OSError as error:
            check_fatal(error, self._root.shown_as)
            reason = str(error.strerror)
        self._tally.loss(joined(folder, name), f"a hard link was restored as a file of its own: {reason}")
        return False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._directories.close()

    def _wanted(self, path: bytes, node: Node) -> bool:
        if node.type in ("file", "symlink", "fifo"):
            return True
        if node.type in ("dev", "chardev"):
            if self._policy.allow_devices:
                return True
            self._tally.problem(path, "refused: a device node in a restore point of an account")
        elif node.type == "socket":
            self._tally.note(path, "sockets are not restored")
        else:
            self._tally.problem(path, f"refused: entries of type {node.type!r} are unknown")
        return False


def _load(source: Source, content: Sequence[bytes]) -> Iterator[Loaded]:
    """Yield the blobs of one file in their order, a few being loaded at one go."""
    for start in range(0, len(content), _BLOBS_AT_ONCE):
        wanted = content[start : start + _BLOBS_AT_ONCE]
        loaded = dict(source.load_blobs(wanted))
        for identity in wanted:
            yield loaded[identity]


def _sound(blob: Loaded) -> bytes:
    if isinstance(blob, CorruptRepositoryError):
        raise blob
    return blob


class _OpenDirectories:
    """The directories that were used last, kept open."""

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

    def close(self) -> None:
        """Close all of them."""
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
