"""Forking safely: when it is allowed, and how a child is tied to its parent."""

from __future__ import annotations

import ctypes
import os
import signal

_PR_SET_PDEATHSIG = 1
#: Parameters of glibc's mallopt.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def can_fork() -> bool:
    """Say whether this process may fork and go on in Python: only as long as it has a single thread.

    Another thread may hold a lock at that moment, which nobody would ever release in the child.
    """
    return len(os.listdir("/proc/self/task")) == 1


def keep_freed_memory() -> None:
    """Have the C library keep what is freed for the next use, instead of giving it back to the system each time.

    A backup frees and asks for buffers of many kilobytes without end; getting fresh pages for each of them takes a
    tenth of its time. This concerns the whole process, so only programs of our own call it. It does nothing where the
    C library knows no such thing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 32 << 20)
        mallopt(_M_TRIM_THRESHOLD, 128 << 20)


def die_with_parent(parent: int) -> None:
    """Have the calling child killed when its parent ends, even in the middle of a system call.

    :param parent: Process id of the parent, taken before the fork: it may have ended since.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
