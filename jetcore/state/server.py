"""Who this installation is, and whether the master key at hand is the one that sealed its secrets."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import Connection, insert, select, update

from jetcore.errors import MasterKeyError, StateError
from jetcore.model import Secret
from jetcore.settings.secret import MasterKey, sealed_with
from jetcore.state import tables

_CONTEXT = "server.key_check"


def register(connection: Connection, key: MasterKey) -> str:
    """Tie an empty database to *key* and give the installation its uuid; doing it again only checks the key.

    :returns: The uuid.
    :raises MasterKeyError: The database belongs to another key.
    """
    if not is_registered(connection):
        identity = str(uuid.uuid4())
        connection.execute(
            insert(tables.server).values(
                uuid=identity, key_check=key.seal(Secret(identity), _CONTEXT), created=datetime.now(UTC)
            )
        )
    return identify(connection, key)


def is_registered(connection: Connection) -> bool:
    """Say whether the database is tied to a master key already."""
    return connection.execute(select(tables.server.c.uuid)).first() is not None


def identify(connection: Connection, key: MasterKey) -> str:
    """Return the installation's uuid.

    :raises MasterKeyError: *key* is not the one that the database's secrets are sealed with.
    :raises StateError: The database has not been set up.
    """
    row = connection.execute(select(tables.server.c.uuid, tables.server.c.key_check)).first()
    if row is None:
        raise StateError("the state database has not been set up", hint="run: jetcore init")
    if key.unseal(row.key_check, _CONTEXT).reveal() != row.uuid:
        raise MasterKeyError("the proof of the master key in the state database was changed by hand")
    return str(row.uuid)


def lock(connection: Connection) -> None:
    """Keep everybody who seals something out until the end of the transaction, which has to be one that writes."""
    # On SQLite there is one writer at a time anyway.
    connection.execute(select(tables.server.c.uuid).with_for_update())


def reseal(connection: Connection, old: MasterKey, new: MasterKey) -> None:
    """Tie the database to another key.

    :raises MasterKeyError: It is not tied to *old*.
    """
    identity = identify(connection, old)
    connection.execute(update(tables.server).values(key_check=new.seal(Secret(identity), _CONTEXT)))


def require_key(connection: Connection, key: MasterKey) -> None:
    """Make sure, before something is sealed with *key*, that it still is the key of the database.

    Another process can have rotated the key since this one read it. Holds until the end of the transaction.

    :raises MasterKeyError: It is not.
    """
    # The lock keeps a rotation out until we have committed; on SQLite there is one writer at a time anyway.
    query = select(tables.server.c.key_check).with_for_update(read=True)
    sealed = connection.execute(query).scalar_one_or_none()
    if sealed is not None and sealed_with(sealed) != key.id:
        raise MasterKeyError(
            "the master key was changed by another process meanwhile", hint="start again, with the key of today"
        )
