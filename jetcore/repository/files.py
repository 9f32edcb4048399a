"""The files of a repository at its destination: what they are called, and how those outside of packs are encoded.

``config``, and in their folders ``keys``, ``locks``, ``snapshots`` and ``index``; packs are ``data/<2 hex>/<64 hex>``.
Every file but ``config`` is named by the SHA-256 of what it holds.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Iterator

import attrs
import zstandard

from jetcore.abc import Data, Destination
from jetcore.errors import CorruptRepositoryError, ObjectNotFoundError
from jetcore.repository.blob import DEFAULT_LEVEL, decompress
from jetcore.repository.crypto import Crypter, UnsealError

CONFIG = "config"
_COMPRESSED = b"\x02"
_ID = re.compile(r"[0-9a-f]{64}")


class Kind(enum.StrEnum):
    """A kind of files, named like its folder."""

    KEY = "keys"
    LOCK = "locks"
    SNAPSHOT = "snapshots"
    INDEX = "index"
    #: Snapshots of which something is lost, kept apart in a folder that the format does not know.
    APART = "damaged"


#: Where damaged packs are kept as long as there are such snapshots.
PACKS_APART = f"{Kind.APART}/packs/"


def pack_name(pack_id: bytes) -> str:
    """Return the name of a pack below its repository."""
    name = pack_id.hex()
    return f"data/{name[:2]}/{name}"


def encode_unpacked(document: bytes) -> bytes:
    """Return a JSON *document* as it is sealed: a version byte and a zstd frame."""
    return _COMPRESSED + zstandard.ZstdCompressor(level=DEFAULT_LEVEL).compress(document)


def decode_unpacked(plaintext: bytes) -> bytes:
    """Return the JSON document of an unsealed file.

    :raises CorruptRepositoryError: It is encoded in a way that is unknown.
    """
    if plaintext[:1] == _COMPRESSED:
        return decompress(memoryview(plaintext)[1:])
    if plaintext[:1] in (b"{", b"["):  # As older versions of the format wrote them.
        return plaintext
    raise CorruptRepositoryError(f"is encoded as version {plaintext[:1].hex()}, which is unknown")


def file_id(data: Data) -> str:
    """Return the id of a file that holds *data*."""
    return hashlib.sha256(data).hexdigest()


@attrs.frozen
class Files:
    """Names and reads and writes the files of the repository below *prefix*."""

    destination: Destination
    prefix: str

    def path(self, name: str) -> str:
        """Return the full name at the destination of a file of the repository."""
        return self.prefix + name

    def list(self, kind: Kind) -> Iterator[str]:
        """Yield the ids (hex) of all files of a kind; names that are no ids are passed over."""
        folder = self.path(f"{kind}/")
        for info in self.destination.list(folder):
            name = info.name.removeprefix(folder)
            if _ID.fullmatch(name):
                yield name

    def get(self, kind: Kind, file_id: str) -> bytes:
        """Return what a file holds.

        :raises CorruptRepositoryError: It is not what its name says.
        :raises ObjectNotFoundError: There is no such file.
        """
        path = self.path(f"{kind}/{file_id}")
        data = self.destination.get(path)
        if hashlib.sha256(data).hexdigest() != file_id:
            raise CorruptRepositoryError(f"{path} is damaged: its contents do not match its name")
        return data

    def put(self, kind: Kind, data: Data) -> str:
        """Store *data* under its id and return that."""
        name = file_id(data)
        self.destination.put(self.path(f"{kind}/{name}"), data)
        return name

    def load(self, kind: Kind, file_id: str, crypter: Crypter) -> bytes:
        """Return the JSON document that a sealed file holds.

        :raises CorruptRepositoryError: The file is damaged; the message names it.
        :raises ObjectNotFoundError: There is no such file.
        """
        sealed = self.get(kind, file_id)
        try:
            return decode_unpacked(crypter.unseal(sealed))
        except (UnsealError, CorruptRepositoryError) as error:
            raise self.corrupt(kind, file_id, error) from error

    def save(self, kind: Kind, document: bytes, crypter: Crypter) -> str:
        """Store a JSON *document* sealed and return the file's id."""
        return self.put(kind, self.seal(document, crypter))

    def seal(self, document: bytes, crypter: Crypter) -> bytes:
        """Return a JSON *document* as it stands in a sealed file."""
        return crypter.seal(encode_unpacked(document))

    def delete(self, kind: Kind, file_id: str) -> None:
        """Remove a file; not an error if it is gone already."""
        self.destination.delete(self.path(f"{kind}/{file_id}"))

    def corrupt(self, kind: Kind, file_id: str, why: object) -> CorruptRepositoryError:
        """Return the error that says that a file is damaged."""
        return CorruptRepositoryError(f"{self.path(f'{kind}/{file_id}')} is damaged: {why}")

    def exists(self, name: str) -> bool:
        """Say whether there is a file of that name below the repository."""
        try:
            self.destination.get(self.path(name), 0, 1)
        except ObjectNotFoundError:
            return False
        return True
