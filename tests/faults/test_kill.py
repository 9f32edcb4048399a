"""Backups and prunes that are killed at any moment. ``make soak`` runs thousands of rounds: ``SOAK`` says how many."""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import attrs
import pytest

from jetcore.repository import packer, writer
from jetcore.repository.forget import forget
from jetcore.repository.prune import prune
from jetcore.repository.repair import repair
from jetcore.state import points
from jetcore.state.engine import writing

ROUNDS = 200
SEEDS = range(max(1, int(os.environ.get("SOAK", "0")) // ROUNDS))
_PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture
def orphans():
    """Orphaned grandchildren become children of this process, so that none can hide."""
    libc = ctypes.CDLL(None)
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)
    yield
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 0)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.usefixtures("orphans")
def test_kills(folder, nothing_stored, start, monkeypatch, seed):
    """After each kill every listed point is whole and no process is left; in the end restic finds no error."""
    # Little data makes as many steps as much data does: the second process, several packs, several index files.
    monkeypatch.setattr(writer, "FORK_BYTES", 64 << 10)
    monkeypatch.setattr(packer, "TARGET_BYTES", 128 << 10)
    site, place, proof = nothing_stored.copy_to_disk(folder)
    home = folder / "alice"
    home.mkdir()
    site.account = attrs.evolve(site.account, home=home)
    chance = random.Random(seed)
    killed = 0

    def back_up():
        os.setsid()
        with site.core(place) as core:
            core.backup("alice")

    def tidy_up(forgotten):
        os.setsid()
        with site.core(place) as core:
            repository = core.repository("alice")
            forget(repository, [forgotten], first=partial(unlist, core))
            prune(repository)
            assert not repair(repository).damaged

    usual = 0.2
    for number in range(ROUNDS):
        change(home, chance)
        began = time.monotonic()
        listed = sorted(proof.points(place, only_new=True))
        tidy = len(listed) > 3 and chance.random() < 0.25
        child = start(partial(tidy_up, chance.choice(listed)) if tidy else back_up)
        status = end(child, chance, usual)
        assert status in (0, signal.SIGKILL, 7 << 8), f"seed {seed}, round {number}: status {status}"
        if status:
            killed += 1
        elif not tidy:
            usual = 0.8 * usual + 0.2 * (time.monotonic() - began)
        assert none_left(child), f"seed {seed}, round {number}: a process is left"
        try:
            proof.points(place, only_new=True)
        except BaseException as error:
            error.add_note(f"seed {seed}, round {number}")
            raise

    assert ROUNDS // 4 < killed < ROUNDS
    with site.core(place) as core:
        last = core.backup("alice")
        assert proof.points(place)[-1] == last.id
        assert "no errors were found" in restic(core, folder)


def unlist(core, identity):
    """Take a point off the list, if the prune that was killed did not do so."""
    with writing(core._engine) as connection:
        points.remove(connection, core.point("alice", identity))


def change(home: Path, chance: random.Random) -> None:
    """Write, overwrite, move or remove some files."""
    files = [path for path in sorted(home.rglob("*")) if path.is_file()]
    for path in chance.sample(files, min(len(files), 3)):
        if len(files) > 25 or chance.random() < 0.3:
            path.unlink()
        else:
            path.rename(path.with_name(f"moved {chance.random()}"))
    for _ in range(chance.randint(1, 5)):
        below = home / chance.choice("abc")
        below.mkdir(exist_ok=True)
        size = chance.choice([0, 10, 3_000, 90_000, 200_000])
        (below / f"file {chance.randint(0, 30)}").write_bytes(chance.randbytes(size))


def end(child: int, chance: random.Random, usual: float) -> int:
    """Wait for a random time, then kill the process, or the one that seals for it; return how it ended."""
    until = time.monotonic() + chance.uniform(0, 1.3 * usual)
    while time.monotonic() < until:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.001)
    victim = child
    if chance.random() < 0.25:
        with contextlib.suppress(FileNotFoundError):
            victim = next(map(int, Path(f"/proc/{child}/task/{child}/children").read_text().split()), child)
    os.kill(victim, signal.SIGKILL)
    return os.waitpid(child, 0)[1]


def none_left(group: int) -> bool:
    """Say whether all processes of a group end; what a kill leaves behind may need a moment for that."""
    until = time.monotonic() + 10
    with contextlib.suppress(ChildProcessError):
        while time.monotonic() < until:
            if not os.waitpid(-group, os.WNOHANG)[0]:
                time.sleep(0.001)
        return False
    return True


def restic(core, folder) -> str:
    """Let the stock restic check everything."""
    (folder / "password").write_text(core.repository_password("alice").reveal())
    command = ["restic", "--no-cache", "-r", core.repository_location("alice"), "-p", str(folder / "password")]
    subprocess.run([*command, "unlock"], check=True, capture_output=True)
    checked = subprocess.run([*command, "check", "--read-data"], capture_output=True, text=True)
    return checked.stdout + checked.stderr
