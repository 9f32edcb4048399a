"""The values that the whole of jetcore, its plugins and its users talk in. Leaves: nothing here does any work."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import attrs

from jetcore.errors import BadInputError


class Secret:
    """A text that must never be shown: its ``repr`` and ``str`` are masked, :meth:`reveal` gives it out.

    Two secrets are equal when their texts are; the comparison is not meant for untrusted input.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text. Call it where the text is used and nowhere earlier."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "Secret('***')" if self._text else "Secret('')"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError("a Secret cannot be pickled")


class Contains(enum.IntFlag):
    """What of an account is backed up, as a bit mask. The numbers are those of JetBackup 5."""

    #: The account itself: owner, package, addresses, limits.
    CONFIG = 1
    #: The home directory.
    HOMEDIR = 2
    #: Databases of every engine.
    DATABASES = 4
    #: Mailboxes, with their settings.
    EMAILS = 8
    #: Scheduled commands.
    CRON = 16
    #: Domains and their DNS zones.
    DOMAINS = 32
    #: TLS certificates and keys.
    CERTIFICATES = 64
    #: Database users with their grants and password hashes.
    DATABASE_USERS = 128
    #: FTP users.
    FTP = 256
    #: Everything.
    FULL = 511


_LABELS: Mapping[Contains, str] = {
    Contains.CONFIG: "config",
    Contains.HOMEDIR: "homedir",
    Contains.DATABASES: "database",
    Contains.EMAILS: "email",
    Contains.CRON: "cron",
    Contains.DOMAINS: "domain",
    Contains.CERTIFICATES: "certificate",
    Contains.DATABASE_USERS: "database_user",
    Contains.FTP: "ftp",
}
_KINDS = {label: kind for kind, label in _LABELS.items()}


@attrs.frozen(order=True)
class Part:
    """One thing of an account that is backed up and restored on its own.

    ``str(part)`` is its label: ``homedir``, ``database:shop``, ``email:info@a.example``.
    """

    #: A single flag of :class:`Contains`.
    kind: Contains
    #: Which one, where an account can have several; empty for ``config``, ``homedir`` and ``cron``.
    name: str = ""
    #: Name of the dump engine, for databases and database users; empty for all else.
    engine: str = ""

    def __str__(self) -> str:
        return f"{_LABELS[self.kind]}:{self.name}" if self.name else _LABELS[self.kind]

    def matches(self, label: str) -> bool:
        """Say whether *label* selects this part: its own label, or its kind alone (``database``)."""
        return label in (str(self), _LABELS[self.kind])


def part_kind(label: str) -> Contains:
    """Return the kind that *label* begins with.

    :raises BadInputError: No kind has that name.
    """
    kind = _KINDS.get(label.partition(":")[0])
    if kind is None:
        raise BadInputError(f"unknown part {label!r}", hint=f"a part is one of {', '.join(_KINDS)}, or KIND:NAME")
    return kind


class Outcome(enum.StrEnum):
    """How a task, a restore point or a part of one ended."""

    #: Everything that was asked for is there.
    COMPLETED = "completed"
    #: Usable, but something named in the messages is missing.
    PARTIAL = "partial"
    #: Nothing usable came of it.
    FAILED = "failed"
    #: Stopped on purpose before its end.
    ABORTED = "aborted"

    @classmethod
    def of_all(cls, outcomes: list[Outcome]) -> Outcome:
        """Return the outcome of a whole whose pieces ended with *outcomes*."""
        if all(outcome is cls.COMPLETED for outcome in outcomes):
            return cls.COMPLETED
        if outcomes and all(outcome is cls.FAILED for outcome in outcomes):
            return cls.FAILED
        return cls.PARTIAL


@attrs.frozen(kw_only=True)
class Host:
    """The machine that jetcore runs on, as a panel plugin may look at it."""

    #: Host name, as it is written into snapshots.
    name: str
    #: Root directory; a temporary tree in tests.
    root: Path = Path("/")


@attrs.frozen(kw_only=True)
class Account:
    """A hosting account."""

    name: str
    #: Name of the panel that manages it, for instance ``linux``.
    panel: str
    #: Home directory as seen by jetcore, absolute.
    home: Path
    uid: int
    gid: int
    #: Given by jetcore when it first sees the account, and kept for ever; empty as long as only the panel knows it.
    uuid: str = ""
    #: Name of the reseller or administrator that the account belongs to; empty where the panel has no owners.
    owner: str = ""
    #: Name of the package; empty where the panel has none.
    package: str = ""
    #: Main IP address; empty where the panel does not bind one.
    ip: str = ""
    domains: tuple[str, ...] = ()
    suspended: bool = False
    #: Facts that only the panel understands (shell, comment, …): strings, kept in ``config`` and given back on restore.
    extra: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Usage:
    """What an account takes up."""

    bytes: int
    inodes: int


@attrs.frozen(kw_only=True)
class PartFile:
    """A small file of a part that is not read from the home directory: a crontab, a zone, a certificate."""

    #: Path inside the restore point, relative and ``/``-separated, for instance ``cron/crontab``.
    path: str
    data: bytes
    #: Permission bits.
    mode: int = 0o600


@attrs.frozen(kw_only=True)
class DatabaseAuth:
    """How a dump engine reaches its server. What is not set is left to the client program's own defaults."""

    host: str = ""
    port: int = 0
    #: Path of a Unix socket; wins over host and port.
    socket: str = ""
    user: str = ""
    password: Secret = Secret("")
    #: Database that holds the credentials (MongoDB).
    auth_database: str = ""


@attrs.frozen(kw_only=True)
class Database:
    """A database as its server lists it."""

    name: str
    #: An estimate; 0 if the server does not say.
    bytes: int = 0
    #: User that owns it, where the engine knows owners.
    owner: str = ""


@attrs.frozen(kw_only=True)
class DatabaseUser:
    """A user of a database server together with what it may do in an account's databases."""

    #: Name, with host where the engine has one: ``shop@localhost``.
    name: str
    #: Names of the databases that it has privileges in.
    databases: tuple[str, ...] = ()
    #: Statements that make the user again: password hash and grants, in the engine's own language.
    definition: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class EngineProbe:
    """What a dump engine found when it looked at its server."""

    #: Product and version, for instance ``10.11.6-MariaDB``.
    version: str
    #: What a dump would lack and why; empty when nothing.
    warnings: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class PartReport:
    """How one part fared in a backup or a restore."""

    part: Part
    outcome: Outcome
    #: Where the part lies in the restore point, for instance ``/databases/mysql/shop.sql``.
    path: str = ""
    files: int = 0
    #: Size of the contents.
    bytes: int = 0
    #: What is missing and why; empty when the part is complete.
    messages: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class RestorePoint:
    """One snapshot of an account at one destination."""

    #: The snapshot's id in the repository, 64 hex digits; the first eight are shown.
    id: str
    account: str
    account_uuid: str
    #: Name of the destination.
    destination: str
    #: When the backup began, aware.
    created: datetime
    outcome: Outcome
    parts: tuple[PartReport, ...]
    files: int
    #: Size of all contents.
    bytes: int
    #: What this point added to the destination.
    added_bytes: int

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not in the point, a sentence each; empty for a completed one."""
        return tuple(f"{report.part}: {message}" for report in self.parts for message in report.messages)


@attrs.frozen(kw_only=True)
class BackupEnded:
    """How the backup of one of several accounts ended."""

    account: str
    #: The new restore point; None if there is none.
    point: RestorePoint | None = None
    #: Why there is none; empty if there is one.
    message: str = ""
    #: Exit status of the command line for that reason; 0 if there is a point.
    exit_code: int = 0


@attrs.frozen(kw_only=True)
class RestoreReport:
    """What a restore put back."""

    account: str
    point: str
    outcome: Outcome
    parts: tuple[PartReport, ...]
    #: What was left out on purpose, a sentence each: setuid bits, sockets.
    notes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class DestinationConfig:
    """A destination as the user configured it."""

    name: str
    #: Name of a destination type, for instance ``local``.
    type: str
    #: Given when the destination is added; also in the destination's ``jetcore-destination.json``.
    uuid: str
    #: An instance of the type's ``Settings``.
    settings: Any = None
    #: The one that is used when none is named.
    default: bool = False


@attrs.frozen(kw_only=True)
class Job:
    """What to back up and where to."""

    name: str
    contains: Contains = Contains.FULL
    #: Names of destinations.
    destinations: tuple[str, ...] = ()
    #: Names of accounts; empty for all.
    accounts: tuple[str, ...] = ()
    enabled: bool = True


class TaskKind(enum.StrEnum):
    """What a task does."""

    BACKUP = "backup"
    RESTORE = "restore"
    DOWNLOAD = "download"
    REINDEX = "reindex"
    CLONE = "clone"
    MAINTENANCE = "maintenance"
    NOTIFICATION = "notification"


class TaskStatus(enum.StrEnum):
    """Where a task stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    PARTIAL = "partial"
    FAILED = "failed"
    ABORTED = "aborted"
    #: Its process went away without a word.
    NEVER_FINISHED = "never finished"


@attrs.frozen(kw_only=True)
class Task:
    """One piece of work on one account."""

    id: int
    kind: TaskKind
    status: TaskStatus
    #: Name of the account; empty for work on none.
    account: str = ""
    destination: str = ""
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None
    #: Why it ended as it did; empty when it went well.
    message: str = ""


@attrs.frozen(kw_only=True)
class TaskResult:
    """What is told to plugins when a task has ended."""

    task: Task
    outcome: Outcome
    #: The restore point that a backup made, if it made one.
    point: RestorePoint | None = None


@attrs.frozen(kw_only=True)
class Veto:
    """A plugin's answer that a task must not run."""

    reason: str


class Level(enum.StrEnum):
    """How urgent an alert is."""

    INFORMATION = "information"
    WARNING = "warning"
    CRITICAL = "critical"


@attrs.frozen(kw_only=True)
class Alert:
    """Something that the people in charge should know."""

    id: int
    level: Level
    title: str
    message: str
    account: str = ""
    created: datetime


@attrs.frozen(kw_only=True)
class Message:
    """What a notifier delivers."""

    #: Stays the same when the message is sent again, so that a receiver can drop a repeat.
    id: str
    level: Level
    title: str
    #: Plain text, several lines.
    text: str
    created: datetime


@attrs.frozen(kw_only=True)
class Progress:
    """How far a piece of work has come. Totals are 0 while unknown."""

    #: What is being done, in words: ``homedir``, ``database:shop``.
    phase: str
    files: int = 0
    files_total: int = 0
    bytes: int = 0
    bytes_total: int = 0


#: Called from time to time during long work; it must return quickly.
OnProgress = Callable[[Progress], None]


class PluginState(enum.StrEnum):
    """What became of an installed plugin."""

    #: Loaded and in use.
    ACTIVE = "active"
    #: Switched off by the user.
    DISABLED = "disabled"
    #: Left out because something is wrong with it; the reason says what.
    BROKEN = "broken"


@attrs.frozen(kw_only=True)
class PluginInfo:
    """An installed plugin as ``jetcore plugins list`` shows it."""

    #: Entry-point name: ``<kind>_<product>``.
    name: str
    #: Distribution and version that it comes from: ``jetcore-panel-linux 0.1.0``.
    distribution: str
    state: PluginState
    #: Why it is not active; empty when it is.
    reason: str = ""
    #: Names of the hooks that it implements.
    hooks: tuple[str, ...] = ()

    @classmethod
    def broken(cls, name: str, distribution: str, reason: str) -> Self:
        """Return the information about a plugin that is left out because of *reason*."""
        return cls(name=name, distribution=distribution, state=PluginState.BROKEN, reason=reason)
