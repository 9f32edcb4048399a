"""``jetcore destinations``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from jetcore.cli.session import Group, Session, pass_session, settings_text


@click.group(cls=Group)
def destinations() -> None:
    """Show and change where restore points are kept."""


@destinations.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the destinations."""
    with session.open() as core:
        session.table(
            core.destinations(),
            {
                "NAME": lambda config: config.name,
                "TYPE": lambda config: config.type,
                "DEFAULT": lambda config: "yes" if config.default else "no",
                "SETTINGS": lambda config: settings_text(config.settings),
            },
            empty="There is no destination; add one with: jetcore destinations add",
        )


@destinations.command("add")
@click.argument("name")
@click.option("--type", "kind", default="local", show_default=True, help="Type of destination.")
@click.option("--set", "assignments", metavar="FIELD=VALUE", multiple=True, help="A setting of the type.")
@click.option("--default", "default", is_flag=True, help="Use it when no destination is named.")
@pass_session
def add(session: Session, name: str, *, kind: str, assignments: Sequence[str], default: bool) -> None:
    """Add a destination, for instance: jetcore destinations add nas --set path=/mnt/nas/jetcore."""
    with session.open() as core:
        config = core.add_destination(name, kind, assignments, default=default)
    session.show(config, f"Destination {name} added.")
