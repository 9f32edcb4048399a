"""Restores into a target whose owner attacks, and of points that somebody crafted."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jetcore.errors import RestoreError, UnsafeTargetError
from jetcore.restore.writer import restore_tree
from jetcore.testing.sources import MemorySource, a_node
from jetcore.testing.trees import fingerprint


@pytest.fixture
def source() -> MemorySource:
    return MemorySource()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A directory that no restore may touch, with a file in it."""
    path = tmp_path / "outside"
    path.mkdir()
    (path / "shadow").write_text("secret")
    (path / "shadow").chmod(0o600)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "target"
    path.mkdir()
    return path


class Interrupted(MemorySource):
    """A source that lets somebody else act just before one blob is handed out."""

    def __init__(self) -> None:
        super().__init__()
        self.act: Callable[[], object] = lambda: None
        self.before = b""

    def load_blob(self, identity: bytes, /) -> bytes:
        if identity == self.before:
            self.before = b""
            self.act()
        return super().load_blob(identity)


class TestPlantedLinks:
    def test_link_where_a_directory_belongs(self, source: MemorySource, target: Path, outside: Path) -> None:
        """A symbolic link in a directory's place ends the restore, is named, and nothing is written through it."""
        (target / "public_html").symlink_to(outside)
        before = fingerprint(outside)
        tree = source.tree([source.folder(b"public_html", [source.file(b"shadow"), source.file(b"new")])])

        with pytest.raises(UnsafeTargetError, match=r"public_html in .*target is a symbolic link"):
            restore_tree(source, tree, target)

        assert fingerprint(outside) == before
        assert (target / "public_html").readlink() == outside

    def test_link_deep_in_the_tree(self, source: MemorySource, target: Path, outside: Path) -> None:
        """The same goes for a link on the way to a selected path, also to a directory inside of the target."""
        (target / "a").mkdir()
        (target / "elsewhere").mkdir()
        (target / "a/b").symlink_to("../elsewhere")
        tree = source.tree([source.folder(b"a", [source.folder(b"b", [source.folder(b"c", [source.file(b"file")])])])])

        with pytest.raises(UnsafeTargetError, match=r"a/b in .*target is a symbolic link"):
            restore_tree(source, tree, target, only=[b"a/b/c/file"])

        assert os.listdir(target / "elsewhere") == []

    def test_link_where_a_file_belongs(self, source: MemorySource, target: Path, outside: Path) -> None:
        """A symbolic link in the place of a file or of a link is replaced; what it leads to is untouched."""
        before = fingerprint(outside)
        for name in ("file", "link", "pipe"):
            (target / name).symlink_to(outside / "shadow")
        (target / "new").symlink_to(outside / "made")
        link = a_node(b"link", "symlink", linktarget=b"restored", uid=1234, gid=1234)
        files = [source.file(b"file", uid=1234, gid=1234), source.file(b"new")]

        done = restore_tree(source, source.tree([*files, link, a_node(b"pipe", "fifo", uid=1234)]), target)

        assert done.problems == ()
        assert fingerprint(outside) == before
        assert {path: entry.kind for path, entry in fingerprint(target).items() if path != b"."} == {
            b"file": "file", b"new": "file", b"link": "symlink", b"pipe": "fifo"
        }  # fmt: skip

    def test_point_with_a_link_and_a_directory_of_one_name(
        self, source: MemorySource, target: Path, outside: Path
    ) -> None:
        """A point cannot plant the link itself: of two entries with one name the second is refused."""
        for first, second in ((0, 1), (1, 0)):
            pair = [
                a_node(b"in", "symlink", linktarget=os.fsencode(outside)),
                source.folder(b"in", [source.file(b"planted")]),
            ]

            done = restore_tree(source, source.tree([pair[first], pair[second]]), target / str(first))

            assert [str(problem) for problem in done.problems] == [
                "in: refused: the restore point gives it a name that occurs twice in its directory"
            ]
            assert os.listdir(outside) == ["shadow"]

    def test_target_behind_somebodys_link(self, source: MemorySource, tmp_path: Path, outside: Path) -> None:
        """A target that is reached through an untrusted user's symbolic link is refused; through root's it is not."""
        (tmp_path / "link").symlink_to(outside)
        os.chown(tmp_path / "link", 1234, 1234, follow_symlinks=False)
        tree = source.tree([source.file(b"file")])

        with pytest.raises(UnsafeTargetError, match=r"link on the way to .* belongs to uid 1234"):
            restore_tree(source, tree, tmp_path / "link/in")
        assert os.listdir(outside) == ["shadow"]

        os.chown(tmp_path / "link", 0, 0, follow_symlinks=False)
        restore_tree(source, tree, tmp_path / "link/in")
        assert os.listdir(outside / "in") == ["file"]

    def test_target_behind_a_loop(self, source: MemorySource, tmp_path: Path) -> None:
        """A target that leads round in circles is an error, not a hang."""
        (tmp_path / "link").symlink_to(tmp_path / "link/more")

        with pytest.raises(RestoreError, match="cannot restore to"):
            restore_tree(source, source.tree([]), tmp_path / "link")


class TestRaces:
    def test_directory_swapped_for_a_link(self, target: Path, outside: Path) -> None:
        """A directory that turns into a link after it was made is not written through."""
        source = Interrupted()
        folders = [source.folder(b"%d" % n, [source.file(b"shadow", b"file %d" % n)]) for n in range(3)]
        before = fingerprint(outside)

        def swap() -> None:
            for number in (1, 2):
                (target / f"{number}").rename(target / f"{number} away")
                (target / f"{number}").symlink_to(outside)

        source.before, source.act = source.blob(b"file 0"), swap
        with pytest.raises(UnsafeTargetError):
            restore_tree(source, source.tree(folders), target, workers=1)

        assert fingerprint(outside) == before

    def test_directory_swapped_before_its_metadata(self, target: Path, outside: Path) -> None:
        """Owner and mode of a directory never go to what a link in its place leads to."""
        source = Interrupted()
        content = (source.blob(b"one"), source.blob(b"two"))
        folder = source.folder(b"in", [a_node(b"a", content=content)], uid=1234, gid=1234, mode=0o777)
        before = fingerprint(outside)

        def swap() -> None:
            (target / "in").rename(target / "away")
            (target / "in").symlink_to(outside)

        source.before, source.act = content[1], swap
        with pytest.raises(UnsafeTargetError):
            restore_tree(source, source.tree([folder]), target)

        assert fingerprint(outside) == before
        assert (target / "away/a").exists()

    def test_temporary_file_swapped(self, target: Path, outside: Path) -> None:
        """Whoever replaces the temporary file gains nothing: content, owner and mode go to the file that we made."""
        source = Interrupted()
        content = (source.blob(b"one"), source.blob(b"two"))
        before = fingerprint(outside)

        def swap() -> None:
            (temporary,) = target.iterdir()
            temporary.unlink()
            temporary.symlink_to(outside / "shadow")

        source.before, source.act = content[1], swap
        restore_tree(source, source.tree([a_node(b"file", content=content, uid=1234, mode=0o777)]), target)

        assert fingerprint(outside) == before
        assert os.listdir(target) == ["file"]

    def test_directory_vanishes(self, target: Path) -> None:
        """A directory that is removed during the restore costs only what was to be in it."""
        source = Interrupted()
        folders = [source.folder(b"%d" % n, [source.file(b"file", b"file %d" % n)]) for n in range(3)]

        source.before, source.act = source.blob(b"file 0"), (target / "1").rmdir
        done = restore_tree(source, source.tree(folders), target)

        assert sorted(os.listdir(target)) == ["0", "2"]
        assert {problem.path for problem in done.problems} == {b"1", b"1/file"}

    def test_somebody_who_never_stops(self, source: MemorySource, target: Path, outside: Path) -> None:
        """However a process swaps a directory and a link to and fro, nothing ever lands behind the link."""
        before = fingerprint(outside)
        files = [source.file(b"%d" % number, uid=1234, gid=1234, mode=0o666) for number in range(20)]
        tree = source.tree([source.folder(b"%d" % n, [source.folder(b"in", files)]) for n in range(20)])
        swapper = (
            "import os, sys\n"
            "outside, = sys.argv[1:]\n"
            "print(flush=True)\n"
            "while True:\n"
            "    for n in range(20):\n"
            "        try:\n"
            "            os.rename(f'{n}/in', f'{n}/away')\n"
            "            os.symlink(outside, f'{n}/in')\n"
            "            os.unlink(f'{n}/in')\n"
            "            os.rename(f'{n}/away', f'{n}/in')\n"
            "        except OSError:\n"
            "            pass\n"
        )
        command = [sys.executable, "-c", swapper, os.fspath(outside)]
        with subprocess.Popen(command, cwd=target, stdout=subprocess.PIPE) as attacker:
            assert attacker.stdout
            attacker.stdout.readline()
            refused = rounds = 0
            while refused < 5 and rounds < 1000:
                rounds += 1
                try:
                    restore_tree(source, tree, target, workers=1)
                except UnsafeTargetError:
                    refused += 1
            attacker.kill()

        assert fingerprint(outside) == before
        assert refused == 5


class TestPlantedEntries:
    def test_hard_linked_file(self, source: MemorySource, target: Path, outside: Path) -> None:
        """A file that is hard-linked to another one is replaced; the other keeps content, owner and mode."""
        before = fingerprint(outside)
        os.link(outside / "shadow", target / "file")

        restore_tree(source, source.tree([source.file(b"file", uid=1234, mode=0o666)]), target)

        assert (target / "file").read_text() == "content"
        assert fingerprint(outside) == before

    @pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
    def test_entry_that_must_not_be_opened(self, source: MemorySource, target: Path, kind: str) -> None:
        """A FIFO, socket or device in the place of a file or directory is replaced without being opened."""
        formats = {"fifo": stat.S_IFIFO, "socket": stat.S_IFSOCK, "device": stat.S_IFCHR}
        for name in ("file", "folder"):
            os.mknod(target / name, formats[kind] | 0o666, os.makedev(1, 3))

        done = restore_tree(source, source.tree([source.file(b"file"), source.folder(b"folder", [])]), target)

        assert done.problems == ()
        assert (target / "file").read_text() == "content"
        assert (target / "folder").is_dir()

    def test_hard_link_to_a_planted_link(self, target: Path, outside: Path) -> None:
        """When the first of a group of hard links is swapped, the others are not linked to what took its place."""
        source = Interrupted()
        linked: dict[str, Any] = {"inode": 7, "device_id": 1, "links": 2}
        tree = source.tree(
            [source.folder(b"a", [source.file(b"1", **linked)]), source.folder(b"b", [source.file(b"2", **linked)])]
        )
        (target / "a").mkdir()
        (target / "b").mkdir()
        before = fingerprint(outside)

        restore_tree(source, tree, target)
        assert (target / "a/1").stat().st_ino == (target / "b/2").stat().st_ino

        (target / "a/1").unlink()
        (target / "a/1").symlink_to(outside / "shadow")
        restore_tree(source, tree, target)
        assert (target / "a/1").stat(follow_symlinks=False).st_ino == (target / "b/2").stat().st_ino
        assert not (target / "a/1").is_symlink()
        assert fingerprint(outside) == before

    def test_new_directories_are_closed_until_they_are_done(self, target: Path) -> None:
        """While it is being filled a new directory is open to root alone."""
        source = Interrupted()
        folder = source.folder(b"in", [source.file(b"a")], uid=1234, gid=1234, mode=0o777)
        seen: list[os.stat_result] = []

        source.before, source.act = source.blob(b"content"), lambda: seen.append((target / "in").stat())
        restore_tree(source, source.tree([folder]), target, workers=1)

        assert [(stat.S_IMODE(facts.st_mode), facts.st_uid) for facts in seen] == [(0o700, os.geteuid())]
        assert stat.S_IMODE((target / "in").stat().st_mode) == 0o777


class TestCraftedPoints:
    @pytest.mark.parametrize("name", [b"", b".", b"..", b"../x", b"a/b", b"/etc/x", b"nul\0byte", b"a/../../x"])
    @pytest.mark.parametrize("kind", ["file", "dir", "symlink"])
    def test_name(self, source: MemorySource, target: Path, name: bytes, kind: str) -> None:
        """A name that is no name of an entry is refused and reported; its neighbours are restored."""
        crafted = {
            "file": source.file(name),
            "dir": source.folder(name, [source.file(b"x")]),
            "symlink": a_node(name, "symlink", linktarget=b"/"),
        }[kind]
        around = fingerprint(target.parent)
        del around[b"target"], around[b"."]

        done = restore_tree(source, source.tree([source.folder(b"in", [crafted, source.file(b"good")])]), target)

        assert [problem.message.partition(":")[0] for problem in done.problems] == ["refused"]
        assert set(fingerprint(target)) == {b".", b"in", b"in/good"}
        assert set(os.listdir(target.parent)) == {"target"} | {os.fsdecode(path) for path in around}

    def test_hard_links_that_are_none(self, source: MemorySource, target: Path) -> None:
        """Entries that claim one inode but differ in content are restored as files of their own."""
        linked: dict[str, Any] = {"inode": 7, "device_id": 1, "links": 3}
        tree = source.tree(
            [
                source.file(b"a", b"one", **linked),
                source.file(b"b", b"two", **linked),
                a_node(b"c", "symlink", linktarget=b"a", **linked),
            ]
        )

        restore_tree(source, tree, target)

        assert ((target / "a").read_text(), (target / "b").read_text()) == ("one", "two")
        assert (target / "c").is_symlink()

    def test_names_cannot_steer_a_terminal(self, source: MemorySource, target: Path) -> None:
        """Messages show control characters and bytes that are not UTF-8 as escapes."""
        tree = source.tree([a_node(b"\x1b[2J\xff\n", "chardev")])

        (problem,) = restore_tree(source, tree, target).problems

        assert str(problem).startswith(r"\x1b[2J\xff\n: refused")
