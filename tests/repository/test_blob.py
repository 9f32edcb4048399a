"""Blobs: ids and compression."""

from __future__ import annotations

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.blob import MAX_BYTES, blob_id, decompress


def test_id_is_sha256():
    """A blob's id is the SHA-256 of its contents."""
    assert blob_id(b"abc").hex() == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@given(st.binary(max_size=5000))
def test_decompress(contents):
    """A frame unpacks, whether or not it or the caller says how long its contents are."""
    for compressor in (zstandard.ZstdCompressor(), zstandard.ZstdCompressor(write_content_size=False)):
        frame = compressor.compress(contents)
        assert decompress(frame) == contents
        if contents:
            assert decompress(memoryview(frame), length=len(contents)) == contents


def test_wrong_length():
    """Contents of another length than the index says are damaged."""
    frame = zstandard.compress(bytes(100))
    for length in (99, 101):
        with pytest.raises(CorruptRepositoryError):
            decompress(frame, length=length)


def test_bombs_and_nonsense():
    """A frame that claims to be huge, or is none, or is cut, is refused."""
    honest = bytearray(zstandard.ZstdCompressor().compress(bytes(1 << 20)))
    bomb = b"\x28\xb5\x2f\xfd\xe0" + (MAX_BYTES + 1).to_bytes(8, "little") + bytes(8)
    for frame in (bomb, b"", b"nonsense", honest[:-3]):
        with pytest.raises(CorruptRepositoryError):
            decompress(frame)
