"""Making the state database's tables and bringing them up to date, with Alembic."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from jetcore.errors import StateError
from jetcore.state.engine import REVISIONS, check_version, reading, revision_of, where

#: Key of the lock that keeps two upgrades of one PostgreSQL database apart: "jetcore" in ASCII.
_LOCK = 0x6A6574636F7265


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Make missing tables and run the migrations up to *revision*, all or nothing.

    :raises StateError: The database cannot be reached or written, or belongs to a newer jetcore.
    """
    if engine.dialect.name == "sqlite":
        _create_file(Path(str(engine.url.database)))
    with reading(engine) as connection:
        found = revision_of(connection)
    if found is not None and found not in REVISIONS:
        check_version(engine)
    with _migrating(engine) as connection:
        command.upgrade(configuration(connection), revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Run the migrations back to *revision*; ``base`` is before the first."""
    with _migrating(engine) as connection:
        command.downgrade(configuration(connection), revision)


def configuration(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration: our migrations, run on *connection*."""
    config = Config()
    config.set_main_option("script_location", "jetcore.state:migrations")
    config.attributes["connection"] = connection
    return config


def revisions() -> tuple[str, ...]:
    """Return the revisions that the migrations lead through, oldest first."""
    script = ScriptDirectory.from_config(configuration())
    return tuple(revision.revision for revision in script.walk_revisions())[::-1]


@contextmanager
def _migrating(engine: Engine) -> Iterator[Connection]:
    """Open the one transaction in which migrations run, with every other upgrade kept out."""
    with engine.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        driver = connection.connection.driver_connection
        if isinstance(driver, sqlite3.Connection):
            # SQLite changes a table by copying and dropping it, and dropping would delete what refers to it. The pragma
            # does nothing inside a transaction, so it goes to the driver before there is one.
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                if not sqlite:
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                yield connection
                if sqlite and (broken := connection.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise StateError(
                        f"upgrading the state database {where(engine.url)} would leave table {broken[0]} with a "
                        f"reference to a row of {broken[2]} that is missing; nothing was changed"
                    )
        finally:
            if isinstance(driver, sqlite3.Connection):
                driver.execute("PRAGMA foreign_keys = ON")


def _create_file(path: Path) -> None:
    """Make an empty SQLite file in WAL mode that only its owner can read; one that exists is left as it is."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        pass
    except OSError as error:
        raise StateError(
            f"cannot create the state database {path}: {error.strerror}", hint="does its directory exist?"
        ) from error
    else:
        os.close(descriptor)
    try:
        connection = sqlite3.connect(path)
        try:
            # Kept in the file. Readers then go on while somebody writes.
            connection.execute("PRAGMA journal_mode = WAL")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StateError(f"the state database {path} cannot be used: {error}") from error
    directory = os.open(path.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
