"""What jetcore's processes may take from the server, by control groups."""

from __future__ import annotations

import attrs

from jetcore.settings.field import setting


@attrs.frozen
class Resources:
    """Resource settings."""

    cpu_limit: int | None = setting(
        default=None,
        title="CPU Limit",
        help="How much processor time all tasks together may use; 100 % is one core. Unlimited if not set.",
        unit="percent",
        minimum=5,
        maximum=100_000,
    )
    io_read_limit: int | None = setting(
        default=None,
        title="IO Read Limit",
        help="How fast all tasks together may read from disks. Unlimited if not set.",
        unit="MiB a second",
        minimum=1,
        maximum=1_000_000,
    )
    io_write_limit: int | None = setting(
        default=None,
        title="IO Write Limit",
        help="How fast all tasks together may write to disks. Unlimited if not set.",
        unit="MiB a second",
        minimum=1,
        maximum=1_000_000,
    )
    memory_limit: int | None = setting(
        default=None,
        title="Memory Limit",
        help="How much memory all tasks together may use. Unlimited if not set.",
        unit="MiB",
        minimum=128,
        maximum=16_777_216,
    )
