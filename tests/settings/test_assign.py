"""Settings from the command line."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import attrs
import pytest

from jetcore.errors import SettingsError
from jetcore.model import Secret
from jetcore.settings.assign import assign
from jetcore.settings.field import setting


class Mode(enum.StrEnum):
    FAST = "fast"
    SAFE = "safe"


@attrs.frozen
class Example:
    name: str = setting(default="", title="Name", help="Which.")
    enabled: bool = setting(default=False, title="Enabled", help="Whether.")
    count: int = setting(default=3, title="Count", help="How many.", minimum=1, maximum=10)
    part: float = setting(default=0.5, title="Part", help="How much.")
    limit: int | None = setting(default=7, title="Limit", help="At most.")
    place: Path | None = setting(default=None, title="Place", help="Where.")
    names: tuple[str, ...] = setting(default=("z",), title="Names", help="Which ones.")
    numbers: tuple[int, ...] = setting(default=(), title="Numbers", help="Which ones.")
    mode: Mode = setting(default=Mode.SAFE, title="Mode", help="How.")
    password: Secret = setting(default=Secret(""), title="Password", help="Opens it.", secret=True)


@pytest.mark.parametrize(
    ("assignment", "value"),
    [
        ("name=a=b, c", "a=b, c"),
        ("name=5", "5"),
        ("name=", ""),
        ("name=none", "none"),
        ("enabled=yes", True),
        ("enabled=TRUE", True),
        ("enabled=1", True),
        ("enabled=no", False),
        ("enabled=off", False),
        ("count=5", 5),
        ("part=0.25", 0.25),
        ("part=1", 1.0),
        ("limit=9", 9),
        ("limit=unlimited", None),
        ("limit=", None),
        ("place=/a b", Path("/a b")),
        ("place=none", None),
        ("names=a, b,c,", ("a", "b", "c")),
        ("names=", ()),
        ("numbers=1,2", (1, 2)),
        ("mode=fast", Mode.FAST),
        ("password=p=w", Secret("p=w")),
    ],
)
def test_text_gets_its_meaning_from_the_type(assignment: str, value: object) -> None:
    """Each type has its way of being written, and the other fields stay as they are."""
    name = assignment.partition("=")[0]

    expected: dict[str, Any] = {name: value}
    assert assign(Example, [assignment], place="example") == Example(**expected)


@pytest.mark.parametrize(
    ("assignment", "fault"),
    [
        ("enabled=maybe", "example.enabled: must be yes or no (it is 'maybe')"),
        ("enabled=", "example.enabled: must be yes or no (it is '')"),
        ("count=five", "example.count: must be a whole number, 1 to 10 (it is 'five')"),
        ("count=1_0", "example.count: must be a whole number, 1 to 10 (it is '1_0')"),
        ("count=5.0", "example.count: must be a whole number, 1 to 10 (it is '5.0')"),
        ("count=none", "example.count: must be a whole number, 1 to 10 (it is 'none')"),
        ("count=11", "example.count: must be 1 to 10 (it is 11)"),
        ("part=nan", "example.part: must be a number (it is nan)"),
        ("numbers=1,b", "example.numbers: must be a whole number (it is '1,b')"),
        ("mode=slow", "example.mode: must be one of fast, safe (it is 'slow')"),
        ("cuont=5", "example.cuont: there is no such setting, did you mean count?"),
        ("=5", "example.: there is no such setting"),
        ("password", "example: an assignment without '='; write field=value"),
    ],
)
def test_nonsense_is_refused(assignment: str, fault: str) -> None:
    """An assignment that makes no sense is named with its field and what is expected."""
    with pytest.raises(SettingsError) as raised:
        assign(Example, [assignment], place="example")

    assert raised.value.message == fault


def test_all_faults_are_told_at_once() -> None:
    """Faults of reading a text and of a value's limits stand side by side, each once."""
    with pytest.raises(SettingsError) as raised:
        assign(Example, ["enabled=maybe", "count=0", "oops=1", "name=fine"], place="example")

    assert sorted(raised.value.message.splitlines()) == [
        "example.count: must be 1 to 10 (it is 0)",
        "example.enabled: must be yes or no (it is 'maybe')",
        "example.oops: there is no such setting",
    ]


def test_last_assignment_of_a_field_counts() -> None:
    """A field that is assigned twice has the last value, as with any command line."""
    assert assign(Example, ["count=4", "count=5"], place="example").count == 5


def test_other_values_are_kept() -> None:
    """What is not assigned comes from the given values."""
    values: dict[str, Any] = {"name": "kept", "password": Secret("kept"), "place": "/kept"}

    found = assign(Example, ["count=5"], place="example", values=values)

    assert found == Example(name="kept", password=Secret("kept"), place=Path("/kept"), count=5)


def test_missing_field_is_named() -> None:
    """A field without a default has to be assigned."""

    @attrs.frozen
    class Needy:
        path: Path = setting(title="Path", help="Where.")
        other: str = setting(default="", title="Other", help="What.")

    with pytest.raises(SettingsError, match=r"^needy\.path: must be set$"):
        assign(Needy, ["other=x"], place="needy")
    assert assign(Needy, ["path=/x"], place="needy").path == Path("/x")
