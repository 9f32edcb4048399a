"""Queue priority groups, and which of them an account is in."""

from __future__ import annotations

from typing import Any

import attrs
from sqlalchemy import Connection, Row, delete, insert, select, update

from jetcore.errors import BadInputError
from jetcore.names import nearest
from jetcore.settings.convert import check
from jetcore.settings.performance import Performance
from jetcore.settings.priorities import PriorityGroup
from jetcore.state import tables

_table, _overrides = tables.priorities, tables.account_overrides

#: Settings that name a group.
_NAMED_IN = {
    "directories_queue_priority": "performance.directories_queue_priority",
    "ondemand_queue_priority": "performance.ondemand_queue_priority",
}
_NAMES_SHOWN = 5


def add(connection: Connection, group: PriorityGroup) -> PriorityGroup:
    """Add a group, which becomes the default if it says so.

    :raises BadInputError: There is one of that name, or one of its tags belongs to another group.
    """
    _check(connection, group)
    connection.execute(insert(_table).values(**_columns(group)))
    if group.default:
        _set_default(connection, group.name)
    return group


def all(connection: Connection) -> list[PriorityGroup]:  # noqa: A001  # read as priorities.all()
    """Return the groups, the most urgent backups first."""
    query = select(_table).order_by(_table.c.backup, _table.c.name)
    return [_group(row) for row in connection.execute(query)]


def get(connection: Connection, name: str) -> PriorityGroup:
    """Return the group called *name*.

    :raises BadInputError: There is none of that name.
    """
    return _group(_row(connection, name))


def replace(connection: Connection, name: str, group: PriorityGroup) -> PriorityGroup:
    """Put *group* in the place of the one called *name*, which may change its name; its accounts stay in it.

    :raises BadInputError: There is none called *name*, *group* cannot be added, or no group would be the default.
    """
    row = _row(connection, name)
    _check(connection, group, instead_of=name)
    if row.is_default and not group.default:
        raise BadInputError(
            f"priority group {name!r} is the default and stays it", hint="make another group the default"
        )
    if group.name != name and (users := _settings_with(connection, name)):
        raise BadInputError(f"priority group {name!r} cannot be renamed: {', '.join(users)} names it")
    connection.execute(update(_table).where(_table.c.id == row.id).values(**_columns(group)))
    if group.default:
        _set_default(connection, group.name)
    return group


def remove(connection: Connection, name: str) -> None:
    """Delete the group called *name*.

    :raises BadInputError: There is none of that name, it is the default, or accounts or settings use it.
    """
    row = _row(connection, name)
    if row.is_default:
        raise BadInputError(f"priority group {name!r} is the default", hint="make another group the default first")
    query = (
        select(tables.accounts.c.name)
        .join(_overrides, _overrides.c.account_uuid == tables.accounts.c.uuid)
        .where(_overrides.c.priority_id == row.id)
        .order_by(tables.accounts.c.name)
    )
    users = [f"account {account}" for account in connection.execute(query).scalars()]
    users = _settings_with(connection, name) + users
    if users:
        more = f" and {len(users) - _NAMES_SHOWN} more" if len(users) > _NAMES_SHOWN else ""
        raise BadInputError(f"priority group {name!r} is in use by {', '.join(users[:_NAMES_SHOWN])}{more}")
    connection.execute(delete(_table).where(_table.c.id == row.id))


def number_of(connection: Connection, name: str) -> int:
    """Return the number by which other tables refer to the group called *name*.

    :raises BadInputError: There is none of that name.
    """
    return int(_row(connection, name).id)


def of_account(connection: Connection, account_uuid: str) -> PriorityGroup:
    """Return the group that an account is in: the one it was given, else that of its first tag, else the default."""
    given = connection.execute(select(_overrides).where(_overrides.c.account_uuid == account_uuid)).first()
    rows = connection.execute(select(_table)).all()
    if given is not None and given.priority_id is not None:
        return next(_group(row) for row in rows if row.id == given.priority_id)
    by_tag = {tag: row for row in rows for tag in row.tags}
    tags = [] if given is None else given.tags
    default = next(row for row in rows if row.is_default)
    return _group(next((by_tag[tag] for tag in tags if tag in by_tag), default))


def _check(connection: Connection, group: PriorityGroup, *, instead_of: str = "") -> None:
    check(group, place=f"priority group {group.name}")
    others = [other for other in all(connection) if other.name != instead_of]
    for other in others:
        if other.name == group.name:
            raise BadInputError(f"there is a priority group {group.name!r} already", hint="choose another name")
        for tag in group.tags:
            if tag in other.tags:
                raise BadInputError(f"the tag {tag!r} belongs to priority group {other.name!r} already")


def _set_default(connection: Connection, name: str) -> None:
    # Two statements: uniqueness is checked row by row.
    connection.execute(update(_table).where(_table.c.is_default).values(is_default=None))
    connection.execute(update(_table).where(_table.c.name == name).values(is_default=True))


def _settings_with(connection: Connection, name: str) -> list[str]:
    """Return the settings that name the group *name*."""
    query = select(tables.settings.c.document).where(tables.settings.c.section == "performance")
    document = connection.execute(query).scalar_one_or_none()
    stored = document if isinstance(document, dict) else {}
    return [
        setting
        for field, setting in _NAMED_IN.items()
        if stored.get(field, getattr(attrs.fields(Performance), field).default) == name
    ]


def _row(connection: Connection, name: str) -> Row[Any]:
    row = connection.execute(select(_table).where(_table.c.name == name)).first()
    if row is None:
        names = connection.execute(select(_table.c.name)).scalars()
        raise BadInputError(f"there is no priority group {name!r}", hint=nearest(name, names))
    return row


def _columns(group: PriorityGroup) -> dict[str, Any]:
    columns = attrs.asdict(group)
    del columns["default"]
    return columns


def _group(row: Row[Any]) -> PriorityGroup:
    return PriorityGroup(
        name=row.name,
        backup=row.backup,
        restore=row.restore,
        download=row.download,
        clone=row.clone,
        tags=tuple(row.tags),
        default=row.is_default is True,
    )
