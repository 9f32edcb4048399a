"""Parts of jetcore that keep everything in memory, for tests of what stands next to them.

Each passes the contract of the thing that it stands for, so it cannot promise more than a real one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import attrs

from jetcore.abc import Notifier, Panel
from jetcore.errors import PanelError, PluginError
from jetcore.model import Account, Contains, Level, Message, Part, PartFile, Secret
from jetcore.settings.field import setting


def an_account(**changes: Any) -> Account:
    """Return an account, with *changes* to its fields."""
    account = Account(name="alice", panel="fake", home=Path("/home/alice"), uid=1001, gid=1001)
    return attrs.evolve(account, **changes)


def a_message(**changes: Any) -> Message:
    """Return a message, with *changes* to its fields."""
    message = Message(
        id="task-17",
        level=Level.WARNING,
        title="Backup of alice is partial",
        text="database:shop: access denied\nEverything else is there.",
        created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )
    return attrs.evolve(message, **changes)


class FakePanel(Panel):
    """A panel whose accounts consist of a home directory and of the small files that it was given.

    :param accounts: The accounts that there are.
    :param files: Files by label of the account's part: ``{"alice": {"cron": [PartFile(...)]}}``.
    """

    name: ClassVar[str] = "fake"

    def __init__(
        self, accounts: Iterable[Account] = (), files: Mapping[str, Mapping[str, Sequence[PartFile]]] | None = None
    ) -> None:
        self._accounts = {account.name: account for account in accounts}
        self._files = {name: dict(parts) for name, parts in (files or {}).items()}

    def accounts(self) -> Iterator[Account]:
        """Yield the accounts by name."""
        yield from (self._accounts[name] for name in sorted(self._accounts))

    def parts(self, account: Account) -> Sequence[Part]:
        """Return the home directory, and a part for each label that there are files of."""
        labels = sorted(self._files.get(account.name, {}))
        return [Part(Contains.HOMEDIR), *(Part(Contains[label.upper()]) for label in labels)]

    def read(self, account: Account, part: Part) -> Sequence[PartFile]:
        """Return the files as they were given or last applied."""
        try:
            return self._files[account.name][str(part)]
        except KeyError:
            raise PanelError(f"account {account.name!r} has no part {part}") from None

    def apply(self, account: Account, part: Part, files: Sequence[PartFile]) -> None:
        """Keep *files*."""
        if account.name not in self._accounts:
            raise PanelError(f"there is no account {account.name!r}")
        self._files.setdefault(account.name, {})[str(part)] = tuple(files)

    def create_account(self, wanted: Account) -> Account:
        """Add the account as it is wanted."""
        if wanted.name in self._accounts:
            raise PanelError(f"there is an account {wanted.name!r} already")
        created = attrs.evolve(wanted, panel=self.name)
        self._accounts[wanted.name] = created
        return created


class RecordingNotifier(Notifier):
    """A notifier that keeps what it is asked to send in the settings that it was built with."""

    name: ClassVar[str] = "recording"

    @attrs.frozen
    class Settings:
        """Where the messages go."""

        sent: list[Message] = attrs.field(factory=list)
        token: Secret = setting(default=Secret(""), title="Token", help="Never shown.", secret=True)
        works: bool = setting(default=True, title="Works", help="Whether messages are taken.")

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, message: Message) -> str:
        """Keep *message*."""
        if not self._settings.works:
            raise PluginError("the receiver takes no messages")
        self._settings.sent.append(message)
        return f"kept as number {len(self._settings.sent)}"
