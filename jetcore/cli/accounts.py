"""``jetcore accounts``."""

from __future__ import annotations

from collections.abc import Sequence

import click

from jetcore.cli.objects import lines_of
from jetcore.cli.session import Noun, Session, pass_session
from jetcore.settings.assign import assign
from jetcore.settings.convert import plain
from jetcore.settings.field import fields_of
from jetcore.settings.overrides import AccountOverrides


@click.group(cls=Noun)
@click.pass_context
def accounts(context: click.Context) -> None:
    """List the hosting accounts of this server, or see what is set for one of them."""
    if context.invoked_subcommand is None:
        context.invoke(list_)


@accounts.command("list")
@pass_session
def list_(session: Session) -> None:
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


@accounts.command()
@click.argument("name")
@pass_session
def show(session: Session, name: str) -> None:
    """Show what is set for an account alone, and the priority group that it is in."""
    with session.open() as core:
        overrides, group = core.overrides(name), core.priority_of(name)
    session.show(
        {"overrides": overrides, "effective_priority_group": group.name},
        lambda: f"{lines_of(overrides)}\nIts tasks have the priorities of group {group.name}.",
    )


@accounts.command("set")
@click.argument("name")
@click.argument("assignments", metavar="FIELD=VALUE...", nargs=-1, required=True)
@pass_session
def set_(session: Session, name: str, assignments: Sequence[str]) -> None:
    """Set something for an account alone: priority_group, on_demand_retain or tags; none takes it back."""
    with session.open() as core:
        former = core.overrides(name)
        values = {
            attribute.name: plain(getattr(former, attribute.name)) for attribute, _ in fields_of(AccountOverrides)
        }
        changed = core.override(name, assign(AccountOverrides, assignments, place=f"account {name}", values=values))
    session.show(changed, "")
