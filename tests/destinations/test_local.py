"""The built-in destination ``local``."""

from __future__ import annotations

import os
import stat
import subprocess

import pytest

from jetcore.destinations import LocalDestination, LocalSettings
from jetcore.errors import DestinationError, DestinationFullError, ObjectNotFoundError
from jetcore.testing.destination import DestinationContract


def local(path):
    return LocalDestination(LocalSettings(path=str(path)))


class TestContract(DestinationContract):
    @pytest.fixture
    def destination(self, tmp_path):
        return local(tmp_path / "root")

    @pytest.fixture
    def again(self, tmp_path):
        return local(tmp_path / "root")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=64", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


def test_relative_path_is_refused():
    """A path that depends on where the program was started is no setting."""
    with pytest.raises(ValueError, match="absolute"):
        LocalSettings(path="backups")


def test_folders_are_private_and_made_when_needed(tmp_path):
    """Only the owner may look into the folders, and there are no more of them than objects ask for."""
    local(tmp_path / "deep" / "root").put("repo/data/ab/1", b"x")

    folders = ["deep", "deep/root", "deep/root/repo", "deep/root/repo/data", "deep/root/repo/data/ab"]
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_dir()) == folders
    assert {stat.S_IMODE((tmp_path / folder).stat().st_mode) for folder in folders} == {0o700}
    assert stat.S_IMODE((tmp_path / folders[-1] / "1").stat().st_mode) == 0o600


def test_reading_makes_nothing(tmp_path):
    """A destination that nobody has written to leaves no trace when it is looked at."""
    destination = local(tmp_path / "root")
    list(destination.list())
    destination.delete("a/b")
    with pytest.raises(ObjectNotFoundError):
        destination.get("a/b")

    assert list(tmp_path.iterdir()) == []


def test_unfinished_and_foreign_files_are_not_listed(tmp_path):
    """What a broken-off put left, and what no name of an object can be, is passed over."""
    destination = local(tmp_path)
    destination.put("a/b", b"1")
    (tmp_path / "a" / ".tmp-0123456789abcdef").write_bytes(b"half")
    (tmp_path / "lost and found").mkdir()
    (tmp_path / "lost and found" / "x").write_bytes(b"1")
    os.mkfifo(tmp_path / "a" / "pipe")
    os.symlink("b", tmp_path / "a" / "link")

    assert [info.name for info in destination.list()] == ["a/b"]


def test_symbolic_links_are_not_followed(tmp_path):
    """A link planted below the root, in place of a folder or of a file, leads nowhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_bytes(b"secret")
    root = tmp_path / "root"
    destination = local(root)
    destination.put("data/1", b"x")
    os.symlink(outside, root / "folder")
    os.symlink(outside / "file", root / "data" / "file")

    for verb in (
        lambda: destination.put("folder/new", b"x"),
        lambda: destination.get("folder/file"),
        lambda: destination.get("data/file"),
        lambda: list(destination.list("folder/")),
        lambda: destination.delete("folder/file"),
    ):
        with pytest.raises(DestinationError):
            verb()
    assert [path.name for path in outside.iterdir()] == ["file"]

    destination.put("data/file", b"ours")  # replaces the link itself
    assert (outside / "file").read_bytes() == b"secret"
    assert not (root / "data" / "file").is_symlink()


def test_the_root_may_be_a_link(tmp_path):
    """Where the administrator points to counts, also through a symbolic link."""
    (tmp_path / "disk").mkdir()
    os.symlink("disk", tmp_path / "root")
    local(tmp_path / "root").put("a", b"1")

    assert (tmp_path / "disk" / "a").read_bytes() == b"1"


def test_a_pipe_does_not_hang(tmp_path):
    """Something else than a file under an object's name is an error at once."""
    os.mkfifo(tmp_path / "a")

    with pytest.raises(DestinationError, match="not a regular file"):
        local(tmp_path).get("a")


def test_full_disk(small_disk):
    """Without space left the put says so, names the object, and leaves nothing behind."""
    destination = local(small_disk)
    destination.put("small", b"x")

    with pytest.raises(DestinationFullError, match=r"data/large.*No space left"):
        destination.put("data/large", bytes(2 << 20))
    assert [info.name for info in destination.list()] == ["small"]
    assert list((small_disk / "data").iterdir()) == []
    destination.put("data/again", b"y")


def test_other_errors_name_the_path(tmp_path):
    """A file where a folder should be is an error of the destination that names the path."""
    (tmp_path / "root").write_bytes(b"a file")

    with pytest.raises(DestinationError, match=str(tmp_path / "root/a")):
        local(tmp_path / "root").put("a", b"x")


def test_restic_location(tmp_path):
    """The stock restic gets the folder of the repository."""
    assert local(tmp_path).restic_location("alice-1/") == str(tmp_path / "alice-1")
    assert local(tmp_path).restic_location("") == str(tmp_path)


def test_free_bytes(tmp_path):
    """The free space of the file system is told; of a directory that is missing, nothing."""
    assert local(tmp_path).free_bytes() > 0
    assert local(tmp_path / "missing").free_bytes() is None
