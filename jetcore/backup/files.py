"""Reading one regular file, whatever its owner does to it meanwhile."""

from __future__ import annotations

import os
import time

import attrs

from jetcore.backup.content import ContentSaver
from jetcore.backup.encoding import Xattrs, read_xattrs
from jetcore.backup.items import ItemKind, ItemList
from jetcore.backup.opening import Folder, open_entry, source_calls
from jetcore.repository.blob import BlobId

#: Seconds before the second and the third attempt on a file that changes, and for all such waits together.
_PAUSES = (0.02, 0.1)
_MOST_WAITING = 10.0
#: Files with several links whose content is remembered, so that it is not read once for each link.
_MOST_LINKED = 65_536


@attrs.frozen
class FileContent:
    """What one reading of a file gave."""

    #: What ``fstat`` said before.
    facts: os.stat_result
    xattrs: Xattrs
    blobs: tuple[BlobId, ...]
    #: Number of bytes in the blobs.
    size: int
    #: Whether all that was to be read was there, and the file did not change meanwhile.
    settled: bool

    @property
    def whole(self) -> bool:
        """Whether this is the file as it was at one moment, from beginning to end."""
        return self.settled and self.size == self.facts.st_size


class FileReader:
    """Stores files, each until it holds still or three attempts are made.

    :param settled_ns: What changed before this time is not going to change again in the same tick of the clock.
    """

    def __init__(self, contents: ContentSaver, items: ItemList, settled_ns: int) -> None:
        self._contents = contents
        self._items = items
        self._settled_ns = settled_ns
        self._linked: dict[tuple[int, ...], FileContent] = {}
        self._waiting_left = _MOST_WAITING

    def read(self, folder: Folder, name: bytes, facts: os.stat_result) -> FileContent:
        """Store the content of a file; one with several links is read once for all of them.

        :param facts: What ``lstat`` said of it.
        :raises ItemError: It cannot be read, or is no longer what was looked at.
        """
        if facts.st_nlink == 1:
            return self._read(folder, name, facts)
        key = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        content = self._linked.get(key)
        if content is None:
            content = self._read(folder, name, facts)
            settled = content.whole and facts.st_ctime_ns < self._settled_ns and _unchanged(facts, content.facts)
            if settled and len(self._linked) < _MOST_LINKED:
                self._linked[key] = content
        return content

    def _read(self, folder: Folder, name: bytes, facts: os.stat_result) -> FileContent:
        descriptor, facts = open_entry(folder.descriptor, name, facts)
        try:
            content = self._attempt(descriptor, facts, facts.st_size, folder, name)
            if content.whole:
                return content
            facts = self._rewind(descriptor, _PAUSES[0])
            content = self._attempt(descriptor, facts, facts.st_size, folder, name)
            if content.whole:
                return content
            # The third time only what was read the second time, to see whether that at least holds still.
            facts = self._rewind(descriptor, _PAUSES[1])
            again = self._attempt(descriptor, facts, min(facts.st_size, content.size), folder, name)
        finally:
            os.close(descriptor)
        if again.whole:
            return again
        if again.settled or again.blobs == content.blobs:
            message = f"in use while it was read; its first {again.size} bytes are stored"
            self._items.add(ItemKind.ACTIVE, folder.path(name), message)
        else:
            self._items.add(ItemKind.CHANGED, folder.path(name), "changed while it was read, each of three times")
        return again

    def _attempt(self, descriptor: int, facts: os.stat_result, size: int, folder: Folder, name: bytes) -> FileContent:
        xattrs = note_xattrs(self._items, descriptor, folder, name)
        blobs, stored = self._contents.save(descriptor, facts, size)
        with source_calls:
            after = os.fstat(descriptor)
        return FileContent(facts, xattrs, blobs, stored, settled=stored == size and _unchanged(facts, after))

    def _rewind(self, descriptor: int, pause: float) -> os.stat_result:
        """Give the writer of a file a moment, go back to the file's beginning and look at it anew."""
        if self._waiting_left > 0:
            self._waiting_left -= pause
            time.sleep(pause)
        with source_calls:
            os.lseek(descriptor, 0, os.SEEK_SET)
            return os.fstat(descriptor)


def note_xattrs(items: ItemList, place: int | bytes, folder: Folder, name: bytes) -> Xattrs:
    """Return the extended attributes of an entry; if they cannot be read, none, and take note of that.

    :param place: Descriptor of the entry, or a path to it.
    """
    try:
        return read_xattrs(place)
    except OSError as error:
        message = f"its extended attributes cannot be read: {error.strerror}"
        items.add(ItemKind.ATTRIBUTES, folder.path(name), message)
        return ()


def _unchanged(before: os.stat_result, after: os.stat_result) -> bool:
    return (
        before.st_size == after.st_size
        and before.st_mtime_ns == after.st_mtime_ns
        and before.st_ctime_ns == after.st_ctime_ns
    )
