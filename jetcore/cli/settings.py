"""``jetcore settings``."""

from __future__ import annotations

import getpass
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import click

from jetcore.cli.objects import text_of
from jetcore.cli.session import Group, Session, pass_session, printable, time_text
from jetcore.core import Core
from jetcore.errors import BadInputError, JetcoreError, SettingsError
from jetcore.settings import SECTIONS
from jetcore.settings.field import FieldInfo, fields_of, nearest, shown
from jetcore.settings.transfer import read_toml, to_toml
from jetcore.state.edits import Edit, assigning, setting_values, unsetting
from jetcore.state.rules import Fault
from jetcore.state.settings import Change

#: Stands for a secret that is to be asked for, or read from the standard input.
_ASK = "-"
_LARGEST_FILE = 4 << 20


@click.group(cls=Group)
def settings() -> None:
    """Show and change settings: jetcore's own sections, and a section for each plugin that has some."""


@settings.command()
@click.argument("section", required=False)
@pass_session
def show(session: Session, section: str | None) -> None:
    """Show the settings of a section, or of all."""
    with session.open() as core:
        kinds, faults = _kinds(core, [section] if section else [])
        found = {}
        for name, kind in kinds.items():
            try:
                found[name] = core.settings.load(name, kind)
            except JetcoreError as error:
                # One section that somebody spoiled does not hide the others.
                faults.append(str(error))
    session.show(
        {name: _values(values) for name, values in found.items()},
        lambda: "\n".join(line for name, values in found.items() for line in _lines(name, values)),
    )
    if faults:
        raise SettingsError("\n".join(dict.fromkeys(faults)))


@settings.command()
@click.argument("name", metavar="SECTION.FIELD")
@pass_session
def get(session: Session, name: str) -> None:
    """Print one setting."""
    with session.open() as core:
        section, field, _ = _split(core, name)
        value = getattr(core.settings.load(section, _kind(core, section)), field)
    session.show(value, text_of(value))


@settings.command("set")
@click.argument("assignments", metavar="SECTION.FIELD=VALUE...", nargs=-1, required=True)
@pass_session
def set_(session: Session, assignments: Sequence[str]) -> None:
    """Change settings, all of them or none.

    A secret is not typed here, where every user of this server can see it: write SECTION.FIELD=- and type it when asked
    for, or hand it over on the standard input, a line for each.
    """
    with session.open() as core:
        by_section: defaultdict[str, list[str]] = defaultdict(list)
        for assignment in assignments:
            name, equals, text = assignment.partition("=")
            if not equals:
                raise BadInputError(f"{shown(name)!r} is no assignment", hint="write SECTION.FIELD=VALUE")
            section, field, info = _split(core, name)
            by_section[section].append(f"{field}={_secret(name, text) if info.secret else text}")
        _change(
            session,
            core,
            {section: assigning(section, _kind(core, section), words) for section, words in by_section.items()},
        )


@settings.command()
@click.argument("names", metavar="SECTION[.FIELD]...", nargs=-1, required=True)
@pass_session
def unset(session: Session, names: Sequence[str]) -> None:
    """Give settings their defaults back, all of them or none; those of a whole section if no field is named."""
    with session.open() as core:
        whole = [name for name in names if "." not in name]
        by_section: defaultdict[str, list[str]] = defaultdict(list)
        for name in names:
            section, dot, field = name.partition(".")
            if dot:
                by_section[section].append(field)
        if whole and by_section:
            raise BadInputError("whole sections and single settings at once", hint="name either the one or the other")
        for section in whole:
            core.settings.reset(section, _kind(core, section), who=getpass.getuser())
        edits = {section: unsetting(section, _kind(core, section), fields) for section, fields in by_section.items()}
        _change(session, core, edits)


@settings.command()
@click.argument("section", required=False)
@pass_session
def check(session: Session, section: str | None) -> None:
    """Look at all settings again: disks, programs, jobs and the panel can have changed since they were set."""
    with session.open() as core:
        kinds, faults = _kinds(core, [section] if section else [])
        found = [finding for name, kind in kinds.items() for finding in core.settings.look(name, kind)]
    faults += [finding.text for finding in found if isinstance(finding, Fault)]
    notes = [finding.text for finding in found if not isinstance(finding, Fault)]
    session.show({"faults": faults, "notes": notes}, lambda: printable("\n".join(notes)))
    if faults:
        raise SettingsError("\n".join(dict.fromkeys(faults)))


@settings.command()
@click.argument("section", required=False)
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1), help="How many changes.")
@pass_session
def history(session: Session, section: str | None, *, limit: int) -> None:
    """Show who changed what and when, the newest change first; of a secret only that it changed."""
    with session.open() as core:
        changes = core.settings.history(section, limit=limit)
    session.table(
        changes,
        {
            "WHEN": lambda change: time_text(change.changed),
            "WHO": lambda change: change.changed_by,
            "SECTION": lambda change: change.section,
            "VERSION": lambda change: str(change.version),
            "CHANGES": _changes,
        },
        empty="No setting was ever changed.",
    )


@settings.command()
@click.argument("sections", nargs=-1)
@click.option(
    "--sealed", is_flag=True, help="With the secrets, sealed: only a jetcore with this master key reads them."
)
@pass_session
def export(session: Session, sections: Sequence[str], *, sealed: bool) -> None:
    """Print the settings of sections, or of all, as TOML; without secrets unless they are asked for."""
    with session.open() as core:
        kinds, faults = _kinds(core, sections)
        if faults:
            raise SettingsError("\n".join(faults))
        documents = {name: core.settings.document(name, kind, sealed=sealed) for name, kind in kinds.items()}
    session.show(documents, lambda: to_toml(documents).rstrip("\n"))


@settings.command("import")
@click.argument("file", type=click.File("rb"), default="-")
@pass_session
def import_(session: Session, file: BinaryIO) -> None:
    """Change the settings that stand in a TOML file, or on the standard input, all of them or none."""
    documents = read_toml(file.read(_LARGEST_FILE + 1), limit=_LARGEST_FILE)
    with session.open() as core:
        kinds = {name: _kind(core, name) for name in documents}
        _change(
            session,
            core,
            {
                name: setting_values(name, kind, core.settings.opened(name, kind, documents[name]))
                for name, kind in kinds.items()
            },
        )


def _change(session: Session, core: Core, edits: Mapping[str, Edit]) -> None:
    changed = core.settings.change(edits, who=getpass.getuser())
    session.show({name: _values(values) for name, values in changed.settings.items()}, "")
    for note in changed.notes:
        session.note(f"{note}")


def _secret(name: str, text: str) -> str:
    """Return a secret that was asked for; an empty one takes it away and may be typed."""
    if not text:
        return ""
    if text != _ASK:
        raise SettingsError(
            f"{name}: a secret is not typed on the command line, where every user of this server can see it",
            hint=f"write {name}=- and type it when asked for, or pipe it in; and choose another one, this one was seen",
        )
    if sys.stdin.isatty():
        return getpass.getpass(f"{name}: ")
    line = sys.stdin.readline()
    if not line:
        raise SettingsError(f"{name}: no secret on the standard input")
    return line.rstrip("\n")


def _split(core: Core, name: str) -> tuple[str, str, FieldInfo]:
    section, dot, field = name.partition(".")
    if not dot:
        raise BadInputError(f"{shown(name)!r} names no setting", hint="write SECTION.FIELD")
    fields = {attribute.name: info for attribute, info in fields_of(_kind(core, section))}
    if field not in fields:
        hint = nearest(field, fields) or f"it has {', '.join(fields)}"
        raise BadInputError(f"section {section} has no setting {shown(field)!r}", hint=hint)
    return section, field, fields[field]


def _kind(core: Core, section: str) -> type[Any]:
    """Return the class of a section. The plugins are only asked when it is none of jetcore's own."""
    kind = SECTIONS.get(section) or core.sections().get(section)
    if kind is None:
        names = sorted(core.sections())
        hint = nearest(section, names) or f"there are {', '.join(names)}"
        raise BadInputError(f"there is no section {shown(section)!r}", hint=hint)
    return kind


def _kinds(core: Core, sections: Sequence[str]) -> tuple[dict[str, type[Any]], list[str]]:
    """Return the classes of *sections*, of all if it is empty, and what keeps those of plugins from being known."""
    if sections:
        return {section: _kind(core, section) for section in sections}, []
    try:
        return dict(sorted(core.sections().items())), []
    except JetcoreError as error:
        return dict(SECTIONS), [str(error)]


def _values(values: Any) -> dict[str, Any]:
    return {attribute.name: getattr(values, attribute.name) for attribute, _ in fields_of(type(values))}


def _lines(section: str, values: Any) -> Sequence[str]:
    return [f"{section}.{name} = {text_of(value)}" for name, value in _values(values).items()]


def _changes(change: Change) -> str:
    return ", ".join(
        f"{name} changed" if before is None and after is None else f"{name}: {text_of(before)} -> {text_of(after)}"
        for name, (before, after) in change.fields.items()
    )
