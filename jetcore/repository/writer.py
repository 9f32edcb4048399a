"""Writing into a repository: new blobs, then the index that lists them, then the snapshot that makes them count."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from jetcore.abc import Data
from jetcore.errors import JetcoreError, RepositoryError
from jetcore.repository.blob import DEFAULT_LEVEL, BlobId, BlobType, blob_id
from jetcore.repository.chunker import Chunker, ReadInto
from jetcore.repository.crypto import Crypter
from jetcore.repository.files import Files, Kind
from jetcore.repository.forked import ForkedSealer
from jetcore.repository.index import encode_pack
from jetcore.repository.lock import Lock
from jetcore.repository.pack import decode_header
from jetcore.repository.packer import StoredPack
from jetcore.repository.sealer import InlineSealer, Sealer, can_fork
from jetcore.repository.snapshot import Snapshot, encode_snapshot
from jetcore.repository.stored_index import StoredIndex

#: New data from which on a second process is worth its start.
FORK_BYTES = 4 << 20
#: Blobs listed in one index file; 165 bytes each keep it below the 8 MiB that the format asks for.
INDEX_BLOBS = 40_000
#: Seconds between two looks at the lock's age.
_LOCK_CHECK = 30.0


class Writer:
    """Adds to a repository. A context manager, made by :meth:`Repository.writer`; for one thread.

    It holds a lock. Left by an exception it writes nothing more; what is stored by then is unused data, no more.
    """

    def __init__(
        self,
        files: Files,
        crypter: Crypter,
        stored_index: StoredIndex,
        *,
        seed: int,
        level: int = DEFAULT_LEVEL,
        may_fork: bool = True,
    ) -> None:
        """Take the lock and load the index.

        :param seed: Of the chunker.
        :param level: zstd level of new blobs.
        :param may_fork: Whether a second process may do half of the work; no, where other work waits for processors.
        :raises RepositoryLockedError: Somebody works exclusively in the repository.
        """
        self._files = files
        self._crypter = crypter
        self._stored_index = stored_index
        self._chunker = Chunker(seed)
        self._level = level
        self._may_fork = may_fork
        self._lock = Lock(files, crypter)
        try:
            stored_index.refresh()
        except BaseException:
            self._lock.release()
            raise
        self._index = stored_index.index
        self._next_lock_check = time.monotonic() + _LOCK_CHECK
        # On their way into packs: neither stored twice nor in the index yet.
        self._pending: dict[BlobType, set[BlobId]] = {kind: set() for kind in BlobType}
        self._sealer: Sealer | None = None
        self._held: list[tuple[BlobType, BlobId, bytes]] = []
        self._held_bytes = 0
        self._unlisted: list[bytes] = []  # entries of stored packs that stand in no index file yet
        self._unlisted_blobs = 0
        self._error: JetcoreError | None = None
        #: New blobs of files.
        self.added_data_blobs = 0
        #: New blobs of folders.
        self.added_tree_blobs = 0
        #: Bytes of the contents of all new blobs.
        self.added_plain_bytes = 0
        #: Bytes that they take at the destination, index included; complete after :meth:`flush`.
        self.added_bytes = 0

    @property
    def added_blobs(self) -> int:
        """New blobs of both kinds."""
        return self.added_data_blobs + self.added_tree_blobs

    def save_data(self, data: Data) -> BlobId:
        """Store a file, or a piece of one, unless the repository has it; return its id.

        *data* may be overwritten after the return. It is stored in the background: an error may come from a later call.

        :raises DestinationError: Something could not be stored; the writer is of no more use.
        """
        return self._save(BlobType.DATA, data)

    def save_stream(self, read: Callable[[int], bytes]) -> tuple[tuple[BlobId, ...], int]:
        """Store a stream of any length in chunks; return their ids and the number of bytes.

        :param read: Returns up to as many bytes as asked for, none at the end.
        :raises DestinationError: Something could not be stored; the writer is of no more use.
        """

        def read_into(buffer: memoryview) -> int:
            data = read(len(buffer))
            buffer[: len(data)] = data
            return len(data)

        return self.save_into(read_into)

    def save_into(self, read_into: ReadInto) -> tuple[tuple[BlobId, ...], int]:
        """Do the same with a stream that is read into buffers, which spares a copy.

        :param read_into: Fills the beginning of a buffer and returns how many bytes it put there; 0 at the end.
        :raises DestinationError: Something could not be stored; the writer is of no more use.
        """
        ids = []
        total = 0
        for chunk in self._chunker.chunks(read_into):
            ids.append(self._save(BlobType.DATA, chunk))
            total += len(chunk)
        return tuple(ids), total

    def save_tree(self, encoded: bytes) -> BlobId:
        """Store a tree, as :func:`~jetcore.repository.tree.encode_tree` returned it; return its id.

        :raises DestinationError: Something could not be stored; the writer is of no more use.
        """
        return self._save(BlobType.TREE, encoded)

    def has_blob(self, blob: BlobId, kind: BlobType | None = None) -> bool:
        """Say whether a blob, of any kind if none is given, is in the repository or on its way there."""
        if self._index.contains(blob, kind):
            return True
        return any(blob in pending for pending_kind, pending in self._pending.items() if kind in (None, pending_kind))

    def flush(self) -> None:
        """Return when everything that was saved is on stable storage and listed in the index.

        :raises DestinationError: Something could not be stored; the writer is of no more use.
        """
        self._check()
        try:
            if self._held:
                self._start(fork=False)
            if self._sealer is not None:
                self._sealer.flush()
            self._list_packs()
        except BaseException as error:
            self._fail(error)
            raise

    def save_snapshot(self, snapshot: Snapshot) -> str:
        """Make everything durable, then store *snapshot*: the one commit. Return its id.

        :raises DestinationError: Something could not be stored; there is no new snapshot.
        """
        self.flush()
        self._lock.refresh()
        return self._files.save(Kind.SNAPSHOT, encode_snapshot(snapshot), self._crypter)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if error is None and self._error is None:
                self.flush()
        finally:
            try:
                self._close()
            finally:
                self._lock.__exit__(kind, error, traceback)

    def _save(self, kind: BlobType, data: Data) -> BlobId:
        if time.monotonic() > self._next_lock_check or self._error is not None:
            self._check()
        new_id = blob_id(data)
        pending = self._pending[kind]
        if new_id in pending or self._index.contains(new_id, kind):
            return new_id
        try:
            if self._sealer is not None:
                self._sealer.put(kind, new_id, data)
            else:
                self._hold(kind, new_id, data)
        except BaseException as error:
            self._fail(error)
            raise
        pending.add(new_id)
        if kind is BlobType.DATA:
            self.added_data_blobs += 1
        else:
            self.added_tree_blobs += 1
        self.added_plain_bytes += len(data)
        return new_id

    def _hold(self, kind: BlobType, new_id: BlobId, data: Data) -> None:
        self._held.append((kind, new_id, bytes(data)))
        self._held_bytes += len(data)
        if self._held_bytes >= FORK_BYTES:
            self._start(fork=self._may_fork and can_fork(self._files))

    def _start(self, *, fork: bool) -> None:
        sealer: Sealer | None = None
        if fork:
            with contextlib.suppress(OSError):  # too many processes, or too little memory for another one
                sealer = ForkedSealer(self._files, self._crypter, self._level, self._on_stored)
        if sealer is None:
            sealer = InlineSealer(self._files, self._crypter, self._level, self._on_stored)
        self._sealer = sealer
        held, self._held = self._held, []
        for kind, new_id, data in held:
            sealer.put(kind, new_id, data)

    def _on_stored(self, pack: StoredPack) -> None:
        blobs = decode_header(pack.header)
        if self._unlisted_blobs + len(blobs) > INDEX_BLOBS:
            # Not only at the end: if the first backup of a large account breaks off, the next has this much behind it.
            self._list_packs()
        self._index.add_pack(pack.id, blobs)
        for blob in blobs:
            self._pending[blob.type].discard(blob.id)
        self._unlisted.append(encode_pack(pack.id, blobs))
        self._unlisted_blobs += len(blobs)
        self.added_bytes += pack.size

    def _list_packs(self) -> None:
        if self._unlisted:
            self.added_bytes += self._stored_index.save(self._unlisted)
            self._unlisted = []
            self._unlisted_blobs = 0

    def _check(self) -> None:
        if self._error is not None:
            raise self._error
        self._next_lock_check = time.monotonic() + _LOCK_CHECK
        try:
            self._lock.refresh()
        except BaseException as error:
            self._fail(error)
            raise

    def _fail(self, error: BaseException) -> None:
        self._error = (
            error if isinstance(error, JetcoreError) else RepositoryError(f"the writer was interrupted by {error!r}")
        )

    def _close(self) -> None:
        if self._unlisted:
            # The index in memory knows packs that no index file lists: whoever counted on them would lose data.
            self._stored_index.forget()
        if self._sealer is not None:
            self._sealer.close()
