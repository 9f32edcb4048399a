"""The destination that fails on purpose does so as it was told, and otherwise keeps the contract."""

from __future__ import annotations

import pytest

from jetcore.errors import DestinationError, DestinationFullError
from jetcore.testing import DestinationContract, FaultyDestination, MemoryDestination
from jetcore.testing.faulty import Call, Fault, fail_at


@pytest.fixture
def inner():
    inner = MemoryDestination()
    inner.put("a/old", b"0123456789")
    return inner


def faulty(inner, fault):
    return FaultyDestination(inner, lambda _: fault)


class TestContract(DestinationContract):
    @pytest.fixture
    def destination(self):
        return FaultyDestination(MemoryDestination())

    @pytest.fixture
    def again(self, destination):
        return destination


class TestSlow(DestinationContract):
    """A slow destination is a destination."""

    @pytest.fixture
    def destination(self):
        return FaultyDestination(MemoryDestination(), fail_at(1, Fault.SLOW))

    @pytest.fixture
    def again(self, destination):
        return destination


def test_one_call_fails(inner):
    """Only the call with the given number fails, and all of them are on record."""
    destination = FaultyDestination(inner, fail_at(2, Fault.ERROR))

    destination.put("a/new", b"1")
    with pytest.raises(DestinationError, match="a/old"):
        destination.get("a/old")
    assert destination.get("a/old") == b"0123456789"
    assert destination.calls == [Call(1, "put", "a/new"), Call(2, "get", "a/old"), Call(3, "get", "a/old")]


@pytest.mark.parametrize(
    ("fault", "left"),
    [(Fault.ERROR, None), (Fault.ERROR_AFTER, b"contents"), (Fault.HALF, b"cont"), (Fault.FULL, None)],
)
def test_failing_puts(inner, fault, left):
    """A put that fails leaves nothing, everything or half, each with an error."""
    with pytest.raises(DestinationFullError if fault is Fault.FULL else DestinationError):
        faulty(inner, fault).put("new", b"contents")

    assert inner.objects.get("new") == left


@pytest.mark.parametrize(("fault", "got"), [(Fault.HALF, b"01234"), (Fault.WRONG_BYTES, b"01234\x256789")])
def test_wrong_gets(inner, fault, got):
    """A get that lies says half or something else."""
    assert faulty(inner, fault).get("a/old") == got


def test_failing_deletes(inner):
    """A delete that fails has removed the object, or not."""
    with pytest.raises(DestinationError):
        faulty(inner, Fault.ERROR).delete("a/old")
    assert inner.objects
    with pytest.raises(DestinationError):
        faulty(inner, Fault.ERROR_AFTER).delete("a/old")
    assert not inner.objects


def test_lists_that_break_off(inner):
    """Half of a list comes before the error."""
    inner.put("a/other", b"")
    listed = faulty(inner, Fault.HALF).list("a/")

    assert next(listed).name == "a/old"
    with pytest.raises(DestinationError):
        next(listed)


def test_objects_that_are_listed_late(inner):
    """What was put is there at once and listed some calls later, or when everything works again."""
    destination = FaultyDestination(inner, fail_at(1, Fault.UNLISTED))
    destination.put("a/new", b"1")

    assert [info.name for info in destination.list()] == ["a/old"]
    assert destination.get("a/new") == b"1"
    lists = [len(list(destination.list())) for _ in range(20)]
    assert lists == sorted(lists)
    assert lists[-1] == 2

    destination.plan = lambda _: Fault.UNLISTED
    destination.put("a/newer", b"1")
    assert len(list(destination.list())) == 2
    destination.heal()
    assert len(list(destination.list())) == 3


def test_a_plan_may_act(inner):
    """A plan sees each call before it is made and may do something of its own."""
    destination = FaultyDestination(inner, lambda call: inner.objects.clear() if call.verb == "get" else None)

    with pytest.raises(DestinationError):
        destination.get("a/old")
