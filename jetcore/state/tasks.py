"""The record of what was done: one row a task."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from jetcore.errors import BadInputError, StateError
from jetcore.model import Task, TaskKind, TaskStatus
from jetcore.state import tables

_table = tables.tasks


def start(connection: Connection, kind: TaskKind, account: str = "", destination: str = "") -> Task:
    """Record that a task has begun.

    :param account: Name of the account that it works on; empty for none.
    :param destination: Name of the destination that it works with; empty for none.
    """
    now = datetime.now(UTC)
    facts: dict[str, Any] = {
        "kind": kind,
        "status": TaskStatus.PROCESSING,
        "account": account,
        "destination": destination,
        "created": now,
        "started": now,
        "message": "",
    }
    return Task(id=tables.new_number(connection.execute(insert(_table).values(**facts))), **facts)


def finish(connection: Connection, task_id: int, status: TaskStatus, message: str = "") -> Task:
    """Record how a task ended.

    :raises StateError: It is not being processed: it has ended before, or there is none of that number.
    """
    changed = connection.execute(
        update(_table)
        .where(_table.c.id == task_id, _table.c.status == TaskStatus.PROCESSING)
        .values(status=status, finished=datetime.now(UTC), message=message)
    )
    if changed.rowcount == 0:
        raise StateError(f"task {task_id} is not being processed, so its end cannot be recorded")
    return get(connection, task_id)


def get(connection: Connection, task_id: int) -> Task:
    """Return the task of that number.

    :raises BadInputError: There is none.
    """
    row = connection.execute(select(_table).where(_table.c.id == task_id)).first()
    if row is None:
        raise BadInputError(f"there is no task {task_id}")
    return _task(row)


def recent(connection: Connection, *, account: str = "", limit: int = 100) -> list[Task]:
    """Return the last tasks, newest first.

    :param account: Name of an account, to get only its tasks.
    """
    query = select(_table).order_by(_table.c.id.desc()).limit(limit)
    if account:
        query = query.where(_table.c.account == account)
    return [_task(row) for row in connection.execute(query)]


def last_id(connection: Connection) -> int:
    """Return the number of the newest task, 0 if there never was one."""
    newest: int | None = connection.execute(select(func.max(_table.c.id))).scalar()
    return newest or 0


def processing(connection: Connection) -> list[Task]:
    """Return the tasks that have begun and not ended, oldest first."""
    query = select(_table).where(_table.c.status == TaskStatus.PROCESSING).order_by(_table.c.id)
    return [_task(row) for row in connection.execute(query)]


def abandon(connection: Connection, task_id: int) -> Task:
    """Record that the process of a task went away without a word.

    :raises StateError: The task is not being processed.
    """
    return finish(connection, task_id, TaskStatus.NEVER_FINISHED, "its process ended without recording a result")


def _task(row: Row[Any]) -> Task:
    return Task(**row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name
