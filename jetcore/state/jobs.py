"""Backup jobs: what is backed up, and where to."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from jetcore.errors import BadInputError
from jetcore.model import Contains, Job
from jetcore.names import nearest
from jetcore.state import destinations, tables

_jobs, _links = tables.jobs, tables.job_destinations


def add(connection: Connection, job: Job) -> None:
    """Add a job.

    :raises BadInputError: There is one of that name, or a destination that it names does not exist.
    """
    if connection.execute(select(_jobs.c.id).where(_jobs.c.name == job.name)).first():
        raise BadInputError(f"there is a job {job.name!r} already", hint="choose another name")
    places = [destinations.get(connection, name).uuid for name in dict.fromkeys(job.destinations)]
    added = connection.execute(
        insert(_jobs).values(
            name=job.name, contains=job.contains.value, accounts=list(job.accounts), enabled=job.enabled
        )
    )
    number = tables.new_number(added)
    if places:
        connection.execute(
            insert(_links),
            [
                {"job_id": number, "position": position, "destination_uuid": place}
                for position, place in enumerate(places)
            ],
        )


def all(connection: Connection) -> list[Job]:  # noqa: A001  # read as jobs.all()
    """Return the jobs sorted by name."""
    return [_job(connection, row) for row in connection.execute(select(_jobs).order_by(_jobs.c.name)).all()]


def get(connection: Connection, name: str) -> Job:
    """Return the job called *name*.

    :raises BadInputError: There is none of that name.
    """
    row = connection.execute(select(_jobs).where(_jobs.c.name == name)).first()
    if row is None:
        names = connection.execute(select(_jobs.c.name)).scalars()
        raise BadInputError(f"there is no job {name!r}", hint=nearest(name, names))
    return _job(connection, row)


def replace(connection: Connection, name: str, job: Job) -> None:
    """Put *job* in the place of the one called *name*, which may change its name.

    :raises BadInputError: There is none called *name*, or *job* cannot be added.
    """
    remove(connection, name)
    add(connection, job)


def remove(connection: Connection, name: str) -> None:
    """Delete the job called *name*.

    :raises BadInputError: There is none of that name.
    """
    get(connection, name)
    connection.execute(delete(_jobs).where(_jobs.c.name == name))


def _job(connection: Connection, row: Row[Any]) -> Job:
    names = connection.execute(
        select(tables.destinations.c.name)
        .join(_links, _links.c.destination_uuid == tables.destinations.c.uuid)
        .where(_links.c.job_id == row.id)
        .order_by(_links.c.position)
    ).scalars()
    return Job(
        name=row.name,
        contains=Contains(row.contains),
        destinations=tuple(names),
        accounts=tuple(row.accounts),
        enabled=row.enabled,
    )
