"""What there is to say about single entries of a home directory: what is missing, what is not quite as it was."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Mapping

import attrs

#: That many items of a kind are kept in full; the others are only counted.
MOST_ITEMS = 1000
#: Longer paths are shortened in the middle: a folder can lie a megabyte of names deep.
MOST_PATH_BYTES = 4096


class ItemKind(enum.StrEnum):
    """What happened to an entry. The first four make the backup of the folder *partial*, the others are notes."""

    #: It could not be read and is missing from the restore point.
    UNREADABLE = "unreadable"
    #: It changed during every attempt to read it; what is stored may mix several of its states.
    CHANGED = "changed"
    #: Another file system is mounted there; what lies in it is missing from the restore point.
    MOUNT = "mount"
    #: Its content is stored, but its extended attributes or ACLs could not be read.
    ATTRIBUTES = "attributes"
    #: It was listed and gone when it was to be read, as if it had been deleted a moment earlier.
    VANISHED = "vanished"
    #: A socket: it means nothing without the program that made it, so it is not stored.
    SOCKET = "socket"
    #: In use while it was read: a file that grew (stored is its beginning, whole and unmixed), or a mail folder that
    #: never came to rest (stored is every message that was found).
    ACTIVE = "active"
    #: A hard link to a file of another user; its content is stored. Linking is a way to get at files of others.
    FOREIGN = "foreign"

    @property
    def partial(self) -> bool:
        """Whether an entry of this kind keeps the backup from being complete."""
        return self in _PARTIAL


_PARTIAL = frozenset({ItemKind.UNREADABLE, ItemKind.CHANGED, ItemKind.MOUNT, ItemKind.ATTRIBUTES})


@attrs.frozen
class SourceItem:
    """One entry of the source that something is to be said about. ``str(item)`` is safe to print and to log."""

    kind: ItemKind
    #: Path below the root of the reading; empty for the root itself.
    path: bytes
    #: What happened, without the path.
    message: str

    def __str__(self) -> str:
        return f"{printable(self.path) or '.'}: {self.message}"


def printable(path: bytes) -> str:
    """Return *path* as text in which everything that could upset a terminal or a log is escaped."""
    text = path.decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


class ItemList:
    """Collects items, each once, up to :data:`MOST_ITEMS` of a kind."""

    def __init__(self) -> None:
        self._items: dict[tuple[ItemKind, bytes], SourceItem] = {}
        self._counts: Counter[ItemKind] = Counter()

    def add(self, kind: ItemKind, path: bytes, message: str) -> None:
        """Take note of an entry. One that is already known is not noted twice."""
        if len(path) > MOST_PATH_BYTES:
            half = MOST_PATH_BYTES // 2
            path = path[:half] + b"[...]" + path[-half:]
        if (kind, path) in self._items:
            return
        self._counts[kind] += 1
        if self._counts[kind] <= MOST_ITEMS:
            self._items[kind, path] = SourceItem(kind, path, message)

    @property
    def items(self) -> tuple[SourceItem, ...]:
        """The items that were kept in full, in the order in which they were met."""
        return tuple(self._items.values())

    @property
    def counts(self) -> Mapping[ItemKind, int]:
        """How many there were of each kind; kinds without any are left out."""
        return dict(self._counts)
