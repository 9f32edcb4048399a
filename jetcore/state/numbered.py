"""Objects without a name, which are told apart by their numbers: restore conditions and file permission rules."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import attrs
from sqlalchemy import Connection, Row, Table, delete, insert, select, update

from jetcore.errors import BadInputError
from jetcore.settings.conditions import RestoreCondition
from jetcore.settings.convert import check
from jetcore.settings.file_permissions import FilePermissionRule
from jetcore.state import tables

Value = TypeVar("Value", bound=attrs.AttrsInstance)


class Numbered(Generic[Value]):
    """The objects in a table whose columns are the fields of their class."""

    def __init__(self, table: Table, kind: type[Value], what: str) -> None:
        self._table = table
        self._kind = kind
        self._what = what

    def add(self, connection: Connection, value: Value) -> Value:
        """Add an object and return it with its number."""
        check(value, place=self._what)
        added = connection.execute(insert(self._table).values(**_columns(value)))
        numbered: Value = _numbered(value, tables.new_number(added))
        return numbered

    def all(self, connection: Connection) -> list[Value]:
        """Return the objects in the order in which they were added."""
        return [self._value(row) for row in connection.execute(select(self._table).order_by(self._table.c.id))]

    def get(self, connection: Connection, number: int) -> Value:
        """Return the object of that number.

        :raises BadInputError: There is none.
        """
        row = connection.execute(select(self._table).where(self._table.c.id == number)).first()
        if row is None:
            raise BadInputError(f"there is no {self._what} {number}")
        return self._value(row)

    def replace(self, connection: Connection, number: int, value: Value) -> Value:
        """Put *value* in the place of the object of that number, which it takes over.

        :raises BadInputError: There is none.
        """
        self.get(connection, number)
        check(value, place=f"{self._what} {number}")
        connection.execute(update(self._table).where(self._table.c.id == number).values(**_columns(value)))
        numbered: Value = _numbered(value, number)
        return numbered

    def remove(self, connection: Connection, number: int) -> None:
        """Delete the object of that number.

        :raises BadInputError: There is none.
        """
        self.get(connection, number)
        connection.execute(delete(self._table).where(self._table.c.id == number))

    def _value(self, row: Row[Any]) -> Value:
        return self._kind(**row._mapping)  # noqa: SLF001  # SQLAlchemy's documented name


def _numbered(value: Any, number: int) -> Any:
    return attrs.evolve(value, id=number)


def _columns(value: attrs.AttrsInstance) -> dict[str, Any]:
    columns = attrs.asdict(value)
    del columns["id"]
    return columns


conditions = Numbered(tables.restore_conditions, RestoreCondition, "restore condition")
file_permissions = Numbered(tables.file_permissions, FilePermissionRule, "file permission rule")
