"""Tests that every panel, notifier and plugin has to pass, to inherit from; see :mod:`jetcore.testing`."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import entry_points
from typing import Any, ClassVar, get_type_hints

import attrs
import orjson
import pytest

from jetcore.abc import DATABASE_KINDS, Notifier, Panel
from jetcore.errors import PanelError, PluginError
from jetcore.hookspecs import PROJECT
from jetcore.model import Account, Contains, Message, PluginState, Secret
from jetcore.plugins import Plugins
from jetcore.settings.field import fields_of
from jetcore.testing.fakes import a_message

#: Parts of a path in a restore point, and what a repository's folder can begin with.
_SAFE = re.compile(r"[A-Za-z0-9_@][A-Za-z0-9._@-]*")


class PluginContract:
    """What holds for every installed plugin.

    Set :attr:`plugin` to the entry point's name.
    """

    #: Name of the plugin.
    plugin: ClassVar[str]

    def test_plugin_is_found_and_works(self) -> None:
        """The installed distribution announces the plugin, and it passes every check at load."""
        found = [info for info in Plugins.discover().infos if info.name == self.plugin]

        assert [(info.state, info.reason) for info in found] == [(PluginState.ACTIVE, "")]
        assert found[0].hooks

    def test_names_agree(self) -> None:
        """Distribution, module and entry point are one name in three spellings."""
        (entry_point,) = entry_points(group=PROJECT, name=self.plugin)

        assert entry_point.module.partition(".")[0] == f"jetcore_{self.plugin}"
        assert entry_point.dist is not None
        assert entry_point.dist.name == f"jetcore-{self.plugin.replace('_', '-')}"

    def test_settings_are_explained(self) -> None:
        """Every setting has a title and a help text, and secrets are marked as such."""
        plugins = Plugins.discover()
        (entry_point,) = entry_points(group=PROJECT, name=self.plugin)
        types = [plugins.dump_engines(), plugins.destination_types(), plugins.notifier_types()]
        mine = [kind for found in types for kind in found.values() if plugins.plugin_of(kind) == self.plugin]

        for owner in [entry_point.load(), *mine]:
            section = getattr(owner, "Settings", None)
            if section is None:
                continue
            hints = get_type_hints(section)
            for attribute, info in fields_of(section):
                assert info.title, attribute.name
                assert info.help, attribute.name
                assert info.secret == (hints[attribute.name] is Secret), attribute.name


class PanelContract:
    """What holds for every panel. Needs the fixtures :meth:`panel`, :meth:`account` and :meth:`wanted`."""

    @pytest.fixture
    def panel(self) -> Panel:
        """Return a panel that has accounts and may be changed."""
        raise NotImplementedError

    @pytest.fixture
    def account(self, panel: Panel) -> Account:
        """Return an account of :meth:`panel` with as many parts as it can have."""
        raise NotImplementedError

    @pytest.fixture
    def wanted(self) -> Account:
        """Return an account that :meth:`panel` does not have and can make."""
        raise NotImplementedError

    def test_accounts_are_whole(self, panel: Panel) -> None:
        """Each account has a name of its own, the panel's name, an absolute home, and nothing that JSON cannot hold."""
        accounts = list(panel.accounts())

        assert accounts
        names = [account.name for account in accounts]
        assert len(set(names)) == len(names)
        for account in accounts:
            assert _SAFE.fullmatch(account.name)
            assert account.panel == panel.name
            assert account.home.is_absolute()
            assert account.home.is_relative_to(panel.root)
            assert account.uuid == ""
            assert orjson.loads(orjson.dumps(dict(account.extra))) == account.extra

    def test_accounts_keep_their_order(self, panel: Panel) -> None:
        """Listing the accounts twice gives the same."""
        assert list(panel.accounts()) == list(panel.accounts())

    def test_account_is_found_by_name(self, panel: Panel) -> None:
        """Each listed account is found by its name, and an unknown name gives None."""
        for account in panel.accounts():
            assert panel.account(account.name) == account
        assert panel.account("no-such-account") is None

    def test_parts_are_the_panels_own(self, panel: Panel, account: Account) -> None:
        """The parts are different from one another, and databases are left to the dump engines."""
        parts = panel.parts(account)

        assert len(set(parts)) == len(parts)
        assert len({str(part) for part in parts}) == len(parts)
        assert not [part for part in parts if part.kind & DATABASE_KINDS]
        assert list(panel.parts(account)) == list(parts)

    def test_files_of_parts_are_small_and_stable(self, panel: Panel, account: Account) -> None:
        """Each part gives the same files each time, under safe paths that no two files share."""
        paths: list[str] = []
        for part in panel.parts(account):
            if part.kind is Contains.HOMEDIR:
                continue
            files = panel.read(account, part)
            assert list(panel.read(account, part)) == list(files), part
            paths += [file.path for file in files]
            for file in files:
                assert file.mode == file.mode & 0o777, file.path
        assert len(set(paths)) == len(paths)
        for path in paths:
            assert len(path.split("/")) > 1, path
            assert all(piece not in {"", ".", ".."} and "\0" not in piece for piece in path.split("/")), path
            assert not path.startswith("homedir/"), path

    def test_part_that_is_put_back_is_as_it_was(self, panel: Panel, account: Account) -> None:
        """Applying what was read, once or twice, changes nothing."""
        parts = [part for part in panel.parts(account) if part.kind is not Contains.HOMEDIR]
        before = {part: list(panel.read(account, part)) for part in parts}

        for part, files in before.items():
            panel.apply(account, part, files)
            panel.apply(account, part, files)

        assert {part: list(panel.read(account, part)) for part in parts} == before
        assert panel.account(account.name) == account

    def test_missing_account_is_made(self, panel: Panel, wanted: Account) -> None:
        """An account that was made is there afterwards, under the name that was wanted."""
        created = panel.create_account(wanted)

        assert created.name == wanted.name
        assert created.panel == panel.name
        assert panel.account(wanted.name) == created

    def test_account_is_not_made_twice(self, panel: Panel, account: Account) -> None:
        """Making an account that exists is refused and changes nothing."""
        with pytest.raises(PanelError, match=re.escape(account.name)):
            panel.create_account(account)

        assert panel.account(account.name) == account

    def test_nothing_is_put_back_to_nobody(self, panel: Panel, account: Account, wanted: Account) -> None:
        """Applying a part to an account that does not exist is an error."""
        for part in panel.parts(account):
            if part.kind is not Contains.HOMEDIR:
                with pytest.raises(PanelError, match=re.escape(wanted.name)):
                    panel.apply(wanted, part, panel.read(account, part))

    def test_databases_are_the_accounts_own(self, panel: Panel, account: Account) -> None:
        """An account's databases are among the existing ones, and none is anybody else's."""
        existing = [
            f"{name}_{end}" for name in [account.name, f"x{account.name}", "zz-other"] for end in ("shop", "blog")
        ]

        mine = panel.databases(account, "mysql", existing)

        assert set(mine) <= set(existing)
        assert not [name for name in mine if not name.startswith(account.name)]


class NotifierContract:
    """What holds for every notifier.

    Needs the fixtures :meth:`notifier`, :meth:`unreachable`, :meth:`delivered` and :meth:`secrets`.
    """

    @pytest.fixture
    def notifier(self) -> Notifier:
        """Return a notifier whose receiver takes what it gets."""
        raise NotImplementedError

    @pytest.fixture
    def unreachable(self) -> Notifier:
        """Return a notifier with the same secrets whose receiver cannot be reached."""
        raise NotImplementedError

    @pytest.fixture
    def delivered(self) -> Callable[[], Sequence[str]]:
        """Return a function that gives the texts, titles included, that have arrived."""
        raise NotImplementedError

    @pytest.fixture
    def secrets(self) -> Iterable[str]:
        """Return the secrets that the notifiers are configured with."""
        raise NotImplementedError

    def test_message_arrives(
        self, notifier: Notifier, delivered: Callable[[], Sequence[str]], secrets: Iterable[str]
    ) -> None:
        """Title and text arrive, and the answer is one line without secrets."""
        message = a_message()

        answer = notifier.send(message)

        (arrived,) = delivered()
        for piece in [message.title, *message.text.splitlines()]:
            assert piece in arrived
        assert answer
        assert len(answer.splitlines()) == 1
        assert not [secret for secret in secrets if secret in answer]

    def test_any_text_arrives(self, notifier: Notifier, delivered: Callable[[], Sequence[str]]) -> None:
        """Letters of any script, long lines and lines that look like commands arrive as they are."""
        text = "Größe 12 €, путь /home/алиса\n.\n..\nFrom here on\n" + "x" * 3000

        notifier.send(a_message(title="Übersicht für алиса", text=text))

        (arrived,) = delivered()
        assert "Übersicht für алиса" in arrived
        for line in text.splitlines():
            assert line in arrived

    def test_title_stays_one_line(self, notifier: Notifier, delivered: Callable[[], Sequence[str]]) -> None:
        """A title with line breaks, as a hostile file name can bring them, is delivered on one line."""
        notifier.send(a_message(title="file a\r\nBcc: mallory@evil.example\n\nb"))

        (arrived,) = delivered()
        assert not [line for line in arrived.splitlines() if line.startswith("Bcc")]

    def test_one_notifier_sends_many_messages(self, notifier: Notifier, delivered: Callable[[], Sequence[str]]) -> None:
        """A notifier can be used again."""
        for number in range(3):
            notifier.send(a_message(id=f"n-{number}", title=f"Message {number}"))

        assert len(delivered()) == 3

    def test_failure_is_an_error_without_secrets(self, unreachable: Notifier, secrets: Iterable[str]) -> None:
        """A message that is not taken is an error, with no secret in it, in its traceback or in the notifier's repr."""
        message: Message = a_message()

        with pytest.raises(PluginError) as raised:
            unreachable.send(message)

        shown = "".join(traceback.format_exception(raised.value)) + repr(unreachable) + _settings_of(unreachable)
        assert not [secret for secret in secrets if secret in shown]


def _settings_of(notifier: Notifier) -> str:
    """Return the repr of every settings object that a notifier keeps."""
    kept: Iterable[Any] = vars(notifier).values() if hasattr(notifier, "__dict__") else ()
    return "".join(repr(value) for value in kept if attrs.has(type(value)))
