"""Restore points and their parts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
import pytest
from sqlalchemy import Connection, Engine, event, func, select

from jetcore.errors import BadInputError, StateError
from jetcore.model import Contains, DestinationConfig, Outcome, Part, PartReport
from jetcore.settings.secret import MasterKey
from jetcore.state import accounts, destinations, points, tables


def test_point_comes_back_with_its_parts(connection: Connection, world: Any) -> None:
    """A point is read back equal: sizes beyond 32 bits, times to the microsecond, parts in their order."""
    point = world.point(1)
    points.add(connection, point)

    assert points.of_account(connection, world.account.uuid) == [point]
    assert points.get(connection, world.account.uuid, point.id) == point


def test_point_without_parts_comes_back(connection: Connection, world: Any) -> None:
    """A point may have no parts."""
    point = attrs.evolve(world.point(1), parts=())
    points.add(connection, point)

    assert points.of_account(connection, world.account.uuid) == [point]


def test_message_with_a_broken_name_is_stored(connection: Connection, world: Any) -> None:
    """A file name that is no text, in a message of a part, does not keep the point from being listed."""
    part = PartReport(
        part=Part(Contains.HOMEDIR), outcome=Outcome.PARTIAL, messages=("cannot read \udcff\0: Input/output error",)
    )
    points.add(connection, attrs.evolve(world.point(1), parts=(part,)))

    (found,) = points.of_account(connection, world.account.uuid)

    assert found.missing[0].startswith("homedir: cannot read \\udcff")


def test_points_are_listed_oldest_first(connection: Connection, world: Any) -> None:
    """The order is that of the times, not that of adding."""
    for number in (3, 1, 2):
        points.add(connection, world.point(number))

    assert points.of_account(connection, world.account.uuid) == [world.point(number) for number in (1, 2, 3)]
    assert points.latest(connection, world.account.uuid, destination="local") == world.point(3)


def test_points_of_others_are_not_listed(connection: Connection, world: Any, key: MasterKey, an_account: Any) -> None:
    """An account's points are its own, and those at one destination can be asked for."""
    bob = accounts.remember(connection, an_account("bob"))
    destinations.add(connection, DestinationConfig(name="far", type="local", uuid="d-2"), key)
    points.add(connection, world.point(1))
    at_far = attrs.evolve(world.point(1), destination="far")
    points.add(connection, at_far)

    assert points.of_account(connection, bob.uuid) == []
    assert points.of_account(connection, world.account.uuid, destination="far") == [at_far]
    assert points.latest(connection, bob.uuid, destination="far") is None


def test_id_is_taken_once_at_a_destination(connection: Connection, world: Any) -> None:
    """The same id is not listed twice at a destination."""
    points.add(connection, world.point(1))

    with pytest.raises(StateError, match="refused a change"), connection.begin_nested():
        points.add(connection, world.point(1))

    assert len(points.of_account(connection, world.account.uuid)) == 1


def test_point_of_an_unknown_account_is_refused(connection: Connection, world: Any) -> None:
    """A point needs an account that is known and a destination that exists."""
    with pytest.raises(StateError, match="refused a change"), connection.begin_nested():
        points.add(connection, attrs.evolve(world.point(1), account_uuid="nobody"))
    with pytest.raises(BadInputError, match="no destination 'nowhere'"):
        points.add(connection, attrs.evolve(world.point(1), destination="nowhere"))


def test_point_is_found_by_the_beginning_of_its_id(connection: Connection, world: Any) -> None:
    """So many digits are enough as tell it from the account's other points; none, or too few, is an error."""
    points.add(connection, world.point(0x1A))
    points.add(connection, world.point(0x1B))

    assert points.get(connection, world.account.uuid, "0000001a") == world.point(0x1A)
    with pytest.raises(BadInputError, match="2 restore points begin with '0000001'"):
        points.get(connection, world.account.uuid, "0000001")
    with pytest.raises(BadInputError, match="no restore point '0000001c'; did you mean 0000001"):
        points.get(connection, world.account.uuid, "0000001c")
    with pytest.raises(BadInputError, match="no restore point ''"):
        points.get(connection, world.account.uuid, "")


@pytest.mark.parametrize("pattern", ["%", "_", "0000000_", "\\"])
def test_id_is_no_pattern(connection: Connection, world: Any, pattern: str) -> None:
    """What means something to LIKE means nothing in an id."""
    points.add(connection, world.point(1))

    with pytest.raises(BadInputError, match="no restore point"):
        points.get(connection, world.account.uuid, pattern)


def test_removed_point_is_gone_with_its_parts(connection: Connection, world: Any) -> None:
    """Removing a point leaves no part of it behind; removing it again is an error."""
    points.add(connection, world.point(1))
    points.add(connection, world.point(2))

    points.remove(connection, world.point(1))

    assert points.of_account(connection, world.account.uuid) == [world.point(2)]
    assert connection.execute(select(func.count()).select_from(tables.point_parts)).scalar_one() == 2
    with pytest.raises(StateError, match="restore point 00000001 is not listed at destination 'local'"):
        points.remove(connection, world.point(1))


def test_many_points_take_few_queries(engine: Engine, connection: Connection, world: Any) -> None:
    """A thousand points with their parts are listed with a handful of statements."""
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(1100):
        points.add(connection, world.point(number, created=moment))
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))

    found = points.of_account(connection, world.account.uuid)

    assert found == [world.point(number, created=moment) for number in range(1100)]
    assert len(statements) == 4
