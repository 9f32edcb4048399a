"""The command line: ``jetcore``.

One module a noun; each command's module is imported when the command is called, so that a nightly backup does not pay
for code that it does not use.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import NoReturn

import click

from jetcore.cli.session import Session, printable
from jetcore.errors import BadInputError, JetcoreError
from jetcore.process import keep_freed_memory

#: Where each command lives.
COMMANDS = {
    "accounts": "jetcore.cli.accounts:accounts",
    "alerts": "jetcore.cli.alerts:alerts",
    "backup": "jetcore.cli.backup:backup",
    "conditions": "jetcore.cli.conditions:conditions",
    "destinations": "jetcore.cli.destinations:destinations",
    "file-permissions": "jetcore.cli.file_permissions:file_permissions",
    "init": "jetcore.cli.init:init",
    "key": "jetcore.cli.key:key",
    "plugins": "jetcore.cli.plugins:plugins",
    "points": "jetcore.cli.points:points",
    "priorities": "jetcore.cli.priorities:priorities",
    "repository": "jetcore.cli.repository:repository",
    "restore": "jetcore.cli.restore:restore",
    "settings": "jetcore.cli.settings:settings",
    "upgrade": "jetcore.cli.init:upgrade",
}


class _Root(click.Group):
    """The root group: finds its own commands by name, and asks plugins for theirs only when it has to."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._ask_plugins(ctx)
        return sorted({*COMMANDS, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in COMMANDS:
            module, _, name = COMMANDS[cmd_name].partition(":")
            command: click.Command = getattr(importlib.import_module(module), name)
            return command
        self._ask_plugins(ctx)
        return self.commands.get(cmd_name)

    def _ask_plugins(self, ctx: click.Context) -> None:
        session = ctx.find_object(Session)
        # No database, no plugins: `jetcore --help` works before `jetcore init`.
        with contextlib.suppress(JetcoreError):
            if session is None:
                return
            with session.open() as core:
                core.plugins.cli_commands(self)


@click.group(cls=_Root, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--home", envvar="JETCORE_HOME", metavar="DIR", help="Directory where jetcore keeps everything.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
@click.option("--debug", is_flag=True, help="Show tracebacks and debug messages.")
@click.version_option(package_name="jetcore", message="%(prog)s %(version)s")
@click.pass_context
def root(ctx: click.Context, home: str | None, *, as_json: bool, debug: bool) -> None:
    """Back up and restore web-hosting accounts."""
    ctx.obj = Session(home=home, as_json=as_json, debug=debug)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with the exit status of the error tree."""
    signal.signal(signal.SIGTERM, terminated)
    # What is imported from here on lives as long as the process; looking through it for garbage takes a tenth of the
    # start. It is switched on again when the command begins its work.
    gc.disable()
    keep_freed_memory()
    sys.exit(run(arguments))


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    # Known before the words are parsed, because parsing can fail.
    session = Session(home=None, as_json="--json" in words, debug="--debug" in words)
    try:
        status = root.main(args=words, prog_name="jetcore", standalone_mode=False)
    except JetcoreError as error:
        return session.fail(error)
    except click.ClickException as error:
        return session.fail(_usage_error(error))
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("jetcore: interrupted\n")
        return 130
    except BrokenPipeError:
        # The reader of our output has gone; nothing more can be told. Keep Python from flushing into the void.
        sys.stdout = None
        return 0
    except Exception as error:  # the border: nobody sees a traceback unless they ask for it
        return session.crash(error)
    return status if isinstance(status, int) else 0


def _usage_error(error: click.ClickException) -> BadInputError:
    context = getattr(error, "ctx", None)
    hint = f"see {context.command_path} --help" if context is not None else ""
    return BadInputError(printable(error.format_message()).rstrip("."), hint=hint)


def terminated(_signal: int, _frame: FrameType | None) -> None:
    """Handle SIGTERM like Ctrl-C: what was begun is left in order."""
    raise KeyboardInterrupt
