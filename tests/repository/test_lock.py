"""Locks."""

from __future__ import annotations

import os
import signal
import subprocess
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from jetcore.errors import CorruptRepositoryError, DestinationError, RepositoryLockedError
from jetcore.repository import lock as lock_module
from jetcore.repository.crypto import Crypter, MasterKeys
from jetcore.repository.files import Files, Kind
from jetcore.repository.lock import Lock
from jetcore.repository.snapshot import encode_datetime
from jetcore.testing import Fault, FaultyDestination, fail_at

CRYPTER = Crypter(MasterKeys.from_bytes(bytes(range(64))))


@pytest.fixture
def files(memory):
    return Files(memory, "repo/")


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test moves."""

    class Clock(datetime):
        moved = timedelta(0)

        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + cls.moved

    monkeypatch.setattr(lock_module, "datetime", Clock)
    return Clock


def plant(files, **values):
    """Write somebody else's lock."""
    document = {
        "time": encode_datetime(datetime.now(UTC)),
        "exclusive": False,
        "hostname": "elsewhere",
        "username": "root",
        "pid": 1,
    } | values
    return files.save(Kind.LOCK, orjson.dumps(document), CRYPTER)


def locks(files):
    return set(files.list(Kind.LOCK))


@pytest.fixture
def dead_pid():
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_many_share(files):
    """Any number of locks that are not exclusive stand side by side, and each is given back."""
    with Lock(files, CRYPTER), Lock(files, CRYPTER):
        assert len(locks(files)) == 2
    assert locks(files) == set()


@pytest.mark.parametrize(("first", "second"), [(True, True), (True, False), (False, True)])
def test_exclusive_is_alone(files, first, second):
    """Who comes second to or with an exclusive lock is refused, told by whom, and leaves no lock."""
    with Lock(files, CRYPTER, exclusive=first):
        with pytest.raises(RepositoryLockedError, match=f"by process {os.getpid()} of"):
            Lock(files, CRYPTER, exclusive=second)
        assert len(locks(files)) == 1


def test_what_the_file_says(files):
    """A lock file has restic's fields."""
    with Lock(files, CRYPTER, exclusive=True):
        (lock_id,) = locks(files)
        document = orjson.loads(files.load(Kind.LOCK, lock_id, CRYPTER))

    assert set(document) == {"time", "exclusive", "hostname", "username", "pid", "uid", "gid"}
    assert document["pid"] == os.getpid()
    assert document["hostname"] == os.uname().nodename
    assert document["exclusive"] is True


def test_old_locks_are_stale(files):
    """An exclusive lock that is older than half an hour is removed; a younger one of another host counts."""
    old = plant(files, exclusive=True, time=encode_datetime(datetime.now(UTC) - timedelta(minutes=31)))
    with Lock(files, CRYPTER):
        assert old not in locks(files)

    plant(files, exclusive=True, time=encode_datetime(datetime.now(UTC) - timedelta(minutes=29)))
    with pytest.raises(RepositoryLockedError, match="elsewhere"):
        Lock(files, CRYPTER)


def test_locks_of_dead_processes_are_stale(files, dead_pid):
    """A lock of this host counts only as long as its process lives."""
    plant(files, exclusive=True, hostname=os.uname().nodename, pid=dead_pid)
    with Lock(files, CRYPTER, exclusive=True):
        assert len(locks(files)) == 1

    plant(files, exclusive=True, hostname=os.uname().nodename, pid=os.getppid())
    with pytest.raises(RepositoryLockedError):
        Lock(files, CRYPTER)


def test_locks_that_are_not_in_the_way_stay(files, dead_pid):
    """A stale lock that forbids nothing is left to who removes things."""
    stale = plant(files, hostname=os.uname().nodename, pid=dead_pid)
    with Lock(files, CRYPTER):
        assert stale in locks(files)


def test_refresh(files, clock):
    """A lock is written anew after five minutes and not earlier."""
    with Lock(files, CRYPTER) as lock:
        (first,) = locks(files)
        clock.moved = timedelta(minutes=4)
        lock.refresh()
        assert locks(files) == {first}

        clock.moved = timedelta(minutes=6)
        lock.refresh()
        (second,) = locks(files)
        assert second != first
        clock.moved = timedelta(minutes=40)
        lock.refresh()
        assert locks(files) != {second}
    assert locks(files) == set()


def test_clock_that_jumps_back(files, clock):
    """A clock set back makes a new lock, so that its time is not in the future for long."""
    with Lock(files, CRYPTER) as lock:
        (first,) = locks(files)
        clock.moved = timedelta(hours=-1)
        lock.refresh()
        assert locks(files) != {first}


def test_a_lost_lock_is_noticed(files, clock):
    """Who slept so long that somebody removed the lock is told, instead of going on as if nothing had happened."""
    with Lock(files, CRYPTER) as lock:
        (first,) = locks(files)
        files.delete(Kind.LOCK, first)
        clock.moved = timedelta(minutes=31)
        with pytest.raises(RepositoryLockedError, match="was removed"):
            lock.refresh()
        assert locks(files) == set()


def test_a_pruner_that_took_us_for_stale(files, clock):
    """Who renews a lock so old that others may have taken it for stale looks around, and gives way."""
    with Lock(files, CRYPTER) as lock:
        clock.moved = timedelta(minutes=40)
        plant(files, exclusive=True, time=encode_datetime(clock.now(UTC)))
        with pytest.raises(RepositoryLockedError, match="exclusively by process 1"):
            lock.refresh()


@pytest.mark.parametrize("fault", [Fault.ERROR_AFTER, Fault.HALF])
def test_a_lock_that_may_be_there(memory, fault):
    """A lock whose put fails is removed if it is there nevertheless, and stands in nobody's way."""
    hangup = signal.getsignal(signal.SIGHUP)
    with pytest.raises(DestinationError):
        Lock(Files(FaultyDestination(memory, fail_at(1, fault)), "repo/"), CRYPTER, exclusive=True)

    assert memory.objects == {}
    assert signal.getsignal(signal.SIGHUP) == hangup


def test_hangups(files):
    """restic asks with SIGHUP whether we live: that does not end us, and nothing of it stays behind."""
    before = signal.getsignal(signal.SIGHUP)
    with Lock(files, CRYPTER):
        os.kill(os.getpid(), signal.SIGHUP)
    assert signal.getsignal(signal.SIGHUP) == before

    def own(*_):
        pass

    signal.signal(signal.SIGHUP, own)
    try:
        with Lock(files, CRYPTER):
            assert signal.getsignal(signal.SIGHUP) is own
        assert signal.getsignal(signal.SIGHUP) is own
    finally:
        signal.signal(signal.SIGHUP, before)


def test_damaged_locks(files):
    """A lock that cannot be read forbids everything, and is named."""
    name = "repo/locks/" + "0" * 64
    files.destination.objects[name] = b"damaged"
    with pytest.raises(CorruptRepositoryError, match=name):
        Lock(files, CRYPTER)

    del files.destination.objects[name]
    lock_id = files.save(Kind.LOCK, b'{"time":"x"}', CRYPTER)
    with pytest.raises(CorruptRepositoryError, match=lock_id):
        Lock(files, CRYPTER)
    assert locks(files) == {lock_id}


def test_the_first_error_counts(files, monkeypatch):
    """A lock that cannot be given back does not hide why its holder stopped."""

    def fail(name):
        raise DestinationError("gone")

    def work(error):
        with Lock(files, CRYPTER):
            monkeypatch.setattr(files.destination, "delete", fail)
            if error:
                raise error

    with pytest.raises(KeyError):
        work(KeyError())
    with pytest.raises(DestinationError):
        work(None)
