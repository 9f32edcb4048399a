"""Reading a home directory whose owner may attack while it is read, and storing it in a repository."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol

import attrs

from jetcore.backup.encoding import NodeEncoder
from jetcore.backup.items import ItemKind, SourceItem
from jetcore.backup.opening import open_root
from jetcore.backup.walk import GRANULARITY_NS, OnRead, TreeWriter, Walk
from jetcore.errors import SourceError
from jetcore.model import Outcome
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.tree import Node

_MOST_MESSAGES = 100
_1970 = datetime(1970, 1, 1, tzinfo=UTC)


class BlobSource(Protocol):
    """What is needed here of a repository: the former trees."""

    def load_blob(self, blob: BlobId, kind: BlobType | None = None, /) -> bytes: ...


@attrs.frozen(kw_only=True)
class Parent:
    """The same folder in a former snapshot: what did not change since is not read again."""

    repository: BlobSource
    #: Id of the folder's tree.
    tree: BlobId
    #: When that backup began to read, or earlier: the snapshot's time. Aware.
    scan_started: datetime


@attrs.frozen(kw_only=True)
class SavedTree:
    """A folder that is stored, and what there is to say about it."""

    #: The folder itself, nameless: its owner, mode, times and attributes, and the id of its tree.
    node: Node
    #: Regular files; one with several links counts for each.
    files: int
    #: Folders, the root included.
    folders: int
    #: Size of all files.
    bytes: int
    #: Files that were taken over from the former snapshot without being opened.
    unchanged_files: int
    #: Entries that something is to be said about, at most 1,000 of a kind.
    items: tuple[SourceItem, ...]
    #: How many there are of each kind.
    item_counts: Mapping[ItemKind, int]

    @property
    def tree(self) -> BlobId:
        """Id of the folder's tree."""
        return self.node.subtree

    @property
    def outcome(self) -> Outcome:
        """Completed, or partial if something is missing."""
        return Outcome.PARTIAL if any(kind.partial for kind in self.item_counts) else Outcome.COMPLETED

    @property
    def messages(self) -> tuple[str, ...]:
        """What is missing and why, safe to print: a line an entry, a hundred at most, then how many more there are."""
        missing = [str(item) for item in self.items if item.kind.partial]
        more = sum(count for kind, count in self.item_counts.items() if kind.partial) - _MOST_MESSAGES
        return tuple(missing[:_MOST_MESSAGES]) + ((f"and {more} more",) if more > 0 else ())


def save_directory(
    writer: TreeWriter,
    root: Path,
    *,
    parent: Parent | None = None,
    base: Path = Path("/"),
    on_progress: OnRead | None = None,
) -> SavedTree:
    """Store the folder *root* and everything in it that lies on the same file system.

    Entries that cannot be read are named in the result, and the others are stored. Errors of the repository go through.

    :param parent: The same folder in the former snapshot.
    :param base: A folder above *root* that the administrator vouches for: links on the way to it are followed.
    :raises SourceError: *root* is missing, no folder, the root directory, behind a symbolic link, or cannot be listed.
    """
    folder = open_root(root, base=base)
    walk = Walk(writer, folder, parent.repository.load_blob if parent else None, on_progress)
    done = walk.run(parent.tree, _nanoseconds(parent.scan_started) - GRANULARITY_NS) if parent else walk.run()
    if not done.subtree:
        raise SourceError(f"{root} {walk.items.items[0].message}")
    return SavedTree(
        node=NodeEncoder().node(b"", done.folder.facts, xattrs=done.xattrs, subtree=done.subtree),
        files=done.files,
        folders=done.folders,
        bytes=done.size,
        unchanged_files=done.unchanged,
        items=walk.items.items,
        item_counts=walk.items.counts,
    )


def _nanoseconds(moment: datetime) -> int:
    return (moment - _1970) // timedelta(microseconds=1) * 1000
