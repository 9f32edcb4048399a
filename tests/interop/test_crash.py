"""Writers that are killed at any moment leave a repository in which everything listed is whole."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys

import pytest

from jetcore.repository import Repository

ROUNDS = 8
# Files are named by what they hold, so that whoever finds one can tell whether it is whole.
PROGRAM = """
import hashlib, os, sys
from datetime import UTC, datetime
from jetcore.destinations import LocalDestination, LocalSettings
from jetcore.repository import MasterKeys, Node, Repository, Snapshot, encode_node, encode_tree

keys = MasterKeys.from_json(sys.stdin.buffer.read())
repository = Repository.open(LocalDestination(LocalSettings(path=sys.argv[1])), "repo/", keys=keys)
for _ in range(1000):
    with repository.writer() as writer:
        nodes = {}
        for number in range(100):
            data = os.urandom(80_000) if number else os.urandom(4_000_000)
            name = hashlib.sha256(data).hexdigest().encode()
            nodes[name] = Node(name=name, type="file", mode=0o600, mtime_ns=0, ctime_ns=0, uid=0, gid=0,
                               size=len(data), content=(writer.save_data(data),))
        tree = writer.save_tree(encode_tree(encode_node(nodes[name]) for name in sorted(nodes)))
        writer.save_snapshot(Snapshot(time=datetime.now(UTC), tree=tree, paths=("/",)))
    print("saved", flush=True)
"""


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_writers(ours, restic, destination, tmp_path, seed):
    """After a kill restic finds no error, each listed snapshot is whole, and the next writer goes on."""
    moment = random.Random(seed).uniform(0.0, 0.4)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "destination")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(ours.keys.to_json())
        process.stdin.close()
        done = len([process.stdout.readline() for _ in range(2)])  # let it get into its stride
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(moment)
        process.kill()
        done += len(process.stdout.readlines())

    restic("unlock")
    assert "no errors were found" in restic("check", "--read-data")
    repository = Repository.open(destination, "repo/", keys=ours.keys)
    snapshots = repository.snapshots()
    assert len(snapshots) in (done, done + 1)  # it may have been killed between saving and saying so
    for snapshot in snapshots:
        nodes = repository.load_tree(snapshot.tree)
        assert len(nodes) == 100
        for node in nodes:
            assert hashlib.sha256(b"".join(repository.read_file(node))).hexdigest().encode() == node.name
    with repository.writer() as writer:
        blob = writer.save_data(b"after")
    assert repository.load_blob(blob) == b"after"
