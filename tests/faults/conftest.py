"""A jetcore without plugins whose one account, destination and time are in the hands of the tests."""

from __future__ import annotations

import os
import shutil
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import pytest

from jetcore.abc import Destination
from jetcore.bootstrap import Bootstrap
from jetcore.core import Core
from jetcore.destinations import LocalDestination, LocalSettings
from jetcore.destinations.guarded import GuardedDestination
from jetcore.errors import JetcoreError
from jetcore.installation import initialise
from jetcore.model import Account, PartFile
from jetcore.plugins import Plugins
from jetcore.repository import Repository, keys
from jetcore.repository.blob import BlobType
from jetcore.repository.files import Kind
from jetcore.restore.writer import restore_tree
from jetcore.state import points
from jetcore.state.engine import writing
from jetcore.testing import FakePanel, MemoryDestination, an_account
from jetcore.testing.faulty import FaultyDestination
from jetcore.testing.trees import Fingerprint, fingerprint

CRON = {"cron": [PartFile(path="cron/crontab", data=b"@daily /bin/true\n")]}


@pytest.fixture(scope="module")
def cheap_keys() -> Iterator[None]:
    """Deriving a key takes a good part of a second, on purpose; not here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_COST", attrs.evolve(keys._COST, n=16, p=1))
        yield


@pytest.fixture(scope="module")
def memory(cheap_keys: None) -> Iterator[Path]:
    """A folder in memory: what is on stable storage is decided by the order of calls, not by how long fsync takes."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        yield Path(folder)


class Site:
    """A server with an account ``alice``; what it keeps can be copied and given to another core."""

    def __init__(self, home: Path, account: Account) -> None:
        self.home = home
        self.account = account

    @classmethod
    def make(cls, folder: Path) -> Site:
        """Make a jetcore, and an account with a small home directory, in *folder*."""
        home = folder / "alice"
        (home / "mail" / "cur").mkdir(parents=True)
        for number in range(6):
            (home / "mail" / "cur" / f"{number}:2,S").write_bytes(os.urandom(2000 + number))
        (home / "index.php").write_text("<?php echo 1;\n")
        (home / "sparse").touch()
        os.truncate(home / "sparse", 1_100_000)
        os.link(home / "index.php", home / "mail" / "link")
        os.symlink("index.php", home / "latest")
        initialise(home=folder / "jetcore")
        return cls(folder / "jetcore", an_account(home=home, uid=os.getuid(), gid=os.getgid()))

    def change(self) -> None:
        """Change what is in the account's home."""
        home = self.account.home
        (home / "mail" / "cur" / "0:2,S").unlink()
        (home / "mail" / "cur" / "9:2,S").write_bytes(os.urandom(3000))
        (home / "index.php").write_text("<?php echo 2;\n")
        (home / "new").mkdir()
        (home / "new" / "large").write_bytes(os.urandom(530_000))

    def copy(self, folder: Path) -> Site:
        """Copy what jetcore keeps to *folder*; the account is the same."""
        shutil.copytree(self.home, folder)
        return Site(folder, self.account)

    def core(self, place: Destination | None = None) -> Core:
        """Open the jetcore, with *place* behind the name of its destination."""
        core = Core(Bootstrap.find(home=self.home))
        core.__dict__["plugins"] = Plugins.discover(entry_points=())
        core.__dict__["panel"] = FakePanel([self.account], {"alice": CRON})
        if place is not None:
            config, _ = core.storage.get()
            core.storage.opened[config.uuid] = GuardedDestination(place)
        return core

    def picture(self) -> Mapping[bytes, Fingerprint]:
        """Return what the account's home holds."""
        return fingerprint(self.account.home)


class Proof:
    """Proves of a site that what it lists is there."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site = site
        self._folder = folder
        #: What each point must give back, by its id.
        self.pictures: dict[str, Mapping[bytes, Fingerprint]] = {}
        self._seen: set[str] = set()

    def points(self, place: Destination, *, only_new: bool = False) -> list[str]:
        """Restore every listed point and compare it; return the ids, oldest first. New ones are those of now.

        :param only_new: Look only at those that were not looked at before.
        """
        with self._site.core(place) as core:
            listed = core.points("alice")
            repository = core.repository("alice") if listed else None
            for point in listed:
                assert repository is not None
                known = point.id in self.pictures
                if not known:
                    self.pictures[point.id] = self._site.picture()
                if not (known and only_new):
                    assert self._restored(repository, point.id) == self.pictures[point.id]
            if repository is not None:
                self._whole(repository, only_new=only_new)
            return [point.id for point in listed]

    def _restored(self, repository: Repository, point: str) -> Mapping[bytes, Fingerprint]:
        target = self._folder / "restored"
        snapshot = repository.snapshot(point)
        home = repository.find(snapshot.tree, b"homedir")
        crontab = repository.find(snapshot.tree, b"cron/crontab")
        assert home is not None
        assert crontab is not None
        assert b"".join(repository.read_file(crontab)) == CRON["cron"][0].data
        report = restore_tree(repository, home.subtree, target, root=home, workers=1)
        assert report.problems == ()
        found = fingerprint(target)
        shutil.rmtree(target)
        return found

    def _whole(self, repository: Repository, *, only_new: bool) -> None:
        """Read all that the snapshots refer to, the ones that no point lists included."""
        for snapshot in repository.snapshots():
            if only_new and snapshot.id in self._seen:
                continue
            self._seen.add(snapshot.id)
            waiting = [snapshot.tree]
            while waiting:
                for node in repository.load_tree(waiting.pop()):
                    if node.subtree:
                        waiting.append(node.subtree)
                    for blob in set(node.content):
                        repository.load_blob(blob, BlobType.DATA)


@pytest.fixture(scope="module")
def new_site(memory: Path) -> Site:
    """A server whose account has no restore point yet."""
    (memory / "new").mkdir()
    return Site.make(memory / "new")


@attrs.frozen
class Stored:
    """A site and what is at its destination."""

    site: Site
    objects: Mapping[str, bytes]
    pictures: Mapping[str, Mapping[bytes, Fingerprint]]

    def copy(self, folder: Path, **options: object) -> tuple[Site, FaultyDestination, Proof]:
        """Return copies: the site, its destination, and the proof of it."""
        site = self.site.copy(folder / "jetcore")
        inner = MemoryDestination()
        inner.objects.update(self.objects)
        proof = Proof(site, folder)
        proof.pictures.update(self.pictures)
        return site, FaultyDestination(inner, **options), proof

    def copy_to_disk(self, folder: Path) -> tuple[Site, LocalDestination, Proof]:
        """Return copies as :meth:`copy` does, with a directory as the destination."""
        site, _, proof = self.copy(folder)
        place = LocalDestination(LocalSettings(path=str(folder / "store")))
        for name, data in self.objects.items():
            place.put(name, data)
        return site, place, proof


@pytest.fixture(scope="module")
def nothing_stored(new_site: Site) -> Stored:
    """The account has no repository yet."""
    return Stored(new_site, {}, {})


@pytest.fixture(scope="module")
def changed_site(memory: Path) -> Stored:
    """The account has two restore points and has changed since."""
    (memory / "changed").mkdir()
    site = Site.make(memory / "changed")
    place = MemoryDestination()
    pictures = {}
    for _ in range(2):
        with site.core(place) as core:
            pictures[core.backup("alice").id] = site.picture()
        (site.account.home / "between").write_bytes(os.urandom(1000))
    site.change()
    return Stored(site, dict(place.objects), pictures)


@pytest.fixture(scope="module")
def forgotten(changed_site: Stored) -> Stored:
    """Of seven points with changes between them four were forgotten, and nothing was removed yet."""
    place = MemoryDestination()
    place.objects.update(changed_site.objects)
    site = changed_site.site.copy(changed_site.site.home.with_name("forgotten"))
    pictures = dict(changed_site.pictures)
    home = site.account.home
    for number in range(5):
        (home / "large").write_bytes(os.urandom(100_000))
        (home / "mail" / "cur" / f"again {number}").write_bytes(os.urandom(4000))
        with site.core(place) as core:
            pictures[core.backup("alice").id] = site.picture()
    for identity in list(pictures)[1::2] + list(pictures)[2:3]:
        del pictures[identity]
        with site.core(place) as core:
            point = core.point("alice", identity)
            with writing(core._engine) as connection:
                points.remove(connection, point)
            core.repository("alice").files.delete(Kind.SNAPSHOT, identity)
    return Stored(site, dict(place.objects), pictures)


@pytest.fixture
def folder(memory: Path) -> Iterator[Path]:
    """A folder in memory for one test."""
    with tempfile.TemporaryDirectory(dir=memory) as made:
        yield Path(made)


@pytest.fixture
def start() -> Callable[[Callable[[], object]], int]:
    """Runs something in a forked process, which ends with 0 or an error's exit code, and returns its id."""

    def fork(work: Callable[[], object]) -> int:
        pid = os.fork()
        if pid:
            return pid
        status = 99
        try:
            work()
            status = 0
        except JetcoreError as error:
            status = error.exit_code
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    return fork
