from __future__ import annotations

from pathlib import Path

import pytest

import jetcore
from jetcore.testing import (
    FakePanel,
    NotifierContract,
    PanelContract,
    RecordingNotifier,
    an_account,
)


class TestFakePanel(PanelContract):
    @pytest.fixture
    def panel(self):
        files = {
            "alice": {
                "config": [jetcore.PartFile(path="config/account.json", data=b"{}")],
                "cron": [jetcore.PartFile(path="cron/crontab", data=b"@daily true\n", mode=0o600)],
            }
        }
        return FakePanel([an_account(), an_account(name="bob", home=Path("/home/bob"))], files)

    @pytest.fixture
    def account(self, panel):
        return panel.account("alice")

    @pytest.fixture
    def wanted(self):
        return an_account(name="carol")


class TestRecordingNotifier(NotifierContract):
    @pytest.fixture
    def settings(self):
        return RecordingNotifier.Settings(token=jetcore.Secret("open-sesame"))

    @pytest.fixture
    def notifier(self, settings):
        return RecordingNotifier(settings)

    @pytest.fixture
    def unreachable(self):
        return RecordingNotifier(RecordingNotifier.Settings(token=jetcore.Secret("open-sesame"), works=False))

    @pytest.fixture
    def delivered(self, settings):
        return lambda: [f"{' '.join(message.title.split())}\n{message.text}" for message in settings.sent]

    @pytest.fixture
    def secrets(self):
        return ["open-sesame"]
