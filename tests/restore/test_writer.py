from __future__ import annotations

import errno
import itertools
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from jetcore.errors import BadInputError, DestinationError, RestoreError
from jetcore.restore.writer import restore_tree
from jetcore.testing.sources import MemorySource, a_node
from jetcore.testing.trees import fingerprint, make_socket, make_tree_with_everything


@pytest.fixture
def source() -> MemorySource:
    return MemorySource()


def many_files(source: MemorySource, count: int) -> bytes:
    """Return a tree of *count* files in folders of 100: several batches if there are more than 512."""
    folders = []
    for start in range(0, count, 100):
        files = [source.file(b"%d" % number, b"file %d" % number) for number in range(start, min(count, start + 100))]
        folders.append(source.folder(b"folder %d" % start, files))
    return source.tree(folders)


class TestRoundTrip:
    @pytest.mark.parametrize("workers", [1, 2])
    def test_everything(self, tmp_path: Path, source: MemorySource, workers: int) -> None:
        """Every kind of entry, name, owner, mode, time, attribute and content comes back."""
        make_tree_with_everything(tmp_path / "before")
        root = source.take(tmp_path / "before")

        done = restore_tree(source, root.subtree, tmp_path / "after", root=root, workers=workers)

        before = fingerprint(tmp_path / "before")
        assert fingerprint(tmp_path / "after") == before
        assert done.problems == ()
        assert done.notes == ()
        assert done.directories == sum(entry.kind == "dir" for entry in before.values())
        assert done.files == len(before) - done.directories
        assert done.bytes == sum(
            entry.size for path, entry in before.items() if not entry.link_group or entry.link_group == path
        )

    def test_again_over_itself(self, tmp_path: Path, source: MemorySource) -> None:
        """Restoring over a restored tree changes nothing and leaves nothing behind."""
        make_tree_with_everything(tmp_path / "before")
        root = source.take(tmp_path / "before")

        restore_tree(source, root.subtree, tmp_path / "after", root=root)
        done = restore_tree(source, root.subtree, tmp_path / "after", root=root)

        assert fingerprint(tmp_path / "after") == fingerprint(tmp_path / "before")
        assert done.problems == ()

    def test_privileges_and_devices_if_asked_for(self, tmp_path: Path, source: MemorySource) -> None:
        """Setuid, setgid, file capabilities, trusted attributes and devices come back when they are allowed."""
        before = tmp_path / "before"
        before.mkdir()
        for name, mode in (("setuid", 0o4755), ("setgid", 0o2755)):
            (before / name).write_bytes(b"#!")
            os.chown(before / name, 1234, 1234)
            (before / name).chmod(mode)
        (before / "capable").write_bytes(b"#!")
        os.setxattr(before / "capable", "security.capability", bytes.fromhex("0100000200040000" + "00" * 12))
        os.setxattr(before / "capable", "trusted.mark", b"1")
        os.mknod(before / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        os.mknod(before / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 200))
        root = source.take(before)

        done = restore_tree(
            source, root.subtree, tmp_path / "after", root=root, keep_privileges=True, allow_devices=True
        )

        assert fingerprint(tmp_path / "after") == fingerprint(before)
        assert (done.problems, done.notes) == ((), ())

    def test_depth_beyond_the_limits(self, tmp_path: Path, source: MemorySource) -> None:
        """Five thousand directories inside each other, their path far longer than 4096 bytes, are restored."""
        nodes = [source.file(b"at the bottom")]
        for _ in range(5000):
            nodes = [source.folder(b"deep", nodes)]

        done = restore_tree(source, source.tree(nodes), tmp_path / "after")

        found = fingerprint(tmp_path / "after")
        assert found[b"deep/" * 5000 + b"at the bottom"].size == len(b"content")
        assert (done.files, done.directories, done.problems) == (1, 5000, ())
        subprocess.run(["rm", "-rf", tmp_path / "after"], check=True)

    def test_few_descriptors(self, tmp_path: Path, source: MemorySource) -> None:
        """The number of open descriptors stays small however many directories there are, and all are closed."""
        tree = source.tree([source.folder(b"%d" % number, [source.file(b"f")]) for number in range(300)])
        most = 0

        def load_blob(identity: bytes) -> bytes:
            nonlocal most
            most = max(most, len(os.listdir("/proc/self/fd")))
            return source.blobs[identity]

        before = len(os.listdir("/proc/self/fd"))
        source.load_blob = load_blob  # type: ignore[method-assign]
        restore_tree(source, tree, tmp_path / "after", workers=1)

        assert most < before + 100
        assert len(os.listdir("/proc/self/fd")) == before


class TestContents:
    def test_zeros_are_holes(self, tmp_path: Path, source: MemorySource) -> None:
        """Long runs of zeros take no space, wherever the blobs are cut."""
        content = bytes(1_000_000) + b"x" * 5000 + bytes(3_000_000)
        cuts = [0, 131_072, 700_001, 1_002_000, 3_999_999, len(content)]
        blobs = tuple(source.blob(content[start:end]) for start, end in itertools.pairwise(cuts))
        tree = source.tree([a_node(b"sparse", size=len(content), content=blobs)])

        restore_tree(source, tree, tmp_path)

        assert (tmp_path / "sparse").read_bytes() == content
        assert (tmp_path / "sparse").stat().st_blocks * 512 < 200_000

    def test_only_zeros(self, tmp_path: Path, source: MemorySource) -> None:
        """A huge file of zeros is restored without being written."""
        blobs = (source.blob(bytes(1 << 20)),) * 4096
        tree = source.tree([a_node(b"zeros", size=4 << 30, content=blobs)])

        done = restore_tree(source, tree, tmp_path)

        assert (tmp_path / "zeros").stat().st_size == done.bytes == 4 << 30
        assert (tmp_path / "zeros").stat().st_blocks < 1000

    def test_damaged_blob(self, tmp_path: Path, source: MemorySource) -> None:
        """A file whose content is damaged is named with the damaged pack and not made; the others are restored."""
        good, bad = source.file(b"good", b"1"), source.file(b"bad", b"2")
        source.damaged.add(bad.content[0])

        done = restore_tree(source, source.tree([source.folder(b"in", [bad, good])]), tmp_path)

        assert os.listdir(tmp_path / "in") == ["good"]
        assert [str(problem) for problem in done.problems] == ["in/bad: not restored: data/ab/abcdef is damaged"]

    def test_damaged_tree(self, tmp_path: Path, source: MemorySource) -> None:
        """A directory whose list is damaged is made and named, and everything else is restored."""
        bad = source.folder(b"bad", [source.file(b"lost")], mode=0o750)
        source.damaged.add(bad.subtree)

        done = restore_tree(source, source.tree([bad, source.file(b"good")]), tmp_path)

        assert sorted(os.listdir(tmp_path)) == ["bad", "good"]
        assert stat.S_IMODE((tmp_path / "bad").stat().st_mode) == 0o750
        (problem,) = done.problems
        assert problem.path == b"bad"
        assert "data/ab/abcdef" in problem.message

    @pytest.mark.parametrize("workers", [1, 2])
    def test_unreadable_repository(self, tmp_path: Path, source: MemorySource, workers: int) -> None:
        """A destination that fails ends the restore with its own error, from a worker too."""

        def fail(identity: bytes) -> bytes:
            raise DestinationError("the store is gone", hint="bring it back")

        source.load_blob = fail  # type: ignore[method-assign]

        with pytest.raises(DestinationError, match="the store is gone; bring it back"):
            restore_tree(source, many_files(source, 1200), tmp_path, workers=workers)


class TestMerge:
    def test_what_is_there(self, tmp_path: Path, source: MemorySource) -> None:
        """Directories are merged and take the point's metadata, files are replaced, other files stay."""
        (tmp_path / "in").mkdir()
        (tmp_path / "in/ours").write_text("stays")
        (tmp_path / "in/same").write_text("replaced")
        os.setxattr(tmp_path / "in", "user.old", b"gone")
        tree = source.tree([source.folder(b"in", [source.file(b"same", b"restored")], mode=0o711)])

        restore_tree(source, tree, tmp_path)

        assert (tmp_path / "in/ours").read_text() == "stays"
        assert (tmp_path / "in/same").read_text() == "restored"
        assert stat.S_IMODE((tmp_path / "in").stat().st_mode) == 0o711
        assert (tmp_path / "in").stat().st_mtime_ns == 10**18
        assert os.listxattr(tmp_path / "in") == []

    def test_file_in_the_place_of_a_directory(self, tmp_path: Path, source: MemorySource) -> None:
        """A file where the point has a directory is replaced."""
        (tmp_path / "in").write_text("in the way")

        restore_tree(source, source.tree([source.folder(b"in", [source.file(b"file")])]), tmp_path)

        assert (tmp_path / "in/file").read_text() == "content"

    def test_directory_in_the_place_of_a_file(self, tmp_path: Path, source: MemorySource) -> None:
        """A directory where the point has a file is kept with all it holds, and named."""
        (tmp_path / "file").mkdir()
        (tmp_path / "file/kept").touch()
        tree = source.tree([source.file(b"file"), source.file(b"other")])

        done = restore_tree(source, tree, tmp_path)

        assert sorted(os.listdir(tmp_path)) == ["file", "other"]
        assert os.listdir(tmp_path / "file") == ["kept"]
        assert [str(problem) for problem in done.problems] == [
            "file: not restored: a directory is in its place; move that away first"
        ]

    def test_inherited_acl(self, tmp_path: Path, source: MemorySource) -> None:
        """What a default ACL of the target adds to new entries is not left on them."""
        subprocess.run(["setfacl", "-d", "-m", "u:12345:rwx", tmp_path], check=True)
        pipe = a_node(b"pipe", "fifo")
        tree = source.tree([source.file(b"file", mode=0o640), source.folder(b"in", [source.file(b"deep")]), pipe])

        restore_tree(source, tree, tmp_path)

        entries = fingerprint(tmp_path)
        del entries[b"."]
        assert [entry.xattrs for entry in entries.values()] == [()] * 4
        assert entries[b"file"].mode == 0o640

    def test_hard_link_group_in_place(self, tmp_path: Path, source: MemorySource) -> None:
        """A group of hard links is made anew even where the same names are linked to each other already."""
        before = tmp_path / "before"
        before.mkdir()
        (before / "a").write_text("linked")
        os.link(before / "a", before / "b")
        tree = source.take(before).subtree
        after = tmp_path / "after"
        after.mkdir()
        (after / "a").write_text("old")
        os.link(after / "a", after / "b")
        os.link(after / "a", tmp_path / "kept")

        restore_tree(source, tree, after)

        assert (after / "a").stat().st_ino == (after / "b").stat().st_ino
        assert (after / "b").read_text() == "linked"
        assert (tmp_path / "kept").read_text() == "old"
        assert sorted(os.listdir(after)) == ["a", "b"]


class TestSelection:
    @pytest.fixture
    def tree(self, source: MemorySource) -> bytes:
        image = source.folder(b"img", [source.file(b"a.png"), source.file(b"b.png")], mode=0o711)
        public = source.folder(b"public_html", [image, source.file(b"index.php")], mode=0o750)
        return source.tree([source.folder(b"mail", [source.file(b"new")]), public])

    def test_one_file(self, tmp_path: Path, source: MemorySource, tree: bytes) -> None:
        """A single file is restored with the directories on the way to it, which get their metadata."""
        done = restore_tree(source, tree, tmp_path / "to", only=[b"public_html/img/a.png"])

        assert sorted(fingerprint(tmp_path / "to")) == [
            b".", b"public_html", b"public_html/img", b"public_html/img/a.png"
        ]  # fmt: skip
        assert stat.S_IMODE((tmp_path / "to/public_html").stat().st_mode) == 0o750
        assert (done.files, done.directories) == (1, 2)

    def test_directories_on_the_way_are_left_alone(self, tmp_path: Path, source: MemorySource, tree: bytes) -> None:
        """An existing directory above what was selected keeps its mode; one below it takes the point's."""
        (tmp_path / "public_html/img").mkdir(parents=True)
        for folder in ("public_html", "public_html/img"):
            (tmp_path / folder).chmod(0o700)

        restore_tree(source, tree, tmp_path, only=[b"public_html/img"])

        assert stat.S_IMODE((tmp_path / "public_html").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "public_html/img").stat().st_mode) == 0o711
        assert not (tmp_path / "public_html/index.php").exists()

    def test_several_that_overlap(self, tmp_path: Path, source: MemorySource, tree: bytes) -> None:
        """Paths may overlap, and begin or end with a slash."""
        done = restore_tree(source, tree, tmp_path, only=[b"/mail/", b"public_html/img/a.png", b"./public_html"])

        assert done.files == 4

    def test_the_root(self, tmp_path: Path, source: MemorySource, tree: bytes) -> None:
        """The root as a path stands for everything."""
        assert restore_tree(source, tree, tmp_path, only=[b"/", b"mail"]).files == 4

    @pytest.mark.parametrize(
        ("path", "hint"),
        [
            (b"public_html/imgs", "near it are public_html/img"),
            (b"public_htm/img", "near it are public_html"),
            (b"mail/new/x", "mail/new is a file there"),
            (b"public_html/../mail", "its directory public_html holds 2 other entries"),
        ],
    )
    def test_unknown_path(self, tmp_path: Path, source: MemorySource, tree: bytes, path: bytes, hint: str) -> None:
        """A path that is not in the point is an error that names what is near, and nothing is touched."""
        with pytest.raises(BadInputError) as caught:
            restore_tree(source, tree, tmp_path / "to", only=[b"mail", path])

        assert hint in caught.value.hint
        assert not (tmp_path / "to").exists()


class TestPolicy:
    def test_owners_are_mapped(self, tmp_path: Path, source: MemorySource) -> None:
        """Mapped owners get their new numbers, of links too; others keep theirs."""
        mapped: dict[str, Any] = {"uid": 1001, "gid": 1002}
        tree = source.tree(
            [
                source.file(b"file", **mapped),
                source.folder(b"in", [], **mapped),
                a_node(b"link", "symlink", linktarget=b"/etc", **mapped),
                source.file(b"other", uid=33, gid=34),
            ]
        )

        restore_tree(source, tree, tmp_path, uids={1001: 2001}, gids={1002: 2002})

        owners = {name: (entry.uid, entry.gid) for name, entry in fingerprint(tmp_path).items() if name != b"."}
        assert owners.pop(b"other") == (33, 34)
        assert set(owners.values()) == {(2001, 2002)}

    def test_other_owners_are_replaced(self, tmp_path: Path, source: MemorySource) -> None:
        """With an owner for all others, nobody who is not mapped is given anything."""
        tree = source.tree([source.file(b"ours", uid=1001, gid=8), source.file(b"theirs", uid=0, gid=0)])

        restore_tree(source, tree, tmp_path, uids={1001: 1001}, gids={8: 8}, other_uid=1001, other_gid=1001)

        assert [((s := os.stat(tmp_path / n)).st_uid, s.st_gid) for n in ("ours", "theirs")] == [
            (1001, 8),
            (1001, 1001),
        ]

    def test_privileges_are_left_out(self, tmp_path: Path, source: MemorySource) -> None:
        """Setuid, setgid and capabilities of files are dropped and said once; a directory keeps its setgid."""
        capability = ((b"security.capability", bytes.fromhex("0100000200040000" + "00" * 12)),)
        tree = source.tree(
            [
                source.file(b"a", mode=0o4755),
                source.file(b"b", mode=0o6755, xattrs=capability),
                source.folder(b"in", [], mode=0o2775),
            ]
        )

        done = restore_tree(source, tree, tmp_path)

        modes = {name: stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "b", "in")}
        assert modes == {"a": 0o755, "b": 0o755, "in": 0o2775}
        assert os.listxattr(tmp_path / "b") == []
        assert done.problems == ()
        assert done.notes == (
            "a: setuid and setgid bits were left out (and 1 more)",
            "b: the attribute security.capability was left out",
        )

    def test_socket_and_device(self, tmp_path: Path, source: MemorySource) -> None:
        """A socket is left out with a note, a device is a problem; neither is made."""
        before = tmp_path / "before"
        before.mkdir()
        make_socket(before / "sock")
        os.mknod(before / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))

        done = restore_tree(source, source.take(before).subtree, tmp_path / "after")

        assert os.listdir(tmp_path / "after") == []
        assert done.notes == ("sock: sockets are not restored",)
        assert [problem.path for problem in done.problems] == [b"null"]


class TestWithoutRoot:
    @pytest.fixture
    def target(self) -> Iterator[Path]:
        """A directory that nobody owns, with the rights of nobody."""
        with tempfile.TemporaryDirectory() as path:
            os.chown(path, 65534, 65534)
            os.setegid(65534)
            os.seteuid(65534)
            yield Path(path)
            os.seteuid(0)
            os.setegid(0)

    def test_owners_cannot_be_given_away(self, target: Path, source: MemorySource) -> None:
        """Without root files are restored as our own, which is one problem; no setuid bit goes to the wrong owner."""
        ours = source.file(b"ours", uid=65534, gid=65534)
        theirs = [source.file(name, uid=1000, gid=1000, mode=0o4755) for name in (b"a", b"b")]
        folder = source.folder(b"in", [], uid=1000, gid=1000, mode=0o2755)

        done = restore_tree(source, source.tree([ours, *theirs, folder]), target, keep_privileges=True)

        assert sorted(os.listdir(target)) == ["a", "b", "in", "ours"]
        assert {stat.S_IMODE((target / name).stat().st_mode) for name in ("a", "b", "in")} == {0o755}
        assert [str(problem) for problem in done.problems] == [
            "a: its owner could not be set: Operation not permitted (and 2 more)"
        ]


class TestTargetRefuses:
    @pytest.fixture
    def small(self, tmp_path: Path) -> Iterator[Path]:
        """A file system of one MiB."""
        path = tmp_path / "small"
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", path], check=True)
        yield path
        subprocess.run(["umount", path], check=True)

    @pytest.mark.parametrize("workers", [1, 2])
    def test_full(self, small: Path, source: MemorySource, workers: int) -> None:
        """A full target ends the restore; what is there under its name is whole, and nothing else is there."""
        contents = {b"%d" % number: os.urandom(100_000) for number in range(500)}
        files = [source.file(name, content) for name, content in contents.items()]

        with pytest.raises(RestoreError, match="no space is left"):
            restore_tree(source, source.tree(files), small, workers=workers)

        found = [entry for entry in small.iterdir() if not entry.name.startswith(".jetcore-")]
        assert 0 < len(found) < 15
        assert list(small.iterdir()) == found
        assert all(entry.read_bytes() == contents[entry.name.encode()] for entry in found)

    def test_read_only(self, small: Path, source: MemorySource) -> None:
        """A read-only target is one error, not one for each file."""
        subprocess.run(["mount", "-o", "remount,ro", small], check=True)

        with pytest.raises(RestoreError, match="it is read-only"):
            restore_tree(source, source.tree([source.file(b"a"), source.file(b"b")]), small)

    def test_attributes_that_the_target_does_not_take(self, tmp_path: Path, source: MemorySource) -> None:
        """Attributes that the target refuses are one problem for each kind; the files are restored."""
        huge = ((b"user.huge", bytes(60_000)), (b"user.other", bytes(60_000)), (b"strange.kind", b"x"))
        tree = source.tree([source.file(b"a", xattrs=huge), source.file(b"b", xattrs=huge)])

        done = restore_tree(source, tree, tmp_path)

        assert done.files == 2
        assert [(problem.path, problem.message.partition(":")[0]) for problem in done.problems] == [
            (b"a", "its user attribute could not be set"),
            (b"a", "its strange attribute could not be set"),
        ]
        assert done.problems[0].message.endswith(f"{os.strerror(errno.ENOSPC)} (and 3 more)")

    @pytest.mark.parametrize("flag", ["i", "a"])
    def test_immutable_file(self, tmp_path: Path, source: MemorySource, flag: str) -> None:
        """A file that cannot be replaced is named with the reason, and stays as it is."""
        fixed = tmp_path / "fixed"
        fixed.write_text("stays")
        subprocess.run(["chattr", f"+{flag}", fixed], check=True)

        done = restore_tree(source, source.tree([source.file(b"fixed"), source.file(b"free")]), tmp_path)

        subprocess.run(["chattr", f"-{flag}", fixed], check=True)
        (problem,) = done.problems
        assert "fixed: not restored: the file in its place is immutable or append-only" in str(problem)
        assert fixed.read_text() == "stays"
        assert sorted(os.listdir(tmp_path)) == ["fixed", "free"]

    def test_immutable_directory(self, tmp_path: Path, source: MemorySource) -> None:
        """A directory that takes no entries is given as the reason."""
        (tmp_path / "in").mkdir()
        subprocess.run(["chattr", "+i", tmp_path / "in"], check=True)
        files = [source.file(b"file"), a_node(b"link", "symlink", linktarget=b"x"), source.folder(b"sub", [])]

        done = restore_tree(source, source.tree([source.folder(b"in", files)]), tmp_path)

        subprocess.run(["chattr", "-i", tmp_path / "in"], check=True)
        reasons = {problem.path: problem.message for problem in done.problems}
        assert set(reasons) == {b"in", b"in/file", b"in/link", b"in/sub"}
        assert all("its directory is immutable" in reasons[path] for path in (b"in/file", b"in/link", b"in/sub"))

    def test_target_is_a_file(self, tmp_path: Path, source: MemorySource) -> None:
        """A target that is no directory is an error that names it."""
        (tmp_path / "file").touch()

        with pytest.raises(RestoreError, match="file: Not a directory"):
            restore_tree(source, source.tree([]), tmp_path / "file")


class TestProgress:
    def test_counts_go_up_to_the_result(self, tmp_path: Path, source: MemorySource) -> None:
        """Progress never goes back and ends at the result."""
        seen: list[tuple[int, int]] = []

        done = restore_tree(
            source, many_files(source, 2000), tmp_path, on_progress=lambda files, size: seen.append((files, size))
        )

        assert seen == sorted(seen)
        assert seen[-1] == (done.files, done.bytes)
        assert done.files == 2000

    def test_many_problems(self, tmp_path: Path, source: MemorySource) -> None:
        """A thousand problems are kept, all are counted."""
        tree = source.tree([a_node(b"%d" % number, "chardev") for number in range(1500)])

        done = restore_tree(source, tree, tmp_path)

        assert (len(done.problems), done.problem_count) == (1000, 1500)


def test_numbers_that_cannot_exist(tmp_path: Path, source: MemorySource) -> None:
    """A node with an impossible owner, time or target is refused and named; the others are restored."""
    good = source.file(b"good")
    bad = [
        attrs.evolve(good, name=b"uid", uid=2**32 - 1),
        attrs.evolve(good, name=b"gid", gid=-1),
        attrs.evolve(good, name=b"time", mtime_ns=10**40),
        a_node(b"link", "symlink", linktarget=b"a\0b"),
        a_node(b"what", "whiteout"),
    ]

    done = restore_tree(source, source.tree([good, *bad]), tmp_path)

    assert os.listdir(tmp_path) == ["good"]
    assert {problem.path for problem in done.problems} == {b"uid", b"gid", b"time", b"link", b"what"}
