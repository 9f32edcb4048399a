"""What holds for the package as a whole."""

from __future__ import annotations

import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path

import jetcore
from jetcore import abc, errors, model

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*ROOT.glob("jetcore/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")])
LONGEST = 600

#: Imports each module of its arguments in a process of its own. They are forked from one that has loaded other people's
#: packages, which take most of the time and none of the interest.
IMPORT_ALONE = """
import importlib, os, sys, traceback
import alembic, attrs, cattrs, click, cryptography.fernet, orjson, pluggy, pytest, rich.progress, sqlalchemy, zstandard

children = {}
for module in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(module)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    children[child] = module
failed = [module for child, module in children.items() if os.waitpid(child, 0)[1]]
sys.exit(f"cannot be imported alone: {', '.join(failed)}" if failed else 0)
"""


def module_of(path: Path) -> str:
    """Return the dotted name that a source file is imported by."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    if parts[0] == "plugins":
        parts = parts[3:]
    return ".".join(parts).removesuffix(".__init__")


def test_every_module_imports_alone_without_a_warning():
    """Each module can be the first one that a program imports: no hidden order, no cycle, no deprecated call."""
    # env.py is run by Alembic inside of an environment that it makes.
    modules = [module_of(path) for path in SOURCES if path.name != "env.py"]

    done = subprocess.run([sys.executable, "-W", "error", "-c", IMPORT_ALONE, *modules], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_no_module_is_too_long():
    """A module that does not fit into a head is two."""
    lengths = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in SOURCES}

    assert {path: length for path, length in lengths.items() if length > LONGEST} == {}


def test_importing_jetcore_is_cheap():
    """A plugin that wants a name of the contract does not load the database or the cryptography with it."""
    code = "import sys, jetcore; print(*{name.partition('.')[0] for name in sys.modules})"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert {"alembic", "cryptography", "rich", "sqlalchemy", "zstandard"}.isdisjoint(done.stdout.split())


def test_contract_is_public():
    """Every value, interface and error of the contract can be had from the top level, and nothing there is missing."""
    contract = {
        name
        for module in (abc, errors, model)
        for name, thing in vars(module).items()
        if inspect.isclass(thing) and thing.__module__ == module.__name__ and not name.startswith("_")
    }

    assert contract <= set(jetcore.__all__)
    for name in jetcore.__all__:
        assert getattr(jetcore, name) is not None, name


def test_unknown_name_is_an_attribute_error():
    """A name that jetcore does not have is missing in the usual way."""
    assert not hasattr(jetcore, "no_such_name")


def test_versions_agree():
    """The version is one number, in the code and in the installed distribution."""
    assert jetcore.__version__ == importlib.metadata.version("jetcore")
