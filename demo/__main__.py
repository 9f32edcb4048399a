"""Run the demonstration; the exit status is 1 if anything is not as it was."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console

from demo.server import Account, Server
from jetcore.testing.mariadb import MariaDB
from jetcore.testing.trees import fingerprint

_JETCORE = Path(sys.executable).with_name("jetcore")
_console = Console(highlight=False, soft_wrap=True)


@attrs.frozen
class Jetcore:
    """The command line, with a home of its own."""

    home: Path

    def __call__(self, *words: str) -> str:
        """Run ``jetcore WORDS`` and return what it printed.

        :raises SystemExit: It failed; it has said why.
        """
        command = [str(_JETCORE), "--home", str(self.home), *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        show(done.stderr)
        if done.returncode:
            raise SystemExit(f"demo: jetcore {' '.join(words)} ended with status {done.returncode}")
        return done.stdout.strip()


@attrs.frozen
class Facts:
    """All that there is to compare of an account."""

    files: Any
    database: list[tuple[str, ...]]
    crontab: bytes

    @classmethod
    def of(cls, server: Server, account: Account) -> Facts:
        """Look at *account* as it is now."""
        return cls(fingerprint(account.home), server.database_facts(account), server.crontab(account))


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    began = time.perf_counter()
    _console.print(f"[bold]{title}[/]")
    yield
    _console.print(f"  [cyan]{time.perf_counter() - began:.1f} s[/]")


def show(text: str) -> None:
    """Print what a command said."""
    for line in text.splitlines():
        _console.print(f"  {line}", markup=False)


def check(what: str, *, holds: bool) -> bool:
    """Print whether something that has to be so is so, and return it."""
    _console.print(f"  [green]yes[/] {what}" if holds else f"  [bold red]NO[/]  {what}")
    return holds


def restic(jetcore: Jetcore, account: Account, *words: str) -> str:
    """Run the stock restic on an account's repository."""
    with tempfile.NamedTemporaryFile("w") as password:
        password.write(jetcore("repository", "password", account.name))
        password.flush()
        path = jetcore("repository", "path", account.name)
        command = ["restic", "--no-cache", "-r", path, "--password-file", password.name, *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else f"restic: {done.stderr}"


def run(server: Server, jetcore: Jetcore) -> bool:
    """Go the whole way; return whether everything was as it has to be."""
    with step("Two accounts, each with a site, mails, a crontab and a database"):
        alice, bob = server.add_account("alice"), server.add_account("bob")
    with step("jetcore init"):
        show(jetcore("init"))
        jetcore("settings", "set", f"panel_linux.root={server.root}")
        jetcore("settings", "set", "panel.mysql_enabled=yes", "panel.mysql_user=root")
        jetcore("settings", "set", f"panel.mysql_host={server.mariadb.socket}")
    with step("jetcore backup --all: the first time"):
        show(jetcore("backup", "--all"))
    first = Facts.of(server, alice)
    changed = server.change(alice)
    with step(f"jetcore backup --all: after {changed} files and some rows of alice have changed"):
        show(jetcore("backup", "--all"))
    show(jetcore("points", "alice"))
    before, others = Facts.of(server, alice), Facts.of(server, bob)

    with step("Disaster: alice's files, crontab, database and database user are gone"):
        server.destroy(alice)
    with step("jetcore restore alice"):
        show(jetcore("restore", "alice"))
    with step("Is everything as it was?"):
        now = Facts.of(server, alice)
        latest = [
            check(
                f"{len(before.files):,} files and folders: bytes, owners, modes, times, links, attributes",
                holds=now.files == before.files,
            ),
            check(
                "database: every row, every definition, the user's password and grants",
                holds=now.database == before.database,
            ),
            check("crontab", holds=now.crontab == before.crontab),
            check("bob has not been touched", holds=Facts.of(server, bob) == others),
        ]
    oldest = json.loads(jetcore("--json", "points", "alice"))[0]["id"]
    with step("jetcore restore alice --point ...: as of the first backup"):
        show(jetcore("restore", "alice", "--point", oldest))
        latest += [check("files, database and crontab are as they were then", holds=Facts.of(server, alice) == first)]
    with step("No lock-in: the stock restic reads the repository"):
        said = restic(jetcore, alice, "check", "--read-data")
        latest += [check("restic check --read-data: no errors were found", holds="no errors were found" in said)]
    return all(latest)


def main() -> int:
    """Run it in a directory and on a database server that are gone afterwards."""
    # So that what was made is removed then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.perf_counter()
    # Not /tmp, which can be a file system in memory without extended attributes.
    with tempfile.TemporaryDirectory(prefix="jetcore-demo-", dir="/var/tmp") as folder, MariaDB() as mariadb:
        fine = run(Server(Path(folder, "server"), mariadb), Jetcore(Path(folder, "jetcore")))
    verdict = "[bold green]Everything came back as it was" if fine else "[bold red]Something is not as it was"
    _console.print(f"{verdict}[/]: {time.perf_counter() - began:.0f} s in all; nothing of it is left on this machine.")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
