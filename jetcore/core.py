"""Core: everything that jetcore does, in one object. What :func:`jetcore.open` returns."""

from __future__ import annotations

import logging
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import attrs

from jetcore.abc import DumpEngine, Panel
from jetcore.backup.engines import Engines, find_engines
from jetcore.backup.pipeline import Source, back_up
from jetcore.bootstrap import Bootstrap
from jetcore.errors import (
    BadInputError,
    DestinationError,
    JetcoreError,
    ObjectNotFoundError,
    SourceError,
)
from jetcore.model import (
    Account,
    Alert,
    BackupEnded,
    Contains,
    DestinationConfig,
    Host,
    Level,
    OnProgress,
    RestorePoint,
    RestoreReport,
    Secret,
    Task,
    TaskKind,
    TaskStatus,
)
from jetcore.names import choose, unknown
from jetcore.plugins import Plugins
from jetcore.process import can_fork
from jetcore.repository import Repository, Snapshot
from jetcore.restore.pipeline import Target, Wanted, home_path, restore_account, restore_to_directory
from jetcore.scheduler.fork import Ended, run_forked
from jetcore.scheduler.recorder import Recorder
from jetcore.security.rotation import unlock
from jetcore.settings import SECTIONS
from jetcore.settings.conditions import RestoreCondition
from jetcore.settings.file_permissions import FilePermissionRule
from jetcore.settings.general import General
from jetcore.settings.overrides import AccountOverrides
from jetcore.settings.performance import Performance
from jetcore.settings.priorities import PriorityGroup
from jetcore.state import accounts, alerts, destinations, overrides, points, priorities, tasks
from jetcore.state.engine import after_fork, check_version, make_engine, reading, writing
from jetcore.state.numbered import conditions, file_permissions
from jetcore.state.objects import Objects
from jetcore.state.rules import PanelFacts, Rules
from jetcore.state.settings import SettingsStore
from jetcore.storage import Storage

if TYPE_CHECKING:
    from jetcore.maintenance import Maintenance

_log = logging.getLogger(__name__)


def open(  # noqa: A001  # jetcore.open() is how the library begins, as gzip.open() and others do
    url: str | None = None, *, home: str | os.PathLike[str] | None = None
) -> Core:
    """Open the jetcore of this server, as ``jetcore init`` set it up.

    :param url: URL of the state database; found as :class:`jetcore.bootstrap.Bootstrap` says if not given.
    :param home: Home directory of jetcore.
    :raises StateError: The state database is missing, or of another version.
    :raises MasterKeyError: The master key is missing, or not the one that the database was sealed with.
    """
    return Core(Bootstrap.find(url=url, home=home))


class Core:
    """The jetcore of one server. A context manager; closing it frees the database and the destinations."""

    def __init__(self, bootstrap: Bootstrap) -> None:
        self.bootstrap = bootstrap
        self.host = Host(name=platform.node())
        self._engine = make_engine(bootstrap.database_url)
        self._may_fork = True
        try:
            check_version(self._engine)
            unlocked = unlock(self._engine, bootstrap.master_key_file)
        except BaseException:
            self._engine.dispose()
            raise
        self._key = unlocked.key
        #: Identity of this installation; every destination is marked with it.
        self.uuid = unlocked.uuid
        rules = Rules(home=bootstrap.home, panel=self._panel_facts)
        #: The settings, by section.
        self.settings = SettingsStore(self._engine, self._key, rules=rules)
        #: Queue priority groups, by name.
        self.priorities: Objects[PriorityGroup, str] = Objects(self._engine, priorities)
        #: Restore conditions, by number.
        self.conditions: Objects[RestoreCondition, int] = Objects(self._engine, conditions)
        #: File permission rules, by number.
        self.file_permissions: Objects[FilePermissionRule, int] = Objects(self._engine, file_permissions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the database and the destinations."""
        if "storage" in self.__dict__:  # else it was never needed
            self.storage.close()
        self._engine.dispose()

    # Plugins ---------------------------------------------------------------------------------------------------------

    @cached_property
    def plugins(self) -> Plugins:
        """The installed plugins, loaded when they are first needed."""
        general = self.settings.load("general", General)
        return Plugins.discover(settings=self.settings.load, disabled=general.disabled_plugins)

    def sections(self) -> Mapping[str, type[Any]]:
        """Return the settings class of every section: jetcore's own, and a plugin's under its name."""
        return {**SECTIONS, **self.plugins.sections()}

    def switch_plugin(self, name: str, *, enabled: bool, who: str = "root") -> None:
        """Use a plugin, or leave it out, from the next start on.

        :param who: Who wants it so, for the history of the settings.
        :raises BadInputError: No plugin of that name is installed.
        """
        choose(name, (info.name for info in self.plugins.infos), "plugin")
        general = self.settings.load("general", General)
        disabled = set(general.disabled_plugins) - {name} if enabled else {*general.disabled_plugins, name}
        self.settings.save("general", attrs.evolve(general, disabled_plugins=tuple(sorted(disabled))), who)

    @property
    def dump_engines(self) -> Mapping[str, DumpEngine]:
        """The dump engines that this server uses and that can be used, by name."""
        return self._engines.working

    @property
    def _engines(self) -> Engines:
        # Anew each time: a process that runs for months works with the settings of today.
        return find_engines(self.plugins, self.panel, self.settings)

    # Accounts --------------------------------------------------------------------------------------------------------

    @cached_property
    def panel(self) -> Panel:
        """The panel that manages this server.

        :raises PluginError: No plugin knows it.
        """
        return self.plugins.detect_panel(self.host)

    def _panel_facts(self) -> PanelFacts:
        panel = self.panel
        return PanelFacts(
            name=panel.name,
            packages=tuple(panel.packages()),
            ip_addresses=tuple(panel.ip_addresses()),
            owners=tuple(panel.owners()),
        )

    def accounts(self) -> list[Account]:
        """Return the hosting accounts of this server.

        :raises PanelError: The panel cannot be asked.
        """
        found = list(self.panel.accounts())
        with writing(self._engine) as connection:
            return [accounts.remember(connection, account) for account in found]

    def account(self, name: str) -> Account:
        """Return the account called *name*.

        :raises BadInputError: This server never had such an account; the message names similar ones.
        :raises SourceError: It was there once and is gone.
        """
        account = self.panel.account(name)
        if account is not None:
            with writing(self._engine) as connection:
                return accounts.remember(connection, account)
        if self._remembered(name) is not None:
            raise SourceError(
                f"account {name!r} is no longer on this server", hint=f"bring it back with: jetcore restore {name}"
            )
        raise unknown(name, [account.name for account in self.panel.accounts()], "account")

    def overrides(self, name: str) -> AccountOverrides:
        """Return what was set for the account *name* alone.

        :raises BadInputError: This server never had such an account; the message names similar ones.
        """
        account = self._known(name)
        with reading(self._engine) as connection:
            return overrides.get(connection, account.uuid)

    def override(self, name: str, wanted: AccountOverrides) -> AccountOverrides:
        """Keep *wanted* as all that is set for the account *name* alone.

        :raises BadInputError: The account or a priority group is unknown.
        """
        account = self._known(name)
        with writing(self._engine) as connection:
            return overrides.set(connection, account.uuid, wanted)

    def priority_of(self, name: str) -> PriorityGroup:
        """Return the queue priority group that the account *name* is in.

        :raises BadInputError: This server never had such an account; the message names similar ones.
        """
        account = self._known(name)
        with reading(self._engine) as connection:
            return priorities.of_account(connection, account.uuid)

    def _known(self, name: str) -> Account:
        """Return the account called *name*, be it on this server still or only in restore points.

        :raises BadInputError: There never was one; the message names similar ones.
        """
        return self._remembered(name) or self.account(name)

    def _remembered(self, name: str) -> Account | None:
        with reading(self._engine) as connection:
            return accounts.find(connection, name)

    # Destinations and repositories -----------------------------------------------------------------------------------

    @cached_property
    def storage(self) -> Storage:
        """Where restore points are kept."""
        return Storage(
            engine=self._engine,
            key=self._key,
            server=self.uuid,
            host=self.host.name,
            home=self.bootstrap.home,
            types=self.plugins.destination_types,
        )

    def destinations(self) -> list[DestinationConfig]:
        """Return the configured destinations, sorted by name."""
        return self.storage.all()

    def add_destination(
        self, name: str, kind: str = "local", assignments: Sequence[str] = (), *, default: bool = False
    ) -> DestinationConfig:
        """Add a destination, once it is proved that it can be written and read.

        :param kind: Name of a destination type.
        :param assignments: Its settings, ``field=value`` each.
        :param default: Whether it is used when none is named; the first one always is.
        :raises BadInputError: The name is taken, the type is unknown, or the place belongs to another destination.
        :raises SettingsError: A setting is wrong.
        :raises DestinationError: It cannot be written or read.
        """
        return self.storage.add(name, kind, assignments, default=default)

    def repository(self, name: str, destination: str | None = None) -> Repository:
        """Open the repository of the account *name* at a destination, the default one if none is named.

        :raises BadInputError: The account is unknown, or has no repository there.
        :raises DestinationError: The destination cannot be read.
        :raises RepositoryError: The repository is damaged.
        """
        config, place = self.storage.get(destination)
        return self.storage.open_repository(place, self.storage.record(self._known(name), config))

    def repository_location(self, name: str, destination: str | None = None) -> str:
        """Return what the stock ``restic -r`` takes to open the repository of the account *name*.

        :raises BadInputError: It has none there, or restic cannot reach that type of destination.
        """
        config, place = self.storage.get(destination)
        location = place.restic_location(self.storage.record(self._known(name), config).prefix)
        if not location:
            raise BadInputError(f"restic cannot read destinations of the type {config.type!r}")
        return location

    def repository_password(self, name: str, destination: str | None = None) -> Secret:
        """Return the password of the account's repository.

        :raises BadInputError: It has none there.
        """
        config, _ = self.storage.get(destination)
        return self.storage.record(self._known(name), config).password

    def maintenance(self, name: str, destination: str | None = None, *, mend_config: bool = False) -> Maintenance:
        """Return what looks after the repository of the account *name*: check, repair, forget, prune, keys and more.

        :param mend_config: Whether to make the repository's config anew if it is damaged, so that it can be opened.
        :raises BadInputError: The account is unknown, or has no repository there.
        :raises RepositoryError: The repository cannot be opened.
        """
        from jetcore.maintenance import Maintenance, mend  # noqa: PLC0415  # a backup need not wait for it

        config, place = self.storage.get(destination)
        account = self._known(name)
        record = self.storage.record(account, config)
        if mend_config:
            mend(place, record)
        return Maintenance(
            account=account,
            destination=config.name,
            repository=self.storage.open_repository(place, record),
            password=record.password,
            engine=self._engine,
            memory=self.bootstrap.home / "checks",
            task=lambda: self._recorder.task(TaskKind.MAINTENANCE, name, config.name),
        )

    # Restore points --------------------------------------------------------------------------------------------------

    def points(self, name: str, destination: str | None = None) -> list[RestorePoint]:
        """Return the restore points of an account, oldest first.

        :raises BadInputError: The account or the destination is unknown.
        """
        account = self._known(name)
        with reading(self._engine) as connection:
            if destination is not None:
                destinations.get(connection, destination)
            return points.of_account(connection, account.uuid, destination=destination or "")

    def point(self, name: str, point: str = "latest", destination: str | None = None) -> RestorePoint:
        """Return one restore point of an account.

        :param point: Its id, the first digits of it, or ``latest``.
        :raises BadInputError: There is no such point; the message names similar ones.
        """
        if point != "latest":
            account = self._known(name)
            with reading(self._engine) as connection:
                return points.get(connection, account.uuid, point)
        found = self.points(name, destination)
        if not found:
            raise BadInputError(f"account {name!r} has no restore points", hint=f"make one with: jetcore backup {name}")
        return found[-1]

    # Backup and restore ----------------------------------------------------------------------------------------------

    def backup(
        self,
        name: str,
        destination: str | None = None,
        *,
        contains: Contains = Contains.FULL,
        on_progress: OnProgress | None = None,
    ) -> RestorePoint:
        """Back up one account now and return its new restore point, which may be partial.

        :param destination: Name of a destination; the default one if not given.
        :raises BadInputError: The account or the destination is unknown.
        :raises SourceError: Nothing of the account could be read.
        :raises DestinationError: The destination failed.
        :raises AbortedError: A plugin would not have it.
        """
        config, place = self.storage.get(destination)
        self._known(name)  # a mistyped name is no failed task
        with self._recorder.task(TaskKind.BACKUP, name, config.name) as work:
            account = self.account(name)
            repository = self.storage.repository_for_backup(account, config, place)
            engines = self._engines
            source = Source(
                account=account,
                panel=self.panel,
                engines=engines.working,
                broken_engines=engines.broken,
                host=self.host,
                contains=contains,
            )
            point = back_up(
                source,
                repository,
                destination=config.name,
                former=self._former(account, config, repository),
                level=self.settings.load("performance", Performance).compression_level,
                may_fork=self._may_fork,
                on_progress=on_progress,
            )
            work.point, work.outcome, work.message = point, point.outcome, "; ".join(point.missing)
        return point

    def backup_all(
        self,
        names: Sequence[str],
        destination: str | None = None,
        *,
        contains: Contains = Contains.FULL,
        forks: int = 2,
    ) -> Iterator[BackupEnded]:
        """Back up several accounts, each in a fork of its own, and yield how each ended, as they end.

        What happens to one account, its fork being killed included, happens to no other. A program with threads cannot
        be forked; there, the accounts are backed up one after the other in this process.

        :param forks: How many accounts are worked on at once.
        :raises BadInputError: The destination is unknown.
        """
        config, _ = self.storage.get(destination)
        # Found out once for all forks.
        _ = self.panel, self._engines
        if not can_fork():
            for name in names:
                yield self._try_backup(name, config.name, contains)
            return

        def work(name: str) -> int:
            after_fork(self._engine)
            self.storage.opened.clear()
            # Two forks a processor would only get in each other's way.
            self._may_fork = forks < (os.cpu_count() or 1)
            return self._try_backup(name, config.name, contains).exit_code

        known: list[str] = []
        for name in names:
            try:
                self._known(name)
                known.append(name)
            except JetcoreError as error:
                yield BackupEnded(account=name, message=str(error), exit_code=error.exit_code)
        with reading(self._engine) as connection:
            first_new = tasks.last_id(connection) + 1
        for name, ended in run_forked(work, known, forks=forks):
            yield self._backup_ended(name, config.name, first_new, ended)

    def _try_backup(self, name: str, destination: str, contains: Contains) -> BackupEnded:
        try:
            point = self.backup(name, destination, contains=contains)
        except JetcoreError as error:
            return BackupEnded(account=name, message=str(error), exit_code=error.exit_code)
        return BackupEnded(account=name, point=point)

    def _backup_ended(self, name: str, destination: str, first_new: int, ended: Ended) -> BackupEnded:
        """Return what the state says of a backup that a fork has made, or has not made to its end."""
        with writing(self._engine) as connection:
            task = next(
                (task for task in tasks.recent(connection, account=name, limit=1) if task.id >= first_new), None
            )
            if task is not None and task.status is TaskStatus.PROCESSING:
                task = tasks.abandon(connection, task.id)
                title = f"Backup of account {name} never finished"
                alerts.add(connection, Level.CRITICAL, title, f"its process {ended}", name)
            account = accounts.find(connection, name)
            point = points.latest(connection, account.uuid, destination=destination) if account else None
        if ended.ok and task is not None and point is not None:
            return BackupEnded(account=name, point=point)
        told = task is not None and task.status is not TaskStatus.NEVER_FINISHED and task.message
        said = task.message if task is not None and told else f"its process {ended}"
        return BackupEnded(account=name, message=said, exit_code=ended.status or JetcoreError.exit_code)

    def _former(self, account: Account, config: DestinationConfig, repository: Repository) -> Snapshot | None:
        with reading(self._engine) as connection:
            latest = points.latest(connection, account.uuid, destination=config.name)
        if latest is None:
            return None
        try:
            return repository.snapshot(latest.id)
        except JetcoreError as error:
            if isinstance(error, DestinationError) and not isinstance(error, ObjectNotFoundError):
                raise
            _log.warning("restore point %s of account %s cannot be read: %s", latest.id[:8], account.name, error)
            return None

    def restore(
        self,
        name: str,
        point: RestorePoint | str = "latest",
        *,
        parts: Sequence[str] = (),
        paths: Sequence[bytes | str] = (),
        to: str | os.PathLike[str] | None = None,
        destination: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> RestoreReport:
        """Put an account back as it was, in its place or as files into a directory.

        :param point: A restore point or its id.
        :param parts: Labels of parts, ``database:shop``, or kinds, ``database``; everything if empty.
        :param paths: Paths in the home directory; only they are restored.
        :param to: Directory to write the point to in its own layout, changing nothing else.
        :param destination: Only look at the points of this destination.
        :raises BadInputError: The account, point, part or path is unknown; the message names similar ones.
        :raises RestoreError: Nothing could be restored.
        :raises DestinationError: The destination cannot be read.
        :raises RepositoryError: The repository is damaged.
        """
        chosen = point if isinstance(point, RestorePoint) else self.point(name, point, destination)
        wanted = Wanted(parts=tuple(parts), paths=tuple(home_path(path) for path in paths))
        with self._recorder.task(TaskKind.RESTORE, name, chosen.destination) as work:
            repository = self.repository(name, chosen.destination)
            snapshot = repository.snapshot(chosen.id)
            if to is not None:
                report = restore_to_directory(
                    repository, snapshot, wanted, Path(to).absolute(), account=name, on_progress=on_progress
                )
            else:
                target = Target(panel=self.panel, engines=self.dump_engines)
                report = restore_account(repository, snapshot, wanted, target, account=name, on_progress=on_progress)
            work.outcome = report.outcome
            work.message = "; ".join(f"{part.part}: {message}" for part in report.parts for message in part.messages)
        return report

    # Tasks and alerts ------------------------------------------------------------------------------------------------

    @cached_property
    def _recorder(self) -> Recorder:
        return Recorder(self._engine, self.plugins)

    def tasks(self, name: str = "") -> list[Task]:
        """Return the last tasks, newest first; those of one account if *name* is given."""
        with reading(self._engine) as connection:
            return tasks.recent(connection, account=name)

    def alerts(self) -> list[Alert]:
        """Return the last alerts, newest first."""
        with reading(self._engine) as connection:
            return alerts.recent(connection)
