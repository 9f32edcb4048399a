"""Opening files of a system's own folders, in which other users may be able to write."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

import attrs

from jetcore import PanelError

#: No crontab and no table of logins comes near it; what is larger is an attack on our memory.
_LARGEST = 64 << 20


@attrs.frozen
class Version:
    """Tells whether a file is still the one that was read."""

    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int


def open_file(path: Path) -> tuple[BinaryIO, Version]:
    """Open a file for reading, and say which version of it that is.

    The last component may not be a symbolic link, and the file must be an ordinary one with a single name.

    :raises FileNotFoundError: There is no such file.
    :raises PanelError: It cannot be read, or is something else than an ordinary file.
    """
    try:
        # O_NONBLOCK: opening a FIFO that somebody put there would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PanelError(f"{path} cannot be read: {error.strerror}") from error
    facts = os.fstat(descriptor)
    if stat.S_ISREG(facts.st_mode) and facts.st_nlink == 1 and facts.st_size <= _LARGEST:
        version = Version(facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        return open(descriptor, "rb"), version
    os.close(descriptor)
    raise PanelError(f"{path} is not an ordinary file with a single name and at most {_LARGEST >> 20} MiB")


def read_file(path: Path) -> bytes:
    """Return a file's contents; as :func:`open_file`."""
    file, _ = open_file(path)
    with file:
        return file.read(_LARGEST)


def write_file(path: Path, data: bytes, *, uid: int, gid: int) -> None:
    """Put a file with mode 0600 in the place of whatever has its name, whole or not at all.

    :raises PanelError: It cannot be written.
    """
    with _folder(path) as folder:
        # cron leaves names with a leading dot alone.
        temporary = f".{path.name}.{secrets.token_hex(8)}"
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(temporary, flags, 0o600, dir_fd=folder), "wb") as file:
                file.write(data)
                file.flush()
                os.fchown(file.fileno(), uid, gid)
                os.fchmod(file.fileno(), 0o600)
                os.fsync(file.fileno())
            os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            _unlink(temporary, folder)
            raise
        os.fsync(folder)


def remove_file(path: Path) -> None:
    """Remove a file; not an error if there is none.

    :raises PanelError: It cannot be removed.
    """
    with _folder(path) as folder:
        _unlink(path.name, folder)
        os.fsync(folder)


@contextmanager
def _folder(path: Path) -> Iterator[int]:
    try:
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield folder
        finally:
            os.close(folder)
    except OSError as error:
        raise PanelError(f"{path} cannot be written: {error.strerror}") from error


def _unlink(name: str, folder: int) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
