"""A client program that runs beside us: its pipes, its deadline and its end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import time
from collections.abc import Iterable, Sequence
from selectors import EVENT_READ, EVENT_WRITE, DefaultSelector
from types import TracebackType
from typing import IO, Self

import attrs

#: Room in a pipe: fewer turns of the loop than with the 64 KiB that Linux gives by itself.
_PIPE_BYTES = 1 << 20
#: The programs write 4 KiB at a time. Being woken for each of them costs both sides more than a moment's patience, in
#: which the pipe by far does not fill up.
_GATHER_SECONDS = 0.001
#: How much of the error output is kept: its beginning, where the cause is.
_ERRORS_KEPT = 1 << 16


class StalledError(Exception):
    """Nothing was heard of the program for the time that is allowed."""


@attrs.frozen
class OptionFile:
    """An option file of the client programs, which is how they get their credentials."""

    text: bytes = attrs.field(repr=False)
    #: Whether the programs read this file alone, and not those of the machine and of its users as well.
    alone: bool


class Child:
    """A program in a session of its own, with pipes for its output, its errors and, if wanted, its input.

    A context manager: leaving it kills the program's process group, if it still runs, and reaps it. Should this process
    be killed, the pipes break and the program ends by itself.

    :param program: Path of the program.
    :param arguments: Its arguments, nothing secret among them; the option file comes before them.
    :param environment: The whole environment.
    :param writable: Whether it gets an input pipe, for :meth:`exchange`; otherwise ``/dev/null``.
    :param stall_timeout: Seconds without a sign of life until :class:`StalledError`.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        options: OptionFile,
        *,
        environment: dict[str, str],
        writable: bool = False,
        stall_timeout: float,
    ) -> None:
        self._stall_timeout = stall_timeout
        self._errors = bytearray()
        #: Whether more came on the error output than is kept.
        self.errors_cut = False
        self._selector = DefaultSelector()
        descriptor = _memory_file(options.text)
        try:
            switch = "--defaults-file" if options.alone else "--defaults-extra-file"
            self._process = subprocess.Popen(
                [program, f"{switch}=/dev/fd/{descriptor}", *arguments],
                stdin=subprocess.PIPE if writable else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=environment,
                pass_fds=[descriptor],
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        self._output = self._process.stdout
        self._watch(self._process.stdout, EVENT_READ)
        self._watch(self._process.stderr, EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        """Process id of the program."""
        return self._process.pid

    @property
    def errors(self) -> str:
        """What the program has written to its error output so far, or the beginning of it."""
        return self._errors.decode(errors="replace")

    def read(self, size: int) -> bytes:
        """Return up to *size* bytes of the output as soon as there are any; ``b""`` at its end.

        :raises StalledError: Neither output nor errors came in time.
        """
        while self._output is not None:
            try:
                data = os.read(self._output.fileno(), size)
            except BlockingIOError:
                self._wait_for_output()
                continue
            if data:
                return data
            self._selector.unregister(self._output)
            self._output = None
        while self._selector.get_map():
            self._wait_for_output()
        return b""

    def exchange(self, pieces: Iterable[bytes]) -> bytes:
        """Write *pieces* to the input, close it, and return the whole output.

        A program that stops reading is not an error here: its exit status says what happened.

        :raises StalledError: The program neither took nor gave anything in time.
        """
        source = iter(pieces)
        waiting = memoryview(b"")
        output = bytearray()
        self._watch(self._process.stdin, EVENT_WRITE)
        while self._selector.get_map():
            for pipe in self._ready():
                if pipe is self._process.stdin:
                    if not waiting:
                        waiting = memoryview(next(source, b""))
                    try:
                        waiting = waiting[os.write(pipe.fileno(), waiting) :] if waiting else self._end(pipe)
                    except BrokenPipeError:
                        waiting = self._end(pipe)
                elif pipe is self._process.stderr:
                    self._keep_errors(pipe)
                elif data := os.read(pipe.fileno(), _PIPE_BYTES):
                    output += data
                else:
                    self._selector.unregister(pipe)
        return bytes(output)

    def wait(self) -> int:
        """Return the exit status of the program, whose output has ended; negative for a signal.

        :raises StalledError: It has not ended in time.
        """
        try:
            return self._process.wait(self._stall_timeout)
        except subprocess.TimeoutExpired as error:
            raise StalledError from error

    def close(self) -> None:
        """Kill the program and all that it started, and free everything. Safe to call twice."""
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        self._selector.close()

    def _watch(self, pipe: IO[bytes] | None, events: int) -> None:
        if pipe is None:
            raise ValueError("the program has no such pipe")
        os.set_blocking(pipe.fileno(), False)
        with contextlib.suppress(PermissionError):  # beyond the user's share of pipe memory: slower, not wrong
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._selector.register(pipe, events)

    def _wait_for_output(self) -> None:
        ready = self._ready()
        if self._output in ready:
            time.sleep(_GATHER_SECONDS)
        for pipe in ready:
            if pipe is self._process.stderr:
                self._keep_errors(pipe)

    def _ready(self) -> list[IO[bytes]]:
        events = self._selector.select(self._stall_timeout)
        if not events:
            raise StalledError
        return [key.fileobj for key, _ in events]  # type: ignore[misc]  # only our pipes are registered

    def _keep_errors(self, pipe: IO[bytes]) -> None:
        data = os.read(pipe.fileno(), _ERRORS_KEPT)
        if not data:
            self._selector.unregister(pipe)
        kept = data[: _ERRORS_KEPT - len(self._errors)]
        self._errors += kept
        self.errors_cut |= len(kept) < len(data)

    def _end(self, pipe: IO[bytes]) -> memoryview:
        self._selector.unregister(pipe)
        pipe.close()
        return memoryview(b"")


def _memory_file(text: bytes) -> int:
    """Return a descriptor of a nameless file of mode 0600: the programs ignore a file that others can write."""
    descriptor = os.memfd_create("options")
    os.fchmod(descriptor, 0o600)
    os.write(descriptor, text)
    return descriptor
