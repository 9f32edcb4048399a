"""A repository: opening it, and reading what is in it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Self

from jetcore.abc import Data, Destination
from jetcore.errors import (
    BadInputError,
    CorruptRepositoryError,
    DestinationError,
    JetcoreError,
    NoRepositoryError,
    ObjectNotFoundError,
    RepositoryError,
)
from jetcore.model import Secret
from jetcore.repository.blob import DEFAULT_LEVEL, BlobId, BlobType, blob_id, decompress
from jetcore.repository.config import VERSION, Config
from jetcore.repository.crypto import OVERHEAD, Crypter, MasterKeys, UnsealError
from jetcore.repository.files import CONFIG, Files, Kind, pack_name
from jetcore.repository.index import Location
from jetcore.repository.keys import add_key, find_keys
from jetcore.repository.lock import Lock
from jetcore.repository.snapshot import Snapshot, decode_snapshot
from jetcore.repository.spans import spans
from jetcore.repository.stored_index import StoredIndex
from jetcore.repository.tree import Node, decode_tree
from jetcore.repository.writer import Writer


class Repository:
    """One account's repository at one destination, in the restic format."""

    def __init__(self, files: Files, keys: MasterKeys, config: Config) -> None:
        """Not for callers: use :meth:`init` or :meth:`open`."""
        self.keys = keys
        self.config = config
        #: For the operations on whole repositories (check, prune …), as are the two below.
        self.files = files
        self.crypter = Crypter(keys)
        self.stored_index = StoredIndex(files, self.crypter)

    @classmethod
    def init(cls, destination: Destination, prefix: str, password: Secret, *, random_password: bool = False) -> Self:
        """Make a new repository and return it.

        :param prefix: Folder at the destination, ending in ``/``; or ``""`` for its root.
        :param random_password: Whether *password* is 32 random bytes or more; it then costs little to open it.
        :raises RepositoryError: There is one already, or something that may be the rest of one.
        """
        files = Files(destination, prefix)
        if files.exists(CONFIG):
            raise RepositoryError(f"there is a repository at {files.path('')} already")
        for kind in (Kind.SNAPSHOT, Kind.INDEX):
            if any(files.list(kind)):
                raise RepositoryError(
                    f"{files.path('')} holds {kind} of a repository whose config is gone",
                    hint="bring the config back from a copy, or remove the folder",
                )
        for half_made in list(files.list(Kind.KEY)):  # of an init that broke off; they open nothing
            files.delete(Kind.KEY, half_made)
        keys = MasterKeys.generate()
        config = Config.generate()
        add_key(files, keys, password, random=random_password)
        try:
            destination.put(files.path(CONFIG), Crypter(keys).seal(config.encode()))
        except JetcoreError:
            # Half a config would keep the repository from being made at the next attempt.
            with contextlib.suppress(JetcoreError):
                destination.delete(files.path(CONFIG))
            raise
        return cls(files, keys, config)

    @classmethod
    def open(
        cls, destination: Destination, prefix: str, *, password: Secret | None = None, keys: MasterKeys | None = None
    ) -> Self:
        """Open an existing repository.

        :param prefix: Folder at the destination, ending in ``/``; or ``""`` for its root.
        :param password: Opens one of the repository's keys; takes a good part of a second, on purpose.
        :param keys: The master keys, if they are known; then *password* is not needed.
        :raises WrongPasswordError: No key opens with the password.
        :raises RepositoryError: There is no repository.
        """
        files = Files(destination, prefix)
        try:
            sealed = destination.get(files.path(CONFIG))
        except ObjectNotFoundError as error:
            raise NoRepositoryError(
                f"there is no repository at {files.path('')}: it has no config", hint="is it the right destination?"
            ) from error
        if keys is None:
            if password is None:
                raise BadInputError("a repository opens with a password or with its master keys; neither was given")
            keys = find_keys(files, password)
        try:
            config = Config.decode(Crypter(keys).unseal(sealed))
        except (UnsealError, CorruptRepositoryError) as error:
            raise CorruptRepositoryError(f"{files.path(CONFIG)} is damaged: {error}") from error
        return cls(files, keys, config)

    @property
    def id(self) -> str:
        """Id of the repository: 64 hex digits that never change."""
        return self.config.id

    @property
    def place(self) -> str:
        """Where the repository is at its destination, for messages."""
        return self.files.path("")

    @property
    def fork_safe(self) -> bool:
        """Whether a forked child may go on reading from it."""
        return self.files.destination.fork_safe

    def lock(self, *, exclusive: bool = False) -> Lock:
        """Take a lock; a context manager. Readers take one so that nothing is pruned under their hands.

        :raises RepositoryLockedError: Somebody else holds a lock that forbids it.
        """
        return Lock(self.files, self.crypter, exclusive=exclusive)

    def writer(self, *, level: int = DEFAULT_LEVEL, may_fork: bool = True) -> Writer:
        """Return a writer, which holds a lock and has loaded the index; use it as a context manager.

        :param level: zstd level of new data, 1 to 22.
        :param may_fork: Whether a second process may do half of the work; no, where other work waits for processors.
        :raises RepositoryLockedError: Somebody works exclusively in the repository.
        """
        if self.config.version != VERSION:
            raise RepositoryError(
                f"the repository at {self.files.path('')} is of version {self.config.version}, which is only read",
                hint="`restic migrate upgrade_repo_v2` brings it to version 2",
            )
        return Writer(
            self.files,
            self.crypter,
            self.stored_index,
            seed=self.config.polynomial,
            level=level,
            may_fork=may_fork,
        )

    def snapshots(self) -> list[Snapshot]:
        """Return the snapshots that can be read, oldest first. :meth:`damaged_snapshots` has the others."""
        return self._load_snapshots(Kind.SNAPSHOT)

    def every_snapshot(self) -> list[Snapshot]:
        """Return all snapshots, each read once: for whoever removes what none of them needs, and has locked out others.

        :raises CorruptRepositoryError: One cannot be read, or is listed and not to be found.
        """
        found = []
        wrong = []
        for snapshot_id in list(self.files.list(Kind.SNAPSHOT)):
            snapshot = self._load_snapshot(snapshot_id)
            if isinstance(snapshot, Snapshot):
                found.append(snapshot)
            else:
                path = self.files.path(f"{Kind.SNAPSHOT}/{snapshot_id}")
                wrong.append(snapshot.message if snapshot else f"{path} is listed, but not to be found")
        if wrong:
            raise CorruptRepositoryError("; ".join(wrong))
        return found

    def snapshots_apart(self) -> list[Snapshot]:
        """Return the snapshots that a repair has set apart, because something of them is lost; oldest first."""
        return self._load_snapshots(Kind.APART)

    def damaged_snapshots(self) -> dict[str, str]:
        """Return what is wrong with the snapshot files that cannot be read, by their ids."""
        found = {snapshot_id: self._load_snapshot(snapshot_id) for snapshot_id in self.files.list(Kind.SNAPSHOT)}
        return {
            snapshot_id: damage.message
            for snapshot_id, damage in found.items()
            if isinstance(damage, CorruptRepositoryError)
        }

    def damaged_indexes(self) -> dict[str, str]:
        """Return what is wrong with the index files that cannot be read, by their ids."""
        self.stored_index.refresh()
        return dict(self.stored_index.damaged)

    def snapshot(self, id_or_prefix: str) -> Snapshot:
        """Return one snapshot, which may be one that a repair has set apart.

        :param id_or_prefix: Its id in hex, or as many of the first digits as it takes to tell it from the others.
        :raises BadInputError: There is none, or several.
        :raises CorruptRepositoryError: Its file is damaged.
        """
        kinds = dict.fromkeys(self.files.list(Kind.APART), Kind.APART)
        kinds |= dict.fromkeys(self.files.list(Kind.SNAPSHOT), Kind.SNAPSHOT)
        ids = sorted(kinds)
        matching = [snapshot_id for snapshot_id in ids if snapshot_id.startswith(id_or_prefix.lower())]
        if len(matching) == 1:
            found = self._load_snapshot(matching[0], kinds[matching[0]])
            if isinstance(found, CorruptRepositoryError):
                raise found
            if found is not None:
                return found
        if matching and id_or_prefix:
            hint = "it may be " + ", ".join(snapshot_id[:12] for snapshot_id in matching[:5])
            raise BadInputError(f"{len(matching)} snapshots begin with {id_or_prefix!r}", hint=hint)
        near = sorted(ids, key=lambda other: -_common_start(other, id_or_prefix.lower()))[:3]
        hint = (
            "near ones are " + ", ".join(snapshot_id[:12] for snapshot_id in near) if near else "there are none at all"
        )
        raise BadInputError(f"there is no snapshot {id_or_prefix!r}", hint=hint)

    def has_blob(self, blob: BlobId, kind: BlobType | None = None) -> bool:
        """Say whether a blob, of any kind if none is given, is in the index."""
        return self.stored_index.index.contains(blob, kind)

    def blob_bytes(self, blob: BlobId, kind: BlobType = BlobType.DATA) -> int:
        """Return how long the contents of a blob are, without reading it.

        :raises CorruptRepositoryError: It is in no index.
        """
        location = self._locate(blob, kind)
        return location.uncompressed_length or location.length - OVERHEAD

    def load_blob(self, blob: BlobId, kind: BlobType | None = None) -> bytes:
        """Return the contents of a blob, of any kind if none is given, checked against its id.

        :raises CorruptRepositoryError: It is missing or damaged; the message names the pack.
        """
        location = self._locate(blob, kind)
        try:
            return self._load_from(location, blob)
        except CorruptRepositoryError:
            # Pruned since, and the blob may now lie in another pack; or the destination gave wrong bytes this once.
            self.stored_index.refresh()
            location = self._locate(blob, kind)
        try:
            return self._load_from(location, blob)
        except CorruptRepositoryError as error:
            if self.stored_index.lose(blob, kind, error.message):
                return self.load_blob(blob, kind)
            raise

    def load_blobs(
        self, blobs: Iterable[BlobId], kind: BlobType = BlobType.DATA
    ) -> Iterator[tuple[BlobId, bytes | CorruptRepositoryError]]:
        """Yield blobs with their contents, each once, in the order in which they are best read.

        A blob that is missing or damaged comes with the error that names the pack, so that the others still come.
        """
        located: list[tuple[BlobId, Location]] = []
        for blob in set(blobs):
            try:
                located.append((blob, self._locate(blob, kind)))
            except CorruptRepositoryError as error:
                yield blob, error
        for span in spans(located):
            path = self.files.path(pack_name(span.pack))
            try:
                sealed = memoryview(self.read_pack(path, span.offset, span.length))
            except CorruptRepositoryError:
                # Cut short, perhaps behind some of the blobs.
                yield from ((blob, self._try_load(blob, kind)) for blob, _ in span.blobs)
                continue
            for blob, location in span.blobs:
                start = location.offset - span.offset
                try:
                    yield blob, self.open_blob(sealed[start : start + location.length], blob, location, path)
                except CorruptRepositoryError:
                    yield blob, self._try_load(blob, kind)

    def load_tree(self, blob: BlobId) -> list[Node]:
        """Return the nodes of a folder in the order of their names.

        :raises CorruptRepositoryError: It is missing or damaged; the message names the pack.
        """
        data = self.load_blob(blob, BlobType.TREE)
        try:
            return decode_tree(data)
        except CorruptRepositoryError as error:
            raise CorruptRepositoryError(f"tree {blob.hex()} is damaged: {error}") from error

    def read_file(self, node: Node) -> Iterator[bytes]:
        """Yield the contents of a file, in order and piece by piece.

        :raises CorruptRepositoryError: A piece is missing or damaged.
        """
        for piece in node.content:
            yield self.load_blob(piece)

    def find(self, root_tree: BlobId, path: bytes) -> Node | None:
        """Return the node at *path*, ``/``-separated and relative to the tree, or None if there is none."""
        node: Node | None = None
        tree = root_tree
        for name in path.split(b"/"):
            if name in (b"", b"."):
                continue
            if not tree:
                return None
            node = next((node for node in self.load_tree(tree) if node.name == name), None)
            if node is None:
                return None
            tree = node.subtree
        return node

    def _load_from(self, location: Location, blob: BlobId) -> bytes:
        path = self.files.path(pack_name(location.pack))
        return self.open_blob(self.read_pack(path, location.offset, location.length), blob, location, path)

    def _locate(self, blob: BlobId, kind: BlobType | None) -> Location:
        location = self.stored_index.index.find(blob, kind)
        if location is None and self.stored_index.refresh():  # written by another process since
            location = self.stored_index.index.find(blob, kind)
        if location is None and blob in self.stored_index.lost:
            raise CorruptRepositoryError(self.stored_index.lost[blob])
        if location is None:
            damaged = "; ".join(self.stored_index.damaged.values())
            raise CorruptRepositoryError(f"blob {blob.hex()} is in no index of {self.files.path('')}", hint=damaged)
        return location

    def read_pack(self, path: str, offset: int, length: int) -> bytes:
        """Return a stretch of the pack at *path* (its full name at the destination).

        :raises CorruptRepositoryError: It is missing or was cut short.
        :raises DestinationError: The destination cannot be read.
        """
        destination = self.files.destination
        try:
            return destination.get(path, offset, length)
        except ObjectNotFoundError as error:
            raise CorruptRepositoryError(f"{path} is missing") from error
        except DestinationError as error:
            # A pack that was cut short is damage; a store that does not answer is none.
            folder = path[: path.rindex("/") + 1]
            size = next((found.bytes for found in destination.list(folder) if found.name == path), None)
            if size is None or size >= offset + length:
                raise
            raise CorruptRepositoryError(f"{path} is damaged: it was cut short to {size} bytes") from error

    def _try_load(self, blob: BlobId, kind: BlobType) -> bytes | CorruptRepositoryError:
        try:
            return self.load_blob(blob, kind)
        except CorruptRepositoryError as error:
            return error

    def open_blob(self, sealed: Data, wanted: BlobId, location: Location, path: str) -> bytes:
        """Return the contents of a *sealed* blob, checked against its id.

        :raises CorruptRepositoryError: It is damaged; the message names the pack at *path*.
        """
        try:
            contents = self.crypter.unseal(sealed)
            if location.uncompressed_length:
                contents = decompress(contents, length=location.uncompressed_length)
        except (UnsealError, CorruptRepositoryError) as error:
            raise CorruptRepositoryError(f"{path} is damaged at blob {wanted.hex()}: {error}") from error
        if blob_id(contents) != wanted:
            raise CorruptRepositoryError(f"{path} is damaged: blob {wanted.hex()} has other contents")
        return contents

    def _load_snapshots(self, kind: Kind) -> list[Snapshot]:
        found = [self._load_snapshot(snapshot_id, kind) for snapshot_id in self.files.list(kind)]
        return sorted(
            (snapshot for snapshot in found if isinstance(snapshot, Snapshot)), key=lambda found: (found.time, found.id)
        )

    def _load_snapshot(self, snapshot_id: str, kind: Kind = Kind.SNAPSHOT) -> Snapshot | CorruptRepositoryError | None:
        """Return the snapshot, or what is wrong with its file, or None if it has just been removed."""
        try:
            document = self.files.load(kind, snapshot_id, self.crypter)
        except ObjectNotFoundError:
            return None
        except CorruptRepositoryError as error:
            return error
        try:
            return decode_snapshot(snapshot_id, document)
        except CorruptRepositoryError as error:
            return self.files.corrupt(kind, snapshot_id, error)


def _common_start(a: str, b: str) -> int:
    return next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
