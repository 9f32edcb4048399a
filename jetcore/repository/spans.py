"""Spans: stretches of packs that are read at one go, because the blobs in them lie side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from jetcore.repository.blob import BlobId
from jetcore.repository.index import Location

#: Longest span, unless a single blob is longer: what is read before the first blob of it can be used.
MAX_BYTES = 4 << 20
#: Unwanted bytes between two blobs that are rather read too than skipped by a read of their own.
MAX_GAP_BYTES = 32 << 10


@attrs.frozen
class Span:
    """A stretch of a pack."""

    #: Id (32 bytes) of the pack.
    pack: bytes
    offset: int
    length: int
    #: The wanted blobs in it, in their order.
    blobs: tuple[tuple[BlobId, Location], ...]


def spans(located: Iterable[tuple[BlobId, Location]]) -> Iterator[Span]:
    """Yield the reads that bring all blobs of *located*, pack by pack."""
    blobs: list[tuple[BlobId, Location]] = []
    pack, start, end = b"", 0, 0
    for blob, location in sorted(located, key=lambda item: (item[1].pack, item[1].offset)):
        blob_end = location.offset + location.length
        if location.pack != pack or location.offset - end > MAX_GAP_BYTES or blob_end - start > MAX_BYTES:
            if blobs:
                yield Span(pack, start, end - start, tuple(blobs))
            blobs = []
            pack, start = location.pack, location.offset
        blobs.append((blob, location))
        end = blob_end
    if blobs:
        yield Span(pack, start, end - start, tuple(blobs))
