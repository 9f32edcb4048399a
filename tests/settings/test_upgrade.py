"""Bringing stored settings to the fields of today."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attrs
import pytest

from jetcore.errors import SettingsError
from jetcore.model import Secret
from jetcore.settings.convert import from_document
from jetcore.settings.field import setting
from jetcore.settings.secret import MasterKey
from jetcore.settings.upgrade import Upgrade, converted, dropped, format_of, renamed

KEY = MasterKey(bytes(range(32)))


@attrs.frozen
class Today:
    upgrades: ClassVar[Sequence[Upgrade]] = (
        renamed("packet", "max_packet"),
        converted("max_packet", lambda kib: kib // 1024),
        dropped("colour"),
        renamed("pass", "password"),
    )
    max_packet: int = setting(default=16, title="Packet", help="In MiB.", minimum=1, maximum=64)
    password: Secret = setting(default=Secret(""), title="Password", help="Opens it.", secret=True)


def load(document: dict[str, object], version: int) -> Today:
    return from_document(Today, document, KEY, "today", place="today", version=version)


def test_first_document_comes_to_the_fields_of_today() -> None:
    """Everything that was ever renamed, converted and dropped is undone in its order, and a secret opens."""
    sealed = KEY.seal(Secret("hunter2"), "today.pass")

    found = load({"packet": 32768, "colour": "red", "pass": sealed}, 1)

    assert found == Today(max_packet=32, password=Secret("hunter2"))


def test_document_is_upgraded_from_its_own_format() -> None:
    """What was done before a document was written is not done to it again; one of today is taken as it is."""
    assert load({"max_packet": 32768}, 2) == Today(max_packet=32)
    assert load({"max_packet": 32}, 3) == Today(max_packet=32)
    assert load({"max_packet": 32}, format_of(Today)) == Today(max_packet=32)
    assert format_of(Today) == 5


@pytest.mark.parametrize("version", [6, -1])
def test_format_of_a_newer_jetcore_is_refused(version: int) -> None:
    """A format that this code does not know is an error with what to do, not a guess."""
    with pytest.raises(SettingsError, match=f"today: what is stored has format {version}, this jetcore knows 1 to 5"):
        load({}, version)


def test_class_without_upgrades_has_the_first_format() -> None:
    """A class that never changed begins at 1."""

    @attrs.frozen
    class Plain:
        pass

    assert format_of(Plain) == 1
