"""How jetcore works with the hosting panel, and on servers without one with the database servers."""

from __future__ import annotations

import enum

import attrs

from jetcore.model import Secret
from jetcore.settings.field import setting

_PANELS = ("cpanel", "directadmin")


class AssignType(enum.StrEnum):
    """Which account a database belongs to where no panel knows."""

    #: The one whose name the database has, or begins with.
    PREFIX = "prefix"
    #: The one that the administrator names for it.
    MANUAL = "manual"


@attrs.frozen
class PanelSettings:
    """Panel settings."""

    default_package: str = setting(
        default="",
        title="Default Package",
        help="The package of a restored account whose own is unknown to the panel.",
        panels=_PANELS,
        unit="characters",
        maximum=255,
    )
    default_ip: str = setting(
        default="",
        title="Default IP Address",
        help="The address of a restored account whose own is unknown to the panel.",
        panels=_PANELS,
        unit="characters",
        maximum=255,
    )
    default_owner: str = setting(
        default="",
        title="Default Owner",
        help="The owner of a restored account whose own is unknown to the panel.",
        panels=_PANELS,
        unit="characters",
        maximum=255,
    )
    api_timeout: int = setting(
        default=30,
        title="API Timeout",
        help="How long an answer of the panel is waited for.",
        unit="seconds",
        minimum=1,
        maximum=3_600,
        panels=("directadmin",),
    )
    default_db_user: str = setting(
        default="",
        title="Default Databases Backup Account",
        help="The account that databases without one are backed up with. They are not backed up if it is empty.",
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
    assign_type: AssignType = setting(
        default=AssignType.PREFIX,
        title="Database Assignment",
        help="How a database finds its account: by its name (prefix), or by the administrator's word (manual).",
        panels=("linux",),
    )
    mysql_enabled: bool = setting(
        default=False,
        title="MySQL Authentication: Enabled",
        help="Use the access data below for MySQL, instead of what its client programs find by themselves.",
        panels=("linux",),
    )
    mysql_host: str = setting(
        default="localhost",
        title="MySQL Authentication: Hostname",
        help="Name or address of the MySQL server, or the path of its Unix socket.",
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
    mysql_port: int = setting(
        default=3306,
        title="MySQL Authentication: Port",
        help="Port of the MySQL server.",
        minimum=1,
        maximum=65_535,
        panels=("linux",),
    )
    mysql_user: str = setting(
        default="",
        title="MySQL Authentication: Username",
        help="User that may read and restore every database of the MySQL server.",
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
    mysql_password: Secret = setting(
        default=Secret(""),
        title="MySQL Authentication: Password",
        help="Password of that user.",
        secret=True,
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
    pg_enabled: bool = setting(
        default=False,
        title="PostgreSQL Authentication: Enabled",
        help="Use the access data below for PostgreSQL, instead of what its client programs find by themselves.",
        panels=("linux",),
    )
    pg_host: str = setting(
        default="localhost",
        title="PostgreSQL Authentication: Hostname",
        help="Name or address of the PostgreSQL server, or the path of its Unix socket.",
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
    pg_port: int = setting(
        default=5432,
        title="PostgreSQL Authentication: Port",
        help="Port of the PostgreSQL server.",
        minimum=1,
        maximum=65_535,
        panels=("linux",),
    )
    pg_user: str = setting(
        default="",
        title="PostgreSQL Authentication: Username",
        help="User that may read and restore every database of the PostgreSQL server.",
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
    pg_password: Secret = setting(
        default=Secret(""),
        title="PostgreSQL Authentication: Password",
        help="Password of that user.",
        secret=True,
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
    mongodb_enabled: bool = setting(
        default=False,
        title="MongoDB Authentication: Enabled",
        help="Use the access data below for MongoDB, instead of what its client programs find by themselves.",
        panels=("linux",),
    )
    mongodb_host: str = setting(
        default="localhost",
        title="MongoDB Authentication: Hostname",
        help="Name or address of the MongoDB server, or the path of its Unix socket.",
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
    mongodb_port: int = setting(
        default=27017,
        title="MongoDB Authentication: Port",
        help="Port of the MongoDB server.",
        minimum=1,
        maximum=65_535,
        panels=("linux",),
    )
    mongodb_user: str = setting(
        default="",
        title="MongoDB Authentication: Username",
        help="User that may read and restore every database of the MongoDB server.",
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
    mongodb_password: Secret = setting(
        default=Secret(""),
        title="MongoDB Authentication: Password",
        help="Password of that user.",
        secret=True,
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
    mongodb_auth_database: str = setting(
        default="",
        title="MongoDB Authentication: Auth Database",
        help="The database that the user was created in.",
        panels=("linux",),
        unit="characters",
        maximum=255,
    )
