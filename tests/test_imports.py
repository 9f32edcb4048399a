"""Who may import whom. The table is that of docs/architecture.md; what it forbids wants another place, not a detour."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "jetcore"

VALUES = {"errors", "model"}
CONTRACT = VALUES | {"abc"}
WORK = CONTRACT | {"version", "process", "names", "repository", "destinations", "plugins", "settings", "state"}
#: Each unit of the package, a module or a subpackage, with the units that it may import. A unit names only units that
#: stand above it, so there are no cycles, not even ones hidden in a function.
MAY_IMPORT: dict[str, set[str]] = {
    "version": set(),
    "process": set(),
    "errors": set(),
    "names": {"errors"},
    "model": {"errors"},
    "abc": VALUES,
    "hookspecs": CONTRACT,
    "settings": VALUES,
    "bootstrap": VALUES | {"settings"},
    "destinations": CONTRACT | {"settings"},
    "plugin_check": CONTRACT | {"hookspecs"},
    "plugins": CONTRACT | {"version", "hookspecs", "plugin_check", "settings", "destinations"},
    "state": VALUES | {"names", "settings"},
    "security": VALUES | {"plugins", "settings", "state"},
    "repository": CONTRACT | {"version", "process"},
    "backup": WORK,
    "restore": WORK | {"backup"},  # reads the manifest that a backup wrote
    "scheduler": WORK,
    "maintenance": CONTRACT | {"repository", "restore", "state"},
    "storage": WORK,
    "core": WORK | {"storage", "hookspecs", "bootstrap", "security", "backup", "restore", "scheduler", "maintenance"},
    "installation": VALUES | {"bootstrap", "settings", "state", "security", "core"},
    "__init__": WORK | {"hookspecs", "core"},
    "cli": WORK | {"__init__", "bootstrap", "core", "installation", "maintenance"},
    "testing": WORK | {"__init__", "hookspecs", "plugin_check", "core", "backup", "restore"},
}


def unit_of(path: Path) -> str:
    """Return the unit that a module of the package belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and full dotted name of everything that a module imports, at whatever depth."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def imported_unit(name: str) -> str | None:
    """Return the unit of the package that a dotted name lies in, ``__init__`` for a public name, None for others'."""
    package, _, rest = name.partition(".")
    if package != "jetcore":
        return None
    unit = rest.partition(".")[0]
    known = (PACKAGE / unit / "__init__.py").exists() or (PACKAGE / f"{unit}.py").exists()
    return unit if unit and known else "__init__"


@pytest.mark.parametrize("unit", sorted({unit_of(path) for path in PACKAGE.rglob("*.py")}))
def test_unit_imports_only_what_it_may(unit: str) -> None:
    """Each unit has its line in the table and keeps to it."""
    assert unit in MAY_IMPORT, f"{unit} needs a line in MAY_IMPORT and in docs/architecture.md"

    allowed = MAY_IMPORT[unit] | {unit, None}
    forbidden = [
        f"{path.relative_to(ROOT)}:{line}: {unit} may not import {name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if unit_of(path) == unit
        for line, name in imports_of(path)
        if name.startswith(".") or imported_unit(name) not in allowed
    ]
    assert not forbidden, "\n".join(forbidden)


def test_table_has_no_cycles() -> None:
    """A unit may import only units that stand above it in the table."""
    units = list(MAY_IMPORT)

    for position, (unit, allowed) in enumerate(MAY_IMPORT.items()):
        assert allowed <= set(units[:position]), f"{unit} may import a unit that stands below it"


@pytest.mark.parametrize("plugin", sorted(path.parent.name for path in ROOT.glob("plugins/*/pyproject.toml")))
def test_plugin_knows_only_the_public_names(plugin: str) -> None:
    """A plugin imports jetcore's top level and, in its tests, jetcore.testing; it never imports another plugin."""
    folder = ROOT / "plugins" / plugin
    own = f"jetcore_{plugin}"
    forbidden = []
    for path in sorted(folder.rglob("*.py")):
        in_tests = "tests" in path.relative_to(folder).parts
        for line, name in imports_of(path):
            package = name.partition(".")[0]
            unit = imported_unit(name)
            fits = unit is None or unit == "__init__" or (in_tests and unit == "testing")
            if name.startswith(".") or not fits or (package.startswith("jetcore_") and package != own):
                forbidden.append(f"{path.relative_to(ROOT)}:{line}: may not import {name}")
    assert not forbidden, "\n".join(forbidden)
