"""Looking into a snapshot: its entries one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from jetcore.errors import BadInputError
from jetcore.repository.repository import Repository
from jetcore.repository.snapshot import Snapshot
from jetcore.repository.tree import Node


def entries(
    repository: Repository, snapshot: Snapshot, path: bytes = b"", *, recursive: bool = False
) -> Iterator[tuple[bytes, Node]]:
    """Yield path (absolute) and node of what is in the folder *path*, or of *path* itself if it is none.

    :param recursive: Whether everything below is meant, each folder before what is in it.
    :raises BadInputError: The snapshot has nothing there.
    :raises CorruptRepositoryError: A folder is missing or damaged.
    """
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    prefix = b"".join(b"/" + name for name in names)
    tree = snapshot.tree
    if names:
        node = repository.find(snapshot.tree, b"/".join(names))
        if node is None:
            shown = prefix.decode("utf-8", "surrogateescape")
            raise BadInputError(f"there is no {shown} in snapshot {snapshot.id[:8]}")
        if not node.subtree:
            yield prefix, node
            return
        tree = node.subtree
    pending: list[tuple[bytes, Iterator[Node]]] = [(prefix, iter(repository.load_tree(tree)))]
    while pending:
        folder, nodes = pending[-1]
        following = next(nodes, None)
        if following is None:
            pending.pop()
            continue
        name = folder + b"/" + following.name
        yield name, following
        if recursive and following.subtree:
            pending.append((name, iter(repository.load_tree(following.subtree))))
