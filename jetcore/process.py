"""Forking safely: when it is allowed, and how a child is tied to its parent."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1


def can_fork() -> bool:
    """Say whether this process may fork and go on in Python: only as long as it has a single thread.

    Another thread may hold a lock at that moment, which nobody would ever release in the child.
    """
    return len(os.listdir("/proc/self/task")) == 1


def die_with_parent(parent: int) -> None:
    """Have the calling child killed when its parent ends, even in the middle of a system call.

    :param parent: Process id of the parent, taken before the fork: it may have ended since.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
