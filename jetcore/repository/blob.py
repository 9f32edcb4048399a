"""Blobs: pieces of files, and trees; known by the SHA-256 of their contents, compressed with zstd where that helps."""

from __future__ import annotations

import enum
import hashlib
import threading

import zstandard

from jetcore.abc import Data
from jetcore.errors import CorruptRepositoryError

#: SHA-256 of a blob's contents: 32 raw bytes.
BlobId = bytes

#: zstd level of new blobs, and of all index, snapshot and lock files.
DEFAULT_LEVEL = 1
#: No blob or file of a repository is larger than this when unpacked; a compressed text that claims to be is damaged.
MAX_BYTES = 1 << 30


class BlobType(enum.IntEnum):
    """What a blob holds. The same contents can be stored once as each."""

    #: A file, or a piece of one.
    DATA = 0
    #: A folder.
    TREE = 1


def blob_id(contents: Data) -> BlobId:
    """Return the id of the blob with *contents*."""
    return hashlib.sha256(contents).digest()


class _Decompressor(threading.local):
    """The zstd context of one thread."""

    def __init__(self) -> None:
        self.zstd = zstandard.ZstdDecompressor()


_decompressor = _Decompressor()


def decompress(compressed: Data, *, length: int = 0) -> bytes:
    """Return the contents of a zstd frame.

    :param length: How long the contents are, where that is known; 0 where not.
    :raises CorruptRepositoryError: It is no zstd frame, or its contents have another length.
    """
    limit = length or MAX_BYTES
    try:
        claimed = zstandard.frame_content_size(compressed)
        if claimed > limit:
            raise CorruptRepositoryError(f"claims to unpack to {claimed} bytes, {limit} are right")
        if claimed < 0 and not length:  # A frame written as a stream does not say.
            contents = _decompressor.zstd.decompressobj().decompress(compressed)
        else:
            contents = _decompressor.zstd.decompress(compressed, max_output_size=limit if claimed < 0 else 0)
    except zstandard.ZstdError as error:
        raise CorruptRepositoryError(f"cannot be decompressed: {error}") from error
    if length and len(contents) != length:
        raise CorruptRepositoryError(f"unpacks to {len(contents)} bytes instead of {length}")
    return contents
