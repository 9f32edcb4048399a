"""API access tokens. Only a digest of each is kept: who reads the database cannot use them."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from datetime import UTC, datetime
from typing import Any

import attrs
from sqlalchemy import Connection, Row, delete, insert, select, update

from jetcore.errors import BadInputError
from jetcore.model import Secret
from jetcore.settings.convert import check
from jetcore.settings.tokens import AccessToken, TokenLimits
from jetcore.state import tables

_table = tables.tokens
#: Letters and digits of a token: 24 random bytes in Base64.
_BYTES = 24


def create(connection: Connection, limits: TokenLimits) -> tuple[AccessToken, Secret]:
    """Make a token.

    :returns: How it is listed, and the token itself, which cannot be had again.
    """
    check(limits, place="token")
    text = Secret(secrets.token_urlsafe(_BYTES))
    created = datetime.now(UTC)
    row = insert(_table).values(digest=_digest(text), created=created, last_ip="", **attrs.asdict(limits))
    number = tables.new_number(connection.execute(row))
    return AccessToken(id=number, limits=limits, created=created), text


def all(connection: Connection) -> list[AccessToken]:  # noqa: A001  # read as tokens.all()
    """Return the tokens in the order in which they were made."""
    return [_token(row) for row in connection.execute(select(_table).order_by(_table.c.id))]


def get(connection: Connection, number: int) -> AccessToken:
    """Return the token of that number.

    :raises BadInputError: There is none.
    """
    row = connection.execute(select(_table).where(_table.c.id == number)).first()
    if row is None:
        raise BadInputError(f"there is no token {number}")
    return _token(row)


def replace(connection: Connection, number: int, limits: TokenLimits) -> AccessToken:
    """Change what a token is for and who may use it; the token stays the same.

    :raises BadInputError: There is none of that number.
    """
    get(connection, number)
    check(limits, place=f"token {number}")
    connection.execute(update(_table).where(_table.c.id == number).values(**attrs.asdict(limits)))
    return get(connection, number)


def remove(connection: Connection, number: int) -> None:
    """Delete a token; nobody is let in with it any more.

    :raises BadInputError: There is none of that number.
    """
    get(connection, number)
    connection.execute(delete(_table).where(_table.c.id == number))


def accept(connection: Connection, text: Secret, ip: str) -> AccessToken | None:
    """Return the token that *text* is, after noting its use; None if there is none, or not from that address.

    :param ip: Address that the caller comes from.
    """
    row = connection.execute(select(_table).where(_table.c.digest == _digest(text))).first()
    if row is None or (row.ip and not _same_address(row.ip, ip)):
        return None
    connection.execute(update(_table).where(_table.c.id == row.id).values(last_used=datetime.now(UTC), last_ip=ip))
    return get(connection, row.id)


def _same_address(wanted: str, found: str) -> bool:
    try:
        caller = ipaddress.ip_address(found)
    except ValueError:
        return False
    # How a socket that listens on both families shows an IPv4 caller.
    caller = getattr(caller, "ipv4_mapped", None) or caller
    return ipaddress.ip_address(wanted) == caller


def _digest(text: Secret) -> str:
    return hashlib.sha256(text.reveal().encode(errors="surrogateescape")).hexdigest()


def _token(row: Row[Any]) -> AccessToken:
    return AccessToken(
        id=row.id,
        limits=TokenLimits(description=row.description, account=row.account, ip=row.ip),
        created=row.created,
        last_used=row.last_used,
        last_ip=row.last_ip,
    )
