"""The repository of each account at each destination, with its sealed password."""

from __future__ import annotations

from datetime import UTC, datetime

import attrs
from sqlalchemy import Connection, insert, select, update

from jetcore.errors import StateError
from jetcore.model import Secret
from jetcore.settings.secret import MasterKey
from jetcore.state import tables
from jetcore.state.server import require_key

_table = tables.repositories


@attrs.frozen(kw_only=True)
class RepositoryRecord:
    """Where an account's repository is at a destination, and what opens it."""

    account_uuid: str
    destination_uuid: str
    #: Folder at the destination, ending in ``/``.
    prefix: str
    password: Secret
    #: The repository's master keys as text, which open it without deriving a key from the password; None while unknown.
    keys: Secret | None = None


def add(connection: Connection, record: RepositoryRecord, key: MasterKey) -> None:
    """Keep *record*, its secrets sealed with *key*.

    :raises StateError: There is one for the account and destination, or for the prefix.
    """
    require_key(connection, key)
    connection.execute(
        insert(_table).values(
            account_uuid=record.account_uuid,
            destination_uuid=record.destination_uuid,
            prefix=record.prefix,
            password=key.seal(record.password, _context("password", record.account_uuid, record.destination_uuid)),
            keys=_sealed_keys(record, key),
            created=datetime.now(UTC),
        )
    )


def get(connection: Connection, account_uuid: str, destination_uuid: str, key: MasterKey) -> RepositoryRecord | None:
    """Return the account's repository at the destination, or None if it has none there yet.

    :raises MasterKeyError: Its secrets do not open with *key*.
    """
    query = select(_table).where(_table.c.account_uuid == account_uuid, _table.c.destination_uuid == destination_uuid)
    row = connection.execute(query).first()
    if row is None:
        return None
    return RepositoryRecord(
        account_uuid=account_uuid,
        destination_uuid=destination_uuid,
        prefix=row.prefix,
        password=key.unseal(row.password, _context("password", account_uuid, destination_uuid)),
        keys=None if row.keys is None else key.unseal(row.keys, _context("keys", account_uuid, destination_uuid)),
    )


def change_secrets(connection: Connection, record: RepositoryRecord, key: MasterKey) -> None:
    """Replace the stored password and keys by those of *record*.

    :raises StateError: There is no such repository.
    """
    require_key(connection, key)
    changed = connection.execute(
        update(_table)
        .where(_table.c.account_uuid == record.account_uuid, _table.c.destination_uuid == record.destination_uuid)
        .values(
            password=key.seal(record.password, _context("password", record.account_uuid, record.destination_uuid)),
            keys=_sealed_keys(record, key),
        )
    )
    if changed.rowcount == 0:
        raise StateError(f"account {record.account_uuid} has no repository at destination {record.destination_uuid}")


def reseal(connection: Connection, old: MasterKey, new: MasterKey) -> None:
    """Seal the secrets of all repositories with another key.

    :raises MasterKeyError: A secret does not open with *old*.
    """
    for row in connection.execute(select(_table)).all():
        columns = {
            column: new.seal(old.unseal(sealed, context), context)
            for column, sealed in (("password", row.password), ("keys", row.keys))
            if sealed is not None
            for context in [_context(column, row.account_uuid, row.destination_uuid)]
        }
        connection.execute(
            update(_table)
            .where(_table.c.account_uuid == row.account_uuid, _table.c.destination_uuid == row.destination_uuid)
            .values(**columns)
        )


def _sealed_keys(record: RepositoryRecord, key: MasterKey) -> str | None:
    if record.keys is None:
        return None
    return key.seal(record.keys, _context("keys", record.account_uuid, record.destination_uuid))


def _context(column: str, account_uuid: str, destination_uuid: str) -> str:
    return f"repositories.{column}:{account_uuid}:{destination_uuid}"
