"""How the client programs are found and told who we are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from jetcore_dump_mysql import MysqlEngine, MysqlSettings

from jetcore import DatabaseAuth, DumpError, Secret
from jetcore.testing.engine import assert_clear, read_dump
from jetcore.testing.mariadb import MariaDB

PASSWORDS = {
    "quotes": "a'b\"c`d",
    "backslash": "\\a\\\\n\\",
    "comment signs": "#a;b -- c",
    "leading comment": "# all of it",
    "spaces": "  two  ",
    "lines": "one\ntwo\r\n[client]\nuser=x\ttab\b",
    "percent": "%s%d%%$HOME$(id)",
    "unicode": "pässwörd 日本 👩‍👩‍👧",
    "long": "0123456789" * 20,
    "empty": "",
    "quoted": '"quoted"',
    "option": "--help",
}


@pytest.mark.parametrize("password", PASSWORDS.values(), ids=PASSWORDS.keys())
def test_any_password_works(server: MariaDB, password: str) -> None:
    """A password reaches the server as it is, whatever is in it."""
    text = password.replace("\\", "\\\\").replace("'", "\\'")
    server.run(f"CREATE USER odd@localhost IDENTIFIED BY '{text}'; GRANT SELECT ON *.* TO odd@localhost")
    auth = DatabaseAuth(socket=str(server.socket), user="odd", password=Secret(password))

    assert MysqlEngine(MysqlSettings(), auth).databases() == []


@pytest.mark.parametrize("user", ["o'dd", 'o"dd', "o\\dd", "o#d;d", "ödd", "-odd"])
def test_any_user_works(server: MariaDB, user: str) -> None:
    """So does a name of a user."""
    text = user.replace("\\", "\\\\").replace("'", "\\'")
    server.run(f"CREATE USER '{text}'@localhost IDENTIFIED BY 'x'; GRANT SELECT ON *.* TO '{text}'@localhost")
    auth = DatabaseAuth(socket=str(server.socket), user=user, password=Secret("x"))

    assert MysqlEngine(MysqlSettings(), auth).databases() == []


def test_settings_reach_the_server_over_tcp(server: MariaDB) -> None:
    """Host, port, user and password are used when the server is not on this machine."""
    server.run("CREATE USER far@'127.0.0.1' IDENTIFIED BY 'x'; GRANT SELECT ON *.* TO far@'127.0.0.1'")
    auth = DatabaseAuth(host="127.0.0.1", port=server.port, user="far", password=Secret("x"))

    assert MysqlEngine(MysqlSettings(), auth).databases() == []


def test_option_files_of_the_machine_do_not_count(
    server: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A configured user is not mixed with the option file of whoever runs jetcore, nor with the environment."""
    (tmp_path / ".my.cnf").write_text("[client]\npassword=wrong\nport=1\n[mysqldump]\nno-data\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("MYSQL_PWD", "wrong")
    monkeypatch.setenv("MYSQL_HOST", "nowhere.invalid")
    server.run("CREATE DATABASE shop; CREATE TABLE shop.t (v INT); INSERT INTO shop.t VALUES (4711)")

    assert b"4711" in read_dump(MysqlEngine(MysqlSettings(), server.auth), "shop")


def test_own_option_file_counts_without_a_user(
    server: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a configured user, the option file of whoever runs jetcore names user and password."""
    server.run("CREATE USER own@localhost IDENTIFIED BY 'x'; GRANT SELECT ON *.* TO own@localhost")
    (tmp_path / ".my.cnf").write_text("[client]\nuser=own\npassword=x\n")
    monkeypatch.setenv("HOME", str(tmp_path))

    assert MysqlEngine(MysqlSettings(), DatabaseAuth(socket=str(server.socket))).databases() == []


def test_wrong_password_is_one_clear_line(server: MariaDB) -> None:
    """The message names the server's reason, the hint the settings, and neither shows the password."""
    engine = MysqlEngine(
        MysqlSettings(), DatabaseAuth(socket=str(server.socket), user="root", password=Secret("geheim-4711"))
    )

    for question in (engine.databases, engine.probe, lambda: engine.users(["x"]), lambda: engine.dump("x")):
        with pytest.raises(DumpError, match="Access denied for user 'root'") as caught:
            question()
        assert_clear(caught.value)
        assert "password of MySQL in the panel settings" in caught.value.hint
        assert "geheim" not in str(caught.value)


def test_impossible_password_is_one_clear_line(server: MariaDB) -> None:
    """A password that no option file can hold is refused and not cut off."""
    engine = MysqlEngine(
        MysqlSettings(), DatabaseAuth(socket=str(server.socket), user="root", password=Secret("x" * 5000))
    )

    with pytest.raises(DumpError, match="the password of MySQL in the panel settings is too long"):
        engine.databases()


@pytest.mark.parametrize("field", ["mysql", "mysqldump"])
@pytest.mark.parametrize("kind", ["missing", "directory", "not executable", "no program"])
def test_wrong_binary_is_one_clear_line(server: MariaDB, tmp_path: Path, field: str, kind: str) -> None:
    """A binary that is missing or is none is named."""
    program = tmp_path / "program"
    if kind == "directory":
        program.mkdir()
    elif kind != "missing":
        program.write_bytes(b"\x00\x01\x02")
        program.chmod(0o600 if kind == "not executable" else 0o700)
    server.run("CREATE DATABASE shop")
    engine = MysqlEngine(MysqlSettings(**{field: program}), server.auth)

    with pytest.raises(DumpError, match="program") as caught:
        engine.dump("shop")

    assert_clear(caught.value)
    assert str(program) in caught.value.message


def test_engine_is_left_out_where_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without programs and settings the engine is not available; a setting makes it so."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("jetcore_dump_mysql.client._MORE_PATHS", ())

    assert not MysqlEngine(MysqlSettings(), None).available()
    assert MysqlEngine(MysqlSettings(), DatabaseAuth(host="db.example")).available()


def test_another_kind_of_program_is_told_apart(server: MariaDB, script: Callable[[str], str]) -> None:
    """A dump program that does not answer like one is not run."""
    server.run("CREATE DATABASE shop")
    engine = MysqlEngine(MysqlSettings(mysqldump=script("echo hello")), server.auth)

    with pytest.raises(DumpError, match=r"is not a dump program.*hello"):
        engine.dump("shop")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)", 2),
        ("mysqldump  Ver 10.13 Distrib 5.7.44, for Linux (x86_64)", 1),
        ("mariadb-dump from 11.8.2-MariaDB, client 10.20 for debian-linux-gnu (x86_64)", 0),
        ("mysqldump  Ver 10.19 Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)", 0),
    ],
)
def test_each_dump_program_gets_its_own_arguments(
    server: MariaDB, script: Callable[[str], str], version: str, expected: int
) -> None:
    """MySQL's program is told to leave out transaction ids and column statistics, which MariaDB's does not know."""
    server.run("CREATE DATABASE shop")
    body = f'case "$2" in --version) echo "{version}";; *) echo "$@"; echo; echo "-- Dump completed";; esac'
    engine = MysqlEngine(MysqlSettings(mysqldump=script(body)), server.auth)

    dump = read_dump(engine, "shop").decode()

    assert ("--set-gtid-purged=OFF" in dump) == (expected >= 1)
    assert ("--column-statistics=0" in dump) == (expected >= 2)
