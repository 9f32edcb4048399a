"""Repairing: the index made anew from the packs' own headers, and what is lost named and kept apart.

Nothing that can still be read is given up. Of a damaged pack the whole blobs are moved into new packs; the pack itself,
and snapshots of which something is lost, go to the folder ``damaged/``, which the format does not know: stock restic
sees a sound repository without them, jetcore still restores from such a snapshot what is left. If a missing pack comes
back, from a copy of the repository perhaps, the next repair puts the snapshots back.

The order is that of a prune, and a repair that broke off is simply done again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from itertools import islice

import attrs

from jetcore.abc import Destination
from jetcore.errors import CorruptRepositoryError, DestinationError, NoRepositoryError, ObjectNotFoundError
from jetcore.model import OnProgress, Progress
from jetcore.repository.blob import DEFAULT_LEVEL
from jetcore.repository.check import verify_pack
from jetcore.repository.config import Config
from jetcore.repository.crypto import Crypter, MasterKeys
from jetcore.repository.files import CONFIG, PACKS_APART, Files, Kind, file_id, pack_name
from jetcore.repository.inventory import Inventory, ListedPack, load_header, take_inventory
from jetcore.repository.lock import Lock
from jetcore.repository.pack import PackedBlob
from jetcore.repository.packer import Packer, StoredPack
from jetcore.repository.prune import delete_files, read_sealed, refuse_old_version, save_index
from jetcore.repository.reach import find_damage
from jetcore.repository.repository import Repository
from jetcore.repository.snapshot import Snapshot

#: Damaged paths that are named of a snapshot.
_NAMED = 20


@attrs.frozen(kw_only=True)
class DamagedSnapshot:
    """A snapshot of which something is lost."""

    id: str
    #: None if its own file is damaged.
    snapshot: Snapshot | None = attrs.field(repr=False)
    #: Path (absolute) and problem of damaged files and folders, the first ones only.
    lost: tuple[tuple[bytes, str], ...]
    #: Whether there are more of them.
    more: bool = False


@attrs.frozen(kw_only=True)
class RepairReport:
    """What a repair did."""

    #: Packs that are gone or damaged, by full name, with what is wrong.
    lost_packs: Mapping[str, str]
    #: Blobs that were saved out of damaged packs.
    saved_blobs: int
    #: Whether the index was made anew.
    new_index: bool
    #: All that are kept apart now.
    damaged: tuple[DamagedSnapshot, ...]
    #: Ids of the snapshots that were kept apart, are whole again, and have been put back.
    whole_again: tuple[str, ...]


def repair(repository: Repository, *, read_data: bool = False, on_progress: OnProgress | None = None) -> RepairReport:
    """Make the repository sound again, giving up only what is lost.

    :param read_data: Read every pack as a whole: finds wrong bytes that no header betrays.
    :raises RepositoryLockedError: Somebody else works in the repository.
    :raises DestinationError: The destination failed; the next repair goes on.
    """
    refuse_old_version(repository)
    with repository.lock(exclusive=True) as lock:
        repository.stored_index.forget()
        try:
            work = _Repair(repository, lock, on_progress)
            new_index = work.mend_packs(read_data=read_data)
            repository.stored_index.forget()
            damaged, whole_again = work.sort_snapshots()
        finally:
            repository.stored_index.forget()
    return RepairReport(
        lost_packs=work.lost_packs,
        saved_blobs=work.saved_blobs,
        new_index=new_index,
        damaged=damaged,
        whole_again=whole_again,
    )


def mend_config(destination: Destination, prefix: str, keys: MasterKeys) -> bool:
    """Make the config anew if it is missing or damaged, and say whether it was.

    The repository's id is another one then, and restic cuts new files elsewhere; everything stored stays readable.

    :param prefix: Folder of the repository, ending in ``/``; or ``""``.
    :raises CorruptRepositoryError: Nothing else opens with *keys* either: they may be the wrong ones.
    :raises RepositoryLockedError: Somebody works in the repository.
    """
    try:
        Repository.open(destination, prefix, keys=keys)
    except (CorruptRepositoryError, NoRepositoryError) as error:
        files, crypter = Files(destination, prefix), Crypter(keys)
        with Lock(files, crypter, exclusive=True):
            if not _opens_anything(files, crypter):
                raise CorruptRepositoryError(
                    f"{error.message}, and no other file opens with the repository's keys", hint=error.hint
                ) from error
            destination.put(files.path(CONFIG), crypter.seal(Config.generate().encode()))
        return True
    return False


def _opens_anything(files: Files, crypter: Crypter) -> bool:
    for kind in (Kind.SNAPSHOT, Kind.INDEX):
        for name in files.list(kind):
            with contextlib.suppress(CorruptRepositoryError, ObjectNotFoundError):
                files.load(kind, name, crypter)
                return True
    return False


class _Repair:
    def __init__(self, repository: Repository, lock: Lock, on_progress: OnProgress | None) -> None:
        self._repository = repository
        self._lock = lock
        self._on_progress = on_progress
        self.lost_packs: dict[str, str] = {}
        self.saved_blobs = 0

    def mend_packs(self, *, read_data: bool) -> bool:
        """Bring packs and index into order; say whether the index had to be made anew."""
        inventory = take_inventory(self._repository)
        good: dict[bytes, ListedPack] = {}
        damaged: dict[bytes, list[PackedBlob]] = {}
        for number, (pack, size) in enumerate(inventory.stored.items()):
            problem, whole = self._look_at(inventory, pack, size, read_data=read_data)
            if problem:
                self._lose(pack, problem)
                damaged[pack] = whole
            else:
                good[pack] = ListedPack.of(whole)
            self._progress(Progress(phase="packs", files=number + 1, files_total=len(inventory.stored)))
        for pack in inventory.listed.keys() - inventory.stored.keys():
            self._lose(pack, "it is missing")
        is_right = not (inventory.damaged_indexes or inventory.contradicted) and good == inventory.listed
        if is_right and not damaged:
            return False
        new = self._save_blobs(damaged, good.values())
        save_index(self._repository, [*good.items(), *new.items()])
        for pack in damaged:
            self._set_pack_apart(pack)
        old = [*inventory.indexes, *inventory.damaged_indexes]
        delete_files(self._repository, self._lock, [f"{Kind.INDEX}/{file_id}" for file_id in old])
        return True

    def sort_snapshots(self) -> tuple[tuple[DamagedSnapshot, ...], tuple[str, ...]]:
        """Set apart the snapshots of which something is lost, and put back those that are whole again."""
        repository = self._repository
        here = {snapshot.id: snapshot for snapshot in repository.snapshots()}
        apart = {snapshot.id: snapshot for snapshot in repository.snapshots_apart()}
        damaged = [
            DamagedSnapshot(id=snapshot_id, snapshot=None, lost=((b"/", problem),))
            for snapshot_id, problem in repository.damaged_snapshots().items()
        ]
        damage = find_damage(
            repository,
            [snapshot.tree for snapshot in (apart | here).values()],
            lambda blob, kind: not repository.has_blob(blob, kind),
            on_progress=self._progress,
        )
        for snapshot in (apart | here).values():
            if damage.is_in(snapshot.tree):
                lost = list(islice(damage.below(repository, snapshot.tree), _NAMED + 1))
                damaged.append(
                    DamagedSnapshot(
                        id=snapshot.id, snapshot=snapshot, lost=tuple(lost[:_NAMED]), more=len(lost) > _NAMED
                    )
                )
        for one in damaged:
            self._move(Kind.SNAPSHOT, Kind.APART, one.id)
        damaged_ids = {one.id for one in damaged}
        whole_again = tuple(snapshot_id for snapshot_id in apart if snapshot_id not in damaged_ids)
        for snapshot_id in whole_again:
            self._move(Kind.APART, Kind.SNAPSHOT, snapshot_id)
        for snapshot_id in set(repository.files.list(Kind.APART)) - damaged_ids:
            problem = "its file is damaged"
            damaged.append(DamagedSnapshot(id=snapshot_id, snapshot=None, lost=((b"/", problem),)))
        return tuple(damaged), whole_again

    def _look_at(
        self, inventory: Inventory, pack: bytes, size: int, *, read_data: bool
    ) -> tuple[str, list[PackedBlob]]:
        """Return what is wrong with a pack, empty if nothing, and its whole blobs."""
        problem, whole = self._look_once(inventory, pack, size, read_data=read_data)
        if problem:
            # A destination that gave wrong bytes once is no damage: what was whole in either look is whole.
            problem, again = self._look_once(inventory, pack, size, read_data=read_data)
            if problem:
                return problem, sorted({*whole, *again}, key=lambda blob: blob.offset)
            return "", again
        return "", whole

    def _look_once(
        self, inventory: Inventory, pack: bytes, size: int, *, read_data: bool
    ) -> tuple[str, list[PackedBlob]]:
        try:
            blobs = load_header(self._repository, pack, size)
        except CorruptRepositoryError as error:
            # Where its blobs are the index may still know.
            listed = inventory.listed[pack].blobs() if pack in inventory.listed else []
            _, bad = verify_pack(self._repository, pack, listed)
            return error.message, _without(listed, bad)
        if not read_data:
            return "", blobs
        problems, bad = verify_pack(self._repository, pack, blobs)
        return "; ".join(problems), _without(blobs, bad)

    def _save_blobs(
        self, damaged: Mapping[bytes, list[PackedBlob]], good: Iterable[ListedPack]
    ) -> dict[bytes, ListedPack]:
        """Move the whole blobs of damaged packs into new packs, unless a good pack has them; return the new ones."""
        missing = {(blob.type, blob.id) for blobs in damaged.values() for blob in blobs}
        if missing:
            for entry in good:
                missing.difference_update((blob.type, blob.id) for blob in entry.blobs())
        new: dict[bytes, ListedPack] = {}

        def on_stored(pack: StoredPack) -> None:
            new[pack.id] = ListedPack.of_header(pack.header)

        packer = Packer(self._repository.files, self._repository.crypter, DEFAULT_LEVEL, on_stored)
        try:
            wanted = (
                (pack, [blob for blob in blobs if (blob.type, blob.id) in missing]) for pack, blobs in damaged.items()
            )
            for blob, sealed in read_sealed(self._repository, wanted):
                if (blob.type, blob.id) in missing:
                    missing.remove((blob.type, blob.id))
                    packer.add_sealed(blob, sealed)
                    self.saved_blobs += 1
                self._lock.refresh()
            packer.flush()
        finally:
            packer.close()
        return new

    def _lose(self, pack: bytes, problem: str) -> None:
        path = self._repository.files.path(pack_name(pack))
        self.lost_packs[path] = problem.removeprefix(f"{path} is ").removeprefix(f"{path} ")

    def _set_pack_apart(self, pack: bytes) -> None:
        self._move_file(pack_name(pack), f"{PACKS_APART}{pack.hex()}")

    def _move(self, source: Kind, target: Kind, snapshot_id: str) -> None:
        with contextlib.suppress(ObjectNotFoundError):  # moved already
            self._move_file(f"{source}/{snapshot_id}", f"{target}/{snapshot_id}")

    def _move_file(self, source: str, target: str) -> None:
        """Move a file as it is, damaged or not.

        :raises DestinationError: It gives other bytes each time it is read, or cannot be read or written.
        """
        files = self._repository.files
        path = files.path(source)
        self._lock.refresh()
        data = files.destination.get(path)
        if file_id(data) != source.rpartition("/")[2] and files.destination.get(path) != data:
            raise DestinationError(f"{path} gives other bytes each time it is read", hint="run the repair again")
        files.destination.put(files.path(target), data)
        files.destination.delete(path)

    def _progress(self, progress: Progress) -> None:
        self._lock.refresh()
        if self._on_progress is not None:
            self._on_progress(progress)


def _without(blobs: list[PackedBlob], bad: list[PackedBlob]) -> list[PackedBlob]:
    gone = {blob.offset for blob in bad}
    return [blob for blob in blobs if blob.offset not in gone]
