"""Directories below a target, opened without ever following a symbolic link.

Whoever owns the target may plant links in it, and may do so while we write. So nothing here trusts a path twice: a
directory is opened from the target's own descriptor, and every component on the way has to be a real directory. Linux
since 5.6 promises that in one system call, ``openat2(2)``; elsewhere each component is opened by itself.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from jetcore.errors import RestoreError, UnsafeTargetError
from jetcore.restore.names import shown

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LONGEST = 4000  # the kernel takes paths below PATH_MAX, 4096 bytes
_MOST_LINKS = 40  # as many as the kernel follows

_OPENAT2 = 437  # the number is the same on every architecture that Python runs on
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08


class _OpenHow(ctypes.Structure):
    """``struct open_how`` of ``linux/openat2.h``."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


# Without O_NOFOLLOW, which would turn the answer for a link at the end from ELOOP to ENOTDIR.
_HOW = _OpenHow(_DIRECTORY & ~os.O_NOFOLLOW, 0, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS | _RESOLVE_NO_MAGICLINKS)
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_OpenHow), ctypes.c_size_t)


def _open_at_once(directory: int, path: bytes) -> int:
    while True:
        opened: int = _syscall(_OPENAT2, directory, path, _HOW, ctypes.sizeof(_OpenHow))
        if opened >= 0:
            return opened
        number = ctypes.get_errno()
        if number not in (errno.EINTR, errno.EAGAIN):
            raise OSError(number, os.strerror(number), path)


def _open_by_steps(directory: int, path: bytes) -> int:
    opened = os.dup(directory)
    for name in path.split(b"/"):
        try:
            following = os.open(name, _DIRECTORY, dir_fd=opened)
        except NotADirectoryError:
            # Linux says ENOTDIR of a link too when asked for a directory.
            if stat.S_ISLNK(os.stat(name, dir_fd=opened, follow_symlinks=False).st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from None
            raise
        finally:
            os.close(opened)
        opened = following
    return opened


def _has_openat2(directory: int) -> bool:
    try:
        os.close(_open_at_once(directory, b"."))
    except OSError as error:
        # ENOSYS from old kernels, EPERM from the system call filters of old container runtimes.
        if error.errno in (errno.ENOSYS, errno.EPERM):
            return False
        raise
    return True


class Beneath:
    """A directory as the root of everything that is opened through it.

    A context manager; leaving it closes the descriptor.

    :param fd: Descriptor of the directory; taken over.
    :param shown_as: What messages call the directory.
    """

    def __init__(self, fd: int, shown_as: str) -> None:
        self.fd = fd
        self.shown_as = shown_as
        self._open: Callable[[int, bytes], int] = _open_at_once if _has_openat2(fd) else _open_by_steps

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        os.close(self.fd)

    def open(self, path: bytes, start: int | None = None) -> int:
        """Return a descriptor of the directory *path*; it may be longer than the kernel's limit for paths.

        :param path: Relative, names joined by single slashes; empty for the root itself.
        :param start: A directory that was opened here before, for a path that is relative to it.
        :raises UnsafeTargetError: A component is a symbolic link.
        :raises OSError: A component is missing or no directory.
        """
        opened = os.dup(self.fd if start is None else start)
        while path:
            piece, path = _cut(path)
            try:
                following = self._open(opened, piece)
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise self.unsafe(_first_link(opened, piece)) from error
                raise
            finally:
                os.close(opened)
            opened = following
        return opened

    def unsafe(self, path: bytes) -> UnsafeTargetError:
        """Return the error that says that *path* is a symbolic link where a directory was expected."""
        return UnsafeTargetError(
            f"{shown(path)} in {self.shown_as} is a symbolic link where the restore point has a directory",
            hint="nothing was written through it; move the link away or restore to another directory",
        )


def _cut(path: bytes) -> tuple[bytes, bytes]:
    if len(path) <= _LONGEST:
        return path, b""
    end = path.rindex(b"/", 0, _LONGEST)
    return path[:end], path[end + 1 :]


def _first_link(directory: int, path: bytes) -> bytes:
    names = path.split(b"/")
    for depth in range(1, len(names)):
        try:
            os.close(_open_by_steps(directory, b"/".join(names[:depth])))
        except OSError:
            return b"/".join(names[:depth])
    return path


def open_target(path: Path) -> Beneath:
    """Open the directory *path*, made with mode 0700 if it is missing, together with what is missing above it.

    A symbolic link on the way is followed only if it belongs to root or to us: ``/home`` may well be a link, but one
    that an account's owner made must not choose where root writes.

    :param path: Absolute.
    :raises UnsafeTargetError: Somebody else's symbolic link is on the way.
    :raises RestoreError: The directory cannot be opened or made.
    """
    names = os.fsencode(path).split(b"/")
    links = 0
    opened = os.open("/", _DIRECTORY)
    try:
        while names:
            name = names.pop(0)
            if name in (b"", b"."):
                continue
            step = _step(opened, name)
            if stat.S_ISLNK(os.fstat(step).st_mode):
                links += 1
                linked = _trusted_link(step, path, name, links)
                names = linked.split(b"/") + names
                step = os.open("/", _DIRECTORY) if linked.startswith(b"/") else os.dup(opened)
            os.close(opened)
            opened = step
        readable = os.open(".", _DIRECTORY, dir_fd=opened)
    except OSError as error:
        raise RestoreError(f"cannot restore to {path}: {error.strerror}") from error
    finally:
        os.close(opened)
    return Beneath(readable, str(path))


def _step(directory: int, name: bytes) -> int:
    flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=directory)
    except FileNotFoundError:
        os.mkdir(name, 0o700, dir_fd=directory)
        return os.open(name, flags, dir_fd=directory)


def _trusted_link(link: int, path: Path, name: bytes, count: int) -> bytes:
    try:
        if count > _MOST_LINKS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        owner = os.fstat(link).st_uid
        if owner not in (0, os.geteuid()):
            raise UnsafeTargetError(
                f"{shown(name)} on the way to {path} is a symbolic link that belongs to uid {owner}",
                hint="name the directory that it leads to, if that is what you want",
            )
        return os.readlink(b"", dir_fd=link)
    finally:
        os.close(link)
