"""The dump engines of this server: which there are, and how each reaches its database server."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from jetcore.abc import DumpEngine, Panel
from jetcore.errors import JetcoreError
from jetcore.model import DatabaseAuth, PluginState, Secret
from jetcore.plugins import Plugins
from jetcore.settings.panel import PanelSettings
from jetcore.state.settings import SettingsStore

#: What the names of plugins with dump engines begin with.
_DUMP = "dump_"


@attrs.frozen(kw_only=True)
class Engines:
    """The dump engines of a server, by name."""

    #: Those that can be used.
    working: Mapping[str, DumpEngine]
    #: Why the others cannot: their databases are missing from backups.
    broken: Mapping[str, str]


def find_engines(plugins: Plugins, panel: Panel, settings: SettingsStore) -> Engines:
    """Return the dump engines that the server uses, with the settings of this moment."""
    working: dict[str, DumpEngine] = {}
    broken = {
        info.name.removeprefix(_DUMP): f"plugin {info.name} is left out: {info.reason}"
        for info in plugins.infos
        if info.name.startswith(_DUMP) and info.state is PluginState.BROKEN
    }
    for name, kind in plugins.dump_engines().items():
        try:
            own = settings.load(plugins.plugin_of(kind), kind.Settings) if kind.Settings else None
            auth = panel.database_auth(name) or _configured_auth(settings.load("panel", PanelSettings), name)
            engine = kind(own, auth)
            if engine.available():
                working[name] = engine
        except JetcoreError as error:
            broken[name] = str(error)
        except Exception as error:  # a plugin can fail in any way
            broken[name] = f"{type(error).__name__}: {error}"
    return Engines(working=working, broken=broken)


def _configured_auth(panel: PanelSettings, engine: str) -> DatabaseAuth | None:
    """Return how the administrator says that the server of *engine* is reached; None if he does not say it."""
    match engine:
        case "mysql" if panel.mysql_enabled:
            return _auth(panel.mysql_host, panel.mysql_port, user=panel.mysql_user, password=panel.mysql_password)
        case "postgresql" if panel.pg_enabled:
            return _auth(panel.pg_host, panel.pg_port, user=panel.pg_user, password=panel.pg_password)
        case "mongodb" if panel.mongodb_enabled:
            auth = _auth(
                panel.mongodb_host, panel.mongodb_port, user=panel.mongodb_user, password=panel.mongodb_password
            )
            return attrs.evolve(auth, auth_database=panel.mongodb_auth_database)
        case _:
            return None


def _auth(host: str, port: int, *, user: str, password: Secret) -> DatabaseAuth:
    if host.startswith("/"):
        return DatabaseAuth(socket=host, user=user, password=password)
    return DatabaseAuth(host=host, port=port, user=user, password=password)
