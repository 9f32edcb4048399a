"""Restore points and their parts: a point is added once it is on stable storage, and removed before it is deleted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select

from jetcore.errors import BadInputError, StateError
from jetcore.model import Contains, Part, PartReport, RestorePoint
from jetcore.names import nearest
from jetcore.state import destinations, tables

_points, _parts = tables.points, tables.point_parts

#: Parameters that one statement is given at most; SQLite's own limit was 999 for long.
_BATCH = 500


def add(connection: Connection, point: RestorePoint) -> None:
    """List *point* with all its parts.

    :raises BadInputError: There is no such destination.
    :raises StateError: The account is unknown, or the destination has a point with that id.
    """
    added = connection.execute(
        insert(_points).values(
            id=point.id,
            account_uuid=point.account_uuid,
            destination_uuid=destinations.get(connection, point.destination).uuid,
            created=point.created,
            outcome=point.outcome,
            files=point.files,
            bytes=point.bytes,
            added_bytes=point.added_bytes,
        )
    )
    number = tables.new_number(added)
    if point.parts:
        connection.execute(
            insert(_parts),
            [
                {
                    "point_number": number,
                    "position": position,
                    "kind": report.part.kind.value,
                    "name": report.part.name,
                    "engine": report.part.engine,
                    "outcome": report.outcome,
                    "path": report.path,
                    "files": report.files,
                    "bytes": report.bytes,
                    "messages": report.messages,
                }
                for position, report in enumerate(point.parts)
            ],
        )


def of_account(connection: Connection, account_uuid: str, *, destination: str = "") -> list[RestorePoint]:
    """Return the points of an account, oldest first.

    :param destination: Name of a destination, to get only the points there.
    """
    query = _query().where(_points.c.account_uuid == account_uuid).order_by(_points.c.created, _points.c.number)
    if destination:
        query = query.where(tables.destinations.c.name == destination)
    return _load(connection, query)


def latest(connection: Connection, account_uuid: str, *, destination: str) -> RestorePoint | None:
    """Return the newest point of an account at a destination, or None."""
    query = (
        _query()
        .where(_points.c.account_uuid == account_uuid, tables.destinations.c.name == destination)
        .order_by(_points.c.created.desc(), _points.c.number.desc())
        .limit(1)
    )
    return next(iter(_load(connection, query)), None)


def get(connection: Connection, account_uuid: str, point: str) -> RestorePoint:
    """Return the point of an account whose id is, or begins with, *point*.

    :raises BadInputError: There is none, or several begin so.
    """
    query = _query().where(_points.c.account_uuid == account_uuid)
    found = _load(connection, query.where(_points.c.id.startswith(point, autoescape=True))) if point else []
    if len(found) == 1:
        return found[0]
    if found:
        raise BadInputError(f"{len(found)} restore points begin with {point!r}", hint="give more digits of the id")
    ids = connection.execute(select(_points.c.id).where(_points.c.account_uuid == account_uuid)).scalars()
    raise BadInputError(f"there is no restore point {point!r}", hint=nearest(point, [identity[:8] for identity in ids]))


def remove(connection: Connection, point: RestorePoint) -> None:
    """Take *point* off the list, before what it consists of is deleted.

    :raises StateError: It is not listed.
    """
    here = destinations.get(connection, point.destination).uuid
    removed = connection.execute(
        delete(_points).where(_points.c.destination_uuid == here, _points.c.id == point.id)
    ).rowcount
    if removed == 0:
        raise StateError(f"restore point {point.id[:8]} is not listed at destination {point.destination!r}")


def _query() -> Select[Any]:
    return (
        select(_points, tables.accounts.c.name.label("account"), tables.destinations.c.name.label("destination"))
        .join(tables.accounts, tables.accounts.c.uuid == _points.c.account_uuid)
        .join(tables.destinations, tables.destinations.c.uuid == _points.c.destination_uuid)
    )


def _load(connection: Connection, query: Select[Any]) -> list[RestorePoint]:
    rows = connection.execute(query).all()
    parts = _load_parts(connection, [row.number for row in rows])
    return [
        RestorePoint(
            id=row.id,
            account=row.account,
            account_uuid=row.account_uuid,
            destination=row.destination,
            created=row.created,
            outcome=row.outcome,
            parts=tuple(parts[row.number]),
            files=row.files,
            bytes=row.bytes,
            added_bytes=row.added_bytes,
        )
        for row in rows
    ]


def _load_parts(connection: Connection, numbers: Sequence[int]) -> defaultdict[int, list[PartReport]]:
    found: defaultdict[int, list[PartReport]] = defaultdict(list)
    for start in range(0, len(numbers), _BATCH):
        query = select(_parts).where(_parts.c.point_number.in_(numbers[start : start + _BATCH]))
        for row in connection.execute(query.order_by(_parts.c.point_number, _parts.c.position)):
            found[row.point_number].append(
                PartReport(
                    part=Part(Contains(row.kind), row.name, row.engine),
                    outcome=row.outcome,
                    path=row.path,
                    files=row.files,
                    bytes=row.bytes,
                    messages=tuple(row.messages),
                )
            )
    return found
