"""``jetcore settings``."""

from __future__ import annotations

import getpass
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import click

from jetcore.cli.session import Group, Session, pass_session
from jetcore.core import Core
from jetcore.errors import BadInputError
from jetcore.settings.field import fields_of


@click.group(cls=Group)
def settings() -> None:
    """Show and change settings: jetcore's own sections, and a section for each plugin that has some."""


@settings.command()
@click.argument("section", required=False)
@pass_session
def show(session: Session, section: str | None) -> None:
    """Show the settings of a section, or of all."""
    with session.open() as core:
        names = [_known(core, section)] if section else sorted(core.sections())
        found = {name: core.settings.load(name, core.sections()[name]) for name in names}
    session.show(found, lambda: "\n".join(line for name, values in found.items() for line in _lines(name, values)))


@settings.command()
@click.argument("name", metavar="SECTION.FIELD")
@pass_session
def get(session: Session, name: str) -> None:
    """Print one setting."""
    with session.open() as core:
        section, field = _split(core, name)
        value = getattr(core.settings.load(section, core.sections()[section]), field)
    session.show(value, _text(value))


@settings.command("set")
@click.argument("assignments", metavar="SECTION.FIELD=VALUE...", nargs=-1, required=True)
@pass_session
def set_(session: Session, assignments: Sequence[str]) -> None:
    """Change settings of a section, all of them or none."""
    with session.open() as core:
        by_section: defaultdict[str, list[str]] = defaultdict(list)
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            if not equals:
                raise BadInputError(f"{name!r} is no assignment", hint="write SECTION.FIELD=VALUE")
            section, field = _split(core, name)
            by_section[section].append(f"{field}={text}")
        if len(by_section) > 1:
            raise BadInputError("settings of one section at a time", hint="so that all of them change or none")
        changed = {
            section: core.settings.assign(section, core.sections()[section], words, who=getpass.getuser())
            for section, words in by_section.items()
        }
    session.show(changed, "")


def _split(core: Core, name: str) -> tuple[str, str]:
    section, dot, field = name.partition(".")
    if not dot:
        raise BadInputError(f"{name!r} names no setting", hint="write SECTION.FIELD")
    fields = [attribute.name for attribute, _ in fields_of(core.sections()[_known(core, section)])]
    if field not in fields:
        raise BadInputError(f"section {section} has no setting {field!r}", hint=f"it has {', '.join(fields)}")
    return section, field


def _known(core: Core, section: str) -> str:
    names = sorted(core.sections())
    if section not in names:
        raise BadInputError(f"there is no section {section!r}", hint=f"there are {', '.join(names)}")
    return section


def _lines(section: str, values: Any) -> Sequence[str]:
    return [
        f"{section}.{attribute.name} = {_text(getattr(values, attribute.name))}"
        for attribute, _ in fields_of(type(values))
    ]


def _text(value: object) -> str:
    if value is None:
        return "unlimited"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return str(value)
