"""A PostgreSQL server of one's own for tests, as Debian's package ``postgresql`` installs it."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import psycopg

_USER = "jetcore"
_PASSWORD = "not a secret"  # noqa: S105  # of a server that lives in a private directory for the length of a test run


@attrs.frozen(kw_only=True)
class PostgresqlServer:
    """A running server, reached through a Unix socket in a private directory."""

    #: Directory of the socket.
    directory: Path
    user: str = _USER
    password: str = _PASSWORD

    def url(self, database: str) -> str:
        """Return the SQLAlchemy URL of a database."""
        return f"postgresql://{self.user}:{self.password.replace(' ', '%20')}@/{database}?host={self.directory}"

    def create_database(self, name: str, *, template: str = "template1") -> str:
        """Make a database and return its URL.

        :param template: Database that it becomes a copy of.
        """
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, ending the sessions that use it."""
        self._execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        connection = psycopg.connect(
            host=str(self.directory), dbname="postgres", user=self.user, password=self.password, autocommit=True
        )
        with connection:
            connection.execute(statement.encode())


@contextmanager
def postgresql_server() -> Iterator[PostgresqlServer]:
    """Start a server, and stop and remove it at the end. As root it runs as the system user ``postgres`` or ``nobody``.

    :raises FileNotFoundError: PostgreSQL is not installed.
    """
    programs = _programs()
    user = _system_user()
    # A socket's path has 107 bytes at most, so not below pytest's long directory.
    with tempfile.TemporaryDirectory(prefix="jetcore-postgresql-") as name:
        directory = Path(name)
        data = directory / "data"
        if user is not None:
            os.chown(directory, user.pw_uid, user.pw_gid)
        password_file = directory / "password"
        password_file.write_text(_PASSWORD)
        password_file.chmod(0o644)
        _run(
            user,
            directory,
            [
                *(programs / "initdb", "--pgdata", data, "--username", _USER, "--auth", "scram-sha-256"),
                *("--pwfile", password_file, "--encoding", "UTF8", "--locale", "C", "--no-sync"),
            ],
        )
        settings = ["listen_addresses=", f"unix_socket_directories={directory}", "fsync=off", "max_connections=20"]
        options = " ".join(f"-c {setting}" for setting in settings)
        log = directory / "log"
        _run(user, directory, [programs / "pg_ctl", "start", "--wait", "-D", data, "-l", log, "-o", options])
        try:
            yield PostgresqlServer(directory=directory)
        finally:
            _run(user, directory, [programs / "pg_ctl", "stop", "--wait", "-D", data, "--mode", "immediate"])


def _programs() -> Path:
    """Return the directory of the server's programs; Debian keeps one a version, and none on the PATH."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not versions:
        raise FileNotFoundError("PostgreSQL is not installed; run: apt-get install postgresql")
    return versions[-1].parent


def _system_user() -> pwd.struct_passwd | None:
    """Return the user to run as; None for the present one. The server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


def _run(user: pwd.struct_passwd | None, directory: Path, command: list[str | Path]) -> None:
    done = subprocess.run(
        command,
        cwd=directory,
        user=None if user is None else user.pw_uid,
        group=None if user is None else user.pw_gid,
        extra_groups=None if user is None else [],
        # A file and not a pipe: the server inherits it, and a pipe would not end before the server does.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        log = directory / "log"
        told = log.read_text() if log.exists() else ""
        raise RuntimeError(f"{Path(command[0]).name} failed with status {done.returncode}: {told}")
