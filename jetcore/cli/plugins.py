"""``jetcore plugins``."""

from __future__ import annotations

import click

from jetcore.cli.session import Group, Session, pass_session


@click.group(cls=Group)
def plugins() -> None:
    """Show plugins and switch them on and off."""


@plugins.command("list")
@pass_session
def list_(session: Session) -> None:
    """List the installed plugins, with the reason of each that is not in use."""
    with session.open() as core:
        session.table(
            core.plugins.infos,
            {
                "PLUGIN": lambda info: info.name,
                "FROM": lambda info: info.distribution,
                "STATE": lambda info: info.state.value,
                "REASON": lambda info: info.reason or "-",
            },
            empty="No plugins are installed; begin with: pip install jetcore[linux]",
        )


@plugins.command()
@click.argument("name")
@pass_session
def disable(session: Session, name: str) -> None:
    """Leave a plugin out from now on."""
    with session.open() as core:
        core.switch_plugin(name, enabled=False)
    session.show({"plugin": name, "enabled": False}, f"Plugin {name} is disabled.")


@plugins.command()
@click.argument("name")
@pass_session
def enable(session: Session, name: str) -> None:
    """Use a plugin again that was disabled."""
    with session.open() as core:
        core.switch_plugin(name, enabled=True)
    session.show({"plugin": name, "enabled": True}, f"Plugin {name} is enabled.")
