"""The destination in memory keeps the contract, so that tests with it prove something."""

from __future__ import annotations

import pytest

from jetcore.errors import DestinationFullError
from jetcore.testing.destination import DestinationContract
from jetcore.testing.memory import MemoryDestination


class TestContract(DestinationContract):
    @pytest.fixture
    def destination(self):
        return MemoryDestination()

    @pytest.fixture
    def again(self, destination):
        return destination


def test_capacity():
    """What does not fit is refused, and what was there stays."""
    destination = MemoryDestination(capacity=10)
    destination.put("a", bytes(6))

    with pytest.raises(DestinationFullError):
        destination.put("b", bytes(5))
    destination.put("a", bytes(10))

    assert destination.free_bytes() == 0
    assert [info.name for info in destination.list()] == ["a"]
