"""Building a folder's tree beside its former one, so that what did not change is taken over as it stands.

The former tree is not decoded. It is compact JSON whose nodes begin with ``{"name":"…","type":"`` (bare quotation marks
cannot occur inside a JSON string, so that is unmistakable), in the order in which the folder is read. A position in it
moves along with the reading. So a folder costs no more memory than its encoding, and an unchanged file a comparison.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable

import attrs

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.blob import BlobId
from jetcore.repository.gojson import json_name
from jetcore.repository.tree import Node, decode_tree, encode_tree

_OPEN = b'{"nodes":['
_ENDS = (b"]}", b"]}\n")
_CONTENT = b'"content":['
_SUBTREE = re.compile(rb'.*"subtree":"([0-9a-f]{64})"\}', re.DOTALL)
_NODE = re.compile(rb'\{"name":"[^"\\]*(?:\\.[^"\\]*)*","type":"')
_NEXT = re.compile(rb'\},(?=\{"name":"[^"\\]*(?:\\.[^"\\]*)*","type":")')
_IDS = re.compile(rb'((?:"[0-9a-f]{64}"(?:,(?="))?)*)\]\}')


@attrs.frozen
class FormerNode:
    """A node of the former tree, decoded as far as it is asked for."""

    encoded: bytes

    @property
    def subtree(self) -> BlobId:
        """Id of the tree of a folder; empty for all else."""
        match = _SUBTREE.fullmatch(self.encoded)
        return unhexlify(match[1]) if match else b""

    def decode(self) -> Node | None:
        """Return the node; None if it makes no sense, which programs with other habits can bring about."""
        try:
            (node,) = decode_tree(b"%b%b]}" % (_OPEN, self.encoded))
        except (CorruptRepositoryError, ValueError):
            return None
        return node


class TreeBuilder:
    """Takes the entries of a folder in the order of their names and returns its encoded tree.

    :param former: The encoded tree of the same folder in the former snapshot, empty if there is none.
    :param has_blob: Says whether a blob is in the repository.
    """

    def __init__(self, former: bytes, has_blob: Callable[[BlobId], bool]) -> None:
        self._former = former
        self._has_blob = has_blob
        self._pieces: list[bytes] = []
        #: Where the next former node begins.
        self._at = len(_OPEN)
        #: The former nodes that were kept last, side by side, and are not in the pieces yet.
        self._run_start = self._run_end = -2
        #: The former node of the entry that is being worked on.
        self._candidate = (0, 0)

    def keep_file(self, head: bytes) -> bool:
        """Take the next former node over, if it begins with *head* and all blobs of its content are there."""
        former = self._former
        at = self._at
        if not former.startswith(head, at):
            return False
        first = at + len(head)
        if not former.startswith(_CONTENT, first):
            first = former.find(_CONTENT, first)  # behind extended attributes
        first += len(_CONTENT)
        end = first + 68
        if former[end - 3 : end] == b'"]}':
            # One blob, as nearly all files have.
            if not self._has_blob(unhexlify(former[first + 1 : end - 3])):
                return False
        else:
            ids = _IDS.match(former, first)
            if ids is None or not self._has_all(ids[1]):
                return False
            end = ids.end()
        self._keep(at, end)
        self._at = end + 1
        return True

    def former_node(self, name: bytes) -> FormerNode | None:
        """Return the former node of entry *name*, which must come after all earlier ones; None if there was none."""
        former = self._former
        head = _head(name)
        while _NODE.match(former, self._at):
            start, end = self._at, self._end_of_node(self._at)
            node = FormerNode(former[start:end])
            if former.startswith(head, start):
                self._candidate = (start, end)
                self._at = end + 1
                return node
            decoded = node.decode()
            if decoded is None or decoded.name > name:
                break
            self._at = end + 1  # gone from the folder
        self._candidate = (0, 0)
        return None

    def former_ahead(self, name: bytes) -> FormerNode | None:
        """Return the former node of an entry that is not due yet; None if there was none."""
        start = self._former.find(_head(name), self._at)
        return FormerNode(self._former[start : self._end_of_node(start)]) if start >= 0 else None

    def add(self, encoded: bytes) -> None:
        """Append the node of an entry, after :meth:`former_node` was asked for its former one."""
        start, end = self._candidate
        if end - start == len(encoded) and self._former.startswith(encoded, start):
            self._keep(start, end)
        else:
            self._flush()
            self._pieces.append(encoded)

    def encode(self) -> bytes:
        """Return the tree. It is the former tree itself if that says the same."""
        if not self._pieces and self._run_start == len(_OPEN) and self._former[self._run_end :] in _ENDS:
            return self._former
        self._flush()
        tree = encode_tree(self._pieces)
        return self._former if tree == self._former else tree

    def _keep(self, start: int, end: int) -> None:
        if start != self._run_end + 1:
            self._flush()
            self._run_start = start
        self._run_end = end

    def _flush(self) -> None:
        if self._run_start >= 0:
            self._pieces.append(self._former[self._run_start : self._run_end])
        self._run_start = self._run_end = -2

    def _has_all(self, ids: bytes) -> bool:
        """Say whether the blobs of a JSON list of ids are there; a sparse file has one of them many times."""
        return all(self._has_blob(unhexlify(blob)) for blob in set(ids.replace(b'"', b"").split(b",")) if blob)

    def _end_of_node(self, start: int) -> int:
        following = _NEXT.search(self._former, start)
        return following.start() + 1 if following else max(start, self._former.rfind(b"]}"))


def _head(name: bytes) -> bytes:
    return b'{"name":"%b","type":"' % json_name(name)
