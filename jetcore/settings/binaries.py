"""Programs of others that jetcore runs."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import attrs

from jetcore.errors import SettingsError
from jetcore.settings.field import absolute_path, setting, shown
from jetcore.settings.trust import way_open_to_others


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


#: Other names of a program, the better ones first.
_NAMES = {"mysql": ("mariadb", "mysql"), "mysqldump": ("mariadb-dump", "mysqldump")}
#: Searched after PATH, which is short for services and in cron.
_MORE_PATHS = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/mysql/bin")
#: Seconds that a program may take to say its version.
_PATIENCE = 20
_LONGEST_VERSION = 200


def find_program(binaries: Binaries, name: str, *, search: str | None = None) -> Path:
    """Return the program to run for the setting *name*, after making sure that root can run it safely.

    :param search: Directories that are searched if it is not set, in the form of PATH; that of this process, and the
        usual ones, by default.
    :raises SettingsError: It is missing, cannot be run, or somebody other than root could change it.
    """
    found = program_if_any(binaries, name, search=search)
    if found is None:
        names, where = _NAMES.get(name, (name,)), f"binaries.{name}"
        raise SettingsError(
            f"{where}: there is no {' or '.join(names)} on the PATH",
            hint=f"install it, or set {where} to where it is",
        )
    return found


def program_if_any(binaries: Binaries, name: str, *, search: str | None = None) -> Path | None:
    """Return what :func:`find_program` does, but None for a program that is neither set nor installed.

    :raises SettingsError: It is there and cannot be run, or somebody other than root could change it.
    """
    path: Path | None = getattr(binaries, name)
    if path is None:
        if search is None:
            search = os.pathsep.join([os.environ.get("PATH", os.defpath), *_MORE_PATHS])
        found = (shutil.which(word, path=search) for word in _NAMES.get(name, (name,)))
        path = next((Path(word).absolute() for word in found if word), None)
    if path is not None:
        _check(f"binaries.{name}", path)
    return path


def version_of(program: Path, name: str) -> str:
    """Return the first line of what *program* answers to ``--version``.

    :param name: Name of its setting.
    :raises SettingsError: It does not answer, or with an error.
    """
    where = f"binaries.{name}"
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C"},
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SettingsError(f"{where}: {program} does not answer to --version") from None
    except OSError as error:
        raise SettingsError(f"{where}: {program} cannot be run: {error.strerror}") from error
    answer = done.stdout.decode(errors="replace").strip().partition("\n")[0]
    if done.returncode != 0 or not answer:
        raise SettingsError(
            f"{where}: {program} does not answer to --version: it ended with status {done.returncode} "
            f"and said {shown(answer, quote=True, limit=_LONGEST_VERSION)}"
        )
    return shown(answer, limit=_LONGEST_VERSION)


def _check(where: str, path: Path) -> None:
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except OSError as error:
        raise SettingsError(f"{where}: cannot use {path}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode) or not os.access(real, os.X_OK):
        raise SettingsError(f"{where}: {path} is not a program that can be run")
    if reason := way_open_to_others(path):
        raise SettingsError(f"{where}: {path} is not safe to run: {reason}")
