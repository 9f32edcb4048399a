"""What a database consists of, as the server's catalogue says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from jetcore_dump_mysql.client import Client, quoted, same

#: Engines whose tables ``--single-transaction`` sees as of one moment, or that hold no rows of their own.
TRANSACTIONAL = frozenset({"InnoDB", "RocksDB", "TokuDB", "SEQUENCE", "BLACKHOLE", "FEDERATED", "CONNECT", "SPIDER"})


@attrs.frozen(kw_only=True)
class Schema:
    """A database without its rows."""

    charset: str
    collation: str
    #: Each table (base tables and sequences) with its engine and the time when it was made or altered.
    tables: Mapping[str, tuple[str, str]]
    #: Tables that keep their past rows.
    versioned: tuple[str, ...]
    #: Views that work.
    views: tuple[str, ...]
    #: Views that do not, each with what the server says of it: a table, column or definer is gone.
    broken_views: Mapping[str, str]
    #: Triggers, procedures, functions and packages.
    programs: int
    events: int

    @property
    def non_transactional(self) -> list[str]:
        """Tables that other connections can change between two reads of a dump."""
        return [name for name, (engine, _) in self.tables.items() if engine not in TRANSACTIONAL]


def read_schema(client: Client, database: str) -> Schema | None:
    """Return the schema of *database*, or None if there is no such database.

    :raises ClientError: The server cannot be asked.
    """
    rows = client.query(
        f"""
        SELECT 'schema', DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME, ''
            FROM information_schema.SCHEMATA WHERE {same("SCHEMA_NAME", database)};
        SELECT CASE TABLE_TYPE WHEN 'VIEW' THEN 'view' WHEN 'SYSTEM VERSIONED' THEN 'versioned' ELSE 'table' END,
            TABLE_NAME, IF(TABLE_TYPE = 'SEQUENCE', TABLE_TYPE, IFNULL(ENGINE, '')), IFNULL(CREATE_TIME, '')
            FROM information_schema.TABLES WHERE {same("TABLE_SCHEMA", database)} AND TABLE_TYPE <> 'TEMPORARY';
        SELECT 'programs', COUNT(*), '', '' FROM information_schema.TRIGGERS WHERE {same("TRIGGER_SCHEMA", database)};
        SELECT 'programs', COUNT(*), '', '' FROM information_schema.ROUTINES WHERE {same("ROUTINE_SCHEMA", database)};
        SELECT 'events', COUNT(*), '', '' FROM information_schema.EVENTS WHERE {same("EVENT_SCHEMA", database)};
        """  # noqa: S608  # quoted by same()
    )
    kinds: dict[str, list[tuple[str, ...]]] = {
        kind: [] for kind in ("schema", "table", "versioned", "view", "programs", "events")
    }
    for kind, *values in rows:
        kinds[kind].append(tuple(values))
    if not kinds["schema"]:
        return None
    charset, collation, _ = kinds["schema"][0]
    views = sorted(name for name, _, _ in kinds["view"])
    broken = _broken(client, database, views)
    return Schema(
        charset=charset,
        collation=collation,
        tables={name: (engine, created) for name, engine, created in kinds["table"] + kinds["versioned"]},
        versioned=tuple(sorted(name for name, _, _ in kinds["versioned"])),
        views=tuple(name for name in views if name not in broken),
        broken_views=broken,
        programs=sum(int(count) for count, _, _ in kinds["programs"]),
        events=sum(int(count) for count, _, _ in kinds["events"]),
    )


def _broken(client: Client, database: str, views: Sequence[str]) -> Mapping[str, str]:
    """Return the *views* that cannot be used. The dump program would write them down in a form that no server takes."""
    if not views:
        return {}
    rows = client.query(f"CHECK TABLE {', '.join(f'{quoted(database)}.{quoted(view)}' for view in views)};")
    broken: dict[str, str] = {}
    for table, _, kind, text in rows:
        if kind.lower() == "error":
            broken.setdefault(table.removeprefix(f"{database}."), text)
    return broken
