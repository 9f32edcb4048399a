"""``jetcore backup``."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from functools import reduce
from operator import or_

import click

from jetcore.cli.session import Command, Session, pass_session, size_text
from jetcore.core import Core
from jetcore.errors import BadInputError, PartialError
from jetcore.model import BackupEnded, Contains, Outcome, RestorePoint, part_kind


@click.command(cls=Command)
@click.argument("names", metavar="NAME...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every account of this server.")
@click.option("--destination", metavar="NAME", help="Where to; the default destination if not given.")
@click.option(
    "--part", "kinds", metavar="KIND", multiple=True, help="Only parts of this kind: homedir, database, cron …"
)
@click.option(
    "--forks",
    metavar="N",
    type=click.IntRange(1, 10),
    default=min(2, os.cpu_count() or 1),
    show_default=True,
    help="How many of several accounts are backed up at once.",
)
@pass_session
def backup(
    session: Session, names: Sequence[str], *, every: bool, destination: str | None, kinds: Sequence[str], forks: int
) -> int:
    """Back up accounts and list a restore point for each."""
    if every == bool(names):
        raise BadInputError("name accounts to back up, or say --all", hint="see jetcore backup --help")
    contains = reduce(or_, (part_kind(kind) for kind in kinds), Contains(0)) or Contains.FULL
    status = 0
    points: list[RestorePoint] = []
    with session.open() as core:
        wanted = [account.name for account in core.accounts()] if every else list(dict.fromkeys(names))
        if len(wanted) == 1:
            results = _one(session, core, wanted[0], destination, contains)
        else:
            results = core.backup_all(wanted, destination, contains=contains, forks=forks)
        began = time.monotonic()
        for ended in results:
            if ended.point is None:
                session.note(f"{ended.account}: {ended.message}")
                status = status if status not in {0, PartialError.exit_code} else ended.exit_code
                continue
            points.append(ended.point)
            if ended.point.outcome is not Outcome.COMPLETED:
                status = status or PartialError.exit_code
            if not session.as_json:
                session.show(ended.point, _line(ended.point, time.monotonic() - began))
            for missing in ended.point.missing:
                session.note(f"{ended.account}: {missing}")
    if session.as_json:
        session.show(points, "")
    return status


def _one(session: Session, core: Core, name: str, destination: str | None, contains: Contains) -> Iterator[BackupEnded]:
    with session.progress(name) as on_progress:
        point = core.backup(name, destination, contains=contains, on_progress=on_progress)
    yield BackupEnded(account=name, point=point)


def _line(point: RestorePoint, seconds: float) -> str:
    return (
        f"{point.account}: {point.outcome}, point {point.id[:8]}, {point.files:,} files, {size_text(point.bytes)}, "
        f"{size_text(point.added_bytes)} added, after {seconds:.1f} s"
    )
