"""Where restore points are kept: the configured destinations, and the repository of each account at each of them."""

from __future__ import annotations

import fcntl
import secrets
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import attrs
import orjson
from sqlalchemy import Engine

from jetcore.abc import Destination
from jetcore.destinations.guarded import GuardedDestination
from jetcore.errors import BadInputError, DestinationError, NoRepositoryError, ObjectNotFoundError
from jetcore.model import Account, DestinationConfig, Secret
from jetcore.names import choose
from jetcore.repository import MasterKeys, Repository
from jetcore.settings.assign import assign
from jetcore.settings.secret import MasterKey
from jetcore.state import destinations, repositories
from jetcore.state.engine import reading, writing
from jetcore.state.repositories import RepositoryRecord

#: Says at a destination's root which server and destination it belongs to.
MARKER = "jetcore-destination.json"
#: File in the home directory that processes take turns by.
_TURNS = "making.lock"


@attrs.frozen(kw_only=True, eq=False)
class Storage:
    """The destinations and repositories of one server."""

    engine: Engine
    key: MasterKey
    #: Identity and name of this installation, for the marks at destinations.
    server: str
    host: str
    #: Home directory of jetcore.
    home: Path
    #: Gives the destination types, by name.
    types: Callable[[], Mapping[str, type[Destination]]]
    #: Destinations in use, by uuid.
    opened: dict[str, Destination] = attrs.field(factory=dict)

    def close(self) -> None:
        """Free the destinations; using them again opens them anew."""
        for destination in self.opened.values():
            destination.close()
        self.opened.clear()

    def all(self) -> list[DestinationConfig]:
        """Return the configured destinations, sorted by name."""
        types = self.types()
        with reading(self.engine) as connection:
            return [
                destinations.with_settings(connection, config, types[config.type].Settings, self.key)
                if config.type in types
                else config
                for config in destinations.all(connection)
            ]

    def add(
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
        types = self.types()
        type_ = types[choose(kind, list(types), "type of destination")]
        settings = None
        if type_.Settings is not None:
            settings = assign(type_.Settings, assignments, place=f"destination {name}", values={})
        config = DestinationConfig(name=name, type=kind, uuid=str(uuid4()), settings=settings, default=default)
        with writing(self.engine) as connection:
            destinations.add(connection, config, self.key)
            # Inside the transaction: a place that cannot be used is not kept as a destination.
            self._mark(GuardedDestination(type_(settings)), config)
            return attrs.evolve(config, default=destinations.get(connection, name).default)

    def _mark(self, destination: Destination, config: DestinationConfig) -> None:
        try:
            marker = orjson.loads(destination.get(MARKER))
        except ObjectNotFoundError:
            document = {"version": 1, "server": self.server, "host": self.host, "destination": config.uuid}
            destination.put(MARKER, orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        except orjson.JSONDecodeError as error:
            raise DestinationError(f"{MARKER} at destination {config.name!r} is damaged: {error}") from error
        else:
            whose = "this server" if marker.get("server") == self.server else f"server {marker.get('host')!r}"
            raise BadInputError(
                f"the place of destination {config.name!r} is in use already, by {whose}", hint="choose another place"
            )
        finally:
            destination.close()

    def get(self, name: str | None = None) -> tuple[DestinationConfig, Destination]:
        """Return the destination called *name*, or the default one, ready for use.

        :raises BadInputError: There is none of that name, or its type has no plugin.
        """
        types = self.types()
        with reading(self.engine) as connection:
            config = destinations.get(connection, name) if name else destinations.default(connection)
            kind = types[choose(config.type, list(types), "type of destination")]
            config = destinations.with_settings(connection, config, kind.Settings, self.key)
        if config.uuid not in self.opened:
            self.opened[config.uuid] = GuardedDestination(kind(config.settings))
        return config, self.opened[config.uuid]

    def record(self, account: Account, config: DestinationConfig) -> RepositoryRecord:
        """Return where the repository of *account* is at a destination, and what opens it.

        :raises BadInputError: It has none there.
        """
        with reading(self.engine) as connection:
            record = repositories.get(connection, account.uuid, config.uuid, self.key)
        if record is None:
            raise BadInputError(
                f"account {account.name!r} has no repository at destination {config.name!r}",
                hint=f"make one with: jetcore backup {account.name}",
            )
        return record

    def open_repository(self, place: Destination, record: RepositoryRecord) -> Repository:
        """Open the repository that *record* tells of, at its destination *place*.

        :raises NoRepositoryError: It is not there.
        :raises DestinationError: The destination cannot be read.
        :raises RepositoryError: The repository is damaged.
        """
        if record.keys is not None:
            return Repository.open(place, record.prefix, keys=MasterKeys.from_json(record.keys.reveal()))
        opened = Repository.open(place, record.prefix, password=record.password)
        self._keep_keys(record, opened)
        return opened

    def _keep_keys(self, record: RepositoryRecord, repository: Repository) -> None:
        keys = Secret(repository.keys.to_json().decode())
        with writing(self.engine) as connection:
            repositories.change_secrets(connection, attrs.evolve(record, keys=keys), self.key)

    def repository_for_backup(self, account: Account, config: DestinationConfig, place: Destination) -> Repository:
        """Open the account's repository, or make it.

        The password is kept before the repository is made: a repository without a known password would be lost.
        """
        with reading(self.engine) as connection:
            record = repositories.get(connection, account.uuid, config.uuid, self.key)
        if record is not None and record.keys is not None:
            return self.open_repository(place, record)
        with self._alone(account.uuid):
            with writing(self.engine) as connection:
                record = repositories.get(connection, account.uuid, config.uuid, self.key)
                if record is None:
                    record = RepositoryRecord(
                        account_uuid=account.uuid,
                        destination_uuid=config.uuid,
                        prefix=f"{account.name}-{account.uuid[:8]}/",
                        password=Secret(secrets.token_urlsafe(32)),
                    )
                    repositories.add(connection, record, self.key)
            try:
                return self.open_repository(place, record)
            except NoRepositoryError:
                if record.keys is not None:
                    raise
                made = Repository.init(place, record.prefix, record.password, random_password=True)
                self._keep_keys(record, made)
                return made

    @contextmanager
    def _alone(self, account_uuid: str) -> Iterator[None]:
        """Let one process at a time make repositories of an account: of two, the second would undo the first."""
        with (self.home / _TURNS).open("ab") as file:
            # A byte of the file, which stays empty, stands for the account; the end of the process gives it back.
            fcntl.lockf(file, fcntl.LOCK_EX, 1, zlib.crc32(account_uuid.encode()))
            yield
