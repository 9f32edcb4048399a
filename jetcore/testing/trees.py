"""Directory trees for tests: one with everything that Linux can put into it, and a fingerprint to compare trees by."""

from __future__ import annotations

import hashlib
import os
import socket
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import attrs

_KINDS = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "chardev",
    stat.S_IFBLK: "dev",
}
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@attrs.frozen(kw_only=True)
class Fingerprint:
    """All that has to survive a backup and a restore of one entry."""

    kind: str
    #: Permission bits with setuid, setgid and sticky.
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    #: Size of a file; 0 for all else.
    size: int = 0
    #: SHA-256 of a file's content.
    digest: str = ""
    linktarget: bytes = b""
    #: Major and minor number of a device.
    device: tuple[int, int] = (0, 0)
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    #: First path, in the order of bytes, of the entry's hard links; empty if there is only one.
    link_group: bytes = b""


def fingerprint(path: Path | str | bytes) -> dict[bytes, Fingerprint]:
    """Return what is found in the directory *path*, by relative path; the directory itself is ``b"."``.

    Works through directory descriptors, so that neither depth nor the length of paths matters; nothing is followed.
    """
    found: dict[bytes, Fingerprint] = {}
    groups: dict[tuple[int, int], list[bytes]] = {}
    for relative, directory, name in _walk(os.fsencode(path)):
        facts = os.stat(name, dir_fd=directory, follow_symlinks=False)
        found[relative] = _take(directory, name, facts)
        if facts.st_nlink > 1 and not stat.S_ISDIR(facts.st_mode):
            groups.setdefault((facts.st_dev, facts.st_ino), []).append(relative)
    for group in groups.values():
        for relative in group if len(group) > 1 else ():
            found[relative] = attrs.evolve(found[relative], link_group=min(group))
    return found


def _walk(top: bytes) -> Iterator[tuple[bytes, int, bytes]]:
    root = os.open(top, _DIRECTORY)
    yield b".", root, b"."
    waiting = [b""]
    last, directory = b"", os.dup(root)
    try:
        while waiting:
            folder = waiting.pop()
            # Going down a step at a time is what makes very deep trees bearable.
            below = folder.startswith(last + b"/")
            following = _open(directory if below else root, folder[len(last) + 1 :] if below else folder)
            os.close(directory)
            last, directory = folder, following
            for name in sorted(map(os.fsencode, os.listdir(directory))):
                relative = b"%b/%b" % (folder, name) if folder else name
                yield relative, directory, name
                if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                    waiting.append(relative)
    finally:
        os.close(directory)
        os.close(root)


def _open(start: int, folder: bytes) -> int:
    opened = os.dup(start)
    while folder:
        end = len(folder) if len(folder) < 4000 else folder.rindex(b"/", 0, 4000)
        following = os.open(folder[:end], _DIRECTORY, dir_fd=opened)
        os.close(opened)
        opened, folder = following, folder[end + 1 :]
    return opened


def _take(directory: int, name: bytes, facts: os.stat_result) -> Fingerprint:
    kind = _KINDS[stat.S_IFMT(facts.st_mode)]
    look = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=directory)
    try:
        reached = f"/proc/self/fd/{look}"
        xattrs = [(os.fsencode(key), os.getxattr(reached, key)) for key in os.listxattr(reached)]
    finally:
        os.close(look)
    return Fingerprint(
        kind=kind,
        mode=stat.S_IMODE(facts.st_mode),
        uid=facts.st_uid,
        gid=facts.st_gid,
        mtime_ns=facts.st_mtime_ns,
        size=facts.st_size if kind == "file" else 0,
        digest=_digest(directory, name) if kind == "file" else "",
        linktarget=os.readlink(name, dir_fd=directory) if kind == "symlink" else b"",
        device=(os.major(facts.st_rdev), os.minor(facts.st_rdev)) if kind in ("dev", "chardev") else (0, 0),
        xattrs=tuple(sorted(xattrs)),
    )


def _digest(directory: int, name: bytes) -> str:
    with open(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=directory), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def acl(*, user: int, mode: int) -> bytes:
    """Return a POSIX ACL, as its attribute holds it: rwxr-x--- and *mode* for the additional user number *user*."""
    entries = ((0x01, 7, 0xFFFFFFFF), (0x02, mode, user), (0x04, 5, 0xFFFFFFFF), (0x10, 7, 0xFFFFFFFF))
    other = (0x20, 0, 0xFFFFFFFF)
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in (*entries, other))


def make_tree_with_everything(path: Path) -> None:
    """Make the directory *path* and fill it with every kind of entry, name, owner, mode, time, attribute and content.

    Needs root and a file system with ACLs, attributes and sparse files, such as ext4. What no restore brings back (a
    socket) or only with more rights than an account has (devices, setuid, capabilities) is left to the caller.
    """
    path.mkdir()
    top = os.fsencode(path)
    _fill_names(top + b"/names")
    _fill_contents(top + b"/contents")
    _fill_kinds(top + b"/kinds")
    _fill_metadata(top + b"/metadata")
    os.chmod(path, 0o751)  # noqa: S103  # as homes of hosting accounts have it
    os.chown(path, 12345, 12346)
    os.utime(path, ns=(1_600_000_000_123_456_789, 1_600_000_000_123_456_789))


def _fill_names(folder: bytes) -> None:
    os.mkdir(folder)
    names = [
        b"\xff\xfe", b"\xff\xff", b"caf\xe9", "café".encode(), b"cafe\xcc\x81", b"new\nline", b"tab\t", b"\x1b[31m",
        b"100%", b'"', b"'", b"\\", b"-rf", b" lead", b"trail ", b"~", b"*", b"$HOME", b"<&>", b"\xe2\x80\xa8",
        b"Case", b"case", b"x" * 255, b".hidden", b"...", b"\x7f", b"\x01",
    ]  # fmt: skip
    for name in names:
        _write(folder + b"/" + name, b"named " + name)
    os.mkdir(folder + b"/\xff dir\n")
    _write(folder + b"/\xff dir\n/inside", b"inside")


def _fill_contents(folder: bytes) -> None:
    os.mkdir(folder)
    random = hashlib.shake_256(b"a fixed stream").digest(3_000_000)
    contents = {
        b"empty": b"",
        b"one": b"1",
        b"512k": random[: 512 * 1024],
        b"512k and one": random[: 512 * 1024 + 1],
        b"large": random,
        b"repeated": b"The same again. " * 100_000,
        b"zeros": bytes(2_000_000),
        b"small zeros": bytes(100),
    }
    for name, content in contents.items():
        _write(folder + b"/" + name, content)
    with open(folder + b"/sparse", "wb") as file:
        file.seek(5_000_000)
        file.write(b"data between two holes")
        file.truncate(20_000_000)


def _fill_kinds(folder: bytes) -> None:
    os.mkdir(folder)
    os.mkdir(folder + b"/empty dir")
    targets = {
        b"dangling": b"nowhere", b"loop": b"loop", b"absolute": b"/etc/passwd", b"outside": b"../../../..",
        b"to dir": b"empty dir", b"long": b"t" * 4095, b"raw": b"\xff\xfe",
    }  # fmt: skip
    for name, target in targets.items():
        os.symlink(target, folder + b"/" + name)
        os.chown(folder + b"/" + name, 12345, 12346, follow_symlinks=False)
        os.utime(folder + b"/" + name, ns=(1_500_000_000_000_000_001,) * 2, follow_symlinks=False)
    os.mkfifo(folder + b"/fifo")
    os.chmod(folder + b"/fifo", 0o620)
    _write(folder + b"/linked", b"one file, three names")
    os.mkdir(folder + b"/other")
    os.link(folder + b"/linked", folder + b"/linked again")
    os.link(folder + b"/linked", folder + b"/other/linked")
    os.link(folder + b"/raw", folder + b"/other/linked symlink", follow_symlinks=False)


def _fill_metadata(folder: bytes) -> None:
    os.mkdir(folder)
    for mode in (0o000, 0o400, 0o644, 0o777, 0o1644):
        _write(folder + b"/mode %o" % mode, b"m")
        os.chmod(folder + b"/mode %o" % mode, mode)
    for name, owner in ((b"unknown owner", (3_000_000_000, 3_000_000_001)), (b"root", (0, 0))):
        _write(folder + b"/" + name, b"o")
        os.chown(folder + b"/" + name, *owner)
    times = {
        b"epoch": 0,
        b"before": -1_234_567_890_123_456_789,
        b"future": 9_300_000_000_000_000_001,
        b"nano": 10**18 + 1,
    }
    for name, moment in times.items():
        _write(folder + b"/" + name, b"t")
        os.utime(folder + b"/" + name, ns=(moment, moment))
    _write(folder + b"/attributes", b"x")
    os.setxattr(folder + b"/attributes", b"user.empty", b"")
    os.setxattr(folder + b"/attributes", b"user.\xc3\xa9", bytes(range(256)))
    for name in (b"file with acl", b"dir with acl"):
        entry = folder + b"/" + name
        _write(entry, b"a") if name.startswith(b"file") else os.mkdir(entry)
        os.setxattr(entry, b"system.posix_acl_access", acl(user=12345, mode=6))
    _write(folder + b"/dir with acl/made before the default", b"d")
    os.setxattr(folder + b"/dir with acl", b"system.posix_acl_default", acl(user=12346, mode=4))
    for name, mode in ((b"setgid", 0o2775), (b"sticky", 0o1777), (b"no access", 0o000), (b"read only", 0o555)):
        os.mkdir(folder + b"/" + name)
        _write(folder + b"/" + name + b"/file", b"f")
        os.chown(folder + b"/" + name, 12345, 12346)
        os.chmod(folder + b"/" + name, mode)
        os.utime(folder + b"/" + name, ns=(10**18, 10**18 + 7))


def make_socket(path: Path) -> None:
    """Make the socket *path*."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _write(path: bytes, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)
