"""Writing what is in a snapshot to a stream: a file as it is, a folder as a tar archive."""

from __future__ import annotations

import io
import stat
import tarfile
from itertools import chain
from typing import BinaryIO

from jetcore.errors import BadInputError
from jetcore.repository import Node, Repository, Snapshot
from jetcore.repository.listing import entries
from jetcore.restore.stream import StoredFile

_TYPES = {
    "file": tarfile.REGTYPE,
    "dir": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "fifo": tarfile.FIFOTYPE,
    "chardev": tarfile.CHRTYPE,
    "dev": tarfile.BLKTYPE,
}


def dump(repository: Repository, snapshot: Snapshot, path: bytes, target: BinaryIO) -> None:
    """Write the file at *path* to *target*; or the folder there, as a tar archive with all metadata.

    :raises BadInputError: The snapshot has nothing there, or something without contents.
    :raises CorruptRepositoryError: Something is missing or damaged; what is written by then is not whole.
    """
    node = repository.find(snapshot.tree, path)
    if node is not None and node.type == "file":
        target.writelines(repository.read_file(node))
        return
    if node is not None and not node.subtree:
        raise BadInputError(f"{path.decode('utf-8', 'surrogateescape')} is a {node.type}, which has no contents")
    links: dict[tuple[int, int], str] = {}
    with tarfile.open(
        fileobj=target, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        below = entries(repository, snapshot, path, recursive=True)
        for name, entry in below if node is None else chain([(path.rstrip(b"/"), node)], below):
            info = _info(name.lstrip(b"/").decode("utf-8", "surrogateescape"), entry)
            if info is None:
                continue  # a socket, which no archive can hold
            if entry.type != "dir" and entry.links > 1:
                first = links.setdefault((entry.device_id, entry.inode), info.name)
                if first != info.name:
                    info.type, info.linkname, info.size = tarfile.LNKTYPE, first, 0
            archive.addfile(info, io.BufferedReader(StoredFile(repository, entry)) if info.isreg() else None)


def _info(name: str, node: Node) -> tarfile.TarInfo | None:
    kind = _TYPES.get(node.type)
    if kind is None:
        return None
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = stat.S_IMODE(node.mode)
    info.size = node.size if node.type == "file" else 0
    info.uid, info.gid, info.uname, info.gname = node.uid, node.gid, node.user, node.group
    info.linkname = node.linktarget.decode("utf-8", "surrogateescape")
    info.devmajor, info.devminor = (node.device >> 8) & 0xFFF, (node.device & 0xFF) | ((node.device >> 12) & 0xFFF00)
    seconds, nanoseconds = divmod(node.mtime_ns, 10**9)
    info.mtime = max(seconds, 0)
    headers = {
        "SCHILY.xattr." + key.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
        for key, value in node.xattrs
    }
    if seconds < 0:
        headers["mtime"] = f"-{-node.mtime_ns // 10**9}.{-node.mtime_ns % 10**9:09d}"
    elif nanoseconds:  # tarfile's own way leads through a float, which would lose them
        headers["mtime"] = f"{seconds}.{nanoseconds:09d}"
    info.pax_headers = headers
    return info
