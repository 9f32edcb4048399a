from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.backup.builder import TreeBuilder
from jetcore.repository import Node, encode_node, encode_tree

_ID = bytes(range(32))


def a_file(name: bytes, **changes: object) -> Node:
    node = Node(
        name=name,
        type="file",
        mode=0o644,
        mtime_ns=1,
        ctime_ns=2,
        uid=3,
        gid=4,
        inode=5,
        size=6,
        links=1,
        content=(_ID,),
    )
    return attrs.evolve(node, **changes)


def head_of(node: Node) -> bytes:
    """Return what stat says of a file, as it is encoded."""
    return encode_node(attrs.evolve(node, xattrs=())).partition(b'"content":')[0]


def tree_of(*nodes: Node) -> bytes:
    return encode_tree(encode_node(node) for node in nodes)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"content": (), "size": 0},
        {"content": (_ID, bytes(32), _ID)},
        {"xattrs": ((b"user.a", b'"content":["'), (b'"content":["', b"x"), (b'},{"name":"', b"]}"))},
        {"xattrs": ((b"user.a", b"x"),), "content": (_ID, _ID)},
    ],
    ids=["one blob", "empty", "several blobs", "confusing attributes", "both"],
)
def test_unchanged_files_are_kept(changes: dict[str, object]) -> None:
    """A file whose beginning is unchanged is kept whatever its content and attributes; the tree is the former one."""
    nodes = [a_file(b"a"), a_file(b"b", **changes), a_file(b"c")]
    former = tree_of(*nodes)
    asked: list[bytes] = []
    builder = TreeBuilder(former, lambda blob: not asked.append(blob))

    assert all(builder.keep_file(head_of(node)) for node in nodes)

    assert builder.encode() is former
    assert set(asked) == {blob for node in nodes for blob in node.content}


def test_kept_and_new_nodes_are_joined() -> None:
    """Kept, changed, new and removed entries give the tree that encoding all of them anew would give."""
    old = [a_file(name) for name in (b"b", b"c", b"d", b"e", b"g")]
    changed = a_file(b"d", size=7)
    builder = TreeBuilder(tree_of(*old), lambda _blob: True)
    expected = [a_file(b"a"), a_file(b"b"), changed, a_file(b"e"), a_file(b"f"), a_file(b"g")]

    for node in expected:
        if not builder.keep_file(head_of(node)):
            builder.former_node(node.name)
            builder.add(encode_node(node))

    assert builder.encode() == tree_of(*expected)


def test_file_without_its_blob_is_not_kept() -> None:
    """A file one of whose blobs is missing is not kept."""
    node = a_file(b"a", content=(_ID, bytes(32)))

    assert not TreeBuilder(tree_of(node), lambda blob: blob == _ID).keep_file(head_of(node))


def test_former_nodes_are_found_in_order() -> None:
    """Former nodes are found by their bytes names in order, also when others came or went between them."""
    names = [b"a", b"b\xff", b'b"quoted"', b"c\\", "\u00e9".encode()]
    builder = TreeBuilder(tree_of(*(a_file(name) for name in sorted(names))), lambda _blob: True)

    found = [builder.former_node(name) for name in sorted([*names[1:], b"0", b"bb", b"zz", b"\xff"])]

    decoded = [node.decode() for node in found if node]
    assert [node.name for node in decoded if node] == sorted(names[1:])


def test_former_folder() -> None:
    """The tree of a former folder is found without decoding, also ahead of its turn; files have none."""
    folder = Node(name=b"new", type="dir", mode=0o755, mtime_ns=1, ctime_ns=1, uid=0, gid=0, subtree=_ID)
    builder = TreeBuilder(tree_of(a_file(b"cur"), folder), lambda _blob: True)

    ahead = builder.former_ahead(b"new")
    first = builder.former_node(b"cur")

    assert ahead is not None
    assert ahead.subtree == _ID
    assert first is not None
    assert first.subtree == b""
    assert builder.former_ahead(b"newer") is None


@pytest.mark.parametrize(
    "former",
    [
        b"",
        b'{"nodes":null}\n',
        b"nonsense",
        json.dumps(json.loads(tree_of(a_file(b"a"))), indent=1).encode(),
        b'{"nodes":[{"name":"a","type":"file","mode":"wrong"}]}\n',
        b'{"nodes":[{"name":"a","type":"',
    ],
)
def test_foreign_former_tree(former: bytes) -> None:
    """A former tree of a program with other habits, or none, is no help and no harm."""
    builder = TreeBuilder(former, lambda _blob: True)
    node = a_file(b"a")

    assert not builder.keep_file(head_of(node))
    found = builder.former_node(b"a")
    assert found is None or found.decode() is None
    builder.add(encode_node(node))
    assert builder.encode() == tree_of(node)


def test_empty_folder() -> None:
    """An empty folder gives the empty tree, which is the former one if that was empty too."""
    empty = tree_of()

    assert TreeBuilder(b"", lambda _blob: True).encode() == empty
    assert TreeBuilder(empty, lambda _blob: True).encode() is empty
    assert TreeBuilder(tree_of(a_file(b"a")), lambda _blob: True).encode() == empty


_names = st.binary(min_size=1, max_size=4).filter(lambda name: b"/" not in name and b"\0" not in name)
_folders = st.dictionaries(
    _names.filter(lambda name: name not in (b".", b"..")),
    st.builds(
        dict,
        mtime_ns=st.integers(0, 3),
        content=st.lists(st.sampled_from([_ID, bytes(32)]), max_size=2).map(tuple),
        xattrs=st.sampled_from([(), ((b"user.a", b"1"),)]),
    ),
    max_size=6,
)


@given(_folders, _folders)
def test_any_change_of_a_folder(before: dict[bytes, dict[str, object]], after: dict[bytes, dict[str, object]]) -> None:
    """Whatever changed in a folder, the tree is that of encoding it anew."""
    former = tree_of(*(a_file(name, **before[name]) for name in sorted(before)))
    builder = TreeBuilder(former, lambda _blob: True)
    expected = []
    for name in sorted(after):
        node = a_file(name, **after[name])
        if before.get(name, {}).get("mtime_ns") == after[name]["mtime_ns"]:
            # Nothing that stat shows changed, so the content did not either.
            node = a_file(name, **before[name])
        expected.append(node)
        if not builder.keep_file(head_of(node)):
            builder.former_node(name)
            builder.add(encode_node(node))

    assert builder.encode() == tree_of(*expected)
