from __future__ import annotations

import os
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jetcore.backup.reader import Parent, save_directory
from jetcore.destinations.local import LocalDestination, LocalSettings
from jetcore.model import Secret
from jetcore.repository import Repository
from jetcore.testing.trees import make_tree_with_everything


def restic(repository: Path, *arguments: str) -> str:
    environment = {"RESTIC_PASSWORD": "secret", "PATH": os.environ["PATH"], "HOME": str(repository.parent)}
    done = subprocess.run(
        ["restic", "--no-cache", "-r", repository, *arguments], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_tree_with_everything(tmp_path / "home")
    (tmp_path / "home" / "caf\udce9").write_bytes(os.urandom(100_000))
    return tmp_path / "home"


def open_repository(folder: Path) -> Repository:
    return Repository.open(LocalDestination(LocalSettings(path=str(folder))), "alice/", password=Secret("secret"))


def test_restic_went_before(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a snapshot that restic made, files are taken over without being opened, and no content is added."""
    restic(tmp_path / "alice", "init")
    restic(tmp_path / "alice", "backup", str(home))
    repository = open_repository(tmp_path)
    (snapshot,) = repository.snapshots()
    node = repository.find(snapshot.tree, os.fsencode(home))
    assert node is not None
    opened: list[object] = []
    really_open = os.open

    def noting_open(path, flags, *args, **options):
        if isinstance(path, bytes) and not flags & os.O_DIRECTORY:
            opened.append(path)
        return really_open(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", noting_open)
    with repository.writer() as writer:
        later = datetime.now(UTC) + timedelta(hours=1)
        parent = Parent(repository=repository, tree=node.subtree, scan_started=later)
        saved = save_directory(writer, home, parent=parent)

    assert opened == []
    assert saved.unchanged_files == saved.files > 10
    assert writer.added_data_blobs == 0


def test_contents_are_cut_as_restic_cuts(home: Path, tmp_path: Path) -> None:
    """A full reading of files up to 512 KiB finds their blobs in a repository that restic made."""
    for size in (1, 524_287, 524_288):
        (home / f"size-{size}").write_bytes(os.urandom(size))
    for large in home.rglob("*"):
        facts = large.lstat()
        if stat.S_ISREG(facts.st_mode) and facts.st_size > 524_288:
            large.unlink()
    restic(tmp_path / "alice", "init")
    restic(tmp_path / "alice", "backup", str(home))
    repository = open_repository(tmp_path)

    with repository.writer() as writer:
        saved = save_directory(writer, home)

    assert (saved.unchanged_files, writer.added_data_blobs) == (0, 0)
