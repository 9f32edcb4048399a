"""``jetcore points``."""

from __future__ import annotations

import click

from jetcore.cli.session import Command, Session, pass_session, size_text, time_text


@click.command(cls=Command)
@click.argument("name")
@pass_session
def points(session: Session, name: str) -> None:
    """List the restore points of an account, oldest first."""
    with session.open() as core:
        session.table(
            core.points(name),
            {
                "POINT": lambda point: point.id[:8],
                "CREATED": lambda point: time_text(point.created),
                "DESTINATION": lambda point: point.destination,
                "OUTCOME": lambda point: point.outcome.value,
                "FILES": lambda point: f"{point.files:,}",
                "SIZE": lambda point: size_text(point.bytes),
                "ADDED": lambda point: size_text(point.added_bytes),
                "MISSING": lambda point: "; ".join(point.missing) or "-",
            },
            empty=f"Account {name} has no restore points yet; make one with: jetcore backup {name}",
        )
