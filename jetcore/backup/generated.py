"""The part of a restore point that jetcore writes itself: folders and small files around the home directory.

An unchanged account must add nothing but a snapshot file, so an entry whose content is what it was keeps its former
node, times included. The folders exist only as far as something lies in them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Protocol

import attrs

from jetcore.errors import RepositoryError
from jetcore.repository import Node, encode_node, encode_tree


class TreeStore(Protocol):
    """What is needed of a repository's writer."""

    def save_tree(self, encoded: bytes) -> bytes: ...


class TreeSource(Protocol):
    """What is needed of a repository to look at the former point."""

    def load_tree(self, blob: bytes) -> list[Node]: ...


def generated_file(content: tuple[bytes, ...], size: int, *, mode: int = 0o600) -> Node:
    """Return the node of a file that jetcore made: owned by root, changed now; its path gives it its name."""
    now = time.time_ns()
    return Node(
        name=b"", type="file", mode=mode, mtime_ns=now, ctime_ns=now, uid=0, gid=0, size=size, links=1, content=content
    )


def save_layout(
    entries: Mapping[str, Node], writer: TreeStore, former: Mapping[bytes, Node], source: TreeSource
) -> bytes:
    """Store the folders that hold *entries* and return the id of the topmost one.

    :param entries: Nodes by their path in the restore point, relative and ``/``-separated. A node's own name is set
        to the last component of its path.
    :param former: Nodes of the same folder in the former point, by name; empty when there is none.
    :param source: Where the former point's folders are read from.
    """
    folders: dict[str, dict[str, Node]] = {}
    nodes: list[Node] = []
    for path, node in entries.items():
        head, _, rest = path.partition("/")
        if rest:
            folders.setdefault(head, {})[rest] = node
        else:
            nodes.append(_former_or_new(attrs.evolve(node, name=head.encode()), former))
    for name, inside in folders.items():
        past = former.get(name.encode())
        below = _former_nodes(past, source)
        now = time.time_ns()
        folder = Node(
            name=name.encode(),
            type="dir",
            mode=0o700,
            mtime_ns=now,
            ctime_ns=now,
            uid=0,
            gid=0,
            subtree=save_layout(inside, writer, below, source),
        )
        nodes.append(_former_or_new(folder, former))
    return writer.save_tree(encode_tree([encode_node(node) for node in sorted(nodes, key=lambda node: node.name)]))


def _former_nodes(folder: Node | None, source: TreeSource) -> dict[bytes, Node]:
    if folder is None or not folder.subtree:
        return {}
    try:
        return {node.name: node for node in source.load_tree(folder.subtree)}
    except RepositoryError:
        return {}  # it is stored anew, which heals it


def _former_or_new(node: Node, former: Mapping[bytes, Node]) -> Node:
    """Return the former node of the same name if it says the same of everything but the times."""
    past = former.get(node.name)
    if past is not None and attrs.evolve(past, mtime_ns=node.mtime_ns, ctime_ns=node.ctime_ns) == node:
        return past
    return node
