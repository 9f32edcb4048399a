"""Notification integrations that the user configured.

Listing them needs neither their plugins nor the master key; :func:`with_settings` needs both.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import attrs
from sqlalchemy import Connection, Row, delete, insert, select, update

from jetcore.errors import BadInputError
from jetcore.names import nearest
from jetcore.settings.convert import check, from_document, resealed, to_document
from jetcore.settings.field import fields_of
from jetcore.settings.notifications import Integration
from jetcore.settings.secret import MasterKey
from jetcore.state import tables
from jetcore.state.server import require_key

_table = tables.integrations


def add(connection: Connection, integration: Integration, key: MasterKey) -> Integration:
    """Add an integration and return it with its uuid.

    :param key: Seals the secrets among its settings.
    :raises BadInputError: There is one of that name.
    """
    integration = attrs.evolve(integration, uuid=integration.uuid or str(uuid.uuid4()))
    _check(connection, integration)
    row = _columns(connection, integration, key)
    connection.execute(insert(_table).values(uuid=integration.uuid, created=datetime.now(UTC), **row))
    return integration


def all(connection: Connection) -> list[Integration]:  # noqa: A001  # read as integrations.all()
    """Return the integrations sorted by name, without their settings."""
    return [_integration(row) for row in connection.execute(select(_table).order_by(_table.c.name))]


def get(connection: Connection, name: str) -> Integration:
    """Return the integration called *name*, without its settings.

    :raises BadInputError: There is none of that name.
    """
    row = connection.execute(select(_table).where(_table.c.name == name)).first()
    if row is None:
        names = connection.execute(select(_table.c.name)).scalars()
        raise BadInputError(f"there is no notification integration {name!r}", hint=nearest(name, names))
    return _integration(row)


def with_settings(
    connection: Connection, integration: Integration, settings: type[Any] | None, key: MasterKey
) -> Integration:
    """Return *integration* with its settings.

    :param settings: The attrs class that its type names.
    :raises SettingsError: The stored settings do not fit the class.
    :raises MasterKeyError: A secret among them does not open with *key*.
    """
    if settings is None:
        return integration
    query = select(_table.c.settings).where(_table.c.uuid == integration.uuid)
    document = connection.execute(query).scalar_one()
    place = f"integration {integration.name}"
    loaded = from_document(settings, document, key, _context(integration.uuid), place=place)
    return attrs.evolve(integration, settings=loaded)


def replace(connection: Connection, name: str, integration: Integration, key: MasterKey) -> Integration:
    """Put *integration*, with its settings, in the place of the one called *name*.

    :raises BadInputError: There is none called *name*, or another one has the new name.
    """
    integration = attrs.evolve(integration, uuid=get(connection, name).uuid)
    _check(connection, integration)
    row = _columns(connection, integration, key)
    connection.execute(update(_table).where(_table.c.uuid == integration.uuid).values(**row))
    return integration


def remove(connection: Connection, name: str) -> None:
    """Delete the integration called *name*.

    :raises BadInputError: There is none of that name.
    """
    connection.execute(delete(_table).where(_table.c.uuid == get(connection, name).uuid))


def _check(connection: Connection, integration: Integration) -> None:
    check(integration, place=f"integration {integration.name}")
    if any(other.name == integration.name and other.uuid != integration.uuid for other in all(connection)):
        raise BadInputError(
            f"there is a notification integration {integration.name!r} already", hint="choose another name"
        )


def _columns(connection: Connection, integration: Integration, key: MasterKey) -> dict[str, Any]:
    require_key(connection, key)
    columns = {attribute.name: getattr(integration, attribute.name) for attribute, _ in fields_of(Integration)}
    settings = integration.settings
    document = {} if settings is None else to_document(settings, key, _context(integration.uuid))
    return columns | {"settings": document}


def reseal(connection: Connection, old: MasterKey, new: MasterKey) -> None:
    """Seal the secrets of all integrations with another key.

    :raises MasterKeyError: A secret does not open with *old*.
    """
    for row in connection.execute(select(_table.c.uuid, _table.c.settings)).all():
        document = resealed(row.settings, old, new, _context(row.uuid))
        connection.execute(update(_table).where(_table.c.uuid == row.uuid).values(settings=document))


def _context(identity: str) -> str:
    return f"integrations:{identity}"


def _integration(row: Row[Any]) -> Integration:
    columns = {attribute.name: getattr(row, attribute.name) for attribute, _ in fields_of(Integration)}
    return Integration(uuid=row.uuid, **columns)
