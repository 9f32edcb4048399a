"""Notification integrations."""

from __future__ import annotations

import attrs
import pytest
from sqlalchemy import Connection, select

from jetcore.errors import BadInputError, MasterKeyError
from jetcore.model import Secret
from jetcore.settings.field import setting
from jetcore.settings.notifications import Frequency, Integration
from jetcore.settings.secret import MasterKey
from jetcore.state import integrations, tables


@attrs.frozen
class Slack:
    channel: str = setting(default="", title="Channel", help="Where.")
    token: Secret = setting(default=Secret(""), title="Token", help="Opens it.", secret=True)


OPS = Integration(
    name="ops", type="slack", warning=Frequency.DAILY, settings=Slack(channel="#ops", token=Secret("hunter2"))
)


def test_integration_comes_back_with_its_settings(connection: Connection, key: MasterKey) -> None:
    """It is listed without its settings, which open with the key alone."""
    added = integrations.add(connection, OPS, key)

    assert integrations.all(connection) == [attrs.evolve(added, settings=None)]
    found = integrations.get(connection, "ops")
    assert integrations.with_settings(connection, found, Slack, key) == added
    assert (found.information, found.warning, found.critical) == (Frequency.OFF, Frequency.DAILY, Frequency.REALTIME)
    assert "hunter2" not in str(connection.execute(select(tables.integrations)).all())
    with pytest.raises(MasterKeyError):
        integrations.with_settings(connection, found, Slack, MasterKey.generate())


def test_integration_is_changed_in_its_place(connection: Connection, key: MasterKey) -> None:
    """A new name and new settings keep its identity, and its secrets open under the new name."""
    added = integrations.add(connection, OPS, key)

    changed = integrations.replace(connection, "ops", attrs.evolve(OPS, name="team"), key)

    assert changed.uuid == added.uuid
    found = integrations.get(connection, "team")
    assert integrations.with_settings(connection, found, Slack, key).settings.token == Secret("hunter2")
    integrations.remove(connection, "team")
    assert integrations.all(connection) == []


def test_name_is_unique(connection: Connection, key: MasterKey) -> None:
    """Neither a new integration nor a renamed one takes the name of another."""
    integrations.add(connection, OPS, key)
    integrations.add(connection, attrs.evolve(OPS, name="team"), key)

    with pytest.raises(BadInputError, match="integration 'ops' already"):
        integrations.add(connection, OPS, key)
    with pytest.raises(BadInputError, match="integration 'ops' already"):
        integrations.replace(connection, "team", OPS, key)


def test_unknown_integration_is_an_error(connection: Connection, key: MasterKey) -> None:
    """A name that does not exist is an error with the nearest one."""
    integrations.add(connection, OPS, key)

    with pytest.raises(BadInputError, match="no notification integration 'opps'; did you mean ops"):
        integrations.remove(connection, "opps")
