"""The page that describes every setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from jetcore.settings import SECTIONS
from jetcore.settings.field import fields_of
from jetcore.settings.reference import NO_EFFECT, ROOT, page, readers

PAGE = ROOT / "docs" / "settings.md"


def test_page_is_what_the_fields_say() -> None:
    """The page in the repository is the one that the code makes now: python -m jetcore.settings.reference."""
    assert PAGE.read_text() == page()


def test_every_setting_is_on_the_page() -> None:
    """Each setting has its line, which ends with where it takes effect, or with that it does not yet."""
    lines = {line.split("`")[1]: line for line in PAGE.read_text().splitlines() if line.startswith("| `")}
    effects = readers()

    for section, kind in SECTIONS.items():
        for attribute, info in fields_of(kind):
            name = f"{section}.{attribute.name}"
            assert f"| {info.title} |" in lines[name]
            assert lines[name].endswith(f"| {', '.join(effects.get(name, [NO_EFFECT]))} |")


def test_every_setting_is_read_in_one_place() -> None:
    """Two parts of jetcore that read the same setting would take effect at different times."""
    assert {name: places for name, places in readers().items() if len(places) > 1} == {}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source tree without readers of settings."""
    (tmp_path / "jetcore" / "settings").mkdir(parents=True)
    (tmp_path / "plugins" / "dump_mysql" / "src" / "own").mkdir(parents=True)
    return tmp_path


IMPORT = "from jetcore.settings.general import General\n"


@pytest.mark.parametrize(
    ("place", "code", "expected"),
    [
        ("jetcore/alerts.py", IMPORT + "def old(g: General):\n    return g.alerts_ttl", ["`jetcore.alerts`"]),
        ("jetcore/x/__init__.py", IMPORT + "print(load(General).alerts_ttl)", ["`jetcore.x`"]),
        ("jetcore/alerts.py", "def old(g):\n    return g.alerts_ttl", None),
        ("jetcore/alerts.py", IMPORT + "def old(g: General):\n    return g.alerts", None),
        ("jetcore/alerts.py", IMPORT + "def old(g: General):\n    g.alerts_ttl = 5", None),
        ("jetcore/settings/own.py", IMPORT + "print(General().alerts_ttl)", None),
        (
            "plugins/dump_mysql/src/own/a.py",
            "class S:\n    days: int = shared('general.alerts_ttl', default=1)\nprint(S().days)",
            ["plugin `dump_mysql`"],
        ),
        (
            "plugins/dump_mysql/src/own/a.py",
            "class S:\n    days: int = jetcore.shared('general.alerts_ttl', default=1)",
            None,
        ),
    ],
)
def test_reader_is_found(tree: Path, place: str, code: str, expected: list[str] | None) -> None:
    """Who reads a field of a section whose class it imports, or that a plugin shares, is found; nobody else is."""
    (tree / place).parent.mkdir(exist_ok=True)
    (tree / place).write_text(code)

    assert readers(tree).get("general.alerts_ttl") == expected


def test_access_data_without_its_engine_does_nothing(tree: Path) -> None:
    """How a server is reached has an effect only where something can dump it."""
    code = "from jetcore.settings.panel import PanelSettings\ndef f(p: PanelSettings):\n    p.mysql_host, p.pg_host\n"
    (tree / "jetcore" / "engines.py").write_text(code)

    assert readers(tree) == {"panel.mysql_host": ["`jetcore.engines`"]}
