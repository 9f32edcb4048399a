"""What is different between two trees."""

from __future__ import annotations

import pytest

from jetcore.repository import encode_node, encode_tree
from jetcore.repository.diff import ChangeKind, diff


@pytest.fixture
def tree(in_memory, node):
    """Stores a tree out of nested dictionaries, in which a file is its contents or a pair of those and its values."""

    def store(writer, entries):
        nodes = []
        for name, entry in sorted(entries.items()):
            if isinstance(entry, dict):
                nodes.append(node(name=name, type="dir", subtree=store(writer, entry)))
            else:
                data, values = entry if isinstance(entry, tuple) else (entry, {})
                nodes.append(node(name=name, content=(writer.save_data(data),), size=len(data), **values))
        return writer.save_tree(encode_tree(map(encode_node, nodes)))

    def make(entries):
        with in_memory.writer() as writer:
            return store(writer, entries)

    return make


def changes(repository, one, other):
    return [(change.kind, change.path) for change in diff(repository, one, other)]


def test_nothing(in_memory, tree):
    """Two trees that are the same have no differences."""
    assert changes(in_memory, tree({b"a": b"1"}), tree({b"a": b"1"})) == []


def test_every_kind(in_memory, tree):
    """Added, removed, modified, of another type, with other metadata: each is told apart, in the order of the paths."""
    one = tree({b"gone": b"", b"kept": b"k", b"mode": b"m", b"new contents": b"1", b"type": b"", b"deep": {b"d": b"1"}})
    other = tree(
        {
            b"added": b"",
            b"kept": b"k",
            b"mode": (b"m", {"mode": 0o600}),
            b"new contents": b"2",
            b"type": {b"inside": b""},
            b"deep": {b"d": b"2"},
        }
    )

    assert changes(in_memory, one, other) == [
        (ChangeKind.ADDED, b"/added"),
        (ChangeKind.MODIFIED, b"/deep/d"),
        (ChangeKind.REMOVED, b"/gone"),
        (ChangeKind.METADATA, b"/mode"),
        (ChangeKind.MODIFIED, b"/new contents"),
        (ChangeKind.TYPE, b"/type"),
        (ChangeKind.ADDED, b"/type/inside"),
    ]


def test_whole_folders(in_memory, tree):
    """A folder that came or went is named with all that is in it."""
    empty, full = tree({}), tree({b"a": {b"b": {b"c": b""}}})

    assert changes(in_memory, empty, full) == [(ChangeKind.ADDED, path) for path in (b"/a", b"/a/b", b"/a/b/c")]
    assert changes(in_memory, full, empty) == [(ChangeKind.REMOVED, path) for path in (b"/a", b"/a/b", b"/a/b/c")]


def test_what_says_nothing(in_memory, tree):
    """Another inode, or a change of the inode alone, is no difference."""
    one, other = tree({b"a": b"1"}), tree({b"a": (b"1", {"inode": 7, "ctime_ns": 99})})

    assert one != other
    assert changes(in_memory, one, other) == []
