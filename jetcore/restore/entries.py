"""Entries of one directory: files, links, FIFOs and devices, each made beside its name and then renamed to it.

What is already there under the name is replaced by the rename, never opened and never written to: it may be a FIFO that
blocks, a hard link to somebody else's file, or a symbolic link out of the target.
"""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import itertools
import os
import secrets
import stat
from collections.abc import Iterable, Iterator

from jetcore.repository.tree import Node
from jetcore.restore.metadata import Metadata

#: Runs of zeros of at least this many bytes, at multiples of it, become holes.
HOLE_BYTES = 64 * 1024
_ZEROS = bytes(HOLE_BYTES)

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_LOOK = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC

_FS_IOC_GETFLAGS = 0x80086601
_FS_IMMUTABLE = 0x10
_FS_APPEND = 0x20


class Entries:
    """Makes entries in directories that are given as descriptors.

    Each method raises ``OSError`` when the target refuses, and then leaves nothing of its own behind. *path* is where
    the entry lies below the target; it is only spoken of. *inherits* says that the directory has a default ACL, so that
    what the new entry got of it has to be undone.
    """

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata
        # Unguessable, so that nobody can be in the way.
        prefix = f".jetcore-{secrets.token_hex(8)}-"
        self._temporary_names = (f"{prefix}{number}".encode() for number in itertools.count())

    def file(self, directory: int, node: Node, path: bytes, blobs: Iterable[bytes], *, inherits: bool = False) -> int:
        """Make the regular file *node* of *blobs* and return its size."""
        with self._temporary(directory) as temporary:
            # Nobody but us can open it before its owner and mode are set.
            file = os.open(temporary, _NEW_FILE, 0o600, dir_fd=directory)
            try:
                size = _write(file, blobs)
                if inherits:
                    self._metadata.forget_acls(file, node)
                self._metadata.apply(file, node, path)
            finally:
                os.close(file)
            os.rename(temporary, node.name, src_dir_fd=directory, dst_dir_fd=directory)
        return size

    def special(self, directory: int, node: Node, path: bytes, *, inherits: bool = False) -> None:
        """Make the symbolic link, FIFO or device *node*."""
        with self._temporary(directory) as temporary:
            if node.type == "symlink":
                os.symlink(node.linktarget, temporary, dir_fd=directory)
            elif node.type == "fifo":
                os.mkfifo(temporary, 0o600, dir_fd=directory)
            else:
                kind = stat.S_IFCHR if node.type == "chardev" else stat.S_IFBLK
                os.mknod(temporary, kind | 0o600, node.device, dir_fd=directory)
            entry = os.open(temporary, _LOOK, dir_fd=directory)
            try:
                # The directory may belong to somebody who put another thing there: its owner is not ours to change.
                found = os.fstat(entry)
                if found.st_nlink != 1 or found.st_uid != os.geteuid() or stat.S_ISREG(found.st_mode):
                    raise FileExistsError(errno.EEXIST, "it was replaced while it was being made")
                # An O_PATH descriptor has no other way to change what it stands for, a link above all.
                reached = b"/proc/self/fd/%d" % entry
                if inherits and node.type != "symlink":
                    self._metadata.forget_acls(reached, node)
                self._metadata.apply(reached, node, path)
            finally:
                os.close(entry)
            os.rename(temporary, node.name, src_dir_fd=directory, dst_dir_fd=directory)

    def link(self, directory: int, name: bytes, first: tuple[int, bytes], identity: tuple[int, int]) -> bool:
        """Make *name* a hard link to an entry that was restored before; never follows a symbolic link.

        :param first: Directory and name of that entry.
        :param identity: Device and inode number of that entry.
        :returns: Whether it was made; False if another thing has taken the first entry's place.
        """
        first_directory, first_name = first
        with self._temporary(directory) as temporary:
            os.link(first_name, temporary, src_dir_fd=first_directory, dst_dir_fd=directory, follow_symlinks=False)
            linked = os.stat(temporary, dir_fd=directory, follow_symlinks=False)
            if (linked.st_dev, linked.st_ino) != identity:
                os.unlink(temporary, dir_fd=directory)
                return False
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            # Renaming a link to another link of the same file does nothing and keeps both names.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
        return True

    @contextlib.contextmanager
    def _temporary(self, directory: int) -> Iterator[bytes]:
        temporary = next(self._temporary_names)
        try:
            yield temporary
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary, dir_fd=directory)
            raise


def explain(error: OSError, directory: int, name: bytes) -> str:
    """Return why *error* kept *name* from being made in *directory*, in words that name a remedy where there is one."""
    if error.errno == errno.EISDIR:
        return "not restored: a directory is in its place; move that away first"
    if error.errno == errno.EPERM:
        if _flags(directory, b".") & (_FS_IMMUTABLE | _FS_APPEND):
            return "not restored: its directory is immutable or append-only; chattr -ia undoes that"
        if _flags(directory, name) & (_FS_IMMUTABLE | _FS_APPEND):
            return "not restored: the file in its place is immutable or append-only; chattr -ia undoes that"
    return f"not restored: {error.strerror or error}"


def _flags(directory: int, name: bytes) -> int:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return 0
    try:
        flags = array.array("i", [0])
        fcntl.ioctl(file, _FS_IOC_GETFLAGS, flags)
        return flags[0]
    except OSError:
        return 0
    finally:
        os.close(file)


def _write(file: int, blobs: Iterable[bytes]) -> int:
    """Write *blobs* one after the other and return how many bytes they are; long runs of zeros are left as holes."""
    size = 0
    hole = False
    for blob in blobs:
        # Small files are never worth a hole.
        if len(blob) < HOLE_BYTES:
            hole = False
            _write_all(file, blob, size)
        else:
            hole = _write_around_holes(file, blob, size)
        size += len(blob)
    if hole:
        os.ftruncate(file, size)
    return size


def _write_around_holes(file: int, blob: bytes, offset: int) -> bool:
    """Write *blob* at *offset* without its blocks of zeros; say whether it ends with such a block."""
    written = 0
    hole = False
    position = 0
    while position < len(blob):
        # Blocks lie at multiples of their length in the file, whatever the cut of the blobs is.
        end = min(len(blob), position + HOLE_BYTES - (offset + position) % HOLE_BYTES)
        hole = blob[position] == 0 and blob[position:end] == _ZEROS[: end - position]
        if hole:
            _write_all(file, blob[written:position], offset + written)
            written = end
        position = end
    _write_all(file, blob[written:], offset + written)
    return hole


def _write_all(file: int, data: bytes, offset: int) -> None:
    while data:
        written = os.pwrite(file, data, offset)
        if written == len(data):
            return
        data = data[written:]
        offset += written
