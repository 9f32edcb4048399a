"""What must hold between settings and the rest of the world."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import Connection

from jetcore.errors import PanelError
from jetcore.model import Job
from jetcore.settings.binaries import Binaries
from jetcore.settings.general import General
from jetcore.settings.on_demand import OnDemand
from jetcore.settings.panel import PanelSettings
from jetcore.settings.performance import Performance
from jetcore.settings.privacy import Privacy
from jetcore.state import jobs
from jetcore.state.rules import Fault, Note, PanelFacts, Rules

PANEL = PanelFacts(name="test", packages=("gold", "silver"), ip_addresses=("192.0.2.1",))


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    return Rules(home=tmp_path / "home", panel=lambda: PANEL)


def look(rules: Rules, connection: Connection, settings: Any, *names: str) -> tuple[list[str], list[str]]:
    """Return the faults and the notes of the fields *names*, all if none are given."""
    found = list(rules.look(connection, settings, names or [field.name for field in attrs.fields(type(settings))]))
    return [one.text for one in found if isinstance(one, Fault)], [one.text for one in found if isinstance(one, Note)]


def test_directory_is_shown_with_its_free_space(rules: Rules, connection: Connection, tmp_path: Path) -> None:
    """A good directory has a note with the space on its disk; one that is not there yet says so."""
    (tmp_path / "work").mkdir()

    faults, notes = look(rules, connection, General(workspace_path=tmp_path / "work"))

    assert faults == []
    said = sorted(notes)
    assert said[0].startswith(f"general.downloads_path: {tmp_path}/home/downloads, which does not exist yet, has ")
    assert said[1].startswith(f"general.workspace_path: {tmp_path}/work has ")
    assert all(note.endswith(" GB free") for note in notes)


@pytest.mark.parametrize(("workspace", "downloads"), [("a", "a"), ("a/b", "a"), ("a", "a/b"), ("link/b", "a")])
def test_directories_are_not_inside_each_other(
    rules: Rules, connection: Connection, tmp_path: Path, workspace: str, downloads: str
) -> None:
    """Neither directory may be the other or lie in it, also not by way of a link."""
    (tmp_path / "a").mkdir()
    (tmp_path / "link").symlink_to("a")
    settings = General(workspace_path=tmp_path / workspace, downloads_path=tmp_path / downloads)

    faults, _ = look(rules, connection, settings, "workspace_path")

    assert len(faults) == 1
    assert "must not be inside each other" in faults[0]
    assert str(tmp_path / downloads) in faults[0]


def test_directory_of_a_default_counts(rules: Rules, connection: Connection) -> None:
    """A directory that is not set is where it is by default, and nothing may be put into it."""
    faults, _ = look(rules, connection, General(downloads_path=rules.home / "workspace/x"), "downloads_path")

    assert len(faults) == 1


def test_directory_of_an_account_is_refused(rules: Rules, connection: Connection, tmp_path: Path) -> None:
    """A directory on a path that a user can write, and a file, are named with the reason."""
    (tmp_path / "alice").mkdir()
    os.chown(tmp_path / "alice", 1000, 1000)
    (tmp_path / "file").touch()
    settings = General(workspace_path=tmp_path / "alice/work", downloads_path=tmp_path / "file")

    faults, _ = look(rules, connection, settings)

    assert sorted(faults) == [
        f"general.downloads_path: {tmp_path}/file is not a directory",
        (
            f"general.workspace_path: {tmp_path}/alice/work is not safe from other users: "
            f"{tmp_path}/alice belongs to user 1000"
        ),
    ]


def test_job_for_backups_on_demand_exists_and_is_enabled(rules: Rules, connection: Connection) -> None:
    """A job that is missing or not enabled is refused, one that is enabled is taken, and none need be named."""
    jobs.add(connection, Job(name="nightly"))
    jobs.add(connection, Job(name="paused", enabled=False))

    assert look(rules, connection, OnDemand(backup="nightly")) == ([], [])
    assert look(rules, connection, OnDemand()) == ([], [])
    assert look(rules, connection, OnDemand(backup="nightli")) == (
        ["on_demand.backup: there is no job 'nightli'; did you mean nightly?"],
        [],
    )
    assert look(rules, connection, OnDemand(backup="paused")) == (
        ["on_demand.backup: job 'paused' is not enabled"],
        [],
    )


def test_priority_group_exists(rules: Rules, connection: Connection) -> None:
    """Settings name groups that there are."""
    assert look(rules, connection, Performance()) == ([], [])
    faults, _ = look(rules, connection, Performance(directories_queue_priority="Hihg"))
    assert faults == ["performance.directories_queue_priority: there is no priority group 'Hihg'; did you mean High?"]


def test_names_of_the_panel_are_known_to_it(rules: Rules, connection: Connection) -> None:
    """A package or address that the panel does not have is refused; what it knows nothing of has a note."""
    assert look(rules, connection, PanelSettings(default_package="gold", default_ip="192.0.2.1")) == ([], [])
    assert look(rules, connection, PanelSettings()) == ([], [])

    faults, notes = look(rules, connection, PanelSettings(default_package="glod", default_owner="root"))

    assert faults == ["panel.default_package: the panel has no package 'glod', did you mean gold?"]
    assert notes == ["panel.default_owner: has no effect here, the panel test does not know of such a thing"]


def test_panel_that_cannot_be_asked_forbids_nothing(tmp_path: Path, connection: Connection) -> None:
    """When the panel does not answer, the value is taken with a note that says why it was not checked."""

    def refuse() -> PanelFacts:
        raise PanelError("the panel is asleep")

    rules = Rules(home=tmp_path, panel=refuse)

    assert look(rules, connection, PanelSettings(default_package="gold")) == (
        [],
        ["panel.default_package: not checked, because the panel cannot be asked: the panel is asleep"],
    )
    assert look(rules, connection, PanelSettings()) == ([], [])


def test_program_answers(rules: Rules, connection: Connection, tmp_path: Path) -> None:
    """A program that is set has to be there and to answer; one that is not set may be missing."""
    faults, notes = look(rules, connection, Binaries(rsync=tmp_path / "rsync"), "rsync", "tar", "mongodump")

    assert faults == [f"binaries.rsync: cannot use {tmp_path}/rsync: No such file or directory"]
    assert any(note.startswith("binaries.tar: ") and "tar (GNU tar)" in note for note in notes)
    assert any(note.startswith("binaries.mongodump: ") for note in notes)


def test_other_sections_have_no_rules(rules: Rules, connection: Connection) -> None:
    """There is nothing to say about a section that depends on nothing."""
    assert look(rules, connection, Privacy()) == ([], [])
