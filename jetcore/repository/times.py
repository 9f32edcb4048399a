"""Times as the format writes them: RFC 3339 with nanoseconds, from and to nanoseconds since 1970."""

from __future__ import annotations

import functools
import re

_NS = 1_000_000_000
_DAY = 86_400
_SECONDS = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)", re.ASCII)
_REST = re.compile(r"(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII)
#: Days from the first of March of year 0 to 1970.
_TO_1970 = 719_468
#: Days of 400 years, after which the calendar repeats.
_ERA = 146_097


def format_time(ns: int) -> bytes:
    """Return *ns* nanoseconds since 1970 in UTC; years outside 0 to 9999 are set to those, as restic does."""
    seconds, fraction = divmod(ns, _NS)
    if fraction:
        return b"%b.%bZ" % (_seconds(seconds), (b"%09d" % fraction).rstrip(b"0"))
    return _seconds(seconds) + b"Z"


@functools.lru_cache(maxsize=8192)
def _seconds(seconds: int) -> bytes:
    # Cached, because the files of one upload or one release share their seconds.
    days, rest = divmod(seconds, _DAY)
    hours, rest = divmod(rest, 3600)
    return b"%bT%02d:%02d:%02d" % (_date(days), hours, *divmod(rest, 60))


@functools.lru_cache(maxsize=4096)
def _date(days: int) -> bytes:
    year, month, day = _civil(days)
    if year < 0 or year > 9999:
        year = 0 if year < 0 else 9999
        if (month, day) == (2, 29) and year == 9999:  # not a leap year
            month, day = 3, 1
    return b"%04d-%02d-%02d" % (year, month, day)


def _civil(days: int) -> tuple[int, int, int]:
    # Arithmetic of the Gregorian calendar with years that begin in March, so that leap days come last. datetime cannot
    # do it: file systems keep times outside of its years 1 to 9999.
    era, day = divmod(days + _TO_1970, _ERA)
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    day -= 365 * year + year // 4 - year // 100
    month = (5 * day + 2) // 153
    day -= (153 * month + 2) // 5
    month = month + 3 if month < 10 else month - 9
    return era * 400 + year + (month <= 2), month, day + 1


def _days(year: int, month: int, day: int) -> int:
    year -= month <= 2
    era, year = divmod(year, 400)
    month = month - 3 if month > 2 else month + 9
    return era * _ERA + 365 * year + year // 4 - year // 100 + (153 * month + 2) // 5 + day - 1 - _TO_1970


def parse_time(text: str) -> int:
    """Return the nanoseconds since 1970 of a time with any offset.

    :raises ValueError: It is not a time of RFC 3339.
    """
    seconds = _parse_seconds(text[:19])
    rest = _REST.fullmatch(text, 19)
    if rest is None:
        raise ValueError(f"{text!r} is not a time of RFC 3339")
    fraction, sign, hours, minutes = rest.groups()
    if sign:
        offset = int(hours) * 3600 + int(minutes) * 60
        seconds += offset if sign == "-" else -offset
    return seconds * _NS + (int(fraction.ljust(9, "0")) if fraction else 0)


@functools.lru_cache(maxsize=8192)
def _parse_seconds(text: str) -> int:
    match = _SECONDS.fullmatch(text)
    if match is not None:
        year, month, day, hours, minutes, seconds = map(int, match.groups())
        if 1 <= month <= 12 and 1 <= day <= 31 and hours <= 23 and minutes <= 59 and seconds <= 59:
            return _days(year, month, day) * _DAY + hours * 3600 + minutes * 60 + seconds
    raise ValueError(f"{text!r} is not a time of RFC 3339")
