"""Settings in the state database: one row a section, and the history of every change."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import attrs
import orjson
from sqlalchemy import Connection, Engine, Text, insert, select, type_coerce, update

from jetcore.errors import JetcoreError, SettingsError, StateError
from jetcore.model import Secret
from jetcore.settings import SECTIONS
from jetcore.settings.binaries import Binaries, program_if_any
from jetcore.settings.convert import build, check, from_document, plain, resealed, to_document, values_of
from jetcore.settings.field import default_of, fields_of, shared_of
from jetcore.settings.secret import MasterKey
from jetcore.settings.transfer import exported, imported
from jetcore.settings.upgrade import format_of
from jetcore.state import tables
from jetcore.state.edits import Edit, assigning, make_all, unsetting
from jetcore.state.engine import reading, writing
from jetcore.state.rules import Fault, Finding, Note, Rules
from jetcore.state.server import require_key

Section = TypeVar("Section")

_log = logging.getLogger(__name__)
_table, _history = tables.settings, tables.settings_history

#: What the history says of a secret.
CHANGED = "changed"
#: How often a change is made anew on top of somebody else's.
_ATTEMPTS = 5


@attrs.frozen(kw_only=True)
class Change:
    """One change of a section."""

    section: str
    version: int
    changed: datetime
    changed_by: str
    #: By field: the values before and after; None for both where the field is a secret, or no field any more.
    fields: dict[str, tuple[Any, Any]]


@attrs.frozen(kw_only=True)
class Changed:
    """The settings after a change, by section, and what there is to say about them."""

    settings: Mapping[str, Any]
    notes: tuple[str, ...]


class SettingsStore:
    """The settings of this server.

    What another process saved is seen by the next :meth:`load`.

    :param rules: What must hold between settings and the rest of the world; nothing if not given.
    """

    def __init__(self, engine: Engine, key: MasterKey, *, rules: Rules | None = None) -> None:
        self._engine = engine
        self._key = key
        self._rules = rules
        #: By section and class: what was last in force here.
        self._last: dict[tuple[str, type[Any]], Any] = {}
        self._told: set[str] = set()

    def load(self, section: str, kind: type[Section]) -> Section:
        """Return the settings of *section* that are in force: what was saved, and defaults for all else.

        When somebody has spoiled the row meanwhile, what this store found before stays in force, with an error in the
        log.

        :param kind: The attrs class of the section.
        :raises SettingsError: What is stored does not fit the class, or a field without a default has not been set.
        """
        try:
            settings = self._with_shared(self.load_version(section, kind)[0])
        except SettingsError as error:
            if (section, kind) not in self._last:
                raise
            self._tell(f"the settings {section} stay as they were, because what is stored now is wrong: {error}")
            last: Section = self._last[section, kind]
            return last
        self._last[section, kind] = settings
        return settings

    def load_version(self, section: str, kind: type[Section]) -> tuple[Section, int]:
        """Return the settings of *section* as they are stored, and their version, 0 if none were ever saved.

        :raises SettingsError: What is stored does not fit the class, or a field without a default has not been set.
        """
        with reading(self._engine) as connection:
            row = _row(connection, section)
        settings = from_document(kind, row.document, self._key, section, place=section, version=row.format)
        return settings, row.version

    def save(self, section: str, settings: Any, who: str, *, version: int | None = None) -> int:
        """Keep *settings* as those of *section* and return their version.

        :param who: Who changes them, for the history.
        :param version: The version that the change was made from; None to replace whatever is there.
        :raises SettingsError: A value is not allowed; a line for each fault.
        :raises StateError: Somebody else changed the section since *version*.
        """
        # An attrs object was checked when it was made; here its values are held to what can be loaded again.
        check(settings, place=section)
        edit = Edit(kind=type(settings), make=lambda _values: settings)
        self._change({section: edit}, who=who, version=version)
        with reading(self._engine) as connection:
            return _row(connection, section).version

    def change(self, edits: Mapping[str, Edit], *, who: str) -> Changed:
        """Change sections, all or none, and return them as they now are.

        :raises SettingsError: A value is not allowed; a line for each fault of each section.
        """
        return self._change(edits, who=who)

    def assign(self, section: str, kind: type[Section], assignments: Sequence[str], *, who: str) -> Section:
        """Change fields of *section*, all or none, and return the settings as they now are.

        :param assignments: ``field=value`` each, as :func:`jetcore.settings.assign.assign` reads them.
        :raises SettingsError: Some assignment makes no sense; a line for each fault.
        """
        changed: Section = self._change({section: assigning(section, kind, assignments)}, who=who).settings[section]
        return changed

    def unset(self, section: str, kind: type[Section], names: Sequence[str], *, who: str) -> Section:
        """Give fields of *section* their defaults back, all or none, and return the settings as they now are.

        :raises SettingsError: There is no such field, or it has no default.
        """
        changed: Section = self._change({section: unsetting(section, kind, names)}, who=who).settings[section]
        return changed

    def reset(self, section: str, kind: type[Any], *, who: str) -> None:
        """Give all fields of *section* their defaults back, whatever is stored: also what cannot be read.

        :raises SettingsError: A field has no default.
        """
        build(kind, {}, place=section)
        facts: dict[str, Any] = {"changed": datetime.now(UTC), "changed_by": who}
        with writing(self._engine) as connection:
            version = connection.execute(select(_table.c.version).where(_table.c.section == section)).scalar()
            if version is None:
                return
            facts["version"] = version + 1
            new = {"document": {}, "format": format_of(kind), **facts}
            connection.execute(update(_table).where(_table.c.section == section).values(**new))
            changes = dict.fromkeys([attribute.name for attribute, _ in fields_of(kind)], CHANGED)
            connection.execute(insert(_history).values(section=section, changes=changes, **facts))

    def document(self, section: str, kind: type[Any], *, sealed: bool) -> dict[str, Any]:
        """Return the settings of *section* as they are exported, defaults included.

        :param sealed: Whether its secrets are among them, sealed.
        :raises SettingsError: What is stored does not fit the class.
        """
        settings, _ = self.load_version(section, kind)
        return exported(kind, to_document(settings, self._key, section), sealed=sealed)

    def opened(self, section: str, kind: type[Any], document: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a document that was exported or written by hand, for an edit that sets them.

        :raises MasterKeyError: A sealed secret in it does not open.
        """
        return imported(kind, document, self._key, section)

    def look(self, section: str, kind: type[Any]) -> list[Finding]:
        """Return what there is to say about a section as it is stored: faults and notes."""
        try:
            settings, _ = self.load_version(section, kind)
        except JetcoreError as error:
            return [Fault(line) for line in str(error).splitlines()]
        return self._look(section, settings, [attribute.name for attribute, _ in fields_of(kind)])

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

    def _change(self, edits: Mapping[str, Edit], *, who: str, version: int | None = None) -> Changed:
        """Make the changes on top of what is stored, again when somebody else was faster.

        The rules are looked at outside the transaction that writes: a panel may take its time to answer.
        """
        for _ in range(_ATTEMPTS):
            with reading(self._engine) as connection:
                rows = {section: _row(connection, section) for section in edits}
            if version is not None and any(row.version != version for row in rows.values()):
                break
            former = {section: self._values(rows[section], edit.kind, section) for section, edit in edits.items()}
            settings, faults = make_all(edits, former)
            notes = self._examine(former, settings, faults)
            with writing(self._engine) as connection:
                if any(_row(connection, section).version != row.version for section, row in rows.items()):
                    continue
                for section, row in rows.items():
                    self._save(connection, section, settings[section], who=who, former=former[section], row=row)
            return Changed(settings=settings, notes=notes)
        raise _changed_meanwhile(", ".join(edits))

    def _examine(
        self, former: Mapping[str, dict[str, Any]], settings: Mapping[str, Any], faults: Sequence[str]
    ) -> tuple[str, ...]:
        """Return what there is to say about the fields that change.

        :param faults: What has been found already.
        :raises SettingsError: There is a fault, or a rule does not hold; a line for each.
        """
        findings = [
            finding
            for section, after in settings.items()
            for finding in self._look(section, after, _changes(former[section], after).keys())
        ]
        if broken := [*faults, *(finding.text for finding in findings if isinstance(finding, Fault))]:
            raise SettingsError("\n".join(broken))
        return tuple(finding.text for finding in findings if isinstance(finding, Note))

    def _look(self, section: str, settings: Any, fields: Collection[str]) -> list[Finding]:
        # A section of a plugin that happens to have one of our classes is not ours.
        if self._rules is None or SECTIONS.get(section) is not type(settings):
            return []
        names = [attribute.name for attribute, _ in fields_of(type(settings)) if attribute.name in fields]
        with reading(self._engine) as connection:
            return list(self._rules.look(connection, settings, names))

    def _values(self, row: _Row, kind: type[Any], section: str) -> dict[str, Any]:
        """Return the stored values of *section*, not checked but with secrets opened."""
        return values_of(kind, row.document, self._key, section, place=section, version=row.format)

    def _with_shared(self, settings: Section) -> Section:
        """Return *settings* with the values that they take from jetcore's own sections."""
        values = {name: self._shared(*place.split(".")) for name, place in shared_of(type(settings)).items()}
        if not values:
            return settings
        anything: Any = settings
        filled: Section = attrs.evolve(anything, **values)
        return filled

    def _shared(self, section: str, field: str) -> Any:
        settings = self.load(section, SECTIONS[section])
        if isinstance(settings, Binaries):
            return program_if_any(settings, field)
        return getattr(settings, field)

    def _tell(self, message: str) -> None:
        # A store of a process that runs for months is asked often; the same fault is worth one line.
        if message not in self._told:
            self._told.add(message)
            _log.error("%s", message)

    def _save(
        self, connection: Connection, section: str, settings: Any, *, who: str, former: dict[str, Any], row: _Row
    ) -> None:
        changes = _changes(former, settings)
        if not changes:
            return
        require_key(connection, self._key)
        facts = {"version": row.version + 1, "changed": datetime.now(UTC), "changed_by": who}
        document = to_document(settings, self._key, section, omit_defaults=True)
        values = facts | {"document": document, "format": format_of(type(settings))}
        if row.version == 0:
            connection.execute(insert(_table).values(section=section, **values))
        else:
            query = update(_table).where(_table.c.section == section, _table.c.version == row.version)
            # On PostgreSQL somebody can have saved since the version was read.
            if connection.execute(query.values(**values)).rowcount == 0:
                raise _changed_meanwhile(section)
        connection.execute(insert(_history).values(section=section, changes=changes, **facts))


def reseal(connection: Connection, old: MasterKey, new: MasterKey) -> None:
    """Seal the secrets of all sections with another key.

    :raises MasterKeyError: A secret does not open with *old*.
    :raises SettingsError: A section cannot be read, so that nobody knows which secrets are in it.
    """
    for section in connection.execute(select(_table.c.section)).scalars().all():
        document = resealed(_row(connection, section).document, old, new, section)
        connection.execute(update(_table).where(_table.c.section == section).values(document=document))


@attrs.frozen
class _Row:
    """What is stored of a section."""

    document: Any = attrs.field(factory=dict)
    version: int = 0
    #: None for that of today.
    format: int | None = None


def _row(connection: Connection, section: str) -> _Row:
    # As text, because what somebody edited by hand need not be JSON; that is a fault of this section alone.
    columns = type_coerce(_table.c.document, Text).label("document"), _table.c.version, _table.c.format
    row = connection.execute(select(*columns).where(_table.c.section == section)).first()
    if row is None:
        return _Row()
    try:
        return _Row(orjson.loads(row.document), row.version, row.format)
    except orjson.JSONDecodeError as error:
        raise SettingsError(
            f"{section}: what is stored is not JSON: {error}", hint="was the state database edited by hand?"
        ) from None


def _changes(former: dict[str, Any], settings: Any) -> dict[str, Any]:
    """Return what the history keeps of the step from the values *former* to *settings*."""
    changes: dict[str, Any] = {}
    names = set()
    for attribute, _ in fields_of(type(settings)):
        names.add(attribute.name)
        default, after = default_of(attribute), getattr(settings, attribute.name)
        if isinstance(after, Secret):
            if former.get(attribute.name, default) not in (after, after.reveal()):
                changes[attribute.name] = CHANGED
            continue
        before = former.get(attribute.name, None if default is attrs.NOTHING else plain(default))
        if before != plain(after):
            changes[attribute.name] = [before, plain(after)]
    gone = former.keys() - names
    return changes | dict.fromkeys(sorted(gone), CHANGED)


def _changed_meanwhile(section: str) -> StateError:
    return StateError(
        f"the settings {section} were changed by somebody else meanwhile", hint="look at them, then try again"
    )
