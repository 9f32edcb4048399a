"""Pruning: what no snapshot needs any more is removed, and small files are merged into few large ones.

It holds the repository exclusively and keeps this order, so that whoever looks at any moment finds every blob that a
snapshot needs::

    new packs durable  ->  new index files durable  ->  old index files deleted  ->  old packs deleted

There is no journal: a prune that broke off leaves packs that no index lists, or blobs that are listed twice, and the
next one removes both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

import attrs

from jetcore.abc import Data
from jetcore.errors import CorruptRepositoryError, RepositoryError
from jetcore.model import OnProgress, Progress
from jetcore.repository.ahead import work_ahead
from jetcore.repository.blob import DEFAULT_LEVEL, BlobId, BlobType
from jetcore.repository.config import VERSION
from jetcore.repository.files import PACKS_APART, Kind, pack_name
from jetcore.repository.index import Location, encode_pack
from jetcore.repository.inventory import Inventory, ListedPack, take_inventory
from jetcore.repository.lock import Lock
from jetcore.repository.pack import MAX_BLOBS, TARGET_BYTES, PackedBlob
from jetcore.repository.packer import Packer, StoredPack
from jetcore.repository.reach import walk
from jetcore.repository.repository import Repository
from jetcore.repository.spans import Span, spans
from jetcore.repository.writer import INDEX_BLOBS

#: Unused data, as a share of all, that is left where it is: moving what lies beside it would cost more than it takes.
_MAX_UNUSED = 0.05
#: Packs below this may be merged, unless they hold so many blobs that they are full all the same.
_SMALL_BYTES = TARGET_BYTES // 2
_SMALL_BLOBS = MAX_BLOBS // 2
#: The smallest ones are, when there are more packs than this and one more for each 8 MiB.
_MAX_PACKS = 6
#: Small index files that may stay: else every prune would write the last one anew.
_MAX_SMALL_INDEXES = 2

_REPAIR = "see `jetcore repository check --read-data`, mend it with `jetcore repository repair --read-data`"


@attrs.frozen(kw_only=True)
class PruneReport:
    """What a prune did, or would do. Bytes are those of packs: index files do not count."""

    #: Whether nothing was done.
    dry_run: bool
    #: Packs that are gone, the repacked ones included.
    removed_packs: int
    #: Packs whose needed blobs were moved into new ones.
    repacked_packs: int
    #: Bytes of the blobs that were moved.
    moved_bytes: int
    #: Bytes by which the repository has shrunk.
    freed_bytes: int
    #: Bytes of blobs that no snapshot needs and that stay.
    unused_bytes: int


@attrs.frozen(kw_only=True)
class _Pack:
    """A sound pack, and how much of it is needed."""

    id: bytes
    entry: ListedPack
    types: frozenset[BlobType]
    #: Positions of the blobs that are not needed of it.
    spare: frozenset[int]
    spare_bytes: int
    #: How many of those are only not needed because another pack has them, too.
    twice: int

    @property
    def used_bytes(self) -> int:
        return self.entry.blob_bytes - self.spare_bytes

    @property
    def is_small(self) -> bool:
        return self.entry.size < _SMALL_BYTES and self.entry.count < _SMALL_BLOBS

    def needed_blobs(self) -> list[PackedBlob]:
        return [blob for position, blob in enumerate(self.entry.blobs()) if position not in self.spare]


@attrs.frozen(kw_only=True)
class _Plan:
    inventory: Inventory
    #: Every blob that has to be there at the end.
    needed: Mapping[BlobType, set[BlobId]]
    #: Packs that stay as they are.
    keep: tuple[_Pack, ...]
    #: Packs whose needed blobs are moved.
    repack: tuple[_Pack, ...]
    #: Ids of the packs that are deleted in the end, those of *repack* included.
    remove: tuple[bytes, ...]

    def report(self, *, dry_run: bool, new_bytes: int) -> PruneReport:
        return PruneReport(
            dry_run=dry_run,
            removed_packs=len(self.remove),
            repacked_packs=len(self.repack),
            moved_bytes=sum(pack.used_bytes for pack in self.repack),
            freed_bytes=sum(self.inventory.stored[pack] for pack in self.remove) - new_bytes,
            unused_bytes=sum(pack.spare_bytes for pack in self.keep),
        )


def prune(repository: Repository, *, dry_run: bool = False, on_progress: OnProgress | None = None) -> PruneReport:
    """Remove what no snapshot needs, and merge small packs and index files.

    :param dry_run: Only say what would be done.
    :raises RepositoryLockedError: Somebody else works in the repository.
    :raises CorruptRepositoryError: Something that a snapshot needs is missing or damaged; nothing was removed.
    :raises DestinationError: The destination failed; the next prune goes on.
    """
    refuse_old_version(repository)
    with repository.lock(exclusive=True) as lock:
        repository.stored_index.forget()
        try:
            plan = _make_plan(repository, lock, on_progress)
            if dry_run:
                return plan.report(dry_run=True, new_bytes=sum(pack.used_bytes for pack in plan.repack))
            new = _repack(repository, plan, lock, on_progress)
            _check_nothing_is_lost(plan, new.values())
            old_indexes = _write_index(repository, plan, new)
            delete_files(repository, lock, [f"{Kind.INDEX}/{file_id}" for file_id in old_indexes])
            delete_files(repository, lock, [pack_name(pack) for pack in plan.remove])
            _delete_packs_apart(repository, lock)
        finally:
            repository.stored_index.forget()
    return plan.report(dry_run=False, new_bytes=sum(entry.size for entry in new.values()))


def refuse_old_version(repository: Repository) -> None:
    """Do nothing for a repository that may be changed.

    :raises RepositoryError: It has a version that is only read.
    """
    if repository.config.version != VERSION:
        raise RepositoryError(
            f"the repository at {repository.place} is of version {repository.config.version}, which is only read",
            hint="`restic migrate upgrade_repo_v2` brings it to version 2",
        )


def delete_files(repository: Repository, lock: Lock, names: Iterable[str]) -> None:
    """Delete files of the repository, as long as *lock* is ours."""
    for name in names:
        lock.refresh()
        repository.files.destination.delete(repository.files.path(name))


def save_index(repository: Repository, packs: Iterable[tuple[bytes, ListedPack]]) -> None:
    """Store index files that list *packs*."""
    encoded: list[bytes] = []
    blobs = 0
    for pack, entry in packs:
        if encoded and blobs + entry.count > INDEX_BLOBS:
            repository.stored_index.save(encoded)
            encoded, blobs = [], 0
        encoded.append(encode_pack(pack, entry.blobs()))
        blobs += entry.count
    if encoded:
        repository.stored_index.save(encoded)


def read_sealed(
    repository: Repository, wanted: Iterable[tuple[bytes, list[PackedBlob]]]
) -> Iterator[tuple[PackedBlob, Data]]:
    """Yield blobs as they are stored, after their contents were found right.

    :param wanted: Ids of packs, each with the blobs that are wanted of it.
    :raises CorruptRepositoryError: One is damaged or missing.
    """

    def read(item: tuple[Span, Mapping[int, PackedBlob]]) -> list[tuple[PackedBlob, Data]]:
        span, by_offset = item
        path = repository.files.path(pack_name(span.pack))
        data = memoryview(repository.read_pack(path, span.offset, span.length))
        found: list[tuple[PackedBlob, Data]] = []
        for blob_id, location in span.blobs:
            start = location.offset - span.offset
            sealed = data[start : start + location.length]
            repository.open_blob(sealed, blob_id, location, path)
            found.append((by_offset[location.offset], sealed))
        return found

    for blobs in work_ahead(read, _stretches(wanted)):
        yield from blobs


def _stretches(wanted: Iterable[tuple[bytes, list[PackedBlob]]]) -> Iterator[tuple[Span, Mapping[int, PackedBlob]]]:
    for pack, blobs in wanted:
        by_offset = {blob.offset: blob for blob in blobs}
        located = [
            (blob.id, Location(pack, blob.offset, blob.length, blob.uncompressed_length)) for blob in by_offset.values()
        ]
        for span in spans(located):
            yield span, by_offset


def _make_plan(repository: Repository, lock: Lock, on_progress: OnProgress | None) -> _Plan:
    needed = _needed(repository, lock, on_progress)
    inventory = take_inventory(repository)
    if inventory.damaged_indexes:
        raise CorruptRepositoryError("; ".join(inventory.damaged_indexes.values()), hint=_REPAIR)
    found = _packs(inventory, needed)
    packs = [pack for pack in found if len(pack.spare) < pack.entry.count]
    repack = _choose(packs)
    moved = {pack.id for pack in repack}
    keep = tuple(pack for pack in packs if pack.id not in moved)
    _check_twins(repository, needed, found, keep)
    kept = {pack.id for pack in keep}
    remove = tuple(pack for pack in inventory.stored if pack not in kept)
    return _Plan(inventory=inventory, needed=needed, keep=keep, repack=repack, remove=remove)


def _check_twins(
    repository: Repository, needed: Mapping[BlobType, set[BlobId]], packs: Iterable[_Pack], keep: Iterable[_Pack]
) -> None:
    """Read what stays of blobs that are there twice, before the other copy goes: it may be the only one that is right.

    :raises CorruptRepositoryError: What would stay is damaged.
    """
    twins = {
        (blob.type, blob.id)
        for pack in packs
        if pack.twice
        for blob in map(pack.entry.blobs().__getitem__, pack.spare)
        if blob.id in needed[blob.type]
    }
    if twins:
        wanted = [(pack.id, [blob for blob in pack.needed_blobs() if (blob.type, blob.id) in twins]) for pack in keep]
        try:
            for _ in read_sealed(repository, wanted):
                pass
        except CorruptRepositoryError as error:
            raise CorruptRepositoryError(error.message, hint=_REPAIR) from error


def _needed(repository: Repository, lock: Lock, on_progress: OnProgress | None) -> dict[BlobType, set[BlobId]]:
    """Return all that the snapshots need and, of those that are kept apart as damaged, what is there."""
    try:
        snapshots = repository.every_snapshot()
    except CorruptRepositoryError as error:
        raise CorruptRepositoryError(error.message, hint=_REPAIR) from error
    data: set[BlobId] = set()
    trees: set[BlobId] = set()
    for tree, folder in walk(repository, [one.tree for one in snapshots], on_progress=on_progress):
        if isinstance(folder, CorruptRepositoryError):
            raise CorruptRepositoryError(folder.message, hint=_REPAIR)
        trees.add(tree)
        data.update(folder.content)
        lock.refresh()
    index = repository.stored_index.index
    for tree, folder in walk(repository, [one.tree for one in repository.snapshots_apart()], on_progress=on_progress):
        if not isinstance(folder, CorruptRepositoryError):
            trees.add(tree)
            data.update(blob for blob in folder.content if index.contains(blob, BlobType.DATA))
        lock.refresh()
    return {BlobType.DATA: data, BlobType.TREE: trees}


def _packs(inventory: Inventory, needed: Mapping[BlobType, set[BlobId]]) -> list[_Pack]:
    """Return each sound pack with what is needed of it; a blob that several hold is needed of one of them.

    :raises CorruptRepositoryError: Something that is needed is in none.
    """
    sound = [(pack, entry) for pack, entry in inventory.listed.items() if inventory.is_sound(pack)]
    packs, missing = _assign(sound, needed)
    if any(pack.twice for pack in packs):
        # What is there twice stays in the pack that is needed most.
        packs.sort(key=lambda pack: ((len(pack.spare) - pack.twice) / max(pack.entry.count, 1), pack.id))
        packs, missing = _assign([(pack.id, pack.entry) for pack in packs], needed)
    if missing:
        raise CorruptRepositoryError(
            f"{len(missing)} blobs that snapshots need are missing; {missing[0].hex()} is one", hint=_REPAIR
        )
    return packs


def _assign(
    packs: Iterable[tuple[bytes, ListedPack]], needed: Mapping[BlobType, set[BlobId]]
) -> tuple[list[_Pack], list[BlobId]]:
    """Take each needed blob of the first of *packs* that has it; return the packs, and what none has."""
    wanted = {kind: set(blobs) for kind, blobs in needed.items()}
    found = []
    for pack, entry in packs:
        spare = []
        spare_bytes = twice = 0
        types = set()
        for position, (kind, blob, _, length, _) in enumerate(entry.blobs()):
            types.add(kind)
            if blob in wanted[kind]:
                wanted[kind].remove(blob)
            else:
                spare.append(position)
                spare_bytes += length
                twice += blob in needed[kind]
        found.append(
            _Pack(
                id=pack,
                entry=entry,
                types=frozenset(types),
                spare=frozenset(spare),
                spare_bytes=spare_bytes,
                twice=twice,
            )
        )
    return found, [blob for blobs in wanted.values() for blob in blobs]


def _choose(packs: list[_Pack]) -> tuple[_Pack, ...]:
    """Return those of *packs* whose needed blobs are moved into new ones."""
    chosen = {pack.id: pack for pack in packs if len(pack.types) > 1}
    allowed = sum(pack.used_bytes for pack in packs) * _MAX_UNUSED / (1 - _MAX_UNUSED)
    wasteful = sorted((pack for pack in packs if pack.spare), key=lambda pack: pack.used_bytes / pack.entry.blob_bytes)
    unused = sum(pack.spare_bytes for pack in wasteful)
    for pack in wasteful:
        if unused <= allowed:
            break
        unused -= pack.spare_bytes
        chosen[pack.id] = pack
    most = _MAX_PACKS + sum(pack.entry.size for pack in packs) // _SMALL_BYTES
    for pack in sorted((pack for pack in packs if pack.is_small), key=lambda pack: pack.entry.size):
        if len(packs) - len(chosen) + _new_packs(chosen.values()) <= most:
            break
        chosen[pack.id] = pack
    return tuple(chosen.values())


def _new_packs(packs: Collection[_Pack]) -> int:
    """Return how many packs the needed blobs of *packs* fill."""
    needed = [sum(pack.used_bytes for pack in packs if kind in pack.types) for kind in BlobType]
    return sum(-(-size // TARGET_BYTES) for size in needed)


def _repack(repository: Repository, plan: _Plan, lock: Lock, on_progress: OnProgress | None) -> dict[bytes, ListedPack]:
    """Move the needed blobs of the packs that are given up into new ones; return those, all durable."""
    new: dict[bytes, ListedPack] = {}

    def on_stored(pack: StoredPack) -> None:
        new[pack.id] = ListedPack.of_header(pack.header)

    packer = Packer(repository.files, repository.crypter, DEFAULT_LEVEL, on_stored)
    total = sum(pack.used_bytes for pack in plan.repack)
    done = 0
    try:
        for blob, sealed in read_sealed(repository, ((pack.id, pack.needed_blobs()) for pack in plan.repack)):
            packer.add_sealed(blob, sealed)
            done += blob.length
            lock.refresh()
            if on_progress is not None:
                on_progress(Progress(phase="packs", bytes=done, bytes_total=total))
        packer.flush()
    finally:
        packer.close()
    return new


def _delete_packs_apart(repository: Repository, lock: Lock) -> None:
    """Delete the damaged packs that a repair has kept, once no snapshot is left that misses something of them."""
    if not any(repository.files.list(Kind.APART)):
        prefix = repository.files.path("")
        apart = [info.name for info in repository.files.destination.list(repository.files.path(PACKS_APART))]
        delete_files(repository, lock, [name.removeprefix(prefix) for name in apart])


def _check_nothing_is_lost(plan: _Plan, new: Iterable[ListedPack]) -> None:
    """Compare, before anything is deleted, what will be there with what has to be there."""
    lost = {kind: set(blobs) for kind, blobs in plan.needed.items()}
    for entry in [*(pack.entry for pack in plan.keep), *new]:
        for blob in entry.blobs():
            lost[blob.type].discard(blob.id)
    if any(lost.values()):
        raise RepositoryError("pruning would have lost blobs; nothing was removed", hint="this is a bug: report it")


def _write_index(repository: Repository, plan: _Plan, new: Mapping[bytes, ListedPack]) -> list[str]:
    """Store index files for the packs that no good one lists; return the ids of the files that are not needed then."""
    keep = {pack.id: pack.entry for pack in plan.keep}
    good = keep.keys() - plan.inventory.contradicted
    listed: set[bytes] = set()
    old: list[str] = []
    small: dict[str, tuple[bytes, ...]] = {}
    for file_id, packs in sorted(plan.inventory.indexes.items()):
        if not packs or not good.issuperset(packs) or not listed.isdisjoint(packs):
            old.append(file_id)
            continue
        listed.update(packs)
        if sum(keep[pack].count for pack in packs) < INDEX_BLOBS // 2:
            small[file_id] = packs
    if small and (new or old or len(small) > _MAX_SMALL_INDEXES):
        old += small
        listed.difference_update(*small.values())
    save_index(repository, [*((pack, entry) for pack, entry in keep.items() if pack not in listed), *new.items()])
    return old
