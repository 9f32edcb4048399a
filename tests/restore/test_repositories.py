"""Restores from real repositories: our own, those of restic, and damaged ones."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from jetcore.backup.reader import save_directory
from jetcore.destinations.local import LocalDestination, LocalSettings
from jetcore.model import Secret
from jetcore.repository import Repository
from jetcore.restore.writer import restore_tree
from jetcore.testing import MemoryDestination
from jetcore.testing.trees import fingerprint, make_tree_with_everything

PASSWORD = Secret("correct horse")


@pytest.fixture
def local(tmp_path: Path) -> LocalDestination:
    return LocalDestination(LocalSettings(path=str(tmp_path / "destination")))


@pytest.mark.parametrize("kind", ["local", "memory"])
def test_own_backup(tmp_path: Path, local: LocalDestination, kind: str) -> None:
    """What our reader stored comes back, with workers and, where a destination cannot be forked, without."""
    repository = Repository.init(local if kind == "local" else MemoryDestination(), "alice/", PASSWORD)
    make_tree_with_everything(tmp_path / "before")
    with repository.writer() as writer:
        saved = save_directory(writer, tmp_path / "before", parent=None)

    done = restore_tree(repository, saved.tree, tmp_path / "after", root=saved.node)

    assert done.problems == ()
    assert fingerprint(tmp_path / "after") == fingerprint(tmp_path / "before")


def test_backup_of_restic(tmp_path: Path, local: LocalDestination) -> None:
    """What restic stored comes back, bit for bit and attribute for attribute."""
    make_tree_with_everything(tmp_path / "before")
    for name in ("raw", "other/linked symlink"):  # restic keeps targets that are not UTF-8 only since 0.17
        (tmp_path / "before/kinds" / name).unlink()
    environment = os.environ | {
        "RESTIC_REPOSITORY": str(tmp_path / "destination/alice"),
        "RESTIC_PASSWORD": PASSWORD.reveal(),
        "RESTIC_CACHE_DIR": str(tmp_path / "cache"),
    }
    for command in (["init"], ["backup", "before"]):
        subprocess.run(["restic", *command], cwd=tmp_path, env=environment, check=True, capture_output=True)
    repository = Repository.open(local, "alice/", password=PASSWORD)
    (snapshot,) = repository.snapshots()
    root = repository.find(snapshot.tree, b"before")
    assert root

    done = restore_tree(repository, root.subtree, tmp_path / "after", root=root)

    assert done.problems == ()
    assert fingerprint(tmp_path / "after") == fingerprint(tmp_path / "before")


class TestDamagedPacks:
    @pytest.fixture
    def before(self, tmp_path: Path) -> Path:
        """A directory whose large files fill a pack of their own each, and that has some small ones."""
        before = tmp_path / "before"
        before.mkdir()
        for name in ("large a", "large b"):
            (before / name).write_bytes(os.urandom(17_000_000))
        for number in range(10):
            (before / f"small {number}").write_bytes(os.urandom(1000))
        return before

    @pytest.mark.parametrize("damage", ["flip", "cut", "remove"])
    def test_what_is_not_touched_is_restored(
        self, tmp_path: Path, before: Path, local: LocalDestination, damage: str
    ) -> None:
        """Files that need a damaged pack are named with it and not made; everything else comes back whole."""
        repository = Repository.init(local, "alice/", PASSWORD)
        with repository.writer() as writer:
            saved = save_directory(writer, before, parent=None)
        packs = sorted((tmp_path / "destination/alice/data").glob("*/*"), key=lambda pack: pack.stat().st_size)
        pack = packs[-1]
        content = bytearray(pack.read_bytes())
        if damage == "flip":
            content[len(content) // 2] ^= 1
        elif damage == "cut":
            del content[len(content) // 2 :]
        pack.write_bytes(content)
        if damage == "remove":
            pack.unlink()

        done = restore_tree(repository, saved.tree, tmp_path / "after")

        expected, restored = fingerprint(before), fingerprint(tmp_path / "after")
        missing = {problem.path for problem in done.problems}
        assert 0 < len(missing) < 12
        assert all(f"alice/data/{pack.name[:2]}/{pack.name}" in problem.message for problem in done.problems)
        assert set(restored) == set(expected) - missing
        assert all(entry == expected[path] for path, entry in restored.items() if path != b".")
