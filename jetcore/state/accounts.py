"""Accounts that were ever seen, each with the uuid that it keeps for ever."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import attrs
from sqlalchemy import Connection, Row, insert, select, update

from jetcore.model import Account
from jetcore.state import tables

_FACTS = ("home", "uid", "gid", "owner", "package", "ip", "domains", "suspended", "extra")
_table = tables.accounts


def remember(connection: Connection, account: Account) -> Account:
    """Keep what the panel says of *account* and return it with its uuid.

    The panel's name and the account's name together say which account it is. A uuid that *account* brings along becomes
    its own if it is new here.
    """
    facts = {name: getattr(account, name) for name in _FACTS} | {"extra": dict(account.extra)}
    query = select(_table).where(_table.c.panel == account.panel, _table.c.name == account.name)
    row = connection.execute(query).first()
    if row is None:
        identity = account.uuid or str(uuid.uuid4())
        connection.execute(
            insert(_table).values(
                uuid=identity, panel=account.panel, name=account.name, created=datetime.now(UTC), **facts
            )
        )
        return attrs.evolve(account, uuid=identity)
    known = _account(row)
    if known != attrs.evolve(account, uuid=known.uuid):
        connection.execute(update(_table).where(_table.c.uuid == known.uuid).values(**facts))
    return attrs.evolve(account, uuid=known.uuid)


def find(connection: Connection, name: str) -> Account | None:
    """Return the account called *name* as it was last seen, or None. Of several panels' accounts, the newest."""
    query = select(_table).where(_table.c.name == name).order_by(_table.c.created.desc(), _table.c.uuid)
    row = connection.execute(query).first()
    return None if row is None else _account(row)


def known(connection: Connection) -> list[Account]:
    """Return all accounts that were ever seen, sorted by name."""
    return [_account(row) for row in connection.execute(select(_table).order_by(_table.c.name, _table.c.panel))]


def _account(row: Row[tuple[object, ...]]) -> Account:
    facts = {name: getattr(row, name) for name in _FACTS} | {"domains": tuple(row.domains)}
    return Account(name=row.name, panel=row.panel, uuid=row.uuid, **facts)
