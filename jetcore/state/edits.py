"""Changes of settings: what is to become of the values that are stored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import attrs

from jetcore.errors import SettingsError
from jetcore.settings.assign import assign
from jetcore.settings.convert import build
from jetcore.settings.field import fields_of, nearest, shown


@attrs.frozen(kw_only=True)
class Edit:
    """What is to become of a section."""

    #: The attrs class of the section.
    kind: type[Any]
    #: Makes the new settings of the stored values, which are not checked and may lack what has no default.
    make: Callable[[dict[str, Any]], Any]


def assigning(section: str, kind: type[Any], assignments: Sequence[str]) -> Edit:
    """Return the edit that assigns ``field=value`` each."""
    return Edit(kind=kind, make=lambda values: assign(kind, assignments, place=section, values=values))


def setting_values(section: str, kind: type[Any], wanted: Mapping[str, Any]) -> Edit:
    """Return the edit that gives fields values, as :func:`jetcore.settings.convert.build` takes them."""
    return Edit(kind=kind, make=lambda values: build(kind, {**values, **wanted}, place=section))


def unsetting(section: str, kind: type[Any], names: Sequence[str]) -> Edit:
    """Return the edit that gives fields their defaults back."""

    def make(values: dict[str, Any]) -> Any:
        # Also what is stored and has no field (any more): this is how to get rid of it.
        existing = {attribute.name for attribute, _ in fields_of(kind)} | values.keys()
        if unknown := [name for name in names if name not in existing]:
            raise SettingsError("\n".join(_no_such_setting(section, name, existing) for name in unknown))
        return build(kind, {name: value for name, value in values.items() if name not in names}, place=section)

    return Edit(kind=kind, make=make)


def make_all(edits: Mapping[str, Edit], former: Mapping[str, dict[str, Any]]) -> tuple[dict[str, Any], list[str]]:
    """Return what the edits make of the stored values, by section, and the faults of those that make nothing."""
    made: dict[str, Any] = {}
    faults: list[str] = []
    for section, edit in edits.items():
        try:
            made[section] = edit.make(former[section])
        except SettingsError as error:
            faults.append(error.message)
    return made, faults


def _no_such_setting(section: str, name: str, names: Collection[str]) -> str:
    close = nearest(name, names)
    return f"{section}.{shown(name)}: there is no such setting{', ' if close else ''}{close}"
