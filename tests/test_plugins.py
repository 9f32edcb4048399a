from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from textwrap import dedent

import click
import pytest

import jetcore
from jetcore.destinations.local import LocalDestination
from jetcore.plugins import BUILT_IN, Plugins

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TASK = jetcore.Task(
    id=7, kind=jetcore.TaskKind.BACKUP, status=jetcore.TaskStatus.PROCESSING, account="alice", created=NOW
)
RESULT = jetcore.TaskResult(task=TASK, outcome=jetcore.Outcome.COMPLETED)
ALERT = jetcore.Alert(id=1, level=jetcore.Level.WARNING, title="disk", message="nearly full", created=NOW)


class Site:
    """A directory of installed distributions, each with one module and its entry points."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def install(self, distribution: str, entry: str, code: str, version: str = "1.0") -> None:
        """Put a distribution there whose entry point, unless *entry* says ``name = target``, leads to ``Plugin``."""
        module = distribution.replace("-", "_")
        name, _, target = entry.partition(" = ")
        (self.path / f"{module}.py").write_text("import attrs, jetcore\n" + dedent(code))
        info = self.path / f"{module}-{version}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        (info / "entry_points.txt").write_text(f"[jetcore]\n{name} = {target or f'{module}:Plugin'}\n")

    def entry_points(self) -> Sequence[EntryPoint]:
        """Return what a look at all distributions of this directory gives."""
        found: Sequence[Distribution] = sorted(distributions(path=[str(self.path)]), key=lambda one: one.name)
        return [entry_point for one in found for entry_point in one.entry_points]

    def discover(self, **options) -> Plugins:
        return Plugins.discover(entry_points=self.entry_points(), **options)


@pytest.fixture
def site(tmp_path, monkeypatch) -> Site:
    path = tmp_path / "site"
    made = Site(path)
    monkeypatch.syspath_prepend(str(path))
    return made


@pytest.fixture(autouse=True)
def _forget_modules(monkeypatch):
    """Make each test import its own modules, whatever the ones before called theirs."""
    import sys

    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        if name.startswith("acme"):
            del sys.modules[name]


def state(plugins: Plugins, name: str) -> tuple[jetcore.PluginState, str]:
    (info,) = [info for info in plugins.infos if info.name == name]
    return info.state, info.reason


GOOD = """
    class Plugin:
        @jetcore.hookimpl
        def jetcore_task_starting(self, task: jetcore.Task) -> jetcore.Veto | None:
            return jetcore.Veto(reason="good says no")
"""


def hook(signature: str, body: str = "pass") -> str:
    """Return the code of a plugin with one hook implementation."""
    return f"""
    from collections.abc import Sequence

    class Plugin:
        @jetcore.hookimpl
        def {signature}:
            {body}
"""


# Loading -------------------------------------------------------------------------------------------------------------


def test_working_plugin_is_listed_with_its_distribution_and_hooks(site):
    """A plugin that works is active, and says where it comes from and which hooks it implements."""
    site.install("acme-good", "hook_good", GOOD, version="2.3")

    (info,) = [info for info in site.discover().infos if info.name != BUILT_IN]

    assert info == jetcore.PluginInfo(
        name="hook_good",
        distribution="acme-good 2.3",
        state=jetcore.PluginState.ACTIVE,
        hooks=("jetcore_task_starting",),
    )


def test_module_is_a_plugin_as_it_is(site):
    """An entry point may lead to a module with functions."""
    site.install(
        "acme-module",
        "hook_module = acme_module",
        """
        @jetcore.hookimpl
        def jetcore_task_starting(task):
            return jetcore.Veto(reason="from a module")
        """,
    )

    veto = site.discover().task_starting(TASK)

    assert veto == jetcore.Veto(reason="from a module (plugin hook_module)")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        pytest.param("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'", id="import"),
        pytest.param("raise SystemExit(3)", "SystemExit: 3", id="exit"),
        pytest.param("1 / 0", "ZeroDivisionError: division by zero", id="crash"),
        pytest.param("def f(:", "SyntaxError: invalid syntax", id="syntax"),
        pytest.param("", "has no attribute 'Plugin'", id="no attribute"),
        pytest.param("Plugin = 5", "leads to a int, neither a module nor a class", id="neither"),
        pytest.param("class Plugin:\n    def __init__(self): raise OSError('no disk')", "OSError: no disk", id="built"),
        pytest.param("class Plugin:\n    Settings = dict", "Plugin.Settings is not an attrs class", id="settings"),
        pytest.param(
            "class Plugin:\n    def jetcore_task_finished(self, result): ...",
            "jetcore_task_finished is not marked with @jetcore.hookimpl",
            id="unmarked",
        ),
        pytest.param(
            hook("jetcore_task_ended(self)"), "jetcore_task_ended is not a hook of jetcore", id="unknown hook"
        ),
        pytest.param(
            hook("jetcore_task_finished(self, outcome)"),
            "jetcore_task_finished has no argument 'outcome'; it has result",
            id="unknown argument",
        ),
        pytest.param(
            hook("jetcore_task_finished(self, *, result)"),
            "the argument result must be an ordinary one",
            id="keyword only",
        ),
        pytest.param(
            hook("jetcore_task_finished(self, *args)"), "the argument *args must be an ordinary one", id="variable"
        ),
        pytest.param(
            hook("jetcore_task_finished(self, result: jetcore.Task)"),
            "jetcore_task_finished takes 'result' as Task where it should be TaskResult",
            id="argument's annotation",
        ),
        pytest.param(
            hook("jetcore_task_starting(self, task: jetcore.Task) -> bool"),
            "jetcore_task_starting returns bool where it should be jetcore.model.Veto | None",
            id="return's annotation",
        ),
        pytest.param(
            hook("jetcore_notifier_types(self) -> list[type[jetcore.Destination]]"),
            "jetcore_notifier_types returns list[type[jetcore.abc.Destination]] where it should be",
            id="item's annotation",
        ),
        pytest.param(
            hook("jetcore_task_starting(self, task: 'NoSuchType')"),
            "the annotations of jetcore_task_starting cannot be evaluated: NameError",
            id="annotation's name",
        ),
        pytest.param(
            "class Plugin:\n    @jetcore.hookimpl(wrapper=True)\n    def jetcore_task_starting(self): return (yield)",
            "jetcore_task_starting is a wrapper",
            id="wrapper",
        ),
    ],
)
def test_broken_plugin_is_named_and_left_out_alone(site, caplog, code, reason):
    """A plugin with anything wrong is listed and logged with the reason, and the others work."""
    site.install("acme-bad", "hook_bad", dedent(code))
    site.install("acme-good", "hook_good", GOOD)

    with caplog.at_level(logging.WARNING, "jetcore"):
        plugins = site.discover()

    assert state(plugins, "hook_bad")[0] is jetcore.PluginState.BROKEN
    assert reason in state(plugins, "hook_bad")[1]
    assert "plugin hook_bad is left out" in caplog.text
    assert state(plugins, "hook_good") == (jetcore.PluginState.ACTIVE, "")
    assert plugins.task_starting(TASK) == jetcore.Veto(reason="good says no (plugin hook_good)")


@pytest.mark.parametrize(
    "signature",
    [
        "jetcore_task_starting(self)",
        "jetcore_task_starting(self, task)",
        "jetcore_task_starting(self, task: object) -> jetcore.Veto",
        "jetcore_task_starting(self, task: jetcore.Task | None, later: int = 3) -> None",
        "jetcore_notifier_types(self) -> list[type[jetcore.Notifier]] | None",
        "jetcore_notifier_types(self) -> tuple[type[jetcore.Notifier], ...]",
        "jetcore_destination_types(self) -> Sequence",
        "jetcore_detect_panel(self, host: jetcore.Host) -> jetcore.Panel | None",
    ],
)
def test_annotation_may_be_missing_or_fit_more_closely(site, signature):
    """An implementation may take fewer or wider arguments and promise a narrower answer."""
    site.install("acme-fit", "hook_fit", hook(signature))

    assert state(site.discover(), "hook_fit") == (jetcore.PluginState.ACTIVE, "")


def test_implementation_for_a_later_jetcore_loads(site):
    """A hook that this version does not know is passed over when it is marked as optional."""
    site.install(
        "acme-later",
        "hook_later",
        """
        class Plugin:
            @jetcore.hookimpl(optionalhook=True)
            def jetcore_moon_rises(self, moon): ...
        """,
    )

    assert state(site.discover(), "hook_later") == (jetcore.PluginState.ACTIVE, "")


@pytest.mark.parametrize("name", ["slack", "notify_", "notify-slack", "Notify_Slack", "theme_dark", "notify__slack"])
def test_name_must_be_kind_and_product(site, name):
    """A plugin is called ``<kind>_<product>`` with one of the known kinds."""
    site.install("acme-name", name, GOOD)

    found, reason = state(site.discover(), name)

    assert found is jetcore.PluginState.BROKEN
    assert "KIND_PRODUCT" in reason


def test_two_plugins_of_one_name_are_both_left_out(site):
    """Where two distributions bring one name neither is used, and both are named."""
    site.install("acme-one", "hook_same", GOOD, version="1.0")
    site.install("acme-two", "hook_same", GOOD, version="0.2")

    plugins = site.discover()

    both = [info for info in plugins.infos if info.name == "hook_same"]
    assert [info.distribution for info in both] == ["acme-one 1.0", "acme-two 0.2"]
    for info in both:
        assert info.state is jetcore.PluginState.BROKEN
        assert "acme-one 1.0 and acme-two 0.2" in info.reason
    assert plugins.task_starting(TASK) is None


def test_nobody_takes_the_name_of_the_built_in_plugin(site):
    """A distribution cannot put itself in the place of what jetcore brings."""
    site.install("acme-local", BUILT_IN, GOOD)

    plugins = site.discover()

    states = [info.state for info in plugins.infos if info.name == BUILT_IN]
    assert sorted(states) == [jetcore.PluginState.ACTIVE, jetcore.PluginState.BROKEN]
    assert plugins.destination_types() == {"local": LocalDestination}


def test_disabled_plugin_is_not_even_imported(site, tmp_path):
    """A plugin that the user has switched off runs no line of code."""
    trace = tmp_path / "trace"
    site.install("acme-off", "hook_off", f"open({str(trace)!r}, 'w').close()\n")

    plugins = site.discover(disabled=["hook_off", "hook_never_heard_of"])

    assert state(plugins, "hook_off") == (jetcore.PluginState.DISABLED, "switched off in the settings")
    assert not trace.exists()


def test_built_in_plugin_can_be_disabled_too():
    """Who wants no backup on this machine's own disks can switch directories off."""
    plugins = Plugins.discover(entry_points=[], disabled=[BUILT_IN])

    assert state(plugins, BUILT_IN)[0] is jetcore.PluginState.DISABLED
    assert plugins.destination_types() == {}


SETTINGS = """
    @attrs.frozen
    class Settings:
        reason: str = "by default"

    @attrs.frozen
    class Plugin:
        Settings = Settings
        settings: Settings

        @jetcore.hookimpl
        def jetcore_task_starting(self, task):
            return jetcore.Veto(reason=self.settings.reason)
"""


def test_plugin_is_built_with_its_settings(site):
    """A class that has Settings gets an instance of them, asked for by the plugin's name."""
    site.install("acme-set", "hook_set", SETTINGS)

    def settings(plugin: str, section: type) -> object:
        return section(reason=f"settings of {plugin}")

    assert site.discover(settings=settings).task_starting(TASK).reason == "settings of hook_set (plugin hook_set)"
    assert site.discover().task_starting(TASK).reason == "by default (plugin hook_set)"


def test_wrong_settings_break_their_plugin_only(site):
    """A plugin whose settings are wrong is left out with the message of the error."""
    site.install("acme-set", "hook_set", SETTINGS)
    site.install("acme-good", "hook_good", GOOD)

    def settings(plugin: str, section: type) -> object:
        raise jetcore.SettingsError("hook_set.reason: expected str, got int")

    plugins = site.discover(settings=settings)

    assert state(plugins, "hook_set") == (jetcore.PluginState.BROKEN, "hook_set.reason: expected str, got int")
    assert state(plugins, "hook_good")[0] is jetcore.PluginState.ACTIVE


def test_installed_distributions_are_found(site):
    """Without a list of entry points all installed distributions are looked at."""
    site.install("acme-good", "hook_good", GOOD)

    assert state(Plugins.discover(disabled=[]), "hook_good") == (jetcore.PluginState.ACTIVE, "")


# The panel ------------------------------------------------------------------------------------------------------------

PANEL = """
    from jetcore.testing import FakePanel

    class {name}Panel(FakePanel):
        name = "{name}"

    class Plugin:
        @jetcore.hookimpl({options})
        def jetcore_detect_panel(self, host: jetcore.Host) -> jetcore.Panel | None:
            return {answer}
"""


def test_first_panel_that_answers_is_taken(site):
    """A plugin that answers None passes the question on, and one marked ``trylast`` is asked last."""
    site.install("acme-a", "panel_a", PANEL.format(name="a", options="trylast=True", answer="aPanel()"))
    site.install("acme-b", "panel_b", PANEL.format(name="b", options="", answer="None"))
    site.install("acme-c", "panel_c", PANEL.format(name="c", options="", answer="cPanel()"))

    plugins = site.discover()
    panel = plugins.detect_panel(jetcore.Host(name="web1"))

    assert panel.name == "c"
    assert plugins.plugin_of(panel) == "panel_c"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [("1 / 0", "ZeroDivisionError: division by zero"), ("'cpanel'", "returned a str, not a Panel")],
)
def test_panel_plugin_that_fails_is_passed_over_and_reported(site, answer, reason):
    """A panel plugin that raises or answers nonsense does not keep the next one from being asked."""
    site.install("acme-a", "panel_a", PANEL.format(name="a", options="", answer=answer))
    site.install("acme-b", "panel_b", PANEL.format(name="b", options="trylast=True", answer="bPanel()"))

    plugins = site.discover()

    assert plugins.detect_panel(jetcore.Host(name="web1")).name == "b"
    (failure,) = plugins.take_failures()
    assert str(failure) == f"plugin panel_a (acme-a 1.0) at jetcore_detect_panel: {reason}"
    assert plugins.take_failures() == ()


def test_unknown_panel_is_an_error_with_a_way_out(site):
    """Where no plugin knows the panel the error says what to install."""
    with pytest.raises(jetcore.PluginError, match=r"no plugin knows .* of web1; .*jetcore-panel-linux"):
        site.discover().detect_panel(jetcore.Host(name="web1"))


# Types ----------------------------------------------------------------------------------------------------------------

NOTIFIER = """
    class Good(jetcore.Notifier):
        name = "{name}"

        def __init__(self, settings): ...

        def send(self, message): return "ok"

    class Half(jetcore.Notifier):
        name = "half"

    class Plugin:
        @jetcore.hookimpl
        def jetcore_notifier_types(self):
            return {answer}
"""


def test_types_are_given_by_name_and_know_their_plugin(site):
    """The types of all plugins are in one mapping, and each leads back to the plugin that brought it."""
    site.install("acme-a", "notify_a", NOTIFIER.format(name="a", answer="[Good]"))
    site.install("acme-b", "notify_b", NOTIFIER.format(name="b", answer="(Good,)"))
    site.install("acme-c", "notify_c", NOTIFIER.format(name="c", answer="None"))

    plugins = site.discover()
    types = plugins.notifier_types()

    assert set(types) == {"a", "b"}
    assert plugins.plugin_of(types["b"]) == "notify_b"
    assert plugins.plugin_of(types["b"](None)) == "notify_b"
    assert plugins.take_failures() == ()


def test_built_in_destination_is_there_without_any_plugin():
    """Directories of this machine need nothing to be installed."""
    plugins = Plugins.discover(entry_points=[])

    assert plugins.destination_types() == {"local": LocalDestination}
    assert plugins.plugin_of(LocalDestination) == BUILT_IN
    assert plugins.dump_engines() == {}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Good", "returned Good, not a list of types"),
        ("[Good, 7]", "a int is not a type of Notifier"),
        ("[Good, int]", "int is not a type of Notifier"),
        ("[Good, Half]", "Half does not implement __init__, send"),
        ("[Good, type('Odd', (Good,), {'name': 'Odd One'})]", "Odd.name must be a word in lower case, not 'Odd One'"),
        ("[Good, type('Odd', (Good,), {'name': 'odd', 'Settings': int})]", "Odd.Settings is not an attrs class"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_wrong_type_is_reported_and_left_out(site, answer, reason):
    """A type that breaks its contract is named; what else the plugin and the others bring is used."""
    site.install("acme-bad", "notify_bad", NOTIFIER.format(name="bad", answer=answer))
    site.install("acme-good", "notify_good", NOTIFIER.format(name="good", answer="[Good]"))

    plugins = site.discover()

    assert set(plugins.notifier_types()) - {"bad"} == {"good"}
    assert [failure.reason for failure in plugins.take_failures()] == [reason]


def test_second_type_of_a_name_is_left_out(site):
    """Of two types with one name the first plugin's is used, and both distributions are named."""
    site.install("acme-one", "notify_one", NOTIFIER.format(name="same", answer="[Good]"))
    site.install("acme-two", "notify_two", NOTIFIER.format(name="same", answer="[Good]"))

    plugins = site.discover()

    assert plugins.plugin_of(plugins.notifier_types()["same"]) == "notify_one"
    (failure,) = plugins.take_failures()
    assert failure.distribution == "acme-two 1.0"
    assert "acme-one 1.0 brings a type 'same' too" in failure.reason


def test_object_of_nobody_has_no_plugin():
    """Asking for the plugin of something that no plugin brought is an error."""
    with pytest.raises(jetcore.PluginError, match="Site was not handed over"):
        Plugins.discover(entry_points=[]).plugin_of(Site)


# News -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [("task_starting", "task", TASK), ("task_finished", "result", RESULT), ("alert_raised", "alert", ALERT)],
)
def test_listener_that_fails_silences_nobody(site, tmp_path, name, argument, value):
    """Each plugin hears the news, whatever the ones before it did; each failure is reported once."""
    heard = tmp_path / "heard"
    listen = f"with open({str(heard)!r}, 'a') as file: file.write('{{}} %r\\n' % ({argument},))"
    signature = f"jetcore_{name}(self, {argument})"
    for number, end in enumerate(["raise RuntimeError('bad day')", "pass", "raise SystemExit(1)", "pass"]):
        body = f"{listen.format(number)}\n            {end}"
        site.install(f"acme-{number}", f"hook_{number}", hook(signature, body))

    plugins = site.discover()
    getattr(plugins, name)(value)
    getattr(plugins, name)(value)

    assert heard.read_text().splitlines() == [f"{number} {value!r}" for number in (0, 1, 2, 3)] * 2
    assert [(failure.plugin, failure.reason) for failure in plugins.take_failures()] == [
        ("hook_0", "RuntimeError: bad day"),
        ("hook_2", "SystemExit: 1"),
    ]


def test_first_veto_counts_and_nonsense_is_none(site):
    """Of several vetoes the first is taken, and what is no veto stops nothing."""
    site.install("acme-a", "hook_a", hook("jetcore_task_starting(self)", "return 'stop'"))
    site.install("acme-b", "hook_b", hook("jetcore_task_starting(self)", "return jetcore.Veto(reason='moving house')"))
    site.install("acme-c", "hook_c", hook("jetcore_task_starting(self)", "return jetcore.Veto(reason='too late')"))

    plugins = site.discover()

    assert plugins.task_starting(TASK) == jetcore.Veto(reason="moving house (plugin hook_b)")
    assert [failure.reason for failure in plugins.take_failures()] == ["returned a str, not a Veto"]


# The command line -----------------------------------------------------------------------------------------------------

COMMAND = """
    import click

    class Plugin:
        @jetcore.hookimpl
        def jetcore_cli_commands(self, group: click.Group) -> None:
            @group.command("{first}")
            def first(): ...
            {then}
            @group.command("{second}")
            def second(): ...
"""


def test_plugins_add_commands(site):
    """Commands of plugins stand beside those of jetcore."""
    site.install("acme-a", "hook_a", COMMAND.format(first="moon", then="", second="tide"))
    group = click.Group("jetcore", commands=[click.Command("backup")])

    site.discover().cli_commands(group)

    assert set(group.commands) == {"backup", "moon", "tide"}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"first": "moon", "then": "", "second": "backup"}, "there is a command 'backup' already"),
        ({"first": "moon", "then": "1 / 0", "second": "tide"}, "ZeroDivisionError: division by zero"),
    ],
)
def test_plugin_that_fails_adds_no_command(site, values, reason):
    """A plugin that takes a name that is taken, or fails half-way, adds and replaces nothing."""
    site.install("acme-a", "hook_a", COMMAND.format(**values))
    site.install("acme-b", "hook_b", COMMAND.format(first="sun", then="", second="star"))
    backup = click.Command("backup")
    group = click.Group("jetcore", commands=[backup])

    plugins = site.discover()
    plugins.cli_commands(group)

    assert set(group.commands) == {"backup", "sun", "star"}
    assert group.commands["backup"] is backup
    assert [failure.reason for failure in plugins.take_failures()] == [reason]


# What we rely on ------------------------------------------------------------------------------------------------------


def test_each_hook_has_its_method():
    """Every hook is asked through a method of Plugins that is called like it."""
    from jetcore import hookspecs

    for name in vars(hookspecs):
        if name.startswith("jetcore_"):
            assert callable(getattr(Plugins, name.removeprefix("jetcore_"))), name


def test_plugins_that_are_equal_values_are_told_apart(site):
    """Two plugins of different classes are two, even if their settings are the same."""
    site.install("acme-a", "hook_a", SETTINGS)
    site.install("acme-b", "hook_b", SETTINGS)

    assert {info.state for info in site.discover().infos} == {jetcore.PluginState.ACTIVE}
