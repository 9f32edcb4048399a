"""``jetcore alerts``."""

from __future__ import annotations

import click

from jetcore.cli.session import Command, Session, pass_session, time_text


@click.command(cls=Command)
@pass_session
def alerts(session: Session) -> None:
    """List what the people in charge should know, newest first."""
    with session.open() as core:
        session.table(
            core.alerts(),
            {
                "WHEN": lambda alert: time_text(alert.created),
                "LEVEL": lambda alert: alert.level.value,
                "ACCOUNT": lambda alert: alert.account or "-",
                "TITLE": lambda alert: alert.title,
                "MESSAGE": lambda alert: alert.message,
            },
            empty="No alerts.",
        )
