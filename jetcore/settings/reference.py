"""The page ``docs/settings.md``: ``python -m jetcore.settings.reference > docs/settings.md``.

Names, defaults, limits and help come from the fields themselves. Where a setting takes effect is found in the source: a
module that imports a section's class and reads the field, or a plugin that shares it (``shared()``) and reads
that. The rules that only check settings do not count.
"""

from __future__ import annotations

import ast
import enum
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from jetcore.model import Secret
from jetcore.settings import SECTIONS
from jetcore.settings.conditions import RestoreCondition
from jetcore.settings.field import FieldInfo, default_of, fields_of
from jetcore.settings.file_permissions import FilePermissionRule
from jetcore.settings.overrides import AccountOverrides
from jetcore.settings.priorities import PriorityGroup

ROOT = Path(__file__).parents[2]

#: What the settings page of JetBackup calls the sections.
_TITLES = {
    "general": "General Settings",
    "performance": "Performance Settings",
    "mysql": "MySQL Settings",
    "resources": "Resource Settings",
    "restore": "Restore Settings",
    "privacy": "Privacy & Security",
    "panel": "Panel Settings",
    "on_demand": "Backup on Demand",
    "binaries": "Binary Locations",
}
_OBJECTS = (
    ("Queue Priority Groups", "jetcore priorities", PriorityGroup),
    ("Restore Conditions", "jetcore conditions", RestoreCondition),
    ("File Permissions", "jetcore file-permissions", FilePermissionRule),
    ("Manage Account", "jetcore accounts set", AccountOverrides),
)
_PANELS = {"cpanel": "cPanel/WHM", "directadmin": "DirectAdmin", "linux": "Linux"}
#: Settings that say how a database server is reached are handed to its dump engine; without one they do nothing.
_ENGINES = {"panel.mysql_": "dump_mysql", "panel.pg_": "dump_postgresql", "panel.mongodb_": "dump_mongodb"}
#: Modules that read settings only to check or to describe them.
_CHECKERS = {"jetcore.state.rules"}

NO_EFFECT = "no effect yet"

_HEAD = """\
# Settings

<!-- Made by `python -m jetcore.settings.reference > docs/settings.md`; a test holds it against the code. -->

Every setting has one name, `section.field`, with which it is changed from Python and on the command line. The titles
are those of JetBackup's settings page. A plugin's settings are in a section with the plugin's name.

```
jetcore settings show general
jetcore settings set performance.backup_forks=4 general.logs_ttl=14    # all of them or none
jetcore settings set panel.mysql_password=-                            # a secret is asked for, or read from a pipe
jetcore settings unset general.logs_ttl
jetcore settings check                                                 # disks, programs, jobs and the panel
jetcore settings history
jetcore settings export > settings.toml                                # for git and Ansible; no secrets in it
jetcore settings import settings.toml
```

```python
with jetcore.open() as core:
    core.settings.assign("performance", core.sections()["performance"], ["backup_forks=4"], who="root")
```

A change takes effect with the next task, without a restart (`general.disabled_plugins` with the next start). `none` is
what is not set. Every change is kept with who made it and when; of a secret only that it changed. Two people who change
a section at the same time do not overwrite each other. What somebody spoils in the database by hand is an error that
names it; a process that runs goes on with what it had before.

The last column says which part of jetcore reads a setting. Where it says *no effect yet*, the setting is kept and
checked, and nothing else.
"""

_BOOTSTRAP = """\
## What has to be known first

Where the database is cannot be in the database. These four are taken from the environment, else from
`/etc/jetcore/jetcore.toml` (for root's jetcore, where neither `--home` nor `JETCORE_HOME` names another one), else from
`jetcore.toml` in the home. Any other key, and any other variable that begins with `JETCORE_`, is an error.

| key | variable | default | |
|---|---|---|---|
| `home` | `JETCORE_HOME` | `/var/lib/jetcore` | Directory of everything; not in the file that lies in it. |
| `database_url` | `JETCORE_DATABASE_URL` | `sqlite:////HOME/state.db` | The state database, SQLite or PostgreSQL. |
| `master_key_file` | `JETCORE_MASTER_KEY_FILE` | `HOME/master.key` | The key that seals every secret in it. |
| `listen` | `JETCORE_LISTEN` | `127.0.0.1:3035` | Where the HTTP API listens; no effect yet. |

## Server Master Encryption Key

Every secret in the database is sealed with the master key; without it, no backup can be restored. It belongs in a safe
place outside this server.

```
jetcore key show      # which key it is, and that it opens the database
jetcore key export    # print it
jetcore key import    # put it back; on a new server before jetcore init
jetcore key rotate    # seal everything anew with a new key; can be interrupted at any time
```
"""


def page() -> str:
    """Return the whole page."""
    effects = readers()
    parts = [_HEAD]
    for section, kind in SECTIONS.items():
        parts.append(f"## {_TITLES[section]}\n\n{_about(kind)}\n\n" + _table(kind, f"{section}.", effects))
    for title, command, kind in _OBJECTS:
        parts.append(f"## {title}\n\n`{command}`: {_sentence(kind)}\n\n" + _table(kind, "", None))
    return "\n".join([*parts, _BOOTSTRAP])


def readers(root: Path = ROOT) -> dict[str, list[str]]:
    """Return the settings that something reads, each with the modules or plugins that do.

    :param root: Directory that holds ``jetcore`` and ``plugins``.
    """
    found: defaultdict[str, set[str]] = defaultdict(set)
    fields = {section: {attribute.name for attribute, _ in fields_of(kind)} for section, kind in SECTIONS.items()}
    for path in sorted((root / "jetcore").rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        if module.startswith("jetcore.settings") or module in _CHECKERS:
            continue
        tree = ast.parse(path.read_bytes())
        read = _attributes(tree)
        for section in _sections_imported(tree):
            for name in fields[section] & read:
                found[f"{section}.{name}"].add(f"`{module}`")
    for plugin in sorted((root / "plugins").glob("*/src")):
        trees = [ast.parse(path.read_bytes()) for path in sorted(plugin.rglob("*.py"))]
        read = {name for tree in trees for name in _attributes(tree)}
        for tree in trees:
            for name, setting in _shared_fields(tree):
                if name in read:
                    found[setting].add(f"plugin `{plugin.parent.name}`")
    lacking = [prefix for prefix, plugin in _ENGINES.items() if not (root / "plugins" / plugin).exists()]
    return {setting: sorted(places) for setting, places in found.items() if not setting.startswith(tuple(lacking))}


def _sections_imported(tree: ast.Module) -> Iterator[str]:
    """Yield the sections whose classes a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jetcore.settings."):
            section = str(node.module).removeprefix("jetcore.settings.")
            kind = SECTIONS.get(section)
            if kind is not None and kind.__name__ in {alias.name for alias in node.names}:
                yield section


def _attributes(tree: ast.Module) -> set[str]:
    """Return the names of the attributes that a module reads."""
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)}


def _shared_fields(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Yield the fields that a module declares with ``shared()``, each with its setting."""
    for node in ast.walk(tree):
        match node:
            case ast.AnnAssign(
                target=ast.Name(id=name),
                value=ast.Call(
                    func=ast.Name(id="shared") | ast.Attribute(attr="shared"),
                    args=[ast.Constant(value=str(setting))],
                ),
            ):
                yield name, setting
            case _:
                pass


def _table(kind: type[Any], prefix: str, effects: Mapping[str, Iterable[str]] | None) -> str:
    attrs.resolve_types(kind)
    heads = ["setting", "on the page", "default", "limits", "what it does"]
    if effects is not None:
        heads.append("takes effect in")
    lines = [_line(heads), _line(["---"] * len(heads)).replace(" ", "")]
    for attribute, info in fields_of(kind):
        name = f"{prefix}{attribute.name}"
        cells = [f"`{name}`", info.title, _default(default_of(attribute)), _limits(attribute.type, info), _help(info)]
        if effects is not None:
            cells.append(", ".join(effects.get(name, [])) or NO_EFFECT)
        lines.append(_line(cells))
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _about(kind: type[Any]) -> str:
    """Return what a section is about: its module's docstring, and what the class's own says beyond its name."""
    about = (sys.modules[kind.__module__].__doc__ or "").strip()
    _, _, more = _sentence(kind).partition(". ")
    return f"{about} {more}".rstrip()


def _sentence(kind: type[Any]) -> str:
    return " ".join((kind.__doc__ or "").split())


def _default(value: Any) -> str:
    if value is None or value in ("", ()) or value == Secret(""):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"`{value}`" if isinstance(value, str) else str(value) if isinstance(value, int | float) else "has to be set"


def _limits(kind: Any, info: FieldInfo) -> str:
    if info.secret:
        return "a secret"
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return "one of " + ", ".join(kind)
    return info.limits or info.unit


def _help(info: FieldInfo) -> str:
    if not info.panels:
        return info.help
    return f"{info.help} ({', '.join(_PANELS[panel] for panel in info.panels)})"


if __name__ == "__main__":
    sys.stdout.write(page())
