"""Setting jetcore up on a server, and bringing it to a new version."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
from sqlalchemy import Engine

from jetcore.bootstrap import Bootstrap
from jetcore.core import Core
from jetcore.errors import StateError
from jetcore.model import Secret
from jetcore.security import master_key
from jetcore.security.rotation import Rotated, install, rotate, unlock
from jetcore.settings.secret import MasterKey
from jetcore.state import server
from jetcore.state.engine import REVISIONS, check_version, create_or_upgrade, make_engine, reading, revision_of, writing

#: Name of the destination that every new installation gets, and of its folder in the home directory.
FIRST_DESTINATION = "local"


@attrs.frozen(kw_only=True)
class Initialised:
    """What ``jetcore init`` did."""

    home: Path
    #: Whether the master key is new.
    new_key: bool
    #: What the administrator should know.
    warnings: tuple[str, ...]


def initialise(*, url: str | None = None, home: str | os.PathLike[str] | None = None) -> Initialised:
    """Make home directory, master key, state database and a first destination, each unless it is there already.

    :param url: URL of the state database; a SQLite file in the home directory if not given.
    :raises StateError: The home directory or the database cannot be made.
    :raises MasterKeyError: The key cannot be made, or is not the one that an existing database was sealed with.
    """
    bootstrap = Bootstrap.find(url=url, home=home)
    _make_home(bootstrap)
    create_or_upgrade(bootstrap.database_url)
    new_key = _key(bootstrap)
    bootstrap.save()
    warnings: list[str] = []
    if new_key:
        warnings.append(
            f"without the master key {bootstrap.master_key_file} no backup can be restored once this server is lost; "
            "keep what `jetcore key export` prints elsewhere"
        )
    with Core(bootstrap) as core:
        if not core.destinations():
            place = bootstrap.home / FIRST_DESTINATION
            core.add_destination(FIRST_DESTINATION, "local", [f"path={place}"], default=True)
            warnings.append(
                f"destination {FIRST_DESTINATION!r} is {place}, on this server: a copy on the same disk is no backup "
                "yet; add another one with: jetcore destinations add"
            )
    return Initialised(home=bootstrap.home, new_key=new_key, warnings=tuple(warnings))


def upgrade_state(*, home: str | os.PathLike[str] | None = None) -> str:
    """Bring the state database to this version and return its revision.

    :raises StateError: There is no database, or it is newer than this version.
    """
    create_or_upgrade(Bootstrap.find(home=home).database_url)
    return REVISIONS[-1]


@attrs.frozen(kw_only=True)
class KeyInfo:
    """The master key as it may be shown."""

    path: Path
    #: Tells keys apart and says nothing about the key itself.
    id: str


def show_key(*, home: str | os.PathLike[str] | None = None) -> KeyInfo:
    """Return which master key is in use, after making sure that it opens the database.

    :raises MasterKeyError: It is missing, or not the one that the database was sealed with.
    :raises StateError: The database cannot be used.
    """
    bootstrap = Bootstrap.find(home=home)
    with _engine(bootstrap) as engine:
        check_version(engine)
        return KeyInfo(path=bootstrap.master_key_file, id=unlock(engine, bootstrap.master_key_file).key.id)


def export_key(*, home: str | os.PathLike[str] | None = None) -> Secret:
    """Return the master key as a text, to be kept outside this server.

    :raises MasterKeyError: It is missing, or not the one that the database was sealed with.
    """
    bootstrap = Bootstrap.find(home=home)
    try:
        with _engine(bootstrap) as engine:
            return unlock(engine, bootstrap.master_key_file).key.to_text()
    except StateError:
        # A lost database is when the key is needed most.
        return master_key.load(bootstrap.master_key_file).to_text()


def import_key(text: Secret, *, home: str | os.PathLike[str] | None = None) -> tuple[KeyInfo, Path | None]:
    """Put an exported master key back, in the place of a missing or wrong one.

    On a new server it comes before ``jetcore init``: where there is no database yet, an empty one is made.

    :param text: What :func:`export_key` returned.
    :returns: The key, and where a wrong one that was there before is kept.
    :raises MasterKeyError: The text is no key, or not the one that the database was sealed with.
    :raises StateError: The database cannot be used.
    """
    bootstrap = Bootstrap.find(home=home)
    key = MasterKey.from_text(text)
    _make_home(bootstrap)
    with _engine(bootstrap) as engine:
        if not _has_tables(engine):
            create_or_upgrade(engine)
        check_version(engine)
        kept = install(engine, bootstrap.master_key_file, key)
    return KeyInfo(path=bootstrap.master_key_file, id=key.id), kept


def rotate_key(*, home: str | os.PathLike[str] | None = None) -> Rotated:
    """Seal everything in the database with a new master key, which takes the place of the present one.

    :raises MasterKeyError: The key is missing or another one, or a secret does not open with it; nothing has changed.
    :raises StateError: The database cannot be used.
    """
    bootstrap = Bootstrap.find(home=home)
    with _engine(bootstrap) as engine:
        check_version(engine)
        return rotate(engine, bootstrap.master_key_file)


def _key(bootstrap: Bootstrap) -> bool:
    """Make the master key if the database has none yet; say whether it is new."""
    with _engine(bootstrap) as engine:
        new = not bootstrap.master_key_file.exists()
        with writing(engine) as connection:
            if new and server.is_registered(connection):
                # A new key would make everything that was sealed with the lost one unreadable for good.
                master_key.load(bootstrap.master_key_file)
            if not server.is_registered(connection):
                make = master_key.create if new else master_key.load
                server.register(connection, make(bootstrap.master_key_file))
        # Also after a rotation that was interrupted.
        unlock(engine, bootstrap.master_key_file)
    return new


def _make_home(bootstrap: Bootstrap) -> None:
    try:
        bootstrap.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(
            f"cannot make {bootstrap.home}: {error.strerror}", hint="run it as root, or give --home"
        ) from error


def _has_tables(engine: Engine) -> bool:
    if engine.dialect.name == "sqlite" and not Path(str(engine.url.database)).exists():
        return False
    with reading(engine) as connection:
        return revision_of(connection) is not None


@contextmanager
def _engine(bootstrap: Bootstrap) -> Iterator[Engine]:
    engine = make_engine(bootstrap.database_url)
    try:
        yield engine
    finally:
        engine.dispose()
