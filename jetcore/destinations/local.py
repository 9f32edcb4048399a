"""The built-in destination type ``local``: a directory of this machine, or anything mounted there."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import attrs

from jetcore.abc import Data, Destination, ObjectInfo
from jetcore.destinations.names import check_folder, check_name, is_valid_name
from jetcore.errors import DestinationError, DestinationFullError, ObjectNotFoundError
from jetcore.settings.field import setting

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_WRITE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FULL = (errno.ENOSPC, errno.EDQUOT)
#: Begins with a dot, which no object's name does.
_TEMPORARY = ".tmp-"
_MAX_BUFFERS = 1024  # IOV_MAX of Linux


def _absolute(_instance: Any, _attribute: Any, value: str) -> None:
    if not os.path.isabs(value):
        raise ValueError("must be an absolute path")


@attrs.frozen(kw_only=True)
class LocalSettings:
    """Where the directory is."""

    path: str = setting(
        title="Directory",
        help="Where the backups are kept, for instance the mount point of another disk. Made if it is missing.",
        minimum=1,
        validator=_absolute,
    )


class LocalDestination(Destination):
    """Objects are files of the same name below a directory.

    An object appears whole or not at all: it is written under a temporary name, synced, renamed, and its folder synced.
    No symbolic link below the directory is followed. Nothing is kept between two calls.
    """

    name: ClassVar[str] = "local"
    Settings: ClassVar[type[Any] | None] = LocalSettings
    fork_safe: ClassVar[bool] = True

    def __init__(self, settings: LocalSettings) -> None:
        """Keep *settings*; nothing is touched yet."""
        self._root = os.path.normpath(settings.path)

    def put(self, name: str, data: Data | Sequence[Data]) -> None:
        """Store an object, see :meth:`jetcore.abc.Destination.put`."""
        check_name(name)
        buffers = [data] if isinstance(data, bytes | bytearray | memoryview) else data
        path = self._path(name)
        *folders, last = name.split("/")
        with _errors(path), _closing(self._make_folder(folders)) as folder:
            temporary = f"{_TEMPORARY}{secrets.token_hex(8)}"
            file = os.open(temporary, _WRITE_FLAGS, 0o600, dir_fd=folder)
            try:
                with _closing(file):
                    _write(file, buffers)
                    os.fsync(file)
                os.rename(temporary, last, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            os.fsync(folder)

    def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes of an object, see :meth:`jetcore.abc.Destination.get`."""
        check_name(name)
        path = self._path(name)
        *folders, last = name.split("/")
        with _errors(path), _closing(self._open_folder(folders)) as folder:
            with _closing(os.open(last, _READ_FLAGS, dir_fd=folder)) as file:
                status = os.fstat(file)
                if not stat.S_ISREG(status.st_mode):
                    raise DestinationError(f"{path} is not a regular file")
                wanted = status.st_size - offset if length is None else length
                if offset + wanted > status.st_size or wanted < 0:
                    raise DestinationError(
                        f"{path} is too short: {status.st_size} bytes, asked for {wanted} from {offset}"
                    )
                data = _read(file, offset, wanted)
        if len(data) != wanted:
            raise DestinationError(f"{path} became shorter while it was read")
        return data

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects of a folder, see :meth:`jetcore.abc.Destination.list`."""
        check_folder(prefix)
        with _errors(self._path(prefix)):
            try:
                folder = self._open_folder(prefix.split("/")[:-1])
            except FileNotFoundError:
                return
        yield from self._list(folder, prefix)

    def delete(self, name: str) -> None:
        """Remove an object, see :meth:`jetcore.abc.Destination.delete`."""
        check_name(name)
        *folders, last = name.split("/")
        with _errors(self._path(name)):
            try:
                folder = self._open_folder(folders)
            except FileNotFoundError:
                return
            with _closing(folder):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(last, dir_fd=folder)

    def free_bytes(self) -> int | None:
        """Return how much more can be stored by this user, or None while the directory is missing."""
        try:
            status = os.statvfs(self._root)
        except OSError:
            return None
        return (status.f_bfree if os.geteuid() == 0 else status.f_bavail) * status.f_frsize

    def restic_location(self, prefix: str) -> str:
        """Return the path of the repository's folder."""
        return self._path(prefix).rstrip("/")

    def _path(self, name: str) -> str:
        return os.path.join(self._root, name)

    def _open_folder(self, folders: Sequence[str]) -> int:
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in folders:
            with _closing(folder):
                folder = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
        return folder

    def _make_folder(self, folders: Sequence[str]) -> int:
        try:
            return self._open_folder(folders)
        except FileNotFoundError:
            pass
        _make_root(self._root)
        folder = os.open(self._root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for name in folders:
            with _closing(folder):
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=folder)
                    os.fsync(folder)
                folder = os.open(name, _FOLDER_FLAGS, dir_fd=folder)
        return folder

    def _list(self, folder: int, prefix: str) -> Iterator[ObjectInfo]:
        folders: list[str] = []
        with _errors(self._path(prefix)), _closing(folder):
            with os.scandir(folder) as entries:
                # Sizes are taken before anything is yielded, so that no descriptor waits for a slow reader.
                found = []
                for entry in entries:
                    name = prefix + entry.name
                    if not is_valid_name(name):
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif entry.is_file(follow_symlinks=False):
                        with contextlib.suppress(FileNotFoundError):
                            found.append(ObjectInfo(name, entry.stat(follow_symlinks=False).st_size))
        yield from found
        for name in sorted(folders):
            yield from self.list(f"{prefix}{name}/")


def _make_root(root: str) -> None:
    missing = []
    while not os.path.isdir(root):
        missing.append(root)
        root = os.path.dirname(root)
    for folder in reversed(missing):
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        with _closing(os.open(os.path.dirname(folder), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as parent:
            os.fsync(parent)


def _write(file: int, buffers: Sequence[Data]) -> None:
    views = [memoryview(buffer).cast("B") for buffer in buffers if len(buffer)]
    while views:
        written = os.writev(file, views[:_MAX_BUFFERS])
        done = 0
        while done < len(views) and written >= len(views[done]):
            written -= len(views[done])
            done += 1
        del views[:done]
        if written:
            views[0] = views[0][written:]


def _read(file: int, offset: int, length: int) -> bytes:
    data = os.pread(file, length, offset)
    if len(data) == length or not data:
        return data
    pieces = [data]
    done = len(data)
    while done < length and (data := os.pread(file, length - done, offset + done)):
        pieces.append(data)
        done += len(data)
    return b"".join(pieces)


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _errors(path: str) -> Iterator[None]:
    """Turn errors of the operating system into those of destinations."""
    try:
        yield
    except FileNotFoundError as error:
        raise ObjectNotFoundError(f"there is no {path}") from error
    except OSError as error:
        if error.errno in _FULL:
            raise DestinationFullError(
                f"{path}: {error.strerror}", hint="make room at the destination, or raise its quota"
            ) from error
        raise DestinationError(f"{path}: {error.strerror or error}") from error
