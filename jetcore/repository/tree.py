"""Trees: the folders of a snapshot, as lists of nodes, and the JSON that tree blobs hold.

The order of the fields, what is left out when it is zero, and every escape are those of restic's encoder: a folder
gives the same tree, and thus the same blob, whichever of the two programs stored it last.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64, b2a_hex
from collections.abc import Iterable
from typing import Any, Final

import attrs
import orjson

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.gojson import cached_json_string, json_name, json_string, parse_name
from jetcore.repository.times import format_time, parse_time


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


# Bits of Go's fs.FileMode.
_GO_TYPES: Final = {
    "file": 0,
    "dir": 1 << 31,
    "symlink": 1 << 27,
    "dev": 1 << 26,
    "chardev": 1 << 26 | 1 << 21,
    "fifo": 1 << 25,
    "socket": 1 << 24,
}
_GO_SETUID = 1 << 23
_GO_SETGID = 1 << 22
_GO_STICKY = 1 << 20
_IMPOSSIBLE_NAMES = frozenset((b"", b".", b".."))


def encode_node(node: Node) -> bytes:
    """Return *node* as JSON, equal to what restic makes of the same values."""
    mode = node.mode
    go_mode = _GO_TYPES.get(node.type, 0) | mode & 0o777
    if mode & 0o7000:
        go_mode |= (
            (_GO_SETUID if mode & 0o4000 else 0)
            | (_GO_SETGID if mode & 0o2000 else 0)
            | (_GO_STICKY if mode & 0o1000 else 0)
        )
    mtime = format_time(node.mtime_ns)
    out = b'{"name":"%b","type":"%b",%b"mtime":"%b","atime":"%b","ctime":"%b","uid":%d,"gid":%d' % (
        json_name(node.name),
        node.type.encode(),
        b'"mode":%d,' % go_mode if go_mode else b"",
        mtime,
        mtime,  # restic's own default too: reading a file does not make a new tree
        format_time(node.ctime_ns),
        node.uid,
        node.gid,
    )
    if node.user:
        out += b',"user":"%b"' % cached_json_string(node.user.encode("utf-8", "surrogateescape"))
    if node.group:
        out += b',"group":"%b"' % cached_json_string(node.group.encode("utf-8", "surrogateescape"))
    if node.inode:
        out += b',"inode":%d' % node.inode
    if node.device_id:
        out += b',"device_id":%d' % node.device_id
    if node.size:
        out += b',"size":%d' % node.size
    if node.links:
        out += b',"links":%d' % node.links
    if node.linktarget:
        out += _encode_linktarget(node.linktarget)
    if node.xattrs:
        out += b',"extended_attributes":[%b]' % b",".join(
            b'{"name":"%b","value":%b}' % (json_string(name), _encode_value(value)) for name, value in node.xattrs
        )
    if node.device:
        out += b',"device":%d' % node.device
    if node.content:
        out += b',"content":["%b"]' % b'","'.join(map(b2a_hex, node.content))
    else:
        out += b',"content":[]' if node.type == "file" else b',"content":null'
    if node.subtree:
        out += b',"subtree":"%b"' % b2a_hex(node.subtree)
    return out + b"}"


def encode_tree(encoded_nodes: Iterable[bytes]) -> bytes:
    """Return the contents of a tree blob.

    :param encoded_nodes: What :func:`encode_node` returned for each, in the order of the names' bytes, each name once.
    """
    return b'{"nodes":[%b]}\n' % b",".join(encoded_nodes)


def decode_tree(data: bytes) -> list[Node]:
    """Return the nodes of a tree blob, in the order in which they are stored.

    :raises CorruptRepositoryError: It is no tree, or a node has a name that no entry of a folder can have.
    """
    try:
        return [_decode_node(fields) for fields in orjson.loads(data)["nodes"] or ()]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptRepositoryError(f"it is no tree: {error!r}") from error


def _encode_linktarget(target: bytes) -> bytes:
    text = b',"linktarget":"%b"' % json_string(target)
    try:
        target.decode()
    except UnicodeDecodeError:
        return b'%b,"linktarget_raw":"%b"' % (text, b2a_base64(target, newline=False))
    return text


def _encode_value(value: bytes) -> bytes:
    return b'"%b"' % b2a_base64(value, newline=False)


def _decode_node(fields: dict[str, Any]) -> Node:
    get = fields.get
    name = parse_name(fields["name"])
    if name in _IMPOSSIBLE_NAMES or b"/" in name or b"\0" in name:
        raise ValueError(f"impossible name {name!r}")
    go_mode = get("mode", 0)
    mode = go_mode & 0o777
    if go_mode & (_GO_SETUID | _GO_SETGID | _GO_STICKY):
        mode |= (
            (0o4000 if go_mode & _GO_SETUID else 0)
            | (0o2000 if go_mode & _GO_SETGID else 0)
            | (0o1000 if go_mode & _GO_STICKY else 0)
        )
    raw = get("linktarget_raw")
    target = get("linktarget")
    xattrs = get("extended_attributes")
    content = get("content")
    subtree = get("subtree")
    return Node(
        name=name,
        type=fields["type"],
        mode=mode,
        mtime_ns=parse_time(fields["mtime"]),
        ctime_ns=parse_time(fields["ctime"]),
        uid=get("uid", 0),
        gid=get("gid", 0),
        user=get("user", ""),
        group=get("group", ""),
        inode=get("inode", 0),
        device_id=get("device_id", 0),
        size=get("size", 0),
        links=get("links", 0),
        linktarget=a2b_base64(raw) if raw else target.encode() if target else b"",
        xattrs=tuple([(item["name"].encode(), a2b_base64(item["value"] or "")) for item in xattrs]) if xattrs else (),
        device=get("device", 0),
        content=tuple(map(_decode_id, content)) if content else (),
        subtree=_decode_id(subtree) if subtree else b"",
    )


def _decode_id(text: str) -> bytes:
    blob_id = bytes.fromhex(text)
    if len(blob_id) != 32:
        raise ValueError(f"{text!r} is no id")
    return blob_id
