"""Repositories for tests: on a local directory and in memory, with cheap keys."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
import pytest
from hypothesis import settings

from jetcore.destinations import LocalDestination, LocalSettings
from jetcore.model import Secret
from jetcore.repository import Node, Repository, Snapshot, encode_node, encode_tree, keys
from jetcore.testing.memory import MemoryDestination

PASSWORD = Secret("correct horse")

# How long an example takes says nothing about right or wrong, least of all on a busy machine.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(autouse=True)
def cheap_keys(monkeypatch):
    """Deriving a key takes a good part of a second, on purpose; not here."""
    monkeypatch.setattr(keys, "_COST", attrs.evolve(keys._COST, n=16, p=1))


@pytest.fixture
def password():
    return PASSWORD


@pytest.fixture
def memory():
    return MemoryDestination()


@pytest.fixture
def in_memory(memory):
    return Repository.init(memory, "repo/", PASSWORD)


@pytest.fixture
def local(tmp_path):
    return LocalDestination(LocalSettings(path=str(tmp_path / "destination")))


@pytest.fixture
def repository(local):
    return Repository.init(local, "repo/", PASSWORD)


@pytest.fixture
def node():
    """Makes a node with sensible values for all that a test does not care about."""

    def make(**values):
        return Node(
            **{"name": b"a", "type": "file", "mode": 0o644, "mtime_ns": 1, "ctime_ns": 2, "uid": 3, "gid": 4} | values
        )

    return make


@pytest.fixture
def save(node):
    """Saves files as one snapshot."""

    def save_files(writer, files, **values):
        nodes = [
            encode_node(node(name=name, size=len(data), content=(writer.save_data(data),)))
            for name, data in sorted(files.items())
        ]
        tree = writer.save_tree(encode_tree(nodes))
        return writer.save_snapshot(Snapshot(time=datetime.now(UTC), tree=tree, paths=("/",), **values))

    return save_files


@pytest.fixture
def contents():
    """Reads all files of a snapshot."""

    def read(repository, snapshot):
        return {node.name: b"".join(repository.read_file(node)) for node in repository.load_tree(snapshot.tree)}

    return read
