"""What snapshots reach: the folders below them, and the blobs that the files there are made of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import attrs
import orjson

from jetcore.errors import CorruptRepositoryError
from jetcore.model import OnProgress, Progress
from jetcore.repository.blob import BlobId, BlobType
from jetcore.repository.repository import Repository
from jetcore.repository.tree import Node, decode_tree


@attrs.frozen
class Folder:
    """What a tree refers to."""

    subtrees: tuple[BlobId, ...]
    #: Data blobs of all files, those that several share several times.
    content: tuple[BlobId, ...]
    files: int
    #: Size of all files.
    bytes: int


def decode_folder(data: bytes) -> Folder:
    """Return what a tree blob refers to, without looking at all else that is in it.

    :raises CorruptRepositoryError: It is no tree.
    """
    subtrees: list[BlobId] = []
    content: list[BlobId] = []
    files = size = 0
    from_hex = bytes.fromhex
    try:
        for node in orjson.loads(data)["nodes"] or ():
            if node["type"] == "file":
                files += 1
                size += node.get("size", 0)
                pieces = node.get("content")
                if pieces:
                    content += map(from_hex, pieces)
            elif node["type"] == "dir":
                subtrees.append(from_hex(node["subtree"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptRepositoryError(f"it is no tree: {error!r}") from error
    return Folder(tuple(subtrees), tuple(content), files, size)


def decode_folder_strictly(data: bytes) -> Folder:
    """Return what a tree blob refers to after all of it was found right.

    :raises CorruptRepositoryError: Something in it cannot be.
    """
    nodes = decode_tree(data)
    for one, other in pairwise(nodes):
        if one.name >= other.name:
            raise CorruptRepositoryError(f"its entries {one.name!r} and {other.name!r} are not in order")
    for node in nodes:
        if node.type == "dir" and not node.subtree:
            raise CorruptRepositoryError(f"its folder {node.name!r} has no tree")
    return decode_folder(data)


def walk(
    repository: Repository,
    roots: Iterable[BlobId],
    decode: Callable[[bytes], Folder] = decode_folder,
    on_progress: OnProgress | None = None,
) -> Iterator[tuple[BlobId, Folder | CorruptRepositoryError]]:
    """Yield every tree below *roots* once, level by level, those of a level in the order of the packs.

    A tree that is missing or damaged comes with the error.
    """
    level = set(roots)
    seen = set(level)
    done = 0
    while level:
        below: set[BlobId] = set()
        for tree, data in repository.load_blobs(level, BlobType.TREE):
            folder = _try_decode(tree, data, decode)
            if isinstance(folder, Folder):
                below.update(folder.subtrees)
            yield tree, folder
            done += 1
            if on_progress is not None and done % 256 == 0:
                on_progress(Progress(phase="folders", files=done))
        level = below - seen
        seen |= level


@attrs.frozen
class Damage:
    """What of some snapshots cannot be restored."""

    #: What is wrong with trees, by id.
    trees: dict[BlobId, str]
    #: Data blobs that are missing or damaged.
    blobs: frozenset[BlobId]
    #: Trees below which, or in which, any of that is.
    _affected: frozenset[BlobId]

    def is_in(self, tree: BlobId) -> bool:
        """Say whether anything below *tree* is damaged."""
        return tree in self._affected

    def below(self, repository: Repository, tree: BlobId) -> Iterator[tuple[bytes, str]]:
        """Yield path (absolute) and problem of each damaged file and folder below *tree*."""
        pending = [(b"", tree)] if self.is_in(tree) else []
        while pending:
            path, tree = pending.pop()
            if tree in self.trees:
                yield path or b"/", self.trees[tree]
                continue
            folders = []
            for node in repository.load_tree(tree):
                if node.subtree and self.is_in(node.subtree):
                    folders.append((path + b"/" + node.name, node.subtree))
                elif lost := self._lost(node):
                    yield path + b"/" + node.name, f"{lost} of its {len(node.content)} blobs are missing or damaged"
            pending += reversed(folders)

    def _lost(self, node: Node) -> int:
        return sum(blob in self.blobs for blob in node.content)


def find_damage(
    repository: Repository,
    roots: Iterable[BlobId],
    bad: Callable[[BlobId, BlobType], bool],
    decode: Callable[[bytes], Folder] = decode_folder_strictly,
    on_progress: OnProgress | None = None,
) -> Damage:
    """Return what of the snapshots with the trees *roots* cannot be restored.

    :param bad: Says whether a blob is missing, or known to be damaged.
    """
    trees: dict[BlobId, str] = {}
    blobs: set[BlobId] = set()
    tested: set[BlobId] = set()
    parents: defaultdict[BlobId, list[BlobId]] = defaultdict(list)
    hit: set[BlobId] = set()
    for tree, folder in walk(repository, roots, decode, on_progress):
        if isinstance(folder, CorruptRepositoryError):
            trees[tree] = folder.message
            hit.add(tree)
            continue
        if bad(tree, BlobType.TREE):
            trees[tree] = f"tree {tree.hex()} is damaged"
            hit.add(tree)
        for subtree in folder.subtrees:
            parents[subtree].append(tree)
        new = set(folder.content) - tested
        tested |= new
        blobs.update(blob for blob in new if bad(blob, BlobType.DATA))
        if not blobs.isdisjoint(folder.content):
            hit.add(tree)
    affected: set[BlobId] = set()
    pending = list(hit)
    while pending:
        tree = pending.pop()
        if tree not in affected:
            affected.add(tree)
            pending += parents[tree]
    return Damage(trees, frozenset(blobs), frozenset(affected))


def _try_decode(
    tree: BlobId, data: bytes | CorruptRepositoryError, decode: Callable[[bytes], Folder]
) -> Folder | CorruptRepositoryError:
    if isinstance(data, CorruptRepositoryError):
        return data
    try:
        return decode(data)
    except CorruptRepositoryError as error:
        return CorruptRepositoryError(f"tree {tree.hex()} is damaged: {error.message}")
