"""Sealers take new blobs from a writer and see to it that they get stored: in this process, or in a forked one.

Most blobs are small files, and Python threads do not help with those: each step takes microseconds and holds the
interpreter. So the work is divided between two processes: the writer's reads, hashes and finds duplicates, the sealer's
compresses, seals, packs and stores. Both sealers run the same :class:`~jetcore.repository.packer.Packer`.
"""

from __future__ import annotations

import abc

from jetcore import process
from jetcore.abc import Data
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.crypto import Crypter
from jetcore.repository.files import Files
from jetcore.repository.packer import Blob, OnStored, Packer

#: Blobs are sealed together when they reach this.
BATCH_BYTES = 1 << 20


class Sealer(abc.ABC):
    """Takes blobs and stores them in packs."""

    @abc.abstractmethod
    def put(self, kind: BlobType, blob_id: BlobId, data: Data) -> None:
        """Take a blob; *data* is copied and will be stored later.

        :raises DestinationError: One that was taken earlier could not be stored.
        """

    @abc.abstractmethod
    def flush(self) -> None:
        """Return when all blobs that were taken are on stable storage.

        :raises DestinationError: One of them could not be stored.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Free what the sealer holds; blobs that are not stored yet are forgotten. Safe to call twice."""


class InlineSealer(Sealer):
    """Seals in the calling process: for little data, or where a fork is not safe."""

    def __init__(self, files: Files, crypter: Crypter, level: int, on_stored: OnStored) -> None:
        self._packer = Packer(files, crypter, level, on_stored)
        self._batch: list[Blob] = []
        self._bytes = 0

    def put(self, kind: BlobType, blob_id: BlobId, data: Data) -> None:
        self._batch.append((kind, blob_id, bytes(data)))
        self._bytes += len(data)
        if self._bytes >= BATCH_BYTES:
            self._hand_over()

    def flush(self) -> None:
        self._hand_over()
        self._packer.flush()

    def close(self) -> None:
        self._batch = []
        self._packer.close()

    def _hand_over(self) -> None:
        batch, self._batch, self._bytes = self._batch, [], 0
        self._packer.add(batch)


def can_fork(files: Files) -> bool:
    """Say whether a forked sealer is safe, for this process and for the destination."""
    return files.destination.fork_safe and process.can_fork()
