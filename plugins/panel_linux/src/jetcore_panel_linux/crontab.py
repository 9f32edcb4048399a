"""A login's crontab in cron's spool: ``crontabs/NAME`` on Debian, ``tabs/NAME`` on SUSE, ``NAME`` on Red Hat."""

from __future__ import annotations

import os
from pathlib import Path

from jetcore import PanelError
from jetcore_panel_linux.files import read_file, remove_file, write_file
from jetcore_panel_linux.logins import Login, Logins

CRONTAB = "cron/crontab"


def has_crontab(root: Path, name: str) -> bool:
    """Say whether there is something in the place of a login's crontab."""
    spool = _spool(root)
    return spool is not None and os.path.lexists(spool / name)


def read_crontab(root: Path, name: str) -> bytes:
    """Return a login's crontab.

    :raises PanelError: There is none, or it cannot be read.
    """
    spool = _spool(root)
    if spool is not None:
        try:
            return read_file(spool / name)
        except FileNotFoundError:
            pass
    raise PanelError(f"account {name!r} has no crontab any more")


def write_crontab(root: Path, login: Login, logins: Logins, data: bytes | None) -> None:
    """Put a login's crontab in its place, or remove it if *data* is None.

    :raises PanelError: There is no cron, or it cannot be written.
    """
    spool = _spool(root)
    if spool is None:
        raise PanelError(
            f"there is no {root / 'var/spool/cron'} for a crontab", hint="install the package cron or cronie"
        )
    if data is None:
        remove_file(spool / login.name)
        return
    # Debian's crontab(1) runs as this group and refuses files of another one; elsewhere it is the login's own.
    gid = logins.groups().gids.get("crontab", login.gid) if spool.name == "crontabs" else login.gid
    write_file(spool / login.name, data, uid=login.uid, gid=gid)


def _spool(root: Path) -> Path | None:
    cron = root / "var/spool/cron"
    return next((folder for folder in (cron / "crontabs", cron / "tabs", cron) if folder.is_dir()), None)
