"""Forgetting snapshots."""

from __future__ import annotations

import pytest

from jetcore.errors import DestinationError, RepositoryLockedError
from jetcore.repository.files import Kind
from jetcore.repository.forget import forget


@pytest.fixture
def snapshots(in_memory, save):
    """Ids of three snapshots."""
    found = []
    for number in range(3):
        with in_memory.writer() as writer:
            found.append(save(writer, {b"file": b"%d" % number}))
    return found


def test_snapshots_go(in_memory, memory, snapshots):
    """Those that are named go, wherever they are kept; data and the others stay."""
    memory.objects[f"repo/damaged/{snapshots[1]}"] = memory.objects.pop(f"repo/snapshots/{snapshots[1]}")
    packs = {name for name in memory.objects if "/data/" in name}

    forget(in_memory, [*snapshots[:2], "0" * 64])

    assert [one.id for one in in_memory.snapshots()] == snapshots[2:]
    assert in_memory.snapshots_apart() == []
    assert packs == {name for name in memory.objects if "/data/" in name}
    assert not list(in_memory.files.list(Kind.LOCK))


def test_it_is_off_the_list_first(in_memory, memory, snapshots):
    """What lists a snapshot is told before it is removed; if that fails, the snapshot stays."""

    def first(snapshot):
        assert f"repo/snapshots/{snapshot}" in memory.objects
        if snapshot == snapshots[1]:
            raise DestinationError("the list cannot be changed")

    with pytest.raises(DestinationError):
        forget(in_memory, snapshots, first=first)

    assert [one.id for one in in_memory.snapshots()] == snapshots[1:]


def test_it_wants_to_be_alone(in_memory, snapshots):
    """While somebody writes, nothing is forgotten, nor taken off any list."""
    told = []
    with in_memory.writer(), pytest.raises(RepositoryLockedError):
        forget(in_memory, snapshots, first=told.append)

    assert told == []
    assert len(in_memory.snapshots()) == 3
