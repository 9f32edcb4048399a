"""``jetcore accounts``."""

from __future__ import annotations

import click

from jetcore.cli.session import Command, Session, pass_session


@click.command(cls=Command)
@pass_session
def accounts(session: Session) -> None:
    """List the hosting accounts of this server."""
    with session.open() as core:
        session.table(
            core.accounts(),
            {
                "NAME": lambda account: account.name,
                "PANEL": lambda account: account.panel,
                "UID": lambda account: str(account.uid),
                "HOME": lambda account: str(account.home),
                "OWNER": lambda account: account.owner or "-",
            },
            empty="This server has no hosting accounts.",
        )
