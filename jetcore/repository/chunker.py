"""Content-defined chunks: large files are cut where their contents say so, so that an insertion moves no later cut.

Chunks are 512 KiB to 8 MiB long, 1.3 MiB on average; any cut is valid for the readers of a repository.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

#: Files up to this size are one blob.
MIN_BYTES = 512 << 10
MAX_BYTES = 8 << 20
_NORMAL_BYTES = 1 << 20
#: The larger it is, the less is looked at twice; the smaller, the more of it is still in the processor's cache.
_WINDOW = 4 << 20


#: Fills the beginning of a buffer and returns how many bytes it put there; 0 at the end.
ReadInto = Callable[[memoryview], int]


class Chunker:
    """Cuts streams into chunks, one stream at a time.

    Its buffer serves all of them: for files of a megabyte, memory that is fresh each time costs more than the cutting.
    """

    def __init__(self, seed: int) -> None:
        """Take no memory yet.

        :param seed: Moves all cuts; the same for all files of a repository and secret, so that the sizes of chunks do
            not tell which known file they come from.
        """
        self._seed = seed

    def chunks(self, read_into: ReadInto) -> Iterator[memoryview]:
        """Yield the chunks of a stream. Each is valid until the next one is asked for."""
        buffer = self._buffer
        filled, ended = _fill(read_into, buffer, 0, MIN_BYTES + 1)
        if ended and filled <= MIN_BYTES:
            if filled:
                yield buffer[:filled]
            return
        while True:
            if not ended:
                filled, ended = _fill(read_into, buffer, filled, min(filled + _WINDOW, len(buffer)))
            start = 0
            for chunk in self._cutter.cut_buf(buffer[:filled]):
                end = chunk.offset + chunk.length
                if end == filled and not ended and chunk.length < MAX_BYTES:
                    break  # not a cut, only the end of what was read so far
                yield chunk.data
                start = end
            if ended:
                return
            filled -= start
            buffer[:filled] = buffer[start : start + filled]

    @cached_property
    def _buffer(self) -> memoryview:
        return memoryview(bytearray(MAX_BYTES + _WINDOW))

    @cached_property
    def _cutter(self) -> FastCDC:
        # pyfastcdc and fastcdc cut equally fast (2.4 and 2.3 GiB/s on a Xeon); pyfastcdc lets other threads run
        # meanwhile and takes a seed. Imported here because it takes 20 ms, and a run that meets no new large file does
        # without it.
        from pyfastcdc import FastCDC  # noqa: PLC0415

        return FastCDC(_NORMAL_BYTES, min_size=MIN_BYTES, max_size=MAX_BYTES, seed=self._seed)


def _fill(read_into: ReadInto, buffer: memoryview, filled: int, wanted: int) -> tuple[int, bool]:
    """Read until *wanted* bytes are in the buffer; return how many there are and whether the stream has ended."""
    while filled < wanted:
        count = read_into(buffer[filled:wanted])
        if not count:
            return filled, True
        filled += count
    return filled, False
