"""Who the installation is."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from jetcore.errors import MasterKeyError, StateError
from jetcore.settings.secret import MasterKey
from jetcore.state import server


def test_installation_keeps_its_uuid(connection: Connection, key: MasterKey) -> None:
    """The uuid that the first set-up gave is the same for ever."""
    assert not server.is_registered(connection)
    first = server.register(connection, key)

    assert server.is_registered(connection)
    assert server.register(connection, key) == first
    assert server.identify(connection, key) == first


def test_wrong_key_is_noticed_at_once(connection: Connection, key: MasterKey) -> None:
    """A key that did not seal the database's secrets is refused before any of them is needed."""
    server.register(connection, key)

    with pytest.raises(MasterKeyError, match="sealed with master key"):
        server.identify(connection, MasterKey.generate())
    with pytest.raises(MasterKeyError, match="sealed with master key"):
        server.register(connection, MasterKey.generate())


def test_database_that_was_not_set_up_says_so(connection: Connection, key: MasterKey) -> None:
    """Without the row there is nothing to check the key against."""
    with pytest.raises(StateError, match="run: jetcore init"):
        server.identify(connection, key)


def test_proof_taken_from_another_installation_is_refused(connection: Connection, key: MasterKey) -> None:
    """The proof holds for the installation's own uuid only."""
    server.register(connection, key)
    connection.execute(text("UPDATE server SET uuid = 'another'"))

    with pytest.raises(MasterKeyError, match="changed by hand"):
        server.identify(connection, key)
