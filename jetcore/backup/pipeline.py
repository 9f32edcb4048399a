"""One account's backup, from left to right.

    parts of the account  ->  home directory, dumps, small files into the repository  ->  layout of the restore point
    ->  packs durable  ->  index durable  ->  snapshot file, the one commit

A part that cannot be read is reported and the others go on. An error of the destination ends the backup: what comes
out of here is either a snapshot whose every byte is on stable storage, or an exception.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from urllib.parse import quote

import attrs

from jetcore.abc import DATABASE_KINDS, DumpEngine, Panel
from jetcore.backup.generated import generated_file, save_layout
from jetcore.backup.manifest import MANIFEST, Manifest
from jetcore.backup.reader import Parent, SavedTree, save_directory
from jetcore.errors import DestinationError, JetcoreError, RepositoryError, SourceError
from jetcore.model import Account, Contains, Host, OnProgress, Outcome, Part, PartReport, Progress, RestorePoint
from jetcore.repository import DEFAULT_LEVEL, Node, Repository, Snapshot, Writer
from jetcore.version import __version__

#: Folder of the home directory in a restore point.
HOMEDIR = "homedir"


@attrs.frozen(kw_only=True)
class Source:
    """What is backed up: an account, and who can read it."""

    account: Account
    panel: Panel
    #: Dump engines by name.
    engines: Mapping[str, DumpEngine]
    #: Dump engines that this server uses and that do not work, by name, with the reason.
    broken_engines: Mapping[str, str] = attrs.field(factory=dict)
    host: Host
    contains: Contains = Contains.FULL


@attrs.frozen
class _Saved:
    """A part that is stored: its report, and its nodes by path."""

    report: PartReport
    nodes: Mapping[str, Node] = attrs.field(factory=dict)


def back_up(
    source: Source,
    repository: Repository,
    *,
    destination: str,
    former: Snapshot | None = None,
    level: int = DEFAULT_LEVEL,
    may_fork: bool = True,
    on_progress: OnProgress | None = None,
) -> RestorePoint:
    """Store *source* in *repository* and return the restore point.

    :param destination: Name of the destination, for the restore point.
    :param former: The account's last snapshot in the repository; what did not change since is not read again.
    :param level: zstd level of new data, 1 to 22.
    :param may_fork: Whether a second process may do half of the work; no, where other backups wait for processors.
    :raises SourceError: Not one part could be read; no snapshot was made.
    :raises DestinationError: The destination failed; no snapshot was made.
    :raises RepositoryError: The repository is damaged or locked; no snapshot was made.
    """
    started = datetime.now(UTC)
    progress = on_progress or _ignore
    with repository.writer(level=level, may_fork=may_fork) as writer:
        past = _Past(repository, former)
        saved = list(_save_parts(source, writer, past, progress))
        if not saved:
            raise SourceError(f"account {source.account.name!r} has nothing of what was asked for")
        reports = tuple(sorted((part.report for part in saved), key=lambda report: report.part))
        outcome = Outcome.of_all([report.outcome for report in reports])
        if outcome is Outcome.FAILED:
            raise SourceError(
                f"nothing of account {source.account.name!r} could be read: "
                + "; ".join(f"{report.part}: {message}" for report in reports for message in report.messages)
            )
        nodes = {path: node for part in saved for path, node in part.nodes.items()}
        manifest = Manifest(account=source.account, parts=reports).encode()
        nodes[MANIFEST] = _small_file(writer, manifest)
        tree = save_layout(nodes, writer, past.nodes_of_root(), repository)
        files = sum(report.files for report in reports)
        size = sum(report.bytes for report in reports)
        writer.flush()
        added = writer.added_bytes
        snapshot = Snapshot(
            # A clock that was set back meanwhile must not make anything look older than this.
            time=min(started, datetime.now(UTC)),
            tree=tree,
            parent=former.id if former else None,
            paths=("/" + HOMEDIR,),
            hostname=source.host.name,
            username="root",
            tags=("jetcore", f"account:{source.account.name}", f"outcome:{outcome}"),
            program_version=f"jetcore {__version__}",
            summary={"total_files_processed": files, "total_bytes_processed": size, "data_added_packed": added},
        )
        identity = writer.save_snapshot(snapshot)
    return RestorePoint(
        id=identity,
        account=source.account.name,
        account_uuid=source.account.uuid,
        destination=destination,
        created=started,
        outcome=outcome,
        parts=reports,
        files=files,
        bytes=size,
        added_bytes=added,
    )


class _Past:
    """The former point's nodes, for everything that may be taken over from it. Empty if there is none."""

    def __init__(self, repository: Repository, snapshot: Snapshot | None) -> None:
        self.repository = repository
        self.snapshot = snapshot
        self._root: dict[bytes, Node] | None = None

    def nodes_of_root(self) -> dict[bytes, Node]:
        """Return the nodes of the former root. A former point that cannot be read is as good as none."""
        if self._root is None:
            self._root = {}
            if self.snapshot is not None:
                try:
                    self._root = {node.name: node for node in self.repository.load_tree(self.snapshot.tree)}
                except RepositoryError:
                    # Everything is read anew, which also heals what is lost.
                    self._root = {}
        return self._root

    def home(self) -> Parent | None:
        """Return the former home directory, for the reader."""
        node = self.nodes_of_root().get(HOMEDIR.encode())
        if node is None or self.snapshot is None or not node.subtree:
            return None
        return Parent(repository=self.repository, tree=node.subtree, scan_started=self.snapshot.time)


def _save_parts(source: Source, writer: Writer, past: _Past, progress: OnProgress) -> Iterator[_Saved]:
    account, panel = source.account, source.panel
    try:
        parts = panel.parts(account)
    except JetcoreError as error:
        raise SourceError(f"{panel.name} cannot say what account {account.name!r} consists of: {error}") from error
    for part in parts:
        if not part.kind & source.contains:
            continue
        if part.kind is Contains.HOMEDIR:
            yield _attempt(part, partial(_save_home, part, source, writer, past, progress))
        else:
            yield _attempt(part, partial(_save_files, part, account, panel, writer))
    if source.contains & DATABASE_KINDS:
        for name, reason in source.broken_engines.items():
            yield _Saved(_failed(Part(Contains.DATABASES, "", name), f"{name}: {reason}"))
        for engine in source.engines.values():
            yield from _save_databases(source, engine, writer, progress)


def _attempt(part: Part, save: Callable[[], _Saved]) -> _Saved:
    """Save a part; what goes wrong on the side of the account becomes a failed part, all else goes through."""
    try:
        return save()
    except (DestinationError, RepositoryError):
        raise
    except JetcoreError as error:
        return _Saved(_failed(part, str(error)))
    except Exception as error:  # a plugin can fail in any way
        return _Saved(_failed(part, f"{type(error).__name__}: {error}"))


def _failed(part: Part, message: str) -> PartReport:
    return PartReport(part=part, outcome=Outcome.FAILED, messages=(message,))


def _save_home(part: Part, source: Source, writer: Writer, past: _Past, progress: OnProgress) -> _Saved:
    tree: SavedTree = save_directory(
        writer,
        source.account.home,
        parent=past.home(),
        base=source.panel.root,
        on_progress=lambda files, size: progress(Progress(phase=str(part), files=files, bytes=size)),
    )
    report = PartReport(
        part=part,
        outcome=tree.outcome,
        path=f"/{HOMEDIR}",
        files=tree.files,
        bytes=tree.bytes,
        messages=tree.messages,
    )
    return _Saved(report, {HOMEDIR: tree.node})


def _save_files(part: Part, account: Account, panel: Panel, writer: Writer) -> _Saved:
    files = panel.read(account, part)
    nodes = {file.path: attrs.evolve(_small_file(writer, file.data), mode=file.mode) for file in files}
    path = posixpath.commonpath([file.path for file in files]) if files else ""
    report = PartReport(
        part=part,
        outcome=Outcome.COMPLETED,
        path=f"/{path}" if path else "",
        files=len(files),
        bytes=sum(len(file.data) for file in files),
    )
    return _Saved(report, nodes)


def _save_databases(source: Source, engine: DumpEngine, writer: Writer, progress: OnProgress) -> Iterator[_Saved]:
    try:
        existing = [database.name for database in engine.databases()]
    except (DestinationError, RepositoryError):
        raise
    except Exception as error:  # a plugin can fail in any way
        # Which databases there are is not known, so the whole kind is missing.
        text = str(error) if isinstance(error, JetcoreError) else f"{type(error).__name__}: {error}"
        yield _Saved(_failed(Part(Contains.DATABASES, "", engine.name), f"{engine.name}: {text}"))
        return
    names = source.panel.databases(source.account, engine.name, existing)
    if source.contains & Contains.DATABASES:
        for name in names:
            part = Part(Contains.DATABASES, name, engine.name)
            yield _attempt(part, partial(_save_dump, part, engine, writer, progress))
    if source.contains & Contains.DATABASE_USERS and names:
        yield from _save_users(engine, names, writer)


def _save_dump(part: Part, engine: DumpEngine, writer: Writer, progress: OnProgress) -> _Saved:
    path = f"databases/{engine.name}/{_file_name(part.name)}.{engine.suffix}"
    done = 0

    with engine.dump(part.name) as stream:

        def read(size: int) -> bytes:
            nonlocal done
            piece = stream.read(size)
            done += len(piece)
            progress(Progress(phase=str(part), bytes=done))
            return piece

        content, size = writer.save_stream(read)
        missing = tuple(stream.missing)
    report = PartReport(
        part=part,
        outcome=Outcome.PARTIAL if missing else Outcome.COMPLETED,
        path=f"/{path}",
        files=1,
        bytes=size,
        messages=missing,
    )
    return _Saved(report, {path: generated_file(content, size)})


def _save_users(engine: DumpEngine, databases: Sequence[str], writer: Writer) -> Iterator[_Saved]:
    try:
        users = engine.users(databases)
    except (DestinationError, RepositoryError):
        raise
    except Exception as error:  # a plugin can fail in any way
        text = str(error) if isinstance(error, JetcoreError) else f"{type(error).__name__}: {error}"
        yield _Saved(_failed(Part(Contains.DATABASE_USERS, "", engine.name), f"{engine.name}: {text}"))
        return
    for user in users:
        path = f"database_users/{engine.name}/{_file_name(user.name)}.{engine.suffix}"
        report = PartReport(
            part=Part(Contains.DATABASE_USERS, user.name, engine.name),
            outcome=Outcome.COMPLETED,
            path=f"/{path}",
            files=1,
            bytes=len(user.definition),
        )
        yield _Saved(report, {path: _small_file(writer, user.definition)})


def _small_file(writer: Writer, data: bytes) -> Node:
    content, size = writer.save_stream(io.BytesIO(data).read)
    return generated_file(content, size)


def _file_name(name: str) -> str:
    """Return *name* as a file name: database servers allow ``/`` and ``..`` in names, folders do not."""
    quoted = quote(name, safe=" @+,!$&'()=~-_.")
    return quoted.replace(".", "%2E") if quoted.strip(".") == "" else quoted


def _ignore(_progress: Progress) -> None:
    pass
