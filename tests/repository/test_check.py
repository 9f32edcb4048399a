"""Checking: sound repositories are found sound, and damage of every kind is found and named."""

from __future__ import annotations

import os

import pytest

from jetcore.errors import DestinationError, RepositoryLockedError
from jetcore.repository import BlobType
from jetcore.repository.check import Cursor, ReadData, check
from jetcore.repository.files import Kind
from jetcore.repository.index import encode_index, encode_pack
from jetcore.repository.inventory import take_inventory
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


def pack_of(repository, kind, data=None):
    """Full name of a pack with blobs of a kind, that with the contents *data* if given, and a blob's place in it."""
    for pack, entry in take_inventory(repository).listed.items():
        for blob in entry.blobs():
            if blob.type is kind and data in (None, repository.load_blob(blob.id, kind)):
                return f"repo/data/{pack.hex()[:2]}/{pack.hex()}", blob
    raise LookupError(kind)


def flip(memory, name, position):
    data = bytearray(memory.objects[name])
    data[position] ^= 1
    memory.objects[name] = bytes(data)


def damage(report):
    return {finding.name: finding.problem for finding in report.findings if finding.damage}


@pytest.mark.parametrize("read_data", [None, ReadData()])
def test_a_sound_repository(filled, memory, read_data):
    """Nothing is found, nothing is changed, and what was looked at is counted."""
    before = dict(memory.objects)

    report = check(filled, read_data=read_data)

    assert report.findings == ()
    assert report.is_sound
    assert (report.snapshots, report.packs) == (2, 4)
    assert report.read_packs == (4 if read_data else 0)
    assert memory.objects == before


@pytest.mark.parametrize("kind", ["index", "snapshots", "keys"])
@pytest.mark.parametrize("change", ["flip", "cut"])
def test_damaged_files(filled, memory, kind, change):
    """A wrong byte in a key, index or snapshot file, or the loss of its end, is found."""
    (victim, *_) = named(memory, kind)
    if change == "flip":
        flip(memory, victim, 60)
    else:
        memory.objects[victim] = memory.objects[victim][:-1]

    assert victim in damage(check(filled))


def test_a_missing_key(filled, memory):
    """A repository that no password opens any more is reported."""
    for name in named(memory, "keys"):
        del memory.objects[name]

    assert damage(check(filled)) == {"repo/keys/": "there is no key: no password opens the repository"}


@pytest.mark.parametrize("read_data", [None, ReadData()])
def test_a_missing_index(filled, memory, read_data):
    """Blobs that no index knows make the snapshots damaged that need them; their pack is named as unlisted."""
    del memory.objects[named(memory, "index")[0]]

    report = check(filled, read_data=read_data)

    assert 1 <= len(report.damaged_snapshots) <= 2
    assert not report.is_sound
    assert any(finding.problem == "no index lists it" and not finding.damage for finding in report.findings)


def test_a_missing_pack(filled, memory):
    """The pack is named, and so is the file that is lost, in each snapshot that has it."""
    victim, _ = pack_of(filled, BlobType.DATA, FILES[b"a"])
    del memory.objects[victim]

    report = check(filled)

    assert damage(report)[victim] == "it is missing"
    for snapshot in filled.snapshots():
        assert damage(report)[f"snapshot {snapshot.id[:8]}:/a"] == "1 of its 1 blobs are missing or damaged"
    assert len(report.damaged_snapshots) == 2


def test_a_pack_that_was_cut_short(filled, memory):
    """A pack with another size than the index says is named without being read."""
    victim, _ = pack_of(filled, BlobType.DATA, b"c")
    memory.objects[victim] = memory.objects[victim][:-5]

    report = check(filled)

    assert "bytes instead of" in damage(report)[victim]
    assert len(report.damaged_snapshots) == 1


def test_a_damaged_header(filled, memory):
    """The list of blobs at the end of a pack is compared with the index."""
    victim, _ = pack_of(filled, BlobType.DATA, b"c")
    flip(memory, victim, len(memory.objects[victim]) - 30)

    assert "header" in damage(check(filled))[victim]


def test_an_index_that_lies(filled, memory):
    """Two index files that say different things of a pack are found."""
    ((pack, entry), *_) = take_inventory(filled).listed.items()
    wrong = [blob._replace(id=b"x" * 32) for blob in entry.blobs()]
    filled.files.save(Kind.INDEX, encode_index([encode_pack(pack, wrong)]), filled.crypter)

    found = [finding.problem for finding in check(filled).findings if finding.name.endswith(pack.hex())]
    assert "two index files say different things of it" in found


def test_a_damaged_folder(filled, memory):
    """A wrong byte in a tree is found without reading the data, and the snapshot is named."""
    tree = filled.snapshots()[1].tree
    victim, blob = pack_of(filled, BlobType.TREE, filled.load_blob(tree))
    flip(memory, victim, blob.offset + 40)

    report = check(filled)

    assert report.damaged_snapshots == (filled.snapshots()[1].id,)
    assert victim in damage(report)[f"snapshot {filled.snapshots()[1].id[:8]}:/"]


def test_wrong_bytes_of_a_file(filled, memory):
    """Only reading the data finds them; then pack, blob, snapshots and path are named."""
    victim, blob = pack_of(filled, BlobType.DATA, FILES[b"b"])
    flip(memory, victim, blob.offset + 100)
    assert check(filled).is_sound

    report = check(filled, read_data=ReadData())

    assert blob.id.hex() in damage(report)[victim]
    assert "do not match its name" in damage(report)[victim]
    assert {name.partition(":")[2] for name in damage(report)} == {"", "/b"}
    assert len(report.damaged_snapshots) == 2


def test_shares_take_turns(filled, memory):
    """Checks of a tiny share read one pack each, every one in its turn; then it begins anew."""
    kept = [Cursor()]
    turns = []
    for _ in range(5):
        before = len(kept)
        report = check(filled, read_data=ReadData(share=1e-6, cursor=kept[-1], keep=kept.append))
        turns.append(kept[before - 1].next)
        assert report.read_packs == 1
        assert kept[-1].left == 0

    packs = sorted(pack.hex() for pack in take_inventory(filled).stored)
    assert [turn or packs[0] for turn in turns] == [*packs, packs[0]]


def test_going_on(filled, memory, monkeypatch):
    """A check that broke off is finished by the next one, which reads only what was left."""
    kept = [Cursor()]
    packs = sorted(pack.hex() for pack in take_inventory(filled).stored)
    whole = MemoryDestination.get

    def get(self, name, offset=0, length=None):
        if name.endswith(packs[2]):
            raise DestinationError("no answer")
        return whole(self, name, offset, length)

    monkeypatch.setattr(MemoryDestination, "get", get)
    with pytest.raises(DestinationError):
        check(filled, read_data=ReadData(keep=kept.append))
    monkeypatch.undo()
    assert (kept[-1].next, kept[-1].left) == (packs[2], 2)

    assert check(filled, read_data=ReadData(cursor=kept[-1], keep=kept.append)).read_packs == 2
    assert check(filled, read_data=ReadData(cursor=kept[-1])).read_packs == 4


def test_damage_is_looked_at_again(filled, memory):
    """A damaged pack is read by every check until it is whole again, whoever's turn it is."""
    victim, blob = pack_of(filled, BlobType.DATA, FILES[b"b"])
    flip(memory, victim, blob.offset + 100)
    kept = [Cursor()]
    check(filled, read_data=ReadData(keep=kept.append))
    assert kept[-1].damaged == (victim.rpartition("/")[2],)
    for _ in range(4):
        assert victim in damage(check(filled, read_data=ReadData(share=0.01, cursor=kept[-1], keep=kept.append)))
    flip(memory, victim, blob.offset + 100)

    assert check(filled, read_data=ReadData(share=0.01, cursor=kept[-1], keep=kept.append)).is_sound
    assert kept[-1].damaged == ()


def test_locks(filled):
    """It works beside writers, and not beside somebody who removes things."""
    with filled.writer():
        assert check(filled).is_sound
    with filled.lock(exclusive=True), pytest.raises(RepositoryLockedError):
        check(filled)
