"""Cases of the list of hostile trees on the way there and back, and the page that names the tests of each."""

from __future__ import annotations

import ast
import errno
import mmap
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from jetcore import Outcome
from jetcore.backup.items import ItemKind
from jetcore.destinations import LocalDestination, LocalSettings
from jetcore.errors import DestinationFullError, RestoreError
from jetcore.restore.writer import restore_tree
from jetcore.testing.homes import HomeStore
from jetcore.testing.trees import fingerprint

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/fidelity.md"


@pytest.fixture
def store() -> HomeStore:
    return HomeStore()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "alice"
    home.mkdir()
    return home


def put_back(store: HomeStore, saved, target: Path, **options):
    return restore_tree(store.repository, saved.tree, target, root=saved.node, workers=1, **options)


def test_one_link_of_a_group(store, home, tmp_path):
    """Case 9: a link to a file outside of the home, or outside of what is restored, comes back with the content."""
    (tmp_path / "outside").write_bytes(b"content")
    os.link(tmp_path / "outside", home / "one")
    os.link(home / "one", home / "other")
    saved = store.save(home)

    assert put_back(store, saved, tmp_path / "all").problems == ()
    assert fingerprint(tmp_path / "all") == fingerprint(home)
    assert put_back(store, saved, tmp_path / "some", only=[b"other"]).problems == ()
    assert (tmp_path / "some/other").read_bytes() == b"content"
    assert (tmp_path / "some/other").stat().st_nlink == 1


def test_whiteouts(store, home, tmp_path):
    """Case 13: the device 0:0, with which overlay file systems mark what is removed, is a device like others."""
    os.mknod(home / "whiteout", stat.S_IFCHR | 0o600, os.makedev(0, 0))
    saved = store.save(home)

    assert put_back(store, saved, tmp_path / "refused").problem_count == 1
    assert put_back(store, saved, tmp_path / "allowed", allow_devices=True).problems == ()
    assert fingerprint(tmp_path / "allowed") == fingerprint(home)


@pytest.mark.parametrize("flag", ["i", "a", "d", "i,d"])
def test_flags(store, home, tmp_path, flag):
    """Case 15: files and folders with flags are read; the flags themselves the format cannot hold."""
    (home / "folder").mkdir()
    (home / "folder/file").write_bytes(b"content")
    flags = flag.replace(",", "")
    subprocess.run(["chattr", f"+{flags}", home / "folder/file", home / "folder"], check=True)
    try:
        saved = store.save(home)
        assert put_back(store, saved, tmp_path / "back").problems == ()
        assert fingerprint(tmp_path / "back") == fingerprint(home)
    finally:
        subprocess.run(["chattr", f"-{flags}", home / "folder/file", home / "folder"], check=True)
    assert saved.outcome is Outcome.COMPLETED


def test_moved_elsewhere(store, home, monkeypatch):
    """Case 26: a folder that moves to a place that was read already is noted as gone; all else is stored."""
    for name in ("a", "b"):
        (home / name).mkdir()
        (home / name / "file").write_bytes(name.encode())
    really = os.open

    def move(name, *arguments, **options):
        if name == b"b":
            monkeypatch.setattr(os, "open", really)
            (home / "b").rename(home / "a" / "b")
        return really(name, *arguments, **options)

    monkeypatch.setattr(os, "open", move)
    saved = store.save(home)

    assert [(item.path, item.kind) for item in saved.items] == [(b"b", ItemKind.VANISHED)]
    assert set(store.nodes(saved)) == {b"a", b"a/file"}
    assert saved.outcome is Outcome.COMPLETED
    assert set(store.nodes(store.save(home, former=saved))) == {b"a", b"a/file", b"a/b", b"a/b/file"}


def test_lengths_around_the_cuts(store, home, tmp_path):
    """Case 30: whatever its length and content, a file comes back byte for byte."""
    for length in (0, 1, *(cut + more for cut in (512 << 10, 8 << 20) for more in (-1, 0, 1))):
        (home / f"random {length}").write_bytes(os.urandom(length))
        (home / f"zeros {length}").write_bytes(bytes(length))
        (home / f"repeated {length}").write_bytes((b"again and " * (length // 10 + 1))[:length])
    saved = store.save(home)

    assert put_back(store, saved, tmp_path / "back").problems == ()
    assert fingerprint(tmp_path / "back") == fingerprint(home)


def test_mounts_are_not_touched(store, home, monkeypatch):
    """Case 31: what is mounted in a home directory is not even looked at: a server that is gone would hang the walk."""
    (home / "far").mkdir()
    (home / "near").write_bytes(b"near")
    really = os.stat

    def look(path, *arguments, **options):
        assert path != b"far"
        return really(path, *arguments, **options)

    subprocess.run(["mount", "-t", "tmpfs", "none", home / "far"], check=True)
    try:
        monkeypatch.setattr(os, "stat", look)
        saved = store.save(home)
    finally:
        monkeypatch.undo()
        subprocess.run(["umount", home / "far"], check=True)

    assert [(item.path, item.kind) for item in saved.items] == [(b"far", ItemKind.MOUNT)]
    assert set(store.nodes(saved)) == {b"near"}


def test_file_written_through_memory(store, home):
    """Case 32: what a program has written to a mapped file and synced is in the next restore point."""
    (home / "mapped").write_bytes(bytes(1000))
    with open(home / "mapped", "r+b") as file, mmap.mmap(file.fileno(), 0) as mapped:
        saved = store.save(home)
        mapped[500:507] = b"changed"
        mapped.flush()

        later = store.save(home, former=saved)

    assert store.content(store.nodes(later)[b"mapped"])[500:507] == b"changed"


def test_used_up_quotas(store, home, tmp_path, monkeypatch):
    """Case 36: a quota that is used up is said to be, at the destination and at the target of a restore."""
    (home / "file").write_bytes(b"content")
    saved = store.save(home)
    really = os.open

    def refuse(path, flags, *arguments, **options):
        if flags & os.O_CREAT:
            raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
        return really(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)

    with pytest.raises(DestinationFullError, match="quota"):
        LocalDestination(LocalSettings(path=str(tmp_path / "store"))).put("a", b"1")
    with pytest.raises(RestoreError, match="quota is used up"):
        put_back(store, saved, tmp_path / "back")


def test_busy_files(store, home, tmp_path):
    """Case 42: a program that runs and a file that is open are replaced; whoever has the old one keeps it."""
    shutil.copy("/bin/cat", home / "program")
    (home / "open").write_bytes(b"restored")
    saved = store.save(home)
    target = tmp_path / "target"
    target.mkdir()
    shutil.copy("/bin/cat", target / "program")
    (target / "open").write_bytes(b"former")
    with (
        subprocess.Popen([target / "program"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running,
        open(target / "open", "rb") as reading,
    ):
        assert put_back(store, saved, target).problems == ()
        answer, _ = running.communicate(b"still here")

        assert (answer, reading.read()) == (b"still here", b"former")
    assert fingerprint(target) == fingerprint(home)


STAGING = """
import os, sys
from pathlib import Path
from jetcore.restore.writer import restore_tree
from jetcore.testing.homes import HomeStore

made = []

def hook(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT:
        made.append(arguments[0])
    if event in ("os.mkdir", "os.symlink", "os.link", "os.rename", "tempfile.mkstemp", "tempfile.mkdtemp"):
        made.append(arguments[0])

store = HomeStore()
sys.addaudithook(hook)
saved = store.save(Path(sys.argv[1]))
assert made == [], made
restore_tree(store.repository, saved.tree, Path(sys.argv[2]), root=saved.node, workers=1)
assert made
assert not [path for path in made if os.path.isabs(os.fsencode(path))], made
"""


def test_nothing_is_staged(home, tmp_path):
    """Cases 44 and 45: a backup makes no file at all, and a restore none but below its target, through descriptors."""
    (home / "folder").mkdir()
    (home / "folder/large").write_bytes(os.urandom(9 << 20))
    (tmp_path / "back").mkdir()

    subprocess.run([sys.executable, "-c", STAGING, home, tmp_path / "back"], check=True)

    assert fingerprint(tmp_path / "back") == fingerprint(home)


TESTS = re.findall(r"`((?:tests|plugins)/[^`:]+)::([^`]+)`", PAGE.read_text())


def test_the_page_names_every_case():
    """Each case of the list has its line on docs/fidelity.md, in their order, with at least one test or a reason."""
    lines = [line.split("|") for line in PAGE.read_text().splitlines() if re.match(r"\| \d", line)]

    assert [int(line[1]) for line in lines] == list(range(1, 53))
    for line in lines:
        assert "::" in line[4] or line[4].strip().startswith("no test:"), line


def found_in(path):
    """The tests of a module, those in classes by their full names."""
    for node in ast.parse((ROOT / path).read_bytes()).body:
        for name, inside in [(f"{node.name}::", node.body)] if isinstance(node, ast.ClassDef) else [("", [node])]:
            yield from (name + found.name for found in inside if isinstance(found, ast.FunctionDef))


def test_the_page_names_tests_that_exist():
    """Each test that docs/fidelity.md names is there."""
    there = {path: set(found_in(path)) for path, _ in TESTS}

    assert TESTS
    assert [(path, name) for path, name in TESTS if name not in there[path]] == []
