"""Setting jetcore up on a server, and bringing it to a new version."""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from jetcore.bootstrap import Bootstrap
from jetcore.core import Core
from jetcore.errors import StateError
from jetcore.security import master_key
from jetcore.state import server
from jetcore.state.engine import REVISIONS, create_or_upgrade, make_engine, writing

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
    try:
        bootstrap.home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(
            f"cannot make {bootstrap.home}: {error.strerror}", hint="run it as root, or give --home"
        ) from error
    create_or_upgrade(bootstrap.database_url)
    new_key = _key(bootstrap)
    bootstrap.save()
    warnings: list[str] = []
    if new_key:
        warnings.append(
            f"without the master key {bootstrap.master_key_file} no backup can be restored once this server is lost; "
            "keep a copy of it elsewhere"
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


def _key(bootstrap: Bootstrap) -> bool:
    """Make the master key if the database has none yet; say whether it is new."""
    engine = make_engine(bootstrap.database_url)
    try:
        new = not bootstrap.master_key_file.exists()
        with writing(engine) as connection:
            if new and server.is_registered(connection):
                # A new key would make everything that was sealed with the lost one unreadable for good.
                master_key.load(bootstrap.master_key_file)
            key = master_key.create(bootstrap.master_key_file) if new else master_key.load(bootstrap.master_key_file)
            server.register(connection, key)
    finally:
        engine.dispose()
    return new
