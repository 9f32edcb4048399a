"""Opening a repository and reading from it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

import pytest

from jetcore.errors import (
    BadInputError,
    CorruptRepositoryError,
    RepositoryError,
    RepositoryLockedError,
    WrongPasswordError,
)
from jetcore.model import Secret
from jetcore.repository import BlobType, MasterKeys, Repository, Snapshot, encode_node, encode_tree
from jetcore.repository.blob import blob_id
from jetcore.repository.config import Config
from jetcore.repository.crypto import Crypter
from jetcore.repository.files import Files, Kind
from jetcore.testing import Fault, FaultyDestination, fail_at

FILES = {b"one": b"1" * 1000, b"two": b"2" * 1000, b"\xff": b""}


def flip(memory, name, position=50):
    data = bytearray(memory.objects[name])
    data[position] ^= 1
    memory.objects[name] = bytes(data)


def named(memory, folder):
    return [name for name in memory.objects if name.startswith(f"repo/{folder}/")]


def test_init_and_open(memory, in_memory, password):
    """A new repository opens with its password and with its keys, and is the same one."""
    for opened in (
        Repository.open(memory, "repo/", password=password),
        Repository.open(memory, "repo/", keys=in_memory.keys),
        Repository.open(memory, "repo/", keys=MasterKeys.from_json(in_memory.keys.to_json())),
    ):
        assert opened.id == in_memory.id
        assert opened.keys == in_memory.keys
        assert opened.snapshots() == []
    assert sorted(name.split("/")[1] for name in memory.objects) == ["config", "keys"]


def test_a_repository_at_the_root(memory, password):
    """The prefix may be empty."""
    made = Repository.init(memory, "", password)

    assert Repository.open(memory, "", password=password).id == made.id


def test_init_refuses_what_is_there(memory, in_memory, save, password):
    """A repository is never made over another one, nor over one that lost its config."""
    with pytest.raises(RepositoryError, match="repository at repo/ already"):
        Repository.init(memory, "repo/", password)
    with in_memory.writer() as writer:
        save(writer, FILES)
    before = dict(memory.objects)
    del memory.objects["repo/config"]
    with pytest.raises(RepositoryError, match="config is gone"):
        Repository.init(memory, "repo/", password)
    assert before.items() >= memory.objects.items()
    assert len(before) == len(memory.objects) + 1


def test_init_goes_on_where_it_broke_off(memory, in_memory, password):
    """An init that was stopped between key and config can be done again."""
    del memory.objects["repo/config"]
    Repository.init(memory, "repo/", password)

    assert Repository.open(memory, "repo/", password=password).snapshots() == []


def test_what_does_not_open(memory, in_memory, password):
    """No repository, a wrong password, other keys, neither of both: each has its own error."""
    with pytest.raises(RepositoryError, match="no repository at other/"):
        Repository.open(memory, "other/", password=password)
    with pytest.raises(WrongPasswordError):
        Repository.open(memory, "repo/", password=Secret("wrong"))
    with pytest.raises(CorruptRepositoryError, match="repo/config"):
        Repository.open(memory, "repo/", keys=MasterKeys.generate())
    with pytest.raises(BadInputError):
        Repository.open(memory, "repo/")
    flip(memory, "repo/config")
    with pytest.raises(CorruptRepositoryError, match="repo/config"):
        Repository.open(memory, "repo/", password=password)


def test_version_1_is_only_read(memory, in_memory):
    """A repository of the older version is opened, but nothing is written into it."""
    config = Config(1, in_memory.id, in_memory.config.polynomial)
    memory.objects["repo/config"] = Crypter(in_memory.keys).seal(config.encode())
    repository = Repository.open(memory, "repo/", keys=in_memory.keys)

    with pytest.raises(RepositoryError, match="only read"):
        repository.writer()


def test_snapshots_are_in_order(memory, in_memory):
    """Snapshots come oldest first, whatever the order of their ids."""
    years = [2021, 2019, 2022, 2020, 2018]
    with in_memory.writer() as writer:
        tree = writer.save_tree(encode_tree([]))
        for year in years:
            writer.save_snapshot(Snapshot(time=datetime(year, 1, 1, tzinfo=UTC), tree=tree, tags=(str(year),)))

    assert [snapshot.time.year for snapshot in in_memory.snapshots()] == sorted(years)


def test_snapshot_by_prefix(in_memory, save):
    """A snapshot is found by its id or the beginning of it; near ones are named if it is not."""
    with pytest.raises(BadInputError, match="none at all"):
        in_memory.snapshot("ab")
    with in_memory.writer() as writer:
        ids = [save(writer, FILES) for _ in range(17)]  # so that two of them begin with the same digit
    first_digits = [snapshot_id[0] for snapshot_id in ids]

    assert in_memory.snapshot(ids[0]).id == ids[0]
    assert in_memory.snapshot(ids[1][:20].upper()).id == ids[1]
    with pytest.raises(BadInputError, match=r"\d+ snapshots begin with"):
        in_memory.snapshot(max(first_digits, key=first_digits.count))
    with pytest.raises(BadInputError, match=ids[2][:12]):
        in_memory.snapshot(ids[2][:11] + "x")
    with pytest.raises(BadInputError):
        in_memory.snapshot("")


def test_find(in_memory, node):
    """A path leads through folders to a node; what is not there is None."""
    with in_memory.writer() as writer:
        inner = writer.save_tree(encode_tree([encode_node(node(name=b"\xff"))]))
        outer = writer.save_tree(
            encode_tree([encode_node(node(name=b"dir", type="dir", subtree=inner)), encode_node(node(name=b"file"))])
        )

    assert in_memory.find(outer, b"dir/\xff").name == b"\xff"
    assert in_memory.find(outer, b"/dir/").subtree == inner
    assert in_memory.find(outer, b"dir/other") is None
    assert in_memory.find(outer, b"file/below") is None
    assert in_memory.find(outer, b"") is None


def test_lock(in_memory, save):
    """An exclusive lock keeps writers out, a shared one does not."""
    with in_memory.lock():
        in_memory.writer().__exit__(None, None, None)
    with in_memory.lock(exclusive=True):
        with pytest.raises(RepositoryLockedError):
            in_memory.writer()


@pytest.fixture
def two_packs(memory, in_memory, save):
    """Two snapshots with a data pack, an index file and a tree pack each; the names of the first one's files."""
    with in_memory.writer() as writer:
        first = save(writer, FILES, tags=("first",))
    objects = set(memory.objects)
    with in_memory.writer() as writer:
        second = save(writer, {b"three": b"3" * 1000}, tags=("second",))
    return Repository.open(memory, "repo/", keys=in_memory.keys), first, second, objects


def test_damaged_packs(memory, two_packs, contents):
    """A damaged pack is named when it is read; the other restore point is whole."""
    repository, first, second, objects = two_packs
    for name in objects:
        if name.startswith("repo/data/"):
            flip(memory, name)

    with pytest.raises(CorruptRepositoryError, match=r"repo/data/../[0-9a-f]{64} is damaged at blob"):
        contents(repository, repository.snapshot(first))
    assert contents(repository, repository.snapshot(second)) == {b"three": b"3" * 1000}


def test_wrong_bytes_once(memory, two_packs):
    """A destination that gives wrong bytes once is asked again."""
    repository, first, _, _ = two_packs
    tree = repository.snapshot(first).tree
    place = FaultyDestination(memory)
    again = Repository.open(place, "repo/", keys=repository.keys)
    again.damaged_indexes()
    place.plan = fail_at(len(place.calls) + 1, Fault.WRONG_BYTES)

    assert again.load_tree(tree) == repository.load_tree(tree)
    assert [call.verb for call in place.calls[-3:]] == ["get", "list", "get"]


def test_damaged_blobs_are_stored_again(memory, two_packs, save, contents):
    """What was found damaged counts as missing, so that it is stored again; and it is found in its new place."""
    repository, first, _, objects = two_packs
    whole = contents(repository, repository.snapshot(first))
    for name in objects:
        if name.startswith("repo/data/"):
            flip(memory, name)
    with pytest.raises(CorruptRepositoryError):
        contents(repository, repository.snapshot(first))
    again = Repository.open(repository.files.destination, "repo/", keys=repository.keys)
    blobs = [blob_id(data) for data in whole.values()]
    damaged = [blob for blob, found in again.load_blobs(blobs) if isinstance(found, CorruptRepositoryError)]
    assert damaged

    with again.writer() as writer:
        assert not any(map(writer.has_blob, damaged))
        with pytest.raises(CorruptRepositoryError):
            again.load_tree(again.snapshot(first).tree)
        new = save(writer, whole)

    later = Repository.open(repository.files.destination, "repo/", keys=repository.keys)
    assert contents(later, later.snapshot(new)) == whole


def test_missing_and_short_packs(memory, two_packs):
    """A pack that is gone, or cut, is named."""
    repository, first, _, objects = two_packs
    tree = repository.snapshot(first).tree
    packs = [name for name in objects if name.startswith("repo/data/")]
    (tree_pack,) = [name for name in packs if name.endswith(repository._locate(tree, BlobType.TREE).pack.hex())]
    whole = memory.objects.pop(tree_pack)
    with pytest.raises(CorruptRepositoryError, match=f"{tree_pack} is missing"):
        repository.load_tree(tree)
    memory.objects[tree_pack] = whole[:20]
    with pytest.raises(CorruptRepositoryError, match=tree_pack):
        repository.load_tree(tree)


def test_damaged_index(memory, two_packs, contents):
    """A damaged index file is named; what other files list can be read, and new backups can be made."""
    repository, first, second, objects = two_packs
    (damaged,) = [name for name in objects if name.startswith("repo/index/")]
    flip(memory, damaged)

    with pytest.raises(CorruptRepositoryError, match=damaged):
        contents(repository, repository.snapshot(first))
    assert contents(repository, repository.snapshot(second)) == {b"three": b"3" * 1000}
    assert list(repository.damaged_indexes()) == [damaged.split("/")[-1]]


def test_backup_beside_a_damaged_index(memory, two_packs, save, contents):
    """A new backup stores again what a damaged index file listed, and is whole."""
    repository, _, _, objects = two_packs
    (damaged,) = [name for name in objects if name.startswith("repo/index/")]
    flip(memory, damaged)
    with repository.writer() as writer:
        third = save(writer, FILES)
        assert writer.added_blobs == 4

    assert contents(repository, repository.snapshot(third)) == FILES


def test_damaged_snapshot(memory, two_packs):
    """A damaged snapshot does not hide the others, is listed as damaged, and is named when it is asked for."""
    repository, first, second, _ = two_packs
    flip(memory, f"repo/snapshots/{first}")

    assert [snapshot.id for snapshot in repository.snapshots()] == [second]
    assert list(repository.damaged_snapshots()) == [first]
    with pytest.raises(CorruptRepositoryError, match=f"repo/snapshots/{first} is damaged"):
        repository.snapshot(first)


def test_snapshot_with_nonsense(memory, in_memory):
    """A snapshot file that is sealed well and says nothing sensible is a damaged one."""
    files = Files(memory, "repo/")
    snapshot_id = files.save(Kind.SNAPSHOT, b'{"time":"never"}', Crypter(in_memory.keys))

    assert in_memory.snapshots() == []
    assert snapshot_id in in_memory.damaged_snapshots()[snapshot_id]


def test_blobs_of_other_contents(memory, in_memory):
    """A blob whose contents do not match its id is damaged, however well it is sealed."""
    with in_memory.writer() as writer:
        blob = writer.save_data(b"right")
    (pack,) = named(memory, "data")
    sealed = Crypter(in_memory.keys).seal(b"wrong")
    memory.objects[pack] = sealed + memory.objects[pack][len(sealed) :]

    with pytest.raises(CorruptRepositoryError, match="other contents"):
        in_memory.load_blob(blob)


def test_unknown_blob(in_memory):
    """A blob that is in no index is missing, not found elsewhere."""
    with pytest.raises(CorruptRepositoryError, match="in no index of repo/"):
        in_memory.load_blob(hashlib.sha256(b"x").digest())
    assert not in_memory.has_blob(hashlib.sha256(b"x").digest())


def test_what_others_wrote_since(memory, in_memory, save, contents):
    """A repository that is open finds what another process has added."""
    other = Repository.open(memory, "repo/", keys=in_memory.keys)
    assert other.damaged_indexes() == {}
    with in_memory.writer() as writer:
        snapshot = save(writer, FILES)

    assert contents(other, other.snapshot(snapshot)) == FILES


def test_many_blobs_at_once(memory, two_packs):
    """Blobs that are wanted together come each once, in few reads, and a damaged one does not keep the others back."""
    repository, _, _, _ = two_packs
    with repository.writer() as writer:
        blobs = {writer.save_data(b"%d" % number * 50): b"%d" % number * 50 for number in range(200)}
    reads = []
    get = memory.get
    memory.get = lambda *arguments: reads.append(arguments) or get(*arguments)
    missing = hashlib.sha256(b"x").digest()

    found = dict(repository.load_blobs([*blobs, *blobs, missing]))
    assert {blob: data for blob, data in found.items() if blob != missing} == blobs
    assert isinstance(found[missing], CorruptRepositoryError)
    assert len(reads) == 1

    damaged = next(iter(blobs))
    location = repository._locate(damaged, BlobType.DATA)
    flip(memory, f"repo/data/{location.pack.hex()[:2]}/{location.pack.hex()}", location.offset + 40)
    found = dict(repository.load_blobs(blobs))
    assert [blob for blob, data in found.items() if data != blobs[blob]] == [damaged]
    assert "is damaged at blob" in str(found[damaged])
