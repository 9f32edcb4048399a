"""Packs: files of sealed blobs, with a sealed header that lists them and the header's length at the end."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from jetcore.abc import Data
from jetcore.errors import CorruptRepositoryError
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.crypto import OVERHEAD, Crypter, UnsealError

#: A pack is finished when its blobs reach this.
TARGET_BYTES = 16 << 20
#: Or this number of blobs, so that its header stays well below the 16 MiB that readers take.
MAX_BLOBS = 40_000
_PLAIN = struct.Struct("<BI32s")
_COMPRESSED = struct.Struct("<BII32s")
_LENGTH = struct.Struct("<I")
#: Bytes at the very end of a pack that say how long its header is.
LENGTH_BYTES = _LENGTH.size
#: Longest header that readers take.
_MAX_HEADER = 16 << 20
_IS_COMPRESSED = 2


class PackedBlob(NamedTuple):
    """Where a blob lies in its pack."""

    type: BlobType
    id: BlobId
    offset: int
    #: As it is stored: sealed.
    length: int
    #: Of its contents, if they are compressed; 0 if they are not.
    uncompressed_length: int


def encode_entry(kind: BlobType, blob_id: BlobId, length: int, uncompressed_length: int) -> bytes:
    """Return one blob's entry of a pack header."""
    if uncompressed_length:
        return _COMPRESSED.pack(kind | _IS_COMPRESSED, length, uncompressed_length, blob_id)
    return _PLAIN.pack(kind, length, blob_id)


def encode_header(blobs: Iterable[PackedBlob]) -> bytes:
    """Return the header (not sealed) of a pack of *blobs*, which lie one after the other."""
    return b"".join(encode_entry(blob.type, blob.id, blob.length, blob.uncompressed_length) for blob in blobs)


_DATA, _TREE = BlobType.DATA, BlobType.TREE
_TYPES = (_DATA, _TREE, _DATA, _TREE)


def decode_header(header: bytes) -> list[PackedBlob]:
    """Return the blobs that a header (not sealed) lists.

    :raises CorruptRepositoryError: It is no header.
    """
    blobs: list[PackedBlob] = []
    position = offset = 0
    try:
        while position < len(header):
            kind = header[position]
            if kind & _IS_COMPRESSED:
                _, length, uncompressed, blob_id = _COMPRESSED.unpack_from(header, position)
                position += _COMPRESSED.size
            else:
                _, length, blob_id = _PLAIN.unpack_from(header, position)
                uncompressed = 0
                position += _PLAIN.size
            blobs.append(PackedBlob(_TYPES[kind], blob_id, offset, length, uncompressed))
            offset += length
    except (struct.error, IndexError) as error:
        raise CorruptRepositoryError(f"its header makes no sense: {error}") from error
    return blobs


def finish_pack(pack: bytearray, header: bytes, crypter: Crypter) -> None:
    """Append the sealed *header* and its length to the blobs in *pack*."""
    crypter.seal_onto(pack, [header])
    pack += _LENGTH.pack(len(header) + OVERHEAD)


def header_bytes(tail: Data) -> int:
    """Return how many bytes at the end of a pack its header takes, sealed and with its length."""
    if len(tail) < LENGTH_BYTES:
        return 0
    (length,) = _LENGTH.unpack_from(tail, len(tail) - LENGTH_BYTES)
    return min(int(length), _MAX_HEADER) + LENGTH_BYTES


def read_header(tail: bytes, crypter: Crypter, *, size: int | None = None) -> list[PackedBlob]:
    """Return the blobs that a pack lists in its header.

    :param tail: The whole pack, or as much of its end as :func:`header_bytes` says.
    :param size: Bytes of the whole pack, if *tail* is not all of it.
    :raises CorruptRepositoryError: The header is damaged.
    """
    if len(tail) < LENGTH_BYTES + OVERHEAD:
        raise CorruptRepositoryError(f"{len(tail)} bytes are too short for a pack")
    (length,) = _LENGTH.unpack_from(tail, len(tail) - LENGTH_BYTES)
    end = len(tail) - LENGTH_BYTES
    if not OVERHEAD <= length <= end:
        raise CorruptRepositoryError(f"its header cannot be {length} bytes long")
    try:
        blobs = decode_header(crypter.unseal(memoryview(tail)[end - length : end]))
    except UnsealError as error:
        raise CorruptRepositoryError(f"its header is damaged: {error}") from error
    if sum(blob.length for blob in blobs) != (len(tail) if size is None else size) - LENGTH_BYTES - length:
        raise CorruptRepositoryError("its header does not match its length")
    return blobs
