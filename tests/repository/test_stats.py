"""What a repository takes up."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from jetcore.repository import Snapshot, encode_node, encode_tree
from jetcore.repository.stats import take_stats


def test_an_empty_repository(in_memory, memory):
    """There is nothing, and no division by it."""
    found = take_stats(in_memory)

    assert (found.snapshots, found.logical_bytes, found.unique_bytes) == (0, 0, 0)
    assert (found.deduplication, found.compression) == (1.0, 1.0)
    assert (found.stored_files, found.stored_bytes) == (2, sum(map(len, memory.objects.values())))


def test_figures(in_memory, memory, save):
    """Each snapshot counts with all of its files; what is there once counts once; waste is told."""
    random, plain = os.urandom(10_000), b"a" * 20_000
    with in_memory.writer() as writer:
        for number in range(4):
            save(writer, {b"random": random, b"plain": plain, b"copy": plain}, hostname=str(number))
        writer.save_data(os.urandom(5000))  # no snapshot needs it

    found = take_stats(in_memory)

    assert (found.snapshots, found.logical_files, found.logical_bytes) == (4, 12, 4 * 50_000)
    assert 30_000 < found.unique_bytes < 32_000
    assert 10_000 < found.packed_bytes < 12_000
    assert found.unused_bytes == 5032
    assert found.deduplication > 6
    assert found.compression > 2
    assert found.stored_bytes == sum(map(len, memory.objects.values()))


def test_folders_that_occur_twice(in_memory, node):
    """A folder that is at several places, itself stored once, counts at each of them."""
    with in_memory.writer() as writer:
        file = encode_node(node(name=b"f", size=7, content=(writer.save_data(b"1234567"),)))
        tree = writer.save_tree(encode_tree([file]))
        for _ in range(40):
            folders = [encode_node(node(name=name, type="dir", subtree=tree)) for name in (b"a", b"b")]
            tree = writer.save_tree(encode_tree(folders))
        writer.save_snapshot(Snapshot(time=datetime.now(UTC), tree=tree, paths=("/",)))

    assert take_stats(in_memory).logical_bytes == 7 * 2**40
