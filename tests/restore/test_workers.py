from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from jetcore.errors import RestoreError
from jetcore.restore.workers import InProcess, Workers


def pid_and_length(request: bytes) -> bytes:
    return b"%d %d" % (os.getpid(), len(request))


def children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def fail() -> None:
    raise ZeroDivisionError


def run(
    work: Callable[[bytes], bytes],
    requests: Sequence[bytes],
    *,
    on_reply: Callable[[bytes], None] = lambda _reply: None,
    before_end: Callable[[], None] = lambda: None,
) -> None:
    """Have two workers do *requests*."""
    with Workers(2, work, on_reply) as workers:
        for request in requests:
            workers.submit(request)
        before_end()
        workers.finish()


def test_every_request_is_answered_once() -> None:
    """Each request is worked on once, in one of the workers, whatever its size and that of the reply."""
    replies: list[bytes] = []
    sizes = [0, 1, 10, 100_000, 3_000_000] * 20

    with Workers(3, lambda request: b"%d " % os.getpid() + request, replies.append) as workers:
        for size in sizes:
            workers.submit(bytes(size))
        workers.finish()

    answered = [reply.split(b" ", 1) for reply in replies]
    assert sorted(len(body) for _, body in answered) == sorted(sizes)
    assert 1 < len({pid for pid, _ in answered}) <= 3
    assert str(os.getpid()).encode() not in {pid for pid, _ in answered}


def test_workers_are_gone_afterwards() -> None:
    """Leaving ends the workers and waits for them, after a failure too, and closes what was open."""
    before = os.listdir("/proc/self/fd")
    others = children()

    with Workers(2, pid_and_length, lambda _reply: None) as workers:
        workers.submit(b"")
    assert children() == others

    with pytest.raises(ZeroDivisionError):
        run(pid_and_length, [b""], before_end=fail)
    assert children() == others
    assert os.listdir("/proc/self/fd") == before


def test_error_in_a_reply() -> None:
    """What the reply's taker raises comes out of the waiting call."""

    def refuse(reply: bytes) -> None:
        raise ValueError(reply.decode())

    with pytest.raises(ValueError, match="HELLO"):
        run(bytes.upper, [b"hello"], on_reply=refuse)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed_worker(number: signal.Signals) -> None:
    """A worker that is killed is an error that says so, not a hang."""

    def die(_request: bytes) -> bytes:
        os.kill(os.getpid(), number)
        return b""

    with pytest.raises(RestoreError, match="ended unexpectedly"):
        run(die, [b"x" * 1_000_000] * 10)


def test_terminated_worker_cleans_up(tmp_path: Path) -> None:
    """A worker that is ended in the middle of its work still unwinds it."""
    ready, release = os.pipe()

    def work(_request: bytes) -> bytes:
        try:
            (tmp_path / "temporary").touch()
            os.write(release, b"x")
            signal.pause()
        finally:
            (tmp_path / "temporary").unlink()
        return b""

    def fail_when_ready() -> None:
        os.read(ready, 1)
        fail()

    with pytest.raises(ZeroDivisionError):
        run(work, [b""], before_end=fail_when_ready)

    assert list(tmp_path.iterdir()) == []
    os.close(ready)
    os.close(release)


def test_in_process() -> None:
    """The same work can be done in this process, at once."""
    replies: list[bytes] = []
    crew = InProcess(pid_and_length, replies.append)

    crew.submit(b"123")
    crew.finish()

    assert replies == [b"%d 3" % os.getpid()]
