"""A source of restores in memory, for trees that no repository would take."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.tree import Node

_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFIFO: "fifo",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "chardev",
    stat.S_IFBLK: "dev",
}


class MemorySource:
    """Trees and blobs in memory: the simplest thing that a restore can read from."""

    fork_safe = True

    def __init__(self) -> None:
        self.trees: dict[bytes, Sequence[Node]] = {}
        self.blobs: dict[bytes, bytes] = {}
        #: Ids of trees and blobs that cannot be read.
        self.damaged: set[bytes] = set()

    def load_tree(self, identity: bytes, /) -> Sequence[Node]:
        """Return the nodes of a tree.

        :raises CorruptRepositoryError: It is among :attr:`damaged`.
        """
        self._check(identity)
        return self.trees[identity]

    def load_blob(self, identity: bytes, /) -> bytes:
        """Return the content of a blob.

        :raises CorruptRepositoryError: It is among :attr:`damaged`.
        """
        self._check(identity)
        return self.blobs[identity]

    def load_blobs(self, identities: Iterable[bytes], /) -> Iterator[tuple[bytes, bytes | CorruptRepositoryError]]:
        """Yield blobs with their contents, or with what is wrong with them."""
        for identity in dict.fromkeys(identities):
            try:
                yield identity, self.load_blob(identity)
            except CorruptRepositoryError as error:
                yield identity, error

    def _check(self, identity: bytes) -> None:
        if identity in self.damaged:
            raise CorruptRepositoryError("data/ab/abcdef is damaged")

    def blob(self, content: bytes) -> bytes:
        """Store *content* and return its id."""
        identity = hashlib.sha256(content).digest()
        self.blobs[identity] = content
        return identity

    def tree(self, nodes: Sequence[Node]) -> bytes:
        """Store *nodes*, whatever they are, and return the tree's id."""
        identity = hashlib.sha256(repr(nodes).encode()).digest()
        self.trees[identity] = nodes
        return identity

    def take(self, path: Path, blob_bytes: int = 700_000) -> Node:
        """Store the directory *path* and return its node; plain recursion is enough for what tests make."""
        return self._take(os.fsencode(path), b"", blob_bytes)

    def file(self, name: bytes, content: bytes = b"content", **changes: Any) -> Node:
        """Store *content* as one blob and return the node of a file that consists of it."""
        return a_node(name, size=len(content), content=(self.blob(content),) if content else (), **changes)

    def folder(self, name: bytes, nodes: Sequence[Node], **changes: Any) -> Node:
        """Store *nodes* and return the node of a directory that consists of them."""
        return a_node(name, "dir", subtree=self.tree(nodes), **changes)

    def _take(self, path: bytes, name: bytes, blob_bytes: int) -> Node:
        facts = os.lstat(path)
        node = Node(
            name=name,
            type=_TYPES[stat.S_IFMT(facts.st_mode)],
            mode=stat.S_IMODE(facts.st_mode),
            mtime_ns=facts.st_mtime_ns,
            ctime_ns=facts.st_ctime_ns,
            uid=facts.st_uid,
            gid=facts.st_gid,
            inode=facts.st_ino,
            device_id=facts.st_dev if facts.st_nlink > 1 else 0,
            links=facts.st_nlink,
            xattrs=tuple(
                (os.fsencode(key), os.getxattr(path, key, follow_symlinks=False))
                for key in os.listxattr(path, follow_symlinks=False)
            ),
        )
        if node.type == "file":
            with open(path, "rb") as file:
                content = file.read()
            cuts = range(0, len(content), blob_bytes)
            blobs = tuple(self.blob(content[cut : cut + blob_bytes]) for cut in cuts)
            return attrs.evolve(node, size=len(content), content=blobs)
        if node.type == "symlink":
            return attrs.evolve(node, linktarget=os.readlink(path))
        if node.type in ("dev", "chardev"):
            return attrs.evolve(node, device=facts.st_rdev)
        if node.type == "dir":
            names = sorted(os.listdir(path))
            return attrs.evolve(
                node, subtree=self.tree([self._take(path + b"/" + child, child, blob_bytes) for child in names])
            )
        return node


def a_node(name: bytes, kind: str = "file", **changes: Any) -> Node:
    """Return a node that belongs to whoever runs the test, with *changes* to its fields."""
    facts: dict[str, Any] = {"mode": 0o755 if kind == "dir" else 0o644, "mtime_ns": 10**18, "ctime_ns": 10**18}
    return Node(name=name, type=kind, **(facts | {"uid": os.getuid(), "gid": os.getgid()} | changes))
