"""The dump engines of a server, and how each reaches its database server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
from sqlalchemy import Engine

from jetcore import BadInputError, DatabaseAuth, DumpEngine, Panel, Secret, setting, shared
from jetcore.backup.engines import Engines, find_engines
from jetcore.settings.mysql import Mysql
from jetcore.settings.panel import PanelSettings
from jetcore.settings.secret import MasterKey
from jetcore.state.engine import create_or_upgrade, make_engine
from jetcore.state.settings import SettingsStore


@attrs.frozen
class Settings:
    own: int = setting(default=1, title="Own", help="Its own.")
    force: bool = shared("mysql.force", default=True)


class FakeEngine:
    """An engine that remembers what it was built with."""

    Settings: ClassVar[type[Any] | None] = Settings

    def __init__(self, settings: Any, auth: DatabaseAuth | None) -> None:
        self.settings = settings
        self.auth = auth

    def available(self) -> bool:
        return True


class AbsentEngine(FakeEngine):
    def available(self) -> bool:
        return False


class BrokenEngine(FakeEngine):
    def __init__(self, settings: Any, auth: DatabaseAuth | None) -> None:
        raise ZeroDivisionError("oops")


@attrs.frozen
class FakePlugins:
    engines: Mapping[str, type[Any]]
    infos: tuple[Any, ...] = ()

    def dump_engines(self) -> Mapping[str, type[DumpEngine]]:
        return self.engines

    def plugin_of(self, kind: type[Any]) -> str:
        return "dump_fake"


@attrs.frozen
class FakePanel:
    auth: DatabaseAuth | None = None

    def database_auth(self, engine: str) -> DatabaseAuth | None:
        return self.auth


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    made = make_engine(f"sqlite:///{tmp_path / 'state.db'}")
    create_or_upgrade(made)
    yield made
    made.dispose()


@pytest.fixture
def store(database: Engine) -> SettingsStore:
    return SettingsStore(database, MasterKey.generate())


def find(store: SettingsStore, panel: Any = FakePanel(), **engines: type[Any]) -> Engines:  # frozen
    plugins: Any = FakePlugins(engines)
    asked: Panel = panel
    return find_engines(plugins, asked, store)


def auth_of(found: Engines, name: str) -> DatabaseAuth | None:
    engine: Any = found.working[name]
    auth: DatabaseAuth | None = engine.auth
    return auth


@pytest.mark.parametrize(("engine", "prefix"), [("mysql", "mysql"), ("postgresql", "pg"), ("mongodb", "mongodb")])
def test_panel_settings_say_how_the_server_is_reached(store: SettingsStore, engine: str, prefix: str) -> None:
    """What is set for the engine counts once it is enabled, and a path is that of a socket."""
    words: dict[str, Any] = {"host": "db.example", "port": 99, "user": "jet", "password": Secret("hunter2")}
    store.save("panel", PanelSettings(**{f"{prefix}_{name}": value for name, value in words.items()}), "root")
    assert auth_of(find(store, **{engine: FakeEngine}), engine) is None

    store.assign("panel", PanelSettings, [f"{prefix}_enabled=yes"], who="root")
    assert auth_of(find(store, **{engine: FakeEngine}), engine) == DatabaseAuth(**words)

    store.assign("panel", PanelSettings, [f"{prefix}_host=/run/db.sock"], who="root")
    assert auth_of(find(store, **{engine: FakeEngine}), engine) == DatabaseAuth(
        socket="/run/db.sock", user="jet", password=Secret("hunter2")
    )


def test_mongodb_has_its_auth_database(store: SettingsStore) -> None:
    """The database of the user goes along."""
    store.save("panel", PanelSettings(mongodb_enabled=True, mongodb_auth_database="admin"), "root")

    found = auth_of(find(store, mongodb=FakeEngine), "mongodb")

    assert found is not None
    assert found.auth_database == "admin"


def test_panel_itself_knows_better(store: SettingsStore) -> None:
    """A panel that says how its server is reached is believed before the settings."""
    store.save("panel", PanelSettings(mysql_enabled=True), "root")
    own = DatabaseAuth(socket="/panel.sock")

    assert auth_of(find(store, FakePanel(own), mysql=FakeEngine), "mysql") == own


def test_settings_of_this_moment_count(store: SettingsStore) -> None:
    """An engine finds jetcore's own settings among its own, as they are when it is asked for."""
    store.save("mysql", Mysql(force=False), "root")
    first: Any = find(store, mysql=FakeEngine).working["mysql"]
    store.save("mysql", Mysql(force=True), "root")
    second: Any = find(store, mysql=FakeEngine).working["mysql"]

    assert (first.settings.force, second.settings.force) == (False, True)


def test_engine_that_cannot_be_used_is_told(store: SettingsStore) -> None:
    """One that fails has its reason, one that the server does not use is left out without a word."""
    found = find(store, mysql=BrokenEngine, postgresql=AbsentEngine, mongodb=FakeEngine)

    assert list(found.working) == ["mongodb"]
    assert found.broken == {"mysql": "ZeroDivisionError: oops"}


def test_wrong_settings_break_the_engine_only(store: SettingsStore) -> None:
    """Settings that an engine cannot be built with are its reason."""
    with pytest.raises(BadInputError):
        store.assign("dump_fake", Settings, ["own=x"], who="root")
    store.save("dump_fake", Mysql(opt=False), "somebody else")

    assert "dump_fake.opt: there is no such setting" in find(store, mysql=FakeEngine).broken["mysql"]
