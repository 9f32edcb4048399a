"""Between settings objects and the documents that are stored, strictly: no value is bent into another type.

A document is a mapping of plain JSON values; the secrets in it are sealed. Every fault is found in one go and told in
the user's words; the value of a secret never appears.
"""

from __future__ import annotations

import enum
import math
import os
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs
import cattrs
from cattrs.errors import StructureHandlerNotFoundError

from jetcore.errors import SettingsError
from jetcore.model import Secret
from jetcore.settings.field import default_of, fields_of, info_of, nearest, shared_of, shown
from jetcore.settings.secret import SEALED, MasterKey
from jetcore.settings.upgrade import format_of, upgraded

Section = TypeVar("Section")

_HAND_HINT = "was the state database edited by hand?"
_LONGEST_TEXT = 100_000


def to_document(section: Any, key: MasterKey, context: str, *, omit_defaults: bool = False) -> dict[str, Any]:
    """Return the document of *section*.

    :param key: Seals its secrets.
    :param context: What the secrets belong to, without the field's name.
    :param omit_defaults: Leave out what is as it would be without the document.
    """
    document: dict[str, Any] = {}
    for attribute, _info in fields_of(type(section)):
        value = getattr(section, attribute.name)
        if omit_defaults and value == default_of(attribute):
            continue
        if isinstance(value, Secret):
            document[attribute.name] = key.seal(value, f"{context}.{attribute.name}") if value else ""
        else:
            document[attribute.name] = plain(value)
    return document


def plain(value: Any) -> Any:
    """Return a field's value as it stands in a document. Not for secrets, which are sealed."""
    return _converter.unstructure(value)


def from_document(
    section: type[Section],
    document: Mapping[str, Any],
    key: MasterKey,
    context: str,
    *,
    place: str,
    version: int | None = None,
) -> Section:
    """Return the settings object that *document* describes.

    :param context: As it was given to :func:`to_document`.
    :param place: What error messages begin with: the name of the section.
    :param version: Format that the document was written in; the one of today if not given.
    :raises SettingsError: The document does not fit the class; a line for each fault.
    :raises MasterKeyError: A secret does not open with *key*.
    """
    return build(section, values_of(section, document, key, context, place=place, version=version), place=place)


def values_of(
    section: type[Any],
    document: Mapping[str, Any],
    key: MasterKey,
    context: str,
    *,
    place: str,
    version: int | None = None,
) -> dict[str, Any]:
    """Return the values in *document* with its secrets opened, for :func:`build`; they are not checked yet.

    :param version: Format that the document was written in; the one of today if not given.
    :raises SettingsError: The document is no mapping, or its format is newer than this jetcore.
    :raises MasterKeyError: A secret does not open with *key*.
    """
    if not isinstance(document, Mapping):
        raise SettingsError(f"{place}: what is stored is not a table of settings", hint=_HAND_HINT)
    secret = {attribute.name for attribute, info in fields_of(section) if info.secret}
    opened = {
        name: key.unseal(value, f"{context}.{name}")
        # What is sealed is a secret also under a name that the class no longer has.
        if isinstance(value, str) and value and (name in secret or value.startswith(SEALED))
        else value
        for name, value in document.items()
    }
    return upgraded(section, opened, version or format_of(section), place=place)


def resealed(document: Any, old: MasterKey, new: MasterKey, context: str) -> Any:
    """Return *document* with its secrets sealed with another key. Its class is not needed, so its plugin may be gone.

    :raises MasterKeyError: A secret does not open with *old*.
    """
    if not isinstance(document, Mapping):
        return document
    return {
        name: new.seal(old.unseal(value, f"{context}.{name}"), f"{context}.{name}")
        if isinstance(value, str) and value.startswith(SEALED)
        else value
        for name, value in document.items()
    }


def build(section: type[Section], values: Mapping[str, Any], *, place: str) -> Section:
    """Return a settings object made of *values*: plain JSON values, and secrets as :class:`Secret` or text.

    :param place: What error messages begin with: the name of the section.
    :raises SettingsError: Some value does not fit; a line for each fault.
    """
    attrs.resolve_types(section)  # type: ignore[type-var]  # a settings class is an attrs class
    faults: list[str] = []
    accepted: dict[str, Any] = {}
    attributes = {attribute.name: attribute for attribute, _ in fields_of(section)}
    elsewhere = shared_of(section)
    for name, value in values.items():
        attribute = attributes.get(name)
        if name in elsewhere:
            faults.append(f"{place}.{name}: is set as {elsewhere[name]}")
        elif attribute is None:
            close = nearest(name, attributes)
            faults.append(f"{place}.{shown(name)}: there is no such setting{', ' if close else ''}{close}")
        else:
            try:
                accepted[name] = _accept(attribute, value)
            except ValueError as error:
                faults.append(f"{place}.{fault(attribute, error, value)}")
    faults += [
        f"{place}.{attribute.name}: must be set"
        for attribute in attributes.values()
        if attribute.default is attrs.NOTHING and attribute.name not in values
    ]
    if not faults:
        try:
            return section(**accepted)
        except ValueError as error:  # from a check across fields
            faults.append(f"{place}: {error}")
    raise SettingsError("\n".join(faults))


def check(settings: Any, *, place: str) -> None:
    """Make sure that an object could be built from its own values.

    An attrs object has checked its limits when it was made, but not the types of what it was given.

    :raises SettingsError: Some value does not fit; a line for each fault.
    """
    kind = type(settings)
    build(kind, {attribute.name: getattr(settings, attribute.name) for attribute, _ in fields_of(kind)}, place=place)


def fault(attribute: attrs.Attribute[Any], error: ValueError, value: Any) -> str:
    """Return what is wrong with *value*: the field, the reason, the limits, and the value unless it is a secret."""
    info, reason = info_of(attribute), str(error)
    if info.limits and info.limits not in reason and isinstance(error, NotANumberError):
        reason += f", {info.limits}"
    if info.secret or isinstance(value, Secret):
        return f"{attribute.name}: {reason}"
    return f"{attribute.name}: {reason} (it is {shown(value, quote=True)})"


class NotANumberError(ValueError):
    """A value is not of a number's type, so that the limits are worth telling."""


def _accept(attribute: attrs.Attribute[Any], value: Any) -> Any:
    """Return *value* as the field's type, after all of the field's own checks."""
    try:
        accepted = _converter.structure(value, attribute.type or str)
    except StructureHandlerNotFoundError as error:
        raise TypeError(f"setting {attribute.name} has a type that settings cannot have: {attribute.type}") from error
    if attribute.validator is not None:
        attribute.validator(None, attribute, accepted)
    return accepted


# Types ---------------------------------------------------------------------------------------------------------------


def _boolean(value: Any, _type: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")  # noqa: TRY004  # any fault of a value is a ValueError here
    return value


def _integer(value: Any, _type: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise NotANumberError("must be a whole number")
    return value


def _number(value: Any, _type: Any) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise NotANumberError("must be a number")
    return float(value)


def _text(value: Any, _type: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004
    if len(value) > _LONGEST_TEXT:
        raise ValueError(f"must not be longer than {_LONGEST_TEXT} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("must be valid Unicode") from None
    if any((ord(character) < 32 and character not in "\n\t") or ord(character) == 127 for character in value):
        raise ValueError("must not hold control characters")
    if value.startswith(SEALED):
        raise ValueError(f"must not begin with {SEALED}, which marks what is sealed")
    return value


def _path(value: Any, _type: Any) -> Path:
    if isinstance(value, Path):
        value = os.fspath(value)
    return Path(_text(value, str))


def _secret(value: Any, _type: Any) -> Secret:
    return Secret(_text(value.reveal() if isinstance(value, Secret) else value, str))


def _word(value: Any, words: type[enum.StrEnum]) -> enum.StrEnum:
    try:
        return words(value)
    except ValueError:
        raise ValueError(f"must be one of {', '.join(words)}") from None


def _list(value: Any, kind: Any) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ValueError("must be a list")  # noqa: TRY004
    (item_type, _ellipsis) = typing.get_args(kind)
    items = []
    for number, item in enumerate(value, 1):
        try:
            items.append(_converter.structure(item, item_type))
        except ValueError as error:
            raise ValueError(f"item {number} {error}") from None
    return tuple(items)


def _make_converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)
    hooks: tuple[tuple[type, Callable[[Any, Any], Any]], ...] = (
        (bool, _boolean),
        (int, _integer),
        (float, _number),
        (str, _text),
        (Path, _path),
        (Secret, _secret),
        # Named, because to cattrs one of its subclasses is a text before it is an enumeration.
        (enum.StrEnum, _word),
    )
    for kind, hook in hooks:
        converter.register_structure_hook(kind, hook)
    converter.register_structure_hook_func(_is_tuple, _list)
    converter.register_unstructure_hook(Path, os.fspath)
    converter.register_unstructure_hook(Secret, _refuse_secret)
    return converter


def _is_tuple(kind: Any) -> bool:
    origin: object = typing.get_origin(kind)
    return origin is tuple


def _refuse_secret(_secret: Secret) -> None:
    raise TypeError("a secret must be a field of its own, declared with setting(secret=True)")


_converter = _make_converter()
