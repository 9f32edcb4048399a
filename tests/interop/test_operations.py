"""Check, repair, forget and prune, beside what the stock restic says of the same repository."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from jetcore.model import Secret
from jetcore.repository import BlobType, Repository, Snapshot
from jetcore.repository.check import ReadData, check
from jetcore.repository.diff import diff
from jetcore.repository.files import Kind
from jetcore.repository.forget import forget
from jetcore.repository.inventory import take_inventory
from jetcore.repository.prune import prune
from jetcore.repository.repair import repair
from jetcore.repository.stats import take_stats

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def nights(ours, source, store):
    """Backs up some nights of a tree that changes, and returns the snapshots' ids."""

    def back_up(count):
        ids = []
        for number in range(count):
            for name in (b"changing", b"dir/changing"):
                with open(source + b"/" + name, "wb") as file:
                    file.write(os.urandom(300_000 if number % 2 else 30_000))
            with ours.writer() as writer:
                tree = store(writer, source)
                time = NOW + timedelta(days=number)
                ids.append(writer.save_snapshot(Snapshot(time=time, tree=tree, paths=("/source",))))
        return ids

    return back_up


@pytest.fixture
def place(tmp_path):
    return tmp_path / "destination" / "repo"


def is_clean(restic):
    return "no errors were found" in restic("check", "--read-data")


def test_after_our_prune(ours, restic, source, nights, facts, *, tmp_path, place):
    """restic finds no error and no waste worth a word, and restores every snapshot."""
    ids = nights(8)
    forget(ours, ids[:-1:2])
    before = sum(path.stat().st_size for path in place.rglob("*"))

    prune(ours)

    assert sum(path.stat().st_size for path in place.rglob("*")) < before
    assert is_clean(restic)
    for snapshot in (ids[1], ids[-1]):
        restic("restore", snapshot, "--target", tmp_path / snapshot)
    assert facts(os.fsencode(tmp_path / ids[-1])) == facts(source)
    assert check(ours, read_data=ReadData()).findings == ()


def test_after_many_nights(ours, restic, nights, place):
    """60 nights are 60 snapshots and few other files after a prune, which restic finds in order."""
    nights(60)

    prune(ours)

    files = [path for path in place.rglob("*") if path.is_file() and path.parent.name != "snapshots"]
    assert len(files) <= 12 + sum(path.stat().st_size for path in files) / (8 << 20)
    assert is_clean(restic)


def test_after_their_prune(ours, destination, restic, source, nights, *, tmp_path):
    """What restic leaves after forget and prune is sound for us, also for who had it open before."""
    ids = nights(6)
    restic("forget", "--prune", "--max-unused", "0", *ids[:3])

    for repository in (
        ours,
        Repository.open(destination, "repo/", password=Secret((tmp_path / "password").read_text())),
    ):
        assert [snapshot.id for snapshot in repository.snapshots()] == ids[3:]
        assert check(repository, read_data=ReadData()).findings == ()
        for snapshot in repository.snapshots():
            assert {node.name for node in repository.load_tree(snapshot.tree)} == set(os.listdir(source))
    prune(ours)
    assert is_clean(restic)


def test_a_repository_of_theirs(theirs, restic, source, tmp_path):
    """We check, prune and repair what only restic has written."""
    for number in range(3):
        with open(source + b"/changing", "wb") as file:
            file.write(os.urandom(2_000_000))
        restic("backup", source)
        assert len(theirs.snapshots()) == number + 1
    assert check(theirs, read_data=ReadData()).findings == ()
    forget(theirs, [theirs.snapshots()[0].id])

    assert prune(theirs).freed_bytes > 1_900_000
    assert not repair(theirs, read_data=True).new_index

    assert is_clean(restic)
    restic("restore", "latest", "--target", tmp_path / "out")


def damage(place, repository, what, how):
    """Damage the file with the blob or document *what*; return its name."""
    if what == "index":
        path = next((place / "index").iterdir())
    elif what == "snapshots":
        path = place / "snapshots" / repository.snapshots()[0].id
    else:
        kind = BlobType.DATA if what == "data" else BlobType.TREE
        listed = take_inventory(repository).listed
        pack = next(pack for pack, entry in listed.items() if {blob.type for blob in entry.blobs()} == {kind})
        path = place / "data" / pack.hex()[:2] / pack.hex()
    if how == "missing":
        path.unlink()
    else:
        data = bytearray(path.read_bytes())
        data[100] ^= 1
        path.chmod(0o600)
        path.write_bytes(bytes(data))
    return path.name


@pytest.mark.parametrize("how", ["wrong byte", "missing"])
@pytest.mark.parametrize("what", ["data", "tree", "index", "snapshots"])
def test_damage(ours, restic, nights, place, *, what, how):
    """We find what restic finds; after our repair neither finds anything, and every snapshot that is left restores."""
    nights(3)
    name = damage(place, ours, what, how)

    report = check(ours, read_data=ReadData())

    if (what, how) == ("snapshots", "missing"):
        assert report.is_sound  # of the repository alone nobody can tell that it was ever there
        assert is_clean(restic)
        return
    if how == "wrong byte":
        restic("check", "--read-data", ok=False)
    elif what != "tree":  # restic would look for the missing pack again and again, for most of a minute
        restic("check", ok=False)
    assert not report.is_sound
    if (what, how) != ("index", "missing"):
        assert any(name in finding.name for finding in report.findings if finding.damage)

    repaired = repair(ours, read_data=True)

    assert is_clean(restic)
    assert check(ours, read_data=ReadData()).is_sound
    assert len(ours.snapshots()) + len(repaired.damaged) == 3
    if what == "index":
        assert not repaired.damaged
    for snapshot in ours.snapshots():
        restic("dump", snapshot.id, "/changing")


def test_a_damaged_snapshot_for_restic(ours, restic, nights, place):
    """restic passes over what is kept apart, and dumps what is left of it once its file is put back."""
    ids = nights(2)
    listed = take_inventory(ours).listed
    (lost,) = [
        blob for node in ours.load_tree(ours.snapshots()[1].tree) if node.name == b"changing" for blob in node.content
    ]
    pack = ours.stored_index.index.find(lost, BlobType.DATA).pack
    assert pack in listed
    (place / "data" / pack.hex()[:2] / pack.hex()).unlink()
    repair(ours)
    assert ids[1][:8] not in restic("snapshots")

    (place / "damaged" / ids[1]).rename(place / "snapshots" / ids[1])

    assert restic("dump", ids[1], "/plain") == ""
    restic("dump", ids[1], "/changing", ok=False)


def test_locks_of_a_running_restic(ours, restic, nights):
    """Neither prune nor repair nor forget touches anything while restic works."""
    (snapshot,) = nights(1)
    process = restic.start("backup", "--verbose", "--stdin")
    while b"load index files" not in process.stdout.readline():
        assert process.poll() is None
    for work in (prune, repair, lambda repository: forget(repository, [snapshot])):
        with pytest.raises(Exception, match=f"locked by process {process.pid}"):
            work(ours)
    process.communicate(b"x")
    prune(ours)


def test_the_same_figures(ours, restic, nights):
    """Our count of files and bytes is restic's."""
    nights(3)

    found = take_stats(ours)

    theirs = json.loads(restic("stats", "--mode", "restore-size", "--json"))
    assert found.logical_bytes == theirs["total_size"]
    raw = json.loads(restic("stats", "--mode", "raw-data", "--json"))
    assert found.packed_bytes == raw["total_size"]


def test_the_same_differences(ours, restic, nights):
    """We name the paths that restic names, with the same signs."""
    one, other = nights(2)
    before, after = (ours.snapshot(name) for name in (one, other))

    theirs = [line.split(None, 1) for line in restic("diff", one, other).splitlines() if " /" in line]

    assert [[change.kind.value, os.fsdecode(change.path)] for change in diff(ours, before.tree, after.tree)] == theirs


def test_an_empty_password(tmp_path, destination, cheap_keys):
    """A repository may have an empty password, which newer restics open when they are told to."""
    made = Repository.init(destination, "open/", Secret(""))

    opened = Repository.open(destination, "open/", password=Secret(""))

    assert opened.keys == made.keys
    assert list(opened.files.list(Kind.KEY))
