"""Restores: all of it or nothing, and a clear reason."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable

import pytest
from jetcore_dump_mysql import MysqlEngine, MysqlSettings

from jetcore import DatabaseAuth, RestoreError, Secret
from jetcore.testing.engine import assert_clear, opener, read_dump
from jetcore.testing.mariadb import MariaDB


@pytest.fixture
def shop(server: MariaDB) -> str:
    """Make a database with a table, a view, a function and a row."""
    server.run(
        "CREATE DATABASE shop CHARACTER SET latin1 COLLATE latin1_german2_ci; USE shop; SET NAMES utf8mb4;"
        "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(50)); INSERT INTO t VALUES (1, 'one');"
        "CREATE FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1; CREATE VIEW v AS SELECT id, f() AS f FROM t;"
    )
    return "shop"


def with_statement(dump: bytes, old: bytes, new: bytes) -> bytes:
    """Return *dump* with *old* replaced in its first section, and a last line that fits."""
    assert dump.count(old) == 1
    longer = len(new) - len(old)
    changed = dump.replace(old, new)
    return re.sub(rb"(?<=complete: tables )\d+", lambda size: b"%d" % (int(size[0]) + longer), changed)


def databases(server: MariaDB) -> list[tuple[str, ...]]:
    return server.run("SHOW DATABASES")


def test_first_error_stops_the_restore(
    server: MariaDB, engine: MysqlEngine, shop: str, contents: Callable[[str], object]
) -> None:
    """A statement that the server refuses is named by its line and message, and nothing has changed."""
    statement = b"INSERT INTO `t` VALUES\n(1,'one')"
    dump = with_statement(read_dump(engine, shop), statement, b"INSERT INTO `t` VALUES (1,'one','three')")
    line = dump[: dump.index(b"'three'")].count(b"\n") + 1
    server.run("UPDATE t SET v = 'changed'", shop)
    before, names = contents(shop), databases(server)

    with pytest.raises(
        RestoreError, match=rf"'shop' is as it was, .*: line {line}: Column count doesn't match"
    ) as caught:
        engine.restore(shop, opener(dump))

    assert_clear(caught.value)
    assert contents(shop) == before
    assert databases(server) == names


def test_error_in_a_later_section_has_its_line(server: MariaDB, engine: MysqlEngine, shop: str) -> None:
    """Lines are counted from the beginning of the dump, in views as well."""
    dump = read_dump(engine, shop).replace(b"from `t`", b"from `u`")
    line = next(number for number, text in enumerate(dump.split(b"\n"), 1) if b"from `u`" in text)

    with pytest.raises(RestoreError, match=r"line \d+: Table '.*' doesn't exist") as caught:
        engine.restore(shop, opener(dump))

    # The server counts a statement from its first line; a view's has three.
    assert line - 2 <= int(re.search(r"line (\d+)", str(caught.value))[1]) <= line


def test_commands_of_the_client_are_off(server: MariaDB, engine: MysqlEngine, shop: str, tmp_path) -> None:
    """A dump can run no program and read or write no file through the client that loads it."""
    planted = tmp_path / "planted"
    for command in (f"\\! touch {planted}", f"system touch {planted}", f"tee {planted}", f"source {planted}"):
        dump = with_statement(
            read_dump(engine, shop), b"UNLOCK TABLES;", b"UNLOCK TABLES;\n" + command.encode() + b"\n"
        )

        with pytest.raises(RestoreError, match=r"Unknown command|error in your SQL syntax"):
            engine.restore(shop, opener(dump))

        assert not planted.exists()


def test_character_set_of_the_database_comes_back(
    server: MariaDB, engine: MysqlEngine, shop: str, contents: Callable[[str], dict[str, object]]
) -> None:
    """The database gets the character set and collation that it had when it was dumped, made anew or not."""
    dump = read_dump(engine, shop)
    server.run("ALTER DATABASE shop CHARACTER SET utf8mb4")

    engine.restore(shop, opener(dump))
    engine.restore("fresh", opener(dump))

    assert contents(shop)["schema"] == [("latin1", "latin1_german2_ci")]
    assert contents("fresh")["schema"] == [("latin1", "latin1_german2_ci")]


def test_unknown_collation_is_one_clear_line(server: MariaDB, engine: MysqlEngine, shop: str) -> None:
    """A dump from a server with other collations is refused before anything is dropped."""
    dump = read_dump(engine, shop).replace(b"collation latin1_german2_ci", b"collation latin1_german9_ci")

    with pytest.raises(RestoreError, match="latin1_german9_ci") as caught:
        engine.restore(shop, opener(dump))

    assert_clear(caught.value)
    assert "another kind of server" in caught.value.hint


def test_grants_outlive_the_replacement(server: MariaDB, engine: MysqlEngine, shop: str) -> None:
    """Users keep their privileges in a database that is replaced."""
    server.run(
        "CREATE USER shop@localhost; GRANT ALL ON shop.* TO shop@localhost; GRANT SELECT ON shop.t TO shop@localhost"
    )
    before = server.run("SHOW GRANTS FOR shop@localhost")

    engine.restore(shop, opener(read_dump(engine, shop)))

    assert server.run("SHOW GRANTS FOR shop@localhost") == before


def test_definer_that_is_gone_is_kept(server: MariaDB, engine: MysqlEngine, shop: str) -> None:
    """Views and programs come back with the definer that they had, even if that user does not exist now."""
    server.run(
        "CREATE USER leaver@localhost; GRANT ALL ON shop.* TO leaver@localhost;"
        "CREATE DEFINER = leaver@localhost VIEW shop.of_leaver AS SELECT 1 AS one;"
        "CREATE DEFINER = leaver@localhost PROCEDURE shop.of_leaver() SELECT 1;"
        "CREATE DEFINER = leaver@localhost TRIGGER shop.of_leaver BEFORE INSERT ON shop.t FOR EACH ROW SET @a = 1;"
        "CREATE DEFINER = leaver@localhost EVENT shop.of_leaver ON SCHEDULE EVERY 1 DAY DO SET @a = 1;"
    )
    dump = read_dump(engine, shop)
    server.run("DROP USER leaver@localhost")

    engine.restore("copy", opener(dump))

    for table, column in (("VIEWS", "TABLE"), ("ROUTINES", "ROUTINE"), ("TRIGGERS", "TRIGGER"), ("EVENTS", "EVENT")):
        found = server.run(
            f"SELECT DEFINER FROM information_schema.{table} "
            f"WHERE {column}_SCHEMA = 'copy' AND {column}_NAME = 'of_leaver'"
        )
        assert found == [("leaver@localhost",)]


def test_trigger_that_names_its_database_comes_back(
    server: MariaDB, engine: MysqlEngine, shop: str, contents: Callable[[str], dict[str, list[tuple[str, ...]]]]
) -> None:
    """A trigger belongs to the database that it is restored into, even if its text names the one that it comes from."""
    server.run(
        "USE shop; CREATE TABLE u (id INT); CREATE TABLE `shop` (id INT);"
        "CREATE TRIGGER shop.one BEFORE INSERT ON shop.t FOR EACH ROW SET @a = 'shop.one ON shop.t';"
        "create trigger if not exists `shop` . `two`\n\tafter insert\non `shop`.`t` for each row set @a = 1;"
        'SET sql_mode = ANSI_QUOTES; CREATE TRIGGER "shop"."three" AFTER DELETE ON u FOR EACH ROW SET @a = 1;'
        "CREATE TRIGGER shop BEFORE UPDATE ON shop FOR EACH ROW SET @a = 1;"
    )
    before = contents(shop)

    engine.restore("copy", opener(read_dump(engine, shop)))
    assert contents("copy") == before
    engine.restore(shop, opener(read_dump(engine, shop)))
    assert contents(shop) == before


def test_view_on_a_view_of_a_missing_user_says_what_to_do(server: MariaDB, engine: MysqlEngine, shop: str) -> None:
    """A view that needs another whose definer is missing names the user, and the way out."""
    server.run(
        "CREATE USER leaver@localhost; GRANT ALL ON shop.* TO leaver@localhost;"
        "CREATE DEFINER = leaver@localhost VIEW shop.a_base AS SELECT 1 AS one;"
        "CREATE VIEW shop.b AS SELECT * FROM shop.a_base;"
    )
    dump = read_dump(engine, shop)
    server.run("DROP USER leaver@localhost")

    with pytest.raises(RestoreError, match="leaver") as caught:
        engine.restore(shop, opener(dump))

    assert caught.value.hint == "restore the account's database users first"


def test_events_do_not_run_while_they_are_restored(
    shared_server: MariaDB, server: MariaDB, engine: MysqlEngine
) -> None:
    """An event is made in the database itself, never in the one beside it."""
    server.run(
        "CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT);"
        "CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO INSERT INTO t VALUES (1);"
    )
    dump = read_dump(engine, "shop")
    made: list[tuple[str, ...]] = []
    parts = iter([dump])

    class Watched(io.BytesIO):
        def close(self) -> None:
            made.extend(server.run("SELECT EVENT_SCHEMA FROM information_schema.EVENTS WHERE EVENT_SCHEMA <> 'shop'"))
            super().close()

    engine.restore("shop", lambda: Watched(next(parts, dump)))

    assert made == []
    assert server.run("SELECT EVENT_NAME, STATUS FROM information_schema.EVENTS") == [("e", "ENABLED")]


def test_foreign_files_in_the_folder_do_no_harm(
    contents: Callable[[str], object], shop: str, server: MariaDB, engine: MysqlEngine
) -> None:
    """A database whose folder holds files of others, so that the server cannot remove it, is replaced all the same."""
    dump, before = read_dump(engine, shop), contents(shop)
    ((folder,),) = server.run("SELECT @@datadir")
    with open(f"{folder}/shop/README.txt", "w") as stray:
        stray.write("mine")

    engine.restore(shop, opener(dump))

    assert contents(shop) == before
    os.unlink(f"{folder}/shop/README.txt")


def test_missing_server_is_one_clear_line(engine: MysqlEngine, shop: str, tmp_path) -> None:
    """A whole dump and no server to put it in."""
    dump = read_dump(engine, shop)
    nowhere = MysqlEngine(
        MysqlSettings(), DatabaseAuth(socket=str(tmp_path / "nobody"), user="root", password=Secret(""))
    )

    with pytest.raises(RestoreError, match="Can't connect") as caught:
        nowhere.restore(shop, opener(dump))

    assert_clear(caught.value)


def test_restore_is_rerun_after_a_kill(server: MariaDB, engine: MysqlEngine, shop: str) -> None:
    """What an interrupted restore left beside the database is in no list of databases, and the probe tells of it."""
    server.run("CREATE DATABASE `jetcore-restore-0123456789ab`")

    assert [database.name for database in engine.databases()] == [shop]
    assert any("jetcore-restore-0123456789ab" in warning for warning in engine.probe().warnings)
