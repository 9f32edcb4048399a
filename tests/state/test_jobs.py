"""Backup jobs."""

from __future__ import annotations

import attrs
import pytest
from sqlalchemy import Connection

from jetcore.errors import BadInputError
from jetcore.model import Contains, DestinationConfig, Job
from jetcore.settings.secret import MasterKey
from jetcore.state import destinations, jobs

NIGHTLY = Job(
    name="nightly",
    contains=Contains.HOMEDIR | Contains.DATABASES,
    destinations=("far", "local"),
    accounts=("bob", "alice"),
    enabled=False,
)


@pytest.fixture(autouse=True)
def _places(connection: Connection, key: MasterKey) -> None:
    for name in ("local", "far"):
        destinations.add(connection, DestinationConfig(name=name, type="local", uuid=name), key)


def test_jobs_come_back_sorted_by_name(connection: Connection) -> None:
    """A job is read back equal, its destinations in their order; the list is in the order of the names."""
    jobs.add(connection, NIGHTLY)
    jobs.add(connection, Job(name="all"))

    assert jobs.get(connection, "nightly") == NIGHTLY
    assert jobs.all(connection) == [Job(name="all"), NIGHTLY]


def test_job_needs_a_free_name_and_real_destinations(connection: Connection) -> None:
    """A name that is taken and a destination that does not exist are refused, and nothing is added."""
    jobs.add(connection, NIGHTLY)

    with pytest.raises(BadInputError, match="a job 'nightly' already"):
        jobs.add(connection, NIGHTLY)
    with pytest.raises(BadInputError, match=r"no destination 'lokal'; did you mean local\?"):
        jobs.add(connection, Job(name="other", destinations=("lokal",)))

    assert jobs.all(connection) == [NIGHTLY]


def test_destination_is_named_once(connection: Connection) -> None:
    """A destination that is named twice counts once."""
    jobs.add(connection, attrs.evolve(NIGHTLY, destinations=("far", "local", "far")))

    assert jobs.get(connection, "nightly") == NIGHTLY


def test_job_can_be_replaced_and_removed(connection: Connection) -> None:
    """A job is replaced, also by one of another name, and removed; what does not exist is answered with near names."""
    jobs.add(connection, NIGHTLY)
    daily = attrs.evolve(NIGHTLY, name="daily", destinations=("local",))

    jobs.replace(connection, "nightly", daily)
    assert jobs.all(connection) == [daily]

    with pytest.raises(BadInputError, match=r"no job 'dayly'; did you mean daily\?"):
        jobs.remove(connection, "dayly")
    jobs.remove(connection, "daily")
    assert jobs.all(connection) == []
