"""Our locks and restic's respect each other."""

from __future__ import annotations

import pytest

from jetcore.errors import RepositoryLockedError


@pytest.fixture
def running(ours, restic):
    """A restic that works in the repository, until its standard input ends."""
    process = restic.start("backup", "--verbose", "--stdin")
    line = b""
    while b"load index files" not in line:  # comes after it has taken its lock
        line = process.stdout.readline()
        assert line, "restic has ended early"
    yield process
    process.communicate()


def test_our_exclusive_lock(ours, restic):
    """While we hold an exclusive lock restic neither writes nor checks."""
    with ours.lock(exclusive=True):
        assert "already locked exclusively" in restic("backup", "--stdin", ok=False, input=b"")
        assert "already locked" in restic("check", ok=False)
    restic("check")


def test_our_shared_lock(ours, restic):
    """While we write restic can write as well, and cannot do what needs the repository for itself."""
    with ours.writer():
        restic("backup", "--stdin", input=b"x")
        assert "already locked" in restic("prune", ok=False)
    restic("prune")


def test_a_running_restic(ours, running):
    """While restic writes we can write as well, and get no exclusive lock."""
    with ours.writer() as writer:
        writer.save_data(b"x")
    with pytest.raises(RepositoryLockedError, match=f"by process {running.pid} of root"):
        ours.lock(exclusive=True)

    running.communicate(b"done")
    assert running.returncode == 0
    with ours.lock(exclusive=True):
        pass


def test_a_killed_restic(ours, running, restic):
    """The lock that a killed restic left does not keep us out."""
    running.kill()
    running.wait()
    with ours.lock(exclusive=True):
        pass

    restic("check")  # the stale lock is gone


def test_restic_unlocks_ours(ours, restic, destination):
    """restic leaves the lock of a living process of ours, which survives being asked; it can be forced to remove it."""
    lock = ours.lock()
    restic("unlock")
    assert len(list(destination.list("repo/locks/"))) == 1
    restic("unlock", "--remove-all")
    assert list(destination.list("repo/locks/")) == []
    lock.release()
