"""The packs of a repository: what the index says of each, and what is stored of it."""

from __future__ import annotations

import re

import attrs

from jetcore.errors import CorruptRepositoryError, DestinationError, ObjectNotFoundError
from jetcore.repository.crypto import OVERHEAD
from jetcore.repository.files import Kind, pack_name
from jetcore.repository.index import decode_index
from jetcore.repository.pack import LENGTH_BYTES, PackedBlob, decode_header, encode_header, header_bytes, read_header
from jetcore.repository.repository import Repository

_PACK = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})")
#: Bytes from the end of a pack that hold the headers of most.
_USUAL_TAIL = 64 << 10


@attrs.frozen
class ListedPack:
    """A pack as an index file lists it."""

    #: Its blobs in the encoding of a pack's own header, which takes a tenth of what the values would.
    header: bytes
    #: Number of its blobs.
    count: int
    #: Bytes that it has to have; 0 if what the index says of it cannot be.
    size: int

    @classmethod
    def of(cls, blobs: list[PackedBlob]) -> ListedPack:
        """Return the pack that holds *blobs*."""
        in_order = sorted(blobs, key=lambda blob: blob.offset)
        header = encode_header(in_order)
        end = 0
        for blob in in_order:
            if blob.offset != end or blob.length < OVERHEAD:
                return cls(header, len(blobs), 0)
            end += blob.length
        return cls(header, len(blobs), end + len(header) + OVERHEAD + LENGTH_BYTES)

    @classmethod
    def of_header(cls, header: bytes) -> ListedPack:
        """Return the pack that has *header* (not sealed)."""
        return cls.of(decode_header(header))

    @property
    def blob_bytes(self) -> int:
        """Bytes that its blobs take, if it is as it has to be."""
        return self.size - len(self.header) - OVERHEAD - LENGTH_BYTES

    def blobs(self) -> list[PackedBlob]:
        """Return its blobs in their order."""
        return decode_header(self.header)


@attrs.frozen(kw_only=True)
class Inventory:
    """All packs of a repository. Ids of packs are 32 bytes, those of index files 64 hex digits."""

    #: The packs that the index lists.
    listed: dict[bytes, ListedPack]
    #: The packs that are stored, with the bytes that they have.
    stored: dict[bytes, int]
    #: The packs that each index file lists.
    indexes: dict[str, tuple[bytes, ...]]
    #: What is wrong with the index files that cannot be read.
    damaged_indexes: dict[str, str]
    #: Packs of which two index files say different things.
    contradicted: frozenset[bytes]

    @property
    def unlisted(self) -> list[bytes]:
        """The stored packs that no index file lists."""
        return [pack for pack in self.stored if pack not in self.listed]

    def is_sound(self, pack: bytes) -> bool:
        """Say whether a pack is listed, and stored with the size that it has to have."""
        return pack in self.listed and self.stored.get(pack) == self.listed[pack].size


def take_inventory(repository: Repository) -> Inventory:
    """Return what there is of packs. Whoever compares it with snapshots must have read those before.

    :raises DestinationError: The destination cannot be read.
    """
    listed: dict[bytes, ListedPack] = {}
    indexes: dict[str, tuple[bytes, ...]] = {}
    damaged: dict[str, str] = {}
    contradictions: list[tuple[bytes, ListedPack]] = []
    for file_id in list(repository.files.list(Kind.INDEX)):
        try:
            packs = list(decode_index(repository.files.load(Kind.INDEX, file_id, repository.crypter)))
        except ObjectNotFoundError:
            continue  # replaced since it was listed
        except CorruptRepositoryError as error:
            damaged[file_id] = error.message
            continue
        indexes[file_id] = tuple(pack for pack, _ in packs)
        for pack, blobs in packs:
            entry = ListedPack.of(blobs)
            if listed.setdefault(pack, entry) != entry:
                contradictions.append((pack, entry))
    stored = stored_packs(repository)
    listed |= {pack: entry for pack, entry in contradictions if stored.get(pack) == entry.size}
    return Inventory(
        listed=listed,
        stored=stored,
        indexes=indexes,
        damaged_indexes=damaged,
        contradicted=frozenset(pack for pack, _ in contradictions),
    )


def stored_packs(repository: Repository) -> dict[bytes, int]:
    """Return the size of each pack that is stored, by its id (32 bytes)."""
    folder = repository.files.path("data/")
    found: dict[bytes, int] = {}
    for info in repository.files.destination.list(folder):
        match = _PACK.fullmatch(info.name.removeprefix(folder))
        if match:
            found[bytes.fromhex(match[2])] = info.bytes
    return found


def load_header(repository: Repository, pack: bytes, size: int, expected: int = 0) -> list[PackedBlob]:
    """Return the blobs that a stored pack lists in its own header, reading no more of it than needed.

    :param size: Bytes that the pack has.
    :param expected: Bytes that its header, not sealed, is expected to have; 0 if that is not known.
    :raises CorruptRepositoryError: It is damaged or missing.
    """
    path = repository.files.path(pack_name(pack))
    wanted = expected + OVERHEAD + LENGTH_BYTES if expected else _USUAL_TAIL
    tail = _read_tail(repository, path, size, wanted)
    if (needed := header_bytes(tail)) > len(tail):
        tail = _read_tail(repository, path, size, needed)
    try:
        return read_header(tail, repository.crypter, size=size)
    except CorruptRepositoryError as error:
        raise CorruptRepositoryError(f"{path} is damaged: {error.message}") from error


def _read_tail(repository: Repository, path: str, size: int, wanted: int) -> bytes:
    length = min(size, wanted)
    try:
        return repository.files.destination.get(path, size - length, length)
    except ObjectNotFoundError as error:
        raise CorruptRepositoryError(f"{path} is missing") from error
    except DestinationError as error:
        raise type(error)(f"{path}: {error.message}", hint=error.hint) from error
