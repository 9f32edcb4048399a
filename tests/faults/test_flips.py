"""One bit that flips in any file of a repository: it is noticed and named, and what does not need it is restored."""

from __future__ import annotations

import contextlib
import random
import tempfile
from pathlib import Path

import pytest

from jetcore.errors import RepositoryError
from jetcore.model import Outcome
from jetcore.repository import Repository
from jetcore.repository.blob import BlobType
from jetcore.repository.check import ReadData, check
from jetcore.repository.crypto import Crypter
from jetcore.repository.pack import read_header
from jetcore.repository.prune import prune
from jetcore.repository.repair import repair
from jetcore.testing.trees import fingerprint

#: Bits that are tried in each file, beside the first and the last.
BITS = 5


def flipped(data, chance):
    """The data with one bit turned, at several places."""
    bits = {0, len(data) * 8 - 1} | {chance.randrange(len(data) * 8) for _ in range(BITS)}
    for bit in sorted(bits):
        other = bytearray(data)
        other[bit // 8] ^= 1 << bit % 8
        yield bit, bytes(other)


def names(stored, folder):
    return sorted(name for name in stored.objects if f"/{folder}" in name)


def damages(stored, folder):
    """Copies of what is stored, each with a bit flipped in a file of the folder, and that file's name."""
    chance = random.Random(folder)
    assert names(stored, folder)
    for name in names(stored, folder):
        for bit, data in flipped(stored.objects[name], chance):
            yield name, bit, data


@pytest.mark.parametrize("folder_name", ["config", "index/", "snapshots/", "data/"])
def test_restore_and_backup(changed_site, folder, folder_name):
    """Each point gives back all that does not need the damaged file, names that file, and nothing wrong; and a new
    backup names it, too, or is made.
    """
    noticed = 0
    for name, bit, data in damages(changed_site, folder_name):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            site, place, proof = changed_site.copy(Path(own))
            place._inner.objects[name] = data
            named = False
            for number, (point, picture) in enumerate(proof.pictures.items()):
                target = Path(own) / f"target {number}"
                said = restore(site, place, point, target)
                found = fingerprint(target / "homedir") if (target / "homedir").exists() else {}
                for path, entry in found.items():
                    if entry.kind == "file":
                        assert (entry.size, entry.digest) == (picture[path].size, picture[path].digest)
                if not said:
                    assert found == picture, f"{name} bit {bit}: point {number} lacks something without a word"
                else:
                    assert any(name.rpartition("/")[2] in line for line in said), f"{name} bit {bit}: {said}"
                    named = True
            noticed += named
            assert name in backed_up(site, place, otherwise=name)
    assert noticed


def test_damaged_folders_are_stored_again(changed_site, folder):
    """A backup that comes across a damaged folder of the former point stores it again, so the new point is whole."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        site, place, _ = changed_site.copy(Path(own))
        with site.core(place) as core:
            crypter = core.repository("alice").crypter
    tried = 0
    for name, _bit, data in damages(changed_site, "data/"):
        if read_header(changed_site.objects[name], crypter)[0].type is BlobType.DATA:
            continue
        with tempfile.TemporaryDirectory(dir=folder) as own:
            site, place, proof = changed_site.copy(Path(own))
            place._inner.objects[name] = data
            assert backed_up(site, place, otherwise="nothing") == "nothing"
            with site.core(place) as core:
                repository = core.repository("alice")
                assert proof._restored(repository, core.point("alice").id) == site.picture()
                damage = check(repository, read_data=ReadData())
                assert any(name in finding.name for finding in damage.findings)
                with contextlib.suppress(RepositoryError):  # it may be right to refuse
                    prune(repository)
                repair(repository, read_data=True)
                prune(repository)
                assert check(repository, read_data=ReadData()).is_sound
                assert proof._restored(repository, core.point("alice").id) == site.picture()
        tried += 1
    assert tried


def backed_up(site, place, otherwise):
    """Make a backup and return what is said to be wrong, or *otherwise* if nothing is."""
    with site.core(place) as core:
        try:
            outcome = core.backup("alice").outcome
        except RepositoryError as error:
            return str(error)
    assert outcome is Outcome.COMPLETED
    return otherwise


def restore(site, place, point, target):
    """Restore a point and return what is said to be wrong."""
    with site.core(place) as core:
        try:
            report = core.restore("alice", point, to=target)
        except RepositoryError as error:
            return [str(error)]
    lines = [message for part in report.parts for message in part.messages]
    assert bool(lines) == (report.outcome is not Outcome.COMPLETED)
    return lines


def test_keys(changed_site, folder):
    """A damaged key is named when the password is needed; who has the master keys does not need it."""
    for name, _bit, data in damages(changed_site, "keys/"):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            site, place, proof = changed_site.copy(Path(own))
            place._inner.objects[name] = data

            assert proof.points(place) == list(changed_site.pictures)
            with site.core(place) as core:
                password = core.repository_password("alice")
            with pytest.raises(RepositoryError, match=name):
                Repository.open(place, name.partition("keys/")[0], password=password)


def test_headers_of_packs(changed_site, folder):
    """A header that is damaged anywhere is noticed when it is read."""
    with changed_site.copy(folder)[0].core() as core:
        site, place, _ = changed_site.copy(folder / "again")
    with site.core(place) as core:
        crypter = Crypter(core.repository("alice").keys)
    for name in names(changed_site, "data/"):
        pack = changed_site.objects[name]
        blobs = read_header(pack, crypter)
        start = sum(blob.length for blob in blobs)
        for _bit, tail in flipped(pack[start:], random.Random(name)):
            with pytest.raises(RepositoryError):
                read_header(pack[:start] + tail, crypter)


def test_locks(changed_site, folder):
    """A damaged lock forbids a backup and is named; the points are restored all the same."""
    site, place, _ = changed_site.copy(folder)
    with site.core(place) as core:
        core.repository("alice").lock()
    (name,) = [name for name in place._inner.objects if "/locks/" in name]
    whole = place._inner.objects[name]
    for bit, data in flipped(whole, random.Random(0)):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            site, place, proof = changed_site.copy(Path(own))
            place._inner.objects[name] = data
            with site.core(place) as core, pytest.raises(RepositoryError, match=name):
                core.backup("alice")
            assert proof.points(place) == list(changed_site.pictures), bit
