"""What an object that a plugin hands over can do.

A hook registers a *type* or returns an object (see :mod:`jetcore.hookspecs`); the work is done by the object's
methods, whose docstrings are the contract. :mod:`jetcore.testing` has a suite of tests for each class here.

Each type names its ``Settings``: an attrs class whose fields are made with :func:`jetcore.setting`, or None when there
is nothing to configure. An instance of it is what the type is built with.
"""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, ClassVar, Self

import attrs

from jetcore.errors import PanelError
from jetcore.model import (
    Account,
    Contains,
    Database,
    DatabaseAuth,
    DatabaseUser,
    EngineProbe,
    Message,
    Part,
    PartFile,
    Usage,
)

#: What the ``put`` of a destination takes: one buffer or several that are written one after the other.
Data = bytes | bytearray | memoryview


class Panel(abc.ABC):
    """A hosting panel: it knows which accounts there are and what each of them consists of."""

    #: Name of the panel, written into accounts and restore points: ``linux``, ``cpanel``.
    name: ClassVar[str]
    #: Directory that every home lies beneath. Trusted: no account can change it or what is above it.
    root: Path = Path("/")

    @abc.abstractmethod
    def accounts(self) -> Iterable[Account]:
        """Yield the accounts in a stable order.

        An account that cannot be read is logged, never fatal for the others.

        :raises PanelError: The panel cannot be asked at all.
        """

    def account(self, name: str) -> Account | None:
        """Return the account called *name*, or None if there is none. Panels with a direct question override this."""
        return next((account for account in self.accounts() if account.name == name), None)

    @abc.abstractmethod
    def parts(self, account: Account) -> Sequence[Part]:
        """Return the parts of *account* that the panel itself can read: config, homedir, cron, mail, domains, ….

        Databases and their users are not among them: they come from the dump engines, see :meth:`databases`.
        """

    @abc.abstractmethod
    def read(self, account: Account, part: Part) -> Sequence[PartFile]:
        """Return the files that *part* consists of; not asked for ``homedir``, which is read from ``account.home``.

        The same state gives the same bytes: no times, no order that changes.

        :raises PanelError: The part cannot be read; it is then missing from the restore point, which becomes partial.
        """

    @abc.abstractmethod
    def apply(self, account: Account, part: Part, files: Sequence[PartFile]) -> None:
        """Put *part* back as :meth:`read` gave it, replacing what is there. Doing it twice changes nothing more.

        :raises PanelError: It cannot be put back; the message says why.
        """

    @abc.abstractmethod
    def create_account(self, wanted: Account) -> Account:
        """Make the account that is missing on this server and return it as it now is; its uid may differ.

        :raises PanelError: It cannot be made.
        """

    def databases(self, account: Account, engine: str, existing: Sequence[str]) -> Sequence[str]:
        """Return those of *existing* that belong to *account*: equal to its name, or beginning with ``NAME_``.

        :param engine: Name of the dump engine.
        :param existing: Names of all databases of the engine's server.
        """
        return [name for name in existing if name == account.name or name.startswith(f"{account.name}_")]

    def usage(self, account: Account) -> Usage | None:
        """Return what *account* takes up, or None if finding out would take long."""
        return None

    def database_auth(self, engine: str) -> DatabaseAuth | None:
        """Return how the panel reaches its server of *engine*, or None to go by the panel settings."""
        return None

    def packages(self) -> Sequence[str]:
        """Return the names of the packages; empty if the panel has no such notion."""
        return ()

    def ip_addresses(self) -> Sequence[str]:
        """Return the addresses that an account can be given; empty if the panel has no such notion."""
        return ()

    def owners(self) -> Sequence[str]:
        """Return those who can own an account; empty if the panel has no such notion."""
        return ()

    def suspend(self, account: Account) -> None:
        """Keep *account* from being used, without touching its data."""
        raise PanelError(f"{self.name} cannot suspend accounts")

    def unsuspend(self, account: Account) -> None:
        """Undo :meth:`suspend`."""
        raise PanelError(f"{self.name} cannot unsuspend accounts")

    def terminate(self, account: Account) -> None:
        """Remove *account* with all its data."""
        raise PanelError(f"{self.name} cannot terminate accounts")


class DumpStream(abc.ABC):
    """A dump that is being made. A context manager: leaving it stops and reaps whatever makes the dump."""

    @abc.abstractmethod
    def read(self, size: int) -> bytes:
        """Return up to *size* bytes, fewer when no more are ready; ``b""`` only when the dump is *complete*.

        The end is given out only after the engine has proved it: exit status 0 and the format's own end mark.

        :raises DumpError: The dump broke off, or ended without proof that it is whole.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Stop the dump if it still runs and free what it holds. Safe to call twice."""

    @property
    def missing(self) -> Sequence[str]:
        """What a finished dump lacks, a sentence each; known once :meth:`read` has returned ``b""``.

        A dump that lacks something can be restored, but makes its part partial.
        """
        return ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


class DumpEngine(abc.ABC):
    """A kind of database server that jetcore can dump and restore.

    Built with ``settings`` (an instance of :attr:`Settings`) and ``auth``: how the server is reached, from the panel or
    else from the panel settings, or None to leave it to the client programs.
    Building one opens no connection.
    """

    #: Name of the engine, and of its folder in a restore point: ``mysql``.
    name: ClassVar[str]
    #: The attrs class of its settings.
    Settings: ClassVar[type[Any] | None] = None
    #: Ending of a dump's file name in a restore point.
    suffix: ClassVar[str] = "sql"

    @abc.abstractmethod
    def __init__(self, settings: Any, auth: DatabaseAuth | None) -> None: ...

    def available(self) -> bool:
        """Say whether this server uses the engine at all: its programs are installed, or its settings name a server.

        An engine that is not available is left out without a word; one that is available and fails makes a backup
        partial. When in doubt, say yes.
        """
        return True

    @abc.abstractmethod
    def probe(self) -> EngineProbe:
        """Look at the server: version, privileges, what a dump would lack.

        :raises DumpError: There is no server, or it refuses us.
        """

    @abc.abstractmethod
    def databases(self) -> Sequence[Database]:
        """Return the databases of the server without its own system databases, sorted by name.

        :raises DumpError: The server cannot be asked.
        """

    @abc.abstractmethod
    def users(self, databases: Sequence[str]) -> Sequence[DatabaseUser]:
        """Return the users that have privileges in any of *databases*, with those privileges only, sorted by name.

        :raises DumpError: The server cannot be asked.
        """

    @abc.abstractmethod
    def dump(self, database: str) -> DumpStream:
        """Start a dump of *database*. An unchanged database gives the same bytes.

        :raises DumpError: The dump cannot be started.
        """

    @abc.abstractmethod
    def restore(self, database: str, open_dump: Callable[[], BinaryIO]) -> None:
        """Replace *database* (made if missing) by a dump; the first error stops it.

        A dump that is cut short, or is none of this engine's, is refused before the server is touched.

        :param open_dump: Opens the dump at its beginning, each time anew; whoever opens it closes it.
        :raises RestoreError: The dump is not whole, or the server refused something; the message says which statement.
        """

    @abc.abstractmethod
    def restore_user(self, user: DatabaseUser) -> None:
        """Make *user* again, or bring it to its definition. Doing it twice changes nothing more.

        :raises RestoreError: The server refused.
        """


@attrs.frozen
class ObjectInfo:
    """An object at a destination."""

    name: str
    bytes: int


class Destination(abc.ABC):
    """A store of immutable objects below one root.

    Names are relative, ``/``-separated, and made of ``[A-Za-z0-9._-]`` only; none begins with a dot. Built with
    ``settings`` (an instance of :attr:`Settings`). Building one touches nothing; the first verb may connect.
    """

    #: Name of the type: ``local``, ``sftp``, ``s3``.
    name: ClassVar[str]
    #: The attrs class of its settings.
    Settings: ClassVar[type[Any] | None] = None
    #: Whether a forked child may go on using an instance that was made and used before the fork. True only for types
    #: that keep nothing between two calls: no connection, no objects in memory.
    fork_safe: ClassVar[bool] = False

    @abc.abstractmethod
    def __init__(self, settings: Any) -> None: ...

    @abc.abstractmethod
    def put(self, name: str, data: Data | Sequence[Data]) -> None:
        """Store an object, whole or not at all, replacing one of the same name; on stable storage on return.

        :raises DestinationFullError: No space or quota is left.
        :raises DestinationError: It could not be stored.
        """

    @abc.abstractmethod
    def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return an object's bytes from *offset*, *length* of them or up to its end.

        :raises ObjectNotFoundError: There is no such object; never raised when the store merely failed to answer.
        :raises DestinationError: It could not be read, or is shorter than asked for.
        """

    @abc.abstractmethod
    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose names begin with the folder *prefix* (``""`` or ending in ``/``), at any depth.

        An object whose ``put`` has returned is listed. Unfinished uploads are not.

        :raises DestinationError: The store could not be listed.
        """

    @abc.abstractmethod
    def delete(self, name: str) -> None:
        """Remove an object; not an error if it is gone already.

        :raises DestinationError: It could not be removed.
        """

    def free_bytes(self) -> int | None:
        """Return how much more can be stored, or None if the store does not say."""
        return None

    def restic_location(self, prefix: str) -> str:
        """Return what the stock ``restic -r`` takes to open the repository below *prefix*; empty if it cannot."""
        return ""

    def close(self) -> None:
        """Free connections. Using the destination again opens them anew."""


class Notifier(abc.ABC):
    """A way to tell somebody something. Built with ``settings`` (an instance of :attr:`Settings`)."""

    #: Name of the type: ``email``, ``slack``.
    name: ClassVar[str]
    #: The attrs class of its settings.
    Settings: ClassVar[type[Any] | None] = None

    @abc.abstractmethod
    def __init__(self, settings: Any) -> None: ...

    @abc.abstractmethod
    def send(self, message: Message) -> str:
        """Deliver *message* and return what the other side answered, in a line without secrets.

        :raises PluginError: It was not taken; the message says why, without secrets.
        """


#: Kinds of parts that come from dump engines and not from the panel.
DATABASE_KINDS = Contains.DATABASES | Contains.DATABASE_USERS
