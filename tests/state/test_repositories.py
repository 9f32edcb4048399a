"""The repository of each account at each destination."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from sqlalchemy import Connection, select, update

from jetcore.errors import MasterKeyError, StateError
from jetcore.model import Secret
from jetcore.settings.secret import MasterKey
from jetcore.state import accounts, repositories, tables
from jetcore.state.repositories import RepositoryRecord


@pytest.fixture
def record(world: Any) -> RepositoryRecord:
    return RepositoryRecord(
        account_uuid=world.account.uuid,
        destination_uuid=world.destination.uuid,
        prefix="alice-1a2b3c4d/",
        password=Secret("correct horse"),
    )


def test_record_comes_back(connection: Connection, key: MasterKey, record: RepositoryRecord) -> None:
    """A repository is read back equal; of its secrets nothing stands in the table."""
    record = attrs.evolve(record, keys=Secret('{"encrypt": "battery"}'))
    repositories.add(connection, record, key)

    assert repositories.get(connection, record.account_uuid, record.destination_uuid, key) == record
    stored = str(connection.execute(select(tables.repositories)).all())
    assert "horse" not in stored
    assert "battery" not in stored


def test_account_without_repository_has_none(connection: Connection, key: MasterKey, world: Any) -> None:
    """Before the first backup there is no record."""
    assert repositories.get(connection, world.account.uuid, world.destination.uuid, key) is None


def test_second_repository_is_refused(connection: Connection, key: MasterKey, record: RepositoryRecord) -> None:
    """An account has one repository at a destination: a second one would hide the first."""
    repositories.add(connection, record, key)

    with pytest.raises(StateError, match="refused a change"), connection.begin_nested():
        repositories.add(connection, attrs.evolve(record, prefix="other/"), key)


def test_prefix_belongs_to_one_account(
    connection: Connection, key: MasterKey, record: RepositoryRecord, an_account: Any
) -> None:
    """Two accounts never share a folder at a destination."""
    repositories.add(connection, record, key)
    bob = accounts.remember(connection, an_account("bob"))

    with pytest.raises(StateError, match="refused a change"), connection.begin_nested():
        repositories.add(connection, attrs.evolve(record, account_uuid=bob.uuid), key)


def test_secrets_can_be_changed(connection: Connection, key: MasterKey, record: RepositoryRecord) -> None:
    """Password and keys are replaced; a repository that is not there is an error."""
    repositories.add(connection, record, key)
    changed = attrs.evolve(record, password=Secret("new"), keys=Secret("known now"))

    repositories.change_secrets(connection, changed, key)

    assert repositories.get(connection, record.account_uuid, record.destination_uuid, key) == changed
    with pytest.raises(StateError, match="no repository"):
        repositories.change_secrets(connection, attrs.evolve(record, account_uuid="nobody"), key)


def test_other_key_opens_nothing(connection: Connection, key: MasterKey, record: RepositoryRecord) -> None:
    """With another master key the error is one clear line."""
    repositories.add(connection, record, key)

    with pytest.raises(MasterKeyError, match=r"repositories\.password:.* was sealed with master key"):
        repositories.get(connection, record.account_uuid, record.destination_uuid, MasterKey.generate())


def test_password_does_not_open_as_keys(connection: Connection, key: MasterKey, record: RepositoryRecord) -> None:
    """A sealed secret that is copied to another column does not open there."""
    repositories.add(connection, record, key)
    connection.execute(update(tables.repositories).values(keys=tables.repositories.c.password))

    with pytest.raises(MasterKeyError, match="copied there from elsewhere"):
        repositories.get(connection, record.account_uuid, record.destination_uuid, key)
