"""What is different between two snapshots."""

from __future__ import annotations

import enum
from collections.abc import Iterator

import attrs

from jetcore.repository.blob import BlobId
from jetcore.repository.repository import Repository
from jetcore.repository.tree import Node


class ChangeKind(enum.StrEnum):
    """What became of an entry. The values are the signs that restic prints."""

    ADDED = "+"
    REMOVED = "-"
    #: The contents of a file, or the target of a link.
    MODIFIED = "M"
    #: A file is a folder now, or something else is something else.
    TYPE = "T"
    #: Owner, mode, modification time or attributes, with the contents as they were.
    METADATA = "U"


@attrs.frozen(kw_only=True)
class Change:
    """An entry that is not the same in both."""

    #: Absolute.
    path: bytes
    kind: ChangeKind
    #: As the later snapshot has it; the earlier one where it was removed.
    node: Node


def diff(repository: Repository, one: BlobId, other: BlobId) -> Iterator[Change]:
    """Yield what has changed from the tree *one* to the tree *other*, in the order of the paths.

    Folders that are the same are not even read, however much is in them.

    :raises CorruptRepositoryError: A folder is missing or damaged.
    """
    pending: list[tuple[bytes, Node | None, Node | None]] = list(_pairs(repository, b"", one, other))
    while pending:
        path, before, after = pending.pop()
        if after is None and before is not None:
            yield Change(path=path, kind=ChangeKind.REMOVED, node=before)
        elif before is None and after is not None:
            yield Change(path=path, kind=ChangeKind.ADDED, node=after)
        elif before is not None and after is not None and (kind := _kind(before, after)):
            yield Change(path=path, kind=kind, node=after)
        old = before.subtree if before is not None else b""
        new = after.subtree if after is not None else b""
        if old != new:
            pending += _pairs(repository, path, old, new)


def _pairs(
    repository: Repository, path: bytes, one: BlobId, other: BlobId
) -> Iterator[tuple[bytes, Node | None, Node | None]]:
    """Yield the entries of two folders that are not equal, the last one first."""
    if one == other:
        return
    before = {node.name: node for node in (repository.load_tree(one) if one else ())}
    after = {node.name: node for node in (repository.load_tree(other) if other else ())}
    for name in sorted(before.keys() | after.keys(), reverse=True):
        if before.get(name) != after.get(name):
            yield path + b"/" + name, before.get(name), after.get(name)


def _kind(before: Node, after: Node) -> ChangeKind | None:
    if before.type != after.type:
        return ChangeKind.TYPE
    if (before.content, before.linktarget, before.device) != (after.content, after.linktarget, after.device):
        return ChangeKind.MODIFIED
    return None if _metadata(before) == _metadata(after) else ChangeKind.METADATA


def _metadata(node: Node) -> object:
    # Neither the time of the last change to the inode, nor its number, nor the links to it elsewhere.
    return node.mode, node.mtime_ns, node.uid, node.gid, node.xattrs
