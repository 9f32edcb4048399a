"""What the owner of a home directory can do to the reading of it, by the numbers of the list of hostile trees."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jetcore import Outcome
from jetcore.backup.content import WHOLE_FILE
from jetcore.backup.items import ItemKind
from jetcore.backup.reader import SavedTree
from jetcore.testing.homes import HomeStore

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@pytest.fixture
def store() -> HomeStore:
    return HomeStore()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "alice"
    home.mkdir()
    return home


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that the owner of the home directory must not get at."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "shadow").write_bytes(b"root:secret")
    return outside


def kinds(saved: SavedTree) -> dict[bytes, ItemKind]:
    return {item.path: item.kind for item in saved.items}


def all_content(store: HomeStore, saved: SavedTree) -> bytes:
    return b"".join(store.content(node) for node in store.nodes(saved).values() if node.type == "file")


def before(
    monkeypatch: pytest.MonkeyPatch, call: str, name: bytes | None, action: Callable[[], object], times: int = 1
) -> None:
    """Run *action* just before ``os.<call>`` is made on *name* (on anything, if None), *times* times."""
    really = getattr(os, call)
    left = times

    def wrapped(target, *args, **options):
        nonlocal left
        if left and (name is None or target == name):
            left -= 1
            action()
        return really(target, *args, **options)

    monkeypatch.setattr(os, call, wrapped)


def after(
    monkeypatch: pytest.MonkeyPatch, call: str, name: bytes | None, action: Callable[[], object], times: int = 1
) -> None:
    """Run *action* just after ``os.<call>`` was made on entry *name*, as :func:`before`."""
    really = getattr(os, call)
    left = times

    def wrapped(target, *args, **options):
        nonlocal left
        result = really(target, *args, **options)
        if left and (name is None or target == name):
            left -= 1
            action()
        return result

    monkeypatch.setattr(os, call, wrapped)


def reading_call(size: int) -> str:
    """Return the name of the call that the content of a file of *size* bytes is read with."""
    return "read" if size <= WHOLE_FILE else "readv"


class TestNames:
    """Cases 1 to 6."""

    def test_bytes(self, store: HomeStore, home: Path) -> None:
        """Cases 1 to 4: any bytes are kept, also of two names that differ only in invalid ones."""
        names = [
            b"\xff\xfe", b"caf\xe9", b"caf\xe8", b"new\nline", b"tab\t", b"\x1b[31mred", b"100%", b"%s%n", b'"quoted"',
            b"back\\slash", b"-rf", b" leading", b"trailing ", b"~", b"*", b"<&>", "\u2028".encode(), b"\x7f",
            b"x" * 255, b"...",
            "\u00e9".encode(), "e\u0301".encode(), b"case", b"CASE", "\U0001f600".encode(), b'},{"name":"',
        ]  # fmt: skip
        for name in names:
            with open(os.fsencode(home) + b"/" + name, "wb") as file:
                file.write(b"content of " + name)

        saved = store.save(home)

        nodes = store.nodes(saved)
        assert nodes.keys() == set(names)
        assert list(nodes) == sorted(names)
        assert all(store.content(node) == b"content of " + name for name, node in nodes.items())
        assert store.save(home, former=saved).unchanged_files == len(names)

    def test_names_in_messages(self, store: HomeStore, home: Path) -> None:
        """Case 3: a name cannot write to the terminal or begin a line of a log."""
        name = b"\x1b[2J\n2026-01-01 all is well\xff"
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.fsencode(home) + b"/" + name)

        (item,) = store.save(home).items

        assert item.path == name
        assert str(item) == "\\x1b[2J\\n2026-01-01 all is well\\xff: a socket is not stored"

    def test_depth_and_length_of_paths(self, store: HomeStore, home: Path) -> None:
        """Cases 5 and 6: 5,000 folders in each other are read, without a descriptor for each, and back up again."""
        here = os.open(home, _FOLDER)
        for level in range(5000):
            os.mkdir(b"folder", dir_fd=here)
            if level % 1000 == 0:
                os.close(os.open(b"z", os.O_CREAT | os.O_WRONLY, dir_fd=here))
            below = os.open(b"folder", _FOLDER, dir_fd=here)
            os.close(here)
            here = below
        with open(os.open(b"bottom", os.O_CREAT | os.O_WRONLY, dir_fd=here), "wb") as file:
            file.write(b"deep")
        os.close(here)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        try:
            saved = store.save(home)
            again = store.save(home, former=saved)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            subprocess.run(["rm", "-rf", home], check=True)

        assert (saved.folders, saved.files, saved.items) == (5001, 6, ())
        assert (again.tree, again.unchanged_files) == (saved.tree, 6)
        nodes = store.nodes(saved)
        assert store.content(nodes[b"folder/" * 5000 + b"bottom"]) == b"deep"
        assert b"folder/" * 4000 + b"z" in nodes


class TestTypes:
    """Cases 8 to 17."""

    def test_links_are_not_followed(self, store: HomeStore, home: Path, outside: Path) -> None:
        """Case 8: links of every kind are stored as links."""
        (home / "folder").mkdir()
        targets = {
            b"dangling": b"/nowhere", b"loop": b"loop", b"absolute": os.fsencode(outside / "shadow"),
            b"relative": b"../outside/shadow", b"folder-inside": b"folder", b"folder-outside": os.fsencode(outside),
            b"long": b"x/" * 2047 + b"y", b"latin": b"caf\xe9",
        }  # fmt: skip
        for name, target in targets.items():
            os.symlink(target, os.fsencode(home) + b"/" + name)

        saved = store.save(home)

        links = {name: node.linktarget for name, node in store.nodes(saved).items() if node.type == "symlink"}
        assert links == targets
        assert (saved.files, saved.outcome) == (0, Outcome.COMPLETED)

    def test_link_to_a_file_of_another_user(self, store: HomeStore, home: Path) -> None:
        """Case 10: a hard link to a file of another user is stored and pointed out, each time."""
        os.chown(home, 12345, 12345)
        for name, owner in (("own", 12345), ("foreign", 0)):
            (home / name).write_bytes(b"content")
            os.link(home / name, home / f"{name}-link")
            os.chown(home / name, owner, owner)

        saved = store.save(home)
        again = store.save(home, former=saved)

        expected = {b"foreign": ItemKind.FOREIGN, b"foreign-link": ItemKind.FOREIGN}
        assert kinds(saved) == kinds(again) == expected
        assert store.nodes(saved)[b"foreign"].uid == 0
        assert saved.outcome is Outcome.COMPLETED

    @pytest.mark.parametrize("with_writer", [False, True])
    def test_fifo(self, store: HomeStore, home: Path, with_writer: bool) -> None:
        """Case 11: a FIFO is stored as what it is and not opened, with a writer or without."""
        os.mkfifo(home / "pipe", 0o640)
        end = os.open(home / "pipe", os.O_RDWR | os.O_NONBLOCK) if with_writer else -1

        saved = store.save(home)

        if with_writer:
            os.write(end, b"x")
            assert os.read(end, 10) == b"x"
            os.close(end)
        node = store.nodes(saved)[b"pipe"]
        assert (node.type, node.mode, saved.outcome) == ("fifo", 0o640, Outcome.COMPLETED)

    def test_socket(self, store: HomeStore, home: Path) -> None:
        """Case 12: a socket is skipped, noted and counted, which is no failure."""
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(bytes(home / "mysql.sock"))

        saved = store.save(home)

        assert kinds(saved) == {b"mysql.sock": ItemKind.SOCKET}
        assert (saved.item_counts, saved.messages) == ({ItemKind.SOCKET: 1}, ())
        assert (store.nodes(saved), saved.outcome) == ({}, Outcome.COMPLETED)

    def test_devices(self, store: HomeStore, home: Path) -> None:
        """Case 13: devices are stored as what they are, not opened."""
        os.mknod(home / "zero", 0o20666, os.makedev(1, 5))
        os.mknod(home / "loop", 0o60600, os.makedev(7, 200))

        nodes = store.nodes(store.save(home))

        assert (nodes[b"zero"].type, nodes[b"zero"].device) == ("chardev", os.makedev(1, 5))
        assert (nodes[b"loop"].type, nodes[b"loop"].device) == ("dev", os.makedev(7, 200))

    def test_modes_and_capabilities(self, store: HomeStore, home: Path) -> None:
        """Case 14: setuid, setgid, sticky and file capabilities are stored."""
        capability = bytes.fromhex("0100000200040000000000000000000000000000")
        (home / "ping").touch()
        os.setxattr(home / "ping", "security.capability", capability)
        (home / "su").touch()
        (home / "su").chmod(0o6755)
        (home / "tmp").mkdir()
        (home / "tmp").chmod(0o1777)

        nodes = store.nodes(store.save(home))

        assert nodes[b"ping"].xattrs == ((b"security.capability", capability),)
        assert (nodes[b"su"].mode, nodes[b"tmp"].mode) == (0o6755, 0o1777)

    def test_large_and_many_attributes(self, store: HomeStore, tmp_path: Path) -> None:
        """Case 16: attributes are stored, large ones and many of them, and do not keep a file from being taken over."""
        with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
            home = Path(folder)
            (home / "large").touch()
            os.setxattr(home / "large", b"trusted.large", os.urandom(60_000))
            (home / "many").write_bytes(b"content")
            for number in range(50):
                os.setxattr(home / "many", f"trusted.number{number}", b'"content":["')
            os.symlink("large", home / "link")
            os.setxattr(home / "link", b"trusted.link", b"on the link itself", follow_symlinks=False)

            saved = store.save(home)

            nodes = store.nodes(saved)
            assert nodes[b"large"].xattrs == ((b"trusted.large", os.getxattr(home / "large", b"trusted.large")),)
            assert len(nodes[b"many"].xattrs) == 50
            assert nodes[b"link"].xattrs == ((b"trusted.link", b"on the link itself"),)
            assert store.save(home, former=saved).unchanged_files == 2

    def test_unreadable_entries(self, store: HomeStore) -> None:
        """Case 17: a file and folders that may not be read are named, the rest is stored, the outcome is partial."""
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            home = Path(folder)
            for name in ("no-read", "no-search", "fine"):
                (home / name).mkdir()
                (home / name / "file").write_bytes(b"x")
            (home / "secret").write_bytes(b"x")
            subprocess.run(["chown", "-R", "nobody", home], check=True)
            for name, mode in (("secret", 0), ("no-read", 0o300), ("no-search", 0o600)):
                (home / name).chmod(mode)
            os.seteuid(int(home.stat().st_uid))
            try:
                saved = store.save(home)
            finally:
                os.seteuid(0)

        assert kinds(saved) == dict.fromkeys((b"no-read", b"no-search/file", b"secret"), ItemKind.UNREADABLE)
        assert set(saved.messages) == {
            "no-read: cannot be read: Permission denied",
            "no-search/file: cannot be read: Permission denied",
            "secret: cannot be read: Permission denied",
        }
        assert set(store.nodes(saved)) == {b"fine", b"fine/file", b"no-search"}
        assert saved.outcome is Outcome.PARTIAL


class TestRaces:
    """Cases 18 to 27: what changes while it is read."""

    def test_growing_file_is_not_chased(self, store: HomeStore, home: Path) -> None:
        """Case 18: a log that grows for ever is stored up to the size it had, and noted; that is no failure."""
        log = home / "access.log"
        log.write_bytes(b"first line\n" * 100_000)
        stop = threading.Event()

        def grow() -> None:
            with log.open("ab", buffering=0) as file:
                while not stop.is_set():
                    file.write(b"next line\n" * 100)

        writer = threading.Thread(target=grow)
        writer.start()
        try:
            saved = store.save(home)
        finally:
            stop.set()
            writer.join()

        node = store.nodes(saved)[b"access.log"]
        assert log.read_bytes().startswith(store.content(node))
        assert node.size >= 1_100_000
        assert kinds(saved) == {b"access.log": ItemKind.ACTIVE}
        assert saved.outcome is Outcome.COMPLETED

    def test_file_that_changes_once(self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Case 19: a file that is rewritten while it is read is read again, and nothing is to be said about it."""
        file = home / "cache.php"
        file.write_bytes(b"old" * 1000)
        after(monkeypatch, "read", None, lambda: file.write_bytes(b"newer" * 1000))

        saved = store.save(home)

        assert store.content(store.nodes(saved)[b"cache.php"]) == b"newer" * 1000
        assert saved.items == ()

    def test_file_that_changes_always(self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Case 19: a file that is rewritten during every attempt is stored, marked, and read again the next time."""
        file = home / "cache.php"
        file.write_bytes(b"0" * 1000)
        versions = iter(range(1, 100))
        with monkeypatch.context() as patch:
            after(patch, "read", None, lambda: file.write_bytes(b"%d" % next(versions) * 1000), times=50)
            saved = store.save(home)

        assert kinds(saved) == {b"cache.php": ItemKind.CHANGED}
        assert saved.outcome is Outcome.PARTIAL
        assert saved.messages == ("cache.php: changed while it was read, each of three times",)
        assert next(versions) == 4
        again = store.save(home, former=saved)
        assert store.content(store.nodes(again)[b"cache.php"]) == file.read_bytes()

    @pytest.mark.parametrize("size", [1000, 3_000_000])
    def test_file_that_shrinks(self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
        """Case 19: a file that is cut short before it is read is stored as it is then."""
        file = home / "data"
        file.write_bytes(os.urandom(size))
        before(monkeypatch, reading_call(size), None, lambda: os.truncate(file, size // 2))

        saved = store.save(home)

        node = store.nodes(saved)[b"data"]
        assert node.size == size // 2
        assert store.content(node) == file.read_bytes()
        assert saved.items == ()

    @pytest.mark.parametrize("call", ["open", "read"])
    def test_file_replaced_by_rename(
        self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        """Case 22: a file that is replaced by rename gives one of the two, whole, and nothing is said about it."""
        file, other = home / "config.php", home / "new"
        file.write_bytes(b"old")
        other.write_bytes(b"newer")
        before(monkeypatch, call, b"config.php" if call == "open" else None, lambda: other.rename(file))

        saved = store.save(home)

        assert store.content(store.nodes(saved)[b"config.php"]) == (b"newer" if call == "open" else b"old")
        assert kinds(saved) == {b"new": ItemKind.VANISHED}

    @pytest.mark.parametrize("kind", ["link", "fifo", "folder", "device", "socket"])
    def test_file_swapped_for_something_else(
        self, store: HomeStore, home: Path, outside: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """Cases 23 and 24: a file that becomes a link, a FIFO … before it is opened is stored as what it became."""
        file = home / "index.php"
        file.write_bytes(b"content")

        def swap() -> None:
            file.unlink()
            if kind == "link":
                file.symlink_to(outside / "shadow")
            elif kind == "fifo":
                os.mkfifo(file)
            elif kind == "folder":
                file.mkdir()
            elif kind == "device":
                os.mknod(file, 0o20666, os.makedev(1, 5))
            else:
                with socket.socket(socket.AF_UNIX) as server:
                    server.bind(str(file))

        before(monkeypatch, "open", b"index.php", swap)

        saved = store.save(home)

        types = {"link": "symlink", "fifo": "fifo", "folder": "dir", "device": "chardev"}
        assert [node.type for node in store.nodes(saved).values()] == ([types[kind]] if kind in types else [])
        assert all_content(store, saved) == b""

    def test_file_swapped_for_ever(
        self, store: HomeStore, home: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Case 23: an entry that is never what it was a moment ago is given up and named."""
        file = home / "index.php"
        file.write_bytes(b"content")
        link = home / "link"

        def to_link() -> None:
            file.unlink()
            file.symlink_to(outside / "shadow")

        def to_file() -> None:
            file.unlink()
            file.write_bytes(b"content")

        before(monkeypatch, "open", b"index.php", to_link, times=50)
        after(monkeypatch, "open", b"index.php", to_file, times=0)
        really_stat = os.stat

        def stat_as_file(target, **options):
            if target == b"index.php" and link.parent.exists() and file.is_symlink():
                to_file()
            return really_stat(target, **options)

        monkeypatch.setattr(os, "stat", stat_as_file)

        saved = store.save(home)

        assert kinds(saved) == {b"index.php": ItemKind.UNREADABLE}
        assert all_content(store, saved) == b""

    def test_folder_swapped_for_a_link(
        self, store: HomeStore, home: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Case 25: a folder that becomes a link before it is opened is not entered."""
        folder = home / "public_html"
        folder.mkdir()

        def swap() -> None:
            folder.rmdir()
            folder.symlink_to(outside)

        before(monkeypatch, "open", b"public_html", swap)

        saved = store.save(home)

        assert store.nodes(saved)[b"public_html"].type == "symlink"
        assert all_content(store, saved) == b""

    def test_parent_swapped_for_a_link(
        self, store: HomeStore, home: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Case 25: a folder that is exchanged for a link while it is read goes on to be read where it is."""
        folder = home / "public_html"
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "shadow").write_bytes(b"harmless")

        def swap() -> None:
            folder.rename(home / "z")
            folder.symlink_to(outside)
            (outside / "sub").mkdir()
            (outside / "sub" / "shadow").write_bytes(b"root:secret")

        before(monkeypatch, "open", b"shadow", swap)

        saved = store.save(home)

        assert all_content(store, saved) == b"harmless"

    def test_deep_folder_moved_while_it_is_read(
        self, store: HomeStore, home: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Case 25: moving a folder from the depth never leads the way back up out of the home directory."""
        deep = home
        for _ in range(300):
            deep /= "d"
            deep.mkdir()
            (deep / "z").write_bytes(b"harmless")
        (deep / "bottom").touch()
        for _ in range(200):
            outside /= "d"
            outside.mkdir()
            (outside / "z").write_bytes(b"root:secret")
        middle = Path(home, *["d"] * 100)

        before(monkeypatch, "open", b"bottom", lambda: middle.rename(outside / "moved"))

        saved = store.save(home)

        assert b"secret" not in all_content(store, saved)
        lost = {item.path for item in saved.items if item.kind is ItemKind.UNREADABLE}
        assert b"/".join([b"d"] * 99) in lost
        assert saved.outcome is Outcome.PARTIAL

    def test_vanished_entries(self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Case 26: what is gone before it is read is noted and counted; that is no failure."""
        (home / "folder").mkdir()
        for number in range(5):
            (home / "folder" / f"session-{number}").touch()
        (home / "tmp").mkdir()

        def clean_up() -> None:
            shutil.rmtree(home / "tmp")
            for number in range(2, 5):
                (home / "folder" / f"session-{number}").unlink()

        before(monkeypatch, "open", b"session-1", clean_up)

        saved = store.save(home)

        gone = {b"folder/session-2", b"folder/session-3", b"folder/session-4", b"tmp"}
        assert kinds(saved) == dict.fromkeys(gone, ItemKind.VANISHED)
        assert saved.item_counts == {ItemKind.VANISHED: 4}
        assert saved.outcome is Outcome.COMPLETED

    def test_removed_folder(self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Case 26: a folder that is removed while it is read does not end the reading."""
        (home / "cache").mkdir()
        for number in range(3):
            (home / "cache" / str(number)).touch()
        (home / "index.php").touch()
        before(monkeypatch, "open", b"0", lambda: shutil.rmtree(home / "cache"))

        saved = store.save(home)

        assert b"index.php" in store.nodes(saved)
        assert saved.outcome is Outcome.COMPLETED

    def test_mail_moved_from_new_to_cur(self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Case 27: a message that moves from ``new`` to ``cur`` at any moment is in the restore point."""
        moments = [("listdir", None, number) for number in range(1, 5)] + [
            ("open", name, 1) for name in (b"new", b"cur", b"1", b"2:2,", b"3:2,")
        ]
        for call, name, number in moments:
            shutil.rmtree(home)
            for folder in ("cur", "new", "tmp"):
                (home / "Maildir" / folder).mkdir(parents=True)
            new, cur = home / "Maildir" / "new", home / "Maildir" / "cur"
            (new / "1").write_bytes(b"first")
            (cur / "2:2,").write_bytes(b"second")
            (cur / "3:2,").write_bytes(b"third")
            seen = 0

            def move(number=number, new=new, cur=cur) -> None:
                nonlocal seen
                seen += 1
                if seen == number:
                    (new / "1").rename(cur / "1:2,S")

            with monkeypatch.context() as patch:
                before(patch, call, name, move, times=10)
                saved = store.save(home)

            contents = {store.content(node) for node in store.nodes(saved).values() if node.type == "file"}
            assert contents == {b"first", b"second", b"third"}, (call, name, number)
            assert saved.outcome is Outcome.COMPLETED
            assert not (new / "1").exists()

    def test_mail_renamed_in_cur(self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Case 27: a message whose flags change between listing and reading is found under its new name, once."""
        cur = home / "cur"
        cur.mkdir()
        for number in range(5):
            (cur / f"{number}:2,").write_bytes(b"mail %d" % number)
        before(monkeypatch, "open", b"1:2,", lambda: (cur / "3:2,").rename(cur / "3:2,S"))

        saved = store.save(home)

        assert set(store.nodes(saved)) == {b"cur", b"cur/0:2,", b"cur/1:2,", b"cur/2:2,", b"cur/3:2,S", b"cur/4:2,"}
        assert saved.files == 5
        assert saved.bytes == 5 * len(b"mail 0")

    def test_mail_that_never_rests(self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Case 27: a folder of messages that changes all the time is listed three times and noted."""
        cur = home / "cur"
        cur.mkdir()
        (cur / "0").touch()
        numbers = iter(range(1, 100))

        def deliver() -> None:
            (cur / str(next(numbers))).touch()

        after(monkeypatch, "listdir", None, deliver, times=50)

        saved = store.save(home)

        assert kinds(saved) == {b"cur": ItemKind.ACTIVE}
        assert {b"cur/0", b"cur/1"} <= set(store.nodes(saved))
        assert next(numbers) <= 5
        assert saved.outcome is Outcome.COMPLETED

    def test_clock_set_back(self, store: HomeStore, home: Path) -> None:
        """Case 34: times before 1970, far in the future and to the nanosecond are stored."""
        times = [-1, -86_400_000_000_000 * 365 * 60, 1, 1_600_000_000_123_456_789, 9_214_646_400_000_000_000]
        for time_ns in times:
            (home / str(time_ns)).touch()
            os.utime(home / str(time_ns), ns=(time_ns, time_ns))

        saved = store.save(home)

        assert {node.mtime_ns for node in store.nodes(saved).values()} == {
            (home / str(time_ns)).stat().st_mtime_ns for time_ns in times
        }
        assert store.save(home, former=saved).unchanged_files == len(times)


class TestAmounts:
    """Cases 28 to 30."""

    def test_entry_listed_twice(self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Case 28: an entry that the file system lists twice is stored once."""
        (home / "one").touch()
        (home / "two").touch()
        really_listdir = os.listdir
        monkeypatch.setattr(os, "listdir", lambda folder: really_listdir(folder) + really_listdir(folder))

        assert list(store.nodes(store.save(home))) == [b"one", b"two"]

    def test_sparse_terabyte(self, store: HomeStore, home: Path) -> None:
        """Case 29: of a sparse file of a terabyte only the data is read; content and size are right."""
        data = os.urandom(1_000_000)
        with (home / "disk.img").open("wb") as file:
            file.seek(500 * 1024**3 + 12_345)
            file.write(data)
            file.truncate(1024**4)
        read = 0
        really_read = os.read

        def counting_read(descriptor: int, size: int) -> bytes:
            nonlocal read
            piece = really_read(descriptor, size)
            read += len(piece)
            return piece

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "read", counting_read)
            saved = store.save(home)
            again = store.save(home, former=saved)

        assert read < 2_000_000
        assert saved.bytes == store.nodes(saved)[b"disk.img"].size == 1024**4
        assert (again.tree, again.unchanged_files) == (saved.tree, 1)

    @pytest.mark.parametrize(
        "pieces",
        [
            [(0, 1)],
            [(20 * 1024**2, 5000)],
            [(0, 5000), (9 * 1024**2, 700_000), (30 * 1024**2, 1)],
            [(number * 64 * 1024, 4096) for number in range(100)],
            [],
        ],
        ids=["hole at the end", "hole at the start", "several", "many short ones", "nothing but a hole"],
    )
    def test_sparse_files(self, store: HomeStore, home: Path, pieces: list[tuple[int, int]]) -> None:
        """Case 29: holes anywhere in a file come back as zeros."""
        with (home / "file").open("wb") as file:
            for start, length in pieces:
                file.seek(start)
                file.write(os.urandom(length))
            file.truncate(33 * 1024**2 + 17)

        node = store.nodes(store.save(home))[b"file"]

        assert store.content(node) == (home / "file").read_bytes()
        assert node.size == 33 * 1024**2 + 17

    def test_endless_holes(self, store: HomeStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Case 29: files whose holes add up to more than any disk are named instead of filling the memory."""
        monkeypatch.setattr("jetcore.backup.content.MOST_HOLES", 3 * 1024**4)
        home = tmp_path / "alice2"
        home.mkdir()
        for name in ("1", "2"):
            with (home / name).open("wb") as file:
                file.truncate(2 * 1024**4)

        saved = store.save(home)

        assert kinds(saved) == {b"2": ItemKind.UNREADABLE}
        assert saved.outcome is Outcome.PARTIAL


class TestErrorsOfTheFileSystem:
    """Cases 31 and 33."""

    @pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.ETIMEDOUT])
    @pytest.mark.parametrize("size", [1000, 3_000_000])
    def test_read_error(
        self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch, code: int, size: int
    ) -> None:
        """Case 31: a file that gives an error while it is read is named and left out; the others are stored."""
        (home / "bad").write_bytes(os.urandom(size))
        (home / "good").write_bytes(b"good")

        def fail() -> None:
            raise OSError(code, os.strerror(code))

        before(monkeypatch, reading_call(size), None, fail)

        saved = store.save(home)

        assert kinds(saved) == {b"bad": ItemKind.UNREADABLE}
        assert saved.messages == (f"bad: cannot be read: {os.strerror(code)}",)
        assert set(store.nodes(saved)) == {b"good"}
        assert saved.outcome is Outcome.PARTIAL

    @pytest.mark.parametrize("call", ["stat", "open", "listdir", "listxattr", "readlink"])
    def test_error_of_any_call(self, store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
        """Case 31: whichever call fails, it costs what it was made for and no more."""
        (home / "bad").mkdir()
        (home / "bad" / "link").symlink_to("x")
        (home / "good").write_bytes(b"good")
        seen = 0

        def fail() -> None:
            nonlocal seen
            seen += 1
            if seen == (2 if call in ("listdir", "listxattr") else 1):
                raise OSError(errno.EIO, "Input/output error")

        names = {"stat": b"bad", "open": b"bad", "listdir": None, "listxattr": None, "readlink": b"link"}
        before(monkeypatch, call, names[call], fail, times=3)

        saved = store.save(home)

        assert [str(item.path).count("bad") for item in saved.items] == [1]
        assert store.content(store.nodes(saved)[b"good"]) == b"good"
        assert saved.outcome is Outcome.PARTIAL

    @pytest.fixture
    def mounted(self, home: Path) -> Iterator[Callable[..., Path]]:
        """Mount something in the home directory until the end of the test."""
        points: list[Path] = []

        def mount(name: str, *arguments: str) -> Path:
            point = home / name
            point.mkdir()
            subprocess.run(["mount", *arguments, point], check=True)
            points.append(point)
            return point

        yield mount
        for point in reversed(points):
            subprocess.run(["umount", point], check=True)

    def test_mounts(self, store: HomeStore, home: Path, mounted: Callable[..., Path]) -> None:
        """Case 33: what is mounted in a home directory is not entered but listed, on the same device or another one."""
        (home / "documents").mkdir()
        (home / "documents" / "letter").write_bytes(b"letter")
        (mounted("tmp fs", "-t", "tmpfs", "none") / "file").touch()
        mounted("bound", "--bind", str(home / "documents"))
        mounted("loop", "--bind", str(home))

        saved = store.save(home)

        assert kinds(saved) == dict.fromkeys((b"bound", b"loop", b"tmp fs"), ItemKind.MOUNT)
        assert "tmp fs: another file system (tmpfs) is mounted there; it is not stored" in saved.messages
        assert set(store.nodes(saved)) == {b"documents", b"documents/letter"}
        assert saved.outcome is Outcome.PARTIAL

    def test_device_border(
        self, store: HomeStore, home: Path, mounted: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Case 33: a folder of another device is not entered although the mount table knows nothing of it."""
        (mounted("volume", "-t", "tmpfs", "none") / "file").touch()
        monkeypatch.setattr("jetcore.backup.walk.mounts_beneath", lambda _root: {})

        saved = store.save(home)

        assert kinds(saved) == {b"volume": ItemKind.MOUNT}
        assert saved.folders == 1


def test_items_are_bounded(store: HomeStore, home: Path) -> None:
    """However many entries are skipped, a thousand of a kind are kept in full, the rest is counted."""
    os.chdir(home)
    for number in range(1010):
        os.mknod(f"socket-{number}", 0o140600)
    os.chdir("/")

    saved = store.save(home)

    assert len(saved.items) == 1000
    assert saved.item_counts == {ItemKind.SOCKET: 1010}


_READ_LARGE_FOLDER = """
import re, sys
from pathlib import Path
from jetcore.testing.homes import HomeStore

store = HomeStore()
saved = store.save(Path(sys.argv[1]))
again = store.save(Path(sys.argv[1]), former=saved)
assert (again.tree, again.unchanged_files) == (saved.tree, int(sys.argv[2])), again
# Not getrusage: its peak counts the memory of the process that started this one, too.
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def test_large_folder(tmp_path: Path) -> None:
    """Case 28: a folder of 300,000 entries is read, and again; the memory is that of its tree, few times."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        here = os.open(folder, _FOLDER)
        for number in range(300_000):
            os.close(os.open(f"message-{number:06}", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        os.close(here)
        result = subprocess.run(
            [sys.executable, "-c", _READ_LARGE_FOLDER, folder, "300000"], capture_output=True, text=True
        )

    assert result.returncode == 0, result.stderr
    assert int(result.stdout) < 400 * 1024
