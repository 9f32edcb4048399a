"""Whatever a destination does at whichever call of a repair, and at whichever it is killed: nothing more is lost."""

from __future__ import annotations

import os
import signal
import tempfile
from functools import partial
from pathlib import Path

import attrs
import pytest

from jetcore.errors import DestinationError, JetcoreError, RepositoryError
from jetcore.repository.blob import BlobType
from jetcore.repository.check import check
from jetcore.repository.repair import repair
from jetcore.testing import FaultyDestination
from jetcore.testing.faulty import Fault, fail_at

#: What can go wrong with each verb, and whether the repair must end with an error then.
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


@attrs.frozen
class Broken:
    """What is stored, with damage."""

    #: The points that must come back.
    stored: object
    #: The point of which a blob is lost.
    lost: str


@pytest.fixture(scope="module")
def broken(changed_site, memory):
    """Of three points the last has lost a file's content; half of the index is lost as well, which can be made anew."""
    with tempfile.TemporaryDirectory(dir=memory) as own:
        site, place, _ = changed_site.copy(Path(own))
        indexes = {name for name in place._inner.objects if "/index/" in name}
        with site.core(place) as core:
            lost = core.backup("alice").id
            repository = core.repository("alice")
            node = repository.find(repository.snapshot(lost).tree, b"homedir/mail/cur/9:2,S")
            location = repository.stored_index.index.find(node.content[0], BlobType.DATA)
        objects = dict(place._inner.objects)
        kept = changed_site.site.copy(changed_site.site.home.with_name("broken")).home
        for name in ("state.db", "state.db-wal", "state.db-shm"):
            if (site.home / name).exists():
                (kept / name).write_bytes((site.home / name).read_bytes())
    (pack,) = [name for name in objects if name.endswith(location.pack.hex())]
    middle = location.offset + location.length // 2
    objects[pack] = objects[pack][:middle] + bytes([objects[pack][middle] ^ 1]) + objects[pack][middle + 1 :]
    del objects[min(indexes)]
    stored = type(changed_site)(
        type(changed_site.site)(kept, changed_site.site.account), objects, changed_site.pictures
    )
    return Broken(stored, lost)


def run(site, place):
    with site.core(place) as core:
        return repair(core.repository("alice"), read_data=True)


def prove(broken, site, place, proof):
    """The whole points give back everything, the other one all but the lost file; nothing else is wrong."""
    with site.core(place) as core:
        repository = core.repository("alice")
        for point in broken.stored.pictures:
            assert proof._restored(repository, point) == broken.stored.pictures[point]
        assert check(repository).is_sound
        assert [snapshot.id for snapshot in repository.snapshots_apart()] == [broken.lost]
        report = core.restore("alice", broken.lost, to=site.home / "lost")
    (line,) = {message for part in report.parts for message in part.messages}
    assert "9:2,S" in line


def repaired(broken, folder):
    """The calls of a repair without faults."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        site, place, proof = broken.stored.copy(Path(own))
        report = run(site, place)
        calls = list(place.calls)
        assert report.new_index
        assert [one.id for one in report.damaged] == [broken.lost]
        prove(broken, site, place, proof)
        return calls


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in (Fault.SLOW, Fault.FOREIGN)])
def test_any_fault_at_any_call(broken, folder, fault):
    """A repair that meets a fault says so, or succeeds; the next one ends with all that there was to save."""
    for call in repaired(broken, folder):
        if fault in FAULTS[call.verb]:
            with tempfile.TemporaryDirectory(dir=folder) as own:
                one_fault(broken, Path(own), fault, call)


def one_fault(broken, folder, fault, call):
    site, place, proof = broken.stored.copy(folder, plan=fail_at(call.number, fault))
    error = None
    try:
        run(site, place)
    except JetcoreError as raised:
        error = raised
    call = place.calls[call.number - 1]
    where = f"{fault} at {call}: {error}"
    if error is None:
        assert not FAULTS[call.verb][fault], f"no error after {where}"
    else:
        assert isinstance(error, DestinationError | RepositoryError), where

    place.heal()
    if call.verb == "delete" and "/locks/" in call.name:
        place.delete(call.name)  # as if this process, which the lock names, had come to its end
    if error and place._inner.objects == broken.stored.objects:
        return  # nothing was done, so nothing can have been lost
    run(site, place)
    try:
        prove(broken, site, place, proof)
    except BaseException as wrong:
        wrong.add_note(where)
        raise


@pytest.mark.parametrize("after", [False, True])
def test_kill_at_any_call(broken, folder, start, after):
    """A repair that is killed just before or just after any call is finished by the next one."""
    for call in repaired(broken, folder):
        if call.verb not in ("put", "delete"):
            continue
        with tempfile.TemporaryDirectory(dir=folder) as own:
            site, place, proof = broken.stored.copy_to_disk(Path(own))
            fatal = call.number + after
            killed = FaultyDestination(place, lambda now, fatal=fatal: now.number == fatal and die())
            child = start(partial(run, site, killed))
            assert os.waitpid(child, 0)[1] in (0, signal.SIGKILL)

            run(site, place)
            prove(broken, site, place, proof)


def die():
    os.kill(os.getpid(), signal.SIGKILL)
