"""Looking after one account's repository at one destination: what :meth:`jetcore.core.Core.maintenance` returns.

The repository's own operations are in :mod:`jetcore.repository`; here they meet the restore points in the state
database: a point is taken off the list before its snapshot is, and a repair marks the points that have lost something.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import BinaryIO, Protocol

import attrs
import orjson
from sqlalchemy import Engine

from jetcore.abc import Destination
from jetcore.errors import BadInputError, CorruptRepositoryError, RepositoryError
from jetcore.model import Account, OnProgress, Outcome, PartReport, RestorePoint, Secret
from jetcore.repository import MasterKeys, Node, Repository, Snapshot
from jetcore.repository.check import CheckReport, Cursor, Finding, ReadData, check
from jetcore.repository.diff import Change, diff
from jetcore.repository.files import Kind
from jetcore.repository.forget import forget
from jetcore.repository.keys import KeyInfo, add_key, find_key, list_keys
from jetcore.repository.listing import entries
from jetcore.repository.lock import unlock
from jetcore.repository.prune import PruneReport, prune
from jetcore.repository.repair import DamagedSnapshot, RepairReport, mend_config, repair
from jetcore.repository.stats import Stats, take_stats
from jetcore.restore.archive import dump
from jetcore.restore.mount import mount
from jetcore.state import points
from jetcore.state.engine import reading, writing
from jetcore.state.repositories import RepositoryRecord

#: What the messages of a part begin with that name what has been lost since the backup.
_LOST = "lost: "


class Work(Protocol):
    """What is known of a recorded task in its course."""

    outcome: Outcome
    message: str


@attrs.frozen(kw_only=True)
class Key:
    """A key of a repository: one password that opens it."""

    info: KeyInfo
    #: Whether it is the one that jetcore itself uses.
    own: bool


@attrs.frozen(kw_only=True, eq=False)
class Maintenance:
    """The repository of one account at one destination, for those who look after it."""

    account: Account
    #: Name of the destination.
    destination: str
    repository: Repository
    password: Secret
    engine: Engine
    #: Directory for what is remembered from one check to the next.
    memory: Path
    #: Records what is done as a task.
    task: Callable[[], AbstractContextManager[Work]]

    # Health ----------------------------------------------------------------------------------------------------------

    def check(self, *, read_data: float = 0.0, on_progress: OnProgress | None = None) -> CheckReport:
        """Look for damage in the repository, and for listed points that it does not have.

        :param read_data: Share of the data that is read, up to 1.0; the next check goes on where this one stops.
        :raises RepositoryLockedError: Somebody works exclusively in the repository.
        :raises DestinationError: The destination cannot be read.
        """
        if not 0.0 <= read_data <= 1.0:
            raise BadInputError(f"a share of {read_data:.0%} of the data cannot be read")
        with self.task() as work:
            wanted = ReadData(share=read_data, cursor=self._cursor(), keep=self._keep) if read_data else None
            report = check(self.repository, read_data=wanted, on_progress=on_progress)
            report = attrs.evolve(report, findings=(*report.findings, *self._compare_points()))
            if not report.is_sound:
                damaged = [finding for finding in report.findings if finding.damage]
                work.outcome = Outcome.FAILED
                work.message = f"{len(damaged)} things are damaged; {damaged[0].name}: {damaged[0].problem}"
        return report

    def repair(self, *, read_data: bool = False, on_progress: OnProgress | None = None) -> RepairReport:
        """Make the repository sound again, and mark the restore points of which something is lost.

        :param read_data: Read everything, to find wrong bytes that no header betrays.
        :raises RepositoryLockedError: Somebody else works in the repository.
        :raises DestinationError: The destination failed; the next repair goes on.
        """
        with self.task() as work:
            report = repair(self.repository, read_data=read_data, on_progress=on_progress)
            self._mend_key()
            missing = self._mark_points(report)
            lost = [f"snapshot {one.id[:8]} has lost something" for one in report.damaged]
            lost += [f"the snapshot of point {point.id[:8]} is missing" for point in missing]
            if lost:
                work.outcome, work.message = Outcome.PARTIAL, "; ".join(lost)
        return report

    def prune(self, *, dry_run: bool = False, on_progress: OnProgress | None = None) -> PruneReport:
        """Remove what no snapshot needs, and merge small files.

        :param dry_run: Only say what would be done.
        :raises CorruptRepositoryError: Something that is needed is missing or damaged; nothing was removed.
        :raises RepositoryLockedError: Somebody else works in the repository.
        :raises DestinationError: The destination failed; the next prune goes on.
        """
        with self.task():
            missing = self._points_without_snapshot()
            if missing:
                # As if the folder of snapshots had been emptied: pruning now would remove what a copy of it needs.
                raise CorruptRepositoryError(
                    f"the snapshots of {len(missing)} listed restore points are missing, {missing[0].id[:8]} is one",
                    hint="bring them back from a copy, or see `jetcore repository repair`",
                )
            return prune(self.repository, dry_run=dry_run, on_progress=on_progress)

    def unlock(self, *, every: bool = False) -> int:
        """Remove the locks of processes that are gone, and return how many there were.

        :param every: All locks, also of processes that may be alive.
        """
        return unlock(self.repository.files, self.repository.crypter, every=every)

    # Points ----------------------------------------------------------------------------------------------------------

    def forget(self, wanted: Sequence[str]) -> list[str]:
        """Remove restore points, and return their ids; a prune then frees what only they needed.

        :param wanted: Ids of points or snapshots, or the first digits of one each.
        :raises BadInputError: There is no such point.
        :raises RepositoryLockedError: Somebody else works in the repository.
        """
        with self.task():
            listed = {point.id: point for point in self._points()}
            ids = list(dict.fromkeys(self._resolve(point, listed) for point in wanted))

            def take_off_the_list(snapshot_id: str) -> None:
                if snapshot_id in listed:
                    with writing(self.engine) as connection:
                        points.remove(connection, listed[snapshot_id])

            forget(self.repository, ids, first=take_off_the_list)
            return ids

    # Keys ------------------------------------------------------------------------------------------------------------

    def keys(self) -> list[Key]:
        """Return the keys that open the repository, oldest first."""
        found, _ = list_keys(self.repository.files)
        own = self._own_key()
        return [Key(info=info, own=info.id == own) for info in found]

    def add_key(self, password: Secret) -> str:
        """Let *password* open the repository, too; return the id of its key."""
        with self.repository.lock():
            return add_key(self.repository.files, self.repository.keys, password)

    def remove_key(self, key: str) -> str:
        """Keep the password of a key from opening the repository any more; return the key's id.

        Whoever has opened the repository with it may have kept the master keys, which stay the same.

        :param key: Id of the key, or the first digits of it.
        :raises BadInputError: There is no such key, or it is the one that jetcore itself uses.
        """
        with self.repository.lock(exclusive=True):
            ids = [found for found in self.repository.files.list(Kind.KEY) if key and found.startswith(key.lower())]
            if len(ids) != 1:
                raise BadInputError(f"{len(ids)} keys begin with {key!r}", hint="see `jetcore repository keys list`")
            if ids[0] == self._own_key():
                raise BadInputError(f"key {ids[0][:8]} is the one that jetcore uses itself; it stays")
            self.repository.files.delete(Kind.KEY, ids[0])
        return ids[0]

    # Looking inside --------------------------------------------------------------------------------------------------

    def stats(self, *, on_progress: OnProgress | None = None) -> Stats:
        """Return what the repository takes up.

        :raises CorruptRepositoryError: A folder is missing or damaged.
        """
        return take_stats(self.repository, on_progress=on_progress)

    def snapshot(self, point: str = "latest") -> Snapshot:
        """Return a snapshot of the repository, whether or not a restore point is listed for it.

        :param point: Its id, the first digits of it, or ``latest``.
        :raises BadInputError: There is none.
        """
        if point != "latest":
            return self.repository.snapshot(point)
        found = self.repository.snapshots()
        if not found:
            raise BadInputError(f"the repository at {self.repository.place} has no snapshots")
        return found[-1]

    def entries(
        self, point: str = "latest", path: bytes = b"", *, recursive: bool = False
    ) -> Iterator[tuple[bytes, Node]]:
        """Yield path and node of what is in a folder of a restore point."""
        return entries(self.repository, self.snapshot(point), path, recursive=recursive)

    def diff(self, one: str, other: str) -> Iterator[Change]:
        """Yield what has changed from one restore point to another."""
        return diff(self.repository, self.snapshot(one).tree, self.snapshot(other).tree)

    def dump(self, point: str, path: bytes, target: BinaryIO) -> None:
        """Write a file of a restore point to *target*, or a folder as a tar archive."""
        dump(self.repository, self.snapshot(point), path, target)

    def mount(self, directory: Path) -> None:
        """Show all snapshots as a read-only file system below *directory*, until it is unmounted."""
        mount(self.repository, directory)

    # -----------------------------------------------------------------------------------------------------------------

    def _points(self) -> list[RestorePoint]:
        with reading(self.engine) as connection:
            return points.of_account(connection, self.account.uuid, destination=self.destination)

    def _points_without_snapshot(self) -> list[RestorePoint]:
        files = self.repository.files
        listed = self._points()
        stored = {*files.list(Kind.SNAPSHOT), *files.list(Kind.APART)}
        missing = [point for point in listed if point.id not in stored]
        # One that was forgotten between the two looks is off the list by now.
        still_listed = {point.id for point in self._points()} if missing else set()
        return [point for point in missing if point.id in still_listed]

    def _compare_points(self) -> Iterator[Finding]:
        for point in self._points_without_snapshot():
            yield Finding(name=f"restore point {point.id[:8]}", problem="its snapshot is missing")
        listed = {point.id for point in self._points()}
        for snapshot in self.repository.snapshots():
            if snapshot.id not in listed:
                problem = "no restore point is listed for it"
                yield Finding(name=f"snapshot {snapshot.id[:8]}", problem=problem, damage=False)

    def _resolve(self, point: str, listed: dict[str, RestorePoint]) -> str:
        """Return the id of a listed point, or of a snapshot that is not listed (any more)."""
        matching = [snapshot_id for snapshot_id in listed if point and snapshot_id.startswith(point.lower())]
        return matching[0] if len(matching) == 1 else self.repository.snapshot(point).id

    def _mark_points(self, report: RepairReport) -> list[RestorePoint]:
        """Let the list say what each point has lost; return the points whose snapshots are missing."""
        damaged = {one.id: one for one in report.damaged}
        missing = {point.id: point for point in self._points_without_snapshot()}
        with writing(self.engine) as connection:
            for point in points.of_account(connection, self.account.uuid, destination=self.destination):
                lost: tuple[tuple[bytes, str], ...] = ()
                if point.id in missing:
                    lost = ((b"/", "its snapshot is missing"),)
                elif point.id in damaged:
                    lost = _all_lost(damaged[point.id])
                marked = _marked(point, lost)
                if marked != point:
                    points.remove(connection, point)
                    points.add(connection, marked)
        return list(missing.values())

    def _own_key(self) -> str:
        try:
            return find_key(self.repository.files, self.password)[0]
        except RepositoryError:
            return ""

    def _mend_key(self) -> None:
        """Make the key anew that jetcore's own password opens, if it is gone or damaged."""
        if not self._own_key():
            self.add_key(self.password)

    def _cursor(self) -> Cursor:
        try:
            fields = orjson.loads(self._cursor_file.read_bytes())
            return Cursor(**{**fields, "damaged": tuple(fields["damaged"])})
        except (OSError, ValueError, TypeError, KeyError):
            return Cursor()  # it only costs reading some of the data again

    def _keep(self, cursor: Cursor) -> None:
        self._cursor_file.parent.mkdir(mode=0o700, exist_ok=True)
        temporary = self._cursor_file.with_suffix(f".{os.getpid()}")
        temporary.write_bytes(orjson.dumps(attrs.asdict(cursor)))
        temporary.rename(self._cursor_file)

    @property
    def _cursor_file(self) -> Path:
        return self.memory / f"{self.repository.id}.json"


def mend(place: Destination, record: RepositoryRecord) -> None:
    """Make the config of a repository anew if it cannot be opened without, and its keys are known.

    :raises CorruptRepositoryError: The keys do not fit.
    """
    if record.keys is not None:
        mend_config(place, record.prefix, MasterKeys.from_json(record.keys.reveal()))


def _all_lost(damaged: DamagedSnapshot) -> tuple[tuple[bytes, str], ...]:
    return (*damaged.lost, (b"", "more files and folders")) if damaged.more else damaged.lost


def _marked(point: RestorePoint, lost: Sequence[tuple[bytes, str]]) -> RestorePoint:
    """Return *point* with all that is *lost* of it, and nothing else, among the messages of its parts."""
    parts = []
    homeless = [item for item in lost if not any(_concerns(part, item[0]) for part in point.parts)]
    for number, part in enumerate(point.parts):
        mine = [item for item in lost if _concerns(part, item[0])] + (homeless if number == 0 else [])
        before = tuple(message for message in part.messages if not message.startswith(_LOST))
        messages = tuple(f"{_LOST}{path.decode('utf-8', 'backslashreplace')} {why}".strip() for path, why in mine)
        outcome = part.outcome
        if any(_is_below(part.path.encode(), path) for path, _ in mine if path):
            outcome = Outcome.FAILED
        elif mine and outcome is Outcome.COMPLETED:
            outcome = Outcome.PARTIAL
        elif not mine and before != part.messages:
            outcome = Outcome.PARTIAL if before else Outcome.COMPLETED
        parts.append(attrs.evolve(part, outcome=outcome, messages=before + messages))
    if tuple(parts) == point.parts:
        return point
    return attrs.evolve(point, parts=tuple(parts), outcome=Outcome.of_all([part.outcome for part in parts]))


def _concerns(part: PartReport, path: bytes) -> bool:
    own = part.path.encode()
    return bool(own and path) and (_is_below(own, path) or _is_below(path, own))


def _is_below(path: bytes, folder: bytes) -> bool:
    """Say whether *path* is *folder* or something in it."""
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")
