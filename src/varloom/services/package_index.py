"""A package of data, fetched by its name from the package index that this machine is set up for; nothing of it runs."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from varloom.errors import VarloomError, define, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKAGE_NOT_FETCHED = define(
    "package_not_fetched",
    "The package could not be fetched",
    cause="The package of reference data is not in the package index that this machine is set up for, or the index "
    "cannot be reached.",
    resolution=(
        "Check the name, and that `pip download --no-deps NAME` works on this machine.",
        "Or download the wheel elsewhere, and give its path by --from.",
    ),
)
TIMEOUT_SECONDS = 600
_CHECK_SECONDS = 0.5


@contextlib.contextmanager
def fetched_package(name: str, on_bytes: Callable[[int, int | None], None]) -> Iterator[Path]:
    """The wheel of a package; it goes with the block. Wheels alone are taken: they are unpacked, and never run.

    Args:
        name: of the package, with a version as in `pypgx==0.26.0` if it has to be that.
        on_bytes: told that the download goes on; it raises to cancel.

    Raises:
        VarloomError: `package_not_fetched`. Whatever `on_bytes` raises.
    """
    with tempfile.TemporaryDirectory(prefix="varloom-package-") as folder:
        options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--no-input", "--quiet"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", folder, name]
        said = _run(command, on_bytes)
        wheels = sorted(Path(folder).glob("*.whl"))
        if len(wheels) != 1:
            raise VarloomError(PACKAGE_NOT_FETCHED, f"{name}: {safe_excerpt(said) or 'no wheel came'}.")
        yield wheels[0]


def _run(command: list[str], on_bytes: Callable[[int, int | None], None]) -> str:
    """Run pip to its end; the last line that it said."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for _ in range(int(TIMEOUT_SECONDS / _CHECK_SECONDS)):
            try:
                _, said = process.communicate(timeout=_CHECK_SECONDS)
            except subprocess.TimeoutExpired:
                try:
                    on_bytes(0, None)
                except BaseException:
                    process.kill()
                    raise
            else:
                lines = [line for line in said.splitlines() if line.startswith("ERROR")]
                return lines[-1].removeprefix("ERROR: ").rstrip(".") if lines else ""
        process.kill()
        return "it took too long"
