"""From what ``stat`` says to encoded nodes, quickly: on an account where nothing changed this is most of the work."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from binascii import b2a_hex
from collections.abc import Callable
from typing import Any

import attrs

from jetcore.repository.blob import BlobId
from jetcore.repository.gojson import json_name
from jetcore.repository.times import format_time
from jetcore.repository.tree import Node, encode_node

#: Stand in the sample node for what differs from file to file.
_NAME, _MTIME, _CTIME, _INODE, _SIZE = b"@name@", 1_000_000_001, 2_000_000_002, 7_777_777_777_777, 8_888_888_888_888
_TYPES = {
    stat.S_IFREG: "file",
    stat.S_IFDIR: "dir",
    stat.S_IFLNK: "symlink",
    stat.S_IFBLK: "dev",
    stat.S_IFCHR: "chardev",
    stat.S_IFIFO: "fifo",
}

_TYPE_BITS = 0o170000
_FOLDER = stat.S_IFDIR

Xattrs = tuple[tuple[bytes, bytes], ...]


class NodeEncoder:
    """Makes nodes of what ``stat`` says. Looks every user and group up once."""

    def __init__(self) -> None:
        self._users: dict[int, str] = {}
        self._groups: dict[int, str] = {}
        self._templates: dict[tuple[int, ...], bytes] = {}

    def head(self, name: bytes, facts: os.stat_result) -> bytes:
        """Return the beginning of the node of a file or folder: everything that ``stat`` says.

        A former node that begins so belongs to an entry whose own facts did not change. What follows in it are the
        extended attributes, which cannot change without the ctime, and the content or the id of the tree.
        """
        mode, inode, device, links, uid, gid, size, _, _, _ = facts
        if mode & _TYPE_BITS == _FOLDER:
            links = size = 0
        key = (mode, links, uid, gid, device, size == 0)
        template = self._templates.get(key)
        if template is None:
            template = self._templates[key] = self._template(facts)
        mtime_ns = facts.st_mtime_ns
        ctime_ns = facts.st_ctime_ns
        mtime = format_time(mtime_ns)
        ctime = mtime if ctime_ns == mtime_ns else format_time(ctime_ns)
        if size:
            return template % (json_name(name), mtime, mtime, ctime, inode, size)
        return template % (json_name(name), mtime, mtime, ctime, inode)

    def file(
        self, name: bytes, facts: os.stat_result, *, xattrs: Xattrs, content: tuple[BlobId, ...], size: int
    ) -> bytes:
        """Return the encoded node of a regular file."""
        if len(content) == 1 and not xattrs and size == facts.st_size:
            return b'%b"content":["%b"]}' % (self.head(name, facts), b2a_hex(content[0]))
        return encode_node(self.node(name, facts, xattrs=xattrs, content=content, size=size, links=facts.st_nlink))

    def folder(self, name: bytes, facts: os.stat_result, *, xattrs: Xattrs, subtree: BlobId) -> bytes:
        """Return the encoded node of a folder."""
        if not xattrs:
            return b'%b"content":null,"subtree":"%b"}' % (self.head(name, facts), b2a_hex(subtree))
        return encode_node(self.node(name, facts, xattrs=xattrs, subtree=subtree))

    def node(self, name: bytes, facts: os.stat_result, **more: Any) -> Node:
        """Return the node of an entry, with the fields in *more* beside those that every type has."""
        shared = stat.S_ISREG(facts.st_mode) and facts.st_nlink > 1
        return Node(
            name=name,
            type=_TYPES[stat.S_IFMT(facts.st_mode)],
            mode=stat.S_IMODE(facts.st_mode),
            mtime_ns=facts.st_mtime_ns,
            ctime_ns=facts.st_ctime_ns,
            uid=facts.st_uid,
            gid=facts.st_gid,
            user=_look_up(self._users, facts.st_uid, _user),
            group=_look_up(self._groups, facts.st_gid, _group),
            inode=facts.st_ino,
            device_id=facts.st_dev if shared else 0,
            **more,
        )

    def _template(self, facts: os.stat_result) -> bytes:
        """Return the head of nodes with the same mode, owner and links, learnt from a sample that is encoded whole."""
        more = {}
        if stat.S_ISREG(facts.st_mode):
            more = {"size": _SIZE if facts.st_size else 0, "links": facts.st_nlink}
        sample = attrs.evolve(self.node(_NAME, facts, **more), mtime_ns=_MTIME, ctime_ns=_CTIME, inode=_INODE)
        head, _, _ = encode_node(sample).partition(b'"content":')
        return (
            head.replace(b"%", b"%%")
            .replace(_NAME, b"%b", 1)
            .replace(format_time(_MTIME), b"%b", 2)
            .replace(format_time(_CTIME), b"%b", 1)
            .replace(b"%d" % _INODE, b"%d", 1)
            .replace(b"%d" % _SIZE, b"%d", 1)
        )


def _look_up(known: dict[int, str], number: int, ask: Callable[[int], str]) -> str:
    name = known.get(number)
    if name is None:
        name = known[number] = ask(number)
    return name


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


def read_xattrs(place: int | bytes) -> Xattrs:
    """Return the extended attributes of an open file or folder, or of the entry at a path; ACLs are among them.

    :raises OSError: They cannot be read. A file system that knows none has none.
    """
    follow = isinstance(place, int)
    try:
        names = os.listxattr(place, follow_symlinks=follow)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return ()
        raise
    found = []
    for name in sorted(names):
        try:
            found.append((os.fsencode(name), os.getxattr(place, name, follow_symlinks=follow)))
        except OSError as error:
            if error.errno != errno.ENODATA:  # removed since they were listed
                raise
    return tuple(found)
