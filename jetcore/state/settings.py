"""Settings in the state database: one row a section, and the history of every change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import attrs
from sqlalchemy import Connection, Engine, insert, select, update

from jetcore.errors import SettingsError, StateError
from jetcore.model import Secret
from jetcore.settings.assign import assign
from jetcore.settings.convert import build, from_document, plain, to_document, values_of
from jetcore.settings.field import default_of, fields_of
from jetcore.settings.secret import MasterKey
from jetcore.state import tables
from jetcore.state.engine import reading, writing

Section = TypeVar("Section")

_table, _history = tables.settings, tables.settings_history

#: What the history says of a secret.
CHANGED = "changed"


@attrs.frozen(kw_only=True)
class Change:
    """One change of a section."""

    section: str
    version: int
    changed: datetime
    changed_by: str
    #: By field: the values before and after; None for both where the field is a secret, or no field any more.
    fields: dict[str, tuple[Any, Any]]


class SettingsStore:
    """The settings of this server.

    Nothing is remembered between calls: what another process saved is seen by the next :meth:`load`.
    """

    def __init__(self, engine: Engine, key: MasterKey) -> None:
        self._engine = engine
        self._key = key

    def load(self, section: str, kind: type[Section]) -> Section:
        """Return the settings of *section*: what was saved, and defaults for all else.

        :param kind: The attrs class of the section.
        :raises SettingsError: What is stored does not fit the class, or a field without a default has not been set.
        """
        return self.load_version(section, kind)[0]

    def load_version(self, section: str, kind: type[Section]) -> tuple[Section, int]:
        """Return the settings of *section* and their version, 0 if none were ever saved.

        :raises SettingsError: As :meth:`load` says.
        """
        with reading(self._engine) as connection:
            document, version = _document(connection, section)
        return from_document(kind, document, self._key, section, place=section), version

    def save(self, section: str, settings: Any, who: str, *, version: int | None = None) -> int:
        """Keep *settings* as those of *section* and return their version.

        :param who: Who changes them, for the history.
        :param version: The version that the change was made from; None to replace whatever is there.
        :raises SettingsError: A value is not allowed; a line for each fault.
        :raises StateError: Somebody else changed the section since *version*.
        """
        # An attrs object was checked when it was made; here its values are held to what can be loaded again.
        kind = type(settings)
        checked = build(kind, _values_in(settings), place=section)
        with writing(self._engine) as connection:
            former, current = self._values(connection, section, kind)
            if version not in {None, current}:
                raise _changed_meanwhile(section)
            return self._save(connection, section, checked, who=who, former=former, version=current)

    def assign(self, section: str, kind: type[Section], assignments: Sequence[str], *, who: str) -> Section:
        """Change fields of *section*, all or none, and return the settings as they now are.

        :param assignments: ``field=value`` each, as :func:`jetcore.settings.assign.assign` reads them.
        :raises SettingsError: Some assignment makes no sense; a line for each fault.
        """
        with writing(self._engine) as connection:
            # What is stored may lack a field that has no default; the assignments may be what sets it.
            values, version = self._values(connection, section, kind)
            changed = assign(kind, assignments, place=section, values=values)
            self._save(connection, section, changed, who=who, former=values, version=version)
        return changed

    def unset(self, section: str, kind: type[Section], names: Sequence[str], *, who: str) -> Section:
        """Give fields of *section* their defaults back, all or none, and return the settings as they now are.

        :raises SettingsError: There is no such field, or it has no default.
        """
        with writing(self._engine) as connection:
            values, version = self._values(connection, section, kind)
            # Also what is stored and has no field (any more): this is how to get rid of it.
            existing = {attribute.name for attribute, _ in fields_of(kind)} | values.keys()
            if unknown := [name for name in names if name not in existing]:
                raise SettingsError("\n".join(f"{section}.{name}: there is no such setting" for name in unknown))
            changed = build(kind, {name: value for name, value in values.items() if name not in names}, place=section)
            self._save(connection, section, changed, who=who, former=values, version=version)
        return changed

    def history(self, section: str | None = None, *, limit: int = 100) -> list[Change]:
        """Return the last changes, newest first.

        :param section: Only changes of this section.
        """
        query = select(_history).order_by(_history.c.changed.desc(), _history.c.version.desc()).limit(limit)
        if section is not None:
            query = query.where(_history.c.section == section)
        with reading(self._engine) as connection:
            return [
                Change(
                    section=row.section,
                    version=row.version,
                    changed=row.changed,
                    changed_by=row.changed_by,
                    fields={
                        name: (None, None) if change == CHANGED else (change[0], change[1])
                        for name, change in row.changes.items()
                    },
                )
                for row in connection.execute(query)
            ]

    def _values(self, connection: Connection, section: str, kind: type[Any]) -> tuple[dict[str, Any], int]:
        """Return the stored values of *section*, not checked but with secrets opened, and its version."""
        document, version = _document(connection, section)
        return values_of(kind, document, self._key, section, place=section), version

    def _save(
        self, connection: Connection, section: str, settings: Any, *, who: str, former: dict[str, Any], version: int
    ) -> int:
        changes = _changes(former, settings)
        if not changes:
            return version
        facts = {"version": version + 1, "changed": datetime.now(UTC), "changed_by": who}
        document = to_document(settings, self._key, section, omit_defaults=True)
        if version == 0:
            connection.execute(insert(_table).values(section=section, document=document, **facts))
        else:
            query = update(_table).where(_table.c.section == section, _table.c.version == version)
            # On PostgreSQL somebody can have saved since the version was read.
            if connection.execute(query.values(document=document, **facts)).rowcount == 0:
                raise _changed_meanwhile(section)
        connection.execute(insert(_history).values(section=section, changes=changes, **facts))
        return version + 1


def _document(connection: Connection, section: str) -> tuple[Any, int]:
    row = connection.execute(select(_table.c.document, _table.c.version).where(_table.c.section == section)).first()
    return ({}, 0) if row is None else (row.document, row.version)


def _values_in(settings: Any) -> dict[str, Any]:
    return {attribute.name: getattr(settings, attribute.name) for attribute, _ in fields_of(type(settings))}


def _changes(former: dict[str, Any], settings: Any) -> dict[str, Any]:
    """Return what the history keeps of the step from the values *former* to *settings*."""
    changes: dict[str, Any] = {}
    for attribute, _ in fields_of(type(settings)):
        default, after = default_of(attribute), getattr(settings, attribute.name)
        if isinstance(after, Secret):
            if former.get(attribute.name, default) not in (after, after.reveal()):
                changes[attribute.name] = CHANGED
            continue
        before = former.get(attribute.name, None if default is attrs.NOTHING else plain(default))
        if before != plain(after):
            changes[attribute.name] = [before, plain(after)]
    gone = former.keys() - _values_in(settings).keys()
    return changes | dict.fromkeys(sorted(gone), CHANGED)


def _changed_meanwhile(section: str) -> StateError:
    return StateError(
        f"the settings {section} were changed by somebody else meanwhile", hint="look at them, then try again"
    )
