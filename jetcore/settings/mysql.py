"""How MySQL and MariaDB databases are dumped."""

from __future__ import annotations

import attrs

from jetcore.settings.field import setting


@attrs.frozen
class Mysql:
    """MySQL settings."""

    max_packet: int = setting(
        default=1024,
        title="MySQL Dump max allowed packet",
        help="The longest packet between the server and the dump and restore programs; a longer row cannot be dumped. "
        "0 leaves it to the programs.",
        unit="MiB",
        choices=(0, 32, 64, 128, 256, 512, 1024),
    )
    force: bool = setting(
        default=True,
        title="MySQL Dump force flag",
        help="Go on with the rest of a database after an error in a table or view. What the dump then lacks makes the "
        "restore point partial.",
    )
    opt: bool = setting(
        default=True,
        title="MySQL Dump opt flag",
        help="Write dumps that restore fast: tables are dropped first, and rows go in many at a time.",
    )
    skip_lock_tables: bool = setting(
        default=True,
        title="MySQL Dump skip lock table flag",
        help="Do not lock the tables, so that the account's sites go on writing. Tables with transactions are dumped "
        "as of one moment nevertheless; others (MyISAM, Aria) may change while they are dumped.",
    )
