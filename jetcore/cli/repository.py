"""``jetcore repository``."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from jetcore.cli.session import Group, Session, pass_session, printable, size_text
from jetcore.errors import BadInputError, CorruptRepositoryError, PartialError
from jetcore.model import Secret

if TYPE_CHECKING:
    from jetcore.maintenance import Maintenance
    from jetcore.repository import Node

_destination = click.option("--destination", metavar="NAME", help="Which; the default destination if not given.")
_SIGNS = {"dir": "d", "symlink": "l", "dev": "b", "chardev": "c", "fifo": "p", "socket": "s"}


@click.group(cls=Group)
def repository() -> None:
    """Look after the repository of an account."""


@repository.command()
@click.argument("name")
@_destination
@pass_session
def path(session: Session, name: str, *, destination: str | None) -> None:
    """Print where the repository of an account is, as `restic -r` takes it."""
    with session.open() as core:
        location = core.repository_location(name, destination=destination)
    session.show({"path": location}, location)


@repository.command()
@click.argument("name")
@_destination
@pass_session
def password(session: Session, name: str, *, destination: str | None) -> None:
    """Print the password of an account's repository."""
    with session.open() as core:
        secret = core.repository_password(name, destination=destination).reveal()
    # The one place that gives a secret out: it is what the user asked for.
    session.show({"password": secret}, secret)


# Health --------------------------------------------------------------------------------------------------------------


class _Share(click.ParamType[float]):
    """A share of all: ``10%``."""

    name = "N%"

    def convert(self, value: Any, _parameter: click.Parameter | None, _context: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            share = float(str(value).removesuffix("%")) / 100
        except ValueError:
            share = 0.0
        if not 0.0 < share <= 1.0:
            self.fail(f"{value!r} is no share of the data: it is --read-data or --read-data=N%, behind the name")
        return share


@repository.command()
@click.argument("name")
@click.option(
    "--read-data",
    type=_Share(),
    is_flag=False,
    flag_value="100%",
    default=0.0,
    help="Read everything, too; or with =N% a part of it, the next check another one.",
)
@_destination
@pass_session
def check(session: Session, name: str, *, read_data: float, destination: str | None) -> int:
    """Look for damage. Leaves with status 7 if there is any.

    A check that broke off while it read data goes on from there the next time.
    """
    with _maintenance(session, name, destination) as work, session.progress(name) as on_progress:
        report = work.check(read_data=read_data, on_progress=on_progress)
    read = f", {report.read_packs:,} of them read as a whole, {size_text(report.read_bytes)}" if read_data else ""
    lines = [f"{'damaged' if one.damage else 'note'}: {one.name}: {one.problem}" for one in report.findings]
    verdict = "no damage" if report.is_sound else "DAMAGED; mend it with: jetcore repository repair"
    lines.append(f"{name}: {report.snapshots:,} snapshots, {report.packs:,} packs{read}: {verdict}")
    session.show(report, lambda: printable("\n".join(lines)))
    return 0 if report.is_sound else CorruptRepositoryError.exit_code


@repository.command()
@click.argument("name")
@click.option("--read-data", is_flag=True, help="Read everything, to find wrong bytes that are not seen otherwise.")
@_destination
@pass_session
def repair(session: Session, name: str, *, read_data: bool, destination: str | None) -> int:
    """Make a damaged repository sound again, giving up only what is lost.

    The index is made anew from the packs. A restore point of which something is lost says so from then on; what is left
    of it can still be restored. Leaves with status 3 if there is such a point.
    """
    with _maintenance(session, name, destination, mend_config=True) as work, session.progress(name) as on_progress:
        report = work.repair(read_data=read_data, on_progress=on_progress)
    lines = [f"damaged: {pack}: {problem}" for pack, problem in report.lost_packs.items()]
    for one in report.damaged:
        lines += [f"lost: snapshot {one.id[:8]}:{os.fsdecode(place)}: {problem}" for place, problem in one.lost]
    lines += [f"whole again: snapshot {snapshot_id[:8]}" for snapshot_id in report.whole_again]
    index = "the index was made anew" if report.new_index else "the index is right"
    lines.append(
        f"{name}: {index}, {report.saved_blobs:,} blobs saved out of damaged packs, "
        f"{len(report.damaged):,} damaged snapshots kept apart"
    )
    session.show(report, lambda: printable("\n".join(lines)))
    return PartialError.exit_code if report.damaged else 0


@repository.command()
@click.argument("name")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@_destination
@pass_session
def prune(session: Session, name: str, *, dry_run: bool, destination: str | None) -> None:
    """Remove what no restore point needs any more, and merge small files.

    It can be stopped at any moment; the next one goes on.
    """
    with _maintenance(session, name, destination) as work, session.progress(name) as on_progress:
        report = work.prune(dry_run=dry_run, on_progress=on_progress)
    session.show(
        report,
        f"{name}: {size_text(max(report.freed_bytes, 0))} {'would be freed' if dry_run else 'freed'}, "
        f"{report.removed_packs:,} packs removed, {report.repacked_packs:,} of them after moving "
        f"{size_text(report.moved_bytes)}, {size_text(report.unused_bytes)} not needed stay",
    )


@repository.command()
@click.argument("name")
@click.option("--all", "every", is_flag=True, help="Also locks whose owner may be alive, and damaged ones.")
@_destination
@pass_session
def unlock(session: Session, name: str, *, every: bool, destination: str | None) -> None:
    """Remove the locks that processes which are gone have left."""
    with _maintenance(session, name, destination) as work:
        removed = work.unlock(every=every)
    session.show({"removed": removed}, f"{name}: {removed} locks removed")


# Points --------------------------------------------------------------------------------------------------------------


@repository.command()
@click.argument("name")
@click.argument("points", metavar="POINT...", nargs=-1, required=True)
@_destination
@pass_session
def forget(session: Session, name: str, points: Sequence[str], *, destination: str | None) -> None:
    """Remove restore points; `jetcore repository prune` then frees what only they needed."""
    with _maintenance(session, name, destination) as work:
        forgotten = work.forget(points)
    session.show({"forgotten": forgotten}, "\n".join(f"{name}: point {point[:8]} forgotten" for point in forgotten))


@repository.command("ls")
@click.argument("name")
@click.argument("point", default="latest")
@click.argument("path", default="/")
@click.option("--recursive", "-r", is_flag=True, help="Everything below, too.")
@_destination
@pass_session
def list_(session: Session, name: str, point: str, path: str, *, recursive: bool, destination: str | None) -> None:
    """List what is in a folder of a restore point."""
    with _maintenance(session, name, destination) as work:
        found = work.entries(point, os.fsencode(path), recursive=recursive)
        if session.as_json:
            session.show([_entry(where, node) for where, node in found], "")
            return
        for where, node in found:
            mode = _SIGNS.get(node.type, "-") + stat.filemode(node.mode)[1:]
            target = f" -> {os.fsdecode(node.linktarget)}" if node.type == "symlink" else ""
            line = f"{mode} {node.uid:>6} {node.gid:>6} {node.size:>12}  {os.fsdecode(where)}{target}"
            click.echo(printable(line).replace("\n", "\\n"))


@repository.command()
@click.argument("name")
@click.argument("one", metavar="POINT")
@click.argument("other", metavar="POINT")
@_destination
@pass_session
def diff(session: Session, name: str, one: str, other: str, *, destination: str | None) -> None:
    """Show what has changed from one restore point to another.

    The signs are + added, - removed, M other contents, U other owner, mode, time or attributes, T other type.
    """
    with _maintenance(session, name, destination) as work:
        changes = work.diff(one, other)
        if session.as_json:
            found = [{"change": change.kind.name.lower(), **_entry(change.path, change.node)} for change in changes]
            session.show(found, "")
            return
        for change in changes:
            slash = "/" if change.node.subtree else ""
            click.echo(printable(f"{change.kind.value} {os.fsdecode(change.path)}{slash}").replace("\n", "\\n"))


@repository.command()
@click.argument("name")
@click.argument("point")
@click.argument("path")
@_destination
@pass_session
def dump(session: Session, name: str, point: str, path: str, *, destination: str | None) -> None:
    """Write a file of a restore point to standard output, or a folder as a tar archive."""
    with _maintenance(session, name, destination) as work, open(1, "wb", closefd=False) as standard_output:
        work.dump(point, os.fsencode(path), standard_output)


@repository.command()
@click.argument("name")
@click.argument("directory", type=click.Path(path_type=Path))
@_destination
@pass_session
def mount(session: Session, name: str, directory: Path, *, destination: str | None) -> None:
    """Show all restore points as a read-only file system, until it is unmounted or this is stopped."""
    with _maintenance(session, name, destination) as work:
        session.note(f"jetcore: {name}: mounted at {directory}; end it with: umount {directory}")
        work.mount(directory.absolute())


@repository.command()
@click.argument("name")
@_destination
@pass_session
def stats(session: Session, name: str, *, destination: str | None) -> None:
    """Show what a repository takes up, and what deduplication and compression save."""
    with _maintenance(session, name, destination) as work, session.progress(name) as on_progress:
        found = work.stats(on_progress=on_progress)
    ratios = {"deduplication": round(found.deduplication, 2), "compression": round(found.compression, 2)}
    session.show(
        {**attrs.asdict(found), **ratios},
        f"snapshots      {found.snapshots:,}\n"
        f"logical        {size_text(found.logical_bytes)} in {found.logical_files:,} files, all snapshots together\n"
        f"unique         {size_text(found.unique_bytes)}, deduplication {found.deduplication:.1f}\n"
        f"packed         {size_text(found.packed_bytes)}, compression {found.compression:.1f}\n"
        f"not needed     {size_text(found.unused_bytes)}\n"
        f"stored         {size_text(found.stored_bytes)} in {found.stored_files:,} files",
    )


# Keys ----------------------------------------------------------------------------------------------------------------


@repository.group(cls=Group)
def keys() -> None:
    """Manage the passwords that open the repository of an account."""


@keys.command("list")
@click.argument("name")
@_destination
@pass_session
def list_keys(session: Session, name: str, *, destination: str | None) -> None:
    """List the keys of a repository: one for each password."""
    with _maintenance(session, name, destination) as work:
        found = work.keys()
    session.table(
        found,
        {
            "KEY": lambda key: key.info.id[:8],
            "CREATED": lambda key: key.info.created.partition(".")[0],
            "BY": lambda key: f"{key.info.username}@{key.info.hostname}",
            "": lambda key: "jetcore's own" if key.own else "",
        },
        empty="The repository has no keys.",
    )


@keys.command()
@click.argument("name")
@click.option("--password-file", type=click.File("r"), help="Has the password as its first line; - is standard input.")
@_destination
@pass_session
def add(session: Session, name: str, *, password_file: Any, destination: str | None) -> None:
    """Let another password open the repository, the account owner's for instance."""
    if password_file is not None:
        new = password_file.readline().rstrip("\r\n")
    else:
        new = click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True)
    if not new:
        raise BadInputError("an empty password would let everybody in")
    with _maintenance(session, name, destination) as work:
        key = work.add_key(Secret(new))
    session.show({"key": key}, f"{name}: key {key[:8]} added")


@keys.command()
@click.argument("name")
@click.argument("key")
@_destination
@pass_session
def remove(session: Session, name: str, key: str, *, destination: str | None) -> None:
    """Keep a password from opening the repository; jetcore's own stays."""
    with _maintenance(session, name, destination) as work:
        removed = work.remove_key(key)
    session.show({"key": removed}, f"{name}: key {removed[:8]} removed")


@contextmanager
def _maintenance(
    session: Session, name: str, destination: str | None, *, mend_config: bool = False
) -> Iterator[Maintenance]:
    with session.open() as core:
        yield core.maintenance(name, destination, mend_config=mend_config)


def _entry(where: bytes, node: Node) -> dict[str, Any]:
    return {
        "path": where,
        "type": node.type,
        "mode": f"{node.mode:04o}",
        "uid": node.uid,
        "gid": node.gid,
        "size": node.size,
        "modified_ns": node.mtime_ns,
        "target": node.linktarget,
    }
