"""How a field of a settings section is declared: default, title, help, unit and bounds in one place.

Command-line help, the reference page and error messages are made from this metadata.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from jetcore.model import Secret

_KEY = "jetcore"
_LONGEST_SHOWN = 40
#: Marks a field that is no setting: the number of an object, a value taken from another section.
_KEPT_OUT = "jetcore.kept_out"
#: What is offered as the place of a shared value: ``mysql.force``.
_PLACE = re.compile(r"[a-z_]+\.[a-z_]+")


@attrs.frozen(kw_only=True)
class FieldInfo:
    """What is known of one setting."""

    title: str
    help: str
    #: Unit of a number: ``days``, ``bytes``, ``percent``; empty for none.
    unit: str = ""
    minimum: float | None = None
    maximum: float | None = None
    #: The values that are allowed; empty for no such limit.
    choices: tuple[Any, ...] = ()
    secret: bool = False
    #: Names of the panels that the setting applies to; empty for all.
    panels: tuple[str, ...] = ()

    @property
    def limits(self) -> str:
        """The bounds in words, for error messages: ``1 to 10 days``; empty when there are none."""
        if self.choices:
            return "one of " + ", ".join(str(choice) for choice in self.choices)
        low, high = self.minimum, self.maximum
        if low is None and high is None:
            return ""
        if high is None:
            text = f"at least {low:g}"
        elif low is None:
            text = f"at most {high:g}"
        else:
            text = f"{low:g} to {high:g}"
        return f"{text} {self.unit}".rstrip()


def setting(
    *,
    default: Any = attrs.NOTHING,
    title: str,
    help: str,  # noqa: A002  # the word of the field's metadata, as in click
    unit: str = "",
    minimum: float | None = None,
    maximum: float | None = None,
    choices: Sequence[Any] = (),
    secret: bool = False,
    panels: Sequence[str] = (),
    validator: Callable[[Any, Any, Any], None] | None = None,
) -> Any:
    """Declare a field of a settings class.

    :param default: Value when nothing is configured; a field without one has to be configured.
    :param title: Name of the setting for people.
    :param help: What it does, in a sentence or two.
    :param unit: Unit of a number.
    :param minimum: Smallest number, or shortest text.
    :param maximum: Largest number, or longest text.
    :param choices: The allowed values.
    :param secret: Whether it is kept sealed and never shown; such a field has the type :class:`jetcore.Secret`.
    :param panels: Names of the panels that it applies to; none for all.
    :param validator: One more check, as in attrs.
    """
    info = FieldInfo(
        title=title,
        help=help,
        unit=unit,
        minimum=minimum,
        maximum=maximum,
        choices=tuple(choices),
        secret=secret,
        panels=tuple(panels),
    )
    validators = [_check_limits] if validator is None else [_check_limits, validator]
    return attrs.field(default=default, validator=validators, metadata={_KEY: info}, kw_only=True)


def shared(name: str, *, default: Any) -> Any:
    """Declare a field of a plugin's settings class whose value is a setting of jetcore's own.

    The administrator sets it there and nowhere else; the plugin only finds it among its settings. It works for what a
    section holds, not for the settings of a destination or an integration.

    :param name: The setting: ``mysql.force``.
    :param default: Value where there is no jetcore to ask, as in a plugin's tests.
    """
    if not _PLACE.fullmatch(name):
        raise ValueError(f"{name!r} names no setting; write SECTION.FIELD")
    return attrs.field(default=default, metadata={_KEPT_OUT: name}, kw_only=True)


def given(default: Any) -> Any:
    """Declare a field that nobody sets, such as the number that the database gives to an object.

    :param default: Its value until it is given.
    """
    return attrs.field(default=default, metadata={_KEPT_OUT: ""}, kw_only=True)


def info_of(attribute: attrs.Attribute[Any]) -> FieldInfo:
    """Return the metadata of a field made with :func:`setting`."""
    info = attribute.metadata.get(_KEY)
    return info if isinstance(info, FieldInfo) else FieldInfo(title=attribute.name, help="")


def fields_of(section: type[Any]) -> Iterator[tuple[attrs.Attribute[Any], FieldInfo]]:
    """Yield the fields of a settings class that can be set, with their metadata."""
    for attribute in attrs.fields(section):
        if _KEPT_OUT not in attribute.metadata:
            yield attribute, info_of(attribute)


def shared_of(section: type[Any]) -> dict[str, str]:
    """Return the fields of a settings class that are :func:`shared`, each with the setting that gives its value."""
    return {
        attribute.name: attribute.metadata[_KEPT_OUT]
        for attribute in attrs.fields(section)
        if attribute.metadata.get(_KEPT_OUT)
    }


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ``did you mean NAME?`` for the one of *names* that is closest to *name*; empty if none is close."""
    close = difflib.get_close_matches(name, list(names), n=1)
    return f"did you mean {close[0]}?" if close else ""


def default_of(attribute: attrs.Attribute[Any]) -> Any:
    """Return the default of a field, or :data:`attrs.NOTHING` if it has none."""
    factory = getattr(attribute.default, "factory", None)
    return attribute.default if factory is None else factory()


def shown(value: Any, *, quote: bool = False, limit: int = _LONGEST_SHOWN) -> str:
    """Return *value* for a message: cut to a reasonable length, and without anything that a terminal would obey."""
    match value:
        case Path():
            return shown(str(value), quote=quote, limit=limit)
        case str() | bytes() if len(value) > limit:
            return f"{value[:limit]!r}… of {len(value)} characters"
        case str() if not quote and value.isprintable():
            return value
        case list() | tuple():
            return f"a list of {len(value)}"
        case Mapping():
            return f"a table of {len(value)}"
        case bool():
            return "true" if value else "false"
        case int() if value.bit_length() > 4 * _LONGEST_SHOWN:
            return "a number of many digits"
        case None:
            return "nothing"
        case _:
            return repr(value)


def absolute_path(_instance: Any, _attribute: attrs.Attribute[Any], value: Path | None) -> None:
    """Validate that a path, if there is one, begins at the root and has no ``..`` in it."""
    if value is not None and (not value.is_absolute() or ".." in value.parts):
        raise ValueError("must be an absolute path without '..'")


def _check_limits(_instance: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    info = info_of(attribute)
    if info.choices and value not in info.choices:
        raise ValueError(f"must be {info.limits}")
    if isinstance(value, bool) or value is None:
        return
    measure: float
    if isinstance(value, int | float):
        measure = value
    elif isinstance(value, str | Secret | tuple):
        measure = len(value.reveal() if isinstance(value, Secret) else value)
    else:
        return
    too_low = info.minimum is not None and measure < info.minimum
    too_high = info.maximum is not None and measure > info.maximum
    if too_low or too_high:
        raise ValueError(f"must be {info.limits}")
