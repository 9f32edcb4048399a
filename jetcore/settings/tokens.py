"""API access tokens: what a program shows to be let in."""

from __future__ import annotations

import ipaddress
from datetime import datetime
from typing import Any

import attrs

from jetcore.settings.field import setting


def _is_address(_instance: Any, _attribute: Any, address: str) -> None:
    if address:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise ValueError("must be an IP address, or empty") from None


@attrs.frozen
class TokenLimits:
    """What a token is for, and who may use it."""

    description: str = setting(
        title="Description", help="What it is used for.", unit="characters", minimum=1, maximum=200
    )
    account: str = setting(
        default="",
        title="Account",
        help="Whom it acts for, which can be root. If empty, each call says it.",
        unit="characters",
        maximum=255,
    )
    ip: str = setting(
        default="",
        title="IP Address",
        help="The only address that it is accepted from. Any if empty.",
        maximum=45,
        validator=_is_address,
    )


@attrs.frozen(kw_only=True)
class AccessToken:
    """A token as it is listed. The token itself is shown once, when it is made, and kept nowhere."""

    id: int
    limits: TokenLimits
    created: datetime
    last_used: datetime | None = None
    #: Address that it was last used from; empty if it never was.
    last_ip: str = ""
