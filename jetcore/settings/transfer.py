"""Settings as TOML, to be kept in git or written by Ansible.

A table for each section; the types are those of the fields. What is not set is an empty text, because TOML has no word
for nothing. A secret is left out, or sealed; in a file that is imported it may also stand in clear.
"""

from __future__ import annotations

import json
import tomllib
import types
import typing
from collections.abc import Mapping
from typing import Any

import attrs

from jetcore.errors import SettingsError
from jetcore.settings.field import fields_of
from jetcore.settings.secret import SEALED, MasterKey


def to_toml(documents: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the documents of sections as TOML, in their order."""
    return "\n".join(
        f"[{_key(section)}]\n" + "".join(f"{_key(name)} = {_value(value)}\n" for name, value in document.items())
        for section, document in documents.items()
    )


def read_toml(data: bytes, *, limit: int) -> dict[str, dict[str, Any]]:
    """Return the tables of a TOML file, by section.

    :param limit: Largest size that is taken, in bytes.
    :raises SettingsError: It is too large, is no TOML, or holds something outside of tables.
    """
    if len(data) > limit:
        raise SettingsError(f"the file is larger than {limit} bytes")
    try:
        document = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SettingsError(f"the file is not valid TOML: {error}") from error
    if stray := [name for name, value in document.items() if not isinstance(value, dict)]:
        raise SettingsError("\n".join(f"{name}: stands outside of a section" for name in stray))
    return document


def exported(section: type[Any], document: Mapping[str, Any], *, sealed: bool) -> dict[str, Any]:
    """Return a document as it is exported: nothing is an empty text, and secrets are there on request only."""
    secret = {attribute.name for attribute, info in fields_of(section) if info.secret}
    return {name: "" if value is None else value for name, value in document.items() if sealed or name not in secret}


def imported(section: type[Any], document: Mapping[str, Any], key: MasterKey, context: str) -> dict[str, Any]:
    """Return the values of a document that was exported or written by hand; they are not checked yet.

    :raises MasterKeyError: A sealed secret does not open with *key*.
    """
    attrs.resolve_types(section)
    unsettable = {attribute.name for attribute, _ in fields_of(section) if _may_be_nothing(attribute.type)}
    return {
        name: None
        if value == "" and name in unsettable
        else key.unseal(value, f"{context}.{name}")
        if isinstance(value, str) and value.startswith(SEALED)
        else value
        for name, value in document.items()
    }


def _may_be_nothing(kind: Any) -> bool:
    return typing.get_origin(kind) in {typing.Union, types.UnionType} and type(None) in typing.get_args(kind)


def _key(name: str) -> str:
    return (
        name
        if name.replace("_", "").replace("-", "").isalnum() and name.isascii()
        else json.dumps(name, ensure_ascii=False)
    )


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    # JSON's texts, numbers and truth values are TOML's as well.
    return json.dumps(value, ensure_ascii=False)
