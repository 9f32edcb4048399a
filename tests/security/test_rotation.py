"""Opening a database with its master key, and changing the key."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from sqlalchemy import Engine, select, text, update

from jetcore.errors import MasterKeyError, SettingsError, StateError
from jetcore.model import Account, DestinationConfig, Secret
from jetcore.security import master_key
from jetcore.security.rotation import install, rotate, unlock
from jetcore.settings.field import setting
from jetcore.settings.notifications import Integration
from jetcore.settings.secret import MasterKey
from jetcore.state import accounts, destinations, integrations, repositories, server, tables
from jetcore.state.engine import create_or_upgrade, make_engine, reading, writing
from jetcore.state.repositories import RepositoryRecord
from jetcore.state.settings import SettingsStore
from jetcore.testing.postgresql import PostgresqlServer, postgresql_server


@attrs.frozen
class Example:
    name: str = setting(default="", title="Name", help="Which.")
    password: Secret = setting(default=Secret(""), title="Password", help="Opens it.", secret=True)


EXAMPLE = Example(name="x", password=Secret("hunter2"))
RECORD = RepositoryRecord(
    account_uuid="a-1", destination_uuid="d-1", prefix="alice/", password=Secret("hunter3"), keys=Secret("hunter4")
)


def fill(engine: Engine, key: MasterKey) -> None:
    """Put secrets into every place that has some."""
    with writing(engine) as connection:
        server.register(connection, key)
        alice = Account(name="alice", panel="linux", home=Path("/home/alice"), uid=1, gid=1, uuid="a-1")
        accounts.remember(connection, alice)
        destinations.add(connection, DestinationConfig(name="d", type="x", uuid="d-1", settings=EXAMPLE), key)
        repositories.add(connection, RECORD, key)
        integrations.add(connection, Integration(name="ops", type="x", uuid="i-1", settings=EXAMPLE), key)
    SettingsStore(engine, key).save("example", EXAMPLE, "root")


def secrets_of(engine: Engine, key: MasterKey) -> list[object]:
    """Return everything that is sealed, opened with *key*."""
    with reading(engine) as connection:
        destination = destinations.get(connection, "d")
        integration = integrations.get(connection, "ops")
        return [
            repositories.get(connection, "a-1", "d-1", key),
            destinations.with_settings(connection, destination, Example, key).settings,
            integrations.with_settings(connection, integration, Example, key).settings,
            SettingsStore(engine, key).load("example", Example),
        ]


ALL = [RECORD, EXAMPLE, EXAMPLE, EXAMPLE]


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgresqlServer]:
    with postgresql_server() as running:
        yield running


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "master.key"


@pytest.fixture
def engine(tmp_path: Path, path: Path) -> Iterator[Engine]:
    """An SQLite database with secrets that are sealed with the key at *path*."""
    made = make_engine(f"sqlite:///{tmp_path / 'state.db'}")
    create_or_upgrade(made)
    fill(made, master_key.create(path))
    yield made
    made.dispose()


def test_rotation_seals_everything_anew(engine: Engine, path: Path) -> None:
    """Every secret opens with the new key and none with the old one, which is kept beside it."""
    former = master_key.load(path)

    done = rotate(engine, path)

    new = master_key.load(path)
    assert (new.id, former.id) == (done.id, done.former_id)
    assert secrets_of(engine, new) == ALL
    assert master_key.load(done.former) == former
    assert sorted(path.parent.glob("master.key*")) == [path, done.former]
    with pytest.raises(MasterKeyError):
        secrets_of(engine, former)
    with reading(engine) as connection:
        rows = [connection.execute(table.select()).all() for table in tables.metadata.sorted_tables]
    assert f"jcs1:{former.id}" not in str(rows)


def test_rotation_on_postgresql(postgresql: PostgresqlServer, path: Path) -> None:
    """The same holds on the other kind of database."""
    engine = make_engine(postgresql.create_database("rotated"))
    create_or_upgrade(engine)
    fill(engine, master_key.create(path))

    rotate(engine, path)

    assert secrets_of(engine, master_key.load(path)) == ALL
    engine.dispose()
    postgresql.drop_database("rotated")


def test_rotation_and_sealing_keep_each_other_out(postgresql: PostgresqlServer, path: Path) -> None:
    """On PostgreSQL, where several write at once, nothing is sealed with the old key while the new one comes in."""
    engine = make_engine(postgresql.create_database("contended"))
    create_or_upgrade(engine)
    key = master_key.create(path)
    fill(engine, key)
    wanted = select(tables.server).with_for_update(nowait=True)

    with writing(engine) as sealing:
        server.require_key(sealing, key)
        with pytest.raises(StateError, match="could not obtain lock"), writing(engine) as rotating:
            rotating.execute(wanted)
    with writing(engine) as rotating:
        server.lock(rotating)
        with pytest.raises(StateError, match="could not obtain lock"), writing(engine) as sealing:
            sealing.execute(wanted.with_for_update(read=True, nowait=True))

    engine.dispose()
    postgresql.drop_database("contended")


def test_rotation_can_be_killed_at_any_step(engine: Engine, path: Path, tmp_path: Path) -> None:
    """Wherever it is killed, the next one who opens the database has a key for everything, and can rotate again."""
    before = master_key.load(path)
    home, copies = tmp_path / "home", tmp_path / "copies"
    home.mkdir()
    # Closing the last connection brings everything into the one file.
    engine.dispose()
    for file in (path, tmp_path / "state.db"):
        (home / file.name).write_bytes(file.read_bytes())
        (home / file.name).chmod(0o600)

    script = Path(__file__).with_name("rotation_child.py")
    ran = subprocess.run([sys.executable, script, home, copies], capture_output=True, text=True, check=True)

    killed = [Path(line) for line in ran.stdout.split()]
    keys = []
    for copy in killed:
        opened = make_engine(f"sqlite:///{copy / 'state.db'}")
        key = unlock(opened, copy / "master.key").key
        assert secrets_of(opened, key) == ALL
        assert master_key.load(copy / "master.key") == key
        keys.append(key)
        rotate(opened, copy / "master.key")
        assert secrets_of(opened, master_key.load(copy / "master.key")) == ALL
        opened.dispose()
    # There are steps before the commit and after it.
    assert len(killed) > 10
    assert keys[0] == before
    assert len({key == before for key in keys[:-1]}) == 2


def test_secret_that_does_not_open_stops_the_rotation(engine: Engine, path: Path) -> None:
    """A damaged secret is named, and neither the key nor anything sealed has changed."""
    key = master_key.load(path)
    with writing(engine) as connection:
        connection.execute(update(tables.repositories).values(keys=f"jcs1:{key.id}:AAAA"))

    with pytest.raises(MasterKeyError, match=r"the secret repositories\.keys:a-1:d-1 is damaged"):
        rotate(engine, path)

    assert unlock(engine, path).key == key
    assert SettingsStore(engine, key).load("example", Example) == EXAMPLE


def test_section_that_cannot_be_read_stops_the_rotation(engine: Engine, path: Path) -> None:
    """Nobody knows which secrets are in it, so it has to be repaired first."""
    with writing(engine) as connection:
        connection.execute(text("UPDATE settings SET document = 'nonsense'"))

    with pytest.raises(SettingsError, match="example: what is stored is not JSON"):
        rotate(engine, path)


def test_missing_key_is_told(engine: Engine, path: Path) -> None:
    """Without its file nothing can be opened or rotated."""
    path.unlink()

    for act in (unlock, rotate):
        with pytest.raises(MasterKeyError, match=r"master\.key is missing"):
            act(engine, path)


def test_wrong_key_is_told_whatever_lies_beside_it(engine: Engine, path: Path) -> None:
    """A key that is not the database's is no key, also when there is a stray one beside it; nothing is moved."""
    right = master_key.load(path)
    path.unlink()
    wrong = master_key.create(path)
    master_key.create(path.with_name("master.key.new"))

    with pytest.raises(MasterKeyError, match=f"was sealed with master key {right.id}, not {wrong.id}"):
        unlock(engine, path)

    assert master_key.load(path) == wrong


def test_rotation_goes_over_an_abandoned_one(engine: Engine, path: Path) -> None:
    """A new key that never came to be used is replaced by the next rotation."""
    master_key.create(path.with_name("master.key.new"))

    rotate(engine, path)

    assert secrets_of(engine, master_key.load(path)) == ALL


def test_key_is_installed_where_it_belongs(engine: Engine, path: Path) -> None:
    """The right key takes the place of a missing or wrong one, which is kept; a wrong one is refused."""
    right = master_key.load(path)

    with pytest.raises(MasterKeyError, match="holds this key already"):
        install(engine, path, right)
    with pytest.raises(MasterKeyError, match="was sealed with master key"):
        install(engine, path, MasterKey.generate())

    path.unlink()
    assert install(engine, path, right) is None
    assert unlock(engine, path).key == right

    path.unlink()
    wrong = master_key.create(path)
    kept = install(engine, path, right)
    assert kept is not None
    assert master_key.load(kept) == wrong
    assert secrets_of(engine, unlock(engine, path).key) == ALL


def test_key_is_installed_before_there_is_a_database(tmp_path: Path, path: Path) -> None:
    """On a new server the key comes first; one that is there already is not replaced."""
    engine = make_engine(f"sqlite:///{tmp_path / 'state.db'}")
    create_or_upgrade(engine)
    key = MasterKey.generate()

    install(engine, path, key)

    assert master_key.load(path) == key
    with pytest.raises(MasterKeyError, match="there is a master key already"):
        install(engine, path, MasterKey.generate())
    engine.dispose()
