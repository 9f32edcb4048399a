"""Opening the state database."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, func, insert, select, text

from jetcore.errors import StateError
from jetcore.model import Level
from jetcore.state import alerts, tables
from jetcore.state.engine import after_fork, check_version, create_or_upgrade, make_engine, reading, where, writing
from jetcore.testing.postgresql import PostgresqlServer


def add_alert(connection: Connection, title: str) -> None:
    alerts.add(connection, Level.WARNING, title, "")


def titles(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return [alert.title for alert in alerts.recent(connection)]


def test_missing_file_is_not_created(tmp_path: Path) -> None:
    """A database that is not there is an error with a hint, and stays not there."""
    engine = make_engine(f"sqlite:///{tmp_path / 'state.db'}")

    with pytest.raises(StateError, match=r"no state database at .*/state\.db; run: jetcore init"):
        check_version(engine)

    assert list(tmp_path.iterdir()) == []


def test_sqlite_file_is_private(sqlite_url: str, tmp_path: Path) -> None:
    """The file, and the ones that SQLite puts beside it, can be read by their owner only."""
    engine = make_engine(sqlite_url)
    with writing(engine) as connection:
        add_alert(connection, "makes the write-ahead log")

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}

    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}
    engine.dispose()


def test_sqlite_connection_is_durable_and_strict(sqlite_url: str) -> None:
    """Every connection has a write-ahead log, full synchronisation, foreign keys and patience with other writers."""
    engine = make_engine(sqlite_url)
    with reading(engine) as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        }

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 30_000}
    engine.dispose()


def test_file_name_may_hold_anything(tmp_path: Path) -> None:
    """Characters that mean something in a URI or to SQLAlchemy are only characters in a file name."""
    path = tmp_path / "st a%74e#ü&.db"
    create_or_upgrade(f"sqlite:///{path}")

    assert path.exists()
    check_version(engine := make_engine(f"sqlite:///{path}"))
    engine.dispose()


def test_transaction_is_kept_when_it_ends(engine: Engine) -> None:
    """What a writing block did is there for everybody after it."""
    with writing(engine) as connection:
        add_alert(connection, "one")

    assert titles(engine) == ["one"]


def test_transaction_is_undone_by_an_exception(engine: Engine) -> None:
    """A writing block that is left by an exception leaves nothing, not even what it did before its first SELECT."""

    def fail_half_way() -> None:
        with writing(engine) as connection:
            add_alert(connection, "one")
            alerts.recent(connection)
            add_alert(connection, "two")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    assert titles(engine) == []


def test_table_made_in_a_transaction_is_undone_too(engine: Engine) -> None:
    """Changes of tables belong to the transaction: the driver commits nothing on its own."""

    def fail_half_way() -> None:
        with writing(engine) as connection:
            connection.execute(text("CREATE TABLE more (a INTEGER)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()

    with reading(engine) as connection:
        assert not engine.dialect.has_table(connection, "more")


def test_reading_cannot_write(engine: Engine) -> None:
    """A write in a reading block is refused, and the connection can write again afterwards."""
    with pytest.raises(StateError, match=r"(?i)read-?only"), reading(engine) as connection:
        add_alert(connection, "one")

    with writing(engine) as connection:
        add_alert(connection, "two")
    assert titles(engine) == ["two"]


def test_reading_sees_one_state(engine: Engine) -> None:
    """Two queries of one reading block give the same answer, whatever is committed between them."""
    count = select(func.count()).select_from(tables.alerts)
    with reading(engine) as reader:
        before = reader.execute(count).scalar_one()
        with writing(engine) as writer:
            add_alert(writer, "one")

        assert reader.execute(count).scalar_one() == before == 0

    assert titles(engine) == ["one"]


def test_writers_wait_for_each_other(sqlite_url: str) -> None:
    """On SQLite a writer locks before it reads: threads that count rows and add one never see the same number."""
    engine = make_engine(sqlite_url)
    count = select(func.count()).select_from(tables.alerts)

    def work() -> None:
        for _ in range(10):
            with writing(engine) as connection:
                add_alert(connection, str(connection.execute(count).scalar_one()))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(int, titles(engine))) == list(range(40))
    engine.dispose()


def test_reference_to_nothing_is_refused(connection: Connection) -> None:
    """Foreign keys hold on both engines, and the driver's error comes out as ours."""
    row = {"account_uuid": "nobody", "destination_uuid": "nowhere", "prefix": "x/", "password": "x"}
    with pytest.raises(StateError, match=r"refused a change: .*(?i:foreign key)"), connection.begin_nested():
        connection.execute(insert(tables.repositories).values(created=func.now(), **row))


def test_empty_database_is_told_from_an_old_one(empty_engine: Engine, tmp_path: Path) -> None:
    """A database without tables says that it wants to be set up."""
    if empty_engine.dialect.name == "sqlite":
        sqlite3.connect(tmp_path / "state.db").close()

    with pytest.raises(StateError, match=r"is empty; run: jetcore init"):
        check_version(empty_engine)


def test_database_of_a_newer_jetcore_is_refused(engine: Engine) -> None:
    """A revision that this code does not know is a newer one: neither used nor upgraded."""
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(StateError, match="9999, which is newer than this jetcore"):
        check_version(engine)
    with pytest.raises(StateError, match="9999, which is newer than this jetcore"):
        create_or_upgrade(engine)


def test_damaged_file_is_named(tmp_path: Path) -> None:
    """A file that is no database is named, by checking and by setting up."""
    path = tmp_path / "state.db"
    path.write_bytes(b"not a database, but long enough to look like one " * 100)

    for use in (check_version, create_or_upgrade):
        engine = make_engine(f"sqlite:///{path}")
        with pytest.raises(StateError, match=r"state\.db cannot be used: file is not a database"):
            use(engine)
        engine.dispose()


def test_set_up_in_a_missing_directory_is_refused(tmp_path: Path) -> None:
    """A file that cannot be made is an error that names it."""
    with pytest.raises(StateError, match=r"cannot create the state database .*/no/state\.db: No such file"):
        create_or_upgrade(f"sqlite:///{tmp_path / 'no' / 'state.db'}")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "makes no sense"),
        ("state.db", "makes no sense"),
        ("postgresql://user:hunter2@host:port/x", "makes no sense"),
        ("sqlite://", "names a file"),
        ("sqlite:///:memory:", "names a file"),
        ("sqlite:////x?mode=ro", "names a file"),
        ("mysql://user:hunter2@host/x", "kind 'mysql'"),
    ],
)
def test_url_that_is_of_no_use_is_refused(url: str, message: str) -> None:
    """A URL that cannot be used is refused without repeating a password in it."""
    with pytest.raises(StateError, match=message) as raised:
        make_engine(url)

    assert "hunter2" not in str(raised.value)


def test_password_is_never_shown(postgresql: PostgresqlServer) -> None:
    """Where the password is wrong, neither the message nor its causes show it, wherever it stood in the URL."""
    right = postgresql.url("migrated")
    in_the_middle = right.replace(":not%20a%20secret@", ":hunter2@")
    in_the_query = right.replace(":not%20a%20secret@", "@") + "&password=hunter2"
    assert right not in {in_the_middle, in_the_query}

    for url in (in_the_middle, in_the_query):
        engine = make_engine(url)
        with pytest.raises(StateError, match="password authentication failed") as raised:
            check_version(engine)
        error: BaseException | None = raised.value
        while error is not None:
            assert "hunter2" not in str(error)
            error = error.__cause__ or error.__context__
        assert "hunter2" not in where(engine.url)


def test_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Without a server the error says where none was found and asks the right question."""
    engine = make_engine(f"postgresql://jetcore@/state?host={tmp_path}")

    with pytest.raises(StateError, match=rf"(?s){tmp_path.name}.*is the server running"):
        check_version(engine)


def test_full_disk_is_told(sqlite_url: str) -> None:
    """Where there is no room the error says so, and what was there before is still there."""
    engine = make_engine(sqlite_url)
    with writing(engine) as connection:
        add_alert(connection, "before")
    with engine.connect() as connection:
        # The file may not grow any more, which is what a full disk looks like from inside.
        connection.exec_driver_sql("PRAGMA max_page_count = 1")

    with pytest.raises(StateError, match="full; make room on the disk"), writing(engine) as connection:
        add_alert(connection, "x" * 1_000_000)

    assert titles(engine) == ["before"]
    engine.dispose()


def test_missing_table_is_told(engine: Engine) -> None:
    """A table that should be there and is not says what to run, on both engines."""
    with writing(engine) as connection:
        connection.execute(text("DROP TABLE alerts"))

    with pytest.raises(StateError, match=r"alerts.*; run: jetcore upgrade"):
        titles(engine)


def test_missing_database_is_told(postgresql: PostgresqlServer) -> None:
    """A database that the server does not have is named."""
    engine = make_engine(postgresql.url("nowhere"))

    with pytest.raises(
        StateError, match=r'database "nowhere" does not exist; .*may this user connect to this database'
    ):
        check_version(engine)


def test_missing_driver_is_named() -> None:
    """Without psycopg the error says what to install."""
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from jetcore.errors import StateError\n"
        "from jetcore.state.engine import make_engine\n"
        "try: make_engine('postgresql://jetcore:hunter2@host/state')\n"
        "except StateError as error: print(error)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "pip install 'jetcore[postgresql]'" in told
    assert "hunter2" not in told


def test_forked_child_uses_connections_of_its_own(engine: Engine) -> None:
    """After a fork child and parent both write, and the parent's connection outlives the child."""
    with writing(engine) as connection:
        add_alert(connection, "before")

    child = os.fork()
    if child == 0:
        status = 1
        try:
            after_fork(engine)
            with writing(engine) as connection:
                add_alert(connection, "child")
            engine.dispose()
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    with writing(engine) as connection:
        add_alert(connection, "parent")
    assert titles(engine) == ["parent", "child", "before"]


def test_killed_process_leaves_what_it_committed(engine: Engine) -> None:
    """A process that is killed within a transaction leaves the ones before it, and nobody has to wait for it."""
    child = os.fork()
    if child == 0:
        try:
            after_fork(engine)
            with writing(engine) as connection:
                add_alert(connection, "committed")
            with writing(engine) as connection:
                add_alert(connection, "not committed")
                os.kill(os.getpid(), signal.SIGKILL)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL

    with writing(engine) as connection:
        add_alert(connection, "after")
    assert titles(engine) == ["after", "committed"]


def test_opening_imports_what_it_needs_only() -> None:
    """What every command imports leaves out what only set-up, or only the other engine, needs."""
    costly = {"alembic", "psycopg", "sqlalchemy.orm", "sqlalchemy.dialects.postgresql"}
    code = "import sys, jetcore.state.engine, jetcore.state.points, jetcore.state.settings; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert costly & set(told.split()) == set()
    assert "sqlalchemy" in told.split()
