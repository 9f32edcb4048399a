"""Forgetting: taking snapshots away. What only they needed stays until the next prune."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jetcore.repository.files import Kind
from jetcore.repository.repository import Repository


def forget(
    repository: Repository, snapshot_ids: Iterable[str], *, first: Callable[[str], None] = lambda _: None
) -> None:
    """Remove snapshots, also such as are kept apart as damaged; one that is gone already is no error.

    :param snapshot_ids: 64 hex digits each.
    :param first: Called before a snapshot is removed: takes it off every list, so that none names what is gone.
    :raises RepositoryLockedError: Somebody else works in the repository.
    :raises DestinationError: One could not be removed; those before it are.
    """
    with repository.lock(exclusive=True) as lock:
        for snapshot_id in snapshot_ids:
            first(snapshot_id)
            lock.refresh()
            for kind in (Kind.SNAPSHOT, Kind.APART):
                repository.files.delete(kind, snapshot_id)
