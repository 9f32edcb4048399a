"""Settings of jetcore as a whole."""

from __future__ import annotations

from pathlib import Path

import attrs

from jetcore.settings.field import absolute_path, setting


@attrs.frozen
class General:
    """General settings."""

    debug: bool = setting(
        default=False,
        title="Debug Active",
        help="Write more into the logs: what was decided and why, and tracebacks of errors.",
    )
    error_reporting: bool = setting(
        default=False,
        title="Error Reporting",
        help="Mail reports of internal errors to the address in the notification settings. Nothing leaves this server "
        "otherwise.",
    )
    workspace_path: Path | None = setting(
        default=None,
        title="Workspace Directory",
        help="Where temporary files go; the folder 'workspace' in jetcore's home if not set. It must be root's alone.",
        validator=absolute_path,
    )
    downloads_path: Path | None = setting(
        default=None,
        title="Download Directory",
        help="Where archives made for download go; the folder 'downloads' in jetcore's home if not set.",
        validator=absolute_path,
    )
    orphan_backup_ttl: int = setting(
        default=180,
        title="Delete orphan backups older than",
        help="Delete restore points of accounts that no longer exist once they are this old, counted from the backup. "
        "0 keeps them.",
        unit="days",
        minimum=0,
        maximum=36_500,
    )
    downloads_ttl: int = setting(
        default=0,
        title="Downloads TTL",
        help="Delete downloads that are older. 0 keeps them.",
        unit="days",
        minimum=0,
        maximum=36_500,
    )
    logs_ttl: int = setting(
        default=30,
        title="Days to keep logs history",
        help="Delete logs that are older.",
        unit="days",
        minimum=1,
        maximum=36_500,
    )
    alerts_ttl: int = setting(
        default=60,
        title="Days to keep alerts",
        help="Delete alerts that are older.",
        unit="days",
        minimum=1,
        maximum=36_500,
    )
    manually_backup_retain: int = setting(
        default=14,
        title="Manual Backups Retain",
        help="How many restore points made by hand are kept, for each job.",
        unit="backups",
        minimum=1,
        maximum=99,
    )
    manually_backup_ttl: int = setting(
        default=0,
        title="Manual Backups TTL",
        help="Delete restore points made by hand that are older. 0 keeps them.",
        unit="days",
        minimum=0,
        maximum=36_500,
    )
    disabled_plugins: tuple[str, ...] = setting(
        default=(),
        title="Disabled Plugins",
        help="Names of installed plugins that are left out, for instance notify_email.",
    )
