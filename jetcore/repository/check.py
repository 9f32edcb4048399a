"""Checking: everything that the snapshots need has to be there and, if that is wanted, every byte of it right.

Keys, snapshots and index files are always read, every pack's size and header compared with the index, and every folder
of every snapshot is read and all that it refers to looked up. Data is read pack by pack in the order of the packs' ids,
which are random: each share of them is a fair sample, and a :class:`Cursor` says where to go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable

import attrs

from jetcore.errors import CorruptRepositoryError, ObjectNotFoundError
from jetcore.model import OnProgress, Progress
from jetcore.repository.ahead import work_ahead
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.files import Kind, pack_name
from jetcore.repository.index import Location
from jetcore.repository.inventory import Inventory, load_header, take_inventory
from jetcore.repository.keys import list_keys
from jetcore.repository.lock import Lock
from jetcore.repository.pack import PackedBlob, read_header
from jetcore.repository.reach import find_damage
from jetcore.repository.repository import Repository

#: Damaged paths that are named of a snapshot.
_NAMED = 10


@attrs.frozen(kw_only=True)
class Finding:
    """Something that is not as it should be."""

    #: Full name of a file at the destination, or a snapshot with a path in it.
    name: str
    problem: str
    #: Whether something is lost or cannot be trusted; else it is only untidy.
    damage: bool = True


@attrs.frozen(kw_only=True)
class CheckReport:
    """What a check found."""

    findings: tuple[Finding, ...]
    #: Numbers of what was looked at.
    snapshots: int
    packs: int
    #: Packs that were read as a whole, and their bytes.
    read_packs: int
    read_bytes: int
    #: Ids of the snapshots that cannot be restored completely.
    damaged_snapshots: tuple[str, ...]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged."""
        return not any(finding.damage for finding in self.findings)


@attrs.frozen(kw_only=True)
class Cursor:
    """Where the reading of data stopped; kept from one check to the next. Ids of packs are hex here."""

    #: The pack that is read next.
    next: str = ""
    #: Number of packs that a check that broke off still had to read, and which share of all was wanted from it.
    left: int = 0
    share: float = 0.0
    #: Packs that were found damaged; they are read first of all.
    damaged: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class ReadData:
    """Which data is read."""

    #: How much, as a share of all: 1.0 for everything. A check that broke off with the same share is finished first.
    share: float = 1.0
    cursor: Cursor = Cursor()
    #: Called after each pack with what is to be kept.
    keep: Callable[[Cursor], None] = attrs.field(default=lambda _: None)


def check(
    repository: Repository, *, read_data: ReadData | None = None, on_progress: OnProgress | None = None
) -> CheckReport:
    """Look for damage; nothing is changed.

    :param read_data: Which data is read and compared with its ids, too; none if not given.
    :raises RepositoryLockedError: Somebody works exclusively in the repository.
    :raises DestinationError: The destination cannot be read.
    """
    with repository.lock() as lock:
        repository.stored_index.forget()
        return _Check(repository, lock, on_progress).run(read_data)


class _Check:
    def __init__(self, repository: Repository, lock: Lock, on_progress: OnProgress | None) -> None:
        self._repository = repository
        self._lock = lock
        self._on_progress = on_progress
        self._findings: list[Finding] = []
        self._bad: set[tuple[BlobType, BlobId]] = set()

    def run(self, read_data: ReadData | None) -> CheckReport:
        repository = self._repository
        self._check_keys()
        # Whoever writes meanwhile stores packs, index, snapshot: read the other way round, nothing seems to be missing.
        unreadable = repository.damaged_snapshots()
        for snapshot_id, problem in unreadable.items():
            self._find(repository.files.path(f"{Kind.SNAPSHOT}/{snapshot_id}"), problem)
        snapshots = repository.snapshots()
        inventory = take_inventory(repository)
        self._check_index(inventory)
        read = self._read(inventory, read_data) if read_data else {}
        self._check_headers(inventory, read)
        damage = find_damage(
            repository, [snapshot.tree for snapshot in snapshots], self._is_bad, on_progress=self._progress
        )
        damaged = [snapshot for snapshot in snapshots if damage.is_in(snapshot.tree)]
        for snapshot in damaged:
            for number, (path, problem) in enumerate(damage.below(repository, snapshot.tree)):
                if number == _NAMED:
                    self._find(f"snapshot {snapshot.id[:8]}", "more files and folders are damaged")
                    break
                self._find(f"snapshot {snapshot.id[:8]}:{path.decode('utf-8', 'surrogateescape')}", problem)
        for snapshot_id in repository.files.list(Kind.APART):
            name = repository.files.path(f"{Kind.APART}/{snapshot_id}")
            self._find(name, "snapshot that is kept apart, because something of it is lost", damage=False)
        return CheckReport(
            findings=tuple(self._findings),
            snapshots=len(snapshots) + len(unreadable),
            packs=len(inventory.stored),
            read_packs=len(read),
            read_bytes=sum(read.values()),
            damaged_snapshots=(*unreadable, *(snapshot.id for snapshot in damaged)),
        )

    def _check_keys(self) -> None:
        keys, damaged = list_keys(self._repository.files)
        for key_id, problem in damaged.items():
            self._find(self._repository.files.path(f"{Kind.KEY}/{key_id}"), problem)
        if not keys and not damaged:
            self._find(self._repository.files.path(f"{Kind.KEY}/"), "there is no key: no password opens the repository")

    def _check_index(self, inventory: Inventory) -> None:
        files = self._repository.files
        for file_id, problem in inventory.damaged_indexes.items():
            self._find(files.path(f"{Kind.INDEX}/{file_id}"), problem)
        for pack in sorted(inventory.contradicted):
            self._find(files.path(pack_name(pack)), "two index files say different things of it")
        for pack, entry in sorted(inventory.listed.items()):
            size = inventory.stored.get(pack)
            if size is None:
                self._find(files.path(pack_name(pack)), "it is missing")
            elif size != entry.size:
                self._find(files.path(pack_name(pack)), f"it has {size} bytes instead of {entry.size}")
            else:
                continue
            self._distrust(pack, entry.blobs())
        for pack in sorted(inventory.unlisted):
            self._find(files.path(pack_name(pack)), "no index lists it", damage=False)

    def _check_headers(self, inventory: Inventory, read: dict[bytes, int]) -> None:
        """Compare each pack's own list of blobs with the index; those that were read as a whole are done."""
        packs = [pack for pack in inventory.listed if inventory.is_sound(pack) and pack not in read]

        def look(pack: bytes) -> tuple[bytes, str]:
            entry = inventory.listed[pack]
            try:
                header = load_header(self._repository, pack, entry.size, len(entry.header))
            except CorruptRepositoryError as error:
                return pack, error.message
            return pack, "" if header == entry.blobs() else "its header and the index say different things"

        for number, (pack, problem) in enumerate(work_ahead(look, packs)):
            if problem:
                self._find(self._repository.files.path(pack_name(pack)), problem)
            self._progress(Progress(phase="packs", files=number + 1, files_total=len(packs)))

    def _read(self, inventory: Inventory, wanted: ReadData) -> dict[bytes, int]:
        """Read as many packs as wanted, and those that were damaged the last time; return their sizes."""
        sizes = {pack: size for pack, size in sorted(inventory.stored.items()) if inventory.is_sound(pack)}
        turn, rest = _take_turn(sizes, wanted)
        suspects = [pack for pack in sizes if pack.hex() in wanted.cursor.damaged and pack not in turn]
        queue = suspects + turn
        total = sum(sizes[pack] for pack in queue)
        damaged = set(wanted.cursor.damaged)
        read: dict[bytes, int] = {}

        def look(pack: bytes) -> tuple[bytes, list[str], list[PackedBlob]]:
            return pack, *verify_pack(self._repository, pack, inventory.listed[pack].blobs())

        for pack, problems, bad in work_ahead(look, queue):
            read[pack] = sizes[pack]
            damaged.discard(pack.hex())
            if problems:
                damaged.add(pack.hex())
                self._find(self._repository.files.path(pack_name(pack)), "; ".join(problems))
                self._distrust(pack, bad)
            left = min(len(queue) - len(read), len(turn))
            following = (turn[len(turn) - left :] + rest + turn)[:1]
            wanted.keep(
                Cursor(
                    next="".join(pack.hex() for pack in following),
                    left=left,
                    share=wanted.share,
                    damaged=tuple(sorted(damaged & {pack.hex() for pack in inventory.stored})),
                )
            )
            self._progress(Progress(phase="data", bytes=sum(read.values()), bytes_total=total))
        return read

    def _distrust(self, pack: bytes, blobs: Iterable[PackedBlob]) -> None:
        """Take blobs for lost, unless they are read from another pack."""
        index = self._repository.stored_index.index
        for blob in blobs:
            location = index.find(blob.id, blob.type)
            if location is None or location.pack == pack:
                self._bad.add((blob.type, blob.id))

    def _is_bad(self, blob: BlobId, kind: BlobType) -> bool:
        return (kind, blob) in self._bad or not self._repository.stored_index.index.contains(blob, kind)

    def _find(self, name: str, problem: str, *, damage: bool = True) -> None:
        # Errors of deeper layers begin with the name of the file.
        problem = problem.removeprefix(f"{name} is ").removeprefix(f"{name} ")
        self._findings.append(Finding(name=name, problem=problem, damage=damage))

    def _progress(self, progress: Progress) -> None:
        self._lock.refresh()
        if self._on_progress is not None:
            self._on_progress(progress)


def verify_pack(repository: Repository, pack: bytes, listed: list[PackedBlob]) -> tuple[list[str], list[PackedBlob]]:
    """Read a pack as a whole; return what is wrong with it, and those of the *listed* blobs that are not in it whole.

    :raises DestinationError: The destination cannot be read.
    """
    path = repository.files.path(pack_name(pack))
    try:
        data = repository.files.destination.get(path)
    except ObjectNotFoundError:
        return ["it is missing"], listed
    problems = []
    if hashlib.sha256(data).digest() != pack:
        problems.append("its contents do not match its name")
    try:
        if read_header(data, repository.crypter) != listed:
            problems.append("its header and the index say different things")
    except CorruptRepositoryError as error:
        problems.append(error.message)
    view = memoryview(data)
    bad = []
    for blob in listed:
        location = Location(pack, blob.offset, blob.length, blob.uncompressed_length)
        try:
            repository.open_blob(view[blob.offset : blob.offset + blob.length], blob.id, location, path)
        except CorruptRepositoryError:
            bad.append(blob)
    if bad:
        problems.append(f"{len(bad)} of {len(listed)} blobs are damaged, {bad[0].id.hex()} is one")
    return problems, bad


def _take_turn(sizes: dict[bytes, int], wanted: ReadData) -> tuple[list[bytes], list[bytes]]:
    """Return the packs whose turn it is, in order, and all others in the order in which theirs comes after it."""
    packs = list(sizes)
    start = next((place for place, pack in enumerate(packs) if pack.hex() >= wanted.cursor.next), 0)
    ring = packs[start:] + packs[:start]
    if wanted.cursor.left and wanted.cursor.share == wanted.share:
        return ring[: wanted.cursor.left], ring[wanted.cursor.left :]
    bytes_left = wanted.share * sum(sizes.values())
    number = 0
    while number < len(ring) and bytes_left > 0:
        bytes_left -= sizes[ring[number]]
        number += 1
    return ring[:number], ring[number:]
