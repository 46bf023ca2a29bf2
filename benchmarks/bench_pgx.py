"""How long PGx calling takes: one VCF as a whole process, a hundred VCFs, and one VCF of a hundred samples.

    .venv/bin/python benchmarks/bench_pgx.py [--repeats 3] [--samples 100]

Each file has all positions of the definitions (../shared/data/pgx), with genotypes drawn at random by a fixed seed: one
allele in a hundred is not the reference, one genotype in five hundred is missing. The releases are installed first.
PharmCAT is no peer here: it needs Java and its own preparation of each file.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from process_measurement import measure

from varloom.services.pgx_files import PgxQuestion, call_file
from varloom.services.references import NewRelease, add_release
from varloom.settings import load_settings

if TYPE_CHECKING:
    from varloom.settings import Settings

PGX = Path(__file__).resolve().parents[2] / "shared" / "data" / "pgx"
GOALS = {"one VCF": 1.0, "100 VCFs": 20.0, "one VCF of 100 samples": 20.0}
"""Seconds that each may take."""
LIMIT_SECONDS = 200


def main() -> int:
    """Make the files, call them, tell how long it took; the exit status is 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="how many rounds; default: 3")
    parser.add_argument("--samples", type=int, default=100, help="how many samples and files; default: 100")
    options = parser.parse_args()
    with TemporaryDirectory(prefix="varloom-bench-") as name:
        folder = Path(name)
        settings = load_settings(data=folder / "data", storage=None)
        for release, source in (("pharmcat", PGX / "definition"), ("cpic", PGX / "cpic")):
            add_release(settings, NewRelease(release, "pgx", "GRCh38", str(source), "bench"), lambda *_: None)
        many = made(folder / "many.vcf", options.samples, seed=0)
        files = [made(folder / f"{seed}.vcf", 1, seed=seed) for seed in range(1, options.samples + 1)]
        taken: dict[str, list[float]] = {}
        for _ in range(options.repeats):
            command = (sys.executable, "-m", "varloom", "pgx", str(files[0]), "--data", str(folder / "data"), "--json")
            run = measure([*command, "-o", str(folder / "one.json")], limit=LIMIT_SECONDS)
            taken.setdefault("one VCF", []).append(run.seconds)
            taken.setdefault("100 VCFs", []).append(timed(settings, files))
            taken.setdefault("one VCF of 100 samples", []).append(timed(settings, [many]))
    missed = 0
    for what, seconds in taken.items():
        median = statistics.median(seconds)
        missed += options.samples == 100 and median > GOALS[what]
        rounds = ", ".join(f"{one:.2f}" for one in seconds)
        print(f"{what:24} {median:6.2f} s (goal {GOALS[what]:.0f} s; {rounds})")
    return int(missed > 0)


def timed(settings: Settings, files: list[Path]) -> float:
    """Seconds to call these files one after the other, as a warm worker does."""
    start = time.perf_counter()
    for path in files:
        call_file(settings, PgxQuestion(path, path.name), lambda *_: None)
    return time.perf_counter() - start


def made(path: Path, samples: int, *, seed: int) -> Path:
    """A VCF of all positions with random genotypes."""
    draw = random.Random(seed)  # noqa: S311 - no secret is drawn
    lines = []
    for line in (PGX / "pharmcat_positions.vcf").read_text().splitlines():
        cells = line.split("\t")
        if line.startswith("#CHROM"):
            lines.append("\t".join([*cells[:9], *(f"sample{number}" for number in range(samples))]))
        elif line.startswith("#"):
            lines.append(line)
        else:
            alts = cells[4].count(",") + 1
            lines.append("\t".join([*cells[:9], *(genotype(draw, alts) for _ in range(samples))]))
    path.write_text("\n".join(lines) + "\n")
    return path


def genotype(draw: random.Random, alts: int) -> str:
    """A GT, mostly of the reference."""
    if draw.random() < 0.002:
        return "./."
    return "/".join(str(draw.randint(1, alts) if draw.random() < 0.01 else 0) for _ in range(2))


if __name__ == "__main__":
    sys.exit(main())
