"""The tables of logins below ``etc``: passwd(5), group(5), shadow(5) and login.defs(5).

They are bytes with lines; a line that makes no sense is named in the log and passed over, for the others are right.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import attrs

from jetcore import PanelError
from jetcore_panel_linux.files import Version, open_file

_log = logging.getLogger(__name__)

_Table = TypeVar("_Table")

#: What a repository's folder may begin with, and no program takes for an option.
_NAME = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9._-]*")
_NUMBER = re.compile(rb"[0-9]{1,10}")


@attrs.frozen(kw_only=True)
class Login:
    """A line of passwd. What the administrator wrote freely is bytes: nothing says in which encoding."""

    name: str
    uid: int
    gid: int
    comment: bytes
    home: bytes
    shell: bytes


@attrs.frozen(kw_only=True)
class Groups:
    """The lines of group, looked at from three sides."""

    gids: Mapping[str, int] = attrs.field(factory=dict)
    by_gid: Mapping[int, str] = attrs.field(factory=dict)
    #: Names of the groups that name a login as a member.
    of_member: Mapping[str, Sequence[str]] = attrs.field(factory=dict)


class Logins:
    """The tables below one root directory, each read again only when it has changed."""

    def __init__(self, root: Path) -> None:
        etc = root / "etc"
        self._passwd = _File(etc / "passwd", parse_passwd)
        self._group = _File(etc / "group", parse_group)
        self._shadow = _File(etc / "shadow", parse_shadow)
        self._defaults = _File(etc / "login.defs", parse_defaults)

    def all(self) -> Mapping[str, Login]:
        """Return the logins by name, in the order of the file.

        :raises PanelError: There is no passwd, or it cannot be read.
        """
        return self._passwd.read()

    def groups(self) -> Groups:
        """Return the groups; none if there is no such file."""
        return self._group.read(Groups())

    def shadow(self, name: str) -> bytes | None:
        """Return the line of shadow of a login without its name, or None if it has none: ``$6$…:19700:0:99999:7:::``.

        :raises PanelError: The file cannot be read.
        """
        return self._shadow.read({}).get(name)

    def default(self, name: str, otherwise: int) -> int:
        """Return a number of login.defs."""
        return self._defaults.read({}).get(name, otherwise)


class _File(Generic[_Table]):
    """A table with the version of the file that it was made from."""

    def __init__(self, path: Path, parse: Callable[[bytes, Path], _Table]) -> None:
        self._path = path
        self._parse = parse
        self._last: tuple[Version, _Table] | None = None

    def read(self, otherwise: _Table | None = None) -> _Table:
        """Return the table, or *otherwise* if there is no such file and that may be."""
        try:
            file, version = open_file(self._path)
        except FileNotFoundError:
            if otherwise is None:
                raise PanelError(f"there is no {self._path}") from None
            return otherwise
        with file:
            if self._last is None or self._last[0] != version:
                self._last = version, self._parse(file.read(), self._path)
        return self._last[1]


def parse_passwd(data: bytes, path: Path) -> Mapping[str, Login]:
    """Return the logins of passwd by name; of two with one name the first, as the C library does it."""
    logins: dict[str, Login] = {}
    for number, fields in _lines(data, path, 7):
        name, _, uid, gid, comment, home, shell = fields
        if not (_NAME.fullmatch(name) and _NUMBER.fullmatch(uid) and _NUMBER.fullmatch(gid) and _is_text(home)):
            _log.warning("%s, line %d is passed over: its name, home or a number is not valid", path, number)
        elif name.decode() in logins:
            _log.warning("%s, line %d is passed over: there is a login %s above it", path, number, name.decode())
        else:
            login = Login(name=name.decode(), uid=int(uid), gid=int(gid), comment=comment, home=home, shell=shell)
            logins[login.name] = login
    return logins


def parse_group(data: bytes, path: Path) -> Groups:
    """Return the groups of group."""
    gids: dict[str, int] = {}
    by_gid: dict[int, str] = {}
    of_member: defaultdict[str, list[str]] = defaultdict(list)
    for number, (name, _, gid, members) in _lines(data, path, 4):
        if not (_NAME.fullmatch(name) and _NUMBER.fullmatch(gid)):
            _log.warning("%s, line %d is passed over: its name or its number is not valid", path, number)
        elif name.decode() not in gids:
            gids[name.decode()] = int(gid)
            by_gid.setdefault(int(gid), name.decode())
            for member in members.split(b","):
                of_member[member.decode("latin-1")].append(name.decode())
    return Groups(gids=gids, by_gid=by_gid, of_member=dict(of_member))


def parse_shadow(data: bytes, path: Path) -> Mapping[str, bytes]:
    """Return the lines of shadow by name, without the name."""
    lines: dict[str, bytes] = {}
    for _, fields in _lines(data, path, 9):
        if _NAME.fullmatch(fields[0]):
            lines.setdefault(fields[0].decode(), b":".join(fields[1:]))
    return lines


def parse_defaults(data: bytes, _path: Path) -> Mapping[str, int]:
    """Return the decimal numbers of login.defs by name; what else is there is of no use here."""
    numbers: dict[str, int] = {}
    for line in data.splitlines():
        words: Sequence[bytes] = line.split()
        if len(words) >= 2 and _NUMBER.fullmatch(words[1]):
            numbers[words[0].decode("latin-1")] = int(words[1])
    return numbers


def _is_text(home: bytes) -> bool:
    """Say whether a home directory can be told to databases and other machines, all of which want UTF-8."""
    try:
        home.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lines(data: bytes, path: Path, count: int) -> Iterator[tuple[int, list[bytes]]]:
    """Yield number and fields of each line that has *count* fields."""
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip() or line.startswith((b"#", b"+", b"-")):  # comments, and the marks of NIS
            continue
        fields = line.split(b":")
        if len(fields) == count and b"\0" not in line:
            yield number, fields
        else:
            _log.warning("%s, line %d is passed over: it has not the %d fields of one", path, number, count)
