"""Packing: blobs are compressed and sealed into packs, and full packs stored at the destination."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import attrs
import zstandard

from jetcore.abc import Data
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.crypto import OVERHEAD, Crypter
from jetcore.repository.files import Files, pack_name
from jetcore.repository.pack import MAX_BLOBS, TARGET_BYTES, PackedBlob, encode_entry, finish_pack

#: A blob on its way into a pack.
Blob = tuple[BlobType, BlobId, Data]
#: Packs that are being stored while the next ones are made; each takes up to 18 MiB of memory.
_IN_FLIGHT = 2
#: Blobs from this length on are compressed only if one of three samples of this length shrinks.
_SAMPLED, _SAMPLE = 96 << 10, 8 << 10


@attrs.frozen
class StoredPack:
    """A pack that is on stable storage."""

    id: bytes
    #: Bytes that it takes.
    size: int
    #: Its header, not sealed.
    header: bytes


OnStored = Callable[[StoredPack], None]


class _OpenPack:
    """A pack that is being filled."""

    def __init__(self) -> None:
        self.blobs = bytearray()
        self.header = bytearray()
        self.count = 0

    @property
    def is_full(self) -> bool:
        return len(self.blobs) >= TARGET_BYTES or self.count >= MAX_BLOBS


class Packer:
    """Compresses, seals, packs and stores blobs. Not for several threads at once."""

    def __init__(self, files: Files, crypter: Crypter, level: int, on_stored: OnStored) -> None:
        """Start with nothing.

        :param level: zstd level.
        :param on_stored: Called for each pack that has been stored, from :meth:`add` or :meth:`flush`.
        """
        self._crypter = crypter
        self._zstd = zstandard.ZstdCompressor(level=level)
        self._packs = {kind: _OpenPack() for kind in BlobType}
        self._storer = _Storer(files, on_stored)

    def add(self, blobs: Sequence[Blob]) -> None:
        """Put *blobs* into packs; their data is not needed any more on return.

        :raises DestinationError: A pack could not be stored.
        """
        for kind in BlobType:
            chosen = [(blob_id, data) for blob_kind, blob_id, data in blobs if blob_kind is kind]
            if chosen:
                self._fill(kind, chosen)

    def add_sealed(self, blob: PackedBlob, sealed: Data) -> None:
        """Put a blob out of another pack into one, as it is: what is sealed stays so wherever it lies.

        :raises DestinationError: A pack could not be stored.
        """
        pack = self._packs[blob.type]
        pack.header += encode_entry(blob.type, blob.id, len(sealed), blob.uncompressed_length)
        pack.blobs += sealed
        pack.count += 1
        if pack.is_full:
            self._finish(blob.type)
            self._storer.reap()

    def flush(self) -> None:
        """Return when all blobs that were added are on stable storage.

        :raises DestinationError: A pack could not be stored.
        """
        for kind, pack in self._packs.items():
            if pack.count:
                self._finish(kind)
        self._storer.drain()

    def close(self) -> None:
        """Wait for what is being stored just now, and forget all else."""
        self._storer.close()

    def _fill(self, kind: BlobType, blobs: Sequence[tuple[BlobId, Data]]) -> None:
        compress = self._zstd.compress
        pack = self._packs[kind]
        texts: list[Data] = []
        for blob_id, data in blobs:
            compressed = compress(data) if len(data) < _SAMPLED or self._shrinks(data) else data
            if len(compressed) < len(data):
                texts.append(compressed)
                pack.header += encode_entry(kind, blob_id, len(compressed) + OVERHEAD, len(data))
            else:
                texts.append(data)
                pack.header += encode_entry(kind, blob_id, len(data) + OVERHEAD, 0)
        self._crypter.seal_onto(pack.blobs, texts)
        pack.count += len(blobs)
        if pack.is_full:
            self._finish(kind)
            self._storer.reap()

    def _shrinks(self, data: Data) -> bool:
        """Say whether compressing *data* promises anything, by samples of it.

        Pictures, videos and archives are most of what hosting accounts hold, and do not.
        """
        view = memoryview(data)
        middle = len(view) // 2
        samples = (view[:_SAMPLE], view[middle : middle + _SAMPLE], view[-_SAMPLE:])
        return any(len(self._zstd.compress(sample)) < _SAMPLE * 0.98 for sample in samples)

    def _finish(self, kind: BlobType) -> None:
        pack = self._packs[kind]
        self._packs[kind] = _OpenPack()
        header = bytes(pack.header)
        finish_pack(pack.blobs, header, self._crypter)
        self._storer.put(pack.blobs, header)


class _Storer:
    """Stores packs, in threads of its own: hashing, writing and waiting for the disk leave the processor to others."""

    def __init__(self, files: Files, on_stored: OnStored) -> None:
        self._files = files
        self._on_stored = on_stored
        self._threads: ThreadPoolExecutor | None = None
        self._running: deque[Future[StoredPack]] = deque()

    def put(self, pack: bytearray, header: bytes) -> None:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(_IN_FLIGHT, "jetcore-store")
        while len(self._running) >= _IN_FLIGHT:
            self._on_stored(self._running.popleft().result())
        self._running.append(self._threads.submit(self._store, pack, header))

    def reap(self) -> None:
        """Report what has been stored already."""
        while self._running and self._running[0].done():
            self._on_stored(self._running.popleft().result())

    def drain(self) -> None:
        while self._running:
            self._on_stored(self._running.popleft().result())

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
            self._threads = None

    def _store(self, pack: bytearray, header: bytes) -> StoredPack:
        pack_id = hashlib.sha256(pack).digest()
        self._files.destination.put(self._files.path(pack_name(pack_id)), pack)
        return StoredPack(pack_id, len(pack), header)
