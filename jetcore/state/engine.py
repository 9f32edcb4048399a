"""Opening the state database: an SQLite file, or PostgreSQL by URL.

Whoever uses it opens a transaction with :func:`reading` or :func:`writing` and passes the connection on to the
functions of the noun modules. Only the Core of SQLAlchemy is used, and Alembic is imported by
:mod:`jetcore.state.upgrade` alone: both cost time at the start of every command.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from jetcore.errors import StateError

#: Revisions of the database, oldest first; the last is what this code works with. A test compares them with Alembic's.
REVISIONS = ("0001", "0002")

#: How long a writer waits for another one. Transactions are short; who waits longer waits for something that hangs.
BUSY_SECONDS = 30.0

_INIT_HINT = "run: jetcore init"
_READING = "jetcore_reading"
_SQLITE = "sqlite:///"
_POSTGRESQL = {"postgresql", "postgres", "postgresql+psycopg"}


def make_engine(url: str | URL) -> Engine:
    """Return an engine for the state database at *url*. Nothing is opened yet, and nothing is ever created by it.

    :param url: ``sqlite:////path/to/state.db`` or ``postgresql://user:password@host/database``.
    :raises StateError: The URL makes no sense, or the driver is not installed.
    """
    parsed = _parse(url)
    engine = _sqlite_engine(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql_engine(parsed)
    event.listen(engine, "handle_error", _translator(parsed))
    return engine


def create_or_upgrade(target: str | Engine) -> None:
    """Make the database or its tables where they are missing, and bring older ones up to date.

    :param target: URL of the database, or an engine for it.
    :raises StateError: It cannot be reached or written, or belongs to a newer jetcore.
    """
    from jetcore.state.upgrade import upgrade  # noqa: PLC0415  # Alembic; most commands never need it

    if isinstance(target, Engine):
        upgrade(target)
        return
    engine = make_engine(target)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def check_version(engine: Engine) -> None:
    """Make sure that the database has the tables that this code works with. One cheap query.

    :raises StateError: It is empty, older or newer.
    """
    with reading(engine) as connection:
        found = revision_of(connection)
    place = where(engine.url)
    if found is None:
        raise StateError(f"the state database {place} is empty", hint=_INIT_HINT)
    if found == REVISIONS[-1]:
        return
    if found in REVISIONS:
        raise StateError(
            f"the state database {place} is of version {found}, this jetcore works with {REVISIONS[-1]}",
            hint="run: jetcore upgrade",
        )
    raise StateError(
        f"the state database {place} is of version {found}, which is newer than this jetcore ({REVISIONS[-1]})",
        hint="install the jetcore that wrote it, or a later one",
    )


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that sees one state of the database throughout, waits for nobody and cannot write."""
    options: dict[str, Any] = {_READING: True}
    if engine.dialect.name == "postgresql":
        options |= {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that may write. It is on stable storage when the block is left, or undone by an exception."""
    with engine.begin() as connection:
        yield connection


def after_fork(engine: Engine) -> None:
    """Detach a forked child from its parent's connections. Call it in the child before the engine is used there."""
    inherited = engine.pool
    engine.dispose(close=False)
    # Were they collected, the driver would close them: to PostgreSQL that ends the parent's session, and SQLite would
    # give up the child's view of locks that the parent still counts on.
    engine.pool.__dict__["inherited"] = inherited


def where(url: URL) -> str:
    """Return *url* as it may be shown: the path of an SQLite file, or the URL without its password."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    return url.difference_update_query(["password"]).render_as_string(hide_password=True)


def _parse(url: str | URL) -> URL:
    if isinstance(url, str) and url.startswith(_SQLITE):
        # The rest is a path and nothing else; whether make_url() decodes ``%41`` in it depends on its version.
        url = URL.create("sqlite", database=url.removeprefix(_SQLITE))
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # The text is not repeated: it may hold a password.
        raise StateError(
            "the URL of the state database makes no sense",
            hint="it looks like sqlite:////var/lib/jetcore/state.db or postgresql://user:password@host/database",
        ) from None
    if parsed.drivername == "sqlite":
        if parsed.database in {None, "", ":memory:"} or "?" in str(parsed.database) or parsed.query:
            raise StateError("the URL of an SQLite state database names a file, and nothing else: sqlite:////path")
        return parsed
    if parsed.drivername in _POSTGRESQL:
        return parsed.set(drivername="postgresql+psycopg")
    raise StateError(
        f"the state database cannot be of the kind {parsed.drivername!r}", hint="use an sqlite or postgresql URL"
    )


# SQLite --------------------------------------------------------------------------------------------------------------


def _sqlite_engine(url: URL) -> Engine:
    path = Path(str(url.database))

    def connect() -> sqlite3.Connection:
        if not path.exists():
            raise StateError(f"there is no state database at {path}", hint=_INIT_HINT)
        # mode=rw: connecting never creates a file; jetcore.state.upgrade does, with its permissions.
        return sqlite3.connect(
            f"file:{quote(os.fsencode(path.absolute()))}?mode=rw",
            uri=True,
            timeout=BUSY_SECONDS,
            # No transactions of the driver's own making: it begins late, and not at all before a SELECT.
            isolation_level=None,
            check_same_thread=False,
        )

    # The default pool keeps the connection: closing the last one to a WAL file costs a checkpoint and its fsyncs.
    engine = create_engine(url, creator=connect, hide_parameters=True)
    event.listen(engine, "connect", _set_pragmas)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    # A listed restore point must survive a power failure; the default with WAL may lose the last transactions.
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    reader = connection.get_execution_options().get(_READING, False)
    connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if reader else 'OFF'}")
    # A transaction that first reads and then writes fails at once, without waiting, if somebody else wrote in between.
    connection.exec_driver_sql("BEGIN" if reader else "BEGIN IMMEDIATE")


# PostgreSQL ----------------------------------------------------------------------------------------------------------


def _postgresql_engine(url: URL) -> Engine:
    arguments = {"connect_timeout": 10, "application_name": "jetcore", "client_encoding": "utf8"}
    try:
        return create_engine(
            url,
            hide_parameters=True,
            # A server that was restarted meanwhile is noticed when a connection is taken from the pool.
            pool_pre_ping=True,
            connect_args={key: value for key, value in arguments.items() if key not in url.query},
        )
    except ModuleNotFoundError as error:
        raise StateError(
            f"the driver for {where(url)} is missing ({error.name})", hint="run: pip install 'jetcore[postgresql]'"
        ) from None


# Both ----------------------------------------------------------------------------------------------------------------


def _translator(url: URL) -> Callable[[ExceptionContext], None]:
    """Return the one place where errors of the drivers become ours."""

    def translate(context: ExceptionContext) -> None:
        error = context.sqlalchemy_exception
        if not isinstance(error, DBAPIError):
            return
        reason = _masked(url, " ".join(str(error.orig).split()))
        place = where(url)
        if isinstance(error, IntegrityError):
            raise StateError(f"the state database {place} refused a change: {reason}") from error
        raise StateError(f"the state database {place} cannot be used: {reason}", hint=_hint(reason)) from error

    return translate


def _masked(url: URL, message: str) -> str:
    for password in (url.password, url.query.get("password")):
        if isinstance(password, str) and password:
            message = message.replace(password, "***")
    return message


#: What to do next, by a piece of what the drivers say; the first that fits.
_HINTS = (
    ("database is locked", "another process has been writing for long; find it with: fuser -v FILE"),
    ("disk is full", "make room on the disk that the file is on"),
    ("disk I/O error", "the disk that the file is on is full or failing"),
    ("no such table", "run: jetcore upgrade"),
    ("relation ", "run: jetcore upgrade"),
    ("not a database", "the file is damaged; put back a copy"),
    ("malformed", "the file is damaged; put back a copy"),
    ("readonly", "run jetcore as the user who owns the file, usually root"),
    ("unable to open", "run jetcore as the user who owns the file, usually root"),
    ("connection failed", "is the server running, and may this user connect to this database?"),
    ("connection is bad", "is the server running, and may this user connect to this database?"),
)


def _hint(reason: str) -> str:
    return next((hint for piece, hint in _HINTS if piece in reason), "")


def revision_of(connection: Connection) -> str | None:
    """Return the database's revision, or None if it has no tables of ours."""
    if not connection.dialect.has_table(connection, "alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)
