"""The index as it is stored: loading its files, and noticing new ones."""

from __future__ import annotations

from jetcore.errors import CorruptRepositoryError, ObjectNotFoundError
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.crypto import Crypter
from jetcore.repository.files import Files, Kind
from jetcore.repository.index import Index, encode_index


class StoredIndex:
    """The index files of a repository, loaded when they are first needed."""

    def __init__(self, files: Files, crypter: Crypter) -> None:
        self._files = files
        self._crypter = crypter
        self._loaded: set[str] | None = None
        self._index = Index()
        #: What is wrong with index files that could not be read, by their ids.
        self.damaged: dict[str, str] = {}
        #: What is wrong with blobs that :attr:`index` forgot because they are not where they should be, by their ids.
        self.lost: dict[BlobId, str] = {}

    @property
    def index(self) -> Index:
        """The index in memory."""
        if self._loaded is None:
            self.refresh()
        return self._index

    def refresh(self) -> bool:
        """Bring :attr:`index` to what is stored, and say whether that changed anything.

        A damaged file is left out and noted in :attr:`damaged`: blobs listed elsewhere can still be read.
        """
        stored = set(self._files.list(Kind.INDEX))
        if stored == self._loaded:
            return False
        if (
            self._loaded is None or not self._loaded <= stored
        ):  # files that are gone may have listed packs that are gone
            self.forget()
        known = self._loaded or set()
        for file_id in stored - known:
            try:
                document = self._files.load(Kind.INDEX, file_id, self._crypter)
            except ObjectNotFoundError:
                continue  # replaced since it was listed; whoever did it keeps us out of trouble by our lock
            except CorruptRepositoryError as error:
                self.damaged[file_id] = error.message
                continue
            try:
                self._index.add_file(document)
            except CorruptRepositoryError as error:
                self.damaged[file_id] = self._files.corrupt(Kind.INDEX, file_id, error).message
        self._loaded = stored
        return True

    def lose(self, blob: BlobId, kind: BlobType | None, why: str) -> bool:
        """Have :attr:`index` forget where a blob is, so that a backup stores it again.

        :param why: What is wrong with it.
        :returns: Whether it is elsewhere, too.
        """
        self.index.drop(blob, kind)
        self.lost[blob] = why
        return self.index.contains(blob, kind)

    def save(self, encoded_packs: list[bytes]) -> int:
        """Store an index file with packs that :attr:`index` knows already; return how many bytes it takes."""
        sealed = self._files.seal(encode_index(encoded_packs), self._crypter)
        file_id = self._files.put(Kind.INDEX, sealed)
        if self._loaded is not None:
            self._loaded.add(file_id)
        return len(sealed)

    def forget(self) -> None:
        """Drop the index in memory; it is loaded again when it is needed."""
        self._loaded = None
        self._index = Index()
        self.damaged = {}
        self.lost = {}
