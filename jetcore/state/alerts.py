"""What the people in charge should know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, insert, select

from jetcore.model import Alert, Level
from jetcore.state import tables

_table = tables.alerts


def add(connection: Connection, level: Level, title: str, message: str, account: str = "") -> Alert:
    """Record an alert.

    :param account: Name of the account that it is about; empty for none.
    """
    facts: dict[str, Any] = {
        "level": level,
        "title": title,
        "message": message,
        "account": account,
        "created": datetime.now(UTC),
    }
    return Alert(id=tables.new_number(connection.execute(insert(_table).values(**facts))), **facts)


def recent(connection: Connection, *, level: Level | None = None, limit: int = 100) -> list[Alert]:
    """Return the last alerts, newest first.

    :param level: Only alerts of this level.
    """
    query = select(_table).order_by(_table.c.id.desc()).limit(limit)
    if level is not None:
        query = query.where(_table.c.level == level)
    return [Alert(**row._mapping) for row in connection.execute(query)]  # noqa: SLF001  # SQLAlchemy's documented name
