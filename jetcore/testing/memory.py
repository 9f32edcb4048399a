"""A destination in memory, for tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from jetcore.abc import Data, Destination, ObjectInfo
from jetcore.destinations.names import check_folder, check_name
from jetcore.errors import DestinationError, DestinationFullError, ObjectNotFoundError


class MemoryDestination(Destination):
    """Keeps objects in a dictionary that a test may look into and damage."""

    name: ClassVar[str] = "memory"

    def __init__(self, _settings: None = None, *, capacity: int | None = None) -> None:
        """Start empty.

        :param capacity: Bytes that fit in; None for no limit.
        """
        self.objects: dict[str, bytes] = {}
        self._capacity = capacity

    def put(self, name: str, data: Data | Sequence[Data]) -> None:
        """Store an object."""
        check_name(name)
        whole = bytes(data) if isinstance(data, bytes | bytearray | memoryview) else b"".join(data)
        others = sum(len(stored) for other, stored in self.objects.items() if other != name)
        if self._capacity is not None and others + len(whole) > self._capacity:
            raise DestinationFullError(f"{name} does not fit into the {self._capacity} bytes of the destination")
        self.objects[name] = whole

    def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes of an object."""
        check_name(name)
        if name not in self.objects:
            raise ObjectNotFoundError(f"there is no {name}")
        stored = self.objects[name]
        end = len(stored) if length is None else offset + length
        if offset > len(stored) or end > len(stored):
            raise DestinationError(f"{name} is too short: {len(stored)} bytes, asked for those up to {end}")
        return stored[offset:end]

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects of a folder."""
        check_folder(prefix)
        for name in [name for name in self.objects if name.startswith(prefix)]:
            yield ObjectInfo(name, len(self.objects[name]))

    def delete(self, name: str) -> None:
        """Remove an object."""
        check_name(name)
        self.objects.pop(name, None)

    def free_bytes(self) -> int | None:
        """Return how many bytes still fit in."""
        return None if self._capacity is None else self._capacity - sum(map(len, self.objects.values()))
