"""Whatever a destination does at whichever call of a prune, and at whichever it is killed: no point loses anything."""

from __future__ import annotations

import os
import signal
import tempfile
from functools import partial
from pathlib import Path

import pytest

from jetcore.errors import CorruptRepositoryError, DestinationError, JetcoreError, RepositoryError
from jetcore.model import Outcome
from jetcore.repository.prune import prune
from jetcore.testing import FaultyDestination
from jetcore.testing.faulty import Fault, fail_at

#: What can go wrong with each verb, and whether the prune must end with an error then.
FAULTS = {
    "put": {
        Fault.ERROR: True,
        Fault.ERROR_AFTER: True,
        Fault.HALF: True,
        Fault.FULL: True,
        Fault.UNLISTED: False,
    },
    "get": {Fault.ERROR: True, Fault.HALF: False, Fault.WRONG_BYTES: False},
    "list": {Fault.ERROR: True, Fault.HALF: True},
    "delete": {Fault.ERROR: True, Fault.ERROR_AFTER: True},
}
#: Small packs of data and of folders, and small index files, that the second of two prunes may leave alone.
MOST_LEFT = 6


def run(site, place):
    with site.core(place) as core:
        return prune(core.repository("alice"))


def pruned(stored, folder):
    """The calls of a prune without faults, and how many files it leaves."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        site, place, proof = stored.copy(Path(own))
        report = run(site, place)
        calls = list(place.calls)
        assert report.removed_packs
        assert report.repacked_packs
        assert proof.points(place) == list(stored.pictures)
        return calls, len(place._inner.objects)


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in (Fault.SLOW, Fault.FOREIGN)])
def test_any_fault_at_any_call(forgotten, folder, fault):
    """Every listed point is whole after a fault, the prune said so, and the next one does what is left to do."""
    calls, left = pruned(forgotten, folder)
    for call in calls:
        if fault in FAULTS[call.verb]:
            with tempfile.TemporaryDirectory(dir=folder) as own:
                one_fault(forgotten, Path(own), fault, call.number, left)


def one_fault(stored, folder, fault, number, left):
    site, place, proof = stored.copy(folder, plan=fail_at(number, fault))
    error = None
    try:
        run(site, place)
    except JetcoreError as raised:
        error = raised
    call = place.calls[number - 1]
    where = f"{fault} at {call}: {error}"
    if error is None:
        assert not FAULTS[call.verb][fault], f"no error after {where}"
    else:
        assert isinstance(error, DestinationError | RepositoryError), where
        assert error.exit_code in (6, 7, 8), where

    place.heal()
    if call.verb == "delete" and "/locks/" in call.name:
        place.delete(call.name)  # as if this process, which the lock names, had come to its end
    if error and place._inner.objects == stored.objects:
        return  # nothing was done, so nothing can have been lost
    assert proof.points(place) == list(stored.pictures), where
    if fault is Fault.HALF and call.verb == "put" and "/index/" in call.name:
        with pytest.raises(CorruptRepositoryError, match=call.name):  # what is left in half is not removed in silence
            run(site, place)
        place.delete(call.name)
    run(site, place)
    assert len(place._inner.objects) <= left + MOST_LEFT, where
    with site.core(place) as core:
        assert core.backup("alice").outcome is Outcome.COMPLETED
    proof.points(place)


@pytest.mark.parametrize("after", [False, True])
def test_kill_at_any_call(forgotten, folder, start, after):
    """A prune that is killed just before or just after any call has lost nothing, and the next one finishes it."""
    calls, left = pruned(forgotten, folder)
    for call in calls:
        if call.verb not in ("put", "delete"):
            continue
        with tempfile.TemporaryDirectory(dir=folder) as own:
            site, place, proof = forgotten.copy_to_disk(Path(own))
            fatal = call.number + after
            killed = FaultyDestination(place, lambda now, fatal=fatal: now.number == fatal and die())
            child = start(partial(run, site, killed))
            assert os.waitpid(child, 0)[1] in ((0, signal.SIGKILL) if fatal > len(calls) else (signal.SIGKILL,))

            assert proof.points(place) == list(forgotten.pictures), call
            run(site, place)
            assert proof.points(place) == list(forgotten.pictures), call
            assert sum(1 for _ in place.list()) <= left + MOST_LEFT, call


def die():
    os.kill(os.getpid(), signal.SIGKILL)
