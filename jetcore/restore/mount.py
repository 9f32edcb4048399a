"""Snapshots as a read-only file system, through FUSE: a folder for each, with all that is in it."""

from __future__ import annotations

import errno
import os
import stat
import threading
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

from jetcore.errors import BadInputError, JetcoreError, PluginError
from jetcore.repository import BlobId, Node, Repository, Snapshot

_T = TypeVar("_T")
_TYPES = {
    "file": stat.S_IFREG,
    "dir": stat.S_IFDIR,
    "symlink": stat.S_IFLNK,
    "fifo": stat.S_IFIFO,
    "socket": stat.S_IFSOCK,
    "chardev": stat.S_IFCHR,
    "dev": stat.S_IFBLK,
}
#: Folders and blobs that are kept in memory.
_FOLDERS, _BLOBS = 512, 8
#: Seconds between two looks at the age of the lock.
_LOCK_CHECK = 60.0


def mount(repository: Repository, directory: Path) -> None:
    """Show the snapshots below *directory* until it is unmounted. Nothing can be changed there.

    :raises BadInputError: The directory is missing, or not empty.
    :raises PluginError: FUSE, or its Python package, is not there.
    """
    if not directory.is_dir() or any(directory.iterdir()):
        raise BadInputError(f"{directory} is no empty directory", hint="make one to mount at")
    try:
        # An extra that few need, without types; it looks for libfuse when it is imported.
        import mfusepy  # type: ignore[import-untyped]  # noqa: PLC0415
    except (ImportError, OSError) as error:
        raise PluginError(
            f"cannot mount: {error}", hint="install jetcore[mount] and your system's libfuse3, or use restic mount"
        ) from error
    ended = threading.Event()
    with repository.lock() as lock:

        def keep_lock() -> None:
            while not ended.wait(_LOCK_CHECK):
                lock.refresh()

        threading.Thread(target=keep_lock, name="jetcore-lock", daemon=True).start()
        try:
            mfusepy.FUSE(
                _Operations(repository),
                os.fspath(directory),
                foreground=True,
                nothreads=True,
                ro=True,
                nosuid=True,
                nodev=True,
                fsname="jetcore",
            )
        except RuntimeError as error:
            raise PluginError(f"cannot mount at {directory}: FUSE gave status {error}") from error
        finally:
            ended.set()


class _Operations:
    """What FUSE asks. Paths are text with the bytes that are no UTF-8 escaped, errors are those of the system."""

    use_ns = True

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._snapshots = {_name(snapshot): snapshot for snapshot in repository.snapshots()}
        self._folder = lru_cache(_FOLDERS)(self._load_folder)
        self._blob = lru_cache(_BLOBS)(repository.load_blob)
        self._layout = lru_cache(_BLOBS)(self._find_layout)

    def getattr(self, path: str, _handle: Any = None) -> dict[str, int]:
        node = self._find(path)
        if not isinstance(node, Node):
            time = 0 if node is None else round(node.time.timestamp() * 10**9)
            return {"st_mode": stat.S_IFDIR | 0o555, "st_nlink": 2, "st_mtime": time, "st_ctime": time}
        return {
            "st_mode": _TYPES.get(node.type, 0) | node.mode,
            "st_nlink": max(node.links, 1),
            "st_size": len(node.linktarget) if node.type == "symlink" else node.size,
            "st_blocks": -(-node.size // 512),
            "st_uid": node.uid,
            "st_gid": node.gid,
            "st_rdev": node.device,
            "st_mtime": node.mtime_ns,
            "st_atime": node.mtime_ns,
            "st_ctime": node.ctime_ns,
        }

    def readdir(self, path: str, _handle: Any) -> Iterator[str]:
        yield from (".", "..")
        node = self._find(path)
        if node is None:
            yield from self._snapshots
            return
        tree = node.tree if isinstance(node, Snapshot) else node.subtree
        if not tree:
            raise NotADirectoryError(errno.ENOTDIR, path)
        yield from map(os.fsdecode, _or_eio(self._folder, tree))

    def readlink(self, path: str) -> str:
        return os.fsdecode(self._node(path).linktarget)

    def listxattr(self, path: str) -> list[str]:
        node = self._find(path)
        return [os.fsdecode(name) for name, _ in node.xattrs] if isinstance(node, Node) else []

    def getxattr(self, path: str, name: str, _position: int = 0) -> bytes:
        node = self._find(path)
        found = dict(node.xattrs) if isinstance(node, Node) else {}
        if os.fsencode(name) not in found:
            raise OSError(errno.ENODATA, path)
        return found[os.fsencode(name)]

    def read(self, path: str, size: int, offset: int, _handle: Any) -> bytes:
        content, ends = self._layout(path)
        pieces: list[bytes] = []
        for number in range(bisect_right(ends, offset), len(ends)):
            start = ends[number - 1] if number else 0
            if start >= offset + size:
                break
            data = _or_eio(self._blob, content[number])
            pieces.append(data[max(offset - start, 0) : offset + size - start])
        return b"".join(pieces)

    def _find_layout(self, path: str) -> tuple[tuple[BlobId, ...], list[int]]:
        """Return the blobs of a file, and where each of them ends in it."""
        content = self._node(path).content
        return content, list(accumulate(_or_eio(self._repository.blob_bytes, blob) for blob in content))

    def _node(self, path: str) -> Node:
        node = self._find(path)
        if not isinstance(node, Node):
            raise IsADirectoryError(errno.EISDIR, path)
        return node

    def _find(self, path: str) -> Node | Snapshot | None:
        """Return what is at *path*: a snapshot right below the top, nodes farther down, None for the top itself."""
        first, *names = path.strip("/").split("/")
        if not first:
            return None
        if first not in self._snapshots:
            raise FileNotFoundError(errno.ENOENT, path)
        found: Node | Snapshot = self._snapshots[first]
        for name in names:
            tree = found.tree if isinstance(found, Snapshot) else found.subtree
            below = _or_eio(self._folder, tree).get(os.fsencode(name)) if tree else None
            if below is None:
                raise FileNotFoundError(errno.ENOENT, path)
            found = below
        return found

    def _load_folder(self, tree: BlobId) -> dict[bytes, Node]:
        return {node.name: node for node in self._repository.load_tree(tree)}


def _or_eio(load: Callable[[BlobId], _T], blob: BlobId) -> _T:
    """Return what *load* returns for *blob*; what is missing or damaged is an error of input to the reader."""
    try:
        return load(blob)
    except JetcoreError as error:
        raise OSError(errno.EIO, error.message) from error


def _name(snapshot: Snapshot) -> str:
    return f"{snapshot.time:%Y-%m-%dT%H-%M-%S}-{snapshot.id[:8]}"
