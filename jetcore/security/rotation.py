"""The master key and the database that is sealed with it: opening the two together, and changing the key.

A rotation can be killed at any point. The new key lies beside the old one, as ``master.key.new``, before the one
transaction that seals every secret anew; after it, the new key takes the old one's place. Whoever opens the database in
between finds out which of the two it is sealed with, and finishes the work.
"""

from __future__ import annotations

import os
from pathlib import Path

import attrs
from sqlalchemy import Connection, Engine

from jetcore.errors import MasterKeyError
from jetcore.security import master_key
from jetcore.settings.secret import MasterKey
from jetcore.state import destinations, integrations, repositories, server, settings
from jetcore.state.engine import reading, writing


@attrs.frozen(kw_only=True)
class Unlocked:
    """The key of a database, and whose database it is."""

    key: MasterKey
    #: Identity of the installation.
    uuid: str


@attrs.frozen(kw_only=True)
class Rotated:
    """What a rotation did."""

    #: Id of the key that is in use now.
    id: str
    former_id: str
    #: Where the former key is kept, which older copies of the database need.
    former: Path


def unlock(engine: Engine, path: Path) -> Unlocked:
    """Return the key that the database is sealed with, after finishing a rotation that was interrupted.

    :param path: The master key file.
    :raises MasterKeyError: The key is missing or another one.
    :raises StateError: The database cannot be used.
    """
    with reading(engine) as connection:
        try:
            return _try(connection, path)
        except MasterKeyError:
            if not _new(path).exists():
                raise
    with writing(engine) as connection:
        server.lock(connection)
        _settle(connection, path)
        return _try(connection, path)


def rotate(engine: Engine, path: Path) -> Rotated:
    """Seal everything in the database with a new key, which takes the place of the one in the file at *path*.

    :raises MasterKeyError: The key is missing or another one, or a secret does not open with it; nothing has changed.
    :raises StateError: The database cannot be used.
    """
    unlock(engine, path)
    new = MasterKey.generate()
    with writing(engine) as connection:
        # Kept until the commit: no other rotation, and nobody who seals something with the old key.
        server.lock(connection)
        former = _try(connection, path).key
        # Left over from a rotation that did not come to its commit: the database is sealed with the key at *path*.
        _new(path).unlink(missing_ok=True)
        master_key.save(_new(path), new)
        for noun in (server, repositories, destinations, integrations, settings):
            noun.reseal(connection, former, new)
    unlock(engine, path)
    return Rotated(id=new.id, former_id=former.id, former=_kept(path, former))


def install(engine: Engine, path: Path, key: MasterKey) -> Path | None:
    """Put *key* into the file at *path* if it is the one that the database is sealed with.

    :returns: Where a wrong key that was there before is kept; None if there was none.
    :raises MasterKeyError: The database is sealed with another key, or the file holds the right one already.
    """
    with writing(engine) as connection:
        server.lock(connection)
        if server.is_registered(connection):
            server.identify(connection, key)
        try:
            present = master_key.load(path)
        except MasterKeyError:
            if os.path.lexists(path):
                raise
            master_key.save(path, key)
            return None
        if present == key:
            raise MasterKeyError(f"{path} holds this key already")
        if not server.is_registered(connection):
            raise MasterKeyError(f"there is a master key already: {path}", hint="move it away if you really mean it")
        _new(path).unlink(missing_ok=True)
        master_key.save(_new(path), key)
        _settle(connection, path)
        return _kept(path, present)


def _try(connection: Connection, path: Path) -> Unlocked:
    key = master_key.load(path)
    return Unlocked(key=key, uuid=server.identify(connection, key))


def _settle(connection: Connection, path: Path) -> None:
    """Put the new key into the place of the old one if the database is sealed with it; the old one is kept."""
    try:
        _try(connection, _new(path))
    except MasterKeyError:
        # Another process was faster, or the rotation did not come to its commit.
        return
    try:
        former = master_key.load(path)
        os.link(path, _kept(path, former))
    except (MasterKeyError, FileExistsError):
        # What is no key need not be kept; what is kept already was kept by an attempt that was interrupted.
        pass
    _new(path).rename(path)
    master_key.sync_directory(path.parent)


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _kept(path: Path, former: MasterKey) -> Path:
    return path.with_name(f"{path.name}.{former.id}.old")
