"""``jetcore key``."""

from __future__ import annotations

from typing import TextIO

import click

from jetcore.cli.session import Group, Session, pass_session
from jetcore.installation import export_key, import_key, rotate_key, show_key
from jetcore.model import Secret

#: Much more than a key is long.
_LONGEST = 1000


@click.group(cls=Group)
def key() -> None:
    """Look after the master key, which seals every secret in the state database."""


@key.command()
@pass_session
def show(session: Session) -> None:
    """Show which master key is in use; not the key itself."""
    info = show_key(home=session.home)
    session.show(info, f"{info.path}: master key {info.id}, which opens the state database")


@key.command()
@pass_session
def export(session: Session) -> None:
    """Print the master key, to be kept in a safe place outside this server."""
    text = export_key(home=session.home).reveal()
    session.show({"master_key": text}, text)
    session.note("whoever has this key and the state database can read every backup; keep it where only you can")


@key.command("import")
@click.argument("file", type=click.File(), default="-")
@pass_session
def import_(session: Session, file: TextIO) -> None:
    """Put an exported master key back, read from FILE or the standard input."""
    info, kept = import_key(Secret(file.read(_LONGEST)), home=session.home)
    session.show(info, f"{info.path}: master key {info.id}")
    if kept is not None:
        session.note(f"the key that was there before is kept in {kept}")


@key.command()
@pass_session
def rotate(session: Session) -> None:
    """Seal everything anew with a new master key. Can be interrupted at any time."""
    done = rotate_key(home=session.home)
    session.show(done, f"The master key is now {done.id} instead of {done.former_id}.")
    session.note("keep what `jetcore key export` prints elsewhere; the copy of the former key no longer helps")
    session.note(f"older copies of the state database still need the former key, which is kept in {done.former}")
    session.note("processes of jetcore that are running now have to be started again")
