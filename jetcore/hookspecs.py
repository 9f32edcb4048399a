"""Every hook of jetcore, in the order in which a run comes to them.

A plugin is a module, or a class, with functions marked ``@jetcore.hookimpl`` and named as here. A distribution
announces it with an entry point in the group ``jetcore``, named ``<kind>_<product>``. A class that has a ``Settings``
attribute (an attrs class) is built with an instance of it, any other class without arguments; a module is taken as it
is.

Hooks register types or return objects; long work is a method of those (:mod:`jetcore.abc`). A hook that raises is
logged with its plugin's name and treated as if it had returned None, unless its text here says otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

import click
import pluggy

from jetcore.abc import Destination, DumpEngine, Notifier, Panel
from jetcore.model import Alert, Host, Task, TaskResult, Veto

#: Name of the project for pluggy, and of the entry-point group.
PROJECT = "jetcore"

hookspec = pluggy.HookspecMarker(PROJECT)
#: Marks a plugin's function as the implementation of the hook of the same name.
hookimpl = pluggy.HookimplMarker(PROJECT)


# At start, in every process that opens a Core ------------------------------------------------------------------------


@hookspec(firstresult=True)
def jetcore_detect_panel(host: Host) -> Panel | None:
    """Return the panel that manages *host*, or None if it is not one you know. Stops at the first answer.

    Look at files only; open no connection. ``panel_linux`` answers last (``trylast``) and always.

    Called: when the accounts are first needed, in the process that needs them; as root on a server.

    :param host: Root directory and name of this machine; a temporary tree in tests.
    """


@hookspec
def jetcore_dump_engines() -> Sequence[type[DumpEngine]]:
    """Return the types of database servers that you can dump; None or an empty list adds nothing.

    Called: once, when a :class:`jetcore.Core` first needs a dump engine.
    """


@hookspec
def jetcore_destination_types() -> Sequence[type[Destination]]:
    """Return the types of destinations that you add; None or an empty list adds nothing.

    Called: once, when a :class:`jetcore.Core` first needs a destination.
    """


@hookspec
def jetcore_notifier_types() -> Sequence[type[Notifier]]:
    """Return the types of notifiers that you add; None or an empty list adds nothing.

    Called: once, when a :class:`jetcore.Core` first needs a notifier.
    """


# Around a task, in the process that runs it --------------------------------------------------------------------------


@hookspec
def jetcore_task_starting(task: Task) -> Veto | None:
    """Return None to let *task* run, or a :class:`jetcore.Veto` whose reason aborts it and is raised as a warning.

    Every plugin is asked, each alone; the first veto counts. A plugin that raises has not vetoed.

    Called: before anything of the task is done.
    """


@hookspec
def jetcore_task_finished(result: TaskResult) -> None:
    """Take note that a task has ended. What is returned is ignored.

    Called: after the outcome has been recorded; nothing that happens here changes it.
    """


@hookspec
def jetcore_alert_raised(alert: Alert) -> None:
    """Take note of *alert*. What is returned is ignored.

    Called: after the alert has been recorded, in the process that raised it.
    """


# On the command line -------------------------------------------------------------------------------------------------


@hookspec
def jetcore_cli_commands(group: click.Group) -> None:
    """Add commands to *group*, the command line's root. A name that is taken already is an error of the plugin.

    Called: at the start of the command line, before the words of the call are looked at.
    """
