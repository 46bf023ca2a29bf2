"""The system user that PostgreSQL runs as: oneself, or, because it refuses to be root, an unprivileged one."""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from varloom.db.problems import DATABASE_START_FAILED
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from pathlib import Path

_CANDIDATES = ("varloom", "postgres", "nobody")


@dataclass(frozen=True, slots=True)
class SystemUser:
    """Whom a program is run as. `other` says that it is not the user of this process."""

    name: str
    uid: int
    gid: int
    other: bool

    def spawn(self) -> dict[str, Any]:
        """The arguments for subprocess: the user and group, without any further groups, and a clean environment."""
        arguments: dict[str, Any] = {"env": _environment(), "umask": 0o077}
        if self.other:
            arguments |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return arguments

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program as the user to its end; its output and errors come together as text."""
        return subprocess.run(
            [str(part) for part in command],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd="/",
            **self.spawn(),
        )

    def own(self, path: Path) -> None:
        """Give a file or folder that this process has just made to the user."""
        if self.other:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def can_use(self, folder: Path) -> bool:
        """Whether the user reaches the folder through all its parents and may write to it; asked of the kernel."""
        test = 'test -w "$1" && test -x "$1"'
        return self.run("/bin/sh", "-c", test, "sh", folder).returncode == 0


def database_user() -> SystemUser:
    """The user for the embedded PostgreSQL. As root: the first existing one of varloom, postgres, nobody."""
    if os.geteuid() != 0:
        return SystemUser(str(os.geteuid()), os.geteuid(), os.getegid(), other=False)
    for name in _CANDIDATES:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        if found.pw_uid != 0:
            return SystemUser(name, found.pw_uid, found.pw_gid, other=True)
    raise VarloomError(
        DATABASE_START_FAILED,
        f"PostgreSQL refuses to run as root, and none of the system users {', '.join(_CANDIDATES)} exists.",
        resolution=("Run Varloom as an ordinary user, or give a PostgreSQL of your own with --database-url.",),
    )


def _environment() -> dict[str, str]:
    """What PostgreSQL's programs need, and nothing else: no PG* variable and no secret gets there."""
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
