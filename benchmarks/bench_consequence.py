"""How fast consequences are found, side by side with bare `bcftools csq` on the same VCF: whole processes, interleaved.

    .venv/bin/python benchmarks/bench_consequence.py [--repeats 3] [--quick]

Makes a genome of 300 million bases with 2,400 genes and a million variants in build/bench/consequence, once. csq runs
with `--local-csq`, as the source does, and writes plain VCF; the source adds names in HGVS, numbers of exons and all
transcripts as columns, by batches of 20,000 rows, and writes nothing. Writes build/bench/consequence.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from dataclasses import asdict
from pathlib import Path

import consequence_data
from peer_environment import ROOT
from process_measurement import Measurement, measure

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.gene_model import import_genes
from varloom.annotation.refs.importer import ImportTask

LEAST = 0.3
"""Of the throughput of bare csq."""
MEMORY_LIMIT = 1_500_000_000
LIMIT_SECONDS = 900
_CSQ = """
import sys
from pysam import bcftools
bcftools.csq(*sys.argv[1:], catch_stdout=False)
"""


def main() -> None:
    """Make the data, run both in turn, print and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="how many rounds; default: 3")
    parser.add_argument("--quick", action="store_true", help="small files, which show that all works; judges nothing")
    options = parser.parse_args()
    name = "consequence-quick" if options.quick else "consequence"
    folder = ROOT / "build" / "bench" / name
    bases, variants = (6_000_000, 60_000) if options.quick else (300_000_000, 1_000_000)
    made = consequence_data.make(folder, bases, variants)
    genes = installed(made.gff, folder / "genes")
    commands = {
        "bcftools csq": [
            *(sys.executable, "-c", _CSQ, "--fasta-ref", str(made.fasta), "--gff-annot", str(genes / "genes.gff3.gz")),
            *("--local-csq", "--output", str(folder / "csq.vcf"), str(made.vcf)),
        ],
        "varloom": [
            *(sys.executable, str(Path(__file__).with_name("consequence_run.py"))),
            *(str(made.vcf), str(genes), str(made.fasta.parent)),
        ],
    }
    runs: dict[str, list[Measurement]] = {each: [] for each in commands}
    for number in range(1, options.repeats + 1):
        for each, command in commands.items():
            runs[each].append(measure(command, limit=LIMIT_SECONDS))
            print(f"round {number}: {each}: {runs[each][-1].seconds:.2f} s", file=sys.stderr)
    report(runs, quick=options.quick)


def installed(gff: Path, folder: Path) -> Path:
    """The folder of a release of genes, made once."""
    if not (folder / "genes.gff3.gz").exists():
        folder.mkdir(parents=True, exist_ok=True)
        key = ReleaseKey("genes", "made", "GRCh38", "1")
        import_genes(ImportTask(key, (gff,), folder, folder, None, lambda _done, _total: None))
    return folder


def report(runs: dict[str, list[Measurement]], *, quick: bool) -> None:
    """Print the table and the verdicts, and write them down."""
    counts = json.loads(runs["varloom"][0].output)
    medians = {each: statistics.median(run.seconds for run in measured) for each, measured in runs.items()}
    for each, measured in runs.items():
        cpu = statistics.median(run.cpu_seconds for run in measured)
        memory = max(run.tree_bytes for run in measured)
        rate = counts["variants"] / medians[each]
        times = f"{medians[each]:8.2f} s {cpu:8.2f} s of processor"
        print(f"{each:<14}{times} {rate:12,.0f} variants/s {memory / 1e6:8.0f} MB")
    share = medians["bcftools csq"] / medians["varloom"]
    memory = max(run.tree_bytes for run in runs["varloom"])
    if not quick:
        word = "reached" if share >= LEAST else "MISSED"
        print(f"{word}: {share:.0%} of the throughput of bare csq, at least {LEAST:.0%}")
        print(
            f"{'reached' if memory <= MEMORY_LIMIT else 'MISSED'}: {memory / 1e6:,.0f} MB of memory, at most 1,500 MB"
        )
    told = {
        "counts": counts,
        "share": share,
        "runs": {each: [asdict(run) for run in done] for each, done in runs.items()},
    }
    target = ROOT / "build" / "bench" / "consequence.json"
    target.write_text(json.dumps(told | {"quick": quick}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
