"""Where other file systems are mounted inside a home directory."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

#: ``mount_namespaces(7)``, proc(5): one line a mount, fields separated by spaces, special characters as ``\\ooo``.
_TABLE = Path("/proc/self/mountinfo")
_ESCAPE = re.compile(rb"\\([0-7]{3})")


def mounts_beneath(root: int, table: Path = _TABLE) -> Mapping[bytes, Mapping[bytes, str]]:
    """Return what is mounted beneath a folder: by the path of the folder that holds the mount point, type by name.

    The device number tells most mounts apart, but not a bind mount from the same file system, and asking a mount whose
    server is gone for its device number hangs.

    :param root: Descriptor of the folder. Paths are relative to it.
    """
    prefix = os.fsencode(os.readlink(f"/proc/self/fd/{root}")).rstrip(b"/") + b"/"
    found: dict[bytes, dict[bytes, str]] = {}
    for line in table.read_bytes().splitlines():
        facts, _, source = line.partition(b" - ")
        point = _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), facts.split(b" ")[4])
        if point.startswith(prefix):
            folder, _, name = point[len(prefix) :].rpartition(b"/")
            found.setdefault(folder, {})[name] = os.fsdecode(source.split(b" ")[0])
    return found
