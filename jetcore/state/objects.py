"""The objects of one kind, for who has no transaction of their own: each call is one."""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

import attrs
from sqlalchemy import Connection, Engine

from jetcore.state.engine import reading, writing

Value = TypeVar("Value", bound=attrs.AttrsInstance)
#: A name, or a number.
Key_contra = TypeVar("Key_contra", contravariant=True)


class Noun(Protocol[Value, Key_contra]):
    """What a noun module offers, such as :mod:`jetcore.state.priorities`."""

    def add(self, connection: Connection, value: Value, /) -> Value: ...

    def all(self, connection: Connection, /) -> list[Value]: ...

    def get(self, connection: Connection, key: Key_contra, /) -> Value: ...

    def replace(self, connection: Connection, key: Key_contra, value: Value, /) -> Value: ...

    def remove(self, connection: Connection, key: Key_contra, /) -> None: ...


class Objects(Generic[Value, Key_contra]):
    """Objects that the administrator makes, changes and deletes."""

    def __init__(self, engine: Engine, noun: Noun[Value, Key_contra]) -> None:
        self._engine = engine
        self._noun = noun

    def all(self) -> list[Value]:
        """Return all of them."""
        with reading(self._engine) as connection:
            return self._noun.all(connection)

    def get(self, key: Key_contra) -> Value:
        """Return one, by its name or number.

        :raises BadInputError: There is none.
        """
        with reading(self._engine) as connection:
            return self._noun.get(connection, key)

    def add(self, value: Value) -> Value:
        """Add one and return it as it now is.

        :raises BadInputError: It makes no sense, or its name is taken.
        """
        with writing(self._engine) as connection:
            return self._noun.add(connection, value)

    def change(self, key: Key_contra, **changes: Any) -> Value:
        """Change fields of one and return it as it now is.

        :param changes: The fields with their new values.
        :raises BadInputError: There is none, or the change makes no sense.
        """
        with writing(self._engine) as connection:
            former: Any = self._noun.get(connection, key)
            return self._noun.replace(connection, key, attrs.evolve(former, **changes))

    def remove(self, key: Key_contra) -> None:
        """Delete one.

        :raises BadInputError: There is none, or it is in use; the message says by whom.
        """
        with writing(self._engine) as connection:
            self._noun.remove(connection, key)
