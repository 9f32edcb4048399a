"""Changing logins through the programs of the shadow suite, which know locks, caches and audit trails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from jetcore import PanelError
from jetcore_panel_linux.facts import Password

#: useradd(8), usermod(8): what their exit status says.
_MEANINGS: Mapping[int, str] = {
    1: "the tables of logins cannot be changed",
    2: "the options are not valid",
    3: "a value is not valid",
    4: "the user id is taken",
    6: "the group or login does not exist",
    8: "the login is in use",
    9: "the name is taken",
    10: "the table of groups cannot be changed",
    12: "the home directory cannot be made",
    14: "the SELinux user cannot be set",
}
#: Shadow waits 15 seconds for its locks. A minute means that something hangs.
_TIMEOUT_S = 60

UID_TAKEN = 4


@attrs.frozen
class ProgramError(Exception):
    """A program of the shadow suite refused."""

    status: int
    text: str


@attrs.frozen
class Programs:
    """The shadow suite below one root directory."""

    root: Path

    def useradd(self, name: str, options: Sequence[str | bytes]) -> None:
        """Add a login.

        :raises ProgramError: It was refused.
        """
        self._run(["useradd", *self._prefix(), *options, "--", name])

    def usermod(self, name: str, options: Sequence[str | bytes]) -> None:
        """Change a login.

        :raises ProgramError: It was refused.
        """
        self._run(["usermod", *self._prefix(), *options, "--", name])

    def set_password(self, name: str, password: Password) -> None:
        """Set hash and days of a login. The hash goes through a pipe: everybody can read command lines.

        :raises ProgramError: It was refused.
        """
        self._run(["chpasswd", "--encrypted", *self._chroot()], name.encode() + b":" + password.hash + b"\n")
        options = ["--lastday", "--mindays", "--maxdays", "--warndays", "--inactive", "--expiredate"]
        days = [f"{option}={day or -1}" for option, day in zip(options, password.days, strict=True)]
        self._run(["chage", *self._chroot(), *days, "--", name])

    def _prefix(self) -> list[str]:
        return [] if self.root == Path("/") else [f"--prefix={self.root}"]

    def _chroot(self) -> list[str]:  # these two know no prefix
        return [] if self.root == Path("/") else [f"--root={self.root}"]

    def _run(self, command: Sequence[str | bytes], text: bytes = b"") -> None:
        program = os.fsdecode(command[0])
        try:
            done = subprocess.run(
                command,
                input=text,
                capture_output=True,
                timeout=_TIMEOUT_S,
                check=False,
                env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
            )
        except FileNotFoundError:
            raise PanelError(
                f"there is no program {program}", hint="install the package passwd or shadow-utils"
            ) from None
        except subprocess.TimeoutExpired:
            raise PanelError(f"{program} did not end within {_TIMEOUT_S} seconds") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            meaning = _MEANINGS.get(done.returncode, f"{program} ended with status {done.returncode}")
            raise ProgramError(done.returncode, f"{meaning} ({said[0]})" if said else meaning)
