"""The index in memory and in files."""

from __future__ import annotations

import hashlib
import tracemalloc

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.blob import BlobType
from jetcore.repository.index import Index, Location, decode_index, encode_index, encode_pack
from jetcore.repository.pack import PackedBlob

numbers = st.integers(0, 2**32 - 1)
# Few different bytes, so that ids collide in their beginnings and overlap across records.
ids = st.lists(st.sampled_from([0, 1]), min_size=32, max_size=32).map(bytes) | st.binary(min_size=32, max_size=32)
blobs = st.builds(PackedBlob, st.sampled_from(BlobType), ids, numbers, numbers, numbers)
packs = st.lists(st.tuples(ids, st.lists(blobs, max_size=8)), max_size=4)


@given(packs)
def test_any_index_survives(packs):
    """An index file lists packs and blobs as they were given."""
    document = encode_index([encode_pack(pack_id, blobs) for pack_id, blobs in packs])

    assert list(decode_index(document)) == packs


@given(packs, ids)
def test_finds_what_was_added_and_nothing_else(packs, other):
    """The index behaves like a dictionary from type and id to a place."""
    index = Index()
    model: dict[tuple[BlobType, bytes], set[Location]] = {}
    for pack_id, blobs in packs:
        index.add_pack(pack_id, blobs)
        for blob in blobs:
            model.setdefault((blob.type, blob.id), set()).add(Location(pack_id, *blob[2:]))

    for (kind, blob_id), places in model.items():
        assert index.find(blob_id, kind) in places
        assert index.contains(blob_id, kind)
        assert index.contains(blob_id)
    for kind in BlobType:
        if (kind, other) not in model:
            assert index.find(other, kind) is None
            assert not index.contains(other, kind)
    assert set(index) == set(model)


def test_an_id_across_two_records_is_none():
    """32 bytes that happen to stand across the border of two records are not taken for an id."""
    index = Index()
    first = PackedBlob(BlobType.DATA, bytes(31) + b"\x07", 1, 2, 3)
    index.add_pack(bytes(32), [first, PackedBlob(BlobType.DATA, bytes(30) + b"\x09\x09", 0, 0, 0)])

    assert index.find(bytes(32), BlobType.DATA) is None
    assert not index.contains(bytes(32), BlobType.DATA)
    assert index.find(first.id, BlobType.DATA) == Location(bytes(32), 1, 2, 3)


def test_dropped_places():
    """A place that is dropped is not found any more; another one of the blob, and its neighbours, are."""
    index = Index()
    blobs = [PackedBlob(BlobType.DATA, b"\0\0" + bytes([number]) * 30, number, 40, 0) for number in range(3)]
    index.add_pack(b"1" * 32, blobs)
    index.add_pack(b"2" * 32, blobs[1:2])
    index.drop(blobs[1].id, BlobType.TREE)
    index.drop(blobs[1].id)

    assert index.find(blobs[1].id) == Location(b"2" * 32, 1, 40, 0)
    index.drop(blobs[1].id, BlobType.DATA)
    index.drop(blobs[1].id, BlobType.DATA)
    assert not index.contains(blobs[1].id)
    assert [index.find(blob.id) for blob in blobs[::2]] == [
        Location(b"1" * 32, 0, 40, 0),
        Location(b"1" * 32, 2, 40, 0),
    ]


def test_types_are_apart():
    """The same contents as a file and as a folder are two blobs; asked without a type, either will do."""
    index = Index()
    index.add_pack(bytes(32), [PackedBlob(BlobType.TREE, b"t" * 32, 0, 40, 0)])

    assert not index.contains(b"t" * 32, BlobType.DATA)
    assert index.contains(b"t" * 32)
    assert index.find(b"t" * 32) == Location(bytes(32), 0, 40, 0)


def test_json():
    """The JSON has the format's fields, the uncompressed length only where a blob is compressed."""
    blobs = [PackedBlob(BlobType.DATA, b"\x01" * 32, 0, 40, 0), PackedBlob(BlobType.TREE, b"\x02" * 32, 40, 50, 60)]

    assert orjson.loads(encode_index([encode_pack(b"\x03" * 32, blobs)])) == {
        "packs": [
            {
                "id": "03" * 32,
                "blobs": [
                    {"id": "01" * 32, "type": "data", "offset": 0, "length": 40},
                    {"id": "02" * 32, "type": "tree", "offset": 40, "length": 50, "uncompressed_length": 60},
                ],
            }
        ]
    }


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"packs":[{"id":"00","blobs":[]}]}',
        b'{"packs":[{"id":"%b","blobs":[{"id":"%b","type":"other","offset":0,"length":1}]}]}' % (b"0" * 64, b"0" * 64),
        b'{"packs":[{"id":"%b","blobs":[{"id":"%b","type":"data","offset":-1,"length":1}]}]}' % (b"0" * 64, b"0" * 64),
    ],
)
def test_nonsense(document):
    """What is no index is said to be damaged, and nothing of it is believed."""
    index = Index()

    with pytest.raises(CorruptRepositoryError):
        index.add_file(document)
    assert list(index) == []


def test_memory():
    """A hundred thousand blobs take less than 25 MB, most of which does not grow with their number."""
    blobs = [
        PackedBlob(BlobType.DATA, hashlib.sha256(b"%d" % number).digest(), number, 5, 6) for number in range(100_000)
    ]
    tracemalloc.start()
    index = Index()
    index.add_pack(bytes(32), blobs)
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert used < 25_000_000
    assert index.find(blobs[77].id) == Location(bytes(32), 77, 5, 6)
