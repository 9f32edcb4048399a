"""What was set for single accounts."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from jetcore.settings.convert import check
from jetcore.settings.overrides import AccountOverrides
from jetcore.state import priorities, tables

_table, _groups = tables.account_overrides, tables.priorities


def get(connection: Connection, account_uuid: str) -> AccountOverrides:
    """Return what was set for an account; nothing if nothing was."""
    query = (
        select(_table, _groups.c.name)
        .outerjoin(_groups, _groups.c.id == _table.c.priority_id)
        .where(_table.c.account_uuid == account_uuid)
    )
    row = connection.execute(query).first()
    if row is None:
        return AccountOverrides()
    return AccountOverrides(priority_group=row.name, on_demand_retain=row.on_demand_retain, tags=tuple(row.tags))


def set(  # noqa: A001  # read as overrides.set()
    connection: Connection, account_uuid: str, overrides: AccountOverrides
) -> AccountOverrides:
    """Keep *overrides* as all that is set for an account.

    :raises BadInputError: It names a priority group that does not exist.
    """
    check(overrides, place="account")
    name = overrides.priority_group
    number = None if name is None else priorities.number_of(connection, name)
    connection.execute(delete(_table).where(_table.c.account_uuid == account_uuid))
    if overrides != AccountOverrides():
        connection.execute(
            insert(_table).values(
                account_uuid=account_uuid,
                priority_id=number,
                on_demand_retain=overrides.on_demand_retain,
                tags=overrides.tags,
            )
        )
    return overrides
