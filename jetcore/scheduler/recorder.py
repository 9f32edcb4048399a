"""Recording tasks: how each began and ended, with the alert that follows, and what plugins have to say and are told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import attrs
from sqlalchemy import Engine

from jetcore.errors import AbortedError, JetcoreError
from jetcore.model import Level, Outcome, PluginState, RestorePoint, Task, TaskKind, TaskResult, TaskStatus
from jetcore.plugins import Plugins
from jetcore.state import alerts, points, tasks
from jetcore.state.engine import writing


@attrs.define
class Work:
    """What is known of a task in its course."""

    outcome: Outcome = Outcome.COMPLETED
    message: str = ""
    point: RestorePoint | None = None


class Recorder:
    """Records the tasks of one process."""

    def __init__(self, engine: Engine, plugins: Plugins) -> None:
        self._engine = engine
        self._plugins = plugins
        self._told_of_broken = False

    @contextmanager
    def task(self, kind: TaskKind, account: str, destination: str) -> Iterator[Work]:
        """Record a task with its end, whatever that is, and tell plugins and the people in charge."""
        with writing(self._engine) as connection:
            task = tasks.start(connection, kind, account, destination)
        work = Work()
        try:
            veto = self._plugins.task_starting(task)
            if veto is not None:
                raise AbortedError(f"{kind} of account {account!r} was not wanted: {veto.reason}")  # noqa: TRY301
            yield work
        except BaseException as error:
            work.outcome = _outcome_of(error)
            work.message = str(error) if isinstance(error, JetcoreError) else f"{type(error).__name__}: {error}"
            self._end(task, work)
            raise
        self._end(task, work)

    def _end(self, task: Task, work: Work) -> None:
        """Record point, end and alert in one transaction, then tell the plugins."""
        alert = None
        with writing(self._engine) as connection:
            if work.point is not None:
                points.add(connection, work.point)
            ended = tasks.finish(connection, task.id, TaskStatus(work.outcome.value), work.message)
            if work.outcome is not Outcome.COMPLETED:
                level = Level.WARNING if work.outcome in {Outcome.PARTIAL, Outcome.ABORTED} else Level.CRITICAL
                title = f"{task.kind.value.capitalize()} of account {task.account} {_WORDS[work.outcome]}"
                alert = alerts.add(connection, level, title, work.message, task.account)
        self._plugins.task_finished(TaskResult(task=ended, outcome=work.outcome, point=work.point))
        if alert is not None:
            self._plugins.alert_raised(alert)
        self._tell_of_plugins()

    def _tell_of_plugins(self) -> None:
        """Raise an alert for each plugin that did not work; of one that was left out, only once."""
        told = [(f"Plugin {failure.plugin} failed", str(failure)) for failure in self._plugins.take_failures()]
        if not self._told_of_broken:
            self._told_of_broken = True
            told += [
                (f"Plugin {info.name} is left out", info.reason)
                for info in self._plugins.infos
                if info.state is PluginState.BROKEN
            ]
        if told:
            with writing(self._engine) as connection:
                for title, message in told:
                    alerts.add(connection, Level.WARNING, title, message)


_WORDS: Mapping[Outcome, str] = {
    Outcome.PARTIAL: "is partial",
    Outcome.FAILED: "failed",
    Outcome.ABORTED: "was aborted",
}


def _outcome_of(error: BaseException) -> Outcome:
    # Ctrl-C and SIGTERM are no failures of ours: somebody stopped the task.
    stopped = isinstance(error, AbortedError | KeyboardInterrupt | SystemExit)
    return Outcome.ABORTED if stopped else Outcome.FAILED
