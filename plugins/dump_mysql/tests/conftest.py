"""A MariaDB server for the tests of a session, and what they make in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from jetcore_dump_mysql import MysqlEngine, MysqlSettings
from jetcore_dump_mysql.client import quoted

from jetcore import DatabaseAuth
from jetcore.testing.mariadb import MariaDB, mariadb_template

__all__ = ["mariadb_template"]

EVERYTHING = Path(__file__).with_name("everything.sql")


@pytest.fixture(scope="session")
def shared_server(mariadb_template: Path) -> Iterator[MariaDB]:
    """Run one server for all tests that leave it running."""
    with MariaDB(mariadb_template, network=True) as server:
        yield server


@pytest.fixture
def server(shared_server: MariaDB) -> Iterator[MariaDB]:
    """Return the server, and remove what the test has made in it."""
    before = _all_of(shared_server)
    yield shared_server
    for kind, name in _all_of(shared_server) - before:
        shared_server.run(f"DROP {kind} {name};")


def _all_of(server: MariaDB) -> set[tuple[str, str]]:
    databases = server.run("SELECT HEX(SCHEMA_NAME) FROM information_schema.SCHEMATA")
    users = server.run("SELECT HEX(User), HEX(Host) FROM mysql.user")
    found = {("DATABASE", quoted(bytes.fromhex(name).decode())) for (name,) in databases}
    for words in users:
        user, host = (quoted(bytes.fromhex(word).decode()) for word in words)
        found.add(("USER", f"{user}@{host}"))
    return found


@pytest.fixture
def engine(server: MariaDB) -> MysqlEngine:
    """Return an engine with default settings on the server."""
    return MysqlEngine(MysqlSettings(), server.auth)


@pytest.fixture
def everything(server: MariaDB) -> str:
    """Make the database ``shop_all``, which has one of everything."""
    server.run("CREATE DATABASE shop_all")
    server.run(EVERYTHING.read_bytes(), "shop_all")
    server.run("ALTER DATABASE shop_all CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci")
    return "shop_all"


@pytest.fixture
def contents(server: MariaDB) -> Callable[[str], object]:
    """Return a function that describes a database: definitions, checksums of the rows, character set."""
    return lambda database: read_contents(server, database)


def read_contents(server: MariaDB, database: str) -> dict[str, list[tuple[str, ...]]]:
    """Return all that can be seen of *database* without its name: its objects, each with rows or a checksum of them."""
    here = f"= _utf8mb4 X'{database.encode().hex()}'"
    tables = server.run(
        f"SELECT HEX(TABLE_NAME), TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA {here} ORDER BY 1"
    )
    questions = {
        "schema": "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA "
        f"WHERE SCHEMA_NAME {here}",
        "triggers": "SELECT TRIGGER_NAME, EVENT_MANIPULATION, EVENT_OBJECT_TABLE, ACTION_ORDER, HEX(ACTION_STATEMENT), "
        "ACTION_TIMING, SQL_MODE, DEFINER, CHARACTER_SET_CLIENT, COLLATION_CONNECTION, DATABASE_COLLATION "
        f"FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA {here} ORDER BY 1",
        "routines": "SELECT ROUTINE_TYPE, ROUTINE_NAME, DTD_IDENTIFIER, HEX(ROUTINE_DEFINITION), IS_DETERMINISTIC, "
        "SQL_DATA_ACCESS, SECURITY_TYPE, SQL_MODE, ROUTINE_COMMENT, DEFINER, CHARACTER_SET_CLIENT, "
        f"COLLATION_CONNECTION, DATABASE_COLLATION FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA {here} "
        "ORDER BY 1, 2",
        "events": "SELECT EVENT_NAME, DEFINER, TIME_ZONE, HEX(EVENT_DEFINITION), INTERVAL_VALUE, INTERVAL_FIELD, "
        "SQL_MODE, STARTS, ENDS, STATUS, ON_COMPLETION, EVENT_COMMENT, CHARACTER_SET_CLIENT, DATABASE_COLLATION "
        f"FROM information_schema.EVENTS WHERE EVENT_SCHEMA {here} ORDER BY 1",
    }
    rows = {
        "BASE TABLE": "CHECKSUM TABLE {0} EXTENDED",
        "SEQUENCE": "SELECT * FROM {0}",
        "VIEW": "SELECT * FROM {0} ORDER BY 1",
    }
    for name, kind in tables:
        table = quoted(bytes.fromhex(name).decode())
        questions[f"{kind} {table}"] = f"SHOW CREATE TABLE {table}; {rows[kind].format(table)}"
    found: dict[str, list[tuple[str, ...]]] = {}
    lines: list[tuple[str, ...]] = []
    mark = "what follows describes"
    script = "".join(
        f"SELECT '{mark}', X'{name.encode().hex()}'; {question};\n" for name, question in questions.items()
    )
    for row in server.run(script, database):
        if row[0] == mark:
            lines = found[row[1]] = []
        else:  # the checksum's line says whose it is
            lines.append(row[1:] if row[0].startswith(f"{database}.") else row)
    assert len(found) == len(questions)
    return found


@pytest.fixture
def settings() -> Callable[..., MysqlSettings]:
    """Return what makes settings with some of them changed."""
    return lambda **changes: attrs.evolve(MysqlSettings(), **changes)


@pytest.fixture
def auth(server: MariaDB) -> DatabaseAuth:
    """Return how the administrator reaches the server."""
    return server.auth


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], str]:
    """Return what makes a shell script and returns its path."""

    def write(body: str) -> str:
        path = tmp_path / "script"
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return str(path)

    return write
