"""Trees: the folders of a snapshot, as lists of nodes. (Encoding and decoding: see below.)"""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Node:
    """One entry of a folder.

    Names, targets and attributes are raw bytes. Times are nanoseconds since 1970 and may be negative.
    """

    name: bytes
    #: ``file``, ``dir``, ``symlink``, ``dev``, ``chardev``, ``fifo`` or ``socket``.
    type: str
    #: Permission bits with setuid, setgid and sticky, as in Unix; the type is not in it.
    mode: int
    mtime_ns: int
    ctime_ns: int
    uid: int
    gid: int
    user: str = ""
    group: str = ""
    inode: int = 0
    #: Device number of the file system; set only for hard links.
    device_id: int = 0
    size: int = 0
    links: int = 0
    linktarget: bytes = b""
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    #: Device number of a device node.
    device: int = 0
    #: Ids (32 bytes) of the data blobs of a file, in order.
    content: tuple[bytes, ...] = ()
    #: Id (32 bytes) of the tree blob of a folder.
    subtree: bytes = b""
