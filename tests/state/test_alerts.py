"""What the people in charge should know."""

from __future__ import annotations

from sqlalchemy import Connection

from jetcore.model import Level
from jetcore.state import alerts


def test_alerts_are_listed_newest_first(connection: Connection) -> None:
    """An alert is listed as it was added, the last one first, of all levels or of one."""
    first = alerts.add(connection, Level.WARNING, "Backup of alice is partial", "database:shop is missing", "alice")
    second = alerts.add(connection, Level.CRITICAL, "Backup of bob failed", "no space left\non the destination")

    assert alerts.recent(connection) == [second, first]
    assert alerts.recent(connection, limit=1) == [second]
    assert alerts.recent(connection, level=Level.WARNING) == [first]
    assert first.account == "alice"
    assert second.account == ""
