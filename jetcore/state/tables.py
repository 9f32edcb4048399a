"""The tables of the state database. ``migrations/`` makes them; a test holds the two together.

Names of constraints follow one convention, because SQLite can change a constraint only by its name.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    CursorResult,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
)

from jetcore.model import Level, Outcome, TaskKind, TaskStatus
from jetcore.settings.file_permissions import Category
from jetcore.settings.notifications import Frequency
from jetcore.state.types import Choice, Instant, Json, PathBytes, PlainText

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

#: One row: who this installation is, and the proof that a master key is the right one.
server = Table(
    "server",
    metadata,
    Column("uuid", PlainText, primary_key=True),
    Column("key_check", PlainText, nullable=False),
    Column("created", Instant, nullable=False),
)

#: Every account that was ever seen. A row stays when the account is gone from the panel.
accounts = Table(
    "accounts",
    metadata,
    Column("uuid", PlainText, primary_key=True),
    Column("panel", PlainText, nullable=False),
    Column("name", PlainText, nullable=False),
    Column("home", PathBytes, nullable=False),
    Column("uid", BigInteger, nullable=False),
    Column("gid", BigInteger, nullable=False),
    Column("owner", PlainText, nullable=False),
    Column("package", PlainText, nullable=False),
    Column("ip", PlainText, nullable=False),
    Column("domains", Json, nullable=False),
    Column("suspended", Boolean, nullable=False),
    Column("extra", Json, nullable=False),
    Column("created", Instant, nullable=False),
    UniqueConstraint("panel", "name"),
    Index(None, "name"),
)

destinations = Table(
    "destinations",
    metadata,
    Column("uuid", PlainText, primary_key=True),
    Column("name", PlainText, nullable=False, unique=True),
    Column("type", PlainText, nullable=False),
    #: Its settings as a document, secrets sealed.
    Column("settings", Json, nullable=False),
    #: True or NULL, so that being unique means that there is one default at most. (A partial index would say it better,
    #: but declaring one imports the dialects of both engines, at the start of every command.)
    Column("is_default", Boolean, unique=True),
    Column("created", Instant, nullable=False),
    CheckConstraint("is_default", name="is_default"),
)


#: The repository of an account at a destination.
repositories = Table(
    "repositories",
    metadata,
    Column("account_uuid", PlainText, ForeignKey("accounts.uuid"), nullable=False),
    Column("destination_uuid", PlainText, ForeignKey("destinations.uuid"), nullable=False),
    Column("prefix", PlainText, nullable=False),
    #: Sealed.
    Column("password", PlainText, nullable=False),
    #: The repository's own master keys, sealed: they spare the derivation from the password. NULL while unknown.
    Column("keys", PlainText),
    Column("created", Instant, nullable=False),
    PrimaryKeyConstraint("account_uuid", "destination_uuid"),
    UniqueConstraint("destination_uuid", "prefix"),
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", PlainText, nullable=False, unique=True),
    Column("contains", Integer, nullable=False),
    #: Names of accounts; an empty list for all. No references: a job may name an account before it exists.
    Column("accounts", Json, nullable=False),
    Column("enabled", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

job_destinations = Table(
    "job_destinations",
    metadata,
    Column("job_id", Integer, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("destination_uuid", PlainText, ForeignKey("destinations.uuid"), nullable=False),
    PrimaryKeyConstraint("job_id", "position"),
    UniqueConstraint("job_id", "destination_uuid"),
)

#: Restore points: what is here can be restored.
points = Table(
    "points",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", PlainText, nullable=False),
    Column("account_uuid", PlainText, ForeignKey("accounts.uuid"), nullable=False),
    Column("destination_uuid", PlainText, ForeignKey("destinations.uuid"), nullable=False),
    Column("created", Instant, nullable=False),
    Column("outcome", Choice(Outcome), nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("added_bytes", BigInteger, nullable=False),
    UniqueConstraint("destination_uuid", "id"),
    Index(None, "account_uuid", "created"),
    sqlite_autoincrement=True,
)

#: The parts of restore points, in the order of the backup.
point_parts = Table(
    "point_parts",
    metadata,
    Column("point_number", Integer, ForeignKey("points.number", ondelete="CASCADE"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("name", PlainText, nullable=False),
    Column("engine", PlainText, nullable=False),
    Column("outcome", Choice(Outcome), nullable=False),
    Column("path", PlainText, nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("messages", Json, nullable=False),
    PrimaryKeyConstraint("point_number", "position"),
)

#: What was done. Account and destination are names, so that the record outlives them.
tasks = Table(
    "tasks",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", Choice(TaskKind), nullable=False),
    Column("status", Choice(TaskStatus), nullable=False),
    Column("account", PlainText, nullable=False),
    Column("destination", PlainText, nullable=False),
    Column("created", Instant, nullable=False),
    Column("started", Instant),
    Column("finished", Instant),
    Column("message", PlainText, nullable=False),
    Index(None, "status"),
    Index(None, "account", "id"),
    sqlite_autoincrement=True,
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("level", Choice(Level), nullable=False),
    Column("title", PlainText, nullable=False),
    Column("message", PlainText, nullable=False),
    Column("account", PlainText, nullable=False),
    Column("created", Instant, nullable=False),
    Index(None, "created"),
    sqlite_autoincrement=True,
)

#: One row a section, as it is now.
settings = Table(
    "settings",
    metadata,
    Column("section", PlainText, primary_key=True),
    #: Counts the changes; who saves must have seen the last one.
    Column("version", Integer, nullable=False),
    #: Format of the document; see :mod:`jetcore.settings.upgrade`.
    Column("format", Integer, nullable=False, server_default="1"),
    #: What differs from the defaults, secrets sealed.
    Column("document", Json, nullable=False),
    Column("changed", Instant, nullable=False),
    Column("changed_by", PlainText, nullable=False),
)

#: Every change of a section.
settings_history = Table(
    "settings_history",
    metadata,
    Column("section", PlainText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("changed", Instant, nullable=False),
    Column("changed_by", PlainText, nullable=False),
    #: ``{field: [before, after]}``; a secret only says that it changed.
    Column("changes", Json, nullable=False),
    PrimaryKeyConstraint("section", "version"),
)


#: Queue priority groups.
priorities = Table(
    "priorities",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", PlainText, nullable=False, unique=True),
    #: The values of the kinds of tasks; the lower, the sooner.
    Column("backup", Integer, nullable=False),
    Column("restore", Integer, nullable=False),
    Column("download", Integer, nullable=False),
    Column("clone", Integer, nullable=False),
    Column("tags", Json, nullable=False),
    #: True or NULL, as that of destinations.
    Column("is_default", Boolean, unique=True),
    CheckConstraint("is_default", name="is_default"),
    sqlite_autoincrement=True,
)

#: What was set for single accounts.
account_overrides = Table(
    "account_overrides",
    metadata,
    Column("account_uuid", PlainText, ForeignKey("accounts.uuid"), primary_key=True),
    Column("priority_id", Integer, ForeignKey("priorities.id")),
    Column("on_demand_retain", Integer),
    Column("tags", Json, nullable=False),
)

restore_conditions = Table(
    "restore_conditions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("condition", PlainText, nullable=False),
    Column("enabled", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

file_permissions = Table(
    "file_permissions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("pattern", PlainText, nullable=False),
    Column("category", Choice(Category), nullable=False),
    Column("owner", PlainText, nullable=False),
    Column("group", PlainText, nullable=False),
    Column("file_mode", PlainText, nullable=False),
    Column("directory_mode", PlainText, nullable=False),
    Column("recursive", Boolean, nullable=False),
    sqlite_autoincrement=True,
)

#: API access tokens.
tokens = Table(
    "tokens",
    metadata,
    Column("id", Integer, primary_key=True),
    #: SHA-256 of the token, in hex. A token is random and long, so nothing slower is needed.
    Column("digest", PlainText, nullable=False, unique=True),
    Column("description", PlainText, nullable=False),
    Column("account", PlainText, nullable=False),
    Column("ip", PlainText, nullable=False),
    Column("created", Instant, nullable=False),
    Column("last_used", Instant),
    Column("last_ip", PlainText, nullable=False),
    sqlite_autoincrement=True,
)

#: Notification integrations.
integrations = Table(
    "integrations",
    metadata,
    Column("uuid", PlainText, primary_key=True),
    Column("name", PlainText, nullable=False, unique=True),
    Column("type", PlainText, nullable=False),
    Column("owner", PlainText, nullable=False),
    #: How soon alerts of each level are sent.
    Column("information", Choice(Frequency), nullable=False),
    Column("warning", Choice(Frequency), nullable=False),
    Column("critical", Choice(Frequency), nullable=False),
    Column("enabled", Boolean, nullable=False),
    #: Settings of its type as a document, secrets sealed.
    Column("settings", Json, nullable=False),
    Column("created", Instant, nullable=False),
)


def new_number(inserted: CursorResult[Any]) -> int:
    """Return the number that the database gave to the row just inserted."""
    if inserted.inserted_primary_key is None:
        raise TypeError("not the result of inserting one row")
    return int(inserted.inserted_primary_key[0])
