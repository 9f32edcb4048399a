"""API access tokens."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select

from jetcore.errors import BadInputError
from jetcore.model import Secret
from jetcore.settings.tokens import TokenLimits
from jetcore.state import tables, tokens

ANY = TokenLimits(description="monitoring")
ONE = TokenLimits(description="shop", account="alice", ip="192.0.2.1")


def test_token_opens_and_is_kept_nowhere(connection: Connection) -> None:
    """A token is random, is accepted, and cannot be read from the database."""
    made, text = tokens.create(connection, ONE)
    _, other = tokens.create(connection, ONE)

    accepted = tokens.accept(connection, text, "192.0.2.1")

    assert accepted is not None
    assert (accepted.id, accepted.limits) == (made.id, ONE)
    assert text != other
    assert len(text.reveal()) == 32
    assert text.reveal() not in str(connection.execute(select(tables.tokens)).all())


def test_use_is_noted(connection: Connection) -> None:
    """The last use says when and from where; a refused one leaves no trace."""
    made, text = tokens.create(connection, ONE)
    assert (made.last_used, made.last_ip) == (None, "")

    assert tokens.accept(connection, text, "192.0.2.2") is None
    assert tokens.get(connection, made.id) == made

    accepted = tokens.accept(connection, text, "::ffff:192.0.2.1")
    assert accepted is not None
    assert accepted.last_ip == "::ffff:192.0.2.1"
    assert accepted.last_used is not None
    assert accepted.last_used >= made.created


@pytest.mark.parametrize("ip", ["192.0.2.11", "", "nonsense", "2001:db8::1"])
def test_token_of_one_address_is_refused_from_others(connection: Connection, ip: str) -> None:
    """A token that is bound to an address is accepted from that one only; another one from anywhere."""
    _, bound = tokens.create(connection, ONE)
    _, free = tokens.create(connection, ANY)

    assert tokens.accept(connection, bound, ip) is None
    assert tokens.accept(connection, free, ip) is not None


def test_wrong_token_is_refused(connection: Connection) -> None:
    """A text that is no token lets nobody in, whatever bytes it is made of."""
    _, text = tokens.create(connection, ANY)

    for wrong in ("", text.reveal()[:-1], text.reveal() + "x", "\udcff", text.reveal().swapcase()):
        assert tokens.accept(connection, Secret(wrong), "192.0.2.1") is None


def test_limits_can_be_changed(connection: Connection) -> None:
    """The same token then has the new limits; when it is deleted it opens nothing."""
    made, text = tokens.create(connection, ONE)

    assert tokens.replace(connection, made.id, ANY).limits == ANY
    assert tokens.accept(connection, text, "2001:db8::1") is not None
    tokens.remove(connection, made.id)

    assert tokens.accept(connection, text, "2001:db8::1") is None
    assert tokens.all(connection) == []
    with pytest.raises(BadInputError, match=f"no token {made.id}"):
        tokens.get(connection, made.id)


@pytest.mark.parametrize("wrong", [{"description": ""}, {"ip": "192.0.2.0/24"}, {"ip": "example.com"}])
def test_limits_that_make_no_sense_are_refused(wrong: dict[str, str]) -> None:
    """A token says what it is for, and is bound to an address or to none."""
    with pytest.raises(ValueError, match="must be"):
        TokenLimits(**{"description": "x"} | wrong)
