"""The pages of docs/ say what the code says."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from jetcore import hookspecs
from jetcore.plugin_check import KINDS

HOOKS = (Path(__file__).parents[1] / "docs/hooks.md").read_text()
NAMES = [name for name in vars(hookspecs) if name.startswith("jetcore_")]


@pytest.mark.parametrize("name", NAMES)
def test_hook_has_a_heading_with_its_signature(name):
    """Every hook has a heading on docs/hooks.md that shows its arguments and what it returns."""
    signature = str(inspect.signature(getattr(hookspecs, name))).replace("'", "")

    assert f"\n### `{name}{signature}`\n" in HOOKS


def test_page_names_no_other_hooks():
    """A hook that is gone is gone from docs/hooks.md, and the hooks stand there in the order of a run."""
    headings = [line.split("`")[1].partition("(")[0] for line in HOOKS.splitlines() if line.startswith("### `")]

    assert headings == NAMES


def test_kinds_of_plugins_are_told():
    """Every kind that a plugin's name may begin with is explained on docs/hooks.md."""
    for kind in KINDS:
        assert f"`{kind}_`" in HOOKS
