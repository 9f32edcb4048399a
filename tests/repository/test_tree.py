"""Trees and their nodes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.errors import CorruptRepositoryError
from jetcore.repository import Node, decode_tree, encode_node, encode_tree

ID = bytes(range(32))
HEX = ID.hex()


def test_file(node):
    """A file's fields stand in restic's order, and those that are zero are left out."""
    encoded = encode_node(
        node(
            name=b"a<b",
            mode=0o4755,
            mtime_ns=1_500_000_000,
            user="u&v",
            group="g",
            inode=7,
            device_id=8,
            size=9,
            links=2,
            content=(ID, ID),
        )
    )

    assert encoded == (
        rb'{"name":"a\u003cb","type":"file","mode":8389101,"mtime":"1970-01-01T00:00:01.5Z","atime":"1970-01-01T00:00:01.5Z",'
        rb'"ctime":"1970-01-01T00:00:00.000000002Z","uid":3,"gid":4,"user":"u\u0026v","group":"g","inode":7,"device_id":8,'
        rb'"size":9,"links":2,"content":["%b","%b"]}' % (HEX.encode(), HEX.encode())
    )


def test_empty_file(node):
    """A file without any bit of a mode has no mode, and one without contents an empty list."""
    assert encode_node(node(mode=0, mtime_ns=0, ctime_ns=0)) == (
        b'{"name":"a","type":"file","mtime":"1970-01-01T00:00:00Z","atime":"1970-01-01T00:00:00Z",'
        b'"ctime":"1970-01-01T00:00:00Z","uid":3,"gid":4,"content":[]}'
    )


def test_directory(node):
    """A folder names its tree and has no contents."""
    encoded = encode_node(node(type="dir", mode=0o1777, subtree=ID))

    assert encoded.endswith(b'"uid":3,"gid":4,"content":null,"subtree":"%b"}' % HEX.encode())
    assert json.loads(encoded)["mode"] == 1 << 31 | 1 << 20 | 0o777


@pytest.mark.parametrize(
    ("target", "written"),
    [
        (b"../a&b", rb',"linktarget":"../a\u0026b","content":null}'),
        (b"x\xff", rb',"linktarget":"x\ufffd","linktarget_raw":"eP8=","content":null}'),
    ],
)
def test_symlink(node, target, written):
    """A link's target is text, and raw besides if it is no UTF-8."""
    assert encode_node(node(type="symlink", mode=0o777, linktarget=target)).endswith(written)


def test_xattrs(node):
    """Extended attributes keep their order and any value."""
    encoded = encode_node(node(xattrs=((b"user.a", b"\x00\xff"), (b"user.b", b""))))

    assert b'"extended_attributes":[{"name":"user.a","value":"AP8="},{"name":"user.b","value":""}],"content"' in encoded


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("dev", 1 << 26), ("chardev", 1 << 26 | 1 << 21), ("fifo", 1 << 25), ("socket", 1 << 24), ("symlink", 1 << 27)],
)
def test_modes_of_types(node, kind, bits):
    """Modes are Go's, with the type in them."""
    assert json.loads(encode_node(node(type=kind, mode=0o2640)))["mode"] == bits | 1 << 22 | 0o640


def test_tree():
    """A tree is one JSON object and a newline, and may be empty."""
    assert encode_tree([]) == b'{"nodes":[]}\n'
    assert encode_tree([b"{1}", b"{2}"]) == b'{"nodes":[{1},{2}]}\n'
    assert decode_tree(b'{"nodes":[]}\n') == []
    assert decode_tree(b'{"nodes":null}') == []


names = st.binary(min_size=1, max_size=40).filter(lambda name: name not in (b".", b"..") and not set(name) & {0, 47})
numbers = st.integers(0, 2**64 - 1)
ids = st.binary(min_size=32, max_size=32)
nodes = st.builds(
    Node,
    name=names,
    type=st.sampled_from(["file", "dir", "symlink", "dev", "chardev", "fifo", "socket"]),
    mode=st.integers(0, 0o7777),
    mtime_ns=st.integers(-62_167_219_200 * 10**9, 253_402_300_799 * 10**9),
    ctime_ns=st.integers(-62_167_219_200 * 10**9, 253_402_300_799 * 10**9),
    uid=st.integers(0, 2**32 - 1),
    gid=st.integers(0, 2**32 - 1),
    user=st.text(max_size=10),
    group=st.text(max_size=10),
    inode=numbers,
    device_id=numbers,
    size=numbers,
    links=numbers,
    linktarget=st.binary(max_size=40),
    xattrs=st.lists(
        st.tuples(st.text(min_size=1, max_size=10).map(str.encode), st.binary(max_size=20)), max_size=3
    ).map(tuple),
    device=numbers,
    content=st.lists(ids, max_size=3).map(tuple),
    subtree=st.just(b"") | ids,
)


@given(st.lists(nodes, max_size=4))
def test_any_node_survives(originals):
    """Whatever a node holds comes back as it was."""
    assert decode_tree(encode_tree(map(encode_node, originals))) == originals


def test_fields_of_other_versions(node):
    """Fields that are unknown, missing or null in other versions of restic do not matter."""
    tree = (
        b'{"nodes":[{"name":"a","type":"file","mode":420,"mtime":"1970-01-01T01:00:00.000000001+01:00",'
        b'"atime":"1970-01-01T00:00:00Z","ctime":"1970-01-01T00:00:00.000000002Z","uid":3,"gid":4,'
        b'"generic_attributes":{"x":1},"extended_attributes":null,"content":null,"error":"e"}],"more":1}'
    )

    assert decode_tree(tree) == [node()]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "a\\\\x00"])
def test_impossible_names_are_refused(name):
    """A name that could lead a restore elsewhere makes the tree a damaged one."""
    encoded = b'{"nodes":[{"name":"%b","type":"file","mtime":"1970-01-01T00:00:00Z","ctime":"1970-01-01T00:00:00Z"}]}'

    with pytest.raises(CorruptRepositoryError, match="impossible name"):
        decode_tree(encoded % name.encode())


@pytest.mark.parametrize(
    "tree",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"nodes":[1]}',
        b'{"nodes":[{}]}',
        b'{"nodes":[{"name":"a","type":"file","mtime":"x","ctime":"x"}]}',
    ],
)
def test_nonsense(tree):
    """What is no tree is said to be damaged."""
    with pytest.raises(CorruptRepositoryError, match="no tree"):
        decode_tree(tree)
