"""Dumps: whole or an error, the same for the same, and without a trace of the password."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jetcore_dump_mysql import MysqlEngine, MysqlSettings
from jetcore_dump_mysql.client import quoted

from jetcore import DatabaseAuth, DumpError, DumpStream, Secret
from jetcore.testing.engine import assert_clear, opener, read_dump
from jetcore.testing.mariadb import MariaDB

VERSION = 'case "$2" in --version) echo "mysqldump  Ver 10.19 Distrib 10.11.6-MariaDB"; exit;; esac\n'
ODD_NAMES = [
    "with-hyphen",
    "-leading",
    "--help",
    "back`tick",
    "quote'\"s",
    "a space",
    "per%cent",
    "under_score",
    "semi;colon",
    "back\\slash",
    "slash/and.dot",
    "日本語ü",
    "{}",
    "x" * 64,
]


@pytest.fixture
def big(server: MariaDB) -> str:
    """Make a database whose dump is larger than all buffers on the way."""
    server.run(
        "CREATE DATABASE big; CREATE TABLE big.t (id INT PRIMARY KEY, v VARCHAR(1000));"
        "INSERT INTO big.t SELECT seq, REPEAT(MD5(seq), 30) FROM mysql.seq_1_to_20000;"
    )
    return "big"


@pytest.fixture
def own_server(mariadb_template: Path) -> Iterator[MariaDB]:
    """Run a server that the test may kill."""
    with MariaDB(mariadb_template) as server:
        server.run(
            "CREATE DATABASE big; CREATE TABLE big.t (id INT PRIMARY KEY, v VARCHAR(1000));"
            "INSERT INTO big.t SELECT seq, REPEAT(MD5(seq), 30) FROM mysql.seq_1_to_20000;"
        )
        yield server


def finish(engine: MysqlEngine, database: str) -> tuple[bytes, tuple[str, ...]]:
    """Return a dump and what it says it lacks."""
    with engine.dump(database) as dump:
        return b"".join(iter(lambda: dump.read(1 << 20), b"")), tuple(dump.missing)


def begin(dump: DumpStream) -> None:
    """Read into the rows of a dump, whose program then runs and waits for more to be read."""
    text = b""
    while b"INSERT INTO" not in text:
        text += dump.read(4096)


def drain(dump: DumpStream) -> None:
    """Read a dump to its end."""
    while dump.read(1 << 20):
        pass


@pytest.mark.parametrize("name", ODD_NAMES)
def test_any_name_works(server: MariaDB, engine: MysqlEngine, contents: Callable[[str], object], name: str) -> None:
    """A database of any name is listed, dumped and restored, with all that it has."""
    here = quoted(name)
    server.run(
        f"CREATE DATABASE {here}; USE {here}; CREATE TABLE t (id INT); INSERT INTO t VALUES (1);"
        "CREATE VIEW v AS SELECT id FROM t; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1;"
    )
    if not set(name) & set("'\"\\"):  # where MariaDB's program finds no stored programs: it escapes the name twice
        server.run(
            f"USE {here}; ALTER DATABASE CHARACTER SET latin1; CREATE PROCEDURE p() SELECT 1;"
            "ALTER DATABASE CHARACTER SET utf8mb4; CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SET @a = 1;"
        )
    before = contents(name)
    assert [database.name for database in engine.databases()] == [name]
    dump = read_dump(engine, name)
    server.run(f"DROP DATABASE {here}")

    engine.restore(name, opener(dump))
    engine.restore("other", opener(dump))

    assert contents(name) == before
    assert contents("other") == before


def test_password_is_nowhere_to_be_seen(server: MariaDB, big: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a dump runs, neither an argument list nor an environment of any process holds the password."""
    password = "not-to-be-seen-4711"
    monkeypatch.setenv("MYSQL_PWD", "from outside")
    server.run(f"CREATE USER dumper@localhost IDENTIFIED BY '{password}'; GRANT ALL ON *.* TO dumper@localhost")
    engine = MysqlEngine(
        MysqlSettings(), DatabaseAuth(socket=str(server.socket), user="dumper", password=Secret(password))
    )

    with engine.dump(big) as dump:
        begin(dump)
        seen = {process: _texts(process) for process in Path("/proc").glob("[0-9]*")}

    dumps = [texts for texts in seen.values() if b"--order-by-primary" in texts and big.encode() in texts]
    assert len(dumps) == 1
    assert b"MYSQL_PWD" not in dumps[0]
    assert b"LC_ALL=C" in dumps[0]
    assert not [process for process, texts in seen.items() if password.encode() in texts]


def _texts(process: Path) -> bytes:
    texts = b""
    for name in ("cmdline", "environ"):
        try:
            texts += (process / name).read_bytes() + b"\0"
        except OSError:  # it has ended, or belongs to somebody else
            continue
    return texts


def test_closed_dump_leaves_no_process(server: MariaDB, engine: MysqlEngine, big: str) -> None:
    """A dump that is given up is killed with all that it started, and reaped."""
    before = _children()
    with engine.dump(big) as dump:
        begin(dump)
        assert _children() - before

    assert not _children() - before


def _children() -> set[int]:
    return {int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()}


def test_killed_server_breaks_the_dump(own_server: MariaDB) -> None:
    """A server that dies in the middle makes an error of the dump, with the force flag as well."""
    engine = MysqlEngine(MysqlSettings(force=True), own_server.auth)

    with engine.dump("big") as dump:
        begin(dump)
        own_server.stop(signal.SIGKILL)
        with pytest.raises(DumpError, match=r"the dump of database 'big' broke off: .*Lost connection") as caught:
            drain(dump)
        with pytest.raises(DumpError):
            dump.read(1)

    assert_clear(caught.value)


def test_killed_connection_breaks_the_dump(server: MariaDB, engine: MysqlEngine, big: str) -> None:
    """So does a connection that the administrator kills."""
    with engine.dump(big) as dump:
        begin(dump)
        (process,) = server.run(
            "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE '%FROM `t`%' AND ID <> CONNECTION_ID()"
        )
        server.run(f"KILL {process[0]}")
        with pytest.raises(DumpError, match="broke off"):
            drain(dump)


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("exit 0", "lacks the end mark"),
        ("exit 2", "ended with status 2"),
        ("kill -9 $$", "killed by signal 9"),
        ("echo 'mysqldump: Got errno 28 on write' >&2; exit 5", "Got errno 28 on write"),
        ("echo; echo '-- Dump completed'; exit 3", "ended with status 3"),
        ("echo; echo '-- Dump completed'; echo 'Error: 2013: gone' >&2; exit 3", "Error: 2013: gone"),
        ("echo '-- Dump completed'; echo 'one more line'; exit 0", "lacks the end mark"),
        ("exec 1>&-; exit 1", "ended with status 1"),
    ],
)
def test_dump_cut_short_is_an_error(server: MariaDB, script: Callable[[str], str], ending: str, reason: str) -> None:
    """The end is given out only after exit status 0 and the end mark; what went wrong is said."""
    server.run("CREATE DATABASE shop")
    engine = MysqlEngine(MysqlSettings(mysqldump=script(f"{VERSION}echo half a dump\n{ending}")), server.auth)

    with pytest.raises(DumpError, match=reason) as caught:
        read_dump(engine, "shop")

    assert_clear(caught.value)
    assert caught.value.retryable


def test_silent_program_is_stopped(server: MariaDB, script: Callable[[str], str]) -> None:
    """A dump program that hangs is killed after the configured time."""
    server.run("CREATE DATABASE shop")
    settings = MysqlSettings(mysqldump=script(f"{VERSION}exec sleep 1000"), stall_timeout=1)

    before = _children()

    with pytest.raises(DumpError, match="no progress for 1 seconds"):
        read_dump(MysqlEngine(settings, server.auth), "shop")

    assert _children() == before


def test_flood_of_errors_is_no_flood_of_memory(server: MariaDB, script: Callable[[str], str]) -> None:
    """Only the beginning of the error output is kept, and a dump whose errors are not all known is not whole."""
    server.run("CREATE DATABASE shop")
    body = f"{VERSION}yes 'Error: 1356: broken view' | head -c 5000000 >&2; echo; echo '-- Dump completed'; exit 2"
    engine = MysqlEngine(MysqlSettings(mysqldump=script(body)), server.auth)

    with pytest.raises(DumpError) as caught:
        read_dump(engine, "shop")

    assert len(str(caught.value)) < 500


def test_dump_says_nothing_of_its_database(engine: MysqlEngine, everything: str) -> None:
    """No statement of a dump names its database, or another one."""
    dump = read_dump(engine, everything)

    assert b"\nUSE " not in dump
    assert b"CREATE DATABASE" not in dump
    assert b"\nALTER DATABASE CHARACTER SET latin1" in dump
    assert f"ALTER DATABASE `{everything}`".encode() not in dump


def test_broken_view_makes_the_dump_partial(server: MariaDB, engine: MysqlEngine) -> None:
    """With the force flag all but the broken views is dumped, and each is named; without it there is no dump."""
    server.run(
        "CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT); CREATE TABLE gone (id INT);"
        "CREATE VIEW fine AS SELECT id FROM t; CREATE VIEW invalid AS SELECT id FROM gone; DROP TABLE gone;"
        "CREATE USER leaver@localhost; CREATE DEFINER = leaver@localhost VIEW of_leaver AS SELECT id FROM t;"
        "DROP USER leaver@localhost;"
    )

    dump, missing = finish(engine, "shop")
    engine.restore("copy", opener(dump))

    assert len(missing) == 2
    assert "invalid" in missing[0]
    assert "leaver" in missing[1]
    assert server.run("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'copy' ORDER BY 1") == [
        ("fine",),
        ("t",),
    ]
    with pytest.raises(DumpError, match="invalid"):
        finish(MysqlEngine(MysqlSettings(force=False), server.auth), "shop")


def test_altered_table_makes_the_dump_partial(server: MariaDB, engine: MysqlEngine, big: str) -> None:
    """A table that is made anew while the dump runs is named."""
    server.run("CREATE TABLE big.y (id INT) ENGINE = MyISAM; CREATE TABLE big.z (id INT) ENGINE = MyISAM")

    with engine.dump(big) as dump:
        begin(dump)
        server.run("DROP TABLE big.z; CREATE TABLE big.z (id INT) ENGINE = Aria; CREATE TABLE big.new (id INT)")
        drain(dump)

    assert list(dump.missing) == ["altered during the dump, so that their rows may not match the rest: z"]


def test_dropped_database_breaks_the_dump(server: MariaDB, engine: MysqlEngine) -> None:
    """A database that is dropped while it is dumped gives an error and not a dump of nothing."""
    server.run(
        "CREATE DATABASE shop; CREATE TABLE shop.t (id INT) ENGINE = MyISAM; CREATE VIEW shop.v AS SELECT 1 AS a"
    )
    with engine.dump("shop") as dump:
        server.run("DROP DATABASE shop")
        with pytest.raises(DumpError, match="shop"):
            drain(dump)


@pytest.mark.parametrize(("skip", "locked"), [(True, False), (False, True)])
def test_tables_without_transactions_are_locked_on_request(
    server: MariaDB, script: Callable[[str], str], skip: bool, locked: bool
) -> None:
    """Without the skip lock flag, a database with MyISAM tables is dumped under a lock; others never are."""
    server.run("CREATE DATABASE old; CREATE TABLE old.t (id INT) ENGINE = MyISAM")
    server.run("CREATE DATABASE new; CREATE TABLE new.t (id INT) ENGINE = InnoDB")
    program = script(f'{VERSION}echo "$@"; echo; echo "-- Dump completed"')
    engine = MysqlEngine(MysqlSettings(mysqldump=program, skip_lock_tables=skip), server.auth)

    assert (b"--lock-tables" in read_dump(engine, "old")) == locked
    assert (b"--single-transaction" in read_dump(engine, "old")) != locked
    assert b"--single-transaction" in read_dump(engine, "new")


def test_settings_reach_the_dump_program(server: MariaDB, script: Callable[[str], str]) -> None:
    """The settings of the settings page do what they say."""
    server.run("CREATE DATABASE shop")
    program = script(f'{VERSION}echo "$@"; echo; echo "-- Dump completed"')
    plain = read_dump(MysqlEngine(MysqlSettings(mysqldump=program, max_packet=0, force=False), server.auth), "shop")
    other = read_dump(MysqlEngine(MysqlSettings(mysqldump=program, max_packet=64, opt=False), server.auth), "shop")

    assert b"--max-allowed-packet" not in plain
    assert b"--force" not in plain
    assert b"--skip-opt" not in plain
    assert b"--max-allowed-packet=64M" in other
    assert b"--force" in other
    assert b"--skip-opt" in other


def test_dump_without_opt_restores_the_same(
    server: MariaDB, everything: str, contents: Callable[[str], object]
) -> None:
    """Without the opt flag rows are statements of their own; the result is the same."""
    engine = MysqlEngine(MysqlSettings(opt=False), server.auth)
    before = contents(everything)
    dump = read_dump(engine, everything)

    engine.restore("copy", opener(dump))

    assert dump.count(b"INSERT INTO `many_to_many`") == 500
    assert contents("copy") == before


def test_past_rows_come_back(server: MariaDB, engine: MysqlEngine) -> None:
    """A system-versioned table keeps its past rows with their times."""
    server.run(
        "CREATE DATABASE shop; USE shop; CREATE TABLE t (id INT PRIMARY KEY, v INT) WITH SYSTEM VERSIONING;"
        "INSERT INTO t VALUES (1, 1), (2, 2); UPDATE t SET v = 3 WHERE id = 1; DELETE FROM t WHERE id = 2;"
    )
    question = "SELECT *, ROW_START, ROW_END FROM t FOR SYSTEM_TIME ALL ORDER BY id, ROW_START"
    before = server.run(question, "shop")
    assert len(before) == 3

    engine.restore("copy", opener(read_dump(engine, "shop")))

    assert server.run(question, "copy") == before


def test_past_rows_that_cannot_be_dumped_are_named(server: MariaDB, script: Callable[[str], str]) -> None:
    """An older dump program leaves the past out, which makes the dump partial."""
    server.run("CREATE DATABASE shop; CREATE TABLE shop.t (id INT) WITH SYSTEM VERSIONING")
    older = VERSION.replace("10.11.6", "10.6.18")
    engine = MysqlEngine(MysqlSettings(mysqldump=script(f'{older}echo; echo "-- Dump completed"')), server.auth)

    _, missing = finish(engine, "shop")

    assert missing == ("past rows of t: it takes mariadb-dump 10.11 to dump them",)


def test_myisam_comes_back(server: MariaDB, engine: MysqlEngine, contents: Callable[[str], object]) -> None:
    """Tables of other engines keep their engine and their rows."""
    server.run(
        "CREATE DATABASE old; USE old; CREATE TABLE m (id INT PRIMARY KEY, v BLOB) ENGINE = MyISAM;"
        "CREATE TABLE a (id INT, KEY (id)) ENGINE = Aria; CREATE TABLE h (id INT) ENGINE = MEMORY;"
        "INSERT INTO m VALUES (2, 0x0027), (1, NULL); INSERT INTO a VALUES (1), (1); INSERT INTO h VALUES (5);"
    )
    before = contents("old")

    engine.restore("copy", opener(read_dump(engine, "old")))

    assert contents("copy") == before
