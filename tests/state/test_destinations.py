"""The destinations that the user configured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
import pytest
from sqlalchemy import Connection, select, update

from jetcore.errors import BadInputError, MasterKeyError, SettingsError, StateError
from jetcore.model import DestinationConfig, Job, Secret
from jetcore.settings.field import setting
from jetcore.settings.secret import MasterKey
from jetcore.state import destinations, jobs, points, tables


@attrs.frozen
class Settings:
    path: Path = setting(title="Path", help="Where.")
    password: Secret = setting(default=Secret(""), title="Password", help="What opens it.", secret=True)
    port: int = setting(default=22, title="Port", help="Which.", minimum=1, maximum=65535)


def config(name: str, **changes: object) -> DestinationConfig:
    facts: dict[str, Any] = {"type": "local", "uuid": f"uuid-{name}"} | changes
    return DestinationConfig(name=name, **facts)


def test_settings_come_back_with_their_secrets(connection: Connection, key: MasterKey) -> None:
    """A destination's settings are read back equal, and the secret is nowhere in the table."""
    settings = Settings(path=Path("/backup"), password=Secret("hunter2"), port=2222)
    destinations.add(connection, config("far", settings=settings), key)

    found = destinations.with_settings(connection, destinations.get(connection, "far"), Settings, key)

    assert found.settings == settings
    assert "hunter2" not in str(connection.execute(select(tables.destinations)).all())


def test_listing_needs_no_settings(connection: Connection, key: MasterKey) -> None:
    """The list is sorted by name and comes without settings, so a missing plugin is no obstacle."""
    destinations.add(connection, config("b", settings=Settings(path=Path("/b"))), key)
    destinations.add(connection, config("a"), key)

    assert destinations.all(connection) == [config("a"), config("b", default=True)]


def test_destination_without_settings_has_none(connection: Connection, key: MasterKey) -> None:
    """A type with nothing to configure gets None."""
    destinations.add(connection, config("a"), key)

    assert destinations.with_settings(connection, destinations.get(connection, "a"), None, key).settings is None


def test_settings_that_do_not_fit_name_the_destination(connection: Connection, key: MasterKey) -> None:
    """Stored settings that the type no longer takes are named with destination and field."""
    destinations.add(connection, config("far", settings=Settings(path=Path("/b"))), key)
    connection.execute(update(tables.destinations).values(settings={"path": "/b", "port": "22"}))

    with pytest.raises(SettingsError, match=r"destination far\.port: must be a whole number"):
        destinations.with_settings(connection, destinations.get(connection, "far"), Settings, key)


def test_secret_opens_at_its_destination_only(connection: Connection, key: MasterKey) -> None:
    """A sealed secret that is copied to another destination's row does not open there."""
    destinations.add(connection, config("a", settings=Settings(path=Path("/a"), password=Secret("hunter2"))), key)
    destinations.add(connection, config("b", settings=Settings(path=Path("/b"))), key)
    stolen = connection.execute(select(tables.destinations.c.settings).where(tables.destinations.c.name == "a"))
    connection.execute(update(tables.destinations).values(settings=stolen.scalar_one()))

    with pytest.raises(MasterKeyError, match="copied there from elsewhere"):
        destinations.with_settings(connection, destinations.get(connection, "b"), Settings, key)


def test_first_destination_is_the_default(connection: Connection, key: MasterKey) -> None:
    """The default is the first one, until another is added as default or made it."""
    destinations.add(connection, config("a"), key)
    destinations.add(connection, config("b"), key)
    assert destinations.default(connection).name == "a"

    destinations.add(connection, config("c", default=True), key)
    assert destinations.default(connection).name == "c"

    destinations.set_default(connection, "b")
    assert [found.name for found in destinations.all(connection) if found.default] == ["b"]


def test_there_is_never_a_second_default(connection: Connection, key: MasterKey) -> None:
    """The database itself refuses a second default, and what would allow one."""
    destinations.add(connection, config("a"), key)
    destinations.add(connection, config("b"), key)

    for value in (True, False):
        with pytest.raises(StateError, match="refused a change"), connection.begin_nested():
            connection.execute(update(tables.destinations).values(is_default=value))


def test_without_destinations_there_is_no_default(connection: Connection) -> None:
    """Before the first destination the default is an error that says how to add one."""
    with pytest.raises(BadInputError, match="run: jetcore destinations add"):
        destinations.default(connection)


def test_unknown_name_is_answered_with_near_ones(connection: Connection, key: MasterKey) -> None:
    """A name that does not exist is named together with the one that was probably meant."""
    destinations.add(connection, config("offsite"), key)

    with pytest.raises(BadInputError, match=r"no destination 'ofsite'; did you mean offsite\?"):
        destinations.get(connection, "ofsite")


@pytest.mark.parametrize("again", [config("a", uuid="other"), config("other", uuid="uuid-a")])
def test_name_and_uuid_are_taken_once(connection: Connection, key: MasterKey, again: DestinationConfig) -> None:
    """Neither a second destination of the name nor the same destination under another name is added."""
    destinations.add(connection, config("a"), key)

    with pytest.raises(BadInputError, match="already"):
        destinations.add(connection, again, key)

    assert len(destinations.all(connection)) == 1


def test_destination_in_use_stays(connection: Connection, key: MasterKey, world: Any) -> None:
    """A destination that restore points, repositories or jobs refer to is not removed; the error says which."""
    points.add(connection, world.point(1))
    with pytest.raises(BadInputError, match="restore points"):
        destinations.remove(connection, "local")

    points.remove(connection, world.point(1))
    jobs.add(connection, Job(name="nightly", destinations=("local",)))
    with pytest.raises(BadInputError, match="jobs"):
        destinations.remove(connection, "local")

    jobs.remove(connection, "nightly")
    destinations.remove(connection, "local")
    assert destinations.all(connection) == []
