"""Opening what belongs to somebody who may change it at any moment: one component at a time, never through a link.

The owner of a home directory can swap a file for a symbolic link, a FIFO or a folder between any two system calls. So
everything is opened relative to the descriptor of its folder, without following links and without waiting for a writer,
and what was opened must be what was looked at before.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from types import TracebackType

import attrs

from jetcore.errors import SourceError

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FOLDER = _READ | os.O_DIRECTORY
#: That many folders are kept open; the ones between are closed on the way down and opened again on the way back.
_MOST_OPEN = 128
#: What open says when the entry is no longer of the type it was: a link, not a folder, a socket.
_OTHER_TYPE = frozenset({errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.EISDIR})


class ItemError(Exception):
    """An entry of the source cannot be read; the others can. The text says why."""


class VanishedError(ItemError):
    """An entry was there when its folder was listed and is gone now."""


class SwappedError(ItemError):
    """An entry was replaced by another one between being looked at and being opened."""


def as_item_error(error: OSError) -> ItemError:
    """Return what the error of a system call on an entry means for the reading."""
    if isinstance(error, FileNotFoundError):
        return VanishedError("gone before it could be read")
    return ItemError(f"cannot be read: {error.strerror or error}")


class _SourceCalls:
    """Marks system calls on the source, so that their errors are never taken for errors of the destination."""

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _at: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            raise as_item_error(error) from error


#: ``with source_calls:`` turns an :class:`OSError` inside into an :class:`ItemError`.
source_calls = _SourceCalls()


def same_file(one: os.stat_result, other: os.stat_result) -> bool:
    """Say whether two results describe the same file: type, inode and device."""
    return (
        one.st_ino == other.st_ino
        and one.st_dev == other.st_dev
        and stat.S_IFMT(one.st_mode) == stat.S_IFMT(other.st_mode)
    )


def open_entry(folder: int, name: bytes, looked_at: os.stat_result) -> tuple[int, os.stat_result]:
    """Open a regular file or a folder for reading.

    :param folder: Descriptor of the folder that it lies in.
    :param looked_at: What ``lstat`` said of it.
    :returns: The descriptor, which the caller closes, and what ``fstat`` says of it.
    :raises SwappedError: It is no longer what was looked at.
    :raises ItemError: It cannot be opened.
    """
    flags = _FOLDER if stat.S_ISDIR(looked_at.st_mode) else _READ
    with source_calls:
        try:
            descriptor = _open_quietly(name, flags, folder)
        except OSError as error:
            if error.errno in _OTHER_TYPE:
                raise SwappedError("replaced while it was opened") from error
            raise
        facts = os.fstat(descriptor)
    if not same_file(facts, looked_at):
        os.close(descriptor)
        raise SwappedError("replaced while it was opened")
    return descriptor, facts


def _open_quietly(name: bytes, flags: int, folder: int) -> int:
    try:
        return os.open(name, flags | os.O_NOATIME, dir_fd=folder)
    except PermissionError:
        # Only the owner and a privileged process may leave the access time alone; root on NFS is neither.
        return os.open(name, flags, dir_fd=folder)


@attrs.define(eq=False)
class Folder:
    """A folder on the way from the root to where the reading stands."""

    #: Name in its parent; empty for the root.
    name: bytes
    #: What ``fstat`` said when it was opened.
    facts: os.stat_result
    parent: Folder | None
    #: -1 while it is closed to save descriptors, and for ever if it was moved away meanwhile.
    descriptor: int

    def path(self, name: bytes = b"") -> bytes:
        """Return the path of the folder, or of entry *name* in it, below the root. Costs time: for messages only."""
        names = [name] if name else []
        folder: Folder | None = self
        while folder is not None and folder.parent is not None:
            names.append(folder.name)
            folder = folder.parent
        return b"/".join(reversed(names))


class Descent:
    """The folders from the root to the one being read, of which only the root and the deepest ones are open.

    So depth costs no descriptors. A closed folder is opened again as ``..`` of the last one below it, and must then be
    the same one.
    """

    def __init__(self, root: Folder) -> None:
        self._folders = [root]

    def enter(self, folder: Folder) -> None:
        """Go down into *folder*, which is open and lies in the folder that was entered last."""
        self._folders.append(folder)
        spare = len(self._folders) - _MOST_OPEN
        if spare > 0:
            _close(self._folders[spare])

    def leave(self) -> None:
        """Go back up. The folder above is open afterwards, unless it was moved away: then its descriptor is -1."""
        below = self._folders.pop()
        above = self._folders[-1] if self._folders else None
        if above is not None and above.descriptor < 0 <= below.descriptor:
            try:
                above.descriptor, _ = open_entry(below.descriptor, b"..", above.facts)
            except ItemError:
                above.descriptor = -1
        _close(below)

    def close(self) -> None:
        """Close whatever is open."""
        while self._folders:
            _close(self._folders.pop())


def _close(folder: Folder) -> None:
    if folder.descriptor >= 0:
        os.close(folder.descriptor)
        folder.descriptor = -1


def open_root(path: Path, *, base: Path = Path("/")) -> Folder:
    """Open the folder that the reading begins at.

    :param path: Absolute path of the folder.
    :param base: A folder above it that the administrator vouches for: links on the way there are followed. On the way
        from there, a link is followed only where nobody but root could have put it: ``/home`` may well be one.
    :raises SourceError: It is missing, the root directory, no folder, or can only be reached through a symbolic link.
    """
    if not path.is_absolute() or ".." in path.parts or not path.is_relative_to(base):
        raise SourceError(
            f"{path} is not an absolute path below {base}", hint="correct the home directory of the account"
        )
    walked = base
    try:
        descriptor = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _root_error(base, error, path) from error
    for part in path.relative_to(base).parts:
        walked /= part
        above = descriptor
        # The home itself is never a link; above it, a link that only root can have put there leads where root wants.
        flags = _FOLDER & ~os.O_NOFOLLOW if walked != path and _is_roots_alone(above) else _FOLDER
        try:
            descriptor = _open_quietly(os.fsencode(part), flags, above)
        except OSError as error:
            raise _root_error(walked, error, path) from error
        finally:
            os.close(above)
    facts = os.fstat(descriptor)
    if path == base or same_file(facts, os.stat("/")):
        os.close(descriptor)
        raise SourceError(
            f"{path} is a root directory and is not backed up as a home directory",
            hint="correct the home directory of the account",
        )
    return Folder(b"", facts, None, descriptor)


def _is_roots_alone(descriptor: int) -> bool:
    """Say whether only root can put something into a folder."""
    facts = os.fstat(descriptor)
    return facts.st_uid == 0 and not facts.st_mode & 0o022


def _root_error(at: Path, error: OSError, path: Path) -> SourceError:
    place = str(path) if at == path else f"{at} on the way to {path}"
    if isinstance(error, FileNotFoundError):
        return SourceError(f"{place} does not exist")
    if at.is_symlink():
        return SourceError(
            f"{place} is a symbolic link, and links are not followed there",
            hint="give the account the path that the link leads to as its home directory",
        )
    if isinstance(error, NotADirectoryError):
        return SourceError(f"{place} is not a directory")
    return SourceError(f"{place} cannot be opened: {error.strerror}")
