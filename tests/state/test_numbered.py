"""Restore conditions and file permission rules."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from sqlalchemy import Connection, Engine

from jetcore.errors import BadInputError, SettingsError
from jetcore.settings.conditions import RestoreCondition
from jetcore.settings.file_permissions import Category, FilePermissionRule
from jetcore.state.numbered import Numbered, conditions, file_permissions
from jetcore.state.objects import Objects

CONDITION = RestoreCondition(condition="I know that this replaces my files.\nAll of them.")
RULE = FilePermissionRule(
    pattern="public_html/*.php",
    category=Category.EMAIL,
    owner="alice",
    group="www-data",
    file_mode="0644",
    directory_mode="2755",
    recursive=True,
)
BOTH = pytest.mark.parametrize(("noun", "value"), [(conditions, CONDITION), (file_permissions, RULE)])


@BOTH
def test_object_comes_back_with_its_number(connection: Connection, noun: Numbered[Any], value: Any) -> None:
    """What was added has a number, is found by it and stands in the order in which it was added."""
    first, second = noun.add(connection, value), noun.add(connection, value)

    assert first.id != second.id
    assert noun.get(connection, second.id) == attrs.evolve(value, id=second.id)
    assert noun.all(connection) == [first, second]


@BOTH
def test_number_is_never_used_again(connection: Connection, noun: Numbered[Any], value: Any) -> None:
    """An object that is deleted is gone, and the next one gets a number of its own."""
    gone = noun.add(connection, value)
    noun.remove(connection, gone.id)

    assert noun.all(connection) == []
    assert noun.add(connection, value).id != gone.id


@BOTH
def test_unknown_number_is_an_error(connection: Connection, noun: Numbered[Any], value: Any) -> None:
    """Nothing can be done with a number that no object has."""
    for act in (noun.get, noun.remove):
        with pytest.raises(BadInputError, match=r"there is no .* 77"):
            act(connection, 77)
    with pytest.raises(BadInputError, match=r"there is no .* 77"):
        noun.replace(connection, 77, value)


def test_object_is_changed_in_its_place(engine: Engine) -> None:
    """Single fields are changed in a transaction of their own; a change that makes no sense leaves it as it was."""
    rules = Objects(engine, file_permissions)
    added = rules.add(RULE)

    changed = rules.change(added.id, file_mode="0600", recursive=False)

    assert changed == attrs.evolve(added, file_mode="0600", recursive=False)
    with pytest.raises(SettingsError, match="must be true or false"):
        rules.change(added.id, recursive="yes")
    assert rules.all() == [rules.get(added.id)] == [changed]
    rules.remove(added.id)
    assert rules.all() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"pattern": "/etc/*"},
        {"pattern": "../*"},
        {"pattern": ""},
        {"owner": "ro ot"},
        {"owner": "-x"},
        {"group": "a:b"},
        {"file_mode": "4755"},
        {"file_mode": "0o644"},
        {"file_mode": "888"},
        {"directory_mode": "4755"},
        {"owner": "", "group": "", "file_mode": "", "directory_mode": ""},
    ],
)
def test_rule_that_makes_no_sense_is_refused(wrong: dict[str, str]) -> None:
    """A rule stays in the home, names users that can be, makes nothing setuid, and does something."""
    with pytest.raises(ValueError, match=r"must be|gives"):
        attrs.evolve(RULE, **wrong)


@pytest.mark.parametrize("text", ["", "x" * 5001])
def test_condition_has_a_text(text: str) -> None:
    """There is a text to accept, and it can be read."""
    with pytest.raises(ValueError, match="must be 1 to 5000 characters"):
        RestoreCondition(condition=text)
