"""``config/account.json`` and ``config/shadow``: what a restore point knows of a login."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import orjson

from jetcore import PanelError
from jetcore_panel_linux.logins import Login

ACCOUNT = "config/account.json"
SHADOW = "config/shadow"

#: Nothing in a table of logins can hold a colon or a line's end.
_FIELD = re.compile(rb"[^:\n\r\0]*")


@attrs.frozen(kw_only=True)
class Facts:
    """What is kept of a login besides its name and numbers."""

    comment: bytes
    #: As in passwd: without the root directory that jetcore may be told to look below.
    home: bytes
    shell: bytes
    #: Name of the main group; empty if it has none.
    group: str
    #: Names of the other groups, sorted.
    groups: Sequence[str]

    def texts(self) -> dict[str, str]:
        """Return the facts as texts; what is not UTF-8 as base64, under a name that says so."""
        texts: dict[str, str] = {}
        for name, value in (("comment", self.comment), ("home", self.home), ("shell", self.shell)):
            try:
                texts[name] = value.decode()
            except UnicodeDecodeError:
                texts[f"{name}_base64"] = base64.b64encode(value).decode()
        return texts | {"group": self.group, "groups": ",".join(self.groups)}

    @classmethod
    def of_texts(cls, texts: Mapping[str, str]) -> Facts:
        """Undo :meth:`texts`; what is missing is empty.

        :raises PanelError: A value could not stand in a table of logins.
        """

        def field(name: str) -> bytes:
            value = (
                base64.b64decode(texts[f"{name}_base64"], validate=True)
                if f"{name}_base64" in texts
                else texts.get(name, "").encode()
            )
            if not _FIELD.fullmatch(value):
                raise PanelError(f"the {name} of the account holds a character that no login can have")
            return value

        try:
            return cls(
                comment=field("comment"),
                home=field("home"),
                shell=field("shell"),
                group=texts.get("group", ""),
                groups=tuple(name for name in texts.get("groups", "").split(",") if name),
            )
        except (binascii.Error, UnicodeEncodeError) as error:
            raise PanelError(f"the facts of the account make no sense: {error}") from error


def encode(login: Login, facts: Facts) -> bytes:
    """Return the contents of ``config/account.json``."""
    document = {"name": login.name, "uid": login.uid, "gid": login.gid, **facts.texts()}
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE)


def decode(data: bytes) -> Facts:
    """Return the facts that ``config/account.json`` holds.

    :raises PanelError: It makes no sense.
    """
    try:
        document: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise PanelError(f"{ACCOUNT} is damaged: {error}") from error
    if not isinstance(document, dict):
        raise PanelError(f"{ACCOUNT} is damaged: it holds no facts")
    return Facts.of_texts({name: value for name, value in document.items() if isinstance(value, str)})


@attrs.frozen(kw_only=True)
class Password:
    """A line of shadow: the hash, and how long it and the account are good."""

    hash: bytes = attrs.field(repr=False)
    #: Days or empty, in the order of shadow(5): last change, minimum, maximum, warning, inactive, expiry.
    days: Sequence[str]

    @classmethod
    def decode(cls, line: bytes) -> Password:
        """Read a line as it is kept, without the login's name.

        :raises PanelError: It makes no sense.
        """
        fields = line.removesuffix(b"\n").split(b":")
        if len(fields) != 8 or not re.fullmatch(rb"[!-9;-~]*", fields[0]):
            raise PanelError(f"{SHADOW} is damaged: it is no line of shadow")
        if not all(re.fullmatch(rb"-?[0-9]{0,9}", day) for day in fields[1:7]):
            raise PanelError(f"{SHADOW} is damaged: a number of days is not one")
        return cls(hash=fields[0], days=tuple(day.decode() for day in fields[1:7]))
