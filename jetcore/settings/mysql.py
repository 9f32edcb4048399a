"""How MySQL and MariaDB databases are dumped."""

from __future__ import annotations

import attrs

from jetcore.settings.field import setting


@attrs.frozen
class Mysql:
    """MySQL settings."""

    max_packet: int = setting(
        default=0,
        title="MySQL Dump max allowed packet",
        help="The largest row that the dump program takes from the server. 0 leaves it to the program.",
        unit="MiB",
        choices=(0, 32, 64, 128, 256, 512, 1024),
    )
    force: bool = setting(
        default=False,
        title="MySQL Dump force flag",
        help="Go on after an error in a table. What the dump then lacks makes the restore point partial.",
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
        "as of one moment nevertheless.",
    )
