"""What was set for single accounts."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from jetcore.errors import BadInputError
from jetcore.settings.overrides import AccountOverrides
from jetcore.settings.priorities import PriorityGroup
from jetcore.state import overrides, priorities

from .conftest import World

FULL = AccountOverrides(priority_group="High", on_demand_retain=0, tags=("shop", "vip"))


def test_account_begins_without_overrides(connection: Connection, world: World) -> None:
    """Nothing is set for an account until somebody sets it."""
    assert overrides.get(connection, world.account.uuid) == AccountOverrides()


def test_overrides_come_back_and_go(connection: Connection, world: World) -> None:
    """What was set is found again, replaced as a whole, and gone when it is taken back."""
    overrides.set(connection, world.account.uuid, FULL)
    assert overrides.get(connection, world.account.uuid) == FULL

    overrides.set(connection, world.account.uuid, AccountOverrides(tags=("x",)))
    assert overrides.get(connection, world.account.uuid) == AccountOverrides(tags=("x",))

    overrides.set(connection, world.account.uuid, AccountOverrides())
    assert overrides.get(connection, world.account.uuid) == AccountOverrides()


def test_override_follows_a_renamed_group(connection: Connection, world: World) -> None:
    """An account stays in its group when that gets another name."""
    overrides.set(connection, world.account.uuid, FULL)

    priorities.replace(connection, "High", PriorityGroup(name="First"))

    assert overrides.get(connection, world.account.uuid).priority_group == "First"


def test_unknown_group_changes_nothing(connection: Connection, world: World) -> None:
    """A group that does not exist is named, and what was set stays."""
    overrides.set(connection, world.account.uuid, FULL)

    with pytest.raises(BadInputError, match="no priority group 'Hihg'"):
        overrides.set(connection, world.account.uuid, AccountOverrides(priority_group="Hihg"))

    assert overrides.get(connection, world.account.uuid) == FULL


@pytest.mark.parametrize("wrong", [{"on_demand_retain": 100}, {"on_demand_retain": -1}, {"priority_group": ""}])
def test_limits_of_overrides(wrong: dict[str, object]) -> None:
    """An account can have 0 to 99 backups on demand, and a group has a name."""
    with pytest.raises(ValueError, match="must"):
        AccountOverrides(**wrong)
