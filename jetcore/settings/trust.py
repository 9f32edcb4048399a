"""Whether somebody other than root could change a file, or put another one in its place."""

from __future__ import annotations

import os
import stat
from pathlib import Path

#: The extended attribute of a POSIX access list; with one, the group's bits stand for everybody in the list.
_ACCESS_LIST = "system.posix_acl_access"


def open_to_others(place: Path) -> str:
    """Return what lets somebody other than root change *place*, a file or a directory; empty if nothing does.

    In a directory with the sticky bit, such as ``/tmp``, others can make new names but not touch existing ones.
    """
    status = place.stat()
    # Run by somebody else than root, jetcore trusts that user's own files too.
    if status.st_uid not in {0, os.geteuid()}:
        return f"belongs to user {status.st_uid}"
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    if status.st_mode & stat.S_IWOTH and not sticky:
        return "can be written by everybody"
    if status.st_mode & stat.S_IWGRP and not sticky:
        if status.st_gid != 0:
            return f"can be written by group {status.st_gid}"
        if _ACCESS_LIST in os.listxattr(place):
            return "can be written by those in its access list"
    return ""


def way_open_to_others(path: Path) -> str:
    """Return the place on the way to *path* that somebody other than root could change, and why; empty if none is.

    The directories above count, also those of a link: who can write there can put something else in its place. What
    does not exist yet is judged by the last directory that does.
    """
    real = path.resolve()
    for way in (real, path.absolute()):
        existing = next(place for place in (way, *way.parents) if place.exists())
        for place in (existing, *existing.parents):
            if reason := open_to_others(place):
                return f"{place} {reason}"
        if existing != way and existing.stat().st_mode & stat.S_IWOTH:
            return f"{existing} can be written by everybody"
    return ""
