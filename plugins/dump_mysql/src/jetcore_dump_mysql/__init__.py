"""MySQL and MariaDB for jetcore, through the server's own client programs."""

from __future__ import annotations

from collections.abc import Sequence

import jetcore
from jetcore_dump_mysql.engine import MysqlEngine
from jetcore_dump_mysql.settings import MysqlSettings

__all__ = ["MysqlEngine", "MysqlSettings", "jetcore_dump_engines"]


@jetcore.hookimpl
def jetcore_dump_engines() -> Sequence[type[jetcore.DumpEngine]]:
    """Add the engine ``mysql``."""
    return [MysqlEngine]
