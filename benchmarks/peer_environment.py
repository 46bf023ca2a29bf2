"""The readers that Varloom is compared with, installed at pinned versions into a folder of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
PINNED = ROOT / "requirements" / "peers.txt"
VARLOOM = (sys.executable, "-m", "varloom")
READERS = ("cyvcf2", "pysam", "polars-bio", "oxbow")
_VERSIONS = """
import sys, importlib.metadata as m
for name in sys.argv[1:]:
    print(name, m.version(name))
"""
_BUNDLED_BCFTOOLS = """
import sys, pysam.bcftools
getattr(pysam.bcftools, sys.argv[1])(*sys.argv[2:], catch_stdout=False)
"""


def peers_python() -> str:
    """The Python that has the peers; the first time, they are installed, which takes a minute and the network."""
    folder = BUILD / "peers"
    python = folder / "bin" / "python"
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(PINNED.read_bytes()).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="ascii") != wanted:
        print(f"Installing the peers into {folder.relative_to(ROOT)} ...", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        uv = Path(sys.executable).with_name("uv")
        install = [uv, "pip", "install", "--python", python] if uv.exists() else [python, "-m", "pip", "install"]
        subprocess.run([*install, "--quiet", "--require-hashes", "-r", PINNED], check=True)
        stamp.write_text(wanted, encoding="ascii")
    return str(python)


def bcftools(python: str) -> dict[str, tuple[str, ...]]:
    """The commands of bcftools by version: the machine's, if it has one, and the one bundled in pysam."""
    bundled = _told(python, "-c", "import pysam.version as v; print(v.__bcftools_version__)")
    commands = {bundled: (python, "-c", _BUNDLED_BCFTOOLS)}
    if found := shutil.which("bcftools"):
        version = _told(found, "--version").split()[1]
        commands = {version: (found,)} | {name: command for name, command in commands.items() if name != version}
    return commands


def versions(python: str, names: tuple[str, ...] = READERS) -> dict[str, str]:
    """The versions of these peers, and of Varloom, by their names in lower case."""
    found = dict(line.split() for line in _told(python, "-c", _VERSIONS, *names).splitlines())
    return {**found, "varloom": _told(*VARLOOM, "--version").split()[1]}


def _told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def plain_environment() -> dict[str, str]:
    """The environment for measured processes: nothing of the caller's own Varloom settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("VARLOOM_")}
