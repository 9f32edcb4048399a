"""How much is done at the same time, and in which order."""

from __future__ import annotations

import attrs

from jetcore.settings.field import setting


@attrs.frozen
class Performance:
    """Performance settings."""

    queueable_forks: int = setting(
        default=5,
        title="Concurrent Restore / Download / Reindex Tasks",
        help="How many restores, downloads and reindexings run at the same time. Each is a process of its own, which "
        "can keep one core busy.",
        unit="tasks",
        minimum=1,
        maximum=10,
    )
    backup_forks: int = setting(
        default=5,
        title="Concurrent Backup / Clone Tasks",
        help="How many backups and clones of accounts run at the same time. Each is a process of its own, which can "
        "keep one core busy.",
        unit="tasks",
        minimum=1,
        maximum=10,
    )
    compression_level: int = setting(
        default=1,
        title="Compression Level",
        help="How hard new data is compressed, a level of zstd: 1 is fast, 3 takes about twice the time for a few "
        "percent less, 19 is for archives.",
        unit="level",
        minimum=1,
        maximum=22,
    )
    backup_fork_ttl: int = setting(
        default=0,
        title="Backup Fork TTL",
        help="Abort a backup that runs longer, whatever it is doing. 0 lets it run; set it only above the time that "
        "the largest account takes.",
        unit="hours",
        minimum=0,
        maximum=8_760,
    )
    limit_account_downloads: int = setting(
        default=0,
        title="Limit Accounts Downloads",
        help="How many downloads are kept for each account; a new one replaces the oldest. 0 keeps all.",
        unit="downloads",
        minimum=0,
        maximum=10_000,
    )
    dump_concurrency: int = setting(
        default=1,
        title="Concurrent Database Dumps",
        help="How many databases of one account are dumped at the same time.",
        unit="dumps",
        minimum=1,
        maximum=16,
    )
    directories_queue_priority: str = setting(
        default="Normal",
        title="Directory Queue Priority Group",
        help="The queue priority group of tasks that back up directories instead of accounts.",
        unit="characters",
        minimum=1,
        maximum=100,
    )
    ondemand_queue_priority: str = setting(
        default="Normal",
        title="On-Demand Queue Priority Group",
        help="The queue priority group of backups that users start themselves.",
        unit="characters",
        minimum=1,
        maximum=100,
    )
