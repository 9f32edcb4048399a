"""What every command shares: how it opens the core, prints its result and shows progress."""

from __future__ import annotations

import gc
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click
import orjson

from jetcore.errors import JetcoreError
from jetcore.model import OnProgress, Part, Progress, Secret

if TYPE_CHECKING:
    from jetcore.core import Core


@attrs.define
class Session:
    """One call of the command line."""

    home: str | None
    as_json: bool
    debug: bool

    @contextmanager
    def open(self) -> Iterator[Core]:
        """Open the core for the time of a command."""
        from jetcore.core import open as open_core  # noqa: PLC0415  # `jetcore --help` needs no database

        logging.basicConfig(
            level=logging.DEBUG if self.debug else logging.WARNING, format="jetcore: %(message)s", stream=sys.stderr
        )
        with open_core(home=self.home) as core:
            # The forks of this process share its memory as long as nobody writes to it, the collector included.
            gc.freeze()
            gc.enable()
            yield core

    def show(self, value: object, text: str | Callable[[], str]) -> None:
        """Print the result of a command: *value* as JSON, or *text*."""
        if self.as_json:
            sys.stdout.write(orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2).decode() + "\n")
            return
        shown = text if isinstance(text, str) else text()
        if shown:
            sys.stdout.write(shown + "\n")

    def table(self, values: Sequence[object], columns: Mapping[str, Callable[[Any], str]], *, empty: str) -> None:
        """Print *values* as JSON, or as a table with a line each.

        :param columns: For each heading, what its column shows of a value.
        :param empty: Text for no values at all.
        """
        self.show(values, lambda: _table(values, columns) if values else empty)

    def note(self, text: str) -> None:
        """Tell the user something that is not the result."""
        sys.stderr.write(f"jetcore: {printable(text)}\n")

    @contextmanager
    def progress(self, title: str) -> Iterator[OnProgress | None]:
        """Give out a progress callback that draws a bar; None where nobody would see it."""
        if self.as_json or not sys.stderr.isatty():
            yield None
            return
        from jetcore.cli.bar import progress_bar  # noqa: PLC0415  # rich is only worth its start-up on a terminal

        with progress_bar(title) as on_progress:
            yield on_progress

    def fail(self, error: JetcoreError) -> int:
        """Report *error* in one line and return its exit status."""
        if self.debug:
            traceback.print_exception(error)
        if self.as_json:
            document = {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}
            sys.stderr.write(orjson.dumps({"error": document}, default=_plain).decode() + "\n")
        else:
            sys.stderr.write(f"jetcore: {printable(str(error))}\n")
        return error.exit_code

    def crash(self, error: Exception) -> int:
        """Report an error that is our own fault."""
        if self.debug:
            traceback.print_exception(error)
        place = traceback.extract_tb(error.__traceback__)[-1]
        return self.fail(
            JetcoreError(
                f"internal error: {type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})",
                hint="run it again with --debug for the whole story, and report it",
            )
        )


def printable(text: str) -> str:
    """Return *text* without anything that a terminal would obey: control characters and broken Unicode are escaped."""
    return "".join(
        character
        if character.isprintable() or character == "\n"
        else character.encode("unicode_escape", "backslashreplace").decode("ascii")
        if not "\ud800" <= character <= "\udfff"
        else f"\\x{ord(character) & 0xFF:02x}"
        for character in text
    )


def size_text(size: float) -> str:
    """Return a size for people: ``12.3 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_text(time: datetime) -> str:
    """Return a time for people, in the local time zone."""
    return time.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def settings_text(settings: object) -> str:
    """Return the settings of a destination or another object in one line; secrets stay masked."""
    if settings is None:
        return "-"
    return ", ".join(f"{field.name}={getattr(settings, field.name)}" for field in attrs.fields(type(settings)))  # type: ignore[arg-type]  # a settings class is an attrs class


def _table(values: Sequence[object], columns: Mapping[str, Callable[[Any], str]]) -> str:
    rows = [
        list(columns),
        *([printable(cell(value)).replace("\n", "\\n") for cell in columns.values()] for value in values),
    ]
    widths = [max(len(row[index]) for row in rows) for index in range(len(columns))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _plain(value: object) -> object:
    """Give orjson what it does not know by itself. Secrets stay masked."""
    kind: type[Any] = type(value)
    if isinstance(value, Path | Part):
        return str(value)
    if attrs.has(kind):
        return {field.name: getattr(value, field.name) for field in attrs.fields(kind) if field.repr}
    if isinstance(value, Secret):
        return "***" if value else ""
    if isinstance(value, bytes):
        return printable(os.fsdecode(value))
    if isinstance(value, str):
        # Only a text with lone surrogates comes here: bytes of a file name that are no UTF-8.
        return printable(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


class Command(click.Command):
    """A command that also takes ``--json`` behind its name."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options)
        self.params.append(_json_option())


class Group(click.Group):
    """A group whose commands take ``--json``."""

    command_class = Command


class Noun(Group):
    """A group that does something itself, when it is called without one of its commands; it takes ``--json``, too."""

    def __init__(self, *words: Any, **options: Any) -> None:
        super().__init__(*words, **options | {"invoke_without_command": True})
        self.params.append(_json_option())


def _json_option() -> click.Option:
    return click.Option(
        ["--json", "as_json"],
        is_flag=True,
        expose_value=False,
        callback=_switch_to_json,
        help="Print JSON instead of text.",
    )


def _switch_to_json(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        session = ctx.find_object(Session)
        if session is not None:
            session.as_json = True


def pass_session(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give the session to a command as its first argument."""
    return click.make_pass_decorator(Session)(function)


#: Kept here so that commands need not know how progress is made.
__all__ = ["Command", "Group", "Noun", "Progress", "Session", "pass_session", "printable", "size_text", "time_text"]
