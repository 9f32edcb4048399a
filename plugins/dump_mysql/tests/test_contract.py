"""The contracts of jetcore, on a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from jetcore_dump_mysql import MysqlEngine, MysqlSettings

from jetcore import DatabaseAuth, DatabaseUser
from jetcore.testing import PluginContract
from jetcore.testing.engine import DumpEngineContract
from jetcore.testing.mariadb import MariaDB


class TestPlugin(PluginContract):
    plugin = "dump_mysql"


class TestEngine(DumpEngineContract):
    @pytest.fixture
    def engine(self, engine: MysqlEngine) -> MysqlEngine:
        return engine

    @pytest.fixture
    def contents(self, contents: Callable[[str], object]) -> Callable[[str], object]:
        return contents

    @pytest.fixture
    def unreachable(self, tmp_path) -> MysqlEngine:
        return MysqlEngine(MysqlSettings(), DatabaseAuth(socket=str(tmp_path / "nobody"), user="root"))

    @pytest.fixture
    def filled(self, server: MariaDB, everything: str) -> str:
        server.run(
            "CREATE USER shop@localhost IDENTIFIED BY 'it''s secret';"
            f"GRANT ALL PRIVILEGES ON {everything}.* TO shop@localhost WITH GRANT OPTION;"
            "CREATE USER shop@'10.%' IDENTIFIED BY 'another';"
            f"GRANT SELECT (id, v), INSERT ON {everything}.squeezed TO shop@'10.%';"
            f"GRANT EXECUTE ON PROCEDURE {everything}.speak TO shop@'10.%';"
        )
        return everything

    @pytest.fixture
    def spare(self) -> str:
        return "shop_copy"

    @pytest.fixture
    def change(self, server: MariaDB) -> Callable[[str], object]:
        return lambda database: server.run(
            "DELETE FROM no_key; UPDATE texts SET latin = 'x'; CREATE TABLE later (id INT); DROP VIEW `-v`;"
            "CREATE PROCEDURE later() SELECT 1; DROP TRIGGER numbers_in; DROP EVENT tock;"
            "ALTER DATABASE CHARACTER SET latin1;",
            database,
        )

    @pytest.fixture
    def forget_user(self, server: MariaDB) -> Callable[[DatabaseUser], object]:
        def forget(user: DatabaseUser) -> None:
            name, _, host = user.name.rpartition("@")
            server.run(f"DROP USER '{name}'@'{host}'")

        return forget
