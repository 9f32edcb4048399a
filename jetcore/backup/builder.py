"""Building a folder's tree beside its former one, so that what did not change is taken over as it stands.

The former tree is not decoded. It is compact JSON whose nodes begin with ``{"name":"…","type":"`` (bare quotation marks
cannot occur inside a JSON string, so that is unmistakable), in the order in which the folder is read. A position in it
moves along with the reading. So a folder costs no more memory than its encoding, and an unchanged file a comparison.
"""

from __future__ import annotations

import re
from binascii import unhexlify
from collections.abc import Callable

from jetcore.errors import CorruptRepositoryError
from jetcore.repository.gojson import json_name
from jetcore.repository.tree import Node, decode_tree, encode_tree

_OPEN = b'{"nodes":['
_ENDS = (b"]}", b"]}\n")
_CONTENT = b'"content":['
_NODE = re.compile(rb'\{"name":"[^"\\]*(?:\\.[^"\\]*)*","type":"')
_NEXT = re.compile(rb'\},(?=\{"name":"[^"\\]*(?:\\.[^"\\]*)*","type":")')
_IDS = re.compile(rb'((?:"[0-9a-f]{64}"(?:,(?="))?)*)\]\}')


class TreeBuilder:
    """Takes the entries of a folder in the order of their names and returns its encoded tree.

    :param former: The encoded tree of the same folder in the former snapshot, empty if there is none.
    :param has_blob: Says whether a blob is in the repository.
    """

    def __init__(self, former: bytes, has_blob: Callable[[bytes], bool]) -> None:
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
        content = at + len(head)
        if not former.startswith(_CONTENT, content):
            content = former.find(_CONTENT, content)
        first = content + len(_CONTENT)
        end = first + 68
        if former[end - 3 : end] == b'"]}':
            # One blob, as nearly all files have.
            if not self._has_blob(unhexlify(former[first + 1 : end - 3])):
                return False
        else:
            ids = _IDS.match(former, first)
            if ids is None or not all(
                map(self._has_blob, map(unhexlify, set(ids[1].replace(b'"', b"").split(b",")) - {b""}))
            ):
                return False
            end = ids.end()
        if at != self._run_end + 1:
            self._flush()
            self._run_start = at
        self._run_end = end
        self._at = end + 1
        return True

    def former_node(self, name: bytes) -> Node | None:
        """Return the former node of entry *name*, which must come after all earlier ones; None if there was none."""
        self._candidate = (0, 0)
        while _NODE.match(self._former, self._at):
            start, end = self._at, self._end_of_node(self._at)
            node = self._decode(start, end)
            if node is None:
                self._at = len(self._former)
                return None
            if node.name > name:
                return None
            self._at = end + 1
            if node.name == name:
                self._candidate = (start, end)
                return node
        return None

    def former_ahead(self, name: bytes) -> Node | None:
        """Return the former node of an entry that is not due yet; None if there was none."""
        start = self._former.find(b'{"name":"%b","type":"' % json_name(name), self._at)
        return self._decode(start, self._end_of_node(start)) if start >= 0 else None

    def add(self, encoded: bytes) -> None:
        """Append the node of an entry, after :meth:`former_node` was asked for its former one."""
        start, end = self._candidate
        if end - start != len(encoded) or self._former[start:end] != encoded:
            self._flush()
            self._pieces.append(encoded)
            return
        if start != self._run_end + 1:
            self._flush()
            self._run_start = start
        self._run_end = end

    def encode(self) -> bytes:
        """Return the tree. It is the former tree itself if that says the same."""
        if not self._pieces and self._run_start == len(_OPEN) and self._former[self._run_end :] in _ENDS:
            return self._former
        self._flush()
        tree = encode_tree(self._pieces)
        return self._former if tree == self._former else tree

    def _flush(self) -> None:
        if self._run_start >= 0:
            self._pieces.append(self._former[self._run_start : self._run_end])
        self._run_start = self._run_end = -2

    def _decode(self, start: int, end: int) -> Node | None:
        try:
            return decode_tree(b"%b%b]}" % (_OPEN, self._former[start:end]))[0]
        except CorruptRepositoryError:
            # Written by a program with other habits: of no use here.
            return None

    def _end_of_node(self, start: int) -> int:
        following = _NEXT.search(self._former, start)
        return following.start() + 1 if following else self._former.rindex(b"]}")
