"""jetcore backs up and restores web-hosting accounts.

The names here are the public ones: programs, plugins and their tests need no others. A whole plugin::

    import jetcore


    class Plugin:
        @jetcore.hookimpl
        def jetcore_task_starting(self, task: jetcore.Task) -> jetcore.Veto | None:
            if task.account == "museum":
                return jetcore.Veto(reason="the museum is never touched")
            return None

and the lines of its ``pyproject.toml`` by which it is found::

    [project.entry-points.jetcore]
    hook_museum = "jetcore_hook_museum:Plugin"
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from jetcore.abc import Data, Destination, DumpEngine, DumpStream, Notifier, ObjectInfo, Panel
from jetcore.errors import (
    AbortedError,
    BadInputError,
    CorruptRepositoryError,
    DestinationError,
    DestinationFullError,
    DumpError,
    JetcoreError,
    MasterKeyError,
    NoRepositoryError,
    ObjectNotFoundError,
    PanelError,
    PartialError,
    PluginError,
    RepositoryError,
    RepositoryLockedError,
    RestoreError,
    SettingsError,
    SourceError,
    StateError,
    UnsafeTargetError,
    WrongPasswordError,
)
from jetcore.hookspecs import hookimpl
from jetcore.model import (
    Account,
    Alert,
    BackupEnded,
    Contains,
    Database,
    DatabaseAuth,
    DatabaseUser,
    DestinationConfig,
    EngineProbe,
    Host,
    Job,
    Level,
    Message,
    OnProgress,
    Outcome,
    Part,
    PartFile,
    PartReport,
    PluginInfo,
    PluginState,
    Progress,
    RestorePoint,
    RestoreReport,
    Secret,
    Task,
    TaskKind,
    TaskResult,
    TaskStatus,
    Usage,
    Veto,
)
from jetcore.settings.field import setting, shared
from jetcore.version import __version__

if TYPE_CHECKING:
    from jetcore.core import Core, open  # noqa: A004  # jetcore.open() is what it is called

__all__ = [
    "AbortedError",
    "Account",
    "Alert",
    "BackupEnded",
    "BadInputError",
    "Contains",
    "Core",
    "CorruptRepositoryError",
    "Data",
    "Database",
    "DatabaseAuth",
    "DatabaseUser",
    "Destination",
    "DestinationConfig",
    "DestinationError",
    "DestinationFullError",
    "DumpEngine",
    "DumpError",
    "DumpStream",
    "EngineProbe",
    "Host",
    "JetcoreError",
    "Job",
    "Level",
    "MasterKeyError",
    "Message",
    "NoRepositoryError",
    "Notifier",
    "ObjectInfo",
    "ObjectNotFoundError",
    "OnProgress",
    "Outcome",
    "Panel",
    "PanelError",
    "Part",
    "PartFile",
    "PartReport",
    "PartialError",
    "PluginError",
    "PluginInfo",
    "PluginState",
    "Progress",
    "RepositoryError",
    "RepositoryLockedError",
    "RestoreError",
    "RestorePoint",
    "RestoreReport",
    "Secret",
    "SettingsError",
    "SourceError",
    "StateError",
    "Task",
    "TaskKind",
    "TaskResult",
    "TaskStatus",
    "UnsafeTargetError",
    "Usage",
    "Veto",
    "WrongPasswordError",
    "__version__",
    "hookimpl",
    "open",
    "setting",
    "shared",
]


def __getattr__(name: str) -> Any:
    # The core brings the database and the cryptography with it, which a plugin that wants `hookimpl` need not wait for.
    if name in {"Core", "open"}:
        return getattr(import_module("jetcore.core"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
