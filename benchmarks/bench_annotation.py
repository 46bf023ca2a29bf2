"""The whole annotation of small variants, all look-ups included, beside bare `bcftools csq`: whole processes, in turn.

    .venv/bin/python benchmarks/bench_annotation.py [--repeats 3] [--quick]

A million variants on a made genome of 300 million bases; a gene model of 26,000 genes, and 44 million sites of seven
sources (ClinVar, gnomAD, dbSNP and four scores), made in build/bench/consequence, once. csq runs with `--local-csq`
over the same genes and writes plain VCF. Varloom reads the VCF and does all that the annotate stage does: two
processes, consequences with HGVS, seven look-ups, finished chunks on the disk. Writes build/bench/annotation.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from dataclasses import asdict
from pathlib import Path

import annotation_data
from peer_environment import ROOT
from process_measurement import Measurement, measure

LEAST = 0.3
"""Of the throughput of bare csq."""
MEMORY_LIMIT = 1_500_000_000
LIMIT_SECONDS = 900
_CSQ = """
import sys
from pysam import bcftools
bcftools.csq(*sys.argv[1:], catch_stdout=False)
"""


def main() -> int:
    """Make the data, run both in turn, print and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="how many rounds; default: 3")
    parser.add_argument("--quick", action="store_true", help="small files, which show that all works; judges nothing")
    options = parser.parse_args()
    folder = ROOT / "build" / "bench" / ("consequence-quick" if options.quick else "consequence")
    sizes = (6_000_000, 60_000, 0.02) if options.quick else (300_000_000, 1_000_000, 1.0)
    made = annotation_data.make(folder, *sizes)
    output = folder / "annotated"
    commands = {
        "bcftools csq": [
            *(sys.executable, "-c", _CSQ, "--fasta-ref", str(made.fasta), "--local-csq"),
            *("--gff-annot", str(made.genes / "genes.gff3.gz"), "--output", str(folder / "csq.vcf")),
            *("--force", str(made.variants)),
        ],
        "varloom": [
            *(sys.executable, str(Path(__file__).with_name("annotation_run.py"))),
            *(str(made.variants), str(made.releases), str(output)),
        ],
    }
    runs: dict[str, list[Measurement]] = {each: [] for each in commands}
    for number in range(1, options.repeats + 1):
        for each, command in commands.items():
            shutil.rmtree(output, ignore_errors=True)
            runs[each].append(measure(command, limit=LIMIT_SECONDS))
            print(f"round {number}: {each}: {runs[each][-1].seconds:.2f} s", file=sys.stderr)
    shutil.rmtree(output, ignore_errors=True)
    return report(runs, judges=not options.quick)


def report(runs: dict[str, list[Measurement]], *, judges: bool) -> int:
    """Print the table and the verdicts, and write them down; the exit status."""
    counts = json.loads(runs["varloom"][0].output)
    print(f"{counts}")
    medians = {each: statistics.median(run.seconds for run in measured) for each, measured in runs.items()}
    for each, measured in runs.items():
        cpu = statistics.median(run.cpu_seconds for run in measured)
        whole, own = (max(getattr(run, name) for run in measured) for name in ("proportional_bytes", "own_bytes"))
        rate = counts["variants"] / medians[each]
        print(
            f"{each:<14}{medians[each]:8.2f} s {cpu:8.2f} s of processor {rate:12,.0f} variants/s"
            f" {whole / 1e6:8.0f} MB, {own / 1e6:.0f} without files"
        )
    share = medians["bcftools csq"] / medians["varloom"]
    memory = max(run.proportional_bytes for run in runs["varloom"])
    reached = {
        f"{share:.0%} of the throughput of bare csq, at least {LEAST:.0%}": share >= LEAST,
        f"{memory / 1e6:,.0f} MB of memory (PSS of all processes), at most 1,500 MB": memory <= MEMORY_LIMIT,
    }
    for what, is_so in reached.items() if judges else ():
        print(f"{'reached' if is_so else 'MISSED'}: {what}")
    told = {
        "counts": counts,
        "share": share,
        "runs": {each: [asdict(run) for run in done] for each, done in runs.items()},
    }
    target = ROOT / "build" / "bench" / "annotation.json"
    target.write_text(json.dumps(told | {"quick": not judges}, indent=1), encoding="utf-8")
    return int(judges and not all(reached.values()))


if __name__ == "__main__":
    sys.exit(main())
