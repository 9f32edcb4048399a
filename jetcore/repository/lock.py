"""Locks: files that tell other programs who works in a repository. restic respects ours, and we respect restic's.

Any number may hold the repository together; one that removes things holds it alone (exclusively). A lock is stale when
it is 30 minutes old, or when its process on this host is gone; who lives longer writes a new one every 5 minutes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Self

import attrs
import orjson

from jetcore.errors import CorruptRepositoryError, JetcoreError, ObjectNotFoundError, RepositoryLockedError
from jetcore.repository.crypto import Crypter
from jetcore.repository.files import Files, Kind, file_id
from jetcore.repository.keys import username
from jetcore.repository.snapshot import decode_datetime, encode_datetime

_STALE = timedelta(minutes=30)
_REFRESH = timedelta(minutes=5)
#: A lock of this age may be taken for stale by a clock that is a little ahead: it is renewed only if it is still there.
_DOUBTFUL = timedelta(minutes=22)
_UNLOCK = "if nobody works in the repository, `jetcore repository unlock --all` removes it"


@attrs.frozen(kw_only=True)
class LockInfo:
    """What a lock file says."""

    time: datetime
    exclusive: bool
    hostname: str
    username: str
    pid: int

    def is_stale(self, now: datetime) -> bool:
        """Say whether its owner has certainly gone."""
        if now - self.time > _STALE:
            return True
        return self.hostname == os.uname().nodename and not _is_alive(self.pid)

    def __str__(self) -> str:
        how = "exclusively " if self.exclusive else ""
        return (
            f"{how}by process {self.pid} of {self.username} on {self.hostname} since {self.time:%Y-%m-%d %H:%M:%S} UTC"
        )


class Lock:
    """A lock that is held. A context manager: leaving it gives the lock back."""

    def __init__(self, files: Files, crypter: Crypter, *, exclusive: bool = False) -> None:
        """Take the lock; stale ones of others that stand in the way are removed.

        :param exclusive: Whether nobody else may hold a lock.
        :raises RepositoryLockedError: Somebody else holds a lock that forbids it.
        :raises CorruptRepositoryError: A lock file is damaged, so that nobody knows what it forbids.
        """
        self._files = files
        self._crypter = crypter
        self._exclusive = exclusive
        self._time = datetime.now(UTC)
        self._id = ""
        self._survives_hangup = _survive_hangup()
        # Written first and looked around afterwards: of two that come at once, at least one sees the other.
        try:
            self._id = self._write()
            self._refuse_conflicts()
        except BaseException:
            with contextlib.suppress(JetcoreError):  # the first error is the one to be told of
                self.release()
            raise

    def refresh(self) -> None:
        """Write the lock anew if it is 5 minutes old. Call it often; it costs nothing in between.

        :raises RepositoryLockedError: The lock has been removed by somebody who took it for stale.
        """
        now = datetime.now(UTC)
        age = now - self._time
        if timedelta(0) <= age < _REFRESH:
            return
        old = self._id
        if not timedelta(0) <= age < _DOUBTFUL and old not in set(self._files.list(Kind.LOCK)):
            raise RepositoryLockedError(
                f"the lock on {self._files.path('')} was removed after {age} without a sign of life",
                hint="run it again; what is stored already is not stored twice",
            )
        self._time = now
        self._id = self._write()
        self._files.delete(Kind.LOCK, old)
        if not timedelta(0) <= age < _DOUBTFUL:
            # Whoever took the old lock for stale and did not see the new one has written his own before.
            self._refuse_conflicts()

    def release(self) -> None:
        """Give the lock back. Safe to call twice."""
        try:
            if self._id:
                self._files.delete(Kind.LOCK, self._id)
                self._id = ""
        finally:
            if self._survives_hangup:
                self._survives_hangup = False
                signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.release()
        except JetcoreError:
            if error is None:  # else the first error is the one to be told of; the lock becomes stale by itself
                raise

    def _write(self) -> str:
        document = {
            "time": encode_datetime(self._time),
            "exclusive": self._exclusive,
            "hostname": os.uname().nodename,
            "username": username(),
            "pid": os.getpid(),
            "uid": os.getuid(),
            "gid": os.getgid(),
        }
        sealed = self._files.seal(orjson.dumps(document), self._crypter)
        try:
            return self._files.put(Kind.LOCK, sealed)
        except JetcoreError:
            # It may be there all the same, whole or in part, and would keep others out for half an hour.
            with contextlib.suppress(JetcoreError):
                self._files.delete(Kind.LOCK, file_id(sealed))
            raise

    def _refuse_conflicts(self) -> None:
        for lock_id in list(self._files.list(Kind.LOCK)):
            if lock_id == self._id:
                continue
            info = self._read(lock_id)
            if info is None or not (self._exclusive or info.exclusive):
                continue
            if info.is_stale(self._time):
                self._files.delete(Kind.LOCK, lock_id)
                continue
            raise RepositoryLockedError(
                f"the repository at {self._files.path('')} is locked {info}",
                hint="wait for it to end; if its owner is gone, `jetcore repository unlock` removes the lock",
            )

    def _read(self, lock_id: str) -> LockInfo | None:
        try:
            document = self._files.load(Kind.LOCK, lock_id, self._crypter)
        except ObjectNotFoundError:
            return None  # given back since it was listed
        except CorruptRepositoryError as error:
            raise CorruptRepositoryError(error.message, hint=_UNLOCK) from error
        try:
            return decode_lock(document)
        except CorruptRepositoryError as error:
            raise CorruptRepositoryError(
                self._files.corrupt(Kind.LOCK, lock_id, error).message, hint=_UNLOCK
            ) from error


def unlock(files: Files, crypter: Crypter, *, every: bool = False) -> int:
    """Remove stale locks and return how many there were.

    :param every: Also those whose owner may be alive, and those that cannot be read.
    """
    removed = 0
    now = datetime.now(UTC)
    for lock_id in list(files.list(Kind.LOCK)):
        try:
            stale = every or decode_lock(files.load(Kind.LOCK, lock_id, crypter)).is_stale(now)
        except (ObjectNotFoundError, CorruptRepositoryError):
            continue  # given back since it was listed; or nobody knows whose it is
        if stale:
            files.delete(Kind.LOCK, lock_id)
            removed += 1
    return removed


def decode_lock(document: bytes) -> LockInfo:
    """Return what the JSON *document* of a lock file says.

    :raises CorruptRepositoryError: The document makes no sense.
    """
    try:
        fields: dict[str, Any] = orjson.loads(document)
        return LockInfo(
            time=decode_datetime(fields["time"]),
            exclusive=bool(fields["exclusive"]),
            hostname=str(fields["hostname"]),
            username=str(fields["username"]),
            pid=int(fields["pid"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CorruptRepositoryError(f"it is no lock: {error!r}") from error


def _survive_hangup() -> bool:
    """Keep SIGHUP from ending this process, unless the program has its own mind about it; say whether that was needed.

    restic finds out with SIGHUP whether the process of a lock is alive. It ignores the signal itself, as do we.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGHUP) != signal.SIG_DFL:
        return False
    signal.signal(signal.SIGHUP, lambda *_: None)  # not SIG_IGN, which programs that are started now would inherit
    return True


def _is_alive(pid: int) -> bool:
    if pid <= 0:
        return True  # no process of this host; kill() would take it for a group
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
