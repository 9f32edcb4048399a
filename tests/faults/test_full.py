"""File systems that really run full: below the destination, the state database and the target of a restore."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from jetcore.destinations import LocalDestination, LocalSettings
from jetcore.errors import DestinationFullError, RestoreError, StateError
from jetcore.model import Outcome
from jetcore.testing.trees import fingerprint

PLENTY = 64 << 20
PAGE = 4096


@pytest.fixture
def small(folder: Path) -> Iterator[Callable[[int], Path]]:
    """Mounts a file system of a number of bytes, or gives the one that is mounted another size."""
    place = folder / "small"

    def mount(size: int) -> Path:
        again = "remount," if place.is_mount() else ""
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"{again}size={size}", "tmpfs", place], check=True)
        return place

    yield mount
    subprocess.run(["umount", place], check=True)


@pytest.mark.parametrize(("operation", "pages"), [("nothing_stored", 12), ("changed_site", 250)])
def test_full_destination(request, folder, small, operation, pages):
    """However little fits in, the points that are listed are whole, and with more space the backup goes on."""
    stored = request.getfixturevalue(operation)
    chance = random.Random(operation)
    refused = 0
    for number in range(12):
        own = folder / str(number)
        own.mkdir()
        mounted = small(PLENTY)
        site, _, proof = stored.copy(own)
        place = LocalDestination(LocalSettings(path=str(mounted / str(number))))
        for name, data in stored.objects.items():
            place.put(name, data)
        small(used(mounted) + PAGE * chance.randint(0, pages))
        error = None
        with site.core(place) as core:
            try:
                core.backup("alice")
            except DestinationFullError as raised:
                error = raised
                refused += 1
            if error:
                assert (error.exit_code, bool(error.hint)) == (6, True)
                assert core.tasks("alice")[0].message == str(error)

        proof.points(place)
        small(PLENTY)
        with site.core(place) as core:
            again = core.backup("alice")
        assert again.outcome is Outcome.COMPLETED
        assert proof.points(place)[-1] == again.id
        subprocess.run(["rm", "-r", mounted / str(number)], check=True)
    assert 4 < refused < 12


@pytest.mark.parametrize("operation", ["nothing_stored", "changed_site"])
def test_full_home_of_jetcore(request, folder, small, operation):
    """Without room for the state database the backup says so, nothing that is listed is lost, and it works later."""
    stored = request.getfixturevalue(operation)
    refused = 0
    for pages in (0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64):
        mounted = small(PLENTY)
        site, place, proof = stored.copy(mounted)
        small(used(mounted) + PAGE * pages)
        error = None
        try:
            with site.core(place) as core:
                core.backup("alice")
        except StateError as raised:
            error = raised
            refused += 1
        if error:
            assert error.exit_code == 9
            assert "disk" in error.hint

        small(PLENTY)
        proof.points(place)
        with site.core(place) as core:
            again = core.backup("alice")
        assert proof.points(place)[-1] == again.id
        subprocess.run(["rm", "-r", site.home], check=True)
    assert refused > 2


def test_full_target(folder, small, changed_site):
    """A target that runs full ends a restore with an error; whole files are there, and with more space all of them."""
    site, place, proof = changed_site.copy(folder)
    with site.core(place) as core:
        point = core.backup("alice")
        proof.points(place)
    expected = {path: entry for path, entry in proof.pictures[point.id].items() if entry.kind == "file"}
    for pages in (1, 2, 8, 13, 20, 60, 100, 120):
        mounted = small(PAGE * pages)
        with site.core(place) as core:
            with pytest.raises(RestoreError, match="space") as caught:
                core.restore("alice", to=mounted / "restored")
            assert caught.value.exit_code == 10
            for path, entry in fingerprint(mounted).items():
                relative = path.removeprefix(b"restored/homedir/")
                if entry.kind == "file" and relative in expected:
                    assert (entry.size, entry.digest) == (expected[relative].size, expected[relative].digest)

            small(PLENTY)
            report = core.restore("alice", to=mounted / "restored")
        assert report.outcome is Outcome.COMPLETED
        assert fingerprint(mounted / "restored" / "homedir") == proof.pictures[point.id]
        subprocess.run(["rm", "-r", mounted / "restored"], check=True)


def used(mounted: Path) -> int:
    facts = os.statvfs(mounted)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize
