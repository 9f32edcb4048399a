"""Several accounts in one call: each in a fork of its own."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

import jetcore
from jetcore import core as core_module

from .conftest import Server


@pytest.fixture
def accounts(server: Server, alice: Path) -> None:
    """Three accounts."""
    for name in ("bob", "carol"):
        server.add_account(name)


@pytest.mark.usefixtures("accounts")
def test_every_account_gets_its_point(server: Server) -> None:
    """--all backs up each account once, and each point is listed with its own account."""
    said = server.ok("backup", "--all", "--json")

    assert sorted(point["account"] for point in said.json) == ["alice", "bob", "carol"]
    for name in ("alice", "bob", "carol"):
        assert [point["outcome"] for point in server.ok("points", name, "--json").json] == ["completed"]


@pytest.mark.usefixtures("accounts")
def test_an_account_named_twice_is_backed_up_once(server: Server) -> None:
    """A name that is given twice makes one point."""
    server.ok("backup", "bob", "alice", "bob")

    assert len(server.ok("points", "bob", "--json").json) == 1


@pytest.mark.usefixtures("accounts")
def test_an_unknown_account_keeps_no_other_from_its_backup(server: Server) -> None:
    """The unknown one is named, the exit status is its, and the others have their points."""
    said = server("backup", "alice", "nobody", "carol")

    assert said.status == 2
    assert "unknown account 'nobody'" in said.err
    for name in ("alice", "carol"):
        assert len(server.ok("points", name, "--json").json) == 1


@pytest.mark.usefixtures("accounts")
def test_a_killed_fork_is_told_and_the_others_go_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account whose process was killed has no point, an alert and a task that never finished."""
    really = core_module.back_up

    def killed(source: Any, *words: Any, **options: Any) -> Any:
        if source.account.name == "bob":
            os.kill(os.getpid(), signal.SIGKILL)
        return really(source, *words, **options)

    monkeypatch.setattr(core_module, "back_up", killed)

    said = server("backup", "--all", "--json")

    assert said.status == 1
    assert "bob: its process was killed by signal 9" in said.err
    assert sorted(point["account"] for point in said.json) == ["alice", "carol"]
    assert server.ok("points", "bob", "--json").json == []
    assert [alert["title"] for alert in server.ok("alerts", "--json").json] == ["Backup of account bob never finished"]
    with jetcore.open(home=server.home) as core:
        assert [task.status for task in core.tasks("bob")] == [jetcore.TaskStatus.NEVER_FINISHED]


def test_a_mistyped_name_is_no_failed_task(server: Server) -> None:
    """Nobody is alerted because of a name that no account ever had."""
    server("backup", "nobody")

    assert server.ok("alerts", "--json").json == []
