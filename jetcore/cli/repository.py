"""``jetcore repository``."""

from __future__ import annotations

import click

from jetcore.cli.session import Group, Session, pass_session

_destination = click.option("--destination", metavar="NAME", help="Which; the default destination if not given.")


@click.group(cls=Group)
def repository() -> None:
    """Look after the repository of an account."""


@repository.command()
@click.argument("name")
@_destination
@pass_session
def path(session: Session, name: str, *, destination: str | None) -> None:
    """Print where the repository of an account is, as `restic -r` takes it."""
    with session.open() as core:
        location = core.repository_location(name, destination=destination)
    session.show({"path": location}, location)


@repository.command()
@click.argument("name")
@_destination
@pass_session
def password(session: Session, name: str, *, destination: str | None) -> None:
    """Print the password of an account's repository."""
    with session.open() as core:
        secret = core.repository_password(name, destination=destination).reveal()
    # The one place that gives a secret out: it is what the user asked for.
    session.show({"password": secret}, secret)
