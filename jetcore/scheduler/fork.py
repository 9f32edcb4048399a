"""Work in forked processes: one fork a task, a few at once.

What a fork has to say goes through the state database and its exit status, so that a fork that is killed says nothing
wrong. The parent learns of a fork's end by the end of a pipe that only the fork holds open: no signal handler, and no
other child of the program that uses jetcore is ever waited for.
"""

from __future__ import annotations

import os
import selectors
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import attrs

from jetcore.process import die_with_parent

Item = TypeVar("Item")


@attrs.frozen
class Ended:
    """How a fork ended."""

    #: Exit status; 0 if it was killed.
    status: int
    #: The signal that killed it; 0 if none did.
    signal: int

    @property
    def ok(self) -> bool:
        """Whether it ended by itself, with status 0."""
        return not self.status and not self.signal

    def __str__(self) -> str:
        return f"was killed by signal {self.signal}" if self.signal else f"ended with status {self.status}"


def run_forked(work: Callable[[Item], int], items: Sequence[Item], *, forks: int) -> Iterator[tuple[Item, Ended]]:
    """Do *work* on each of *items* in a fork of its own, and yield how each ended, as they end.

    Stopping the iteration stops the forks. To be called while the process has a single thread.

    :param work: Returns the exit status of the fork. What it raises gives status 1.
    :param forks: How many there are at once.
    """
    waiting = list(reversed(items))
    running: dict[int, tuple[int, Item]] = {}
    with selectors.DefaultSelector() as selector:
        try:
            while waiting or running:
                while waiting and len(running) < forks:
                    item = waiting.pop()
                    end, pid = _fork(work, item)
                    running[end] = pid, item
                    selector.register(end, selectors.EVENT_READ)
                for key, _ in selector.select():
                    end = key.fd
                    selector.unregister(end)
                    pid, item = running.pop(end)
                    yield item, _reap(end, pid)
        finally:
            for pid, _ in running.values():
                os.kill(pid, signal.SIGTERM)
            for end, (pid, _) in running.items():
                _reap(end, pid)


def _fork(work: Callable[[Item], int], item: Item) -> tuple[int, int]:
    """Start a fork; return the end of the pipe that tells of its end, and its process id."""
    parents_end, childs_end = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid:
        os.close(childs_end)
        return parents_end, pid
    status = 1
    try:
        die_with_parent(parent)
        os.close(parents_end)
        status = work(item)
    except KeyboardInterrupt:
        status = 130
    except BaseException:  # nothing may escape into the parent's code
        status = 1
    finally:
        os._exit(status)


def _reap(end: int, pid: int) -> Ended:
    os.close(end)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return Ended(0, os.WTERMSIG(status))
    return Ended(os.WEXITSTATUS(status), 0)
