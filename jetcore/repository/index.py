"""The index: which pack holds which blob, and where; in memory, and as the JSON of index files."""

from __future__ import annotations

import struct
from binascii import a2b_hex, b2a_hex
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import orjson

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.pack import PackedBlob

_RECORD = struct.Struct("<32sIIII")  # blob id, number of the pack, offset, length, uncompressed length
_TYPE_NAMES = {BlobType.DATA: b"data", BlobType.TREE: b"tree"}
_TYPES = {"data": BlobType.DATA, "tree": BlobType.TREE}


class Location(NamedTuple):
    """Where a blob is stored."""

    #: Id (32 bytes) of the pack.
    pack: bytes
    offset: int
    #: As it is stored: sealed.
    length: int
    #: Of its contents, if they are compressed; 0 if they are not.
    uncompressed_length: int


class Index:
    """Finds blobs.

    A record takes 48 bytes, and records whose ids begin with the same two bytes stand in one bytes object that is
    searched as a whole. A million blobs take 65 MB like this, a dict of them takes 200.
    """

    def __init__(self) -> None:
        self._packs: list[bytes] = []
        self._buckets: dict[BlobType, dict[bytes, bytes]] = {kind: {} for kind in BlobType}

    def find(self, blob_id: BlobId, kind: BlobType | None = None) -> Location | None:
        """Return where a blob, of any kind if none is given, is; or None if it is not known."""
        if kind is None:
            return self.find(blob_id, BlobType.DATA) or self.find(blob_id, BlobType.TREE)
        bucket = self._buckets[kind].get(blob_id[:2], b"")
        position = _position(bucket, blob_id)
        if position < 0:
            return None
        _, number, offset, length, uncompressed = _RECORD.unpack_from(bucket, position)
        return Location(self._packs[number], offset, length, uncompressed)

    def drop(self, blob_id: BlobId, kind: BlobType | None = None) -> None:
        """Forget the place that :meth:`find` returns; if there is another one, that is found from now on."""
        for one in BlobType if kind is None else (kind,):
            bucket = self._buckets[one].get(blob_id[:2], b"")
            position = _position(bucket, blob_id)
            if position >= 0:
                self._buckets[one][blob_id[:2]] = bucket[:position] + bucket[position + _RECORD.size :]
                return

    def contains(self, blob_id: BlobId, kind: BlobType | None = None) -> bool:
        """Say whether a blob, of any kind if none is given, is known."""
        if kind is None:
            return self.contains(blob_id, BlobType.DATA) or self.contains(blob_id, BlobType.TREE)
        bucket = self._buckets[kind].get(blob_id[:2])
        if bucket is None:
            return False
        position = bucket.find(blob_id)
        return position >= 0 and (position % _RECORD.size == 0 or self.find(blob_id, kind) is not None)

    def add_pack(self, pack_id: bytes, blobs: Iterable[PackedBlob]) -> None:
        """Make the blobs of a pack known. A blob that is known already may be found in either place."""
        number = len(self._packs)
        self._packs.append(pack_id)
        buckets = self._buckets
        pack = _RECORD.pack
        for kind, blob_id, offset, length, uncompressed in blobs:
            bucket = buckets[kind]
            start = blob_id[:2]
            bucket[start] = bucket.get(start, b"") + pack(blob_id, number, offset, length, uncompressed)

    def add_file(self, document: bytes) -> None:
        """Make everything known that an index file lists, or nothing of it.

        :raises CorruptRepositoryError: The document makes no sense.
        """
        for pack_id, blobs in list(decode_index(document)):
            self.add_pack(pack_id, blobs)

    def __iter__(self) -> Iterator[tuple[BlobType, BlobId]]:
        """Yield type and id of each blob."""
        for kind, buckets in self._buckets.items():
            for bucket in buckets.values():
                for position in range(0, len(bucket), _RECORD.size):
                    yield kind, bucket[position : position + 32]


def _position(bucket: bytes, blob_id: BlobId) -> int:
    """Return where the first record of a blob begins; -1 if there is none."""
    position = bucket.find(blob_id)
    while position >= 0 and position % _RECORD.size:  # those 32 bytes by chance, across a record's border
        position = bucket.find(blob_id, position + 1)
    return position


def encode_pack(pack_id: bytes, blobs: Iterable[PackedBlob]) -> bytes:
    """Return the entry of one pack in an index file."""
    return b'{"id":"%b","blobs":[%b]}' % (
        b2a_hex(pack_id),
        b",".join(
            b'{"id":"%b","type":"%b","offset":%d,"length":%d,"uncompressed_length":%d}'
            % (b2a_hex(blob_id), _TYPE_NAMES[kind], offset, length, uncompressed)
            if uncompressed
            else b'{"id":"%b","type":"%b","offset":%d,"length":%d}'
            % (b2a_hex(blob_id), _TYPE_NAMES[kind], offset, length)
            for kind, blob_id, offset, length, uncompressed in blobs
        ),
    )


def encode_index(encoded_packs: Sequence[bytes]) -> bytes:
    """Return the JSON document of an index file.

    :param encoded_packs: What :func:`encode_pack` returned for each.
    """
    return b'{"packs":[%b]}' % b",".join(encoded_packs)


def decode_index(document: bytes) -> Iterator[tuple[bytes, list[PackedBlob]]]:
    """Yield the id of each pack of an index file, with its blobs.

    :raises CorruptRepositoryError: The document makes no sense.
    """
    try:
        for pack in orjson.loads(document)["packs"] or ():
            # A column at a time: large accounts have a million blobs, and every backup begins with this.
            blobs = pack["blobs"] or ()
            types = [_TYPES[blob["type"]] for blob in blobs]
            offsets = [blob["offset"] for blob in blobs]
            lengths = [blob["length"] for blob in blobs]
            uncompressed = [blob.get("uncompressed_length", 0) for blob in blobs]
            # Refuses all that are no numbers of 32 bits.
            struct.pack(f"<{3 * len(blobs)}I", *offsets, *lengths, *uncompressed)
            ids = _ids([blob["id"] for blob in blobs])
            yield _ids([pack["id"]])[0], list(map(PackedBlob, types, ids, offsets, lengths, uncompressed))
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise CorruptRepositoryError(f"it is no index: {error!r}") from error


def _ids(texts: Sequence[str]) -> list[bytes]:
    for text in texts:
        if len(text) != 64:
            raise ValueError(f"{text!r} is no id")
    ids = a2b_hex("".join(texts))
    return [ids[start : start + 32] for start in range(0, len(ids), 32)]
