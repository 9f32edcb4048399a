"""Several processes at one repository, locks of others, and clocks that jump: nothing is lost."""

from __future__ import annotations

import os
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import orjson
import pytest

from jetcore.backup import pipeline
from jetcore.errors import RepositoryLockedError
from jetcore.model import Outcome
from jetcore.repository import lock as lock_module
from jetcore.repository.check import ReadData, check
from jetcore.repository.crypto import Crypter
from jetcore.repository.files import Files, Kind
from jetcore.repository.prune import prune
from jetcore.repository.snapshot import encode_datetime
from jetcore.testing.trees import fingerprint


@pytest.mark.parametrize("operation", ["nothing_stored", "changed_site"])
def test_two_backups_at_once(request, folder, start, operation):
    """Two processes that back up one account at once, its very first time too, both make points that are whole."""
    stored = request.getfixturevalue(operation)
    for _ in range(12):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            site, place, proof = stored.copy_to_disk(Path(own))
            ready, go = os.pipe()

            work = partial(at_the_word, lambda core: core.backup("alice"), site, place, (ready, go))
            pids = [start(work), start(work)]
            os.close(ready)
            os.close(go)
            assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]

            assert len(proof.points(place)) == len(stored.pictures) + 2


def at_the_word(work, site, place, pipe):
    """Do something at the same moment as others: when the parent closes its ends of the pipe."""
    ready, go = pipe
    os.close(go)
    with site.core(place) as core:
        os.read(ready, 1)
        work(core)


def restore(core, point, target):
    assert core.restore("alice", point, to=target).outcome is Outcome.COMPLETED


@pytest.mark.parametrize("others", [("backup", "prune"), ("prune", "prune"), ("backup", "backup", "prune")])
def test_beside_a_prune(folder, forgotten, start, others):
    """Backups, restores and prunes at once: each ends well or is told to wait, and no point loses anything."""
    for number in range(8):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            site, place, proof = forgotten.copy_to_disk(Path(own))
            wanted = next(iter(forgotten.pictures))
            ready, go = os.pipe()

            works = {
                "backup": lambda core: core.backup("alice"),
                "prune": lambda core: prune(core.repository("alice")),
                "restore": partial(restore, point=wanted, target=Path(own) / "back"),
            }
            restoring, *working = [
                start(partial(at_the_word, works[what], site, place, (ready, go))) for what in ("restore", *others)
            ]
            os.close(ready)
            os.close(go)
            ends = [os.waitpid(pid, 0)[1] for pid in working]
            assert os.waitpid(restoring, 0)[1] == 0, number
            assert set(ends) <= {0, RepositoryLockedError.exit_code << 8}, number

            assert fingerprint(Path(own) / "back/homedir") == forgotten.pictures[wanted]
            made = sum(not end for end, what in zip(ends, others, strict=True) if what == "backup")
            assert len(proof.points(place)) == len(forgotten.pictures) + made
            with site.core(place) as core:
                assert check(core.repository("alice"), read_data=ReadData()).is_sound


def plant_lock(site, place, **values):
    """Write somebody else's lock into the account's repository."""
    with site.core(place) as core:
        repository = core.repository("alice")
        account = core.account("alice")
    document = {
        "time": encode_datetime(datetime.now(UTC)),
        "exclusive": True,
        "hostname": "elsewhere",
        "username": "root",
        "pid": 1,
    } | values
    files = Files(place, f"alice-{account.uuid[:8]}/")
    return files.save(Kind.LOCK, orjson.dumps(document), Crypter(repository.keys))


def test_backup_beside_an_exclusive_lock(folder, changed_site):
    """While somebody removes things there is no backup, which is said and can be tried again, and no point is lost."""
    site, place, proof = changed_site.copy(folder)
    plant_lock(site, place)

    with site.core(place) as core, pytest.raises(RepositoryLockedError) as caught:
        core.backup("alice")

    assert (caught.value.exit_code, caught.value.retryable) == (8, True)
    assert proof.points(place) == list(changed_site.pictures)


@pytest.mark.parametrize("why", ["old", "dead"])
def test_backup_beside_a_stale_lock(folder, changed_site, why):
    """A lock whose owner is gone, or half an hour old, keeps nobody from a backup."""
    dead = subprocess.Popen(["true"])
    dead.wait()
    old = {"time": encode_datetime(datetime.now(UTC) - timedelta(minutes=31))}
    site, place, proof = changed_site.copy(folder)
    plant_lock(site, place, **(old if why == "old" else {"hostname": os.uname().nodename, "pid": dead.pid}))

    with site.core(place) as core:
        core.backup("alice")

    assert len(proof.points(place)) == 3
    assert not [name for name in place._inner.objects if "/locks/" in name]


@pytest.mark.parametrize("jumps", [(1, -1), (-400, 400), (0, -0.02), (36500, -36500)])
def test_clock_that_jumps(folder, changed_site, monkeypatch, jumps):
    """However the clock jumps between two backups, and in the middle of one, each point is what was there."""
    site, place, proof = changed_site.copy(folder)
    index = site.account.home / "index.php"
    before, times = index.read_bytes(), index.stat()

    class Clock(datetime):
        moved = timedelta(0)
        calls = 0

        @classmethod
        def now(cls, tz=None):
            cls.calls += 1
            return datetime.now(tz) + cls.moved * (cls.calls % 2)

    monkeypatch.setattr(pipeline, "datetime", Clock)
    monkeypatch.setattr(lock_module, "datetime", Clock)
    for number, days in enumerate(jumps):
        Clock.moved = timedelta(days=days)
        # Neither size nor mtime say that anything changed.
        index.write_bytes(before[:-2] + b"%d\n" % number)
        os.utime(index, ns=(times.st_atime_ns, times.st_mtime_ns))
        with site.core(place) as core:
            proof.pictures[core.backup("alice").id] = site.picture()

    assert len(proof.points(place)) == 4
    index.write_bytes(before)
    os.utime(index, ns=(times.st_atime_ns, times.st_mtime_ns))
