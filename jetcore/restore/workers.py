"""Forked workers that restore batches side by side, and the same done in this process where a fork is not safe.

Python runs one thread at a time, and small files are all short steps; so the work is spread over processes. Requests
and replies are bytes behind their length; no object ever crosses a process.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import struct
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import attrs

from jetcore.errors import RestoreError

_log = logging.getLogger(__name__)
_LENGTH = struct.Struct("<I")
_READ_BYTES = 256 * 1024
# One being worked on, one waiting: a worker never waits for the parent's walk.
_MOST_PENDING = 2


class Crew(Protocol):
    """Whoever works on requests."""

    def submit(self, request: bytes) -> None:
        """Have *request* worked on; may wait for a free hand."""
        ...

    def finish(self) -> None:
        """Return when every request is done and its reply has been handed on."""
        ...


class InProcess:
    """Works on each request at once, in this process."""

    def __init__(self, work: Callable[[bytes], bytes], on_reply: Callable[[bytes], None]) -> None:
        self._work = work
        self._on_reply = on_reply

    def submit(self, request: bytes) -> None:
        """Work on *request*."""
        self._on_reply(self._work(request))

    def finish(self) -> None:
        """Return; nothing is ever pending."""


@attrs.define
class _Worker:
    pid: int
    socket: socket.socket
    pending: int = 0
    outgoing: bytearray = attrs.field(factory=bytearray)
    incoming: bytearray = attrs.field(factory=bytearray)


class Workers:
    """A few forked processes that work on requests.

    A context manager: leaving it by an exception kills the workers, leaving it otherwise lets them end; both wait for
    them.

    :param count: How many processes.
    :param work: Called in a worker with a request; returns the reply and must not raise.
    :param on_reply: Called in this process with each reply; what it raises comes out of :meth:`submit` or
        :meth:`finish`.
    """

    def __init__(self, count: int, work: Callable[[bytes], bytes], on_reply: Callable[[bytes], None]) -> None:
        self._on_reply = on_reply
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        try:
            for _ in range(count):
                self._workers.append(self._fork(work))
        except BaseException:
            self._end(kill=True)
            raise
        for worker in self._workers:
            worker.socket.setblocking(False)
            self._selector.register(worker.socket, selectors.EVENT_READ, worker)

    def _fork(self, work: Callable[[bytes], bytes]) -> _Worker:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid:
            theirs.close()
            return _Worker(pid, ours)
        # The child leaves by os._exit alone: nothing that the parent opened may be flushed or cleaned up twice.
        try:
            ours.close()
            for other in self._workers:
                other.socket.close()
            _serve(theirs, work)
        except Exception:
            _log.exception("a restore worker failed")
        finally:
            os._exit(0)

    def submit(self, request: bytes) -> None:
        """Give *request* to the worker with the least to do; waits while all have enough."""
        while True:
            worker = min(self._workers, key=lambda worker: worker.pending)
            if worker.pending < _MOST_PENDING:
                break
            self._exchange()
        worker.pending += 1
        worker.outgoing += _LENGTH.pack(len(request)) + request
        self._send(worker)

    def finish(self) -> None:
        """Return when every request is done and its reply has been handed on."""
        while any(worker.pending for worker in self._workers):
            self._exchange()

    def _exchange(self) -> None:
        for key, events in self._selector.select():
            if events & selectors.EVENT_WRITE:
                self._send(key.data)
            if events & selectors.EVENT_READ:
                self._receive(key.data)

    def _send(self, worker: _Worker) -> None:
        try:
            while worker.outgoing:
                del worker.outgoing[: worker.socket.send(worker.outgoing)]
        except BlockingIOError:
            pass
        except OSError as error:
            raise _died(worker) from error
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if worker.outgoing else 0)
        self._selector.modify(worker.socket, wanted, worker)

    def _receive(self, worker: _Worker) -> None:
        try:
            received = worker.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise _died(worker) from error
        if not received:
            raise _died(worker)
        worker.incoming += received
        while len(worker.incoming) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(worker.incoming)
            end = _LENGTH.size + length
            if len(worker.incoming) < end:
                return
            reply = bytes(worker.incoming[_LENGTH.size : end])
            del worker.incoming[:end]
            worker.pending -= 1
            self._on_reply(reply)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end(kill=error is not None)

    def _end(self, *, kill: bool) -> None:
        self._selector.close()
        for worker in self._workers:
            worker.socket.close()
            if kill:
                os.kill(worker.pid, signal.SIGTERM)
        for worker in self._workers:
            os.waitpid(worker.pid, 0)
        self._workers.clear()


def _serve(requests: socket.socket, work: Callable[[bytes], bytes]) -> None:
    # A terminal's Ctrl-C reaches the parent too, which then ends its workers; SIGTERM unwinds, so that the file being
    # written is removed.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit())
    stream = requests.makefile("rwb")
    while len(head := stream.read(_LENGTH.size)) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        request = stream.read(length)
        if len(request) < length:
            return
        reply = work(request)
        stream.write(_LENGTH.pack(len(reply)) + reply)
        stream.flush()


def _died(worker: _Worker) -> RestoreError:
    return RestoreError(
        f"a restore worker (process {worker.pid}) ended unexpectedly",
        hint="it may have been killed for lack of memory; run the restore again",
    )
