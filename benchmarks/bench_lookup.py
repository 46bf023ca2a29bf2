"""How fast variants are looked up in a source of sites, beside bcftools annotate and vcfanno: whole processes.

    .venv/bin/python benchmarks/bench_lookup.py [--repeats 1] [--quick]

A million variants against ten million sites (a twentieth of both with --quick), made in build/bench/lookup, once.
Varloom reads the VCF, looks up in two threads and writes Arrow; the release is made by its importer first, and how long
that takes is told. bcftools annotate writes uncompressed BCF, vcfanno VCF from two processes. All must find as many
variants as there are. The goals are those of whole processes, from start to end. It is told, too, how long each takes
only to start, and the ratio without that: the stage that annotates runs in processes that have started long before.

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
"""How many times as fast we must be, from start to end."""
FIELDS = ("AF", "AF_grpmax", "nhomalt", "AC", "AN")


class Contestant(NamedTuple):
    """Who looks up: its command, its output, which is compared, and a command by which it only starts."""

    name: str
    command: tuple[str, ...]
    output: Path
    idle: tuple[str, ...]


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
        starts = {one.name: _start(one) for one in field}
        results: dict[str, list[tuple[float, float, int]]] = {one.name: [] for one in field}
        for _ in range(options.repeats):
            for one in field:
                measured = measure(one.command, limit=LIMIT_SECONDS)
                _check(one, measured.output, data)
                results[one.name].append((measured.seconds, measured.cpu_seconds, measured.tree_bytes))
    return _tell(data, results, starts, judges=not options.quick)


def _import(data: LookupData, folder: Path, scratch: Path) -> float:
    folder.mkdir()
    scratch.mkdir()
    started = time.perf_counter()
    key = ReleaseKey("variants", "gnomad", "GRCh38", "bench")
    import_gnomad(ImportTask(key, (data.source,), folder, scratch, None, lambda *_: None))
    return time.perf_counter() - started


def _contestants(data: LookupData, folder: Path) -> list[Contestant]:
    own = str(Path(__file__).with_name("lookup_varloom.py"))
    output = folder / "varloom.arrow"
    run = (sys.executable, own, str(folder / "release"), str(data.query), str(output))
    field = [Contestant("varloom", run, output, (sys.executable, own))]
    command = next(iter(bcftools(sys.executable).values()))
    columns = ",".join(f"INFO/{field}" for field in FIELDS)
    output = folder / "bcftools.bcf"
    annotate = ("annotate", "-a", str(data.source), "-c", columns, "-Ou", "-o", str(output), str(data.query))
    field.append(Contestant("bcftools annotate", (*command, *annotate), output, (*command, "--version")))
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
    run = ("/bin/sh", "-c", f"exec '{vcfanno}' -p 2 '{settings}' '{data.query}' > '{output}'")
    field.append(Contestant("vcfanno", run, output, ("/bin/sh", "-c", f"'{vcfanno}' -h 2> /dev/null || true")))
    return field


def _start(one: Contestant) -> float:
    """The seconds that it takes to start and do nothing; the best of three."""
    return min(measure(one.idle, limit=LIMIT_SECONDS).seconds for _ in range(3))


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


def _tell(
    data: LookupData, results: dict[str, list[tuple[float, float, int]]], starts: dict[str, float], *, judges: bool
) -> int:
    """A line for each, and whether the goals are reached; the exit status."""
    print(f"{'':<20}{'seconds':>9}{'ours':>7}{'cpu s':>8}{'start s':>9}{'variants/s':>12}{'ours':>7}{'MB':>7}")
    middle = {name: [statistics.median(column) for column in zip(*runs, strict=True)] for name, runs in results.items()}
    own = middle["varloom"]
    missed = False
    for name, (seconds, cpu, memory) in middle.items():
        work = seconds - starts[name]
        ratio = work / (own[0] - starts["varloom"])
        print(
            f"{name:<20}{seconds:>9.2f}{seconds / own[0]:>6.1f}x{cpu:>8.2f}{starts[name]:>9.2f}"
            f"{data.variants / work:>12,.0f}{ratio:>6.1f}x{memory / 1e6:>7.0f}"
        )
        goal = GOALS.get(name.split()[0])
        if goal is not None and judges:
            missed |= seconds / own[0] < goal
            print(f"{'':<20}{'reached' if seconds / own[0] >= goal else 'MISSED'}: at least {goal:.0f} times as fast")
    output = lookup_data.FOLDER.parent / "lookup.json"
    output.write_text(
        json.dumps({"sites": data.sites, "variants": data.variants, "median": middle, "start": starts}, indent=2),
        "utf-8",
    )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
