"""Write the files of a restore point into a target directory that may be hostile.

The walk goes over the trees and makes the directories, closed to everybody else; batches of the other entries are
worked on beside it, in forked processes where there is enough to do. Then hard links are made again, and in the end
directories get their owners, modes and times, the deepest first: what is written into a directory changes its times.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import orjson

from jetcore import errors
from jetcore.errors import CorruptRepositoryError, JetcoreError, RestoreError
from jetcore.process import can_fork
from jetcore.repository.tree import Node
from jetcore.restore.batch import Batcher, BatchRestorer, decode_batch, encode_batch
from jetcore.restore.beneath import Beneath, open_target
from jetcore.restore.directories import Directory, OpenDirectories
from jetcore.restore.entries import explain
from jetcore.restore.metadata import Metadata, Policy, check_fatal
from jetcore.restore.names import Selection, fit_nodes, joined, select
from jetcore.restore.nodes import NodeRestorer, Restored, Source, link_group
from jetcore.restore.report import RestoredTree, RestoreProblem, Tally
from jetcore.restore.workers import Crew, InProcess, Workers

__all__ = ["RestoreProblem", "RestoredTree", "restore_tree"]

_PROGRESS_SECONDS = 0.1
_MOST_WORKERS = 4
_CLOSED = 0o700
_SAME: Mapping[int, int] = MappingProxyType({})


def restore_tree(
    source: Source,
    tree: bytes,
    target: Path,
    *,
    only: Sequence[bytes] = (),
    root: Node | None = None,
    uids: Mapping[int, int] = _SAME,
    gids: Mapping[int, int] = _SAME,
    other_uid: int | None = None,
    other_gid: int | None = None,
    keep_privileges: bool = False,
    allow_devices: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
    workers: int | None = None,
) -> RestoredTree:
    """Restore the directory *tree* into *target*: directories are merged, everything else is replaced.

    What the restore point does not have stays. Nothing is written outside of *target*, whoever changes it meanwhile.

    :param source: The repository.
    :param tree: Id of the tree blob.
    :param target: Absolute; made if it is missing.
    :param only: Paths relative to *tree*; each is restored with everything beneath it. Directories above them are made
        if they are missing and left as they are otherwise. Empty for everything.
    :param root: The node of the directory itself, for the metadata of *target*; None leaves those alone.
    :param uids: Owners in the restore point to owners on this server; who is not in it keeps the number.
    :param gids: The same for groups.
    :param other_uid: Owner of everything whose owner is not in *uids*; None keeps the numbers.
    :param other_gid: The same for groups.
    :param keep_privileges: Put back setuid and setgid bits of files, file capabilities and ``trusted`` attributes.
    :param allow_devices: Make device nodes.
    :param on_progress: Called with the number of files and of bytes restored so far, at most ten times a second.
    :param workers: How many processes to restore files with; 1 for this one alone, None for as many as make sense.
    :returns: Counts, and the problems: each is something that is missing from the target or is not as it should be.
    :raises BadInputError: A path of *only* is not in the tree; nothing was changed.
    :raises UnsafeTargetError: A symbolic link is where a directory belongs, or on the way to it.
    :raises RestoreError: The target takes nothing more: no space, no quota, read-only.
    :raises DestinationError: The repository cannot be read.
    """
    policy = Policy(
        uids=uids,
        gids=gids,
        other_uid=other_uid,
        other_gid=other_gid,
        keep_privileges=keep_privileges,
        allow_devices=allow_devices,
    )
    selection = select(source.load_tree, tree, only)
    with open_target(target) as beneath:
        return _Restore(source, beneath, policy, on_progress, workers).run(tree, selection, root)


class _Restore:
    def __init__(
        self,
        source: Source,
        root: Beneath,
        policy: Policy,
        on_progress: Callable[[int, int], None] | None,
        workers: int | None,
    ) -> None:
        self._source = source
        self._root = root
        self._policy = policy
        self._on_progress = on_progress
        self._next_progress = 0.0
        self._workers = workers
        self._batches = BatchRestorer(source, root, policy)
        self._tally = Tally()
        self._directories: list[Directory] = []
        self._links: dict[tuple[object, ...], list[tuple[Directory, Node]]] = {}

    def run(self, tree: bytes, selection: Selection | None, root: Node | None) -> RestoredTree:
        batches = self._walk(Directory(None, b"", tree, root if selection is None else None, selection))
        self._restore_batches(batches)
        self._restore_links()
        self._finish_directories()
        if self._on_progress:
            self._on_progress(self._tally.files, self._tally.bytes)
        return self._tally.result()

    def _walk(self, top: Directory) -> Iterator[bytes]:
        """Make all directories, collect hard links and yield encoded batches of the other entries."""
        batcher = Batcher()
        waiting = [top]
        with OpenDirectories(self._root) as directories:
            while waiting:
                directory = waiting.pop()
                self._directories.append(directory)
                nodes = self._load(directory)
                try:
                    opened = directories.open(directory)
                except OSError as error:
                    check_fatal(error, self._root.shown_as)
                    self._tally.problem(directory.path, f"not restored, with all that it holds: {error.strerror}")
                    continue
                children: list[Directory] = []
                path: bytes | None = None
                for index, node in enumerate(nodes):
                    if directory.selection is not None and node.name not in directory.selection:
                        continue
                    if node.type == "dir":
                        child = self._make(directory, opened, node)
                        if child:
                            children.append(child)
                    elif (group := link_group(node)) is not None:
                        self._links.setdefault(group, []).append((directory, node))
                    else:
                        path = directory.path if path is None else path
                        if batch := batcher.add(path, directory.tree, index, node.size):
                            yield encode_batch(batch)
                waiting.extend(reversed(children))
        if batch := batcher.rest():
            yield encode_batch(batch)

    def _load(self, directory: Directory) -> Sequence[Node]:
        def refuse(name: bytes, reason: str) -> None:
            self._tally.problem(joined(directory.path, name), reason)

        try:
            return fit_nodes(self._source.load_tree(directory.tree), refuse)
        except CorruptRepositoryError as error:
            self._tally.problem(directory.path, f"nothing that it holds is restored: {error}")
            return ()

    def _make(self, parent: Directory, opened: int, node: Node) -> Directory | None:
        beneath = parent.selection[node.name] if parent.selection is not None else None
        try:
            made = self._make_or_find(parent, opened, node.name)
        except OSError as error:
            check_fatal(error, self._root.shown_as)
            self._tally.problem(joined(parent.path, node.name), explain(error, opened, node.name))
            return None
        # A directory on the way to what was selected is only given metadata if it was not there.
        wanted = made or beneath is None
        return Directory(parent, node.name, node.subtree, node if wanted else None, beneath)

    def _make_or_find(self, parent: Directory, opened: int, name: bytes) -> bool:
        try:
            os.mkdir(name, _CLOSED, dir_fd=opened)
        except FileExistsError:
            found = os.stat(name, dir_fd=opened, follow_symlinks=False).st_mode
            if stat.S_ISDIR(found):
                return False
            if stat.S_ISLNK(found):
                raise self._root.unsafe(joined(parent.path, name)) from None
            os.unlink(name, dir_fd=opened)
            os.mkdir(name, _CLOSED, dir_fd=opened)
        return True

    def _restore_batches(self, batches: Iterator[bytes]) -> None:
        first = next(batches, None)
        if first is None:
            return
        second = next(batches, None)
        in_process = InProcess(self._work, self._reply)
        if second is None:
            in_process.submit(first)
            return
        count = self._worker_count()
        if count == 1:
            self._submit(in_process, first, second, batches)
            return
        with Workers(count, self._work, self._reply) as crew:
            self._submit(crew, first, second, batches)

    def _worker_count(self) -> int:
        if not (self._source.fork_safe and can_fork()):
            return 1
        return self._workers or min(len(os.sched_getaffinity(0)), _MOST_WORKERS)

    def _submit(self, crew: Crew, first: bytes, second: bytes, batches: Iterator[bytes]) -> None:
        crew.submit(first)
        crew.submit(second)
        for batch in batches:
            crew.submit(batch)
        crew.finish()

    def _work(self, request: bytes) -> bytes:
        """Restore a batch; runs in a worker, so that what goes wrong has to be put into the reply."""
        try:
            return self._batches.restore(decode_batch(request)).encode()
        except JetcoreError as error:
            return orjson.dumps({"error": type(error).__name__, "message": error.message, "hint": error.hint})

    def _reply(self, reply: bytes) -> None:
        answer = orjson.loads(reply)
        if "error" in answer:
            kind = getattr(errors, answer["error"], RestoreError)
            raise kind(answer["message"], hint=answer["hint"])
        self._tally.add(answer)
        self._progress()

    def _progress(self) -> None:
        now = time.monotonic()
        if self._on_progress and now >= self._next_progress:
            self._next_progress = now + _PROGRESS_SECONDS
            self._on_progress(self._tally.files, self._tally.bytes)

    def _restore_links(self) -> None:
        """Restore the first entry of each group of hard links and link the others to it."""
        with NodeRestorer(self._source, self._root, self._policy, self._tally) as restorer:
            for group in self._links.values():
                first: Restored | None = None
                for directory, node in group:
                    folder = directory.path
                    if first and restorer.link(first, folder, node.name):
                        continue
                    if restorer.restore(folder, node) and not first:
                        first = restorer.look(folder, node.name)
                self._progress()

    def _finish_directories(self) -> None:
        metadata = Metadata(self._policy, self._tally)
        with OpenDirectories(self._root) as directories:
            for directory in reversed(self._directories):
                if directory.node is not None:
                    self._finish(directory, directory.node, directories, metadata)

    def _finish(self, directory: Directory, node: Node, directories: OpenDirectories, metadata: Metadata) -> None:
        reason = "its owner, mode or times are not restored"
        try:
            opened = directories.open(directory)
            metadata.forget_xattrs(opened, node)
            metadata.apply(opened, node, lambda: directory.path)
        except OSError as error:
            check_fatal(error, self._root.shown_as)
            self._tally.problem(directory.path, f"{reason}: {error.strerror}")
        except (ValueError, OverflowError) as error:
            self._tally.problem(directory.path, f"{reason}: {error}")
        else:
            self._tally.directories += 1
