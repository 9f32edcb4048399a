"""Repairing: what can be read is kept, what is lost is named, and the repository is sound afterwards."""

from __future__ import annotations

import os

import pytest

from jetcore.errors import CorruptRepositoryError, DestinationError, RepositoryError
from jetcore.repository import BlobType, MasterKeys, Repository
from jetcore.repository.check import ReadData, check
from jetcore.repository.files import Kind
from jetcore.repository.inventory import take_inventory
from jetcore.repository.prune import prune
from jetcore.repository.repair import mend_config, repair
from jetcore.testing.memory import MemoryDestination

FILES = {b"a": b"a" * 5000, b"b": os.urandom(5000)}


@pytest.fixture
def filled(in_memory, save):
    """A repository with two snapshots."""
    for files in (FILES, FILES | {b"c": b"c"}):
        with in_memory.writer() as writer:
            save(writer, files)
    return in_memory


def named(memory, folder):
    return sorted(name for name in memory.objects if name.startswith(f"repo/{folder}/"))


def place_of(repository, data):
    location = repository.stored_index.index.find(blob_of(repository, data), BlobType.DATA)
    return f"repo/data/{location.pack.hex()[:2]}/{location.pack.hex()}", location


def blob_of(repository, data):
    with repository.writer() as writer:
        return writer.save_data(data)


def flip(memory, name, position):
    data = bytearray(memory.objects[name])
    data[position] ^= 1
    memory.objects[name] = bytes(data)


def read(repository, contents):
    return [contents(repository, snapshot) for snapshot in repository.snapshots()]


def test_nothing_to_do(filled, memory):
    """A sound repository is left as it is."""
    before = dict(memory.objects)

    report = repair(filled, read_data=True)

    assert memory.objects == before
    assert not report.new_index
    assert (report.lost_packs, report.damaged, report.whole_again) == ({}, (), ())


@pytest.mark.parametrize("how", ["all gone", "one gone", "all damaged", "one damaged"])
def test_the_index_is_made_anew(filled, memory, contents, how):
    """Without an index, or with parts of it, every blob is found again in the packs' own headers."""
    before = read(filled, contents)
    for name in named(memory, "index")[: None if how.startswith("all") else 1]:
        if how.endswith("gone"):
            del memory.objects[name]
        else:
            flip(memory, name, 50)

    report = repair(filled)

    assert report.new_index
    assert (report.lost_packs, report.damaged) == ({}, ())
    assert check(filled, read_data=ReadData()).findings == ()
    assert read(filled, contents) == before


def test_a_missing_pack(filled, memory, contents):
    """Snapshots that need it are kept apart with what they lost; the others, and new backups, are sound."""
    first, second = filled.snapshots()
    victim, _ = place_of(filled, b"c")
    del memory.objects[victim]

    report = repair(filled)

    assert report.lost_packs == {victim: "it is missing"}
    (damaged,) = report.damaged
    assert (damaged.id, damaged.more) == (second.id, False)
    assert damaged.lost == ((b"/c", "1 of its 1 blobs are missing or damaged"),)
    assert [one.id for one in filled.snapshots()] == [first.id]
    assert [one.id for one in filled.snapshots_apart()] == [second.id]
    found = check(filled, read_data=ReadData())
    assert found.is_sound
    assert [finding.name for finding in found.findings] == [f"repo/damaged/{second.id}"]
    assert read(filled, contents) == [FILES]


def test_what_is_left_of_a_damaged_snapshot(filled, memory, save):
    """It can still be opened and read as far as it goes, and pruning does not take what is left of it."""
    second = filled.snapshots()[1]
    del memory.objects[place_of(filled, b"c")[0]]
    repair(filled)
    for snapshot in filled.snapshots():
        filled.files.delete(Kind.SNAPSHOT, snapshot.id)
    with filled.writer() as writer:
        save(writer, {b"other": b"other"})

    prune(filled)

    again = filled.snapshot(second.id[:8])
    files = {node.name: node for node in filled.load_tree(again.tree)}
    assert b"".join(filled.read_file(files[b"b"])) == FILES[b"b"]
    with pytest.raises(CorruptRepositoryError):
        b"".join(filled.read_file(files[b"c"]))


def test_a_pack_that_comes_back(filled, memory, contents):
    """When a missing pack is brought back, the snapshots are put back."""
    before = read(filled, contents)
    victim, _ = place_of(filled, FILES[b"a"])
    pack = memory.objects.pop(victim)
    assert len(repair(filled).damaged) == 2
    assert filled.snapshots() == []
    memory.objects[victim] = pack

    report = repair(filled)

    assert len(report.whole_again) == 2
    assert report.damaged == ()
    assert read(filled, contents) == before
    assert check(filled, read_data=ReadData()).findings == ()


@pytest.mark.parametrize("change", ["wrong byte in a blob", "wrong byte in the header", "cut short"])
def test_whole_blobs_of_a_damaged_pack_are_saved(filled, memory, contents, change):
    """Only the blob that is damaged is lost; with the header damaged, none is."""
    first, second = filled.snapshots()
    victim, location = place_of(filled, FILES[b"a"])
    if change == "cut short":
        memory.objects[victim] = memory.objects[victim][:-1]
    else:
        flip(memory, victim, location.offset + 20 if "blob" in change else len(memory.objects[victim]) - 20)
    damaged = memory.objects[victim]

    report = repair(filled, read_data="blob" in change)

    assert list(report.lost_packs) == [victim]
    if "blob" in change:
        assert report.saved_blobs == 1
        assert {one.id: one.lost[0][0] for one in report.damaged} == {first.id: b"/a", second.id: b"/a"}
        assert filled.load_blob(blob_of(filled, FILES[b"b"])) == FILES[b"b"]
    else:
        assert report.saved_blobs == 2
        assert read(filled, contents) == [FILES, FILES | {b"c": b"c"}]
    assert memory.objects["repo/damaged/packs/" + victim.rpartition("/")[2]] == damaged
    assert check(filled, read_data=ReadData()).is_sound
    assert not repair(filled, read_data=True).new_index


def test_damaged_packs_do_not_stay_for_ever(filled, memory):
    """They go with the next prune after the last snapshot that missed something of them."""
    victim, location = place_of(filled, b"c")
    flip(memory, victim, location.offset + 10)
    (damaged,) = repair(filled, read_data=True).damaged
    prune(filled)
    assert named(memory, "damaged/packs")
    filled.files.delete(Kind.APART, damaged.id)

    prune(filled)

    assert named(memory, "damaged") == []


def test_a_damaged_snapshot_file(filled, memory, contents):
    """A snapshot file that cannot be read is kept apart as it is."""
    second = filled.snapshots()[1]
    name = f"repo/snapshots/{second.id}"
    flip(memory, name, 50)

    report = repair(filled)

    assert [(one.id, one.snapshot) for one in report.damaged] == [(second.id, None)]
    assert named(memory, "damaged") == [f"repo/damaged/{second.id}"]
    assert read(filled, contents) == [FILES]
    assert [one.id for one in repair(filled).damaged] == [second.id]


def test_a_damaged_folder(filled, memory, contents):
    """A lost tree is a lost folder, named by its path."""
    second = filled.snapshots()[1]
    location = filled.stored_index.index.find(second.tree)
    victim = f"repo/data/{location.pack.hex()[:2]}/{location.pack.hex()}"
    del memory.objects[victim]

    report = repair(filled)

    assert [(one.id, one.lost[0][0]) for one in report.damaged] == [(second.id, b"/")]
    assert read(filled, contents) == [FILES]


@pytest.mark.parametrize("how", ["gone", "damaged"])
def test_the_config_is_made_anew(filled, memory, contents, password, how):
    """Without a config nothing opens; with the master keys a new one is made, and everything is there again."""
    before = read(filled, contents)
    if how == "gone":
        del memory.objects["repo/config"]
    else:
        flip(memory, "repo/config", 40)
    with pytest.raises(RepositoryError):
        Repository.open(memory, "repo/", keys=filled.keys)

    assert mend_config(memory, "repo/", filled.keys)

    assert not mend_config(memory, "repo/", filled.keys)
    again = Repository.open(memory, "repo/", password=password)
    assert read(again, contents) == before
    assert check(again, read_data=ReadData()).findings == ()


def test_no_config_for_wrong_keys(filled, memory):
    """Keys that open nothing are no reason to overwrite the config."""
    before = dict(memory.objects)

    with pytest.raises(CorruptRepositoryError, match="no other file opens"):
        mend_config(memory, "repo/", MasterKeys.generate())

    assert {name: data for name, data in memory.objects.items() if "/locks/" not in name} == before


def test_stopped_at_any_call(filled, memory, contents, monkeypatch):
    """Whichever call of the destination fails, the next repair comes to the same end."""
    victim, _ = place_of(filled, FILES[b"a"])
    third = filled.snapshots()[1]
    lost, _ = place_of(filled, b"c")
    flip(memory, victim, len(memory.objects[victim]) - 20)
    del memory.objects[lost]
    start = dict(memory.objects)
    left = [0]
    for verb in ("put", "get", "list", "delete"):
        do = getattr(MemoryDestination, verb)

        def fail(self, *words, do=do):
            left[0] -= 1
            if left[0] == 0:
                raise DestinationError("no answer")
            return do(self, *words)

        monkeypatch.setattr(MemoryDestination, verb, fail)
    calls = 0
    finished = False
    while not finished:
        calls += 1
        memory.objects = dict(start)
        left[0] = calls
        try:
            repair(Repository.open(memory, "repo/", keys=filled.keys))
            finished = left[0] > 0
        except DestinationError:
            pass
        left[0] = 0
        memory.objects = {name: data for name, data in memory.objects.items() if "/locks/" not in name}
        again = Repository.open(memory, "repo/", keys=filled.keys)
        report = repair(again)
        assert len(report.damaged) == 1
        assert third.id == report.damaged[0].id
        assert read(again, contents) == [FILES]
        assert check(again, read_data=ReadData()).is_sound
        assert take_inventory(again).unlisted == []
    assert calls > 30
