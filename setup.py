"""The part of the build that pyproject.toml cannot say: the native kernel. The rest is in scripts/build_backend.py."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
KERNELS = tuple(Path("src/varloom") / package / "native" for package in ("genomics", "reader", "dataset"))


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
    built = "build/cython"  # below ROOT; a whole path would stand in the source distribution
    return cythonize(extensions, build_dir=built, language_level=3, nthreads=0, compiler_directives=DIRECTIVES)


GCC_LIMITS = (
    "max-inline-insns-single=1000",
    "max-inline-insns-auto=200",
    "large-function-growth=2000",
    "inline-unit-growth=300",
)
DIRECTIVES = {"boundscheck": False, "wraparound": False, "cdivision": True, "initializedcheck": False}

os.chdir(ROOT)
setup(cmdclass={"build_ext": BuildKernel}, ext_modules=kernel())
