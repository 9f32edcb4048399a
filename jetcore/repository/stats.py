"""What a repository takes up, and what it would take up without deduplication and compression."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from jetcore.errors import CorruptRepositoryError
from jetcore.model import OnProgress
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.crypto import OVERHEAD
from jetcore.repository.files import Kind
from jetcore.repository.inventory import take_inventory
from jetcore.repository.reach import Folder, walk
from jetcore.repository.repository import Repository


@attrs.frozen(kw_only=True)
class Stats:
    """Sizes of a repository."""

    snapshots: int
    #: Files of all snapshots, and their bytes: what it would take to keep each of them on its own.
    logical_files: int
    logical_bytes: int
    #: Contents of everything that the snapshots need, folders included, each once.
    unique_bytes: int
    #: Bytes of the same compressed and sealed.
    packed_bytes: int
    #: Bytes of what no snapshot needs; a prune frees most of it.
    unused_bytes: int
    #: All files of the repository at the destination, and their bytes.
    stored_files: int
    stored_bytes: int

    @property
    def deduplication(self) -> float:
        """How many times smaller the data is because everything is kept once."""
        return self.logical_bytes / self.unique_bytes if self.unique_bytes else 1.0

    @property
    def compression(self) -> float:
        """How many times smaller compression makes what is left."""
        return self.unique_bytes / self.packed_bytes if self.packed_bytes else 1.0


def take_stats(repository: Repository, *, on_progress: OnProgress | None = None) -> Stats:
    """Return what the repository takes up; reads every folder of every snapshot.

    :raises CorruptRepositoryError: A folder is missing or damaged.
    :raises RepositoryLockedError: Somebody works exclusively in the repository.
    """
    with repository.lock() as lock:
        snapshots = repository.snapshots()
        folders: dict[BlobId, Folder] = {}
        data: set[BlobId] = set()
        for tree, folder in walk(repository, [snapshot.tree for snapshot in snapshots], on_progress=on_progress):
            if isinstance(folder, CorruptRepositoryError):
                raise CorruptRepositoryError(folder.message, hint="see `jetcore repository check`")
            data.update(folder.content)
            folders[tree] = attrs.evolve(folder, content=())
            lock.refresh()
        totals = _totals(folders, [snapshot.tree for snapshot in snapshots])
        unique = packed = every_packed = 0
        for entry in take_inventory(repository).listed.values():
            for blob in entry.blobs():
                every_packed += blob.length
                if blob.id in (data if blob.type is BlobType.DATA else folders):
                    packed += blob.length
                    unique += blob.uncompressed_length or blob.length - OVERHEAD
        locks = repository.files.path(f"{Kind.LOCK}/")  # ours is among them
        everything = repository.files.destination.list(repository.place)
        stored = [info.bytes for info in everything if not info.name.startswith(locks)]
    return Stats(
        snapshots=len(snapshots),
        logical_files=sum(totals[snapshot.tree][0] for snapshot in snapshots),
        logical_bytes=sum(totals[snapshot.tree][1] for snapshot in snapshots),
        unique_bytes=unique,
        packed_bytes=packed,
        unused_bytes=every_packed - packed,
        stored_files=len(stored),
        stored_bytes=sum(stored),
    )


def _totals(folders: Mapping[BlobId, Folder], roots: Iterable[BlobId]) -> dict[BlobId, tuple[int, int]]:
    """Return files and bytes below each tree. A folder that occurs several times counts each time."""
    totals: dict[BlobId, tuple[int, int]] = {}
    pending = list(roots)
    while pending:
        tree = pending[-1]
        folder = folders[tree]
        waiting = [subtree for subtree in folder.subtrees if subtree not in totals]
        if waiting and tree not in totals:
            pending += waiting
            continue
        pending.pop()
        totals[tree] = (
            folder.files + sum(totals[subtree][0] for subtree in folder.subtrees),
            folder.bytes + sum(totals[subtree][1] for subtree in folder.subtrees),
        )
    return totals
