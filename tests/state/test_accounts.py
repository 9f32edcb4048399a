"""Accounts that were ever seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import Connection

from jetcore.state import accounts


def test_account_keeps_its_uuid_for_ever(connection: Connection, an_account: Any) -> None:
    """However its facts change, the account of that panel and name has the uuid that it got first."""
    first = accounts.remember(connection, an_account())
    changed = accounts.remember(connection, an_account(home=Path("/elsewhere"), uid=2000, suspended=True))

    assert first.uuid
    assert changed.uuid == first.uuid
    assert accounts.find(connection, "alice") == changed


def test_every_fact_comes_back(connection: Connection, an_account: Any) -> None:
    """An account is found as the panel described it, whatever its facts look like."""
    account = an_account(
        home=Path("/home/\udcff"),
        uid=2**32 - 2,
        gid=2**32 - 3,
        owner="reseller",
        package="gold",
        ip="2001:db8::1",
        domains=("b.example", "a.example"),
        suspended=True,
        extra={"shell": "/bin/bash", "comment": "Änne"},
    )

    remembered = accounts.remember(connection, account)

    assert remembered == attrs.evolve(account, uuid=remembered.uuid)
    assert accounts.find(connection, "alice") == remembered


def test_hostile_comment_is_no_obstacle(connection: Connection, an_account: Any) -> None:
    """A comment that is no text, which the account's owner can set, does not keep the account from being known."""
    account = accounts.remember(connection, an_account(extra={"comment": "\udcff\0"}))

    assert accounts.remember(connection, an_account(extra={"comment": "\udcff\0"})).uuid == account.uuid


def test_names_are_told_apart_by_panel(connection: Connection, an_account: Any) -> None:
    """The same name at two panels means two accounts; asked by name alone, the newer one answers."""
    first = accounts.remember(connection, an_account())
    second = accounts.remember(connection, an_account(panel="cpanel"))

    assert first.uuid != second.uuid
    assert accounts.find(connection, "alice") == second


def test_uuid_that_is_brought_along_is_kept(connection: Connection, an_account: Any) -> None:
    """An account that another installation knew before keeps its uuid here, unless it has one here already."""
    assert accounts.remember(connection, an_account(uuid="from-before")).uuid == "from-before"
    assert accounts.remember(connection, an_account(uuid="another")).uuid == "from-before"


def test_accounts_are_listed_by_name(connection: Connection, an_account: Any) -> None:
    """All accounts that were seen are listed in the order of their names; an unknown name finds none."""
    for name in ("carol", "alice", "bob"):
        accounts.remember(connection, an_account(name))

    assert [account.name for account in accounts.known(connection)] == ["alice", "bob", "carol"]
    assert accounts.find(connection, "dave") is None
