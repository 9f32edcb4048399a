from __future__ import annotations

import os
import pwd
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from jetcore import Outcome
from jetcore.backup.reader import Parent, save_directory
from jetcore.errors import DestinationFullError, SourceError
from jetcore.model import Secret
from jetcore.repository import Repository
from jetcore.testing.homes import HomeStore
from jetcore.testing.memory import MemoryDestination
from jetcore.testing.trees import fingerprint, make_tree_with_everything


@pytest.fixture
def store() -> HomeStore:
    return HomeStore()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "alice"
    home.mkdir(mode=0o750)
    (home / "index.php").write_bytes(b"<?php echo 1;")
    (home / "mail").mkdir()
    (home / "mail" / "1").write_bytes(b"Subject: one\n")
    (home / "mail" / "2").write_bytes(b"Subject: two\n")
    (home / "mail" / "old").mkdir()
    (home / "mail" / "old" / "0").write_bytes(b"Subject: zero\n")
    return home


def opened_files(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the list of regular files that are opened from now on."""
    names: list[bytes] = []
    really_open = os.open

    def noting_open(path, flags, *args, **options):
        if "dir_fd" in options and not flags & os.O_DIRECTORY:
            names.append(path)
        return really_open(path, flags, *args, **options)

    monkeypatch.setattr(os, "open", noting_open)
    return names


def save_and_flush(repository: Repository, home: Path) -> None:
    with repository.writer() as writer:
        save_directory(writer, home)
        writer.flush()


def test_everything_is_stored(store: HomeStore, tmp_path: Path) -> None:
    """Every kind of entry, name, owner, mode, time, attribute, link and content is in the stored tree."""
    make_tree_with_everything(tmp_path / "home")
    expected = fingerprint(tmp_path / "home")

    saved = store.save(tmp_path / "home")

    nodes = store.nodes(saved) | {b".": saved.node}
    sockets = {path for path, print_ in expected.items() if print_.kind == "socket"}
    assert nodes.keys() == expected.keys() - sockets
    for path, node in nodes.items():
        wanted = expected[path]
        assert (node.type, node.mode, node.uid, node.gid) == (wanted.kind, wanted.mode, wanted.uid, wanted.gid), path
        assert (node.mtime_ns, node.linktarget, node.xattrs) == (wanted.mtime_ns, wanted.linktarget, wanted.xattrs)
        assert node.size == wanted.size
        if node.device:
            assert (os.major(node.device), os.minor(node.device)) == wanted.device
    assert saved.outcome is Outcome.COMPLETED


def test_contents_come_back(store: HomeStore, home: Path) -> None:
    """The blobs of a file are its content, whatever its size, and an empty file has none."""
    sizes = [0, 1, 524_287, 524_288, 524_289, 3_000_000]
    for size in sizes:
        (home / f"random-{size}").write_bytes(os.urandom(size))
        (home / f"zeros-{size}").write_bytes(bytes(size))

    nodes = store.nodes(store.save(home))

    for size in sizes:
        for kind in ("random", "zeros"):
            name = f"{kind}-{size}"
            node = nodes[name.encode()]
            assert store.content(node) == (home / name).read_bytes()
            assert node.size == size
            assert len(node.content) == (size > 0) or size > 524_288


def test_counts(store: HomeStore, home: Path) -> None:
    """The result says how many files, folders and bytes there are."""
    saved = store.save(home)

    assert (saved.files, saved.folders, saved.unchanged_files) == (4, 3, 0)
    assert saved.bytes == sum(path.stat().st_size for path in home.rglob("*") if path.is_file())


def test_root_node(store: HomeStore, home: Path) -> None:
    """The result holds the root's own facts, without a name."""
    os.chown(home, 12345, 12346)

    node = store.save(home).node

    facts = home.stat()
    assert (node.name, node.type, node.mode, node.uid, node.gid) == (b"", "dir", 0o750, 12345, 12346)
    assert (node.mtime_ns, node.ctime_ns, node.inode) == (facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino)


def test_owners_have_names(store: HomeStore, home: Path) -> None:
    """Owner and group of an entry are stored by number and, where the system knows it, by name."""
    nobody = pwd.getpwnam("nobody")
    os.chown(home / "index.php", nobody.pw_uid, 4_000_000)

    node = store.nodes(store.save(home))[b"index.php"]

    assert (node.uid, node.user, node.gid, node.group) == (nobody.pw_uid, "nobody", 4_000_000, "")


def test_unchanged_folder_gives_the_same_tree(store: HomeStore, home: Path) -> None:
    """Two independent readings of an unchanged directory give the same tree."""
    assert store.save(home).tree == store.save(home).tree == HomeStore().save(home).tree


def test_unchanged_files_are_not_opened(store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that the former snapshot knows is taken over without being opened, attributes included."""
    (home / "empty").touch()
    os.setxattr(home / "index.php", b"user.note", b"]},{")
    (home / "large").write_bytes(os.urandom(2_000_000))
    first = store.save(home)
    opened = opened_files(monkeypatch)

    again = store.save(home, former=first)

    assert opened == []
    assert again.unchanged_files == again.files == first.files == 6
    assert (again.tree, again.bytes) == (first.tree, first.bytes)


def test_unchanged_directory_adds_nothing(store: HomeStore, home: Path) -> None:
    """Reading an unchanged directory again stores nothing at the destination."""
    first = store.save(home)
    before = set(store.destination.objects)

    store.save(home, former=first)

    assert set(store.destination.objects) == before


@pytest.mark.parametrize("name", ["index.php", "mail/1", "mail/2", "mail/old/0"])
def test_changed_file_is_read(store: HomeStore, home: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a directory in which one file changed only that file is read, and the result is that of a full reading."""
    first = store.save(home)
    (home / name).write_bytes(b"something else")
    opened = opened_files(monkeypatch)

    again = store.save(home, former=first)

    assert opened == [os.path.basename(name).encode()]
    assert store.content(store.nodes(again)[name.encode()]) == b"something else"
    assert again.tree == HomeStore().save(home).tree


def test_added_and_removed_entries(store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """New entries are read, removed ones are gone, the rest is taken over; the result is that of a full reading."""
    first = store.save(home)
    (home / "mail" / "1").unlink()
    (home / "mail" / "0 first").write_bytes(b"new")
    (home / "mail" / "1a").write_bytes(b"new")
    (home / "mail" / "\xe4 last").write_bytes(b"new")
    (home / "old").mkdir()
    subprocess.run(["rm", "-r", home / "mail" / "old"], check=True)
    opened = opened_files(monkeypatch)

    again = store.save(home, former=first)

    assert sorted(opened) == [b"0 first", b"1a", "\xe4 last".encode()]
    assert again.tree == HomeStore().save(home).tree


def test_folder_that_became_a_file(store: HomeStore, home: Path) -> None:
    """An entry that changed its type since the former snapshot is read as what it is now."""
    first = store.save(home)
    subprocess.run(["rm", "-r", home / "mail"], check=True)
    (home / "mail").write_bytes(b"file now")
    (home / "index.php").unlink()
    (home / "index.php").mkdir()

    again = store.save(home, former=first)

    assert again.tree == HomeStore().save(home).tree


def test_same_size_and_mtime_but_other_content(store: HomeStore, home: Path) -> None:
    """Case 20: an edit that keeps size and mtime, as ``touch -r`` and ``rsync -t`` make it, is seen by the ctime."""
    file = home / "index.php"
    facts = file.stat()
    first = store.save(home)
    file.write_bytes(b"<?php echo 2;")
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))

    nodes = store.nodes(store.save(home, former=first))

    assert store.content(nodes[b"index.php"]) == b"<?php echo 2;"


def test_file_replaced_by_an_older_one(store: HomeStore, home: Path) -> None:
    """A file that was exchanged for another of the same size and mtime is read."""
    file, other = home / "index.php", home / "other"
    other.write_bytes(b"<?php echo 2;")
    facts = file.stat()
    os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    first = store.save(home)
    other.rename(file)

    nodes = store.nodes(store.save(home, former=first))

    assert store.content(nodes[b"index.php"]) == b"<?php echo 2;"


def test_files_younger_than_the_former_scan_are_read(
    store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 21: what changed less than two seconds before the former scan began, or later, is read in any case."""
    started = datetime.now(UTC)
    first = store.save(home)
    opened = opened_files(monkeypatch)

    for when, expected in ((started, [b"1", b"2", b"0", b"index.php"]), (started + timedelta(seconds=3), [])):
        opened.clear()
        again = store.save(home, parent=Parent(repository=store.repository, tree=first.tree, scan_started=when))
        assert sorted(opened) == sorted(expected)
        assert again.tree == first.tree


def test_file_whose_blob_is_lost_is_read(store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unchanged file is read all the same when the repository no longer has its content."""
    other = HomeStore()
    first = other.save(home)
    (lost,) = other.nodes(first)[b"mail/1"].content
    with other.repository.writer() as writer:

        class Forgetful:
            save_data, save_into, save_tree = writer.save_data, writer.save_into, writer.save_tree

            def has_blob(self, blob: bytes) -> bool:
                return blob != lost and writer.has_blob(blob)

        opened = opened_files(monkeypatch)
        later = datetime.now(UTC) + timedelta(hours=1)
        parent = Parent(repository=other.repository, tree=first.tree, scan_started=later)
        again = save_directory(Forgetful(), home, parent=parent)

    assert opened == [b"1"]
    assert again.tree == first.tree


def test_damaged_former_tree(store: HomeStore, home: Path) -> None:
    """A former tree that cannot be loaded makes the backup slower, not impossible."""
    parent = Parent(repository=store.repository, tree=bytes(32), scan_started=datetime.now(UTC))

    assert store.save(home, parent=parent).tree == HomeStore().save(home).tree


def test_attributes_of_a_folder(store: HomeStore, home: Path) -> None:
    """Attributes of folders and of the root are stored, and seen when they change."""
    os.setxattr(home, b"user.note", b"root")
    os.setxattr(home / "mail", b"user.note", b"one")
    first = store.save(home)
    os.setxattr(home / "mail", b"user.note", b"two")

    again = store.save(home, former=first)

    assert first.node.xattrs == again.node.xattrs == ((b"user.note", b"root"),)
    assert store.nodes(first)[b"mail"].xattrs == ((b"user.note", b"one"),)
    assert store.nodes(again)[b"mail"].xattrs == ((b"user.note", b"two"),)


def test_progress(store: HomeStore, home: Path) -> None:
    """Progress is reported at the end at the latest, with all files and bytes."""
    seen: list[tuple[int, int]] = []

    saved = store.save(home, on_progress=lambda files, size: seen.append((files, size)))

    assert seen[-1] == (saved.files, saved.bytes)


def test_progress_is_not_reported_for_each_file(store: HomeStore, home: Path) -> None:
    """However many files there are, progress is reported about ten times a second."""
    for number in range(2000):
        (home / str(number)).touch()
    seen: list[float] = []
    started = datetime.now(UTC)

    store.save(home, on_progress=lambda _files, _size: seen.append(0))

    assert len(seen) <= 10 * (datetime.now(UTC) - started).total_seconds() + 2


def test_hard_links_are_read_once(store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 9: links to one file keep inode and device in common, over folders too, and its content is read once."""
    os.link(home / "index.php", home / "mail" / "index.php")
    old = datetime.now(UTC) + timedelta(seconds=10)
    monkeypatch.setattr("time.time_ns", lambda: int(old.timestamp() * 1e9))
    opened = opened_files(monkeypatch)

    saved = store.save(home)

    one, other = (store.nodes(saved)[name] for name in (b"index.php", b"mail/index.php"))
    assert opened.count(b"index.php") == 1
    assert (one.inode, one.device_id, one.links, one.content) == (other.inode, other.device_id, 2, other.content)
    assert one.device_id != 0
    assert store.save(home, former=saved).tree == saved.tree


def test_destination_error_goes_through(home: Path) -> None:
    """An error of the destination ends the reading; it is never taken for an unreadable file."""
    destination = MemoryDestination()
    repository = Repository.init(destination, "alice-1/", Secret("secret"))
    (home / "large").write_bytes(os.urandom(3_000_000))
    destination._capacity = sum(map(len, destination.objects.values())) + 1_000_000

    with pytest.raises(DestinationFullError):
        save_and_flush(repository, home)


def test_descriptors_are_closed(store: HomeStore, home: Path) -> None:
    """Reading leaves no descriptor open, also when it ends with an error."""
    before = os.listdir("/proc/self/fd")
    store.save(home)

    with pytest.raises(ZeroDivisionError):
        store.save(home, on_progress=lambda _files, _size: 1 // 0)

    assert os.listdir("/proc/self/fd") == before


class TestRoot:
    """What the reading may begin at."""

    def test_missing(self, store: HomeStore, tmp_path: Path) -> None:
        """A home directory that does not exist is named."""
        with pytest.raises(SourceError, match=r"/bob does not exist"):
            store.save(tmp_path / "bob")

    def test_file(self, store: HomeStore, tmp_path: Path) -> None:
        """A home directory that is a file is named."""
        (tmp_path / "bob").touch()
        with pytest.raises(SourceError, match=r"/bob is not a directory"):
            store.save(tmp_path / "bob")

    def test_link(self, store: HomeStore, tmp_path: Path, home: Path) -> None:
        """A home directory that is a symbolic link is refused."""
        (tmp_path / "bob").symlink_to(home)
        with pytest.raises(SourceError, match=r"/bob is a symbolic link"):
            store.save(tmp_path / "bob")

    def test_link_on_the_way(self, store: HomeStore, tmp_path: Path, home: Path) -> None:
        """A symbolic link above the home directory is refused, too, where others than root may put one."""
        (tmp_path / "homes").symlink_to(tmp_path)
        tmp_path.chmod(0o777)
        with pytest.raises(SourceError, match=r"homes on the way to .* is a symbolic link"):
            store.save(tmp_path / "homes" / "alice")

    def test_link_of_root_on_the_way(self, store: HomeStore, tmp_path: Path, home: Path) -> None:
        """A symbolic link above the home directory is followed where only root can have put it."""
        (tmp_path / "homes").symlink_to(tmp_path)

        assert store.save(tmp_path / "homes" / "alice").tree == store.save(home).tree

    def test_link_in_the_base(self, store: HomeStore, tmp_path: Path, home: Path) -> None:
        """A symbolic link in the part of the path that the administrator vouches for is followed."""
        (tmp_path / "homes").symlink_to(tmp_path)

        saved = store.save(tmp_path / "homes" / "alice", base=tmp_path / "homes")

        assert saved.tree == store.save(home).tree

    @pytest.mark.parametrize("path", ["/", "//", "/tmp/..", "relative", "/proc/self/root"])
    def test_root_directory(self, store: HomeStore, path: str) -> None:
        """The root directory, under whatever name, and paths that are not absolute are refused."""
        with pytest.raises(SourceError, match=r"root directory|not an absolute path|symbolic link"):
            store.save(Path(path))

    def test_base_itself(self, store: HomeStore, home: Path) -> None:
        """The folder that the administrator vouches for is itself no home directory."""
        with pytest.raises(SourceError, match="root directory"):
            store.save(home, base=home)

    def test_outside_of_the_base(self, store: HomeStore, home: Path) -> None:
        """A home directory outside of the base is refused."""
        with pytest.raises(SourceError, match="not an absolute path below /srv"):
            store.save(home, base=Path("/srv"))


def test_access_times_are_left_alone(store: HomeStore, home: Path) -> None:
    """Reading does not touch the access times: mail programs and quota reports live by them."""
    old = 1_000_000_000_000_000_000
    paths = [path for path in (home, *home.rglob("*")) if not path.is_symlink()]
    for path in paths:
        os.utime(path, ns=(old, path.stat().st_mtime_ns))

    store.save(home)

    assert {path.stat().st_atime_ns for path in paths} == {old}


def test_file_of_which_the_owner_was_renamed(store: HomeStore, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file whose owner has another name now is stored with that name, without being opened."""
    first = store.save(home)
    monkeypatch.setattr("jetcore.backup.encoding._user", lambda _uid: "renamed")
    opened = opened_files(monkeypatch)

    again = store.save(home, former=first)

    assert opened == []
    assert {node.user for node in store.nodes(again).values()} == {"renamed"}
    assert {node.content for node in store.nodes(again).values()} == {
        node.content for node in store.nodes(first).values()
    }
