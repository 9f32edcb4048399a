"""A sealer in a forked process, so that the second processor works too.

The blobs go through shared memory: a few slots, each of them a batch of contents with a table behind it. A message of
12 bytes hands a slot over; the answers say which slot is free again and which packs are stored. Both travel over a
socket pair, whose end is how either side learns that the other is gone.
"""

from __future__ import annotations

import contextlib
import gc
import mmap
import os
import signal
import socket
import struct
from collections.abc import Iterator

from jetcore.abc import Data
from jetcore.errors import DestinationError, DestinationFullError, JetcoreError, RepositoryError
from jetcore.process import die_with_parent
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.chunker import MAX_BYTES
from jetcore.repository.crypto import Crypter
from jetcore.repository.files import Files
from jetcore.repository.packer import Blob, OnStored, Packer, StoredPack
from jetcore.repository.sealer import BATCH_BYTES, Sealer

#: Enough to go on reading while the sealer waits for the disk. Memory is taken only by what is really used of a slot.
_SLOTS = 12
#: Contents of one slot: the longest chunk after an almost full batch.
_SLOT_DATA = MAX_BYTES + BATCH_BYTES
_SLOT_ENTRIES = 16_384
_ENTRY = struct.Struct("<32sBBI")  # blob id, type, whether more of the blob follows in the next slot, bytes in this one
_SLOT = _SLOT_DATA + _SLOT_ENTRIES * _ENTRY.size

_ORDER = struct.Struct("<III")  # slot, bytes of contents, entries
_FLUSH = _ORDER.pack(0xFFFFFFFF, 0, 0)
_ANSWER = struct.Struct("<BI")  # what happened, bytes that follow
_FREE, _STORED, _FLUSHED, _FAILED = range(4)
_ERRORS: tuple[type[JetcoreError], ...] = (RepositoryError, DestinationError, DestinationFullError)


class ForkedSealer(Sealer):
    """Seals in a child process. To be made while the process has a single thread."""

    def __init__(self, files: Files, crypter: Crypter, level: int, on_stored: OnStored) -> None:
        """Start the child.

        :raises OSError: The system does not give another process, or not the memory for it.
        """
        self._on_stored = on_stored
        self._ring = mmap.mmap(-1, _SLOTS * _SLOT)
        self._view = memoryview(self._ring)
        self._free = list(range(_SLOTS))
        self._slot: memoryview | None = None
        self._slot_number = 0
        self._used = 0
        self._table: list[bytes] = []
        self._answers = bytearray()
        self._flushed = False
        self._error: JetcoreError | None = None
        self._socket, childs_end = socket.socketpair()
        parent = os.getpid()
        try:
            self._pid = os.fork()
        except OSError:
            self._socket.close()
            self._free_memory()
            raise
        else:
            if not self._pid:
                _Child(self._view, childs_end, parent).run(files, crypter, level)
        finally:
            childs_end.close()

    def put(self, kind: BlobType, blob_id: BlobId, data: Data) -> None:
        length = len(data)
        if self._used + length > _SLOT_DATA:
            self._hand_over()
        if length > _SLOT_DATA:  # only trees of very large folders
            view = memoryview(data)
            while len(view) > _SLOT_DATA:
                self._copy(kind, blob_id, view[:_SLOT_DATA], more=True)
                self._hand_over()
                view = view[_SLOT_DATA:]
            data = view
        self._copy(kind, blob_id, data, more=False)
        if self._used >= BATCH_BYTES or len(self._table) == _SLOT_ENTRIES:
            self._hand_over()

    def flush(self) -> None:
        self._hand_over()
        self._flushed = False
        self._send(_FLUSH)
        while not self._flushed:
            self._receive(wait=True)

    def close(self) -> None:
        if not self._pid:
            return
        # The child ends when it has stored what it is storing just now. Closing alone would not tell it so while a
        # process that was forked meanwhile still has our end.
        with contextlib.suppress(OSError):  # it has gone already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        os.waitpid(self._pid, 0)
        self._pid = 0
        self._slot = None
        self._free_memory()

    def _free_memory(self) -> None:
        self._view.release()
        self._ring.close()

    def _copy(self, kind: BlobType, blob_id: BlobId, data: Data, *, more: bool) -> None:
        slot = self._slot
        if slot is None:
            slot = self._take_slot()
        end = self._used + len(data)
        slot[self._used : end] = data
        self._used = end
        self._table.append(_ENTRY.pack(blob_id, kind, more, len(data)))

    def _take_slot(self) -> memoryview:
        while not self._free:
            self._receive(wait=True)
        self._slot_number = self._free.pop()
        start = self._slot_number * _SLOT
        self._slot = self._view[start : start + _SLOT]
        return self._slot

    def _hand_over(self) -> None:
        if self._slot is None:
            return
        table = b"".join(self._table)
        self._slot[self._used : self._used + len(table)] = table
        self._slot.release()
        self._send(_ORDER.pack(self._slot_number, self._used, len(self._table)))
        self._slot = None
        self._used = 0
        self._table = []
        self._receive(wait=False)

    def _send(self, order: bytes) -> None:
        # Never waits: there are fewer orders under way than fit into a socket.
        try:
            self._socket.sendall(order)
        except (BrokenPipeError, ConnectionResetError):
            while True:  # its last words come before its end does
                self._receive(wait=True)

    def _receive(self, *, wait: bool) -> None:
        """Work off what the child has answered; with *wait*, there is at least something new on return."""
        if self._error is not None:
            raise self._error
        try:
            received = self._socket.recv(1 << 18, 0 if wait else socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except ConnectionResetError:
            received = b""
        if not received:
            self._error = RepositoryError(
                f"process {self._pid}, which seals and stores new data, has gone",
                hint="was it killed, or out of memory?",
            )
            raise self._error
        self._answers += received
        for kind, payload in self._complete_answers():
            if kind == _FREE:
                self._free.append(int.from_bytes(payload, "little"))
            elif kind == _STORED:
                self._on_stored(StoredPack(payload[:32], int.from_bytes(payload[32:40], "little"), payload[40:]))
            elif kind == _FLUSHED:
                self._flushed = True
            else:
                message, hint = payload[1:].decode().split("\0")
                self._error = _ERRORS[payload[0]](message, hint=hint)
                raise self._error

    def _complete_answers(self) -> Iterator[tuple[int, bytes]]:
        answers, start = bytes(self._answers), 0
        while len(answers) - start >= _ANSWER.size:
            kind, length = _ANSWER.unpack_from(answers, start)
            end = start + _ANSWER.size + length
            if end > len(answers):
                break
            del self._answers[: end - start]
            yield kind, answers[start + _ANSWER.size : end]
            start = end


class _Child:
    """The other side: what the forked process does."""

    def __init__(self, view: memoryview, channel: socket.socket, parent: int) -> None:
        self._view = view
        self._channel = channel
        self._parent = parent
        self._begun = b""

    def run(self, files: Files, crypter: Crypter, level: int) -> None:
        """Seal until the parent closes its end. Never returns."""
        status = 1
        try:
            self._detach()
            packer = Packer(files, crypter, level, self._stored)
            self._serve(packer)
            packer.close()
            status = 0
        except (BrokenPipeError, ConnectionResetError):
            status = 0  # the parent has given up
        except BaseException as error:  # nothing may escape into the parent's code
            self._report(error)
        finally:
            os._exit(status)

    def _detach(self) -> None:
        die_with_parent(self._parent)
        # Ctrl-C reaches the whole process group; the parent decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # A pipe of a dump that the parent closes has to be closed for good. The objects that own these descriptors are
        # never collected here, so none of them closes a number that is used anew.
        gc.freeze()
        channel = self._channel.fileno()
        os.closerange(3, channel)
        os.closerange(channel + 1, os.sysconf("SC_OPEN_MAX"))

    def _serve(self, packer: Packer) -> None:
        while order := self._next_order():
            if order == _FLUSH:
                packer.flush()
                self._answer(_FLUSHED, b"")
                continue
            number, used, count = _ORDER.unpack(order)
            start = number * _SLOT
            with self._view[start : start + used + count * _ENTRY.size] as slot:
                packer.add(self._blobs(slot, used))
            self._answer(_FREE, number.to_bytes(4, "little"))

    def _blobs(self, slot: memoryview, used: int) -> list[Blob]:
        blobs: list[Blob] = []
        start = 0
        for blob_id, kind, more, length in _ENTRY.iter_unpack(slot[used:]):
            data: Data = slot[start : start + length]
            start += length
            if more or self._begun:
                self._begun += data
                if more:
                    continue
                data, self._begun = self._begun, b""
            blobs.append((BlobType(kind), blob_id, data))
        return blobs

    def _next_order(self) -> bytes:
        order = self._channel.recv(_ORDER.size, socket.MSG_WAITALL)
        return order if len(order) == _ORDER.size else b""

    def _stored(self, pack: StoredPack) -> None:
        self._answer(_STORED, pack.id + pack.size.to_bytes(8, "little") + pack.header)

    def _answer(self, kind: int, payload: bytes) -> None:
        self._channel.sendall(_ANSWER.pack(kind, len(payload)) + payload)

    def _report(self, error: BaseException) -> None:
        number = next((n for n in reversed(range(len(_ERRORS))) if isinstance(error, _ERRORS[n])), 0)
        message, hint = (error.message, error.hint) if isinstance(error, JetcoreError) else (repr(error), "")
        text = f"{message}\0{hint}".encode("utf-8", "replace")
        with contextlib.suppress(OSError):  # nobody listens any more
            self._answer(_FAILED, bytes([number]) + text)
