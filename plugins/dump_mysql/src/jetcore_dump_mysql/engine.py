"""The dump engine ``mysql``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, BinaryIO, ClassVar

from jetcore import (
    Database,
    DatabaseAuth,
    DatabaseUser,
    DumpEngine,
    DumpError,
    DumpStream,
    EngineProbe,
    RestoreError,
)
from jetcore_dump_mysql import restore, users
from jetcore_dump_mysql.client import Client, ClientError, reported
from jetcore_dump_mysql.dump import MysqlDump
from jetcore_dump_mysql.schema import TRANSACTIONAL, read_schema
from jetcore_dump_mysql.settings import MysqlSettings

_SYSTEM = ("information_schema", "performance_schema", "mysql", "sys", "#mysql50#lost+found")
#: What a dump needs, and what it lacks without it.
_PRIVILEGES = {
    "SELECT": "no table can be read",
    "SHOW VIEW": "views cannot be dumped",
    "TRIGGER": "triggers are missing from dumps without a word",
    "EVENT": "events are missing from dumps without a word",
    "LOCK TABLES": "tables cannot be locked",
    "CREATE USER": "database users cannot be restored",
}
_NAMES_SHOWN = 5


class MysqlEngine(DumpEngine):
    """MySQL and MariaDB, through ``mysqldump``/``mariadb-dump`` and ``mysql``/``mariadb``.

    :param settings: How databases are dumped.
    :param auth: How the server is reached; None to leave it to the option files of the client programs.
    """

    name: ClassVar[str] = "mysql"
    Settings: ClassVar[type[Any] | None] = MysqlSettings
    suffix: ClassVar[str] = "sql"

    def __init__(self, settings: MysqlSettings, auth: DatabaseAuth | None) -> None:
        self._client = Client(settings, auth or DatabaseAuth())

    def available(self) -> bool:
        auth = self._client.auth
        if auth.host or auth.socket or auth.user:
            return True
        try:
            return bool(self._client.mysqldump)
        except ClientError:
            return False

    def probe(self) -> EngineProbe:
        with reported(DumpError, f"the MySQL server at {self._client.server} cannot be looked at"):
            self._client.dump_program  # noqa: B018  # raises if the program is missing or another
            rows = self._client.query(_PROBE)
        found: dict[str, list[str]] = {"version": [], "privilege": [], "table": [], "count": [], "database": []}
        for kind, value in rows:
            found[kind].append(value)
        lacking = [name for name in _PRIVILEGES if name not in found["privilege"]]
        warnings = [f"the privilege {name} is missing: {_PRIVILEGES[name]}" for name in lacking]
        if found["table"]:
            warnings.append(
                f"{len(found['table'])} tables are not transactional and can change while they are dumped: "
                + ", ".join(found["table"][:_NAMES_SHOWN])
                + (", …" if len(found["table"]) > _NAMES_SHOWN else "")
            )
        left = [name for name in found["database"] if restore.STAGING.fullmatch(name)]
        warnings += [f"database {name!r} is left over from a restore that was interrupted" for name in left]
        return EngineProbe(version=found["version"][0], warnings=tuple(warnings))

    def databases(self) -> Sequence[Database]:
        with reported(DumpError, f"the databases of {self._client.server} cannot be listed"):
            rows = self._client.query(
                "SELECT SCHEMA_NAME, 0 FROM information_schema.SCHEMATA;"
                "SELECT TABLE_SCHEMA, SUM(DATA_LENGTH + INDEX_LENGTH) FROM information_schema.TABLES "
                "WHERE TABLE_TYPE = 'BASE TABLE' AND DATA_LENGTH IS NOT NULL GROUP BY BINARY TABLE_SCHEMA;"
            )
        sizes = {name: int(size) for name, size in rows}  # the second answer overwrites the first
        kept = [name for name in sizes if name not in _SYSTEM and not restore.STAGING.fullmatch(name)]
        return [Database(name=name, bytes=sizes[name]) for name in sorted(kept)]

    def users(self, databases: Sequence[str]) -> Sequence[DatabaseUser]:
        with reported(DumpError, f"the users of {self._client.server} cannot be listed"):
            return users.read_users(self._client, databases)

    def dump(self, database: str) -> DumpStream:
        with reported(DumpError, f"database {database!r} cannot be dumped"):
            schema = read_schema(self._client, database)
            if schema is None:
                raise DumpError(f"database {database!r} is not on {self._client.server} any more")
            return MysqlDump(self._client, database, schema)

    def restore(self, database: str, open_dump: Callable[[], BinaryIO]) -> None:
        with reported(RestoreError, f"database {database!r} cannot be restored"):
            restore.restore(self._client, database, open_dump)

    def restore_user(self, user: DatabaseUser) -> None:
        with reported(RestoreError, f"database user {user.name!r} cannot be restored"):
            users.restore_user(self._client, user)


_PROBE = f"""
SELECT 'version', VERSION();
SELECT 'privilege', PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES
    WHERE REPLACE(GRANTEE, '''', '') = CURRENT_USER();
SELECT 'table', CONCAT(TABLE_SCHEMA, '.', TABLE_NAME) FROM information_schema.TABLES
    WHERE TABLE_TYPE = 'BASE TABLE' AND ENGINE NOT IN ({", ".join(f"'{name}'" for name in sorted(TRANSACTIONAL))})
    AND TABLE_SCHEMA NOT IN ({", ".join(f"'{name}'" for name in _SYSTEM)}) ORDER BY 2;
SELECT 'database', SCHEMA_NAME FROM information_schema.SCHEMATA;
"""  # noqa: S608  # constants
