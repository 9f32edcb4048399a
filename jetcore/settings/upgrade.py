"""Bringing stored settings to the fields of today.

A settings class whose fields were renamed or changed their meaning says how its older documents become newer ones::

    @attrs.frozen
    class Mysql:
        upgrades: ClassVar[Sequence[Upgrade]] = (
            renamed("packet", "max_packet"),                # format 1 to 2
            converted("max_packet", lambda kib: kib // 1024),  # 2 to 3
        )

A document is stored with its format: one more than the number of upgrades at its time. What is stored is brought up to
date each time it is read, and stays as it was until somebody saves the section.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jetcore.errors import SettingsError

#: Makes the values of one format those of the next; secrets are open.
Upgrade = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def format_of(section: type[Any]) -> int:
    """Return the format that documents of a settings class have today."""
    return 1 + len(_upgrades(section))


def upgraded(section: type[Any], values: Mapping[str, Any], version: int, *, place: str) -> dict[str, Any]:
    """Return *values*, which were written in the format *version*, as the class has them today.

    :raises SettingsError: The format is one of a newer jetcore, or none at all.
    """
    today = format_of(section)
    if not 1 <= version <= today:
        raise SettingsError(
            f"{place}: what is stored has format {version}, this jetcore knows 1 to {today}",
            hint="install the jetcore that wrote it, or a later one",
        )
    for upgrade in _upgrades(section)[version - 1 :]:
        values = upgrade(values)
    return dict(values)


def renamed(old: str, new: str) -> Upgrade:
    """Return an upgrade that calls the field *old* by its name of today."""
    return lambda values: {new if name == old else name: value for name, value in values.items()}


def converted(name: str, convert: Callable[[Any], Any]) -> Upgrade:
    """Return an upgrade that changes the value of a field, if it is set."""
    return lambda values: {field: convert(value) if field == name else value for field, value in values.items()}


def dropped(name: str) -> Upgrade:
    """Return an upgrade that forgets a field."""
    return lambda values: {field: value for field, value in values.items() if field != name}


def _upgrades(section: type[Any]) -> Sequence[Upgrade]:
    upgrades: Sequence[Upgrade] = getattr(section, "upgrades", ())
    return upgrades
