"""Making the tables and bringing them up to date."""

from __future__ import annotations

import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, event, inspect, text

from jetcore.errors import StateError
from jetcore.model import Level
from jetcore.settings.general import General
from jetcore.settings.priorities import PriorityGroup
from jetcore.settings.secret import MasterKey
from jetcore.state import alerts, priorities
from jetcore.state.engine import REVISIONS, check_version, create_or_upgrade, make_engine, reading, writing
from jetcore.state.settings import SettingsStore
from jetcore.state.tables import metadata
from jetcore.state.upgrade import downgrade, revisions, upgrade


def tables_of(engine: Engine) -> set[str]:
    with reading(engine) as connection:
        return set(inspect(connection).get_table_names())


def test_revisions_are_those_of_the_migrations() -> None:
    """The constant that saves importing Alembic says what Alembic would."""
    assert revisions() == REVISIONS


def test_migrations_make_the_tables_of_the_code(empty_engine: Engine) -> None:
    """From an empty database the migrations lead to exactly the tables that the code works with."""
    create_or_upgrade(empty_engine)

    with reading(empty_engine) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    assert tables_of(empty_engine) == {*metadata.tables, "alembic_version"}
    check_version(empty_engine)


def test_migrations_name_constraints_as_the_code_does(empty_engine: Engine) -> None:
    """Every constraint has its conventional name, by which a later migration can change it."""
    create_or_upgrade(empty_engine)

    with reading(empty_engine) as connection:
        inspector = inspect(connection)
        for table in metadata.tables.values():
            # SQLite has no place for the name of a key that counts by itself.
            found = {inspector.get_pk_constraint(table.name)["name"] or f"pk_{table.name}"}
            found |= {str(key["name"]) for key in inspector.get_foreign_keys(table.name)}
            found |= {str(key["name"]) for key in inspector.get_unique_constraints(table.name)}
            found |= {str(key["name"]) for key in inspector.get_check_constraints(table.name)}
            assert found == {str(constraint.name) for constraint in table.constraints}, table.name


def test_migrations_lead_down_and_up_again(empty_engine: Engine) -> None:
    """Going back to before the first migration leaves nothing, and the way up is open again."""
    create_or_upgrade(empty_engine)
    downgrade(empty_engine, "base")
    assert tables_of(empty_engine) == {"alembic_version"}

    create_or_upgrade(empty_engine)
    check_version(empty_engine)


def test_setting_up_twice_keeps_everything(empty_url: str) -> None:
    """A second set-up of the same database changes nothing in it."""
    create_or_upgrade(empty_url)
    engine = make_engine(empty_url)
    with writing(engine) as connection:
        alerts.add(connection, Level.CRITICAL, "kept", "")

    create_or_upgrade(empty_url)

    with reading(engine) as connection:
        assert [alert.title for alert in alerts.recent(connection)] == ["kept"]
    engine.dispose()


def test_set_up_that_fails_leaves_nothing(empty_engine: Engine) -> None:
    """The tables are made all or none: a failure at the last one undoes the first."""

    def fail(_connection: Connection, _cursor: object, statement: str, *_rest: object) -> None:
        if "CREATE TABLE settings_history" in statement:
            raise ZeroDivisionError

    event.listen(empty_engine, "before_cursor_execute", fail)
    with pytest.raises(ZeroDivisionError):
        create_or_upgrade(empty_engine)
    event.remove(empty_engine, "before_cursor_execute", fail)

    assert tables_of(empty_engine) == set()
    create_or_upgrade(empty_engine)
    check_version(empty_engine)


def test_two_set_ups_at_once_both_succeed(empty_url: str) -> None:
    """Processes that set up the same database at the same time wait for each other."""
    code = "import sys; from jetcore.state.engine import create_or_upgrade; create_or_upgrade(sys.argv[1])"
    processes = [subprocess.Popen([sys.executable, "-c", code, empty_url]) for _ in range(3)]

    assert [process.wait() for process in processes] == [0, 0, 0]
    check_version(engine := make_engine(empty_url))
    engine.dispose()


def test_upgrade_refuses_to_break_references(sqlite_url: str) -> None:
    """On SQLite, where references are not enforced during an upgrade, they are checked before it counts."""
    engine = make_engine(sqlite_url)
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys = OFF")
        driver.execute("INSERT INTO point_parts VALUES (7, 0, 2, '', '', 'completed', '', 0, 0, '[]')")
        driver.execute("PRAGMA foreign_keys = ON")

    with pytest.raises(StateError, match="table point_parts with a reference to a row of points that is missing"):
        upgrade(engine)

    engine.dispose()


def test_references_are_enforced_again_after_an_upgrade(sqlite_url: str) -> None:
    """The connection that ran the migrations goes back to the pool as strict as it came."""
    engine = make_engine(sqlite_url)
    upgrade(engine)

    with pytest.raises(StateError, match="FOREIGN KEY"), writing(engine) as connection:
        connection.execute(text("INSERT INTO point_parts VALUES (7, 0, 2, '', '', 'completed', '', 0, 0, '[]')"))
    engine.dispose()


#: Rows as jetcore wrote them in the first version of the database.
FIRST_ROWS = (
    "INSERT INTO server VALUES ('u-1', 'jcs1:0123abcd:xxx', '2024-01-02 03:04:05')",
    "INSERT INTO destinations VALUES ('d-1', 'local', 'local', '{}', TRUE, '2024-01-02 03:04:05')",
    "INSERT INTO settings VALUES ('general', 3, '{\"debug\":true}', '2024-01-02 03:04:05', 'root')",
    "INSERT INTO settings_history VALUES ('general', 3, '2024-01-02 03:04:05', 'root', '{\"debug\":[false,true]}')",
    "INSERT INTO jobs (name, contains, accounts, enabled) VALUES ('nightly', 511, '[]', TRUE)",
    "INSERT INTO job_destinations VALUES (1, 0, 'd-1')",
)


def rows_of(engine: Engine) -> dict[str, list[tuple[object, ...]]]:
    """Return what stands in the tables of the first version."""
    with reading(engine) as connection:
        found = {
            name: [tuple(row) for row in connection.execute(text(f"SELECT * FROM {name}"))]
            for name in ("server", "destinations", "settings_history", "jobs", "job_destinations")
        }
        columns = "section, version, document, changed, changed_by"
        return found | {"settings": [tuple(row) for row in connection.execute(text(f"SELECT {columns} FROM settings"))]}


def test_first_database_is_upgraded_with_its_data(empty_engine: Engine, key: MasterKey) -> None:
    """A database of the first version keeps every row on the way up and on the way back, and is in full use between."""
    upgrade(empty_engine, "0001")
    with writing(empty_engine) as connection:
        for row in FIRST_ROWS:
            connection.exec_driver_sql(row)
    before = rows_of(empty_engine)

    create_or_upgrade(empty_engine)

    check_version(empty_engine)
    assert rows_of(empty_engine) == before
    assert SettingsStore(empty_engine, key).load_version("general", General) == (General(debug=True), 3)
    with writing(empty_engine) as connection:
        assert [group.name for group in priorities.all(connection)] == ["High", "Normal", "Low"]
        priorities.add(connection, PriorityGroup(name="Night"))

    downgrade(empty_engine, "0001")

    assert rows_of(empty_engine) == before
    with pytest.raises(StateError, match="is of version 0001, this jetcore works with"):
        check_version(empty_engine)
