"""Fresh state databases, on both engines."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import attrs
import pytest
from sqlalchemy import Connection, Engine

from jetcore.model import Account, Contains, DestinationConfig, Outcome, Part, PartReport, RestorePoint
from jetcore.settings.secret import MasterKey
from jetcore.state import accounts, destinations
from jetcore.state.engine import create_or_upgrade, make_engine, writing
from jetcore.testing.postgresql import PostgresqlServer, postgresql_server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresqlServer]:
    with postgresql_server() as server:
        # Copied for each test, which is faster than migrating anew.
        create_or_upgrade(server.create_database("migrated"))
        yield server


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables, to be copied for each test."""
    path = tmp_path_factory.mktemp("migrated") / "state.db"
    create_or_upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of a database without tables; for SQLite there is no file yet."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state.db'}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = f"empty{next(_numbers)}"
    yield server.create_database(name)
    server.drop_database(name)


@pytest.fixture
def empty_engine(empty_url: str) -> Iterator[Engine]:
    engine = make_engine(empty_url)
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a database with all tables, and nothing in them."""
    if request.param == "sqlite":
        yield request.getfixturevalue("sqlite_url")
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    name = f"state{next(_numbers)}"
    yield server.create_database(name, template="migrated")
    server.drop_database(name)


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write."""
    with writing(engine) as connection:
        yield connection


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """URL of an SQLite file with all tables, and nothing in them."""
    return f"sqlite:///{shutil.copy(migrated_file, tmp_path / 'state.db')}"


@pytest.fixture
def key() -> MasterKey:
    return MasterKey.generate()


@attrs.frozen
class World:
    """An account and a destination that are in the database."""

    account: Account
    destination: DestinationConfig

    def point(self, number: int, *, created: datetime | None = None) -> RestorePoint:
        """Return a restore point of the account at the destination that has not been added."""
        return RestorePoint(
            id=f"{number:08x}" + "0" * 56,
            account=self.account.name,
            account_uuid=self.account.uuid,
            destination=self.destination.name,
            created=created or datetime(2024, 2, 3, 4, 5, number, 123456, tzinfo=UTC),
            outcome=Outcome.PARTIAL,
            parts=(
                PartReport(
                    part=Part(Contains.HOMEDIR), outcome=Outcome.COMPLETED, path="/homedir", files=3, bytes=2**40
                ),
                PartReport(
                    part=Part(Contains.DATABASES, "alice_shop", "mysql"),
                    outcome=Outcome.FAILED,
                    messages=("the dump broke off", "and so did the second"),
                ),
            ),
            files=3,
            bytes=2**40,
            added_bytes=17,
        )


class AnAccount(Protocol):
    def __call__(self, name: str = "alice", **changes: object) -> Account: ...


@pytest.fixture
def an_account() -> AnAccount:
    """Return what makes an account as a panel hands it over."""

    def make(name: str = "alice", **changes: object) -> Account:
        facts: dict[str, object] = {"panel": "linux", "home": Path("/home") / name, "uid": 1000, "gid": 1000} | changes
        return Account(name=name, **facts)  # type: ignore[arg-type]  # facts of a test

    return make


@pytest.fixture
def world(connection: Connection, key: MasterKey, an_account: AnAccount) -> World:
    """An account and a destination in the database."""
    destinations.add(connection, DestinationConfig(name="local", type="local", uuid="d-1"), key)
    return World(accounts.remember(connection, an_account()), destinations.get(connection, "local"))
