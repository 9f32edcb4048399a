"""Walking through a home directory and storing it.

The walk is iterative: each folder is a generator that yields the subfolders it comes to and goes on when they are done,
so depth costs neither stack nor descriptors. In memory are the folders from the root to the one being read, no others.
What the former snapshot already knows costs one ``lstat`` a file, see :mod:`jetcore.backup.builder`.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import time
from collections.abc import Callable, Generator
from typing import Any, Protocol

import attrs

from jetcore.backup.builder import FormerNode, TreeBuilder
from jetcore.backup.content import ContentSaver, DataWriter
from jetcore.backup.encoding import NodeEncoder, Xattrs
from jetcore.backup.files import FileContent, FileReader, note_xattrs
from jetcore.backup.items import ItemKind, ItemList, printable
from jetcore.backup.mounts import mounts_beneath
from jetcore.backup.opening import (
    Descent,
    Folder,
    ItemError,
    SwappedError,
    VanishedError,
    as_item_error,
    open_entry,
    source_calls,
)
from jetcore.errors import ObjectNotFoundError, RepositoryError
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.tree import Node, encode_node

#: What changed this short a time before something was read can change again within the same tick of the file system's
#: clock; two seconds is the coarsest clock in use.
GRANULARITY_NS = 2_000_000_000
#: How often an entry that is swapped while it is opened is tried.
_ATTEMPTS = 3
#: Folders of messages in a Maildir, and how often one that changes is read.
_MAIL_FOLDERS = (b"new", b"cur")
_MAIL_ROUNDS = 3
#: Seconds between two reports of progress, and bytes of a file after which the clock is looked at.
_PROGRESS_INTERVAL = 0.1
_REPORT_BYTES = 1024 * 1024
_TYPE_BITS = 0o170000
_REGULAR = stat.S_IFREG

#: Called from time to time with the number of files and bytes seen so far; it must return quickly.
OnRead = Callable[[int, int], None]
#: Returns the blob of an id.
LoadBlob = Callable[[BlobId, BlobType], bytes]

_log = logging.getLogger(__name__)


class TreeWriter(DataWriter, Protocol):
    """What is needed here of a repository's writer."""

    def save_tree(self, encoded: bytes) -> BlobId: ...
    def has_blob(self, blob_id: BlobId) -> bool: ...


@attrs.define(eq=False)
class Visit:
    """A folder that is being read: what goes in before, and what comes out."""

    folder: Folder
    #: Its former tree, encoded, and the id of that; empty if there is none.
    former: bytes
    former_tree: BlobId
    #: Nanoseconds since 1970: what changed later than this cannot be told apart from what the former tree says.
    trusted_ns: int
    #: Its new tree, encoded, its attributes, and the id of the tree; empty if it could not be listed.
    encoded: bytes = b""
    xattrs: Xattrs = ()
    subtree: BlobId = b""
    files: int = 0
    folders: int = 1
    size: int = 0
    unchanged: int = 0

    def count(self, below: Visit) -> None:
        """Add the files of a subfolder that is done."""
        self.files += below.files
        self.folders += below.folders
        self.size += below.size
        self.unchanged += below.unchanged


#: What a folder's generator and its helpers do: yield subfolders that are to be read, and go on when they are.
_Reading = Generator[Visit, None, None]
_Entry = Generator[Visit, None, "bytes | None"]


class Walk:
    """One reading of one home directory.

    :param load_blob: Loads former trees.
    """

    def __init__(self, writer: TreeWriter, root: Folder, load_blob: LoadBlob | None, on_read: OnRead | None) -> None:
        self.items = ItemList()
        self._writer = writer
        self._root = root
        self._load_blob = load_blob
        #: What changed before this will not change again in the same tick of the clock.
        self._settled_ns = time.time_ns() - GRANULARITY_NS
        self._owner = root.facts.st_uid
        self._mounts = mounts_beneath(root.descriptor)
        self._encoder = NodeEncoder()
        self._reader = FileReader(ContentSaver(writer, self._count_bytes), self.items, self._settled_ns)
        self._on_read = on_read
        self._files = self._bytes = self._in_file = 0
        self._next_report = 0.0

    def run(self, former_tree: BlobId = b"", trusted_ns: int = 0) -> Visit:
        """Read everything from the root down, and close it.

        :param former_tree: Id of the root's tree in the former snapshot.
        :param trusted_ns: Nanoseconds since 1970: what changed later is read even if the former tree says the same.
        :returns: The root as it is stored; without a tree if it cannot be listed.
        """
        first = self._visit(self._root, former_tree, trusted_ns)
        descent = Descent(self._root)
        readings = [self._read_folder(first)]
        try:
            while readings:
                below = next(readings[-1], None)
                if below is None:
                    readings.pop()
                    descent.leave()
                else:
                    descent.enter(below.folder)
                    readings.append(self._read_folder(below))
        finally:
            descent.close()
        self._report()
        return first

    def _visit(self, folder: Folder, former_tree: bytes, trusted_ns: int) -> Visit:
        former = b""
        if former_tree and self._load_blob:
            try:
                former = self._load_blob(former_tree, BlobType.TREE)
            except (RepositoryError, ObjectNotFoundError) as error:
                # Without it everything is read, which takes longer and is as good.
                _log.warning("former tree of %s: %s", printable(folder.path()) or "the root", error)
        return Visit(folder, former, former_tree, trusted_ns)

    def _read_folder(self, visit: Visit) -> _Reading:
        """Store the files of a folder, yield its subfolders, and store its tree in the end."""
        folder = visit.folder
        trusted_ns = visit.trusted_ns
        lstat = os.stat
        head = self._encoder.head
        tree = TreeBuilder(visit.former, self._writer.has_blob)
        keep_file = tree.keep_file
        try:
            with source_calls:
                names = sorted(set(map(os.fsencode, os.listdir(folder.descriptor))))
        except ItemError as error:
            self._note_error(folder, b"", error)
            return
        visit.xattrs = note_xattrs(self.items, folder.descriptor, folder, b"")
        mounted = self._mounts.get(folder.path(), {}) if self._mounts else {}
        ahead: dict[bytes, bytes | None] = {}
        for position, name in enumerate(names):
            if name in mounted:
                self._note_mount(folder, name, mounted[name])
                continue
            if folder.descriptor < 0:
                message = f"moved away while it was read; {len(names) - position} of its entries are missing"
                self.items.add(ItemKind.UNREADABLE, folder.path(), message)
                break
            try:
                facts = lstat(name, dir_fd=folder.descriptor, follow_symlinks=False)
            except OSError as error:
                self._note_error(folder, name, as_item_error(error))
                continue
            # The way of nearly all entries of nearly all backups: as short as possible.
            if (
                facts.st_ctime_ns < trusted_ns
                and facts.st_mode & _TYPE_BITS == _REGULAR
                and keep_file(head(name, facts))
            ):
                visit.unchanged += 1
                self._count_file(visit, name, facts, facts.st_size)
                continue
            former = tree.former_node(name)
            if name == b"cur" and b"new" in names:
                # Messages move from new to cur: read in this order, none is missed.
                ahead[b"new"] = yield from self._read_ahead(visit, b"new", tree)
            encoded = ahead[name] if name in ahead else (yield from self._read_entry(visit, name, facts, former))
            if encoded is not None:
                tree.add(encoded)
        visit.encoded = tree.encode()
        visit.subtree = visit.former_tree if visit.encoded is visit.former else self._writer.save_tree(visit.encoded)

    def _read_ahead(self, visit: Visit, name: bytes, tree: TreeBuilder) -> _Entry:
        try:
            with source_calls:
                facts = os.stat(name, dir_fd=visit.folder.descriptor, follow_symlinks=False)
        except ItemError as error:
            self._note_error(visit.folder, name, error)
            return None
        return (yield from self._read_entry(visit, name, facts, tree.former_ahead(name)))

    def _read_entry(self, visit: Visit, name: bytes, facts: os.stat_result, former: FormerNode | None) -> _Entry:
        """Store an entry of any type and return its encoded node; None if there is nothing to store."""
        folder = visit.folder
        try:
            for _ in range(_ATTEMPTS):
                try:
                    if stat.S_ISREG(facts.st_mode):
                        return self._read_file(visit, name, facts, former)
                    if stat.S_ISDIR(facts.st_mode):
                        return (yield from self._read_subfolder(visit, name, facts, former))
                    return self._read_special(folder, name, facts)
                except SwappedError:
                    with source_calls:
                        facts = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
            raise ItemError("replaced again and again while it was opened")  # noqa: TRY301
        except ItemError as error:
            self._note_error(folder, name, error)
            return None

    def _read_subfolder(self, visit: Visit, name: bytes, facts: os.stat_result, former: FormerNode | None) -> _Entry:
        folder = visit.folder
        if facts.st_dev != folder.facts.st_dev:
            self._note_mount(folder, name, "on another device")
            return None
        descriptor, facts = open_entry(folder.descriptor, name, facts)
        below = self._visit(
            Folder(name, facts, folder, descriptor), former.subtree if former else b"", visit.trusted_ns
        )
        yield below
        if name in _MAIL_FOLDERS:
            below = yield from self._read_moved_mail(visit, below)
        visit.count(below)
        if not below.subtree:
            return None
        return self._encoder.folder(name, below.folder.facts, xattrs=below.xattrs, subtree=below.subtree)

    def _read_moved_mail(self, visit: Visit, done: Visit) -> Generator[Visit, None, Visit]:
        """Read a folder of messages again if it changed meanwhile: a renamed one is not in the list that was read."""
        folder, name = visit.folder, done.folder.name
        for left in range(_MAIL_ROUNDS - 1, -1, -1):
            try:
                with source_calls:
                    facts = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False)
                if facts.st_mtime_ns == done.folder.facts.st_mtime_ns or not done.subtree:
                    break
                if not left:
                    self.items.add(ItemKind.ACTIVE, folder.path(name), "messages kept moving while it was read")
                    break
                descriptor, facts = open_entry(folder.descriptor, name, facts)
            except ItemError:
                break
            # What was read a moment ago is the former state now, so only what is new is read.
            again = Visit(Folder(name, facts, folder, descriptor), done.encoded, done.subtree, self._settled_ns)
            yield again
            if again.subtree:
                done = again
        return done

    def _read_file(self, visit: Visit, name: bytes, facts: os.stat_result, former: FormerNode | None) -> bytes:
        """Store a regular file and return its encoded node."""
        past = former.decode() if former else None
        if past is not None and self._same(past, facts, visit.trusted_ns):
            visit.unchanged += 1
            content = FileContent(facts, past.xattrs, past.content, facts.st_size, settled=True)
        else:
            content = self._reader.read(visit.folder, name, facts)
        self._count_file(visit, name, content.facts, content.size)
        return self._encoder.file(name, content.facts, xattrs=content.xattrs, content=content.blobs, size=content.size)

    def _same(self, former: Node, facts: os.stat_result, trusted_ns: int) -> bool:
        """Say whether a file is what *former* says, although not every fact is: its owner has another name, say."""
        return (
            facts.st_ctime_ns < trusted_ns
            and former.type == "file"
            and (former.size, former.inode) == (facts.st_size, facts.st_ino)
            and (former.mtime_ns, former.ctime_ns) == (facts.st_mtime_ns, facts.st_ctime_ns)
            and all(map(self._writer.has_blob, set(former.content)))
        )

    def _read_special(self, folder: Folder, name: bytes, facts: os.stat_result) -> bytes | None:
        """Return the encoded node of what is neither file nor folder; it is never opened."""
        kind = stat.S_IFMT(facts.st_mode)
        more: dict[str, Any] = {}
        if kind == stat.S_IFSOCK:
            self.items.add(ItemKind.SOCKET, folder.path(name), "a socket is not stored")
            return None
        if kind == stat.S_IFLNK:
            with source_calls:
                try:
                    more["linktarget"] = os.readlink(name, dir_fd=folder.descriptor)
                except OSError as error:
                    if error.errno == errno.EINVAL:
                        raise SwappedError("replaced while it was read") from error
                    raise
        elif kind in (stat.S_IFBLK, stat.S_IFCHR):
            more["device"] = facts.st_rdev
        elif kind != stat.S_IFIFO:
            raise ItemError(f"of unknown type {kind:#o}")
        if kind != stat.S_IFIFO:
            more["links"] = facts.st_nlink
        # There is no call that reads attributes beneath a descriptor without opening the entry.
        place = b"/proc/self/fd/%d/%b" % (folder.descriptor, name)
        return encode_node(self._encoder.node(name, facts, xattrs=note_xattrs(self.items, place, folder, name), **more))

    def _note_error(self, folder: Folder, name: bytes, error: ItemError) -> None:
        kind = ItemKind.VANISHED if isinstance(error, VanishedError) else ItemKind.UNREADABLE
        self.items.add(kind, folder.path(name), str(error))

    def _note_mount(self, folder: Folder, name: bytes, what: str) -> None:
        message = f"another file system ({what}) is mounted there; it is not stored"
        self.items.add(ItemKind.MOUNT, folder.path(name), message)

    def _count_file(self, visit: Visit, name: bytes, facts: os.stat_result, size: int) -> None:
        visit.files += 1
        visit.size += size
        self._files += 1
        self._bytes += size
        self._in_file = 0
        if facts.st_nlink > 1 and facts.st_uid != self._owner:
            message = f"a hard link to a file of another user (uid {facts.st_uid})"
            self.items.add(ItemKind.FOREIGN, visit.folder.path(name), message)
        if not self._files & 0x3F:
            self._report_sometimes()

    def _count_bytes(self, size: int) -> None:
        self._in_file += size
        if self._in_file > _REPORT_BYTES:
            self._report_sometimes()

    def _report_sometimes(self) -> None:
        if time.monotonic() >= self._next_report:
            self._report()

    def _report(self) -> None:
        self._next_report = time.monotonic() + _PROGRESS_INTERVAL
        if self._on_read:
            self._on_read(self._files, self._bytes + self._in_file)
