"""Logins as accounts."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from jetcore import Account, Contains, Panel, PanelError, Part, PartFile
from jetcore_panel_linux import facts
from jetcore_panel_linux.crontab import CRONTAB, has_crontab, read_crontab, write_crontab
from jetcore_panel_linux.facts import Facts, Password
from jetcore_panel_linux.logins import Login, Logins
from jetcore_panel_linux.programs import UID_TAKEN, ProgramError, Programs

#: "nobody" owns what belongs to nobody: never an account, whatever the range.
_NOBODY = 65534
#: The main group of logins where they have none of their own; below GID_MIN on Debian, but nobody's privilege.
_EVERYBODY = "users"


class LinuxPanel(Panel):
    """The logins below a root directory whose user ids are in the range of accounts.

    :param root: Directory that holds ``etc``, ``home`` and ``var``.
    :param uid_min: Smallest user id of an account; 0 for ``UID_MIN`` of login.defs.
    :param uid_max: Largest user id of an account; 0 for ``UID_MAX`` of login.defs.
    """

    name: ClassVar[str] = "linux"

    def __init__(self, root: Path, *, uid_min: int = 0, uid_max: int = 0) -> None:
        self.root = root
        self._uid_min = uid_min
        self._uid_max = uid_max
        self._logins = Logins(root)
        self._programs = Programs(root)

    # What there is ----------------------------------------------------------------------------------------------------

    def accounts(self) -> Iterator[Account]:
        """Yield the accounts in the order of passwd."""
        yield from (self._account(login) for login in self._logins.all().values() if self._is_account(login))

    def account(self, name: str) -> Account | None:
        """Return the account called *name*, or None if there is none."""
        login = self._logins.all().get(name)
        return self._account(login) if login is not None and self._is_account(login) else None

    def parts(self, account: Account) -> Sequence[Part]:
        """Return the login itself, its home directory, and its crontab if it has one."""
        parts = [Part(Contains.CONFIG), Part(Contains.HOMEDIR)]
        if has_crontab(self.root, account.name):
            parts.append(Part(Contains.CRON))
        return parts

    def databases(self, account: Account, engine: str, existing: Sequence[str]) -> Sequence[str]:
        """Return those of *existing* whose name begins with that of *account* and with that of no longer-named one.

        ``a_b_shop`` is a database of ``a`` only as long as there is no account ``a_b``.
        """
        logins = self._logins.all()

        def owner(database: str) -> str | None:
            end = len(database)
            while end > 0:
                login = logins.get(database[:end])
                if login is not None and self._is_account(login):
                    return login.name
                end = database.rfind("_", 0, end)
            return None

        near = super().databases(account, engine, existing)
        return [database for database in near if owner(database) == account.name]

    # Reading ----------------------------------------------------------------------------------------------------------

    def read(self, account: Account, part: Part) -> Sequence[PartFile]:
        """Return the files of *part*."""
        login = self._login(account)
        if part.kind is Contains.CRON:
            return [PartFile(path=CRONTAB, data=read_crontab(self.root, login.name))]
        if part.kind is not Contains.CONFIG:
            raise PanelError(f"a Linux server keeps no {part} of account {login.name!r}")
        files = [PartFile(path=facts.ACCOUNT, data=facts.encode(login, self._facts(login)))]
        shadow = self._logins.shadow(login.name)
        if shadow is not None:
            files.append(PartFile(path=facts.SHADOW, data=shadow + b"\n"))
        return files

    # Putting back -----------------------------------------------------------------------------------------------------

    def apply(self, account: Account, part: Part, files: Sequence[PartFile]) -> None:
        """Put *part* back.

        Of the groups those are added that exist and give no rights over the system; the error names the others.
        """
        login = self._login(account)
        contents = {file.path: file.data for file in files}
        if part.kind is Contains.CRON:
            write_crontab(self.root, login, self._logins, contents.get(CRONTAB))
        elif part.kind is Contains.CONFIG:
            self._apply_config(login, contents)
        else:
            raise PanelError(f"a Linux server keeps no {part} of account {login.name!r}")

    def create_account(self, wanted: Account) -> Account:
        """Make the login with an empty home directory, under its former user id if that is free."""
        name = wanted.name
        existing = self._logins.all()
        if name in existing:
            raise PanelError(f"there is a login {name!r} already")
        then = Facts.of_texts(wanted.extra)
        home = self._home_in_passwd(wanted, then)
        self._check_home(wanted, home)
        options: list[str | bytes] = [b"--home-dir=" + home, b"--comment=" + then.comment]
        options += ["--create-home", "--skel=/nonexistent"]  # nothing in it that the restore point does not bring
        if then.shell:
            options.append(b"--shell=" + then.shell)
        options += self._main_group(name, then)
        free = wanted.uid in self._range() and wanted.uid not in {login.uid for login in existing.values()}
        try:
            self._add(name, options, wanted.uid if free else None)
        except ProgramError as error:
            raise PanelError(f"account {name!r} cannot be made: {error.text}") from error
        created = self.account(name)
        if created is None:
            raise PanelError(
                f"account {name!r} was made, but its user id is not one of an account",
                hint="look at uid_min and uid_max in the settings of panel_linux",
            )
        return created

    def _add(self, name: str, options: Sequence[str | bytes], uid: int | None) -> None:
        try:
            self._programs.useradd(name, options if uid is None else [*options, f"--uid={uid}"])
        except ProgramError as error:
            if uid is None or error.status != UID_TAKEN:
                raise
            self._programs.useradd(name, options)  # somebody was faster

    def _apply_config(self, login: Login, contents: dict[str, bytes]) -> None:
        if facts.ACCOUNT not in contents:
            raise PanelError(f"the restore point has no {facts.ACCOUNT}")
        then, now = facts.decode(contents[facts.ACCOUNT]), self._facts(login)
        password = Password.decode(contents[facts.SHADOW]) if facts.SHADOW in contents else None
        missing = sorted({then.group, *then.groups} - {now.group, *now.groups, ""})
        added = [name for name in missing if self._is_harmless(name)]
        options: list[str | bytes] = []
        if then.comment != now.comment:
            options.append(b"--comment=" + then.comment)
        if then.shell != now.shell:
            options.append(b"--shell=" + then.shell)
        if added:
            options += ["--append", f"--groups={','.join(added)}"]
        try:
            if options:
                self._programs.usermod(login.name, options)
            if password is not None and contents[facts.SHADOW] != (self._logins.shadow(login.name) or b"") + b"\n":
                self._programs.set_password(login.name, password)
        except ProgramError as error:
            raise PanelError(f"account {login.name!r} cannot be put back: {error.text}") from error
        if left := sorted(set(missing) - set(added)):
            raise PanelError(
                f"account {login.name!r} was not put into {', '.join(left)}: no such group here, or one of the system",
                hint=f"if that is right: usermod --append --groups {','.join(left)} {login.name}",
            )

    # ------------------------------------------------------------------------------------------------------------------

    def _range(self) -> range:
        low = self._uid_min or self._logins.default("UID_MIN", 1000)
        high = self._uid_max or self._logins.default("UID_MAX", 60000)
        return range(max(low, 1), high + 1)

    def _is_account(self, login: Login) -> bool:
        return login.uid in self._range() and login.uid != _NOBODY

    def _login(self, account: Account) -> Login:
        login = self._logins.all().get(account.name)
        if login is None or not self._is_account(login):
            raise PanelError(f"there is no account {account.name!r}", hint="see `jetcore accounts`")
        return login

    def _account(self, login: Login) -> Account:
        return Account(
            name=login.name,
            panel=self.name,
            home=self.root / os.fsdecode(_normal(login.home)).lstrip("/"),
            uid=login.uid,
            gid=login.gid,
            suspended=self._is_locked(login),
            extra=self._facts(login).texts(),
        )

    def _facts(self, login: Login) -> Facts:
        groups = self._logins.groups()
        return Facts(
            comment=login.comment,
            home=login.home,
            shell=login.shell,
            group=groups.by_gid.get(login.gid, ""),
            groups=tuple(sorted(groups.of_member.get(login.name, ()))),
        )

    def _is_locked(self, login: Login) -> bool:
        """Say whether ``usermod --lock`` has put its mark before a hash; a mark alone is a login without password."""
        try:
            shadow = self._logins.shadow(login.name) or b""
        except PanelError:
            return False  # only root may look; who may not can list the accounts all the same
        hash_ = shadow.partition(b":")[0]
        return hash_.startswith(b"!") and hash_.strip(b"!*") != b""

    def _is_harmless(self, group: str) -> bool:
        """Say whether a group exists and is no group of the system, which could give rights over all of it."""
        gid = self._logins.groups().gids.get(group)
        return gid is not None and (gid >= self._logins.default("GID_MIN", 1000) or group == _EVERYBODY)

    def _main_group(self, name: str, then: Facts) -> Sequence[str]:
        """Return the option for the former main group, or for one of the login's own."""
        former = then.group or name
        return [f"--gid={former}"] if self._is_harmless(former) else ["--user-group"]

    def _home_in_passwd(self, wanted: Account, then: Facts) -> bytes:
        """Return the home directory as seen from below the root directory."""
        if not wanted.home.is_relative_to(self.root):
            return then.home
        home = b"/" + os.fsencode(wanted.home.relative_to(self.root))
        return then.home if _normal(then.home) == _normal(home) else home

    def _check_home(self, wanted: Account, home: bytes) -> None:
        """Refuse a home directory that is somebody else's, or that leads there.

        :raises PanelError: It is.
        """
        if not home.startswith(b"/"):
            raise PanelError(f"the home directory of account {wanted.name!r} is not known")
        path = self.root / os.fsdecode(_normal(home)).lstrip("/")
        try:
            found = path.lstat()
        except FileNotFoundError:
            return
        holder = next((login.name for login in self._logins.all().values() if login.uid == found.st_uid), None)
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != wanted.uid or holder is not None:
            raise PanelError(
                f"account {wanted.name!r} cannot be made: {path} is there already and not its home directory",
                hint="move it away and try again",
            )


def _normal(home: bytes) -> bytes:
    """Return an absolute path without ``..``, as a login with a strange home directory would be taken to it."""
    return os.path.normpath(b"/" + home)
