"""How a field of a settings section is declared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest

from jetcore.model import Secret
from jetcore.settings.field import (
    absolute_path,
    default_of,
    fields_of,
    given,
    info_of,
    nearest,
    setting,
    shared,
    shared_of,
)


@attrs.frozen
class Example:
    count: int = setting(default=3, title="Count", help="How many.", unit="things", minimum=1, maximum=10)
    size: int | None = setting(default=None, title="Size", help="How big.", minimum=5)
    part: float = setting(default=0.5, title="Part", help="How much.", maximum=1)
    name: str = setting(default="ab", title="Name", help="Which.", unit="characters", minimum=2, maximum=4)
    kind: str = setting(default="a", title="Kind", help="Which one.", choices=("a", "b"))
    names: tuple[str, ...] = setting(default=(), title="Names", help="Which ones.", unit="items", maximum=2)
    password: Secret = setting(default=Secret(""), title="Password", help="Opens it.", secret=True, maximum=5)
    place: Path | None = setting(default=None, title="Place", help="Where.", validator=absolute_path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"count": 0}, "must be 1 to 10 things"),
        ({"count": 11}, "must be 1 to 10 things"),
        ({"size": 4}, "must be at least 5"),
        ({"part": 1.5}, "must be at most 1"),
        ({"name": "a"}, "must be 2 to 4 characters"),
        ({"name": "abcde"}, "must be 2 to 4 characters"),
        ({"kind": "c"}, "must be one of a, b"),
        ({"names": ("a", "b", "c")}, "must be at most 2 items"),
        ({"password": Secret("secret")}, "must be at most 5"),
        ({"place": Path("relative")}, "must be an absolute path"),
        ({"place": Path("/a/../b")}, r"without '\.\.'"),
    ],
)
def test_value_beyond_a_limit_is_refused(wrong: dict[str, Any], message: str) -> None:
    """A value that breaks its field's limits is refused with the limits."""
    with pytest.raises(ValueError, match=message):
        Example(**wrong)


@pytest.mark.parametrize(
    "right",
    [
        {"count": 1},
        {"count": 10},
        {"size": 5},
        {"size": None},
        {"part": 1.0},
        {"name": "abcd"},
        {"kind": "b"},
        {"names": ("a", "b")},
        {"password": Secret("12345")},
        {"place": Path("/a")},
    ],
)
def test_limit_itself_is_allowed(right: dict[str, Any]) -> None:
    """The limits belong to what is allowed."""
    assert attrs.asdict(Example(**right)).items() >= right.items()


def test_secret_is_not_in_the_error() -> None:
    """What breaks a secret's limits is told without the secret."""
    with pytest.raises(ValueError, match="must be") as raised:
        Example(password=Secret("secret"))

    assert "secret" not in str(raised.value)


def test_metadata_is_found() -> None:
    """A field's description is what it was declared with; a plain attrs field has its name for a title."""

    @attrs.frozen
    class Plain:
        number: int = attrs.field(factory=lambda: 7)

    found = {attribute.name: info for attribute, info in fields_of(Example)}
    plain = attrs.fields(Plain).number

    assert (found["count"].title, found["count"].limits) == ("Count", "1 to 10 things")
    assert found["password"].secret
    assert info_of(plain).title == "number"
    assert default_of(plain) == 7
    assert default_of(attrs.fields(Example).count) == 3


def test_what_cannot_be_set_is_no_setting() -> None:
    """A number that the database gives and a value of another section are fields, but not among the settings."""

    @attrs.frozen
    class Mixed:
        id: int = given(0)
        force: bool = shared("mysql.force", default=True)
        count: int = setting(default=3, title="Count", help="How many.")

    assert [attribute.name for attribute, _ in fields_of(Mixed)] == ["count"]
    assert shared_of(Mixed) == {"force": "mysql.force"}
    assert Mixed() == Mixed(id=0, force=True, count=3)


@pytest.mark.parametrize("name", ["force", "mysql.", "MySQL.force", "mysql.force.more"])
def test_shared_value_names_a_setting(name: str) -> None:
    """A field that is taken from elsewhere says from which setting of which section."""
    with pytest.raises(ValueError, match="names no setting"):
        shared(name, default=None)


def test_nearest_name_is_offered() -> None:
    """A name that is close is offered, one that is not says nothing."""
    assert nearest("forse", ["force", "opt"]) == "did you mean force?"
    assert nearest("zzz", ["force", "opt"]) == ""
