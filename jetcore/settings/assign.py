"""Settings from the command line: ``field=value``, each value a text that the field's type gives its meaning."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from jetcore.errors import SettingsError
from jetcore.model import Secret
from jetcore.settings.convert import NotANumberError, build, fault
from jetcore.settings.field import fields_of

Section = TypeVar("Section")

_WORDS = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}
_NOTHING = {"", "none", "unlimited"}
#: As people write it; int() would also take "1_0" and digits of other scripts.
_INTEGER = re.compile(r"[+-]?[0-9]{1,30}")


def assign(
    section: type[Section], assignments: Sequence[str], *, place: str, values: Mapping[str, Any] | None = None
) -> Section:
    """Return a settings object with *assignments* made, all of them or none.

    :param assignments: ``field=value`` each. A list's items are separated by commas; ``unlimited`` or nothing unsets
        what may be unset.
    :param place: What error messages begin with: the name of the section.
    :param values: Values of the other fields, as :func:`jetcore.settings.convert.build` takes them; else the defaults.
    :raises SettingsError: Some assignment makes no sense; a line for each fault.
    """
    attrs.resolve_types(section)  # type: ignore[type-var]  # a settings class is an attrs class
    attributes = {attribute.name: attribute for attribute, _ in fields_of(section)}
    wanted = dict(values or {})
    faults: list[str] = []
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            # What was typed may be a secret in the wrong place, so it is not repeated.
            faults.append(f"{place}: an assignment without '='; write field=value")
            continue
        attribute = attributes.get(name)
        try:
            wanted[name] = text if attribute is None else _from_text(attribute.type, text)
        except ValueError as error:
            faults.append(f"{place}.{fault(attributes[name], error, text)}")
            # Lets the other faults be found too.
            wanted.pop(name, None)
    try:
        accepted = build(section, wanted, place=place)
    except SettingsError as error:
        named = {fault.partition(":")[0] for fault in faults}
        faults += [line for line in error.message.splitlines() if line.partition(":")[0] not in named]
        raise SettingsError("\n".join(faults)) from None
    if faults:
        raise SettingsError("\n".join(faults))
    return accepted


def _from_text(kind: Any, text: str) -> Any:
    """Return what *text* means for a field of the type *kind*; the field's limits are checked later."""
    if typing.get_origin(kind) in {typing.Union, types.UnionType}:
        choices = typing.get_args(kind)
        if type(None) in choices and text.lower() in _NOTHING:
            return None
        (kind,) = (choice for choice in choices if choice is not type(None))
    if kind is bool:
        if text.lower() not in _WORDS:
            raise ValueError("must be yes or no")
        return _WORDS[text.lower()]
    if kind is int:
        if not _INTEGER.fullmatch(text):
            raise NotANumberError("must be a whole number")
        return int(text)
    if kind is float:
        try:
            return float(text)
        except ValueError:
            raise NotANumberError("must be a number") from None
    if typing.get_origin(kind) is tuple:
        return tuple(_from_text(typing.get_args(kind)[0], item.strip()) for item in text.split(",") if item.strip())
    if kind is Secret:
        return Secret(text)
    if kind is Path:
        return Path(text)
    return text
