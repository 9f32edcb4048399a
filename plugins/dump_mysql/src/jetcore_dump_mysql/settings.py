"""What can be set for MySQL and MariaDB."""

from __future__ import annotations

from pathlib import Path

import attrs

from jetcore import setting, shared


@attrs.frozen(kw_only=True)
class MysqlSettings:
    """How databases are dumped. All but the last are jetcore's own settings, as is how the server is reached."""

    mysqldump: Path | None = shared("binaries.mysqldump", default=None)
    mysql: Path | None = shared("binaries.mysql", default=None)
    max_packet: int = shared("mysql.max_packet", default=1024)
    force: bool = shared("mysql.force", default=True)
    opt: bool = shared("mysql.opt", default=True)
    skip_lock_tables: bool = shared("mysql.skip_lock_tables", default=True)
    stall_timeout: int = setting(
        default=3600,
        title="Time without progress",
        help="A dump or restore of which nothing was heard for so long is stopped.",
        unit="seconds",
        minimum=1,
        maximum=604800,
    )
