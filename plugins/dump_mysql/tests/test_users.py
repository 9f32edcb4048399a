"""Users: the account's own, with what they may do in its databases, and nobody else's."""

from __future__ import annotations

import pytest
from jetcore_dump_mysql import MysqlEngine, MysqlSettings

from jetcore import DatabaseAuth, DatabaseUser, RestoreError, Secret
from jetcore.testing.engine import assert_clear
from jetcore.testing.mariadb import MariaDB


@pytest.fixture(autouse=True)
def databases(server: MariaDB) -> None:
    """Make databases of two accounts, whose names differ in a sign that is a wildcard in grants."""
    server.run(
        "CREATE DATABASE shop_a; CREATE DATABASE shop_b; CREATE DATABASE shopxa;"
        "CREATE TABLE shop_a.t (id INT, v INT); CREATE PROCEDURE shop_a.p() SELECT 1;"
        "CREATE FUNCTION shop_a.f() RETURNS INT DETERMINISTIC RETURN 1;"
    )


OWN = ["shop_a", "shop_b"]


def grants_of(engine: MysqlEngine, databases: list[str]) -> dict[str, list[str]]:
    return {
        user.name: [line for line in user.definition.decode().splitlines() if line.startswith("GRANT")]
        for user in engine.users(databases)
    }


@pytest.mark.parametrize(
    ("grant", "handed_over"),
    [
        ("ALL PRIVILEGES ON `shop_a`.*", True),
        ("ALL PRIVILEGES ON `shop\\_a`.*", True),
        ("SELECT, INSERT ON `shop\\_%`.*", True),
        ("SELECT (`id`), UPDATE (`v`) ON `shop_a`.`t`", True),
        ("EXECUTE ON PROCEDURE `shop_a`.`p`", True),
        ("EXECUTE ON FUNCTION `shop_a`.`f`", True),
        ("SELECT ON `shop_%`.*", False),
        ("SELECT ON `shop%`.*", False),
        ("SELECT ON `%`.*", False),
        ("SELECT ON `%\\_a`.*", False),
        ("SELECT ON `shopxa`.*", False),
        ("SELECT ON `nowhere`.*", False),
    ],
)
def test_only_privileges_in_own_databases(server: MariaDB, engine: MysqlEngine, grant: str, handed_over: bool) -> None:
    """A privilege is handed over only if it reaches the wanted databases and no other."""
    server.run(f"CREATE USER shop@localhost; GRANT {grant} TO shop@localhost")

    found = grants_of(engine, OWN)

    assert found == ({"shop@localhost": [f"GRANT {grant} TO `shop`@`localhost`;"]} if handed_over else {})


def test_other_privileges_of_the_same_user_stay_out(server: MariaDB, engine: MysqlEngine) -> None:
    """Of a user of two accounts only the one's privileges are handed over."""
    server.run(
        "CREATE USER twin@localhost; GRANT SELECT ON shop_a.* TO twin@localhost;GRANT ALL ON shopxa.* TO twin@localhost"
    )

    (user,) = engine.users(OWN)

    assert user.databases == ("shop_a",)
    assert b"shopxa" not in user.definition


@pytest.mark.parametrize("privilege", ["ALL PRIVILEGES", "SELECT", "FILE", "SUPER", "CREATE USER", "RELOAD"])
def test_administrators_stay_out(server: MariaDB, engine: MysqlEngine, privilege: str) -> None:
    """A user with any global privilege is nobody's, even if it also has privileges in the account's databases."""
    server.run(
        f"CREATE USER chief@localhost; GRANT {privilege} ON *.* TO chief@localhost;"
        "GRANT ALL ON shop_a.* TO chief@localhost"
    )
    server.run("GRANT ALL ON shop_a.* TO root@localhost")

    assert engine.users(OWN) == []
    server.run("REVOKE ALL ON shop_a.* FROM root@localhost")


def test_roles_stay_out(server: MariaDB, engine: MysqlEngine) -> None:
    """Neither roles nor membership in them are handed over."""
    server.run(
        "CREATE ROLE staff; GRANT ALL ON shop_a.* TO staff; CREATE USER shop@localhost; GRANT staff TO shop@localhost;"
        "GRANT SELECT ON shop_a.* TO shop@localhost; SET DEFAULT ROLE staff FOR shop@localhost"
    )

    found = grants_of(engine, OWN)
    server.run("DROP ROLE staff")

    assert found == {"shop@localhost": ["GRANT SELECT ON `shop_a`.* TO `shop`@`localhost`;"]}


def test_rows_of_users_that_are_gone_do_no_harm(server: MariaDB, engine: MysqlEngine) -> None:
    """Privileges of a user that was removed by hand are passed over."""
    server.run("INSERT INTO mysql.db (Host, Db, User, Select_priv) VALUES ('localhost', 'shop_a', 'ghost', 'Y')")

    found = engine.users(OWN)
    server.run("DELETE FROM mysql.db WHERE User = 'ghost'")

    assert found == []


def test_everything_of_a_user_comes_back(server: MariaDB, engine: MysqlEngine) -> None:
    """Password hash, host, limits, lock, expiry and each privilege are the same after removal and restore."""
    server.run(
        "CREATE USER 'o''d`d\\\\\"'@'10.0.0.%' IDENTIFIED BY 'secret' REQUIRE SSL WITH MAX_QUERIES_PER_HOUR 7 "
        "PASSWORD EXPIRE INTERVAL 90 DAY ACCOUNT LOCK;"
        "GRANT SELECT, INSERT ON `shop\\_a`.* TO 'o''d`d\\\\\"'@'10.0.0.%' WITH GRANT OPTION;"
        "GRANT SELECT (id) ON shop_a.t TO 'o''d`d\\\\\"'@'10.0.0.%';"
        "GRANT EXECUTE ON PROCEDURE shop_a.p TO 'o''d`d\\\\\"'@'10.0.0.%';"
    )
    question = "SHOW CREATE USER 'o''d`d\\\\\"'@'10.0.0.%'; SHOW GRANTS FOR 'o''d`d\\\\\"'@'10.0.0.%'"
    before = sorted(server.run(question))
    (user,) = engine.users(OWN)
    server.run("DROP USER 'o''d`d\\\\\"'@'10.0.0.%'")

    engine.restore_user(user)
    engine.restore_user(user)

    assert user.name == "o'd`d\\\"@10.0.0.%"
    assert sorted(server.run(question)) == before


def test_password_is_that_of_the_backup(server: MariaDB, engine: MysqlEngine) -> None:
    """A user that exists gets the password back that it had."""
    server.run("CREATE USER shop@localhost IDENTIFIED BY 'then'; GRANT ALL ON shop_a.* TO shop@localhost")
    (user,) = engine.users(OWN)
    server.run("ALTER USER shop@localhost IDENTIFIED BY 'now'")

    engine.restore_user(user)

    auth = DatabaseAuth(socket=str(server.socket), user="shop", password=Secret("then"))
    assert [database.name for database in MysqlEngine(MysqlSettings(), auth).databases()] != []


@pytest.mark.parametrize("name", ["root@localhost", "chief@localhost", "mariadb.sys@localhost"])
def test_administrator_of_that_name_is_left_alone(server: MariaDB, engine: MysqlEngine, name: str) -> None:
    """A user of an account never becomes, or changes, one that administers this server."""
    server.run("CREATE USER chief@localhost; GRANT RELOAD ON *.* TO chief@localhost")
    user, _, host = name.partition("@")
    before = server.run(f"SHOW CREATE USER '{user}'@'{host}'")
    taken = DatabaseUser(name=name, definition=f"ALTER USER '{user}'@'{host}' IDENTIFIED BY 'mine';\n".encode())

    with pytest.raises(RestoreError, match="administers this server") as caught:
        engine.restore_user(taken)

    assert_clear(caught.value)
    assert server.run(f"SHOW CREATE USER '{user}'@'{host}'") == before


def test_refusal_shows_no_password_hash(server: MariaDB, engine: MysqlEngine) -> None:
    """What the server says of a definition that it refuses is passed on without the definition."""
    user = DatabaseUser(
        name="shop@localhost",
        definition=b"CREATE USER IF NOT EXISTS shop@localhost IDENTIFIED VIA no_such_plugin USING '*C0FFEE';\n",
    )

    with pytest.raises(RestoreError, match="shop@localhost") as caught:
        engine.restore_user(user)

    assert_clear(caught.value)
    assert "C0FFEE" not in str(caught.value)
