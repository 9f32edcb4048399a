"""Column types that mean the same on both engines."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select, text
from sqlalchemy.exc import StatementError

from jetcore.errors import StateError
from jetcore.model import Level
from jetcore.state.types import Choice, Instant, Json, PathBytes, PlainText

table = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("moment", Instant),
    Column("words", PlainText),
    Column("path", PathBytes),
    Column("document", Json),
    Column("level", Choice(Level)),
)


def stored(connection: Connection, **values: object) -> object:
    """Return what comes out when one value went in."""
    table.create(connection, checkfirst=True)
    connection.execute(insert(table).values(**values))
    (name,) = values
    return connection.execute(select(table.c[name]).order_by(table.c.id.desc())).scalars().first()


def test_time_comes_out_aware_and_in_utc(connection: Connection) -> None:
    """A time of any zone comes out as the same moment in UTC, to the microsecond."""
    moment = datetime(2024, 3, 31, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))

    found = stored(connection, moment=moment)

    assert found == moment
    assert isinstance(found, datetime)
    assert found.tzinfo is UTC


def test_time_is_in_utc_whatever_the_session_says(connection: Connection) -> None:
    """A PostgreSQL session in another zone changes nothing."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET TIME ZONE 'Asia/Kathmandu'"))
    moment = datetime(2024, 1, 2, tzinfo=UTC)

    found = stored(connection, moment=moment)

    assert (found, getattr(found, "tzinfo", None)) == (moment, UTC)


def test_time_without_a_zone_is_refused(connection: Connection) -> None:
    """A naive time is a defect of the caller and not stored."""
    with pytest.raises(StatementError, match="without a time zone"):
        stored(connection, moment=datetime(2024, 1, 2))  # noqa: DTZ001  # what is tested


def test_times_are_ordered_and_compared_as_moments(connection: Connection) -> None:
    """A time without a fraction of a second sorts and compares among those with one."""
    table.create(connection)
    moments = [datetime(2024, 1, 1, 0, 0, 1, fraction, tzinfo=UTC) for fraction in (0, 1, 999_999)]
    for moment in reversed(moments):
        connection.execute(insert(table).values(moment=moment))

    assert list(connection.execute(select(table.c.moment).order_by(table.c.moment)).scalars()) == moments
    later = connection.execute(select(table.c.moment).where(table.c.moment > moments[0])).scalars()
    assert set(later) == set(moments[1:])


def test_text_that_is_none_is_escaped(connection: Connection) -> None:
    """A broken name in a message, or a NUL in it, is shown and never keeps the message from being stored."""
    assert stored(connection, words="Grüße\udcff\0\n") == "Grüße\\udcff\\x00\n"


def test_text_is_found_as_it_was_stored(connection: Connection) -> None:
    """A broken text is found again with itself."""
    stored(connection, words="a\udcff")

    assert connection.execute(select(table.c.id).where(table.c.words == "a\udcff")).scalars().all() == [1]


def test_path_keeps_its_bytes(connection: Connection) -> None:
    """A path that is no text comes out as it went in."""
    path = Path("/home/\udcff\udc80 ü")

    assert stored(connection, path=path) == path


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"a": [1, None, True, "ü\0"]}, {"a": [1, None, True, "ü\0"]}),
        (("one", "two"), ["one", "two"]),
        ({"\udcff": ["\udcff", 1]}, {"\\udcff": ["\\udcff", 1]}),
        ([], []),
        (None, None),
    ],
)
def test_document_keeps_its_values(connection: Connection, document: object, expected: object) -> None:
    """JSON values come out as they went in; lists for tuples, and broken texts escaped."""
    assert stored(connection, document=document) == expected


def test_document_that_is_no_json_is_named(connection: Connection) -> None:
    """A document that was edited by hand is our error and no traceback of the parser."""
    table.create(connection)
    connection.execute(text("INSERT INTO things (id, document) VALUES (1, '{oops')"))

    with pytest.raises(StateError, match="not JSON"):
        connection.execute(select(table.c.document)).scalars().all()


def test_word_is_stored_as_its_value(connection: Connection) -> None:
    """An enumeration's member comes out as itself, and stands in the database as its value."""
    assert stored(connection, level=Level.WARNING) is Level.WARNING
    assert connection.execute(text("SELECT level FROM things")).scalar_one() == "warning"
