"""Queue priority groups."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine

from jetcore.errors import BadInputError
from jetcore.settings.overrides import AccountOverrides
from jetcore.settings.performance import Performance
from jetcore.settings.priorities import PriorityGroup
from jetcore.settings.secret import MasterKey
from jetcore.state import accounts, overrides, priorities
from jetcore.state.engine import writing
from jetcore.state.settings import SettingsStore

from .conftest import AnAccount, World

NIGHT = PriorityGroup(name="Night", backup=70, restore=5, download=60, clone=80, tags=("slow",))


def names(connection: Connection) -> list[str]:
    return [group.name for group in priorities.all(connection)]


def test_three_groups_are_shipped(connection: Connection) -> None:
    """A new database has High, Normal and Low, and Normal is the default."""
    high, normal, low = priorities.all(connection)

    assert high == PriorityGroup(name="High", backup=10, restore=10, download=10, clone=10)
    assert normal == PriorityGroup(name="Normal", backup=50, restore=50, download=50, clone=50, default=True)
    assert low == PriorityGroup(name="Low", backup=90, restore=90, download=90, clone=90)


def test_group_comes_back(connection: Connection) -> None:
    """A group that was added is listed by its urgency and found by its name."""
    priorities.add(connection, NIGHT)

    assert priorities.get(connection, "Night") == NIGHT
    assert names(connection) == ["High", "Normal", "Night", "Low"]


def test_group_takes_the_place_of_another(connection: Connection) -> None:
    """A change, also of the name, leaves one group in the place of the old one."""
    priorities.add(connection, NIGHT)
    day = PriorityGroup(name="Day", tags=("slow", "fast"))

    priorities.replace(connection, "Night", day)

    assert priorities.get(connection, "Day") == day
    assert "Night" not in names(connection)


def test_there_is_always_one_default(connection: Connection) -> None:
    """Making a group the default takes it from the other; the default itself cannot give it up or be deleted."""
    priorities.add(connection, PriorityGroup(name="Night", default=True))
    assert [group.name for group in priorities.all(connection) if group.default] == ["Night"]
    priorities.replace(connection, "Low", PriorityGroup(name="Low", default=True))
    assert [group.name for group in priorities.all(connection) if group.default] == ["Low"]

    with pytest.raises(BadInputError, match="'Low' is the default and stays it; make another group the default"):
        priorities.replace(connection, "Low", PriorityGroup(name="Low"))
    with pytest.raises(BadInputError, match="'Low' is the default; make another group the default first"):
        priorities.remove(connection, "Low")


def test_group_in_use_says_by_whom(connection: Connection, world: World, an_account: AnAccount) -> None:
    """A group that accounts or settings name is not deleted, and the error names them; then it is."""
    priorities.add(connection, NIGHT)
    others = [accounts.remember(connection, an_account(f"b{number}", uid=number)) for number in range(6)]
    for account in [world.account, *others]:
        overrides.set(connection, account.uuid, AccountOverrides(priority_group="Night"))

    with pytest.raises(BadInputError, match=r"in use by account alice, account b0, .*, account b3 and 2 more"):
        priorities.remove(connection, "Night")

    for account in [world.account, *others]:
        overrides.set(connection, account.uuid, AccountOverrides())
    priorities.remove(connection, "Night")
    assert "Night" not in names(connection)


def test_group_that_settings_name_is_kept(engine: Engine, key: MasterKey) -> None:
    """Settings that name a group keep it from being deleted and renamed, also where they were never saved."""
    with writing(engine) as connection:
        priorities.replace(connection, "High", PriorityGroup(name="High", default=True))
        said = r"in use by performance\.directories_queue_priority, performance\.ondemand_queue_priority"
        with pytest.raises(BadInputError, match=said):
            priorities.remove(connection, "Normal")
        with pytest.raises(BadInputError, match=r"cannot be renamed: performance\.directories_queue_priority"):
            priorities.replace(connection, "Normal", PriorityGroup(name="Other"))
    saved = Performance(directories_queue_priority="Low", ondemand_queue_priority="High")
    SettingsStore(engine, key).save("performance", saved, "root")
    with writing(engine) as connection:
        priorities.remove(connection, "Normal")
        with pytest.raises(BadInputError, match=r"in use by performance\.directories_queue_priority$"):
            priorities.remove(connection, "Low")


def test_account_is_in_its_group(connection: Connection, world: World) -> None:
    """What was set for the account counts, then the first of its tags that a group has, then the default."""
    priorities.add(connection, NIGHT)
    account = world.account.uuid
    assert priorities.of_account(connection, account).name == "Normal"

    overrides.set(connection, account, AccountOverrides(tags=("shop", "slow")))
    assert priorities.of_account(connection, account) == NIGHT

    overrides.set(connection, account, AccountOverrides(priority_group="Low", tags=("slow",)))
    assert priorities.of_account(connection, account).name == "Low"


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (PriorityGroup(name="High"), "a priority group 'High' already"),
        (PriorityGroup(name="X", tags=("slow",)), "the tag 'slow' belongs to priority group 'Night' already"),
        (PriorityGroup(name="X", backup="5"), "priority group X.backup: must be a whole number"),
        (PriorityGroup(name="a\0b"), "must not hold control characters"),
    ],
)
def test_group_that_cannot_be_is_refused(connection: Connection, group: PriorityGroup, message: str) -> None:
    """A name or tag that is taken and a value of another type are refused."""
    priorities.add(connection, NIGHT)

    with pytest.raises(BadInputError, match=message):
        priorities.add(connection, group)


@pytest.mark.parametrize(
    "wrong", [{"backup": 0}, {"clone": 1000}, {"name": ""}, {"tags": ("a,b",)}, {"tags": ("a", "a")}]
)
def test_limits_of_a_group(wrong: dict[str, object]) -> None:
    """Values are 1 to 999, and tags are words, each once."""
    with pytest.raises(ValueError, match="must"):
        PriorityGroup(**{"name": "X"} | wrong)


def test_unknown_group_is_an_error(connection: Connection) -> None:
    """A name that does not exist is an error with the nearest one."""
    with pytest.raises(BadInputError, match="no priority group 'Hihg'; did you mean High"):
        priorities.get(connection, "Hihg")
