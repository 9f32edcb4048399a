"""Settings as TOML."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.errors import MasterKeyError, SettingsError
from jetcore.model import Secret
from jetcore.settings.convert import to_document
from jetcore.settings.field import setting
from jetcore.settings.secret import MasterKey
from jetcore.settings.transfer import exported, imported, read_toml, to_toml

KEY = MasterKey(bytes(range(32)))
#: Everything that a setting's text can hold.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"))
VALUES = (
    TEXTS
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.lists(TEXTS, max_size=3)
)


@attrs.frozen
class Example:
    name: str = setting(default="", title="Name", help="Which.")
    limit: int | None = setting(default=None, title="Limit", help="At most.")
    place: Path | None = setting(default=None, title="Place", help="Where.")
    password: Secret = setting(default=Secret(""), title="Password", help="Opens it.", secret=True)


@given(st.dictionaries(TEXTS, st.dictionaries(TEXTS, VALUES, max_size=4), max_size=3))
def test_any_document_is_read_as_it_was_written(documents: dict[str, dict[str, Any]]) -> None:
    """Whatever the values and names are, TOML gives back the same ones."""
    text = to_toml(documents)

    assert tomllib.loads(text) == documents
    assert read_toml(text.encode(), limit=10**6) == documents


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"[a\n", "not valid TOML"),
        (b"\xff", "not valid TOML"),
        (b"a = " + b"[" * 10_000, "not valid TOML"),
        (b"a = 1\nb = 2\n", "a: stands outside of a section\nb: stands outside of a section"),
        (b"#" * 11_000, "larger than 10100 bytes"),
    ],
)
def test_file_that_is_none_is_refused(data: bytes, said: str) -> None:
    """What cannot be read, or is too large to be meant, is an error of ours."""
    with pytest.raises(SettingsError) as raised:
        read_toml(data, limit=10_100)

    assert said in raised.value.message


def test_nothing_and_secrets_go_both_ways() -> None:
    """What is not set is an empty text in the file, and a secret is sealed in it or left out."""
    document = to_document(Example(password=Secret("hunter2")), KEY, "example")

    sealed = exported(Example, document, sealed=True)

    assert (sealed["limit"], sealed["place"]) == ("", "")
    assert imported(Example, sealed, KEY, "example") == {
        "name": "",
        "limit": None,
        "place": None,
        "password": Secret("hunter2"),
    }
    assert "password" not in exported(Example, document, sealed=False)


def test_secret_may_stand_in_clear_but_not_be_sealed_for_others() -> None:
    """A file that a program makes from its own vault is taken; what another installation sealed is not."""
    assert imported(Example, {"password": "hunter2"}, KEY, "example") == {"password": "hunter2"}

    stranger = MasterKey.generate().seal(Secret("hunter2"), "example.password")
    with pytest.raises(MasterKeyError):
        imported(Example, {"password": stranger}, KEY, "example")
