"""What every command shares."""

from __future__ import annotations

import pytest

from jetcore.cli.session import printable, size_text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("plain Ünïcode", "plain Ünïcode", id="letters stay"),
        pytest.param("a\x1b[31mb", "a\\x1b[31mb", id="terminal codes"),
        pytest.param("a\tb\rc", "a\\tb\\rc", id="white space that moves the cursor"),
        pytest.param("\udcff", "\\xff", id="bytes that are no UTF-8"),
        pytest.param("a\u202eb", "a\\u202eb", id="direction overrides"),
    ],
)
def test_nothing_printed_is_obeyed_by_a_terminal(text: str, shown: str) -> None:
    """Control characters and broken Unicode of account data are escaped."""
    assert printable(text) == shown


@pytest.mark.parametrize(("size", "shown"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB")])
def test_sizes_are_shown_in_decimal_units(size: int, shown: str) -> None:
    """Sizes use the units that disks are sold in."""
    assert size_text(size) == shown
