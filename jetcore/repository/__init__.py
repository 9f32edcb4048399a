"""Repositories: the restic format, version 2, written and read natively.

The modules follow the format: ``crypto`` seals, ``blob`` and ``chunker`` say what a blob is, ``pack`` and ``index``
where it lies, ``tree`` and ``snapshot`` what it means, ``keys`` and ``lock`` who may come in, ``files`` what all of it
is called. :class:`Repository` reads; :class:`Writer` adds, through a ``sealer`` that fills packs with a ``packer``.
"""

from jetcore.repository.blob import DEFAULT_LEVEL, BlobId, BlobType
from jetcore.repository.crypto import MasterKeys
from jetcore.repository.repository import Repository
from jetcore.repository.snapshot import Snapshot
from jetcore.repository.tree import Node, decode_tree, encode_node, encode_tree
from jetcore.repository.writer import Writer

__all__ = [
    "DEFAULT_LEVEL",
    "BlobId",
    "BlobType",
    "MasterKeys",
    "Node",
    "Repository",
    "Snapshot",
    "Writer",
    "decode_tree",
    "encode_node",
    "encode_tree",
]
