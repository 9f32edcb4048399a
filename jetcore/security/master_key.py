"""The file that holds the master key: 32 random bytes, for root alone, outside the state database."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from jetcore.errors import MasterKeyError
from jetcore.settings.secret import MasterKey


def create(path: Path) -> MasterKey:
    """Generate a master key and keep it in a new file at *path*.

    :raises MasterKeyError: There is a file already, or it cannot be written.
    """
    key = MasterKey.generate()
    save(path, key)
    return key


def save(path: Path, key: MasterKey) -> None:
    """Keep *key* in a new file at *path*, readable by its owner only and on stable storage on return.

    :raises MasterKeyError: There is a file already, or it cannot be written.
    """
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with open(descriptor, "wb") as file:
                os.fchmod(descriptor, 0o600)
                file.write(key.reveal())
                file.flush()
                os.fsync(file.fileno())
            # A link, unlike a rename, never replaces what is there.
            os.link(temporary, path)
        finally:
            os.unlink(temporary)
        sync_directory(path.parent)
    except FileExistsError:
        raise MasterKeyError(
            f"there is a master key already: {path}", hint="move it away if you really mean it"
        ) from None
    except OSError as error:
        raise MasterKeyError(f"cannot write the master key {path}: {error.strerror}") from error


def load(path: Path) -> MasterKey:
    """Return the key in the file at *path*.

    :raises MasterKeyError: It is missing or unreadable, not a plain file of the right size, or others can read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise MasterKeyError(
            f"the master key {path} is missing",
            hint="put its copy back; only if nothing has been backed up yet, run: jetcore init",
        ) from None
    except OSError as error:
        reason = "it is a symbolic link" if path.is_symlink() else error.strerror
        raise MasterKeyError(f"cannot read the master key {path}: {reason}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise MasterKeyError(f"the master key {path} is not a plain file")
        if status.st_uid not in {0, os.geteuid()}:
            raise MasterKeyError(f"the master key {path} belongs to user {status.st_uid}", hint=f"chown root: {path}")
        if status.st_mode & 0o077:
            raise MasterKeyError(
                f"the master key {path} is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
                hint=f"chmod 600 {path}",
            )
        if status.st_size != MasterKey.SIZE:
            raise MasterKeyError(
                f"the master key {path} has {status.st_size} bytes instead of {MasterKey.SIZE}",
                hint="put its copy back",
            )
        return MasterKey(os.read(descriptor, MasterKey.SIZE))
    finally:
        os.close(descriptor)


def sync_directory(directory: Path) -> None:
    """Bring the names in *directory* to stable storage."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
