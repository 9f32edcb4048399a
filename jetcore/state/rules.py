"""What must hold between settings and the rest of the world: other settings, jobs, groups, disks, programs, the panel.

The limits of a single field are the field's own. The rules here are looked at when a setting is changed, and all of
them by ``jetcore settings check``; a value that was right when it was set is not refused when the world has changed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import Connection

from jetcore.errors import BadInputError, SettingsError
from jetcore.settings.binaries import Binaries, find_program, version_of
from jetcore.settings.field import nearest, shown
from jetcore.settings.general import General
from jetcore.settings.on_demand import OnDemand
from jetcore.settings.panel import PanelSettings
from jetcore.settings.performance import Performance
from jetcore.settings.trust import way_open_to_others
from jetcore.state import jobs, priorities


@attrs.frozen(kw_only=True)
class PanelFacts:
    """What the panel knows of; empty for what it has no notion of."""

    name: str
    packages: tuple[str, ...] = ()
    ip_addresses: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()


@attrs.frozen
class Note:
    """Something that an administrator should know of a setting that is right."""

    text: str


@attrs.frozen
class Fault:
    """Something that is wrong with a setting."""

    text: str


Finding = Note | Fault


@attrs.frozen(kw_only=True)
class Rules:
    """The rules for the settings of one installation."""

    #: Home directory of jetcore.
    home: Path
    #: Asks the panel; whatever it raises means that the panel cannot be asked now.
    panel: Callable[[], PanelFacts]

    def look(self, connection: Connection, settings: Any, fields: Collection[str]) -> Iterator[Finding]:
        """Yield what there is to say about *settings*.

        :param fields: Names of the fields that are looked at.
        """
        match settings:
            case General():
                yield from self._directories(settings, fields)
            case Performance():
                yield from _groups(connection, settings, fields)
            case OnDemand():
                yield from _job(connection, settings, fields)
            case PanelSettings():
                yield from self._panel_names(settings, fields)
            case Binaries():
                yield from _programs(settings, fields)
            case _:
                pass

    def _directories(self, settings: General, fields: Collection[str]) -> Iterator[Finding]:
        places = {
            "workspace_path": settings.workspace_path or self.home / "workspace",
            "downloads_path": settings.downloads_path or self.home / "downloads",
        }
        real = {name: path.resolve() for name, path in places.items()}
        for name in places.keys() & fields:
            path = places[name]
            for other in places.keys() - {name}:
                if real[name].is_relative_to(real[other]) or real[other].is_relative_to(real[name]):
                    yield Fault(
                        f"general.{name}: {path} and general.{other} ({places[other]}) must not be inside each other"
                    )
            if path.exists() and not path.is_dir():
                yield Fault(f"general.{name}: {path} is not a directory")
            elif reason := way_open_to_others(path):
                yield Fault(f"general.{name}: {path} is not safe from other users: {reason}")
            else:
                existing = next(place for place in (path, *path.parents) if place.exists())
                free = shutil.disk_usage(existing).free
                missing = "" if existing == path else ", which does not exist yet,"
                yield Note(f"general.{name}: {path}{missing} has {free / 1e9:.1f} GB free")

    def _panel_names(self, settings: PanelSettings, fields: Collection[str]) -> Iterator[Finding]:
        wanted = {
            name: (value, what)
            for name, value, what in (
                ("default_package", settings.default_package, "package"),
                ("default_ip", settings.default_ip, "IP address"),
                ("default_owner", settings.default_owner, "owner"),
            )
            if name in fields and value
        }
        if not wanted:
            return
        try:
            facts = self.panel()
        except Exception as error:  # a panel's plugin can fail in any way, and it is only asked for advice
            yield Note(f"panel.{', panel.'.join(wanted)}: not checked, because the panel cannot be asked: {error}")
            return
        known = {
            "default_package": facts.packages,
            "default_ip": facts.ip_addresses,
            "default_owner": facts.owners,
        }
        for name, (value, what) in wanted.items():
            if not known[name]:
                yield Note(f"panel.{name}: has no effect here, the panel {facts.name} does not know of such a thing")
            elif value not in known[name]:
                close = nearest(value, known[name])
                yield Fault(
                    f"panel.{name}: the panel has no {what} {shown(value, quote=True)}{', ' if close else ''}{close}"
                )


def _groups(connection: Connection, settings: Performance, fields: Collection[str]) -> Iterator[Finding]:
    for name, group in (
        ("directories_queue_priority", settings.directories_queue_priority),
        ("ondemand_queue_priority", settings.ondemand_queue_priority),
    ):
        if name in fields:
            try:
                priorities.get(connection, group)
            except BadInputError as error:
                yield Fault(f"performance.{name}: {error}")


def _job(connection: Connection, settings: OnDemand, fields: Collection[str]) -> Iterator[Finding]:
    if "backup" not in fields or not settings.backup:
        return
    try:
        job = jobs.get(connection, settings.backup)
    except BadInputError as error:
        yield Fault(f"on_demand.backup: {error}")
        return
    if not job.enabled:
        yield Fault(f"on_demand.backup: job {job.name!r} is not enabled")


def _programs(settings: Binaries, fields: Collection[str]) -> Iterator[Finding]:
    for name in fields:
        is_set = getattr(settings, name) is not None
        try:
            program = find_program(settings, name)
            yield Note(f"binaries.{name}: {program}: {version_of(program, name)}")
        except SettingsError as error:
            # A program that nobody asked for need not be there: nothing may use it on this server.
            yield Fault(str(error)) if is_set else Note(str(error))
