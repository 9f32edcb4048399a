"""Where jetcore keeps its things: what has to be known before the state database can be opened.

Taken, in this order, from the call, from ``JETCORE_*`` in the environment, from the file ``/etc/jetcore/jetcore.toml``,
from ``jetcore.toml`` in the home directory, and from the defaults. Everything else is a setting in the database.

The file in ``/etc`` is about the one jetcore of this server: it counts for root, and only where neither the call nor
the environment names another home.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from jetcore.errors import SettingsError
from jetcore.settings.field import nearest
from jetcore.settings.trust import way_open_to_others

#: Home directory when jetcore runs as root.
SYSTEM_HOME = Path("/var/lib/jetcore")
#: The file of this server's jetcore.
SYSTEM_FILE = Path("/etc/jetcore/jetcore.toml")
#: Where the HTTP API listens; JetBackup's own port, so that its clients find it.
DEFAULT_LISTEN = "127.0.0.1:3035"

_FILE = "jetcore.toml"
_KEYS = ("database_url", "master_key_file", "listen")
_PREFIX = "JETCORE_"
_LISTEN = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\[\]:\s]+):([0-9]{1,5})")


@attrs.frozen(kw_only=True)
class Bootstrap:
    """The few facts that are not in the database."""

    #: Directory of everything that jetcore keeps on this server.
    home: Path
    #: SQLAlchemy URL of the state database; it may hold a password.
    database_url: str = attrs.field(repr=False)
    master_key_file: Path
    #: ``host:port`` that the HTTP API listens on.
    listen: str = DEFAULT_LISTEN

    @classmethod
    def find(cls, *, url: str | None = None, home: str | os.PathLike[str] | None = None) -> Bootstrap:
        """Return where things are, without touching any of them but the files named ``jetcore.toml``.

        :param url: URL of the state database. With a SQLite file and no *home*, the file's directory is the home.
        :param home: Home directory.
        :raises SettingsError: A file or the environment is wrong; all faults are named.
        """
        environment = _from_environment(os.environ)
        directory = _named_home(url, home) or _path(environment.pop("home", ""))
        system = _system(directory)
        directory = directory or _path(system.pop("home", "")) or _usual_home()
        configured = {**_from_file(directory / _FILE, _KEYS), **system, **environment}
        if url is not None:
            configured["database_url"] = url
        listen = configured.get("listen", DEFAULT_LISTEN)
        found = _LISTEN.fullmatch(listen)
        if found is None or not 1 <= int(found[1]) <= 65_535:
            raise SettingsError(f"listen: {listen!r} is no address to listen on", hint="write HOST:PORT or [IPV6]:PORT")
        return cls(
            home=directory,
            database_url=configured.get("database_url", _usual_url(directory)),
            master_key_file=_path(configured.get("master_key_file", "")) or directory / "master.key",
            listen=listen,
        )

    def save(self) -> None:
        """Write what differs from the defaults to ``jetcore.toml`` in the home (0600: the URL may hold a password).

        What the system's file says already is not written again.
        """
        usual = {
            "database_url": _usual_url(self.home),
            "master_key_file": str(self.home / "master.key"),
            "listen": DEFAULT_LISTEN,
        } | _system(None if self.home == _usual_home() else self.home)
        wanted = {
            "database_url": self.database_url,
            "master_key_file": str(self.master_key_file),
            "listen": self.listen,
        }
        # JSON's string syntax is a subset of TOML's.
        lines = [f"{key} = {_quoted(value)}\n" for key, value in wanted.items() if value != usual[key]]
        if not lines:
            return
        temporary = self.home / f".{_FILE}.new"
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(self.home / _FILE)


def _named_home(url: str | None, home: str | os.PathLike[str] | None) -> Path | None:
    """Return the home that a call names, None if it names none."""
    if home is not None:
        return Path(home).absolute()
    if url is not None and url.startswith("sqlite:///") and "?" not in url:
        return Path(url.removeprefix("sqlite:///")).absolute().parent
    return None


def _system(home: Path | None) -> dict[str, str]:
    """Return what the system's file says for an installation in *home*, or in the usual place if that is None."""
    if os.geteuid() != 0:
        return {}
    found = _from_file(SYSTEM_FILE, ("home", *_KEYS))
    own = _path(found.get("home", "")) or SYSTEM_HOME
    return found if home is None or home == own else {}


def _usual_home() -> Path:
    if os.geteuid() == 0:
        return _path(_from_file(SYSTEM_FILE, ("home", *_KEYS)).get("home", "")) or SYSTEM_HOME
    import platformdirs  # noqa: PLC0415  # only users without root need it

    return platformdirs.user_data_path("jetcore")


def _usual_url(home: Path) -> str:
    return f"sqlite:///{home / 'state.db'}"


def _path(text: str) -> Path | None:
    return Path(text).absolute() if text else None


def _from_file(path: Path, keys: tuple[str, ...]) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    # Who can write this file chooses the key and the database of a program that runs as root.
    if reason := way_open_to_others(path):
        raise SettingsError(f"{path} is not safe from other users: {reason}")
    wrong = [f"{path}: {_unknown('key', key, keys)}" for key in document if key not in keys]
    wrong += [f"{path}: {key} must be a text" for key in keys if not _is_text(document.get(key, ""))]
    if wrong:
        raise SettingsError("; ".join(wrong), hint=f"it may hold {', '.join(keys)}")
    return document


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    variables = {f"{_PREFIX}{key.upper()}": key for key in ("home", *_KEYS)}
    wrong = [
        _unknown("environment variable", name, variables)
        for name in sorted(environment)
        # A misspelt one would mean another database than the administrator has in mind.
        if name.startswith(_PREFIX) and name not in variables
    ]
    if wrong:
        raise SettingsError("; ".join(wrong), hint=f"there are {', '.join(variables)}")
    return {key: environment[name] for name, key in variables.items() if environment.get(name)}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\0" not in value


def _unknown(what: str, name: str, names: Any) -> str:
    close = nearest(name, names)
    return f"unknown {what} {name!r}{', ' if close else ''}{close}"


def _quoted(text: str) -> str:
    import json  # noqa: PLC0415  # only `jetcore init` with another database needs it

    return json.dumps(text, ensure_ascii=False)
