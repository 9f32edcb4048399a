"""Pruning: what goes, what stays, and in which order."""

from __future__ import annotations

import os

import pytest

from jetcore.errors import CorruptRepositoryError, DestinationError, RepositoryLockedError
from jetcore.repository import Repository
from jetcore.repository.blob import BlobType, blob_id
from jetcore.repository.files import Kind, pack_name
from jetcore.repository.inventory import stored_packs, take_inventory
from jetcore.repository.prune import prune
from jetcore.repository.repair import repair
from jetcore.testing.memory import MemoryDestination

KILO = {b"%d" % number: os.urandom(1000) for number in range(20)}


def listed(repository):
    """All that the index lists, each blob as often as it does."""
    return [blob.id for entry in take_inventory(repository).listed.values() for blob in entry.blobs()]


def backup(repository, save, files, **values):
    with repository.writer() as writer:
        return save(writer, files, **values)


def forget(repository, snapshot):
    repository.files.delete(Kind.SNAPSHOT, snapshot)


def test_what_nobody_needs_goes(in_memory, memory, save, contents):
    """After a snapshot is gone, its own blobs go and the shared ones stay, in new packs."""
    old = backup(in_memory, save, KILO | {b"old": os.urandom(100_000)})
    new = backup(in_memory, save, KILO | {b"new": b"new"})
    before = sum(map(len, memory.objects.values()))
    forget(in_memory, old)

    report = prune(in_memory)

    after = sum(map(len, memory.objects.values()))
    assert before - after > 100_000
    assert report.freed_bytes > 100_000
    assert report.repacked_packs > 0
    assert report.unused_bytes == 0
    assert len(listed(in_memory)) == len(set(listed(in_memory))) == 22
    assert contents(in_memory, in_memory.snapshot(new)) == KILO | {b"new": b"new"}
    assert not list(in_memory.files.list(Kind.LOCK))


def test_nothing_to_do(in_memory, memory, save):
    """A repository without waste is left as it is, but for the lock."""
    backup(in_memory, save, KILO)
    before = dict(memory.objects)

    report = prune(in_memory)

    assert memory.objects == before
    assert (report.removed_packs, report.freed_bytes, report.moved_bytes) == (0, 0, 0)


def test_a_dry_run(in_memory, memory, save):
    """A dry run says what would be done, and does nothing."""
    forget(in_memory, backup(in_memory, save, KILO))
    before = dict(memory.objects)

    report = prune(in_memory, dry_run=True)

    assert memory.objects == before
    assert report.dry_run
    assert report.removed_packs == 2
    assert report.freed_bytes > 20_000
    assert prune(in_memory).freed_bytes == report.freed_bytes
    assert [name.split("/")[1] for name in memory.objects] == ["keys", "config"]


def test_many_nights_become_few_files(in_memory, memory, save, contents):
    """60 nights leave 60 snapshots, and no more than a dozen other files."""
    nights = [KILO | {b"night": os.urandom(50_000)} for _ in range(60)]
    snapshots = [backup(in_memory, save, files) for files in nights]
    assert len(memory.objects) > 200

    prune(in_memory)

    others = [name for name in memory.objects if not name.startswith("repo/snapshots/")]
    assert len(others) <= 12 + sum(len(memory.objects[name]) for name in others) / (8 << 20)
    for snapshot, files in zip(snapshots, nights, strict=True):
        assert contents(in_memory, in_memory.snapshot(snapshot)) == files
    assert len(listed(in_memory)) == 20 + 60 + 60


def test_a_little_waste_stays(repository, save):
    """Large packs with a twentieth of waste are not written anew."""
    large = {b"%d" % number: os.urandom(1 << 20) for number in range(20)}
    old = backup(repository, save, large | {b"waste": os.urandom(500_000)})
    backup(repository, save, large)
    forget(repository, old)
    before = {pack for pack, size in stored_packs(repository).items() if size > (8 << 20)}

    report = prune(repository)

    assert before <= stored_packs(repository).keys()
    assert 500_000 <= report.unused_bytes < 510_000


def test_leftovers_of_broken_off_work(in_memory, memory, save):
    """Packs that no index lists are removed, as are blobs that are listed twice."""
    backup(in_memory, save, KILO)
    kept = dict(memory.objects)
    other = MemoryDestination()
    other.objects = {name: data for name, data in memory.objects.items() if "/keys/" in name or "config" in name}
    twin = Repository.open(other, "repo/", keys=in_memory.keys)
    backup(twin, save, KILO)  # the same blobs in other packs
    memory.objects |= other.objects
    memory.objects["repo/data/00/" + "00" * 32] = b"half a pack"

    prune(in_memory)

    assert len(listed(in_memory)) == len(set(listed(in_memory))) == 21
    assert len(stored_packs(in_memory)) == 2
    assert sum(map(len, memory.objects.values())) < 1.1 * sum(map(len, kept.values())) + 1000


@pytest.mark.parametrize("kind", ["snapshots", "index", "data"])
def test_no_pruning_of_damage(in_memory, memory, save, kind):
    """When something that is needed is damaged or gone, nothing is removed and the hint names the way out."""
    forget(in_memory, backup(in_memory, save, {b"waste": b"waste"}))
    backup(in_memory, save, KILO)
    backup(in_memory, save, {b"other": b"other"})
    victim = max((name for name in memory.objects if f"/{kind}/" in name), key=lambda name: len(memory.objects[name]))
    memory.objects[victim] = memory.objects[victim][:-1]
    before = dict(memory.objects)

    with pytest.raises(CorruptRepositoryError) as caught:
        prune(in_memory)

    assert "repository repair" in caught.value.hint
    assert memory.objects == before


def test_a_damaged_blob_is_not_copied(in_memory, memory, save):
    """What is moved is compared with its id before; a wrong byte stops the prune, and nothing is gone."""
    forget(in_memory, backup(in_memory, save, {b"waste": os.urandom(9000), b"good": b"good" * 999}))
    backup(in_memory, save, {b"good": b"good" * 999})
    with in_memory.writer() as writer:
        location = in_memory.stored_index.index.find(writer.save_data(b"good" * 999))
    name = next(name for name in memory.objects if name.endswith(location.pack.hex()))
    data = bytearray(memory.objects[name])
    data[location.offset + 20] ^= 1
    memory.objects[name] = bytes(data)
    before = dict(memory.objects)

    with pytest.raises(CorruptRepositoryError, match=location.pack.hex()):
        prune(in_memory)

    assert before.items() <= memory.objects.items()


@pytest.mark.parametrize("damaged", [0, 1] * 5)
def test_a_damaged_twin(in_memory, memory, save, contents, damaged):
    """Of a blob that lies in two packs the right copy is not removed for the sake of a damaged one."""
    twin = blob_id(b"twin" * 100)
    for extra in ({b"extra": os.urandom(1000)}, {}):
        with in_memory.writer() as writer:
            in_memory.stored_index.index.drop(twin, BlobType.DATA)
            snapshot = save(writer, {b"twin": b"twin" * 100, b"common": KILO[b"1"]} | extra)
    listed = take_inventory(in_memory).listed
    places = sorted((pack, blob.offset) for pack in listed for blob in listed[pack].blobs() if blob.id == twin)
    assert len(places) == 2
    pack, offset = places[damaged]
    name = in_memory.files.path(pack_name(pack))
    memory.objects[name] = memory.objects[name][: offset + 20] + b"xx" + memory.objects[name][offset + 22 :]
    before = dict(memory.objects)

    try:
        prune(in_memory)
    except CorruptRepositoryError:
        assert memory.objects == before
    assert contents(in_memory, in_memory.snapshot(snapshot))[b"twin"] == b"twin" * 100
    repair(in_memory, read_data=True)
    prune(in_memory)
    assert contents(in_memory, in_memory.snapshot(snapshot))[b"twin"] == b"twin" * 100


def test_it_wants_to_be_alone(in_memory, save):
    """While somebody writes nothing is pruned, and while it prunes nobody writes."""
    with in_memory.writer(), pytest.raises(RepositoryLockedError):
        prune(in_memory)
    backup(in_memory, save, KILO)
    refused = []

    def on_progress(progress):
        with pytest.raises(RepositoryLockedError):
            in_memory.writer()
        refused.append(progress.phase)

    for _ in range(3):
        backup(in_memory, save, {b"x": os.urandom(10)})
    prune(in_memory, on_progress=on_progress)
    assert refused


def test_the_order(in_memory, memory, save, monkeypatch):
    """New packs, new index, old index gone, old packs gone."""
    for _ in range(4):
        backup(in_memory, save, {b"x": os.urandom(10)})
    done = []
    for verb in ("put", "delete"):
        do = getattr(MemoryDestination, verb)

        def note(self, name, *data, do=do, verb=verb):
            done.append((verb, name.split("/")[1]))
            return do(self, name, *data)

        monkeypatch.setattr(MemoryDestination, verb, note)

    prune(in_memory)

    assert list(dict.fromkeys(step for step in done if step[1] != "locks")) == [
        ("put", "data"),
        ("put", "index"),
        ("delete", "index"),
        ("delete", "data"),
    ]


def test_stopped_at_any_call(in_memory, memory, save, contents, monkeypatch):
    """Whichever call of the destination fails, every snapshot is whole afterwards, and the next prune completes."""
    forget(in_memory, backup(in_memory, save, KILO))
    nights = {backup(in_memory, save, KILO | {b"n": os.urandom(1000)}): None for _ in range(4)}
    wanted = {night: contents(in_memory, in_memory.snapshot(night)) for night in nights}
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
    while True:
        calls += 1
        memory.objects = dict(start)
        left[0] = calls
        try:
            prune(Repository.open(memory, "repo/", keys=in_memory.keys))
            finished = left[0] > 0
        except DestinationError:
            finished = False
        left[0] = 0
        memory.objects = {name: data for name, data in memory.objects.items() if "/locks/" not in name}
        again = Repository.open(memory, "repo/", keys=in_memory.keys)
        assert {one.id: contents(again, one) for one in again.snapshots()} == wanted
        prune(again)
        assert stored_packs(again).keys() == take_inventory(again).listed.keys()
        assert {one.id: contents(again, one) for one in again.snapshots()} == wanted
        if finished:
            break
    assert calls > 30
