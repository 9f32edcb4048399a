"""Backups that users start themselves."""

from __future__ import annotations

import attrs

from jetcore.settings.field import setting


@attrs.frozen
class OnDemand:
    """Backup on demand. Of the two conditions that switch it off for an account, the first that holds counts."""

    backup: str = setting(
        default="",
        title="Backup Job",
        help="Name of the job whose contents and destinations are used. It has to be enabled; without one, users "
        "cannot start backups.",
        unit="characters",
        maximum=200,
    )
    retain: int = setting(
        default=1,
        title="Maximum Backups per Account",
        help="How many of these backups an account may have. It can be set otherwise for single accounts.",
        unit="backups",
        minimum=1,
        maximum=99,
    )
    ttl: int = setting(
        default=0,
        title="How Long Keep Snapshots",
        help="Delete these backups when they are older. 0 keeps them.",
        unit="days",
        minimum=0,
        maximum=36_500,
    )
    rule_size: int | None = setting(
        default=None,
        title="Disable on Disk Space",
        help="Accounts that take up this much space, or more, cannot start backups. No limit if not set.",
        unit="MiB",
        minimum=1,
        maximum=1_000_000_000,
    )
    rule_inodes: int | None = setting(
        default=None,
        title="Disable on Inodes",
        help="Accounts with more inodes cannot start backups. No limit if not set.",
        unit="inodes",
        minimum=1,
        maximum=1_000_000_000,
    )
