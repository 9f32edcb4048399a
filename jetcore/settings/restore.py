"""What users may restore, and how."""

from __future__ import annotations

import enum

import attrs

from jetcore.settings.field import setting


class PackageSelection(enum.StrEnum):
    """Which package an account has after a restore."""

    #: The one that it has on the server now.
    LIVE = "live"
    #: The one that it had when it was backed up.
    BACKUP = "backup"


@attrs.frozen
class Restore:
    """Restore settings."""

    limit_times: int = setting(
        default=0,
        title="Restore Limit",
        help="How many restores a user may start in the time below. 0 sets no limit.",
        unit="restores",
        minimum=0,
        maximum=10_000,
    )
    limit_hours: int = setting(
        default=0,
        title="Restore Limit Period",
        help="The time in which a user may start so many restores. 0 sets no limit.",
        unit="hours",
        minimum=0,
        maximum=8_760,
    )
    package_selection: PackageSelection = setting(
        default=PackageSelection.LIVE,
        title="Package Selection",
        help="Which package an existing account has after a restore: the live one, or the one of the backup.",
    )
    lock_homedir: bool = setting(
        default=False,
        title="Lock Homedir",
        help="Close the home directory to its owner (mode 000) as long as it is being restored.",
    )
    enforce_hardlink_protection: bool = setting(
        default=True,
        title="Enforce Hard Link Protection",
        help="Refuse restores where the kernel lets users link to files of others (fs.protected_hardlinks = 0), "
        "because they could gain rights that way.",
    )
