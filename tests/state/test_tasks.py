"""The record of what was done."""

from __future__ import annotations

import attrs
import pytest
from sqlalchemy import Connection

from jetcore.errors import BadInputError, StateError
from jetcore.model import TaskKind, TaskStatus
from jetcore.state import tasks


def test_task_is_recorded_from_start_to_end(connection: Connection) -> None:
    """A task that begins is being processed; when it ends, how and when is added, and nothing else changes."""
    started = tasks.start(connection, TaskKind.BACKUP, "alice", "local")
    assert started.status is TaskStatus.PROCESSING
    assert tasks.get(connection, started.id) == started

    finished = tasks.finish(connection, started.id, TaskStatus.PARTIAL, "database:shop is missing")

    assert finished.finished is not None
    assert finished.finished >= started.created
    expected = attrs.evolve(
        started, status=TaskStatus.PARTIAL, message="database:shop is missing", finished=finished.finished
    )
    assert finished == tasks.get(connection, started.id) == expected


def test_end_is_recorded_once(connection: Connection) -> None:
    """A task that has ended cannot end again, nor one that there is not."""
    task = tasks.start(connection, TaskKind.RESTORE, "alice")
    tasks.abandon(connection, task.id)

    with pytest.raises(StateError, match=f"task {task.id} is not being processed"):
        tasks.finish(connection, task.id, TaskStatus.COMPLETED)
    with pytest.raises(StateError, match="task 99 is not being processed"):
        tasks.finish(connection, 99, TaskStatus.COMPLETED)
    with pytest.raises(BadInputError, match="no task 99"):
        tasks.get(connection, 99)

    assert tasks.get(connection, task.id).status is TaskStatus.NEVER_FINISHED


def test_tasks_are_listed_newest_first(connection: Connection) -> None:
    """The last tasks are listed, of all accounts or of one; those being processed oldest first."""
    one = tasks.start(connection, TaskKind.BACKUP, "alice")
    two = tasks.start(connection, TaskKind.BACKUP, "bob")
    three = tasks.start(connection, TaskKind.RESTORE, "alice")
    done = tasks.finish(connection, one.id, TaskStatus.COMPLETED)

    assert tasks.recent(connection) == [three, two, done]
    assert tasks.recent(connection, limit=1) == [three]
    assert tasks.recent(connection, account="alice") == [three, done]
    assert tasks.processing(connection) == [two, three]
