"""Settings in the state database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pytest
from sqlalchemy import Engine, insert, select, text, update

from jetcore.errors import MasterKeyError, SettingsError, StateError
from jetcore.model import Secret
from jetcore.settings.binaries import Binaries
from jetcore.settings.convert import build
from jetcore.settings.field import setting, shared
from jetcore.settings.mysql import Mysql
from jetcore.settings.panel import PanelSettings
from jetcore.settings.secret import MasterKey
from jetcore.settings.upgrade import Upgrade, renamed
from jetcore.state import server, tables
from jetcore.state.edits import Edit, assigning, setting_values, unsetting
from jetcore.state.engine import reading, writing
from jetcore.state.rules import Fault, PanelFacts, Rules
from jetcore.state.settings import SettingsStore


@attrs.frozen
class Example:
    count: int = setting(default=3, title="Count", help="How many.", minimum=1, maximum=10)
    place: Path | None = setting(default=None, title="Place", help="Where.")
    password: Secret = setting(default=Secret(""), title="Password", help="Opens it.", secret=True)


@attrs.frozen
class Needy:
    path: Path = setting(title="Path", help="Where.")


@pytest.fixture
def store(engine: Engine, key: MasterKey) -> SettingsStore:
    return SettingsStore(engine, key)


def put_document(engine: Engine, document: object) -> None:
    """Edit a row by hand."""
    with writing(engine) as connection:
        if connection.execute(update(tables.settings).values(document=document)).rowcount == 0:
            row = {"section": "example", "version": 1, "changed_by": "hand", "changed": datetime.now(UTC)}
            connection.execute(insert(tables.settings).values(document=document, **row))


def test_section_begins_with_its_defaults(store: SettingsStore) -> None:
    """Before anything was saved a section has its defaults, and version 0."""
    assert store.load_version("example", Example) == (Example(), 0)


def test_field_without_default_has_to_be_set(store: SettingsStore) -> None:
    """A section that needs configuring says which field, until it is set."""
    with pytest.raises(SettingsError, match=r"needy\.path: must be set"):
        store.load("needy", Needy)

    assert store.assign("needy", Needy, ["path=/x"], who="root") == Needy(path=Path("/x"))
    assert store.load("needy", Needy) == Needy(path=Path("/x"))


def test_saved_settings_come_back(store: SettingsStore, engine: Engine, key: MasterKey) -> None:
    """What was saved is loaded by everybody, and its secret is nowhere in the database."""
    settings = Example(count=5, place=Path("/x"), password=Secret("hunter2"))

    assert store.save("example", settings, "root") == 1

    assert SettingsStore(engine, key).load_version("example", Example) == (settings, 1)
    with reading(engine) as connection:
        for table in (tables.settings, tables.settings_history):
            assert "hunter2" not in str(connection.execute(select(table)).all())


def test_sections_do_not_mix(store: SettingsStore) -> None:
    """Two sections of one class keep their own values."""
    store.save("one", Example(count=1), "root")
    store.save("two", Example(count=2), "root")

    assert (store.load("one", Example).count, store.load("two", Example).count) == (1, 2)


def test_default_that_changes_later_is_taken_over(store: SettingsStore) -> None:
    """Only what differs from the defaults is stored, so a better default reaches those who kept the old one."""

    @attrs.frozen
    class Later:
        count: int = setting(default=4, title="Count", help="How many.")
        place: Path | None = setting(default=None, title="Place", help="Where.")

    store.save("example", Example(place=Path("/x")), "root")

    assert store.load("example", Later) == Later(count=4, place=Path("/x"))


def test_every_change_is_kept(store: SettingsStore) -> None:
    """The history says who changed which field from what to what; of a secret only that it changed."""
    store.assign("example", Example, ["count=4", "password=hunter2"], who="root")
    store.assign("example", Example, ["place=/x", "password=hunter3"], who="alice")
    store.assign("other", Example, ["count=5"], who="bob")

    changes = store.history("example")

    assert [(change.version, change.changed_by, change.fields) for change in changes] == [
        (2, "alice", {"place": (None, "/x"), "password": (None, None)}),
        (1, "root", {"count": (3, 4), "password": (None, None)}),
    ]
    assert [change.section for change in store.history(limit=2)] == ["other", "example"]


def test_saving_the_same_changes_nothing(store: SettingsStore) -> None:
    """What is as it was gives no new version and no line in the history."""
    store.save("example", Example(count=4, password=Secret("hunter2")), "root")

    assert store.save("example", Example(count=4, password=Secret("hunter2")), "root") == 1
    store.assign("example", Example, ["count=4"], who="root")
    assert len(store.history("example")) == 1


def test_change_from_an_old_version_is_refused(store: SettingsStore) -> None:
    """Who changes what somebody else changed meanwhile is told so, and nothing is overwritten."""
    settings, version = store.load_version("example", Example)
    store.assign("example", Example, ["count=9"], who="alice")

    with pytest.raises(StateError, match="example were changed by somebody else meanwhile"):
        store.save("example", attrs.evolve(settings, count=2), "bob", version=version)

    assert store.load("example", Example).count == 9
    store.save("example", Example(count=2), "bob", version=1)
    assert store.load("example", Example).count == 2


def test_assignments_are_made_all_or_none(store: SettingsStore) -> None:
    """One wrong assignment among right ones changes nothing."""
    store.assign("example", Example, ["count=4"], who="root")

    with pytest.raises(SettingsError, match=r"example\.place2: there is no such setting"):
        store.assign("example", Example, ["count=5", "place2=/x"], who="root")

    assert store.load_version("example", Example) == (Example(count=4), 1)


def test_unset_gives_the_default_back(store: SettingsStore) -> None:
    """Fields that are unset have their defaults; a name that does not exist changes nothing."""
    store.assign("example", Example, ["count=4", "place=/x", "password=p"], who="root")

    with pytest.raises(SettingsError, match=r"example\.oops: there is no such setting"):
        store.unset("example", Example, ["count", "oops"], who="root")
    assert store.unset("example", Example, ["count", "password"], who="root") == Example(place=Path("/x"))

    assert store.load("example", Example) == Example(place=Path("/x"))


def test_what_cannot_be_loaded_is_not_saved(store: SettingsStore) -> None:
    """A value that slipped past the class, such as one with a control character, is refused when it is saved."""
    with pytest.raises(SettingsError, match=r"example\.place: must not hold control characters"):
        store.save("example", Example(place=Path("/a\nb\x1b")), "root")

    assert store.load_version("example", Example) == (Example(), 0)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"count": "5"}, r"example\.count: must be a whole number"),
        ({"count": 99}, r"example\.count: must be 1 to 10"),
        ({"later": 1}, r"example\.later: there is no such setting"),
        ([1], "not a table of settings"),
    ],
)
def test_row_that_does_not_fit_is_named(store: SettingsStore, engine: Engine, document: object, message: str) -> None:
    """A row that was edited by hand, or written by a newer jetcore, is an error and stays as it is."""
    put_document(engine, document)

    with pytest.raises(SettingsError, match=message):
        store.load("example", Example)

    with reading(engine) as connection:
        assert connection.execute(select(tables.settings.c.document)).scalar_one() == document


def test_row_that_does_not_fit_can_be_repaired(store: SettingsStore, engine: Engine) -> None:
    """A wrong value is replaced by assigning the field, an unknown one removed by unsetting it."""
    put_document(engine, {"count": "5", "later": 1})

    with pytest.raises(SettingsError, match="later"):
        store.assign("example", Example, ["count=4"], who="root")
    with pytest.raises(SettingsError, match="count"):
        store.unset("example", Example, ["later"], who="root")
    assert store.unset("example", Example, ["later", "count"], who="root") == Example()

    put_document(engine, {"count": "5"})
    assert store.assign("example", Example, ["count=4"], who="root") == Example(count=4)


def test_wrong_key_is_told(store: SettingsStore, engine: Engine) -> None:
    """A section with a secret cannot be loaded with another key, one without can."""
    store.save("example", Example(password=Secret("hunter2")), "root")
    store.save("other", Example(count=4), "root")
    stranger = SettingsStore(engine, MasterKey.generate())

    with pytest.raises(MasterKeyError, match=r"the secret example\.password was sealed with"):
        stranger.load("example", Example)
    assert stranger.load("other", Example) == Example(count=4)


def test_secret_in_clear_is_refused(store: SettingsStore, engine: Engine) -> None:
    """A secret that somebody wrote into the row in clear is not taken, and not shown."""
    put_document(engine, {"password": "hunter2"})

    with pytest.raises(MasterKeyError, match=r"example\.password is not sealed") as raised:
        store.load("example", Example)

    assert "hunter2" not in str(raised.value)


@attrs.frozen
class Renamed:
    upgrades: ClassVar[Sequence[Upgrade]] = (renamed("count", "number"),)
    number: int = setting(default=3, title="Number", help="How many.", minimum=1, maximum=10)
    place: Path | None = setting(default=None, title="Place", help="Where.")
    password: Secret = setting(default=Secret(""), title="Password", help="Opens it.", secret=True)


def test_old_document_is_read_and_then_saved_as_one_of_today(store: SettingsStore, engine: Engine) -> None:
    """What an older jetcore stored is read under today's names, and stored so once somebody saves it."""
    store.save("example", Example(count=5, password=Secret("hunter2")), "root")

    assert store.load("example", Renamed) == Renamed(number=5, password=Secret("hunter2"))
    store.assign("example", Renamed, ["number=6"], who="root")

    assert store.load("example", Renamed) == Renamed(number=6, password=Secret("hunter2"))
    with reading(engine) as connection:
        row = connection.execute(select(tables.settings)).one()
    assert (row.format, row.document["number"]) == (2, 6)
    assert store.history("example")[0].fields == {"number": (5, 6)}


def test_document_of_a_newer_jetcore_is_kept(store: SettingsStore, engine: Engine) -> None:
    """A format that this code does not know is an error for reading and changing, and the row stays as it is."""
    store.save("example", Renamed(number=5), "root")

    for act in (
        lambda: SettingsStore(engine, MasterKey.generate()).load("example", Example),
        lambda: store.assign("example", Example, ["count=4"], who="root"),
        lambda: store.save("example", Example(count=4), "root"),
    ):
        with pytest.raises(SettingsError, match="example: what is stored has format 2, this jetcore knows 1 to 1"):
            act()

    assert store.load("example", Renamed) == Renamed(number=5)


def spoil(engine: Engine, text_: str) -> None:
    """Write something into every row that need not even be JSON."""
    with writing(engine) as connection:
        connection.execute(text("UPDATE settings SET document = :text"), {"text": text_})


@pytest.mark.parametrize(
    "document", ["nonsense", '{"count": 99}', '{"count": "5"}', '{"colour": 1}', "[]", "", '{"place": "a\\u0000"}']
)
def test_last_good_settings_stay_in_force(
    store: SettingsStore, engine: Engine, caplog: pytest.LogCaptureFixture, document: str
) -> None:
    """A process that runs goes on with what it had when somebody spoils the row, says so once, and sees the repair."""
    store.save("example", Example(count=5), "root")
    good = store.load("example", Example)
    spoil(engine, document)

    assert store.load("example", Example) == store.load("example", Example) == good

    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "the settings example stay as they were" in caplog.text
    with pytest.raises(SettingsError, match="example"):
        store.load_version("example", Example)
    with pytest.raises(SettingsError, match="example"):
        SettingsStore(engine, MasterKey.generate()).load("example", Example)
    spoil(engine, '{"count": 6}')
    assert store.load("example", Example).count == 6


def test_spoiled_row_can_be_reset(store: SettingsStore, engine: Engine) -> None:
    """A section that cannot be read any more gets its defaults back, and the history knows."""
    store.save("example", Example(count=5), "root")
    spoil(engine, "nonsense")

    store.reset("example", Example, who="bob")

    assert store.load_version("example", Example) == (Example(), 2)
    assert store.history("example")[0].changed_by == "bob"
    store.reset("never", Example, who="bob")
    assert store.history("never") == []


def test_sections_change_all_or_none(store: SettingsStore) -> None:
    """A change of several sections that is wrong in one of them changes none, and all faults are told."""
    good = assigning("one", Example, ["count=4"])
    wrong = {"two": assigning("two", Example, ["count=99"]), "three": unsetting("three", Example, ["cuont"])}

    with pytest.raises(SettingsError) as raised:
        store.change({"one": good, **wrong}, who="root")

    assert raised.value.message.splitlines() == [
        "two.count: must be 1 to 10 (it is 99)",
        "three.cuont: there is no such setting, did you mean count?",
    ]
    assert store.load("one", Example) == Example()
    store.change({"one": good, "two": setting_values("two", Example, {"count": 7})}, who="root")
    assert (store.load("one", Example).count, store.load("two", Example).count) == (4, 7)


def test_two_changes_at_once_are_both_made(engine: Engine, key: MasterKey) -> None:
    """A change that somebody else overtakes is made again on top of theirs, and nothing of either is lost."""
    store = SettingsStore(engine, key)
    other = SettingsStore(engine, key)
    calls = []

    def make(values: dict[str, Any]) -> Example:
        if not calls:
            other.assign("example", Example, ["place=/theirs"], who="bob")
        calls.append(values)
        return build(Example, {**values, "count": 4}, place="example")

    store.change({"example": Edit(kind=Example, make=make)}, who="root")

    assert store.load_version("example", Example) == (Example(count=4, place=Path("/theirs")), 2)
    assert len(calls) == 2


def test_rules_are_held_against_what_changes(engine: Engine, key: MasterKey, tmp_path: Path) -> None:
    """A rule that is broken keeps the change from being made; notes are handed back; what stays is not looked at."""
    rules = Rules(home=tmp_path, panel=lambda: PanelFacts(name="test", packages=("gold",)))
    store = SettingsStore(engine, key, rules=rules)

    with pytest.raises(SettingsError, match=r"panel\.default_package: the panel has no package 'iron'"):
        store.assign("panel", PanelSettings, ["default_package=iron"], who="root")
    assert store.load_version("panel", PanelSettings) == (PanelSettings(), 0)

    SettingsStore(engine, key).assign("panel", PanelSettings, ["default_package=iron"], who="root")
    changed = store.change({"panel": assigning("panel", PanelSettings, ["default_owner=root"])}, who="root")
    assert changed.notes == ("panel.default_owner: has no effect here, the panel test does not know of such a thing",)
    assert any(finding.text.endswith("has no package 'iron'") for finding in store.look("panel", PanelSettings))


def test_findings_name_a_section_that_cannot_be_read(store: SettingsStore, engine: Engine) -> None:
    """Looking at a section that is spoiled tells what is wrong with it."""
    store.save("example", Example(count=5), "root")
    spoil(engine, '{"count": 99, "colour": 1}')

    assert [type(finding) for finding in store.look("example", Example)] == [Fault, Fault]


@attrs.frozen
class Plugin:
    own: int = setting(default=1, title="Own", help="Its own.")
    force: bool = shared("mysql.force", default=False)
    program: Path | None = shared("binaries.tar", default=None)
    missing: Path | None = shared("binaries.mongodump", default=None)


def test_plugin_finds_the_settings_that_it_shares(store: SettingsStore) -> None:
    """A field that is taken from a section of jetcore's own follows that section, and programs are found and safe."""
    store.assign("mysql", Mysql, ["force=no"], who="root")
    store.assign("dump_x", Plugin, ["own=2"], who="root")

    found = store.load("dump_x", Plugin)

    assert (found.own, found.force, found.missing) == (2, False, None)
    assert found.program is not None
    assert found.program.name == "tar"
    store.unset("mysql", Mysql, ["force"], who="root")
    assert store.load("dump_x", Plugin).force


def test_shared_setting_is_not_set_twice(store: SettingsStore, tmp_path: Path) -> None:
    """Who tries to set it in the plugin's section is told where it is set; a wrong program is not handed on."""
    with pytest.raises(SettingsError, match=r"dump_x\.force: is set as mysql\.force"):
        store.assign("dump_x", Plugin, ["force=yes"], who="root")

    store.save("binaries", Binaries(tar=tmp_path / "tar"), "root")
    with pytest.raises(SettingsError, match=r"binaries\.tar: cannot use"):
        store.load("dump_x", Plugin)


def test_nothing_is_sealed_with_a_key_of_yesterday(engine: Engine, key: MasterKey) -> None:
    """A process that still holds the key from before a rotation is told so instead of saving what nobody can open."""
    with writing(engine) as connection:
        server.register(connection, MasterKey.generate())

    with pytest.raises(MasterKeyError, match="changed by another process"):
        SettingsStore(engine, key).save("example", Example(password=Secret("x")), "root")
