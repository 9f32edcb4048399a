"""Column types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Generic, TypeVar

import orjson
from sqlalchemy import DateTime, Dialect, LargeBinary, Text
from sqlalchemy.types import TypeDecorator

from jetcore.errors import StateError

Word = TypeVar("Word", bound=enum.StrEnum)


class Instant(TypeDecorator[datetime]):
    """A moment: kept in UTC, aware on the way out. A naive time is refused, nobody can say when it was."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone cannot be stored: {value}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class PlainText(TypeDecorator[str]):
    r"""Text. What no database holds is escaped: bytes of a name that are not UTF-8 (``\udcff``) and NUL (``\x00``)."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002  # the base's names
        return None if value is None else _plain(value)


class PathBytes(TypeDecorator[Path]):
    """A path of the file system, kept as the bytes that it is."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Path | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        return None if value is None else os.fsencode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Path | None:  # noqa: ARG002
        return None if value is None else Path(os.fsdecode(value))


class Json(TypeDecorator[Any]):
    """A document, kept as text: neither engine is asked to look inside."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:  # noqa: ARG002
        if value is None:
            return None
        try:
            return orjson.dumps(value).decode()
        except orjson.JSONEncodeError:
            return orjson.dumps(_plain_document(value)).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        try:
            return None if value is None else orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise StateError(
                f"the state database holds a document that is not JSON: {error}", hint="was it edited by hand?"
            ) from None


class Choice(TypeDecorator[Word], Generic[Word]):
    """One word of an enumeration, kept as its value."""

    impl = Text
    cache_ok = True

    def __init__(self, words: type[Word]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: Word | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.value

    def process_result_value(self, value: str | None, dialect: Dialect) -> Word | None:  # noqa: ARG002
        return None if value is None else self.words(value)


def _plain(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _plain_document(value: Any) -> Any:
    if isinstance(value, str):
        return _plain(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain_document(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_document(item) for item in value]
    return value
