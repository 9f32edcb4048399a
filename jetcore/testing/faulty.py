"""A destination that fails on purpose, for tests of what is stored through it.

It stands before any other destination and asks a *plan* at each call what is to go wrong::

    destination = FaultyDestination(MemoryDestination(), fail_at(3, Fault.FULL))

Run what is tested once without faults, and :attr:`FaultyDestination.calls` says which calls there are to fail.
"""

from __future__ import annotations

import enum
import errno
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

import attrs

from jetcore.abc import Data, Destination, ObjectInfo
from jetcore.errors import DestinationError, DestinationFullError

#: Calls for which an object stays away from lists after :attr:`Fault.UNLISTED`.
_UNLISTED_CALLS = 12
#: Seconds that a call takes with :attr:`Fault.SLOW`.
_SLOW_SECONDS = 0.02


class Fault(enum.StrEnum):
    """What goes wrong with one call."""

    #: Nothing is done, and an error says so.
    ERROR = "error"
    #: It is done all the same: only the answer was lost.
    ERROR_AFTER = "error_after"
    #: An object of half the contents is left under the name, as by a store whose put is not atomic, and an error is
    #: raised; half a list comes before the error; a get returns half without an error.
    HALF = "half"
    #: No space is left.
    FULL = "full"
    #: A get returns as many bytes as it should, one of them with a bit flipped.
    WRONG_BYTES = "wrong_bytes"
    #: It is done, slowly.
    SLOW = "slow"
    #: What was put is there but not listed for the next calls.
    UNLISTED = "unlisted"
    #: An exception that no destination may raise, as out of a library that a plugin uses.
    FOREIGN = "foreign"


@attrs.frozen
class Call:
    """A call of a destination's verb."""

    #: From 1.
    number: int
    #: ``put``, ``get``, ``list`` or ``delete``.
    verb: str
    #: Of the object, or of the folder that is listed.
    name: str


#: Says what goes wrong with a call, or None. It may also do something itself before the call is made.
Plan = Callable[[Call], Fault | None]


def no_fault(_call: Call) -> Fault | None:
    """Let everything work."""
    return None


def fail_at(number: int, fault: Fault) -> Plan:
    """Return the plan by which one call fails, the *number*-th from 1, and no other."""
    return lambda call: fault if call.number == number else None


class FaultyDestination(Destination):
    """Passes every call on to *inner* unless the plan has other ideas. Safe to use from several threads."""

    name: ClassVar[str] = "faulty"

    def __init__(self, inner: Destination, plan: Plan = no_fault, *, fork_safe: bool = False) -> None:
        """Stand before *inner*.

        :param fork_safe: Whether forked children may use it, too; each of them then numbers its calls on its own.
        """
        self.plan = plan
        #: The calls of this process so far.
        self.calls: list[Call] = []
        self.fork_safe = fork_safe  # type: ignore[misc]  # depends on what stands behind it
        self._inner = inner
        self._lock = threading.Lock()
        self._unlisted: dict[str, int] = {}

    def heal(self) -> None:
        """Let everything work from now on, lists included."""
        self.plan = no_fault
        self._unlisted = {}

    def put(self, name: str, data: Data | Sequence[Data]) -> None:
        """Store an object, or not."""
        call, fault = self._begin("put", name)
        if fault is Fault.HALF:
            whole = bytes(data) if isinstance(data, bytes | bytearray | memoryview) else b"".join(data)
            self._inner.put(name, whole[: len(whole) // 2])
        else:
            self._inner.put(name, data)
        self._end(call, fault)

    def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes of an object, or others."""
        call, fault = self._begin("get", name)
        data = self._inner.get(name, offset, length)
        if fault is Fault.HALF:
            return data[: len(data) // 2]
        if fault is Fault.WRONG_BYTES:
            middle = len(data) // 2
            return data[:middle] + bytes([byte ^ 0x10 for byte in data[middle : middle + 1]]) + data[middle + 1 :]
        self._end(call, fault)
        return data

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects of a folder, or some of them."""
        call, fault = self._begin("list", prefix)
        found = [info for info in self._inner.list(prefix) if self._unlisted.get(info.name, 0) < call.number]
        if fault is Fault.HALF:
            yield from found[: len(found) // 2]
        elif fault is not Fault.ERROR_AFTER:
            yield from found
        self._end(call, fault)

    def delete(self, name: str) -> None:
        """Remove an object, or not."""
        call, fault = self._begin("delete", name)
        self._inner.delete(name)
        self._end(call, fault)

    def free_bytes(self) -> int | None:
        """Return what the destination behind it says."""
        return self._inner.free_bytes()

    def restic_location(self, prefix: str) -> str:
        """Return what the destination behind it says."""
        return self._inner.restic_location(prefix)

    def close(self) -> None:
        """Close the destination behind it."""
        self._inner.close()

    def _begin(self, verb: str, name: str) -> tuple[Call, Fault | None]:
        with self._lock:
            call = Call(len(self.calls) + 1, verb, name)
            self.calls.append(call)
        fault = self.plan(call)
        if fault is Fault.ERROR:
            raise DestinationError(f"{verb} of {name or 'everything'} failed: input/output error")
        if fault is Fault.FULL:
            raise DestinationFullError(f"{verb} of {name or 'everything'} failed: no space left")
        if fault is Fault.FOREIGN:
            raise ConnectionResetError(errno.ECONNRESET, "connection reset by peer")
        if fault is Fault.SLOW:
            time.sleep(_SLOW_SECONDS)
        if fault is Fault.UNLISTED:
            self._unlisted[name] = call.number + _UNLISTED_CALLS
        return call, fault

    def _end(self, call: Call, fault: Fault | None) -> None:
        if fault in {Fault.ERROR_AFTER, Fault.HALF}:
            raise DestinationError(f"{call.verb} of {call.name or 'everything'} failed: connection lost")
