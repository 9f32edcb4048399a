"""What can be set of an email integration."""

from __future__ import annotations

import re
from typing import Any

import attrs

from jetcore import Secret, setting

#: RFC 5322's dot-atom, which leaves no room for a second header or command.
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9:._-]+")

#: Hosts that a password reaches without leaving the machine.
_HERE = {"localhost", "127.0.0.1", "::1"}


def _is_address(_settings: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    for address in value if isinstance(value, tuple) else (value,):
        if address and not _ADDRESS.fullmatch(address):
            raise ValueError(f"{attribute.name} must hold plain addresses such as backup@example.com")
        if not address and isinstance(value, tuple):
            raise ValueError(f"{attribute.name} must not hold an empty address")


def _is_host(_settings: Any, _attribute: attrs.Attribute[Any], value: str) -> None:
    if not _HOST.fullmatch(value):
        raise ValueError("must be a host name or an IP address")


def _stays_secret(settings: EmailSettings, _attribute: attrs.Attribute[Any], value: Secret) -> None:
    if value and settings.security == "none" and settings.host not in _HERE:
        raise ValueError(f"would go to {settings.host} unencrypted: set security to starttls or tls")


@attrs.frozen
class EmailSettings:
    """An email integration."""

    recipients: tuple[str, ...] = setting(
        title="Recipients", help="Addresses that every message goes to.", minimum=1, validator=_is_address
    )
    sender: str = setting(
        default="",
        title="From",
        help="Address that messages come from; empty for jetcore at this host.",
        validator=_is_address,
    )
    host: str = setting(
        default="localhost", title="Host", help="The SMTP server that takes the messages.", validator=_is_host
    )
    port: int = setting(
        default=0,
        title="Port",
        help="Port of the server; 0 for the usual one: 25, with starttls 587, with tls 465.",
        minimum=0,
        maximum=65535,
    )
    security: str = setting(
        default="none",
        title="Encryption",
        help="tls encrypts from the start; starttls begins in the clear and goes on only if the server can encrypt.",
        choices=("none", "starttls", "tls"),
    )
    verify: bool = setting(
        default=True,
        title="Verify the certificate",
        help="Whether the server has to prove that it is the host. Without it anybody on the way can read along.",
    )
    user: str = setting(default="", title="User", help="Name to log in with; empty for no login.")
    password: Secret = setting(
        default=Secret(""),
        title="Password",
        help="Password of the user. It is sent encrypted only, except to this machine.",
        secret=True,
        validator=_stays_secret,
    )
    timeout: int = setting(
        default=30,
        title="Time limit",
        help="How long the server may take for each answer.",
        unit="s",
        minimum=1,
        maximum=600,
    )
