"""A backup that is stopped by its administrator."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import NoReturn

import pytest

import jetcore
from jetcore import cli
from jetcore.backup import pipeline

from .conftest import Server


def test_a_stopped_backup_lists_nothing_and_frees_the_repository(
    server: Server, alice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM in the middle ends the backup as aborted, not as failed; the next one is complete."""

    def terminate(*_words: object) -> NoReturn:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("the signal was not noticed")

    before = signal.signal(signal.SIGTERM, cli.terminated)
    try:
        with monkeypatch.context() as patch:
            patch.setattr(pipeline, "save_layout", terminate)
            said = server("backup", "alice")
    finally:
        signal.signal(signal.SIGTERM, before)

    assert (said.status, said.err.strip()) == (130, "jetcore: interrupted")
    assert server.ok("points", "alice", "--json").json == []
    with jetcore.open(home=server.home) as core:
        assert [task.status for task in core.tasks("alice")] == [jetcore.TaskStatus.ABORTED]
    repository = Path(server.ok("repository", "path", "alice").out.strip())
    assert not [path for path in repository.rglob("*") if path.parent.name in {"locks", "snapshots"}]
    assert server.ok("backup", "alice", "--json").json[0]["outcome"] == "completed"
