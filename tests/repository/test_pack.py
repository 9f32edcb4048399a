"""Packs and their headers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.blob import BlobType
from jetcore.repository.crypto import OVERHEAD, Crypter, MasterKeys
from jetcore.repository.pack import PackedBlob, decode_header, encode_header, finish_pack, read_header

CRYPTER = Crypter(MasterKeys.from_bytes(bytes(range(64))))

entries = st.tuples(
    st.sampled_from(BlobType),
    st.binary(min_size=32, max_size=32),
    st.integers(OVERHEAD, 5000),
    st.just(0) | st.integers(1, 2**32 - 1),
)


def in_a_row(entries):
    """The blobs of a pack, one after the other."""
    blobs, offset = [], 0
    for kind, blob_id, length, uncompressed in entries:
        blobs.append(PackedBlob(kind, blob_id, offset, length, uncompressed))
        offset += length
    return blobs, offset


@given(st.lists(entries, max_size=10).map(in_a_row))
def test_any_header_survives(packed):
    """A header lists all blobs of a pack with their places, alone and as the end of a pack."""
    blobs, length = packed
    header = encode_header(blobs)
    pack = bytearray(length)
    finish_pack(pack, header, CRYPTER)

    assert decode_header(header) == blobs
    assert read_header(bytes(pack), CRYPTER) == blobs


def test_header_bytes():
    """Entries are type, lengths as little-endian numbers, and id, as the format has them."""
    blobs = [
        PackedBlob(BlobType.DATA, b"\x01" * 32, 0, 0x0403, 0),
        PackedBlob(BlobType.TREE, b"\x02" * 32, 0x0403, 5, 6),
    ]

    assert encode_header(blobs) == (
        b"\x00\x03\x04\x00\x00" + b"\x01" * 32 + b"\x03\x05\x00\x00\x00\x06\x00\x00\x00" + b"\x02" * 32
    )


@pytest.mark.parametrize("header", [b"\x00", b"\x00" * 36, b"\x04" + bytes(40), b"\x02" + bytes(39)])
def test_broken_headers(header):
    """A header that is cut, or has an unknown type, is damaged."""
    with pytest.raises(CorruptRepositoryError):
        decode_header(header)


@pytest.mark.parametrize(
    "damage", [lambda p: p[:-1], lambda p: p[1:], lambda p: b"", lambda p: bytes(40), lambda p: b"\x01" + p]
)
def test_broken_packs(damage):
    """A pack whose end is not as it should be is damaged."""
    pack = bytearray(100)
    finish_pack(pack, encode_header([PackedBlob(BlobType.DATA, bytes(32), 0, 100, 0)]), CRYPTER)

    with pytest.raises(CorruptRepositoryError):
        read_header(damage(bytes(pack)), CRYPTER)
