"""How fast variants are looked up in a source of sites, beside bcftools annotate and vcfanno: whole processes.

    .venv/bin/python benchmarks/bench_lookup.py [--repeats 1] [--quick]

A million variants against ten million sites (a twentieth of both with --quick), made in build/bench/lookup, once.
Varloom reads the VCF, looks up and writes Parquet, on the release that its importer makes of the source first, whose
time is told, too. bcftools annotate writes uncompressed BCF, vcfanno VCF. All must find as many variants as there are.
vcfanno and bcftools are those of the machine (Debian has packages of both); bcftools else the one bundled in pysam.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

import lookup_data
from peer_environment import bcftools
from process_measurement import measure

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.importer import ImportTask
from varloom.annotation.refs.variants import import_gnomad

if TYPE_CHECKING:
    from lookup_data import LookupData

LIMIT_SECONDS = 900
GOALS = {"bcftools": 8.0, "vcfanno": 20.0}
"""How many times their rate ours must be."""
FIELDS = ("AF", "AF_grpmax", "nhomalt", "AC", "AN")


class Contestant(NamedTuple):
    """Who looks up: its command, and its output, which is compared."""

    name: str
    command: tuple[str, ...]
    output: Path


def main() -> int:
    """Make the data, run everybody, tell what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=1, help="how many rounds; default: 1")
    parser.add_argument("--quick", action="store_true", help="a twentieth of the data; judges nothing")
    options = parser.parse_args()
    data = lookup_data.made(500_000, 50_000) if options.quick else lookup_data.made(10_000_000, 1_000_000)
    with TemporaryDirectory(prefix="varloom-bench-", dir=lookup_data.FOLDER) as name:
        folder = Path(name)
        seconds = _import(data, folder / "release", folder / "scratch")
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        print(
            f"The source of {data.sites:,} sites was imported in {seconds:.1f} s, with {most / 1e6:.0f} MB of memory."
        )
        field = _contestants(data, folder)
        results: dict[str, list[tuple[float, float, int]]] = {one.name: [] for one in field}
        for _ in range(options.repeats):
            for one in field:
                measured = measure(one.command, limit=LIMIT_SECONDS)
                _check(one, measured.output, data)
                results[one.name].append((measured.seconds, measured.cpu_seconds, measured.tree_bytes))
    return _tell(data, results, judges=not options.quick)


def _import(data: LookupData, folder: Path, scratch: Path) -> float:
    folder.mkdir()
    scratch.mkdir()
    started = time.perf_counter()
    key = ReleaseKey("variants", "gnomad", "GRCh38", "bench")
    import_gnomad(ImportTask(key, (data.source,), folder, scratch, None, lambda *_: None))
    return time.perf_counter() - started


def _contestants(data: LookupData, folder: Path) -> list[Contestant]:
    own = str(Path(__file__).with_name("lookup_varloom.py"))
    output = folder / "varloom.parquet"
    field = [
        Contestant("varloom", (sys.executable, own, str(folder / "release"), str(data.query), str(output)), output)
    ]
    command = next(iter(bcftools(sys.executable).values()))
    columns = ",".join(f"INFO/{field}" for field in FIELDS)
    output = folder / "bcftools.bcf"
    annotate = ("annotate", "-a", str(data.source), "-c", columns, "-Ou", "-o", str(output), str(data.query))
    field.append(Contestant("bcftools annotate", (*command, *annotate), output))
    vcfanno = shutil.which("vcfanno")
    if vcfanno is None:
        print("vcfanno is not on this machine and is left out; Debian has it as the package vcfanno.")
        return field
    settings = folder / "vcfanno.toml"
    names = json.dumps(list(FIELDS))
    operations = json.dumps(["self"] * len(FIELDS))
    settings.write_text(
        f'[[annotation]]\nfile="{data.source}"\nfields={names}\nops={operations}\nnames={names}\n', "utf-8"
    )
    output = folder / "vcfanno.vcf"
    run = f"exec '{vcfanno}' -p 2 '{settings}' '{data.query}' > '{output}'"
    field.append(Contestant("vcfanno", ("/bin/sh", "-c", run), output))
    return field


def _check(one: Contestant, printed: str, data: LookupData) -> None:
    """See that as many variants were found as the source has."""
    if one.name == "varloom":
        found = int(printed)
    elif one.output.suffix == ".vcf":  # of vcfanno; htslib refuses its header, for it names FORMAT and no sample
        with one.output.open("rb") as lines:
            found = sum(b";AF=" in line for line in lines if not line.startswith(b"#"))
    else:
        import pysam

        with pysam.VariantFile(str(one.output)) as file:
            found = sum("AF" in record.info for record in file)
    one.output.unlink()
    if found != data.present:
        sys.exit(f"{one.name} found {found:,} variants of {data.present:,}.")


def _tell(data: LookupData, results: dict[str, list[tuple[float, float, int]]], *, judges: bool) -> int:
    """A line for each, and whether the goals are reached; the exit status."""
    print(f"{'':<20}{'seconds':>9}{'cpu s':>8}{'variants/s':>12}{'per cpu s':>11}{'MB':>7}{'ours':>8}")
    middle = {name: [statistics.median(column) for column in zip(*runs, strict=True)] for name, runs in results.items()}
    own = middle["varloom"]
    missed = False
    for name, (seconds, cpu, memory) in middle.items():
        rate, per_cpu, ratio = data.variants / seconds, data.variants / cpu, seconds / own[0]
        print(f"{name:<20}{seconds:>9.2f}{cpu:>8.2f}{rate:>12,.0f}{per_cpu:>11,.0f}{memory / 1e6:>7.0f}{ratio:>7.1f}x")
        goal = GOALS.get(name.split()[0])
        if goal is not None and judges:
            missed |= ratio < goal
            print(f"{'':<20}{'reached' if ratio >= goal else 'MISSED'}: at least {goal:.0f} times its rate")
    output = lookup_data.FOLDER.parent / "lookup.json"
    output.write_text(json.dumps({"sites": data.sites, "variants": data.variants, "median": middle}, indent=2), "utf-8")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
