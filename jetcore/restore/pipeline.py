"""One account's restore, from left to right.

    snapshot and its manifest  ->  parts that are wanted  ->  account made if it is gone
    ->  home directory  ->  databases  ->  database users  ->  everything else, through the panel

What the point lacks and what could not be put back is named in the report; the other parts are restored.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import BinaryIO, cast

import attrs

from jetcore.abc import DumpEngine, Panel
from jetcore.backup.manifest import MANIFEST, Manifest
from jetcore.errors import BadInputError, DestinationError, JetcoreError, ObjectNotFoundError, RestoreError
from jetcore.model import (
    Account,
    Contains,
    DatabaseUser,
    OnProgress,
    Outcome,
    PartFile,
    PartReport,
    Progress,
    RestoreReport,
)
from jetcore.repository import Node, Repository, Snapshot
from jetcore.restore.report import RestoredTree
from jetcore.restore.stream import StoredFile
from jetcore.restore.writer import restore_tree

_MOST_MESSAGES = 100
#: Databases need their files on disk before, users their databases, cron everything.
_ORDER = (
    Contains.CONFIG,
    Contains.HOMEDIR,
    Contains.DATABASES,
    Contains.DATABASE_USERS,
    Contains.DOMAINS,
    Contains.CERTIFICATES,
    Contains.EMAILS,
    Contains.FTP,
    Contains.CRON,
)


@attrs.frozen(kw_only=True)
class Wanted:
    """What of a restore point is restored."""

    #: Labels of parts (``homedir``, ``database:shop``) or kinds (``database``); empty for everything.
    parts: tuple[str, ...] = ()
    #: Paths in the home directory, relative; empty for all of it.
    paths: tuple[bytes, ...] = ()


def home_path(path: bytes | str) -> bytes:
    """Return *path*, relative to the home directory, without leading, trailing and double slashes."""
    raw = os.fsencode(path)
    names = [name for name in raw.split(b"/") if name not in {b"", b"."}]
    if not names or b".." in names:
        raise BadInputError(
            f"{os.fsdecode(raw)!r} is no path in the home directory", hint="give it relative to the home"
        )
    return b"/".join(names)


def read_manifest(repository: Repository, snapshot: Snapshot) -> Manifest:
    """Return what a restore point says of itself.

    :raises CorruptRepositoryError: It cannot be read.
    :raises BadInputError: The snapshot was not made by jetcore.
    """
    node = repository.find(snapshot.tree, MANIFEST.encode())
    if node is None:
        raise BadInputError(
            f"snapshot {snapshot.id[:8]} is not a restore point: it has no /{MANIFEST}",
            hint="restore it with the stock restic program",
        )
    return Manifest.decode(b"".join(repository.read_file(node)))


def restore_to_directory(
    repository: Repository,
    snapshot: Snapshot,
    wanted: Wanted,
    target: Path,
    *,
    account: str,
    on_progress: OnProgress | None = None,
) -> RestoreReport:
    """Write a restore point, or what is wanted of it, below *target* in the point's own layout; nothing else changes.

    :raises BadInputError: A part or path is not in the point.
    :raises UnsafeTargetError: The target leads elsewhere.
    :raises RestoreError: The target cannot be written.
    """
    reports = _select(read_manifest(repository, snapshot), wanted)
    progress = _Phase("files", on_progress)
    only: tuple[bytes, ...] = ()
    if wanted.paths:
        only = tuple(b"homedir/" + path for path in wanted.paths)
    elif wanted.parts:
        only = tuple(report.path.lstrip("/").encode() for report in reports if report.path)
    done = restore_tree(repository, snapshot.tree, target, only=only, on_progress=progress)
    parts = _with_problems(reports, done)
    return RestoreReport(
        account=account,
        point=snapshot.id,
        outcome=Outcome.of_all([part.outcome for part in parts]),
        parts=parts,
        notes=done.notes,
    )


def _with_problems(reports: Sequence[PartReport], done: RestoredTree) -> tuple[PartReport, ...]:
    """Return *reports* with the problems of a restore, each with the part that it lies in."""
    rest = list(done.problems)
    parts: list[PartReport] = []
    # The deepest folders first, so that none takes what belongs to a part inside of it.
    for report in sorted(reports, key=lambda report: -len(report.path)):
        place = report.path.strip("/").encode()
        own = [problem for problem in rest if place and (problem.path + b"/").startswith(place + b"/")]
        rest = [problem for problem in rest if problem not in own]
        parts.append(_partial(report, map(str, own)))
    more = done.problem_count - len(done.problems)
    beyond = [*map(str, rest), *([f"and {more} problems more"] if more > 0 else [])]
    # What lies in no part is still something that is missing.
    return tuple(
        _partial(report, beyond) if not number else report for number, report in enumerate(sorted(parts, key=_place))
    )


def _partial(report: PartReport, problems: Iterable[str]) -> PartReport:
    messages = tuple(problems)
    if not messages:
        return report
    outcome = Outcome.of_all([Outcome.PARTIAL, report.outcome])
    return attrs.evolve(report, outcome=outcome, messages=report.messages + messages)


def _place(report: PartReport) -> int:
    return _ORDER.index(report.part.kind)


@attrs.frozen(kw_only=True)
class Target:
    """Where an account is put back: the panel, and the engines by name."""

    panel: Panel
    engines: Mapping[str, DumpEngine]


def restore_account(
    repository: Repository,
    snapshot: Snapshot,
    wanted: Wanted,
    target: Target,
    *,
    account: str,
    on_progress: OnProgress | None = None,
) -> RestoreReport:
    """Put an account, or what is wanted of it, back in its place.

    :param account: Name of the account.
    :raises BadInputError: A part or path is not in the point.
    :raises RestoreError: Nothing could be restored.
    """
    manifest = read_manifest(repository, snapshot)
    reports = _select(manifest, wanted)
    present = target.panel.account(account)
    if present is None:
        present = target.panel.create_account(manifest.account)
    work = _Restore(
        repository=repository,
        snapshot=snapshot,
        wanted=wanted,
        target=target,
        before=manifest.account,
        now=present,
        on_progress=on_progress,
    )
    for report in reports:
        # Before the databases: a view cannot be made without its definer. The grants on what is in them follow.
        if report.part.kind is Contains.DATABASE_USERS:
            work.part(report)
    done = tuple(work.part(report) for report in sorted(reports, key=_place))
    return RestoreReport(
        account=account,
        point=snapshot.id,
        outcome=Outcome.of_all([part.outcome for part in done]),
        parts=done,
        notes=tuple(work.notes),
    )


def _select(manifest: Manifest, wanted: Wanted) -> Sequence[PartReport]:
    if wanted.paths and not wanted.parts:
        wanted = attrs.evolve(wanted, parts=("homedir",))
    if not wanted.parts:
        return manifest.parts
    chosen = {report.part for label in wanted.parts for report in _matching(manifest, label)}
    return [report for report in manifest.parts if report.part in chosen]


def _matching(manifest: Manifest, label: str) -> Sequence[PartReport]:
    """Return the parts that *label* means: by label, by kind, or by a name without the account's own in front."""
    kind, colon, name = label.partition(":")
    for meant in (label, f"{kind}{colon}{manifest.account.name}_{name}"):
        found = [report for report in manifest.parts if report.part.matches(meant)]
        if found:
            return found
    labels = [str(report.part) for report in manifest.parts]
    near = get_close_matches(label, labels, n=3, cutoff=0.4) or labels
    raise BadInputError(f"the restore point has no part {label!r}", hint=f"it has {', '.join(near)}")


@attrs.frozen(kw_only=True)
class _Restore:
    """One restore in its course."""

    repository: Repository
    snapshot: Snapshot
    wanted: Wanted
    target: Target
    #: The account as it was backed up.
    before: Account
    #: The account as it is now.
    now: Account
    on_progress: OnProgress | None
    #: What was left out on purpose.
    notes: list[str] = attrs.field(factory=list)

    def part(self, report: PartReport) -> PartReport:
        """Restore one part and say how it went, what the point itself lacks included."""
        if report.outcome is Outcome.FAILED:
            reason = "; ".join(report.messages)
            return attrs.evolve(report, messages=(f"not in the restore point, its backup failed: {reason}",))
        try:
            problems = self._steps()[report.part.kind](report)
        except (BadInputError, DestinationError) as error:
            # The first is the caller's mistake; after the second nothing more can be read, save for an object that is
            # missing, which concerns this part alone.
            if not isinstance(error, ObjectNotFoundError):
                raise
            return attrs.evolve(report, outcome=Outcome.FAILED, messages=(*report.messages, str(error)))
        except JetcoreError as error:
            return attrs.evolve(report, outcome=Outcome.FAILED, messages=(*report.messages, str(error)))
        except Exception as error:  # a plugin can fail in any way
            text = f"{type(error).__name__}: {error}"
            return attrs.evolve(report, outcome=Outcome.FAILED, messages=(*report.messages, text))
        if problems:
            return attrs.evolve(report, outcome=Outcome.PARTIAL, messages=report.messages + tuple(problems))
        return report

    def _steps(self) -> Mapping[Contains, Callable[[PartReport], Sequence[str]]]:
        through_panel = dict.fromkeys(_ORDER, self._through_panel)
        return through_panel | {
            Contains.HOMEDIR: self._home,
            Contains.DATABASES: self._database,
            Contains.DATABASE_USERS: self._database_user,
        }

    def _home(self, report: PartReport) -> Sequence[str]:
        if self.now.home in {Path("/"), self.target.panel.root}:
            raise RestoreError(
                f"{self.now.home} is a root directory, nothing is restored into it",
                hint="correct the home directory of the account",
            )
        done = restore_tree(
            self.repository,
            self._node(report).subtree,
            self.now.home,
            root=self._node(report),
            only=self.wanted.paths,
            uids={self.before.uid: self.now.uid},
            gids={self.before.gid: self.now.gid},
            on_progress=_Phase("homedir", self.on_progress, report),
        )
        self.notes.extend(done.notes)
        return _messages(done)

    def _database(self, report: PartReport) -> Sequence[str]:
        node = self._node(report)
        phase = _Phase(str(report.part), self.on_progress, report)

        def open_dump() -> BinaryIO:
            return cast("BinaryIO", io.BufferedReader(StoredFile(self.repository, node), 1 << 20))

        phase(0, 0)
        self._engine(report).restore(report.part.name, open_dump)
        phase(1, report.bytes)
        return ()

    def _database_user(self, report: PartReport) -> Sequence[str]:
        definition = b"".join(self.repository.read_file(self._node(report)))
        self._engine(report).restore_user(DatabaseUser(name=report.part.name, definition=definition))
        return ()

    def _through_panel(self, report: PartReport) -> Sequence[str]:
        files = [
            PartFile(path=path, data=b"".join(self.repository.read_file(node)), mode=node.mode)
            for path, node in self._files_below(report.path.lstrip("/"))
            if path != MANIFEST
        ]
        self.target.panel.apply(self.now, report.part, files)
        return ()

    def _files_below(self, folder: str) -> Sequence[tuple[str, Node]]:
        found: list[tuple[str, Node]] = []
        waiting = [folder]
        while waiting:
            path = waiting.pop()
            node = self.repository.find(self.snapshot.tree, path.encode())
            if node is None:
                raise RestoreError(f"the restore point has no /{path}", hint="run: jetcore repository check")
            if node.type == "dir":
                waiting += [f"{path}/{child.name.decode()}" for child in self.repository.load_tree(node.subtree)]
            elif node.type == "file":
                found.append((path, node))
        return found

    def _node(self, report: PartReport) -> Node:
        node = self.repository.find(self.snapshot.tree, report.path.lstrip("/").encode())
        if node is None:
            raise RestoreError(f"the restore point has no {report.path}", hint="run: jetcore repository check")
        return node

    def _engine(self, report: PartReport) -> DumpEngine:
        engine = self.target.engines.get(report.part.engine)
        if engine is None:
            raise RestoreError(
                f"no plugin restores databases of {report.part.engine!r}",
                hint=f"install the plugin for it: pip install jetcore-dump-{report.part.engine}",
            )
        return engine


def _messages(done: RestoredTree) -> tuple[str, ...]:
    """Return what is missing of a restored tree: a line an entry, then how many more there are."""
    told = tuple(str(problem) for problem in done.problems[:_MOST_MESSAGES])
    more = done.problem_count - len(told)
    return (*told, f"and {more} more") if more > 0 else told


class _Phase:
    """Turns counters of one phase into progress."""

    def __init__(self, phase: str, on_progress: OnProgress | None, report: PartReport | None = None) -> None:
        self.phase = phase
        self.on_progress = on_progress
        self.report = report

    def __call__(self, files: int, size: int) -> None:
        if self.on_progress is not None:
            self.on_progress(
                Progress(
                    phase=self.phase,
                    files=files,
                    bytes=size,
                    files_total=self.report.files if self.report else 0,
                    bytes_total=self.report.bytes if self.report else 0,
                )
            )
