"""What can be set for MySQL and MariaDB."""

from __future__ import annotations

import attrs

from jetcore import DatabaseAuth, Secret, setting


@attrs.frozen(kw_only=True)
class MysqlSettings:
    """How the server is reached and how its databases are dumped."""

    host: str = setting(
        default="",
        title="Hostname",
        help="Server to connect to; empty, or localhost, for the Unix socket of this machine.",
        maximum=255,
    )
    port: int = setting(default=0, title="Port", help="TCP port; 0 for 3306.", minimum=0, maximum=65535)
    socket: str = setting(
        default="",
        title="Socket",
        help="Path of the Unix socket; wins over hostname and port, empty for the client program's own.",
        maximum=107,
    )
    user: str = setting(
        default="",
        title="User",
        help="User with the privileges that dumps and restores need; empty to leave user and password to the option "
        "files of the client programs, such as /root/.my.cnf.",
        maximum=128,
    )
    password: Secret = setting(
        default=Secret(""), title="Password", help="The user's password.", secret=True, maximum=1000
    )
    mysqldump: str = setting(
        default="",
        title="mysqldump Binary Location",
        help="Path of mariadb-dump or mysqldump; empty to look for them.",
    )
    mysql: str = setting(
        default="", title="mysql Binary Location", help="Path of mariadb or mysql; empty to look for them."
    )
    max_allowed_packet_mb: int = setting(
        default=1024,
        title="MySQL Dump max allowed packet",
        help="The maximum packet length to send to or receive from the server; 0 for the programs' own default. A row "
        "that is larger cannot be dumped.",
        unit="MB",
        choices=(0, 32, 64, 128, 256, 512, 1024),
    )
    force: bool = setting(
        default=True,
        title="MySQL Dump force flag",
        help="Continue with the rest of a database when one table or view cannot be dumped; the database is then "
        "partial, and the message names what is missing.",
    )
    opt: bool = setting(
        default=True,
        title="MySQL Dump opt flag",
        help="Many rows a statement, tables locked and keys disabled while they are filled: faster to restore. "
        "Without it each row is a statement of its own.",
    )
    skip_lock_tables: bool = setting(
        default=True,
        title="MySQL Dump skip lock table flag",
        help="Never lock tables. Without it a database that has tables without transactions (MyISAM, Aria) is "
        "locked while it is dumped, which makes its dump consistent and its site wait.",
    )
    stall_timeout: int = setting(
        default=3600,
        title="Time without progress",
        help="A dump or restore of which nothing was heard for so long is stopped.",
        unit="seconds",
        minimum=1,
        maximum=604800,
    )

    @property
    def auth(self) -> DatabaseAuth:
        """The part that says how the server is reached."""
        return DatabaseAuth(host=self.host, port=self.port, socket=self.socket, user=self.user, password=self.password)
