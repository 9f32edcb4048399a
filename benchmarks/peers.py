"""How jetcore and each of its peers is run, as its documentation says, with its own defaults for safety."""

from __future__ import annotations

import abc
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from benchmarks.accounts import Accounts
from benchmarks.measure import Command, run, stored_bytes

_JETCORE = Path(sys.executable).with_name("jetcore")


class Tool(abc.ABC):
    """A backup program with a place of its own to keep backups in."""

    name: ClassVar[str]
    #: What asks the program for its version.
    version_words: ClassVar[Sequence[str]]
    #: Whether it always does all of the work again, so that one round says it all.
    slow: ClassVar[bool] = False

    def __init__(self, folder: Path, accounts: Accounts) -> None:
        self.folder = folder
        self.accounts = accounts
        self.store = folder / "store"
        folder.mkdir(parents=True)

    @abc.abstractmethod
    def prepare(self) -> None:
        """Do what is done once in a store's life; not measured."""

    @abc.abstractmethod
    def backup(self) -> Sequence[Command]:
        """Return what backs up all accounts once more."""

    def backup_one(self) -> Sequence[Command]:
        """Return what backs up the first account once more; nothing if accounts are not kept apart."""
        return ()

    @abc.abstractmethod
    def restore(self, target: Path) -> Sequence[Command]:
        """Return what restores the last backup of all accounts below *target*, an empty directory."""

    def command(self, *words: str) -> Command:
        """Return a command of the program on its store."""
        raise NotImplementedError(f"{self.name} has no store to be asked")

    def stored(self) -> int:
        """Return the bytes that the backups take up."""
        return stored_bytes(self.store)

    @classmethod
    def version(cls) -> str:
        """Return the program's name and version."""
        said = subprocess.run(cls.version_words, capture_output=True, text=True, check=True)
        return said.stdout.splitlines()[0].partition(" compiled")[0]


class Jetcore(Tool):
    """``jetcore`` as a server's administrator runs it: one repository an account."""

    name = "jetcore"
    version_words = (str(_JETCORE), "--version")

    def prepare(self) -> None:
        run([self._jetcore("init")])
        run([self._jetcore("settings", "set", f"panel_linux.root={self.accounts.root}")])
        # The accounts have no databases, and the peers would not look for any.
        run([self._jetcore("plugins", "disable", "dump_mysql")])

    def backup(self) -> Sequence[Command]:
        return [self._jetcore("backup", "--all")]

    def backup_one(self) -> Sequence[Command]:
        return [self._jetcore("backup", self.accounts.names[0])]

    def restore(self, target: Path) -> Sequence[Command]:
        return [self._jetcore("restore", name, "--to", str(target / name)) for name in self.accounts.names]

    def command(self, *words: str) -> Command:
        return self._jetcore(*words)

    def _jetcore(self, *words: str) -> Command:
        return Command([_JETCORE, "--home", self.store, *words])


class Restic(Tool):
    """``restic`` with one repository for all accounts, so that it stores what they have in common once."""

    name = "restic"
    version_words = ("restic", "version")

    def prepare(self) -> None:
        (self.folder / "password").write_text("a password of restic")
        run([self._restic(self.store, "init")])

    def backup(self) -> Sequence[Command]:
        return [self._restic(self.store, "backup", "--quiet", self.accounts.home)]

    def restore(self, target: Path) -> Sequence[Command]:
        return [self._restic(self.store, "restore", "--quiet", "latest", "--target", target)]

    def command(self, *words: str) -> Command:
        return self._restic(self.store, *words)

    def _restic(self, repository: Path, *words: str | Path) -> Command:
        environment = {"RESTIC_CACHE_DIR": str(self.folder / "cache")}
        return Command(["restic", "-r", repository, "--password-file", self.folder / "password", *words], environment)


class ResticEach(Restic):
    """``restic`` with one repository an account: the isolation that jetcore has."""

    name = "restic, 1 repo each"

    def prepare(self) -> None:
        (self.folder / "password").write_text("a password of restic")
        run([self._restic(self.store / name, "init") for name in self.accounts.names])

    def backup(self) -> Sequence[Command]:
        return [self._backup(name) for name in self.accounts.names]

    def backup_one(self) -> Sequence[Command]:
        return [self._backup(self.accounts.names[0])]

    def restore(self, target: Path) -> Sequence[Command]:
        return [
            self._restic(self.store / name, "restore", "--quiet", "latest", "--target", target / name)
            for name in self.accounts.names
        ]

    def _backup(self, name: str) -> Command:
        return self._restic(self.store / name, "backup", "--quiet", self.accounts.home / name)


class Borg(Tool):
    """``borg`` with one encrypted repository and the compression that jetcore uses."""

    name = "borg"
    version_words = ("borg", "--version")

    def __init__(self, folder: Path, accounts: Accounts) -> None:
        super().__init__(folder, accounts)
        self._archives = 0
        self._last_of_all = ""

    def prepare(self) -> None:
        run([self._borg("init", "--encryption", "repokey", self.store)])

    def backup(self) -> Sequence[Command]:
        return [self._create(self.accounts.home)]

    def backup_one(self) -> Sequence[Command]:
        return [self._create(self.accounts.home / self.accounts.names[0])]

    def restore(self, target: Path) -> Sequence[Command]:
        return [self._borg("extract", f"{self.store}::{self._last_of_all}", cwd=target)]

    def _create(self, path: Path) -> Command:
        self._archives += 1
        archive = f"archive-{self._archives}"
        if path == self.accounts.home:
            self._last_of_all = archive
        return self._borg("create", "--compression", "zstd,1", f"{self.store}::{archive}", path)

    def _borg(self, *words: str | Path, cwd: Path | None = None) -> Command:
        environment = {"BORG_BASE_DIR": str(self.folder / "base"), "BORG_PASSPHRASE": "a password of borg"}
        return Command(["borg", *words], environment, cwd)


class Tar(Tool):
    """``tar -czf``: an archive an account, whole every time; only the last one is kept."""

    name = "tar -czf"
    version_words = ("tar", "--version")
    slow = True

    def prepare(self) -> None:
        self.store.mkdir()

    def backup(self) -> Sequence[Command]:
        return [self._create(name) for name in self.accounts.names]

    def backup_one(self) -> Sequence[Command]:
        return [self._create(self.accounts.names[0])]

    def restore(self, target: Path) -> Sequence[Command]:
        return [Command(["tar", "-xzf", self._archive(name), "-C", target]) for name in self.accounts.names]

    def _create(self, name: str) -> Command:
        return Command(["tar", "-czf", self._archive(name), "-C", self.accounts.home, name])

    def _archive(self, name: str) -> Path:
        return self.store / f"{name}.tar.gz"


class Rsync(Tool):
    """``rsync -a``, later with ``--link-dest``: a plain copy a run, unchanged files shared by hard links."""

    name = "rsync --link-dest"
    version_words = ("rsync", "--version")

    def __init__(self, folder: Path, accounts: Accounts) -> None:
        super().__init__(folder, accounts)
        self._copies: list[Path] = []

    def prepare(self) -> None:
        self.store.mkdir()

    def backup(self) -> Sequence[Command]:
        former = [f"--link-dest={self._copies[-1]}"] if self._copies else []
        self._copies.append(self.store / f"copy-{len(self._copies)}")
        return [Command(["rsync", "-a", *former, f"{self.accounts.home}/", self._copies[-1]])]

    def restore(self, target: Path) -> Sequence[Command]:
        return [Command(["rsync", "-a", f"{self._copies[-1]}/", target])]


PEERS: tuple[type[Tool], ...] = (Jetcore, Restic, ResticEach, Borg, Tar, Rsync)
