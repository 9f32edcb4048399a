"""Names and paths of a restore point: which are fit to be written, and how they are shown to people."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence

from jetcore.errors import BadInputError
from jetcore.repository.tree import Node


def shown(path: bytes) -> str:
    """Return *path* as one line of printable text, whatever its bytes are.

    Bytes that are not UTF-8 and control characters are written as escapes, so that a name can neither break a log nor
    steer a terminal.
    """
    text = path.decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def joined(folder: bytes, name: bytes) -> bytes:
    """Return the path of *name* in *folder*, which is empty for the root."""
    return b"%b/%b" % (folder, name) if folder else name


def name_fault(name: bytes) -> str:
    """Say what makes *name* unfit to be the name of one entry of a directory; empty if nothing does."""
    if not name:
        return "an empty name"
    if name in (b".", b".."):
        return "a name that stands for another directory"
    if b"/" in name:
        return "a name with a slash"
    if b"\0" in name:
        return "a name with a NUL byte"
    return ""


def fit_nodes(nodes: Sequence[Node], refuse: Callable[[bytes, str], None]) -> Sequence[Node]:
    """Return the nodes whose names are fit and occur once; the first of several with one name is kept.

    :param refuse: Called with the name of each other node and the reason.
    """
    seen: set[bytes] = set()
    fit: list[Node] = []
    for node in nodes:
        fault = name_fault(node.name) or ("a name that occurs twice in its directory" if node.name in seen else "")
        if fault:
            refuse(node.name, f"refused: the restore point gives it {fault}")
        else:
            seen.add(node.name)
            fit.append(node)
    return fit


#: What is restored of a directory: the wanted names, each with what is wanted of it; None stands for everything.
Selection = Mapping[bytes, "Selection | None"]


def select(load_tree: Callable[[bytes], Sequence[Node]], tree: bytes, paths: Iterable[bytes]) -> Selection | None:
    """Return which entries below *tree* are meant by *paths*: each of them with everything beneath it.

    :param paths: Relative to the root of *tree*; no paths, or the root itself, select everything.
    :raises BadInputError: A path is not in the tree; the message names those that come nearest.
    """
    wanted: dict[bytes, Selection | None] = {}
    everything = True
    for path in paths:
        names = [name for name in path.split(b"/") if name not in (b"", b".")]
        if not names:
            return None
        everything = False
        _find(load_tree, tree, names)
        _add(wanted, names)
    return None if everything else wanted


def _find(load_tree: Callable[[bytes], Sequence[Node]], tree: bytes, names: list[bytes]) -> None:
    for depth, name in enumerate(names):
        path = b"/".join(names[: depth + 1])
        nodes = load_tree(tree)
        node = next((node for node in nodes if node.name == name), None)
        if node is None:
            raise BadInputError(f"{shown(path)} is not in the restore point", hint=_nearest(nodes, names[:depth], name))
        if depth + 1 < len(names):
            if node.type != "dir":
                raise BadInputError(
                    f"{shown(b'/'.join(names))} is not in the restore point",
                    hint=f"{shown(path)} is a {node.type} there, not a directory",
                )
            tree = node.subtree


def _nearest(nodes: Sequence[Node], above: list[bytes], name: bytes) -> str:
    near = difflib.get_close_matches(shown(name), [shown(node.name) for node in nodes], n=3)
    folder = shown(b"/".join(above))
    if near:
        return "near it are " + ", ".join(f"{folder}/{found}" if folder else found for found in near)
    return f"its directory {folder or '/'} holds {len(nodes)} other entries"


def _add(wanted: dict[bytes, Selection | None], names: list[bytes]) -> None:
    for name in names[:-1]:
        beneath = wanted.setdefault(name, {})
        if not isinstance(beneath, dict):
            return
        wanted = beneath
    wanted[names[-1]] = None
