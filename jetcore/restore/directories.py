"""The directories of a restore point that were made in the target, and descriptors of those that are in use."""

from __future__ import annotations

import os
from collections import OrderedDict
from types import TracebackType
from typing import Self

import attrs

from jetcore.errors import UnsafeTargetError
from jetcore.repository.tree import Node
from jetcore.restore.beneath import Beneath
from jetcore.restore.names import Selection

_MOST_OPEN = 32
_STEPS = 16


@attrs.frozen(eq=False)
class Directory:
    """A directory of the restore point that was made, or found, in the target."""

    #: None for the target itself.
    parent: Directory | None
    name: bytes
    tree: bytes
    #: Its metadata; None if they stay as they are.
    node: Node | None
    #: What of it is restored; None for everything.
    selection: Selection | None

    @property
    def path(self) -> bytes:
        """Where it lies below the target; built when needed, for in deep trees the paths outweigh all else."""
        names: list[bytes] = []
        directory = self
        while directory.parent is not None:
            names.append(directory.name)
            directory = directory.parent
        return b"/".join(reversed(names))


class OpenDirectories:
    """Opens directories beneath a target, from the nearest one that is open already.

    A context manager. The last directories and some of those above them stay open, so that going down or up a tree of
    any depth takes a few steps for each directory and not the whole way.
    """

    def __init__(self, root: Beneath) -> None:
        self._root = root
        self._open: OrderedDict[Directory, int] = OrderedDict()

    def open(self, directory: Directory) -> int:
        """Return a descriptor of *directory*, which stays ours; good until two others have been opened.

        :raises UnsafeTargetError: A component of its path is a symbolic link.
        :raises OSError: A component is missing or no directory.
        """
        missing: list[Directory] = []
        nearest = directory
        while nearest.parent is not None and nearest not in self._open:
            missing.append(nearest)
            nearest = nearest.parent
        opened = self._open.get(nearest, self._root.fd)
        if nearest in self._open:
            self._open.move_to_end(nearest)
        try:
            far = missing[_STEPS:]
            if far:
                opened = self._keep(far[0], self._root.open(b"/".join(step.name for step in reversed(far)), opened))
            for step in reversed(missing[:_STEPS]):
                opened = self._keep(step, self._root.open(step.name, opened))
        except (OSError, UnsafeTargetError):
            # Once more by the whole path, which tells the component that is to blame.
            opened = self._keep(directory, self._root.open(directory.path))
        return opened

    def _keep(self, directory: Directory, opened: int) -> int:
        while len(self._open) >= _MOST_OPEN:
            os.close(self._open.popitem(last=False)[1])
        self._open[directory] = opened
        return opened

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for opened in self._open.values():
            os.close(opened)
        self._open.clear()
