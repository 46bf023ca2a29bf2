"""The parts of the build that pyproject.toml cannot say: the native kernel, and the browser's JavaScript from npm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Command, Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "scripts"))

from nodejs import node_and_npm  # noqa: E402 - it is no part of a package

FRONTEND = ROOT / "src" / "varloom" / "web" / "frontend"
OUTPUT = ROOT / "src" / "varloom" / "web" / "static" / "dist"
KERNELS = tuple(Path("src/varloom") / package / "native" for package in ("genomics", "reader", "dataset"))


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
        node, npm, env = node_and_npm()
        subprocess.run([*npm, "ci", "--loglevel=error", "--no-audit", "--no-fund"], cwd=ROOT, env=env, check=True)
        subprocess.run([*node, str(FRONTEND / "build.mjs")], cwd=ROOT, env=env, check=True)
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


class BuildKernel(build_ext):
    """Compile the native modules; GCC is told to inline as much as clang does by itself."""

    def build_extensions(self) -> None:
        """A fifth of the time of parsing is calls of small functions where GCC decides by its own limits."""
        told = subprocess.run(
            [*self.compiler.compiler_so[:1], "--version"], capture_output=True, text=True, check=False
        )
        if "Free Software Foundation" in told.stdout:
            for extension in self.extensions:
                extension.extra_compile_args[:0] = [word for limit in GCC_LIMITS for word in ("--param", limit)]
        super().build_extensions()


def kernel() -> list[Extension]:
    """The native modules, each of one `.pyx`; CFLAGS of the environment come last and so win."""
    extensions = [
        Extension(".".join(source.with_suffix("").parts[1:]), [source.as_posix()], extra_compile_args=["-O3", "-g0"])
        for folder in KERNELS
        for source in sorted(folder.glob("*.pyx"))
    ]
    built = ROOT / "build" / "cython"
    return cythonize(extensions, build_dir=str(built), language_level=3, nthreads=0, compiler_directives=DIRECTIVES)


GCC_LIMITS = (
    "max-inline-insns-single=1000",
    "max-inline-insns-auto=200",
    "large-function-growth=2000",
    "inline-unit-growth=300",
)
DIRECTIVES = {"boundscheck": False, "wraparound": False, "cdivision": True, "initializedcheck": False}

build.sub_commands.insert(0, ("build_frontend", None))
os.chdir(ROOT)
setup(cmdclass={"build_frontend": BuildFrontend, "build_ext": BuildKernel}, ext_modules=kernel())
