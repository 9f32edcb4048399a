"""The stock restic program beside our own reader and writer, on the same repositories."""

from __future__ import annotations

import os
import stat
import subprocess

import attrs
import pytest

from jetcore.destinations import LocalDestination, LocalSettings
from jetcore.model import Secret
from jetcore.repository import Node, Repository, encode_node, encode_tree, keys

PASSWORD = "correct horse"  # of throw-away repositories
TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFBLK: "dev",
    stat.S_IFCHR: "chardev",
    stat.S_IFIFO: "fifo",
}
ODD_NAMES = [
    b"plain",
    b"bytes \xff\xfe",
    b"new\nline\ttab",
    b'quote"back\\slash',
    b"<angle>&amp",
    "line\u2028separator\u2029".encode(),
    "ümläut \U0001f600 no-break\u00a0space".encode(),
    b"cut \xe2\x82",
    b"\x01\x7f control",
    b"-dash",
    b"n" * 255,
]


@pytest.fixture
def cheap_keys(monkeypatch):
    """Deriving a key takes a good part of a second, on purpose; one test does it as it is."""
    monkeypatch.setattr(keys, "_COST", attrs.evolve(keys._COST, n=1024, p=1))


@pytest.fixture
def restic(tmp_path):
    """Runs the stock restic on the repository ``repo`` and returns what it printed."""
    password_file = tmp_path / "password"
    password_file.write_text(PASSWORD)
    environment = os.environ | {
        "RESTIC_PASSWORD_FILE": str(password_file),
        "RESTIC_REPOSITORY": str(tmp_path / "destination" / "repo"),
        "TZ": "UTC",
    }

    def run(*arguments, ok=True, **options):
        command = ["restic", "--no-cache", *map(os.fspath, arguments)]
        result = subprocess.run(command, env=environment, capture_output=True, **options)
        assert (result.returncode == 0) == ok, result.stderr.decode("utf-8", "replace")
        return (result.stdout if ok else result.stderr).decode("utf-8", "replace")

    def start(*arguments):
        return subprocess.Popen(
            ["restic", "--no-cache", *arguments],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    run.start = start
    return run


@pytest.fixture
def destination(tmp_path):
    return LocalDestination(LocalSettings(path=str(tmp_path / "destination")))


@pytest.fixture
def ours(destination, cheap_keys):
    """A repository that we made."""
    return Repository.init(destination, "repo/", Secret(PASSWORD))


@pytest.fixture
def theirs(destination, restic):
    """A repository that restic made."""
    restic("init")
    return Repository.open(destination, "repo/", password=Secret(PASSWORD))


@pytest.fixture
def source(tmp_path):
    """A small tree with something of everything."""
    root = os.fsencode(tmp_path / "source")
    os.makedirs(root + b"/dir/below/empty")
    for number, name in enumerate(ODD_NAMES):
        write(root + b"/" + name, b"contents %d\n" % number * number)
        write(root + b"/dir/below/" + name, b"below %d\n" % number)
    write(root + b"/empty", b"")
    write(root + b"/half a MiB", os.urandom(512 << 10))
    write(root + b"/large", os.urandom(9 << 20) + bytes(9 << 20) + b"end")
    with open(root + b"/sparse", "wb") as file:
        file.seek(3 << 20)
        file.write(b"data")
        file.truncate(12 << 20)
    os.symlink(b"plain", root + b"/link")
    os.symlink(b"../dangling/<&>\n", root + b"/odd link")
    os.link(root + b"/plain", root + b"/dir/hard link")
    os.mkfifo(root + b"/fifo", 0o640)
    os.mknod(root + b"/null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(root + b"/loop", stat.S_IFBLK | 0o660, os.makedev(7, 200))
    os.chmod(root + b"/empty", 0)
    os.chmod(root + b"/half a MiB", 0o6755)
    os.chmod(root + b"/dir/below", 0o3777)
    os.chown(root + b"/large", 12345, 54321)
    os.lchown(root + b"/link", 12345, 54321)
    os.setxattr(root + b"/plain", b"user.one", b"\x00\xff value")
    os.setxattr(root + b"/plain", b"user.empty", b"")
    os.setxattr(root + b"/dir", b"user.dir", b"x")
    os.utime(root + b"/empty", ns=(0, -1_234_567_890_000_000_001))
    os.utime(root + b"/sparse", ns=(0, 1_500_000_000))
    os.utime(root + b"/link", ns=(0, 1_000_000_000_120_000_000), follow_symlinks=False)
    os.utime(root + b"/dir/below", ns=(0, 1))
    return root


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def node_of(path, **found):
    """The node of a file as restic 0.14 makes it from the same facts."""
    facts = os.lstat(path)
    kind = TYPES[stat.S_IFMT(facts.st_mode)]
    return Node(
        name=os.path.basename(path),
        type=kind,
        mode=stat.S_IMODE(facts.st_mode),
        mtime_ns=facts.st_mtime_ns,
        ctime_ns=facts.st_ctime_ns,
        uid=facts.st_uid,
        gid=facts.st_gid,
        user="root" if not facts.st_uid else "",
        group="root" if not facts.st_gid else "",
        inode=facts.st_ino,
        device_id=facts.st_dev,
        size=facts.st_size if kind == "file" else 0,
        links=facts.st_nlink if kind in ("file", "symlink", "dev", "chardev") else 0,
        linktarget=os.readlink(path) if kind == "symlink" else b"",
        xattrs=tuple((os.fsencode(name), os.getxattr(path, name)) for name in os.listxattr(path))
        if kind in ("file", "dir")
        else (),
        device=facts.st_rdev if kind in ("dev", "chardev") else 0,
        **found,
    )


@pytest.fixture
def expected_node():
    return node_of


@pytest.fixture
def store():
    """Stores a folder and returns its tree."""

    def store_folder(writer, folder):
        nodes = []
        for name in sorted(os.listdir(folder)):
            path = folder + b"/" + name
            if os.path.isdir(path) and not os.path.islink(path):
                nodes.append(node_of(path, subtree=store_folder(writer, path)))
            elif os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as file:
                    content, _ = writer.save_stream(file.read)
                nodes.append(node_of(path, content=content))
            else:
                nodes.append(node_of(path))
        return writer.save_tree(encode_tree(map(encode_node, nodes)))

    return store_folder


@pytest.fixture
def facts():
    """Everything about a tree that a restore has to bring back, by path."""

    def look(root):
        found = {}
        groups = {}
        for folder, folders, files in os.walk(root):
            for name in (*folders, *files):
                path = os.path.join(folder, name)
                status = os.lstat(path)
                kind = stat.S_IFMT(status.st_mode)
                key = path[len(root) + 1 :]
                groups.setdefault(status.st_ino, []).append(key)
                found[key] = (
                    kind,
                    stat.S_IMODE(status.st_mode),
                    status.st_uid,
                    status.st_gid,
                    status.st_mtime_ns,
                    status.st_rdev,
                    os.readlink(path) if kind == stat.S_IFLNK else None,
                    {
                        name: os.getxattr(path, name, follow_symlinks=False)
                        for name in os.listxattr(path, follow_symlinks=False)
                    },
                    read(path) if kind == stat.S_IFREG else None,
                )
        return found, sorted(sorted(group) for group in groups.values() if len(group) > 1)

    return look


def read(path):
    with open(path, "rb") as file:
        return file.read()
