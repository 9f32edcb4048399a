"""``jetcore init`` and ``jetcore upgrade``."""

from __future__ import annotations

import click

from jetcore.cli.session import Command, Session, pass_session


@click.command(cls=Command)
@click.option("--database", metavar="URL", help="State database; a SQLite file in the home directory if not given.")
@pass_session
def init(session: Session, *, database: str | None) -> None:
    """Set jetcore up on this server. What is there already is kept."""
    from jetcore.installation import initialise  # noqa: PLC0415  # alembic takes a quarter of a second to import

    done = initialise(home=session.home, url=database)
    session.show(done, f"jetcore is ready in {done.home}.")
    for warning in done.warnings:
        session.note(f"warning: {warning}")


@click.command(cls=Command)
@pass_session
def upgrade(session: Session) -> None:
    """Bring the state database to this version of jetcore."""
    from jetcore.installation import upgrade_state  # noqa: PLC0415  # alembic takes a quarter of a second to import

    revision = upgrade_state(home=session.home)
    session.show({"revision": revision}, f"The state database is at revision {revision}.")
