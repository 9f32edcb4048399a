"""Whatever a destination does at whichever call of a backup: no point is listed that is not whole, no error is lost."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from jetcore.errors import DestinationError, DestinationFullError, JetcoreError, RepositoryError
from jetcore.model import Outcome
from jetcore.repository import packer, writer
from jetcore.testing import FaultyDestination
from jetcore.testing.faulty import Fault, fail_at

#: What can go wrong with each verb, and whether the backup must end with an error then.
FAULTS = {
    "put": {
        Fault.ERROR: True,
        Fault.ERROR_AFTER: True,
        Fault.HALF: True,
        Fault.FULL: True,
        Fault.FOREIGN: True,
        Fault.UNLISTED: False,
    },
    "get": {Fault.ERROR: True, Fault.FOREIGN: True, Fault.HALF: False, Fault.WRONG_BYTES: False},
    "list": {Fault.ERROR: True, Fault.HALF: True, Fault.FOREIGN: True},
    "delete": {Fault.ERROR: True, Fault.ERROR_AFTER: True, Fault.FOREIGN: True},
}
OPERATIONS = ["nothing_stored", "changed_site"]


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.SLOW])
def test_any_fault_at_any_call(request, folder, operation, fault):
    """Every listed point is whole after a fault, the backup said so, and the next one is complete."""
    stored = request.getfixturevalue(operation)
    for number in numbers(stored, folder, fault):
        with tempfile.TemporaryDirectory(dir=folder) as own:
            one_fault(stored, Path(own), fault, number)


def numbers(stored, folder, fault):
    """The calls of a backup without faults that this fault can happen to."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        site, place, _ = stored.copy(Path(own))
        with site.core(place) as core:
            core.backup("alice")
    return [call.number for call in place.calls if fault in FAULTS[call.verb]]


def one_fault(stored, folder, fault, number):
    site, place, proof = stored.copy(folder, plan=fail_at(number, fault))
    error = None
    with site.core(place) as core:
        before = {point.id for point in core.points("alice")} if stored.pictures else set()
        try:
            point = core.backup("alice")
        except JetcoreError as raised:
            error = raised
    where = f"{fault} at call {place.calls[number - 1]}: {error}"
    if error is not None:
        assert isinstance(error, DestinationError | RepositoryError), where
        assert error.exit_code in (6, 7, 8), where
        assert (folder / "jetcore").exists()
        with site.core(place) as core:
            assert core.tasks("alice")[0].message == str(error)
    else:
        assert not FAULTS[place.calls[number - 1].verb][fault], f"no error after {where}"
        assert point.outcome is Outcome.COMPLETED, where

    if fault is Fault.UNLISTED:  # nothing may be lost if the next backup still cannot see everything
        with site.core(place) as core:
            assert core.backup("alice").outcome is Outcome.COMPLETED
            proof.pictures |= {point.id: site.picture() for point in core.points("alice")[-2:]}
    place.heal()
    listed = set(proof.points(place))
    assert len(listed - before) == (0 if error else 2 if fault is Fault.UNLISTED else 1), where
    assert before <= listed
    with site.core(place) as core:
        again = core.backup("alice")
    assert again.outcome is Outcome.COMPLETED, where
    assert again.id in proof.points(place), where


@pytest.fixture
def early_fork(monkeypatch):
    """Little data makes a second process and several packs, as much data does."""
    monkeypatch.setattr(writer, "FORK_BYTES", 64 << 10)
    monkeypatch.setattr(packer, "TARGET_BYTES", 128 << 10)


def test_slow_destination(folder, changed_site):
    """A destination that takes its time is no reason for anything."""
    site, place, proof = changed_site.copy(folder, plan=lambda _: Fault.SLOW)
    with site.core(place) as core:
        assert core.backup("alice").outcome is Outcome.COMPLETED

    assert len(proof.points(place)) == len(changed_site.pictures) + 1


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault.ERROR, DestinationError),
        (Fault.ERROR_AFTER, DestinationError),
        (Fault.HALF, DestinationError),
        (Fault.FULL, DestinationFullError),
        (Fault.FOREIGN, DestinationError),
    ],
)
@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.usefixtures("early_fork")
def test_faults_in_the_second_process(folder, changed_site, fault, error, number):
    """What goes wrong in the process that stores new packs ends the backup as it is, and the next one is complete."""
    site, inner, proof = changed_site.copy_to_disk(folder)
    ours = os.getpid()
    count = 0

    def plan(call):
        nonlocal count
        count += os.getpid() != ours and call.verb == "put"
        return fault if os.getpid() != ours and count == number else None

    (site.account.home / "more").write_bytes(os.urandom(1 << 20))
    with site.core(FaultyDestination(inner, plan, fork_safe=True)) as core, pytest.raises(error) as caught:
        core.backup("alice")
    assert type(caught.value) is error

    assert proof.points(inner) == list(changed_site.pictures)
    with site.core(inner) as core:
        again = core.backup("alice")
    assert proof.points(inner)[-1] == again.id
    (site.account.home / "more").unlink()
