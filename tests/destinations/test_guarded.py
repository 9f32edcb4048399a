"""The guard before every destination in use."""

from __future__ import annotations

import pytest

from jetcore.destinations.guarded import GuardedDestination
from jetcore.errors import DestinationError, DestinationFullError
from jetcore.testing import DestinationContract, FaultyDestination, MemoryDestination
from jetcore.testing.faulty import Fault

CALLS = {
    "put": lambda destination: destination.put("a/b", b"1"),
    "get": lambda destination: destination.get("a/b"),
    "list": lambda destination: list(destination.list("a/")),
    "delete": lambda destination: destination.delete("a/b"),
}


class TestContract(DestinationContract):
    @pytest.fixture
    def destination(self):
        return GuardedDestination(MemoryDestination())

    @pytest.fixture
    def again(self, destination):
        return destination


@pytest.mark.parametrize("call", CALLS)
def test_foreign_exceptions(call):
    """An exception that no destination may raise becomes one of its errors, with the name and the reason."""
    guarded = GuardedDestination(FaultyDestination(MemoryDestination(), lambda _: Fault.FOREIGN))

    with pytest.raises(DestinationError, match=r"a/.*: ConnectionResetError: .*reset by peer"):
        CALLS[call](guarded)


def test_own_errors_pass():
    """A destination's own errors keep their class."""
    guarded = GuardedDestination(FaultyDestination(MemoryDestination(), lambda _: Fault.FULL))

    with pytest.raises(DestinationFullError, match="no space left"):
        guarded.put("a", b"1")


def test_what_the_other_says():
    """Name, location and free space are those of the destination behind it, and whether it can be forked, too."""
    inner = MemoryDestination(capacity=10)
    guarded = GuardedDestination(inner)

    assert (guarded.name, guarded.fork_safe) == (inner.name, inner.fork_safe)
    assert guarded.free_bytes() == 10
    assert guarded.restic_location("a/") == inner.restic_location("a/")
