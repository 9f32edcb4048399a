"""What stands before every destination in use: whatever goes wrong in it is an error of the destination."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jetcore.abc import Data, Destination, ObjectInfo
from jetcore.errors import DestinationError, JetcoreError


class GuardedDestination(Destination):
    """Passes every call on, and turns exceptions that no destination may raise into a :class:`DestinationError`.

    A library beneath a plugin can raise anything. Taken for an error of the source, it would become a note about one
    part of an account instead of the end of the backup.
    """

    def __init__(self, inner: Destination) -> None:
        """Stand before *inner*."""
        self.name = inner.name  # type: ignore[misc]  # that of what stands behind it
        self.fork_safe = inner.fork_safe  # type: ignore[misc]  # the same
        self._inner = inner

    def put(self, name: str, data: Data | Sequence[Data]) -> None:
        """Store an object, see :meth:`jetcore.abc.Destination.put`."""
        with self._guard(f"{name} could not be stored"):
            self._inner.put(name, data)

    def get(self, name: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return bytes of an object, see :meth:`jetcore.abc.Destination.get`."""
        with self._guard(f"{name} could not be read"):
            return self._inner.get(name, offset, length)

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects of a folder, see :meth:`jetcore.abc.Destination.list`."""
        with self._guard(f"{prefix or 'the destination'} could not be listed"):
            yield from self._inner.list(prefix)

    def delete(self, name: str) -> None:
        """Remove an object, see :meth:`jetcore.abc.Destination.delete`."""
        with self._guard(f"{name} could not be removed"):
            self._inner.delete(name)

    def free_bytes(self) -> int | None:
        """Return how much more can be stored, see :meth:`jetcore.abc.Destination.free_bytes`."""
        with self._guard("the free space is not known"):
            return self._inner.free_bytes()

    def restic_location(self, prefix: str) -> str:
        """Return what the stock restic takes, see :meth:`jetcore.abc.Destination.restic_location`."""
        with self._guard("restic's name for the place is not known"):
            return self._inner.restic_location(prefix)

    def close(self) -> None:
        """Free connections."""
        with self._guard("the connection could not be closed"):
            self._inner.close()

    @contextmanager
    def _guard(self, what: str) -> Iterator[None]:
        try:
            yield
        except JetcoreError:
            raise
        except Exception as error:  # a plugin can fail in any way
            raise DestinationError(f"{what}: {type(error).__name__}: {error}") from error
