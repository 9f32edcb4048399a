"""What authors of plugins test with: contracts to inherit from, and fakes to stand next to.

A contract is a class of tests. A plugin's test module subclasses it, gives it the fixtures that it names, and gets the
tests that everything of its kind has to pass::

    class TestContract(jetcore.testing.NotifierContract):
        @pytest.fixture
        def notifier(self): ...
"""

from __future__ import annotations

import pytest

# Before the contracts are imported, so that a failing assertion of theirs shows its values as one of your own does.
pytest.register_assert_rewrite("jetcore.testing.contracts", "jetcore.testing.destination", "jetcore.testing.engine")

from jetcore.testing.contracts import NotifierContract, PanelContract, PluginContract  # noqa: E402
from jetcore.testing.destination import DestinationContract  # noqa: E402
from jetcore.testing.engine import DumpEngineContract  # noqa: E402
from jetcore.testing.fakes import FakePanel, RecordingNotifier, a_message, an_account  # noqa: E402
from jetcore.testing.faulty import Fault, FaultyDestination, fail_at  # noqa: E402
from jetcore.testing.memory import MemoryDestination  # noqa: E402

__all__ = [
    "DestinationContract",
    "DumpEngineContract",
    "FakePanel",
    "Fault",
    "FaultyDestination",
    "MemoryDestination",
    "NotifierContract",
    "PanelContract",
    "PluginContract",
    "RecordingNotifier",
    "a_message",
    "an_account",
    "fail_at",
]
