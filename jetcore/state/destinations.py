"""The destinations that the user configured.

Listing them needs neither their plugins nor the master key; :func:`settings_of` needs both.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import attrs
from sqlalchemy import Connection, Row, delete, insert, select, update

from jetcore.errors import BadInputError
from jetcore.model import DestinationConfig
from jetcore.names import nearest
from jetcore.settings.convert import from_document, resealed, to_document
from jetcore.settings.secret import MasterKey
from jetcore.state import tables
from jetcore.state.server import require_key

_table = tables.destinations


def add(connection: Connection, config: DestinationConfig, key: MasterKey) -> None:
    """Add a destination. The first one, and one that says so, becomes the default.

    :param key: Seals the secrets among its settings.
    :raises BadInputError: There is one of that name or uuid.
    """
    for existing in all(connection):
        if existing.name == config.name:
            raise BadInputError(f"there is a destination {config.name!r} already", hint="choose another name")
        if existing.uuid == config.uuid:
            raise BadInputError(f"destination {config.uuid} has been added already, as {existing.name!r}")
    require_key(connection, key)
    first = connection.execute(select(_table.c.uuid)).first() is None
    document = {} if config.settings is None else to_document(config.settings, key, _context(config.uuid))
    connection.execute(
        insert(_table).values(
            uuid=config.uuid,
            name=config.name,
            type=config.type,
            settings=document,
            is_default=None,
            created=datetime.now(UTC),
        )
    )
    if first or config.default:
        set_default(connection, config.name)


def all(connection: Connection) -> list[DestinationConfig]:  # noqa: A001  # read as destinations.all()
    """Return the destinations sorted by name, without their settings."""
    return [_config(row) for row in connection.execute(select(_table).order_by(_table.c.name))]


def get(connection: Connection, name: str) -> DestinationConfig:
    """Return the destination called *name*, without its settings.

    :raises BadInputError: There is none of that name.
    """
    row = connection.execute(select(_table).where(_table.c.name == name)).first()
    if row is None:
        names = connection.execute(select(_table.c.name)).scalars()
        raise BadInputError(f"there is no destination {name!r}", hint=nearest(name, names))
    return _config(row)


def default(connection: Connection) -> DestinationConfig:
    """Return the destination that is used when none is named, without its settings.

    :raises BadInputError: No destination has been added yet.
    """
    row = connection.execute(select(_table).where(_table.c.is_default)).first()
    if row is None:
        raise BadInputError("there is no default destination", hint="run: jetcore destinations add")
    return _config(row)


def with_settings(
    connection: Connection, config: DestinationConfig, settings: type[Any] | None, key: MasterKey
) -> DestinationConfig:
    """Return *config* with its settings.

    :param settings: The attrs class that the destination's type names.
    :raises SettingsError: The stored settings do not fit the class.
    :raises MasterKeyError: A secret among them does not open with *key*.
    """
    if settings is None:
        return config
    document = connection.execute(select(_table.c.settings).where(_table.c.uuid == config.uuid)).scalar_one()
    place = f"destination {config.name}"
    return attrs.evolve(config, settings=from_document(settings, document, key, _context(config.uuid), place=place))


def set_default(connection: Connection, name: str) -> None:
    """Make *name* the destination that is used when none is named.

    :raises BadInputError: There is none of that name.
    """
    chosen = get(connection, name)
    # Two statements: uniqueness is checked row by row.
    connection.execute(update(_table).where(_table.c.is_default).values(is_default=None))
    connection.execute(update(_table).where(_table.c.uuid == chosen.uuid).values(is_default=True))


def remove(connection: Connection, name: str) -> None:
    """Forget a destination that nothing refers to; what is stored there stays.

    :raises BadInputError: There is none of that name, or restore points, repositories or jobs refer to it.
    """
    config = get(connection, name)
    for table, things in (
        (tables.points, "restore points"),
        (tables.repositories, "repositories"),
        (tables.job_destinations, "jobs"),
    ):
        if connection.execute(select(table.c.destination_uuid).where(table.c.destination_uuid == config.uuid)).first():
            raise BadInputError(f"destination {name!r} is in use: there are {things} that refer to it")
    connection.execute(delete(_table).where(_table.c.uuid == config.uuid))


def reseal(connection: Connection, old: MasterKey, new: MasterKey) -> None:
    """Seal the secrets of all destinations with another key.

    :raises MasterKeyError: A secret does not open with *old*.
    """
    for row in connection.execute(select(_table.c.uuid, _table.c.settings)).all():
        document = resealed(row.settings, old, new, _context(row.uuid))
        connection.execute(update(_table).where(_table.c.uuid == row.uuid).values(settings=document))


def _context(identity: str) -> str:
    return f"destinations:{identity}"


def _config(row: Row[tuple[object, ...]]) -> DestinationConfig:
    return DestinationConfig(name=row.name, type=row.type, uuid=row.uuid, default=row.is_default is True)
