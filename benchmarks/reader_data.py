"""The files that the reader's benchmark reads, made once and kept in build/bench."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from peer_environment import BUILD, ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = BUILD / "bench"
GENERATOR = ROOT.parent / "shared" / "tools" / "make_vcf.py"
CSV_GENERATOR = Path(__file__).with_name("make_csv.py")
CSV_COLUMNS = 30


@dataclass(frozen=True, slots=True)
class Data:
    """One file to read.

    Attributes:
        name: of the workload.
        kind: what the generator makes.
        records: how many, in the whole benchmark and in a quick one.
    """

    name: str
    kind: str
    records: int
    quick: int

    def path(self, *, quick: bool) -> Path:
        """Where the file is, or will be."""
        count = self.quick if quick else self.records
        return FOLDER / f"{self.kind}-{count}.{'csv' if self.kind == 'csv' else 'vcf.gz'}"


ALL = (
    Data("gatk 1M", "gatk", 1_000_000, 50_000),
    Data("vep 300k", "vep", 300_000, 15_000),
    Data("multi500 20k", "multi500", 20_000, 1_000),
    Data("gatk 5M", "gatk", 5_000_000, 250_000),
    Data("csv 1M x 30", "csv", 1_000_000, 50_000),
)


class NoGeneratorError(Exception):
    """The file is not there, and what would make it is not there either."""


def made(data: Data, *, quick: bool) -> Path:
    """The file, made if it is not there yet.

    Raises:
        NoGeneratorError: it cannot be made here.
    """
    path = data.path(quick=quick)
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        count = data.quick if quick else data.records
        print(f"Making {path.relative_to(ROOT)} ...", file=sys.stderr)
        _make(path, lambda target: _make_csv(count, target) if data.kind == "csv" else _make_vcf(data, count, target))
    return path


def _make(path: Path, make: Callable[[Path], None]) -> None:
    """Make a file under another name first, so that one that was broken off is not taken for whole."""
    unfinished = path.with_name(f"unfinished-{path.name}")
    try:
        make(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _make_vcf(data: Data, count: int, target: Path) -> None:
    if not GENERATOR.exists():
        raise NoGeneratorError(
            f"the generator of the VCF files, ../{GENERATOR.relative_to(ROOT.parent)}, is not beside this checkout"
        )
    plain = target.with_name("plain.vcf")
    try:
        subprocess.run([sys.executable, GENERATOR, data.kind, str(count), plain], check=True)
        _bgzip(plain, target)
    finally:
        plain.unlink(missing_ok=True)


def _bgzip(plain: Path, target: Path) -> None:
    if bgzip := shutil.which("bgzip"):
        with target.open("wb") as file:
            subprocess.run([bgzip, "-@", "2", "-c", plain], check=True, stdout=file)
    else:
        import pysam

        pysam.tabix_compress(str(plain), str(target), force=True)


def _make_csv(count: int, target: Path) -> None:
    if not CSV_GENERATOR.exists():
        raise NoGeneratorError(f"the generator of the CSV file, benchmarks/{CSV_GENERATOR.name}, is not there")
    subprocess.run([sys.executable, CSV_GENERATOR, str(count), str(CSV_COLUMNS), target], check=True)
