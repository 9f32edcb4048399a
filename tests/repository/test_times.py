"""Times as the format writes them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.repository.times import format_time, parse_time

DAY = 86_400 * 10**9


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, b"1970-01-01T00:00:00Z"),
        (1, b"1970-01-01T00:00:00.000000001Z"),
        (-1, b"1969-12-31T23:59:59.999999999Z"),
        (1_500_000_000, b"1970-01-01T00:00:01.5Z"),
        (1_709_210_096_120_000_000, b"2024-02-29T12:34:56.12Z"),
        (-11_676_096_000 * 10**9, b"1600-01-01T00:00:00Z"),
        (253_402_300_799_999_999_999, b"9999-12-31T23:59:59.999999999Z"),
        (-62_167_219_200 * 10**9, b"0000-01-01T00:00:00Z"),
    ],
)
def test_known_times(ns, text):
    """Times are UTC with nanoseconds, without zeros at their end; before 1970 too."""
    assert format_time(ns) == text
    assert parse_time(text.decode()) == ns


@given(st.integers(-62_135_596_800 * 10**9, 253_402_300_799 * 10**9))
def test_as_datetime_does(ns):
    """Where datetime can do it as well, both agree; and every time comes back."""
    text = format_time(ns).decode()
    seconds = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=ns // 10**9)

    assert text[:19] == f"{seconds.year:04d}-{seconds:%m-%dT%H:%M:%S}"
    assert parse_time(text) == ns


@given(st.integers(-(2**63) * 10**9, 2**63 * 10**9))
def test_any_time_of_a_file_system_has_a_form(ns):
    """Any number of seconds that fits into 64 bits is written as a time that restic can read."""
    text = format_time(ns).decode()

    assert len(text.split("-")[0]) == 4
    parse_time(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (253_402_300_800 * 10**9, b"9999-01-01T00:00:00Z"),
        (-62_167_219_201 * 10**9, b"0000-12-31T23:59:59Z"),
        (253_402_300_800 * 10**9 + (31 + 28) * DAY, b"9999-03-01T00:00:00Z"),
    ],
)
def test_years_out_of_range(ns, text):
    """Years that the format cannot say become the nearest, the rest of the date stays; a leap day moves on."""
    assert format_time(ns) == text


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("2015-01-02T18:10:50.895208559+01:00", 1_420_218_650_895_208_559),
        ("1970-01-01T00:00:00-05:30", 19_800 * 10**9),
        ("1969-12-31T23:00:00.000000001-01:00", 1),
    ],
)
def test_offsets(text, ns):
    """Times with an offset, as restic writes them, are read."""
    assert parse_time(text) == ns


@pytest.mark.parametrize(
    "text", ["", "2015-01-02", "2015-13-02T18:10:50Z", "2015-01-02T25:10:50Z", "x2015-01-02T18:10:50Z"]
)
def test_nonsense(text):
    """What is no time is refused."""
    with pytest.raises(ValueError, match="RFC 3339"):
        parse_time(text)
