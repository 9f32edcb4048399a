"""A server with accounts in a private prefix, and the command line that works on it."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from jetcore.cli import run
from jetcore.testing.mariadb import MariaDB, mariadb_template

__all__ = ["mariadb_template"]


@attrs.frozen
class Said:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@attrs.frozen
class Server:
    """A server whose accounts live in *prefix*, and a jetcore with everything in *home*."""

    prefix: Path
    home: Path

    def __call__(self, *words: str) -> Said:
        """Run ``jetcore WORDS`` in this process."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status = run(["--home", str(self.home), *words])
        return Said(status, out.getvalue(), err.getvalue())

    def ok(self, *words: str) -> Said:
        """Run a command that has to succeed."""
        said = self(*words)
        assert said.status == 0, said
        return said

    def add_account(self, name: str) -> Path:
        """Make an account with a home and a crontab; return the home."""
        subprocess.run(["useradd", "-P", self.prefix, "-m", "-d", f"/home/{name}", name], check=True)
        home = self.prefix / "home" / name
        (home / "public_html").mkdir()
        (home / "public_html" / "index.php").write_text(f"<?php echo '{name}'; ?>\n")
        (home / "public_html" / "upload.bin").write_bytes(bytes(range(256)) * 8192)
        (self.prefix / "var/spool/cron/crontabs" / name).write_text("@daily /bin/true\n")
        return home

    @property
    def passwd(self) -> Path:
        return self.prefix / "etc" / "passwd"


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """A server without databases and an initialised jetcore."""
    prefix = tmp_path / "server"
    for folder in ("etc", "home", "var/spool/cron/crontabs"):
        (prefix / folder).mkdir(parents=True)
    shutil.copy("/etc/login.defs", prefix / "etc")
    for name in ("passwd", "shadow", "group", "gshadow"):
        (prefix / "etc" / name).touch()
    made = Server(prefix, tmp_path / "jetcore")
    made.ok("init")
    made.ok("settings", "set", f"panel_linux.root={prefix}")
    made.ok("plugins", "disable", "dump_mysql")
    return made


@pytest.fixture
def alice(server: Server) -> Path:
    """The home of an account called alice."""
    return server.add_account("alice")


@pytest.fixture
def mariadb(mariadb_template: Path) -> Iterator[MariaDB]:
    """A running MariaDB server."""
    with MariaDB(mariadb_template) as running:
        yield running
