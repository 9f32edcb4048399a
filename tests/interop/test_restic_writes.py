"""We read what the stock restic writes, and add to it."""

from __future__ import annotations

import json
import os

import pytest

from jetcore.model import Secret
from jetcore.repository import Repository, Snapshot, encode_node, encode_tree


@pytest.fixture
def written(theirs, restic, source):
    """A snapshot of the source tree, made by restic."""
    summary = json.loads(restic("backup", "--json", "--tag", "one,two", source).splitlines()[-1])
    return theirs.snapshot(summary["snapshot_id"])


def walk(repository, tree, path=b""):
    for node in repository.load_tree(tree):
        yield path + node.name, node
        if node.subtree:
            yield from walk(repository, node.subtree, path + node.name + b"/")


def test_every_node(theirs, written, source, facts, expected_node):
    """Every node that restic wrote says what lstat says, and encodes to the same bytes again."""
    root = theirs.find(written.tree, source.lstrip(b"/")).subtree
    found = dict(walk(theirs, root))
    expected, _ = facts(source)

    assert set(found) == set(expected)
    for path, node in found.items():
        assert node == expected_node(source + b"/" + path, content=node.content, subtree=node.subtree)
        if node.type == "file":
            assert b"".join(theirs.read_file(node)) == expected[path][-1]


def test_trees_encode_to_themselves(theirs, written):
    """Each tree of restic's, decoded and encoded again, is the same blob."""
    trees = [written.tree, *(node.subtree for _, node in walk(theirs, written.tree) if node.subtree)]

    assert len(trees) > 4
    for tree in trees:
        assert encode_tree(map(encode_node, theirs.load_tree(tree))) == theirs.load_blob(tree)


def test_the_snapshot(theirs, written, source):
    """The snapshot that restic wrote says the same to us."""
    assert written.paths == (source.decode(),)
    assert written.tags == ("one", "two")
    assert written.hostname == os.uname().nodename
    assert theirs.snapshots() == [written]


def test_our_backup_stores_nothing_twice(theirs, written, source, store, restic):
    """Our backup of the same files finds restic's blobs: only what is cut differently is new."""
    for name in (b"large", b"sparse"):
        os.unlink(source + b"/" + name)
    with theirs.writer() as writer:
        tree = store(writer, source)
        assert writer.added_data_blobs == 0
        writer.save_snapshot(Snapshot(time=written.time, tree=tree, paths=written.paths))

    assert "no errors were found" in restic("check", "--read-data")
    assert len(json.loads(restic("snapshots", "--json"))) == 2


def test_after_a_rebuilt_index(theirs, written, restic, destination, source):
    """We go along when restic replaces all index files, also with a repository that is already open."""
    before = theirs.load_blob(written.tree)
    restic("rebuild-index", "--read-all-packs")

    assert theirs.load_blob(written.tree) == before
    assert Repository.open(destination, "repo/", keys=theirs.keys).load_blob(written.tree) == before


def test_version_1(destination, restic, tmp_path):
    """A repository of the format's first version is read."""
    restic("init", "--repository-version", "1")
    (tmp_path / "file").write_text("contents")
    restic("backup", ".", cwd=tmp_path, input=b"")

    repository = Repository.open(destination, "repo/", password=Secret("correct horse"))
    (snapshot,) = repository.snapshots()
    assert b"".join(repository.read_file(repository.find(snapshot.tree, b"file"))) == b"contents"
