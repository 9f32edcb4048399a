"""What the commands for objects share: each lists, shows, creates, changes and deletes objects of one kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import click

from jetcore.cli.session import Group, Session, pass_session, printable
from jetcore.core import Core
from jetcore.settings.assign import assign
from jetcore.settings.convert import plain
from jetcore.settings.field import fields_of
from jetcore.state.objects import Objects


def object_group(
    name: str, kind: type[Any], what: str, objects: Callable[[Core], Objects[Any, Any]], *, about: str
) -> click.Group:
    """Return the commands for objects that have a name, or a number if there is no field ``name``.

    :param name: Of the group on the command line.
    :param kind: The attrs class of the objects.
    :param what: What one of them is called in messages.
    :param objects: Where they are.
    :param about: Help text of the group.
    """
    fields = [attribute.name for attribute, _ in fields_of(kind)]
    key = "name" if "name" in fields else "id"
    by_key = click.argument("key", metavar=key.upper(), type=str if key == "name" else int)
    words = click.argument("assignments", metavar="FIELD=VALUE...", nargs=-1, required=key == "id")
    group = Group(name, help=f"{about}\n\nFields: {', '.join(fields)}.")

    def listing(session: Session) -> None:
        columns = [attribute.name for attribute in attrs.fields(kind)]
        with session.open() as core:
            found = objects(core).all()
        session.table(found, {column.upper(): _column(column) for column in columns}, empty=f"There is no {what}.")

    def showing(session: Session, key: Any) -> None:
        with session.open() as core:
            found = objects(core).get(key)
        session.show(found, lambda: lines_of(found))

    def creating(session: Session, assignments: Sequence[str], key: str | None = None) -> None:
        wanted = assign(kind, [*assignments, f"name={key}"] if key is not None else assignments, place=what)
        with session.open() as core:
            added = objects(core).add(wanted)
        session.show(added, f"The {what} {_key_of(added)} has been created.")

    def changing(session: Session, key: Any, assignments: Sequence[str]) -> None:
        with session.open() as core:
            former = objects(core).get(key)
            values = {field: plain(getattr(former, field)) for field in fields}
            wanted = assign(kind, assignments, place=what, values=values)
            names = {assignment.partition("=")[0] for assignment in assignments}
            changed = objects(core).change(key, **{field: getattr(wanted, field) for field in names})
        session.show(changed, f"The {what} {_key_of(changed)} has been changed.")

    def deleting(session: Session, key: Any) -> None:
        with session.open() as core:
            objects(core).remove(key)
        session.show({"deleted": key}, f"The {what} {key} has been deleted.")

    group.command("list", help=f"List every {what}.")(pass_session(listing))
    group.command("show", help=f"Show a {what}.")(by_key(pass_session(showing)))
    created = words(pass_session(creating))
    group.command("create", help=f"Create a {what}.")(by_key(created) if key == "name" else created)
    group.command("change", help=f"Change fields of a {what}.")(by_key(words(pass_session(changing))))
    group.command("delete", help=f"Delete a {what}.")(by_key(pass_session(deleting)))
    return group


def lines_of(value: object) -> str:
    """Return the fields of an object, a line each."""
    kind: type[Any] = type(value)
    return "\n".join(f"{field.name} = {text_of(getattr(value, field.name))}" for field in attrs.fields(kind))


def text_of(value: object) -> str:
    """Return a field's value for people, as it may be typed in again."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return printable(str(value))


def _column(name: str) -> Callable[[Any], str]:
    return lambda value: text_of(getattr(value, name))


def _key_of(value: Any) -> str:
    return repr(value.name) if hasattr(value, "name") else str(value.id)
