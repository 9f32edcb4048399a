"""The stock restic reads what we write."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime

import pytest

from jetcore.model import Secret
from jetcore.repository import Repository, Snapshot, encode_node, encode_tree

TIME = datetime(2024, 2, 29, 12, 34, 56, 123_456, tzinfo=UTC)


@pytest.fixture
def saved(ours, source, store):
    """A snapshot of the source tree, made by us."""
    with ours.writer() as writer:
        return writer.save_snapshot(
            Snapshot(
                time=TIME,
                tree=store(writer, source),
                paths=("/home/älice",),
                hostname="server",
                username="root",
                tags=("nightly", "<b>"),
                program_version="jetcore",
                summary={"files_new": 7, "data_added": 8},
            )
        )


def test_check(ours, saved, restic):
    """restic finds no error in any byte of the repository, with the default cost of a key too."""
    assert "no errors were found" in restic("check", "--read-data")


def test_default_keys(destination, restic):
    """restic opens the key that we make at its usual cost, whatever the password."""
    Repository.init(destination, "repo/", Secret("correct horse"))

    assert json.loads(restic("snapshots", "--json")) == []


def test_snapshots(ours, saved, restic):
    """restic lists our snapshot with all that it says."""
    (snapshot,) = json.loads(restic("snapshots", "--json"))

    assert snapshot["id"] == saved
    assert snapshot["time"] == "2024-02-29T12:34:56.123456Z"
    assert snapshot["paths"] == ["/home/älice"]
    assert snapshot["tags"] == ["nightly", "<b>"]
    assert (snapshot["hostname"], snapshot["username"]) == ("server", "root")


def test_ls(ours, saved, restic, source, facts):
    """restic lists every path of the tree."""
    lines = [json.loads(line) for line in restic("ls", "--json", saved).splitlines()][1:]
    entries, _ = facts(source)

    assert len(lines) == len(entries)
    by_path = {line["path"]: line for line in lines}
    assert by_path["/plain"]["type"] == "file"
    assert by_path["/large"]["size"] == (18 << 20) + 3
    assert "/new\nline\ttab" in by_path


def test_restore(saved, restic, source, facts, tmp_path):
    """restic restores the tree byte for byte and attribute for attribute, hard links included."""
    target = tmp_path / "restored"
    restic("restore", saved, "--target", target)

    expected, expected_links = facts(source)
    restored, links = facts(os.fsencode(target))
    assert restored == expected
    assert links == expected_links != []


def test_the_same_folder_is_the_same_tree(ours, restic, source, store):
    """restic finds that our blobs of files up to 512 KiB are its own, and so are our trees: byte for byte."""
    for name in (b"large", b"sparse"):
        os.unlink(source + b"/" + name)
    with ours.writer() as writer:
        tree = store(writer, source)
        writer.save_snapshot(Snapshot(time=TIME, tree=tree))
    summary = json.loads(restic("backup", "--json", "--force", ".", cwd=source).splitlines()[-1])

    assert (summary["data_blobs"], summary["tree_blobs"]) == (0, 0)
    assert summary["total_files_processed"] > 20
    assert ours.snapshot(summary["snapshot_id"]).tree == tree


def test_links_that_are_no_utf8(ours, restic, expected_node, source):
    """A link's target in other bytes than UTF-8 stands in the field that restic 0.17 and later read."""
    os.symlink(b"\xff\xfe", source + b"/raw")
    with ours.writer() as writer:
        tree = writer.save_tree(encode_tree([encode_node(expected_node(source + b"/raw"))]))
        writer.save_snapshot(Snapshot(time=TIME, tree=tree))

    document = json.loads(restic("cat", "blob", tree.hex()))
    assert document["nodes"][0]["linktarget_raw"] == "//4="
    assert document["nodes"][0]["linktarget"] == "\ufffd\ufffd"
    assert ours.load_tree(tree)[0].linktarget == b"\xff\xfe"


def test_prune(ours, saved, restic, source, store):
    """restic removes one of our snapshots with all that only it needed, and the other one stays whole for both."""
    os.unlink(source + b"/large")
    with open(source + b"/sparse", "rb") as file:
        sparse = file.read()
    with ours.writer() as writer:
        second = writer.save_snapshot(Snapshot(time=TIME, tree=store(writer, source)))
    restic("forget", saved, "--prune")

    assert "no errors were found" in restic("check", "--read-data")
    assert [snapshot.id for snapshot in ours.snapshots()] == [second]
    root = ours.snapshot(second).tree
    assert b"".join(ours.read_file(ours.find(root, b"sparse"))) == sparse


def test_another_key(ours, saved, restic, destination, tmp_path):
    """A password that restic adds opens the repository for us, and a repository can have both."""
    (tmp_path / "second").write_text("second password")
    restic("key", "add", "--new-password-file", tmp_path / "second")

    for password in ("second password", "correct horse"):
        opened = Repository.open(destination, "repo/", password=Secret(password))
        assert opened.keys == ours.keys
        assert opened.snapshot(saved).hostname == "server"
