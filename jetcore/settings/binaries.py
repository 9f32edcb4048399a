"""Programs of others that jetcore runs."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import attrs

from jetcore.errors import SettingsError
from jetcore.settings.field import absolute_path, setting


@attrs.frozen
class Binaries:
    """Paths of programs."""

    rsync: Path | None = setting(
        default=None,
        title="rsync",
        help="Copies directories. Found on the PATH if not set.",
        validator=absolute_path,
    )
    psql: Path | None = setting(
        default=None,
        title="psql",
        help="Speaks with PostgreSQL servers. Found on the PATH if not set.",
        validator=absolute_path,
    )
    pg_dump: Path | None = setting(
        default=None,
        title="pg_dump",
        help="Dumps PostgreSQL databases. Found on the PATH if not set.",
        validator=absolute_path,
    )
    pg_restore: Path | None = setting(
        default=None,
        title="pg_restore",
        help="Restores PostgreSQL databases. Found on the PATH if not set.",
        validator=absolute_path,
    )
    mysql: Path | None = setting(
        default=None,
        title="mysql",
        help="Speaks with MySQL and MariaDB servers, and restores their databases. Found on the PATH if not set.",
        validator=absolute_path,
    )
    mysqldump: Path | None = setting(
        default=None,
        title="mysqldump",
        help="Dumps MySQL and MariaDB databases. Found on the PATH if not set.",
        validator=absolute_path,
    )
    mongorestore: Path | None = setting(
        default=None,
        title="mongorestore",
        help="Restores MongoDB databases. Found on the PATH if not set.",
        validator=absolute_path,
    )
    mongodump: Path | None = setting(
        default=None,
        title="mongodump",
        help="Dumps MongoDB databases. Found on the PATH if not set.",
        validator=absolute_path,
    )
    tar: Path | None = setting(
        default=None,
        title="tar",
        help="Packs and unpacks archives. Found on the PATH if not set.",
        validator=absolute_path,
    )
    gzip: Path | None = setting(
        default=None,
        title="gzip",
        help="Compresses. Found on the PATH if not set.",
        validator=absolute_path,
    )
    gunzip: Path | None = setting(
        default=None,
        title="gunzip",
        help="Decompresses. Found on the PATH if not set.",
        validator=absolute_path,
    )


def find_program(binaries: Binaries, name: str, *, search: str | None = None) -> Path:
    """Return the program to run for the setting *name*, after making sure that root can run it safely.

    :param search: Directories that are searched if it is not set, in the form of PATH; that of this process by default.
    :raises SettingsError: It is missing, cannot be run, or somebody other than root could change it.
    """
    configured: Path | None = getattr(binaries, name)
    where = f"binaries.{name}"
    if configured is None:
        found = shutil.which(name, path=search)
        if found is None:
            raise SettingsError(
                f"{where}: there is no {name} on the PATH", hint=f"install it, or set {where} to where it is"
            )
        path = Path(found).absolute()
    else:
        path = configured
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except OSError as error:
        raise SettingsError(f"{where}: cannot use {path}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode) or not os.access(real, os.X_OK):
        raise SettingsError(f"{where}: {path} is not a program that can be run")
    # Directories count too, also that of a link: who can write there can put another program in its place.
    for place in (real, *real.parents, *path.parents):
        if fault := _open_to_others(place):
            raise SettingsError(f"{where}: {path} is not safe to run: {place} {fault}")
    return path


def _open_to_others(place: Path) -> str:
    """Return what lets somebody other than root change *place*; empty if nothing does."""
    status = place.stat()
    # Run by somebody else than root, jetcore trusts that user's own files too.
    if status.st_uid not in {0, os.geteuid()}:
        return f"belongs to user {status.st_uid}"
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & stat.S_IWOTH and not sticky:
        return "can be written by everybody"
    if status.st_mode & stat.S_IWGRP and status.st_gid != 0 and not sticky:
        return f"can be written by group {status.st_gid}"
    return ""
