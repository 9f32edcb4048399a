"""Several processes at one repository, locks of others, and clocks that jump: nothing is lost."""

from __future__ import annotations

import os
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from jetcore.backup import pipeline
from jetcore.errors import RepositoryLockedError
from jetcore.repository import lock as lock_module
from jetcore.repository.crypto import Crypter
from jetcore.repository.files import Files, Kind
from jetcore.repository.snapshot import encode_datetime


@pytest.mark.parametrize("operation", ["nothing_stored", "changed_site"])
def test_two_backups_at_once(request, folder, start, operation):
    """Two processes that back up one account at once, its very first time too, both make points that are whole."""
    stored = request.getfixturevalue(operation)
    for _ in range(12):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            site, place, proof = stored.copy_to_disk(Path(own))
            ready, go = os.pipe()

            def work(site=site, place=place, ready=ready, go=go):
                os.close(go)
                with site.core(place) as core:
                    os.read(ready, 1)  # returns when the parent gives the word to both
                    core.backup("alice")

            pids = [start(work), start(work)]
            os.close(ready)
            os.close(go)
            assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]

            assert len(proof.points(place)) == len(stored.pictures) + 2


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
