"""The accounts of a Linux server without a hosting panel: the logins of ``/etc/passwd``."""

from __future__ import annotations

from pathlib import Path

import attrs

from jetcore import Host, Panel, hookimpl, setting
from jetcore_panel_linux.panel import LinuxPanel


@attrs.frozen
class LinuxSettings:
    """Where the logins are, and which of them are accounts."""

    root: str = setting(
        default="/",
        title="Root directory",
        help="Directory that holds etc, home and var; another one than / for a tree made with useradd --prefix.",
        minimum=1,
    )
    uid_min: int = setting(
        default=0,
        title="Smallest user id",
        help="Logins below it are no accounts; 0 takes UID_MIN of login.defs.",
        minimum=0,
        maximum=2**32 - 2,
    )
    uid_max: int = setting(
        default=0,
        title="Largest user id",
        help="Logins above it are no accounts; 0 takes UID_MAX of login.defs.",
        minimum=0,
        maximum=2**32 - 2,
    )


class Plugin:
    """Offers the panel that is there when no other is."""

    Settings = LinuxSettings

    def __init__(self, settings: LinuxSettings) -> None:
        self._settings = settings

    @hookimpl(trylast=True)
    def jetcore_detect_panel(self, host: Host) -> Panel:
        """Return the panel: every Linux server has logins."""
        settings, root = self._settings, Path(self._settings.root)
        return LinuxPanel(host.root if root == Path("/") else root, uid_min=settings.uid_min, uid_max=settings.uid_max)
