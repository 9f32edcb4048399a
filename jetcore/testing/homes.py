"""A repository in memory that home directories are stored in, for tests of reading them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from jetcore.backup.reader import Parent, SavedTree, save_directory
from jetcore.model import Secret
from jetcore.repository import MasterKeys, Node, Repository
from jetcore.testing.memory import MemoryDestination

_PREFIX = "alice-1a2b3c4d/"


@functools.cache
def _empty_repository() -> tuple[Mapping[str, bytes], MasterKeys]:
    # Made once: deriving a key from a password takes a good part of a second, on purpose.
    destination = MemoryDestination()
    keys = Repository.init(destination, _PREFIX, Secret("secret")).keys
    return destination.objects, keys


class HomeStore:
    """Stores directories and gives back what was stored."""

    def __init__(self) -> None:
        objects, keys = _empty_repository()
        self.destination = MemoryDestination()
        self.destination.objects.update(objects)
        self.repository = Repository.open(self.destination, _PREFIX, keys=keys)

    def save(self, root: Path, *, former: SavedTree | None = None, **options: Any) -> SavedTree:
        """Store *root* as a backup does.

        :param former: An earlier result. Its reading counts as begun long after everything up to now, so what is as it
            was needs no second look; give ``parent`` instead to say when it began.
        """
        if former is not None:
            later = datetime.now(UTC) + timedelta(hours=1)
            options["parent"] = Parent(repository=self.repository, tree=former.tree, scan_started=later)
        with self.repository.writer() as writer:
            return save_directory(writer, root, **options)

    def nodes(self, saved: SavedTree) -> dict[bytes, Node]:
        """Return what was stored by its path, folders included, the root not."""
        found: dict[bytes, Node] = {}
        waiting = [(b"", saved.tree)]
        while waiting:
            folder, tree = waiting.pop()
            for node in self.repository.load_tree(tree):
                path = folder + node.name
                found[path] = node
                if node.type == "dir":
                    waiting.append((path + b"/", node.subtree))
        return found

    def content(self, node: Node) -> bytes:
        """Return the content of a stored file."""
        return b"".join(self.repository.read_file(node))
