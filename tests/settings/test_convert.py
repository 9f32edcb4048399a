"""Between settings objects and stored documents."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.errors import MasterKeyError, SettingsError
from jetcore.model import Secret
from jetcore.settings.convert import build, from_document, to_document
from jetcore.settings.field import setting
from jetcore.settings.secret import MasterKey

KEY = MasterKey(bytes(range(32)))


class Mode(enum.StrEnum):
    FAST = "fast"
    SAFE = "safe"


@attrs.frozen
class Example:
    name: str = setting(title="Name", help="Which.")
    enabled: bool = setting(default=False, title="Enabled", help="Whether.")
    count: int = setting(default=3, title="Count", help="How many.", unit="things", minimum=1, maximum=10)
    part: float = setting(default=0.5, title="Part", help="How much.")
    limit: int | None = setting(default=None, title="Limit", help="At most.")
    place: Path | None = setting(default=None, title="Place", help="Where.")
    names: tuple[str, ...] = setting(default=(), title="Names", help="Which ones.")
    numbers: tuple[int, ...] = setting(default=(), title="Numbers", help="Which ones.")
    mode: Mode = setting(default=Mode.SAFE, title="Mode", help="How.")
    password: Secret = setting(default=Secret(""), title="Password", help="Opens it.", secret=True)


FULL = Example(
    name="ü",
    enabled=True,
    count=7,
    part=2.0,
    limit=5,
    place=Path("/a b"),
    names=("x", "y"),
    numbers=(1, 2),
    mode=Mode.FAST,
    password=Secret("hunter2"),
)


@pytest.mark.parametrize("omit", [True, False])
@pytest.mark.parametrize("example", [FULL, Example(name="")])
def test_settings_come_back_from_their_document(example: Example, *, omit: bool) -> None:
    """A document, also as JSON, gives back equal settings, and their secret is not in it."""
    document = orjson.dumps(to_document(example, KEY, "example", omit_defaults=omit))

    assert from_document(Example, orjson.loads(document), KEY, "example", place="example") == example
    assert b"hunter2" not in document


def test_defaults_are_left_out_on_request() -> None:
    """A document without defaults holds what differs from them, and what has none."""
    assert to_document(Example(name="a", count=4), KEY, "example", omit_defaults=True) == {"name": "a", "count": 4}


def test_secret_opens_in_its_field_only() -> None:
    """A sealed secret is tied to the section and field that it was stored in."""
    document = to_document(FULL, KEY, "example")

    with pytest.raises(MasterKeyError, match=r"the secret other\.password"):
        from_document(Example, document, KEY, "other", place="other")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("name", 5, "must be a text"),
        ("name", None, "must be a text"),
        ("name", b"x", "must be a text"),
        ("name", "a\0b", "must not hold control characters"),
        ("name", "a\x1bb", "must not hold control characters"),
        ("name", "\udcff", "must be valid Unicode"),
        ("name", "x" * 10_000_000, "must not be longer than 100000 characters"),
        ("enabled", 1, "must be true or false"),
        ("enabled", "yes", "must be true or false"),
        ("enabled", None, "must be true or false"),
        ("count", "5", "must be a whole number"),
        ("count", True, "must be a whole number"),
        ("count", 5.0, "must be a whole number"),
        ("count", None, "must be a whole number"),
        ("count", 11, "must be 1 to 10 things"),
        ("count", 10**30, "must be 1 to 10 things"),
        ("part", "0.5", "must be a number"),
        ("part", True, "must be a number"),
        ("part", float("nan"), "must be a number"),
        ("part", float("inf"), "must be a number"),
        ("limit", "", "must be a whole number"),
        ("place", 5, "must be a text"),
        ("place", "/a\0", "must not hold control characters"),
        ("names", "xy", "must be a list"),
        ("names", {"x": 1}, "must be a list"),
        ("names", ["x", 5], "item 2 must be a text"),
        ("numbers", [1, True], "item 2 must be a whole number"),
        ("mode", "slow", "must be one of fast, safe"),
        ("mode", 5, "must be one of fast, safe"),
        ("password", 5, "must be a text"),
        ("nam", "x", "there is no such setting, did you mean name?"),
        ("zzz", "x", "there is no such setting"),
    ],
)
def test_value_of_another_type_is_refused(field: str, value: object, message: str) -> None:
    """No value is bent into a type or a limit: the error names section and field and says what is expected."""
    with pytest.raises(SettingsError) as raised:
        build(Example, {"name": "x"} | {field: value}, place="example")

    assert raised.value.message.startswith(f"example.{field}: {message}")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("count", 99, "must be 1 to 10 things (it is 99)"),
        ("count", "x", "must be a whole number, 1 to 10 things (it is 'x')"),
        ("count", True, "must be a whole number, 1 to 10 things (it is true)"),
        ("count", None, "must be a whole number, 1 to 10 things (it is nothing)"),
        ("count", 10**4000, "must be 1 to 10 things (it is a number of many digits)"),
        ("name", "a\x1bb", "must not hold control characters (it is 'a\\x1bb')"),
        ("name", "x" * 10_000_000, f"must not be longer than 100000 characters (it is '{'x' * 40}'… of 10000000 char"),
        ("names", {"x": 1}, "must be a list (it is a table of 1)"),
        ("place", ["x"], "must be a text (it is a list of 1)"),
        ("name", "jcs1:x", "must not begin with jcs1:"),
    ],
)
def test_error_shows_value_and_limits(field: str, value: object, message: str) -> None:
    """The value that is refused is shown, cut and with nothing that a terminal would obey, and so are the limits."""
    with pytest.raises(SettingsError) as raised:
        build(Example, {"name": "x"} | {field: value}, place="example")

    assert raised.value.message.startswith(f"example.{field}: {message}")
    assert len(raised.value.message) < 200


def test_all_faults_are_told_at_once() -> None:
    """Each fault has its line, whatever its kind, also the field that is missing."""
    with pytest.raises(SettingsError) as raised:
        build(Example, {"count": 0, "enabled": 1, "oops": 1}, place="example")

    assert raised.value.message.splitlines() == [
        "example.count: must be 1 to 10 things (it is 0)",
        "example.enabled: must be true or false (it is 1)",
        "example.oops: there is no such setting",
        "example.name: must be set",
    ]


def test_secret_is_in_no_error() -> None:
    """A secret that is refused is not shown."""
    with pytest.raises(SettingsError) as raised:
        build(Example, {"name": "x", "password": "hunter2\0"}, place="example")

    assert raised.value.message == "example.password: must not hold control characters"


def test_check_across_fields_names_the_section() -> None:
    """What a class finds wrong between its fields is told under the section's name."""

    @attrs.frozen
    class Range:
        low: int = setting(default=1, title="Low", help="From.")
        high: int = setting(default=2, title="High", help="To.")

        def __attrs_post_init__(self) -> None:
            if self.low > self.high:
                raise ValueError("low must not be above high")

    with pytest.raises(SettingsError, match=r"^range: low must not be above high$"):
        build(Range, {"low": 3}, place="range")


def test_secret_in_a_list_is_a_defect_of_the_class() -> None:
    """A class that would store a secret in clear fails loudly instead."""

    @attrs.frozen
    class Careless:
        secrets: tuple[Secret, ...] = setting(default=(), title="Secrets", help="Several.")

    with pytest.raises(TypeError, match="must be a field of its own"):
        to_document(Careless(secrets=(Secret("hunter2"),)), KEY, "careless")


@pytest.mark.parametrize("document", [[], "text", 5, None])
def test_document_that_is_no_table_is_refused(document: Any) -> None:
    """A row that was edited by hand into something else is our error."""
    with pytest.raises(SettingsError, match="not a table of settings"):
        from_document(Example, document, KEY, "example", place="example")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*attrs.fields_dict(Example), "other"]), JSON))
def test_any_document_is_taken_or_refused(document: dict[str, Any]) -> None:
    """Whatever JSON stands in a row, the answer is settings of the right types or an error of ours."""
    try:
        found = from_document(Example, document, KEY, "example", place="example")
    except (SettingsError, MasterKeyError):
        return
    assert isinstance(found.name, str)
    assert type(found.count) is int
    assert all(type(number) is int for number in found.numbers)
