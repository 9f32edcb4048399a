"""``jetcore restore``."""

from __future__ import annotations

import os
from collections.abc import Sequence

import click

from jetcore.cli.session import Command, Session, pass_session, size_text
from jetcore.errors import PartialError, RestoreError
from jetcore.model import Outcome, RestoreReport


@click.command(cls=Command)
@click.argument("name")
@click.option("--point", metavar="POINT", default="latest", show_default=True, help="Restore point; a few digits do.")
@click.option("--part", "parts", metavar="PART", multiple=True, help="Only this part: homedir, database:NAME, cron …")
@click.option("--path", "paths", metavar="PATH", multiple=True, help="Only this file or folder of the home directory.")
@click.option("--to", metavar="DIR", help="Write everything as files below DIR and change nothing else.")
@click.option("--destination", metavar="NAME", help="Only look at the points of this destination.")
@pass_session
def restore(
    session: Session,
    name: str,
    *,
    point: str,
    parts: Sequence[str],
    paths: Sequence[str],
    to: str | None,
    destination: str | None,
) -> int:
    """Put an account back as it was at a restore point, in its place or into a directory."""
    with session.open() as core, session.progress(name) as on_progress:
        report = core.restore(
            name,
            point,
            parts=parts,
            paths=[os.fsencode(path) for path in paths],
            to=to,
            destination=destination,
            on_progress=on_progress,
        )
    session.show(report, lambda: _text(report))
    for part in report.parts:
        for message in part.messages:
            session.note(f"{name}: {part.part}: {message}")
    for note in report.notes:
        session.note(f"{name}: note: {note}")
    if report.outcome is Outcome.COMPLETED:
        return 0
    return PartialError.exit_code if report.outcome is Outcome.PARTIAL else RestoreError.exit_code


def _text(report: RestoreReport) -> str:
    lines = [f"  {part.part}: {part.outcome}, {part.files:,} files, {size_text(part.bytes)}" for part in report.parts]
    return "\n".join([f"{report.account}: {report.outcome}, from point {report.point[:8]}", *lines])
