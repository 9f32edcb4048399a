"""Where jetcore keeps its things: what has to be known before the state database can be opened.

Taken, in this order, from the call, from ``JETCORE_*`` in the environment, from ``jetcore.toml`` in the home
directory, and from the defaults. Everything else is a setting in the database.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

import attrs

from jetcore.errors import SettingsError

#: Home directory when jetcore runs as root.
SYSTEM_HOME = Path("/var/lib/jetcore")
_FILE = "jetcore.toml"
_KEYS = ("database_url", "master_key_file")


@attrs.frozen(kw_only=True)
class Bootstrap:
    """The few facts that are not in the database."""

    #: Directory of everything that jetcore keeps on this server.
    home: Path
    #: SQLAlchemy URL of the state database; it may hold a password.
    database_url: str = attrs.field(repr=False)
    master_key_file: Path

    @classmethod
    def find(cls, *, url: str | None = None, home: str | os.PathLike[str] | None = None) -> Bootstrap:
        """Return where things are, without touching any of them but ``jetcore.toml``.

        :param url: URL of the state database. With a SQLite file and no *home*, the file's directory is the home.
        :param home: Home directory.
        :raises SettingsError: ``jetcore.toml`` or the environment is wrong; all faults are named.
        """
        directory = _home(url, home)
        configured = {**_from_file(directory / _FILE), **_from_environment(os.environ)}
        if url is not None:
            configured["database_url"] = url
        key_file = configured.get("master_key_file")
        return cls(
            home=directory,
            database_url=configured.get("database_url", f"sqlite:///{directory / 'state.db'}"),
            master_key_file=Path(key_file) if key_file else directory / "master.key",
        )

    def save(self) -> None:
        """Write what differs from the defaults to ``jetcore.toml`` (0600: the URL may hold a password)."""
        usual = {
            "database_url": f"sqlite:///{self.home / 'state.db'}",
            "master_key_file": str(self.home / "master.key"),
        }
        wanted = {"database_url": self.database_url, "master_key_file": str(self.master_key_file)}
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


def _home(url: str | None, home: str | os.PathLike[str] | None) -> Path:
    if home is not None:
        return Path(home).absolute()
    if url is not None and url.startswith("sqlite:///") and "?" not in url:
        return Path(url.removeprefix("sqlite:///")).absolute().parent
    from_environment = os.environ.get("JETCORE_HOME")
    if from_environment:
        return Path(from_environment).absolute()
    if os.geteuid() == 0:
        return SYSTEM_HOME
    import platformdirs  # noqa: PLC0415  # only users without root need it

    return platformdirs.user_data_path("jetcore")


def _from_file(path: Path) -> dict[str, str]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from error
    wrong = [f"{path}: unknown key {key!r}" for key in document if key not in _KEYS]
    wrong += [f"{path}: {key} must be a text" for key in _KEYS if not isinstance(document.get(key, ""), str)]
    if wrong:
        raise SettingsError("; ".join(wrong), hint=f"it may hold {', '.join(_KEYS)}")
    return document


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    found = {key: environment.get(f"JETCORE_{key.upper()}", "") for key in _KEYS}
    return {key: value for key, value in found.items() if value}


def _quoted(text: str) -> str:
    import json  # noqa: PLC0415  # only `jetcore init` with another database needs it

    return json.dumps(text)
