"""Finding, loading and asking plugins. Nothing else of jetcore talks to pluggy's manager.

A plugin that is wrong is named, reported and left out; it never costs the others anything. What went wrong at loading
is in :attr:`Plugins.infos`, what went wrong later in :meth:`Plugins.take_failures`.
"""

from __future__ import annotations

import importlib.metadata
import inspect
import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import Any, Final

import attrs
import click
import pluggy

from jetcore import hookspecs
from jetcore.abc import Destination, DumpEngine, Notifier, Panel
from jetcore.destinations.local import LocalDestination
from jetcore.errors import PluginError
from jetcore.hookspecs import PROJECT, hookimpl
from jetcore.model import Alert, Host, PluginInfo, PluginState, Task, TaskResult, Veto
from jetcore.plugin_check import check_hooks, check_name, described, fault_of_type, reason_of
from jetcore.version import __version__

_log = logging.getLogger(__name__)

#: Returns the settings of the plugin with that name, as an instance of that attrs class.
SettingsSource = Callable[[str, type[Any]], object]

#: Name of the plugin that jetcore itself brings.
BUILT_IN = "destination_local"

_OURS = f"{PROJECT} {__version__}"
_SWITCHED_OFF = "switched off in the settings"

#: All that foreign code can raise short of ending the process on purpose: SystemExit is no Exception.
_ANYTHING = (Exception, SystemExit)
_FAILED: Final = object()


@attrs.frozen(kw_only=True)
class Failure:
    """A plugin that did not do what a hook asks for."""

    #: Name of the plugin.
    plugin: str
    #: Distribution and version that it comes from.
    distribution: str
    hook: str
    #: What it did.
    reason: str

    def __str__(self) -> str:
        return f"plugin {self.plugin} ({self.distribution}) at {self.hook}: {self.reason}"


class BuiltIn:
    """What jetcore itself brings, announced as any plugin does it."""

    @hookimpl
    def jetcore_destination_types(self) -> Sequence[type[Destination]]:
        """Announce directories of this machine."""
        return [LocalDestination]


def default_settings(_plugin: str, section: type[Any]) -> object:
    """Return settings as they are when nobody has configured anything."""
    return section()


class Plugins:
    """The plugins in use, with one method for each hook. Made by :meth:`discover`."""

    def __init__(self) -> None:
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        self._active: dict[str, _Loaded] = {}
        self._left_out: list[PluginInfo] = []
        self._failures: list[Failure] = []
        self._reported: set[tuple[str, str]] = set()
        self._types: dict[str, Mapping[str, type[Any]]] = {}
        self._givers: dict[type[Any], str] = {}
        self._sections: dict[str, type[Any]] = {}

    @classmethod
    def discover(
        cls,
        *,
        settings: SettingsSource = default_settings,
        disabled: Collection[str] = (),
        entry_points: Iterable[EntryPoint] | None = None,
    ) -> Plugins:
        """Load every installed plugin that works.

        :param settings: Gives the settings of a plugin that has some.
        :param disabled: Names of plugins that are not wanted; they are not even imported.
        :param entry_points: Where plugins are looked for; None for all installed distributions.
        """
        if entry_points is None:
            entry_points = importlib.metadata.entry_points(group=PROJECT)
        by_name: dict[str, list[EntryPoint]] = defaultdict(list)
        for entry_point in entry_points:
            by_name[entry_point.name].append(entry_point)
        plugins = cls()
        # pluggy asks the one that was registered last first: jetcore itself, then the others by name.
        for name in sorted(by_name, reverse=True):
            if name in disabled:
                plugins._leave_out(name, map(_distribution, by_name[name]), PluginState.DISABLED, _SWITCHED_OFF)
            else:
                plugins._load(name, by_name[name], settings)
        if BUILT_IN in disabled:
            plugins._leave_out(BUILT_IN, [_OURS], PluginState.DISABLED, _SWITCHED_OFF)
        else:
            plugins._register(BUILT_IN, None, BuiltIn())
        return plugins

    @property
    def infos(self) -> tuple[PluginInfo, ...]:
        """Every installed plugin, in use or not, sorted by name."""
        active = (loaded.info(name) for name, loaded in self._active.items())
        return tuple(sorted([*active, *self._left_out], key=lambda info: (info.name, info.distribution)))

    def take_failures(self) -> tuple[Failure, ...]:
        """Return what plugins have got wrong since the last call; a plugin's failing at a hook is told only once."""
        failures = tuple(self._failures)
        self._failures.clear()
        return failures

    def plugin_of(self, given: object) -> str:
        """Return the name of the plugin that *given*, a type or an instance of one, was handed over by.

        :raises PluginError: It comes from no plugin.
        """
        kind = given if isinstance(given, type) else type(given)
        if kind not in self._givers:
            raise PluginError(f"{kind.__qualname__} was not handed over by a plugin")
        return self._givers[kind]

    # The hooks, as in hookspecs.py ------------------------------------------------------------------------------------

    def sections(self) -> Mapping[str, type[Any]]:
        """Return the settings classes of plugins and of their dump engines, by the plugin's name.

        Those of destinations and notifiers are not among them: each instance has settings of its own.
        """
        engines = {self.plugin_of(kind): kind.Settings for kind in self.dump_engines().values() if kind.Settings}
        return {**engines, **self._sections}

    def detect_panel(self, host: Host) -> Panel:
        """Return the panel that manages *host*: the first one that a plugin recognises.

        :raises PluginError: No plugin does.
        """
        hook = "jetcore_detect_panel"
        for plugin, panel in self._each(hook, host=host):
            if isinstance(panel, Panel):
                self._givers[type(panel)] = plugin
                return panel
            self._fail(plugin, hook, f"returned {described(panel)}, not a Panel")
        raise PluginError(
            f"no plugin knows the hosting panel of {host.name}",
            hint="look at `jetcore plugins list`; for a server without a panel: pip install jetcore-panel-linux",
        )

    def dump_engines(self) -> Mapping[str, type[DumpEngine]]:
        """Return the types of database servers that can be dumped, by name."""
        return self._types_of("jetcore_dump_engines", DumpEngine)

    def destination_types(self) -> Mapping[str, type[Destination]]:
        """Return the types of destinations, by name."""
        return self._types_of("jetcore_destination_types", Destination)

    def notifier_types(self) -> Mapping[str, type[Notifier]]:
        """Return the types of notifiers, by name."""
        return self._types_of("jetcore_notifier_types", Notifier)

    def task_starting(self, task: Task) -> Veto | None:
        """Ask every plugin whether *task* may run and return the first veto, its reason with the plugin's name."""
        hook = "jetcore_task_starting"
        first: Veto | None = None
        for plugin, veto in self._each(hook, task=task):
            if not isinstance(veto, Veto):
                self._fail(plugin, hook, f"returned {described(veto)}, not a Veto")
            elif first is None:
                first = Veto(reason=f"{veto.reason} (plugin {plugin})")
        return first

    def task_finished(self, result: TaskResult) -> None:
        """Tell every plugin that a task has ended."""
        for _ in self._each("jetcore_task_finished", result=result):
            pass

    def alert_raised(self, alert: Alert) -> None:
        """Tell every plugin of *alert*."""
        for _ in self._each("jetcore_alert_raised", alert=alert):
            pass

    def cli_commands(self, group: click.Group) -> None:
        """Let every plugin add its commands to *group*; one that fails, or takes a name that is taken, adds none."""
        hook = "jetcore_cli_commands"
        for plugin in self._implementers(hook):
            mine = click.Group(group.name)  # empty, so that a name that is taken shows instead of being replaced
            if self._ask(plugin, hook, group=mine) is _FAILED:
                continue
            taken = sorted(mine.commands.keys() & set(group.list_commands(click.Context(group))))
            if taken:
                self._fail(plugin, hook, f"there is a command {taken[0]!r} already")
            else:
                group.commands.update(mine.commands)

    # Asking -----------------------------------------------------------------------------------------------------------

    def _implementers(self, hook: str) -> Sequence[str]:
        """Return the names of the plugins that implement *hook*, in pluggy's order of asking."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, hook)
        return [implementation.plugin_name for implementation in reversed(caller.get_hookimpls())]

    def _each(self, hook: str, **values: object) -> Iterator[tuple[str, object]]:
        """Ask the plugins one after the other and yield each answer that is not None with its plugin's name.

        One at a time, for pluggy stops at the first exception and nobody behind it would be asked.
        """
        for plugin in self._implementers(hook):
            answer = self._ask(plugin, hook, **values)
            if answer is not None and answer is not _FAILED:
                yield plugin, answer

    def _ask(self, plugin: str, hook: str, **values: object) -> object:
        everybody_else = [other for name, other in self._manager.list_name_plugin() if name != plugin]
        try:
            answer = self._manager.subset_hook_caller(hook, everybody_else)(**values)
        except _ANYTHING as error:
            self._fail(plugin, hook, reason_of(error), error)
            return _FAILED
        # A hook that takes the first result gives it as it is, every other one a list without the Nones.
        if hook == "jetcore_detect_panel":
            return answer
        return answer[0] if answer else None

    def _types_of(self, hook: str, base: type[Any]) -> Mapping[str, type[Any]]:
        if hook not in self._types:
            self._types[hook] = MappingProxyType(self._collect(hook, base))
        return self._types[hook]

    def _collect(self, hook: str, base: type[Any]) -> dict[str, type[Any]]:
        found: dict[str, type[Any]] = {}
        for plugin, answer in self._each(hook):
            if not isinstance(answer, Sequence):
                self._fail(plugin, hook, f"returned {described(answer)}, not a list of types")
                continue
            for offered in answer:
                fault = fault_of_type(offered, base)
                if fault:
                    self._fail(plugin, hook, fault)
                elif offered.name in found:
                    first = self._active[self._givers[found[offered.name]]]
                    self._fail(
                        plugin, hook, f"{first.distribution} brings a type {offered.name!r} too, and comes first"
                    )
                else:
                    found[offered.name] = offered
                    self._givers[offered] = plugin
        return found

    def _fail(self, plugin: str, hook: str, reason: str, error: BaseException | None = None) -> None:
        failure = Failure(plugin=plugin, distribution=self._active[plugin].distribution, hook=hook, reason=reason)
        _log.warning("%s", failure, exc_info=error if _log.isEnabledFor(logging.DEBUG) else None)
        # A listener that fails a thousand times a night is one thing to be told, not a thousand.
        if (plugin, hook) not in self._reported:
            self._reported.add((plugin, hook))
            self._failures.append(failure)

    # Loading ----------------------------------------------------------------------------------------------------------

    def _load(self, name: str, entry_points: Sequence[EntryPoint], settings: SettingsSource) -> None:
        try:
            if name == BUILT_IN:
                raise PluginError("a plugin of jetcore itself has this name")
            if len(entry_points) > 1:
                both = " and ".join(sorted(map(_distribution, entry_points)))
                raise PluginError(f"{both} bring a plugin of the same name", hint="uninstall one of them")
            check_name(name)
            loaded = entry_points[0].load()
            section = _section(loaded)
            if section is not None:
                # Known even if they are wrong: that is when somebody wants to change them.
                self._sections[name] = section
            plugin = _built(loaded, None if section is None else settings(name, section))
            self._register(name, entry_points[0], plugin)
        except _ANYTHING as error:
            self._leave_out(name, map(_distribution, entry_points), PluginState.BROKEN, reason_of(error), error)

    def _register(self, name: str, entry_point: EntryPoint | None, plugin: object) -> None:
        hooks = check_hooks(plugin)
        self._manager.register(plugin, name)
        self._active[name] = _Loaded(entry_point, hooks)

    def _leave_out(
        self,
        name: str,
        distributions: Iterable[str],
        state: PluginState,
        reason: str,
        error: BaseException | None = None,
    ) -> None:
        for distribution in distributions:
            self._left_out.append(PluginInfo(name=name, distribution=distribution, state=state, reason=reason))
        if state is PluginState.BROKEN:
            debug = _log.isEnabledFor(logging.DEBUG)
            _log.warning("plugin %s is left out: %s", name, reason, exc_info=error if debug else None)


@attrs.frozen
class _Loaded:
    """A plugin in use."""

    #: None for what jetcore itself brings.
    entry_point: EntryPoint | None
    hooks: tuple[str, ...]

    @property
    def distribution(self) -> str:
        """Distribution and version. Only when asked for: a start of jetcore has no time to read files of metadata."""
        return _distribution(self.entry_point) if self.entry_point else _OURS

    def info(self, name: str) -> PluginInfo:
        """Return what is shown of it."""
        return PluginInfo(name=name, distribution=self.distribution, state=PluginState.ACTIVE, hooks=self.hooks)


def _distribution(entry_point: EntryPoint) -> str:
    found = entry_point.dist
    return f"{found.name} {found.version}" if found else entry_point.value


def _section(loaded: Any) -> type[Any] | None:
    """Return the settings class of what a plugin's entry point leads to, None if it has none."""
    section = getattr(loaded, "Settings", None) if isinstance(loaded, type) else None
    if section is not None and not (isinstance(section, type) and attrs.has(section)):
        raise PluginError(f"{loaded.__qualname__}.Settings is not an attrs class")
    return section


def _built(loaded: Any, settings: object) -> object:
    if inspect.ismodule(loaded):
        return loaded
    if not isinstance(loaded, type):
        raise PluginError(f"its entry point leads to {described(loaded)}, neither a module nor a class")
    make: Callable[..., object] = loaded
    return make() if settings is None else make(settings)
