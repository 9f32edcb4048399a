"""``jetcore backup``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import reduce
from operator import or_

import click

from jetcore.cli.session import Command, Session, pass_session, size_text
from jetcore.errors import BadInputError, JetcoreError, PartialError
from jetcore.model import Contains, Outcome, RestorePoint, part_kind


@click.command(cls=Command)
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every account of this server.")
@click.option("--destination", metavar="NAME", help="Where to; the default destination if not given.")
@click.option(
    "--part", "kinds", metavar="KIND", multiple=True, help="Only parts of this kind: homedir, database, cron …"
)
@pass_session
def backup(
    session: Session, names: Sequence[str], *, every: bool, destination: str | None, kinds: Sequence[str]
) -> int:
    """Back up accounts and list a restore point for each."""
    if every == bool(names):
        raise BadInputError("name accounts to back up, or say --all", hint="see jetcore backup --help")
    contains = reduce(or_, (part_kind(kind) for kind in kinds), Contains(0)) or Contains.FULL
    points: list[RestorePoint] = []
    errors: list[JetcoreError] = []
    with session.open() as core:
        for name in [account.name for account in core.accounts()] if every else names:
            began = time.monotonic()
            try:
                with session.progress(name) as on_progress:
                    point = core.backup(name, destination=destination, contains=contains, on_progress=on_progress)
            except JetcoreError as error:
                if len(names) == 1:
                    raise
                # One account that fails must not keep the others from being backed up.
                session.fail(error)
                errors.append(error)
                continue
            points.append(point)
            if not session.as_json:
                session.show(point, _line(point, time.monotonic() - began))
            for missing in point.missing:
                session.note(f"jetcore: {name}: {missing}")
    if session.as_json:
        session.show(points, "")
    if errors:
        return errors[0].exit_code
    partial = any(point.outcome is not Outcome.COMPLETED for point in points)
    return PartialError.exit_code if partial else 0


def _line(point: RestorePoint, seconds: float) -> str:
    return (
        f"{point.account}: {point.outcome}, point {point.id[:8]}, {point.files:,} files, {size_text(point.bytes)}, "
        f"{size_text(point.added_bytes)} added, {seconds:.1f} s"
    )
