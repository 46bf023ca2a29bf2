"""Gathers the wheel and every pinned requirement in dist/wheelhouse, for machines that reach no index.

Run by `make wheelhouse`. What is gathered is for this machine's kind of system and Python. Every file is held to its
checksum in requirements/, and `requirements.txt` beside them has that of each that is needed, Varloom's own included.
With them are uv and pip, since a machine that reaches no index has nowhere else to take an installer from.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DIST = ROOT / "dist"
HOUSE = DIST / "wheelhouse"
PINNED = ROOT / "requirements" / "run.txt"
INSTALLERS = ROOT / "requirements" / "bootstrap.txt"
PIP = re.compile(r"^pip==.*(?:\n +--hash=.*)+", re.MULTILINE)
"""pipx brings its own pip up to date before anything else."""


def main() -> int:
    """Fetch, and write the list."""
    wheel = next(DIST.glob("varloom-*.whl"), None)
    if wheel is None:
        sys.exit("There is no wheel in dist/: run `make wheel` first.")
    shutil.rmtree(HOUSE, ignore_errors=True)
    HOUSE.mkdir(parents=True)
    pip = PIP.search((ROOT / "requirements" / "dev.txt").read_text(encoding="utf-8"))
    if pip is None:
        sys.exit("requirements/dev.txt does not pin pip.")
    with tempfile.TemporaryDirectory() as temporary:
        own_pip = Path(temporary, "pip.txt")
        own_pip.write_text(pip[0] + "\n", encoding="utf-8")
        lists = [word for path in (PINNED, INSTALLERS, own_pip) for word in ("--requirement", path)]
        only_wheels = ["--only-binary", ":all:", "--no-deps", "--require-hashes", *lists]
        quiet = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([sys.executable, "-m", "pip", "download", *quiet, *only_wheels, "--dest", HOUSE], check=True)
    shutil.copy2(wheel, HOUSE)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    release = wheel.name.split("-")[1]
    own = f"varloom=={release} \\\n    --hash=sha256:{digest}\n"
    (HOUSE / "requirements.txt").write_text(PINNED.read_text(encoding="utf-8") + own, encoding="utf-8")
    files = list(HOUSE.glob("*.whl"))
    print(f"{len(files)} wheels, {sum(path.stat().st_size for path in files) / 1e6:,.0f} MB, in {HOUSE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
