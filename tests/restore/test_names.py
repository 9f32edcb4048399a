from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jetcore.restore.names import fit_nodes, name_fault, shown
from jetcore.testing.sources import a_node


@given(st.binary())
def test_shown_is_one_printable_line(path: bytes) -> None:
    """Whatever bytes a path has, it is shown as printable text."""
    assert shown(path).isprintable()


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])))
def test_shown_keeps_plain_text(text: str) -> None:
    """Printable UTF-8 is shown as it is."""
    assert shown(text.encode()) == text


@given(st.binary(min_size=1).filter(lambda name: name not in (b".", b"..") and b"/" not in name and b"\0" not in name))
def test_fit_names(name: bytes) -> None:
    """Every name that Linux allows is fit."""
    assert name_fault(name) == ""


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"a\0"])
def test_unfit_names(name: bytes) -> None:
    """A name that no entry can have is unfit."""
    assert name_fault(name)


def test_first_of_twins_is_kept() -> None:
    """Of entries with one name the first is kept and each other is refused."""
    nodes = [a_node(b"a"), a_node(b"b"), a_node(b"a", "dir"), a_node(b"a", "fifo")]
    refused: list[bytes] = []

    assert fit_nodes(nodes, lambda name, _reason: refused.append(name)) == nodes[:2]
    assert refused == [b"a", b"a"]
