"""What authors of plugins test with: contracts to inherit from, and fakes to stand next to.

A contract is a class of tests. A plugin's test module subclasses it, gives it the fixtures that it names, and gets the
tests that everything of its kind has to pass::

    class TestContract(jetcore.testing.NotifierContract):
        @pytest.fixture
        def notifier(self): ...
"""

from __future__ import annotations

from jetcore.testing.contracts import NotifierContract, PanelContract, PluginContract
from jetcore.testing.fakes import FakePanel, MemoryDestination, RecordingNotifier, a_message, an_account

__all__ = [
    "FakePanel",
    "MemoryDestination",
    "NotifierContract",
    "PanelContract",
    "PluginContract",
    "RecordingNotifier",
    "a_message",
    "an_account",
]
