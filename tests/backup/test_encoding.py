from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.backup.encoding import NodeEncoder, read_xattrs
from jetcore.repository import encode_node

_TIMES = st.integers(-(2**62), 2**62)


def facts_of(
    *, mode: int, inode: int, links: int, uid: int, gid: int, size: int, mtime: int, ctime: int
) -> os.stat_result:
    """Return a result as stat makes it."""
    visible = [mode, inode, 2049, links, uid, gid, size, 0, mtime // 10**9, ctime // 10**9]
    # The nanoseconds are fields behind the ten that a tuple of it shows: three times as float, three as integer.
    return os.stat_result([*visible, 0.0, mtime / 1e9, ctime / 1e9, 0, mtime, ctime])


_facts = st.builds(
    facts_of,
    mode=st.builds(int.__or__, st.sampled_from([stat.S_IFREG, stat.S_IFDIR]), st.integers(0, 0o7777)),
    inode=st.integers(1, 2**64 - 1),
    links=st.sampled_from([1, 2, 1000]),
    uid=st.sampled_from([0, 65534, 4_000_000_000]),
    gid=st.sampled_from([0, 65534, 4_000_000_000]),
    size=st.sampled_from([0, 1, 524_288, 2**40]),
    mtime=_TIMES,
    ctime=_TIMES,
)
_names = st.binary(min_size=1, max_size=20).filter(lambda name: b"/" not in name and b"\0" not in name)
_encoder = NodeEncoder()


@given(_names | st.sampled_from([b"@name@", b"%", b"%s%d", b'"', b"\\", b"<&>"]), _facts)
def test_fast_encoding_is_the_encoding(name: bytes, facts: os.stat_result) -> None:
    """What is put together quickly from a template equals what the repository's encoder makes of the same facts."""
    blob = bytes(range(32))
    if stat.S_ISDIR(facts.st_mode):
        fast = _encoder.folder(name, facts, xattrs=(), subtree=blob)
        node = _encoder.node(name, facts, subtree=blob)
    else:
        size = facts.st_size
        fast = _encoder.file(name, facts, xattrs=(), content=(blob,), size=size)
        node = _encoder.node(name, facts, content=(blob,), size=size, links=facts.st_nlink)

    assert fast == encode_node(node)
    assert fast.startswith(_encoder.head(name, facts))


@given(_names, _facts)
def test_attributes_follow_the_head(name: bytes, facts: os.stat_result) -> None:
    """The node of a file or folder with attributes begins with the same head."""
    node = _encoder.node(name, facts, xattrs=((b"user.a", b"x"),))
    if stat.S_ISREG(facts.st_mode):
        node = attrs.evolve(node, size=facts.st_size, links=facts.st_nlink)

    assert encode_node(node).startswith(_encoder.head(name, facts) + b'"extended_attributes":[')


def test_attribute_that_vanishes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attribute that is removed after it was listed is left out, the others are read."""
    file = tmp_path / "file"
    file.touch()
    for name in ("user.one", "user.two"):
        os.setxattr(file, name, b"value")
    really_listxattr = os.listxattr

    def list_and_remove(place, **options):
        names = really_listxattr(place, **options)
        os.removexattr(file, "user.one")
        return names

    monkeypatch.setattr(os, "listxattr", list_and_remove)

    assert read_xattrs(os.fsencode(file)) == ((b"user.two", b"value"),)


def test_file_system_without_attributes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system that knows no attributes there are none, which is no error."""

    def unsupported(place, **options):
        raise OSError(errno.ENOTSUP, "Operation not supported")

    monkeypatch.setattr(os, "listxattr", unsupported)

    assert read_xattrs(os.fsencode(tmp_path)) == ()
