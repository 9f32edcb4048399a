"""Every error that jetcore raises, and the exit code that each gives the command line.

An error says *what* is wrong and *where* in its message, and *what to do next* in its hint. The command line prints one
line made of both and leaves with :attr:`JetcoreError.exit_code`; the queue asks :attr:`JetcoreError.retryable`.
"""

from __future__ import annotations

from typing import ClassVar


class JetcoreError(Exception):
    """Base of all errors of jetcore.

    :param message: What is wrong, and with which account, part, file or object.
    :param hint: What the reader can do about it; empty when nothing sensible can be said.
    """

    #: Exit status of the command line when this error ends it.
    exit_code: ClassVar[int] = 1
    #: Whether doing the same again later can help.
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


class BadInputError(JetcoreError):
    """What the user asked for does not exist or makes no sense: a name, an option, a value."""

    exit_code = 2


class SettingsError(BadInputError):
    """One or more settings are wrong; the message holds a line for each."""


class PartialError(JetcoreError):
    """The work ended, but something that was asked for is missing from the result."""

    exit_code = 3


class PluginError(JetcoreError):
    """A plugin could not be loaded, broke its contract or raised."""

    exit_code = 4


class SourceError(JetcoreError):
    """An account, or a part of one, cannot be read."""

    exit_code = 5


class PanelError(SourceError):
    """The hosting panel cannot be asked, or its answer makes no sense."""


class DumpError(SourceError):
    """A database cannot be dumped, or the dump ended before it was complete."""

    retryable = True


class DestinationError(JetcoreError):
    """A destination cannot be read or written. Never a warning: it ends the task."""

    exit_code = 6
    retryable = True


class DestinationFullError(DestinationError):
    """A destination has no space, or no quota, left."""


class ObjectNotFoundError(DestinationError):
    """A destination does not hold the object that was asked for."""

    retryable = False


class RepositoryError(JetcoreError):
    """A repository cannot be used."""

    exit_code = 7


class NoRepositoryError(RepositoryError):
    """There is no repository where one was looked for."""


class WrongPasswordError(RepositoryError):
    """No key of the repository opens with the given password."""


class CorruptRepositoryError(RepositoryError):
    """A file of the repository is damaged; the message names it."""


class RepositoryLockedError(RepositoryError):
    """Another process holds a lock that forbids the operation."""

    exit_code = 8
    retryable = True


class StateError(JetcoreError):
    """The state database cannot be opened, is of another version, or refused a change."""

    exit_code = 9


class RestoreError(JetcoreError):
    """Something of a restore point could not be put back."""

    exit_code = 10


class UnsafeTargetError(RestoreError):
    """The restore target holds something that could lead a write elsewhere, such as a symbolic link."""


class MasterKeyError(JetcoreError):
    """The master key is missing, unreadable or not the one that sealed the stored secrets."""

    exit_code = 11


class AbortedError(JetcoreError):
    """The task was stopped: by a veto, by the user or by a time limit."""

    exit_code = 12
