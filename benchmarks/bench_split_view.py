"""How long the split view of 50,000 structural variants takes: made once, and asked as the full view is.

    .venv/bin/python benchmarks/bench_split_view.py [--variants 50000] [--repeats 5]

Makes a table as annotation leaves it, with 0 to 40 genes a variant (about two on average), writes the split view of it,
and asks both views the same: a first page, a page in the middle of a sort order that nobody asked for before, a count
of a filter, and a whole export as TSV. Medians in seconds. Writes build/bench/split_view.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from varloom.annotation.sources.structural.columns import GENE_ENTRIES
from varloom.dataset import Dataset, QueryEngine, write_dataset
from varloom.genomics.recognition import Recognition, SourceFormat
from varloom.reader import Column, ReadSummary
from varloom.services.split_views import SplitViews
from varloom.storage import LocalCopies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TARGET = Path(__file__).resolve().parents[1] / "build" / "bench" / "split_view.json"
_BATCH = 10_000
_MOST_GENES = 40


class MadeTable:
    """A reader of variants that are made."""

    def __init__(self, variants: int) -> None:
        self.recognition = Recognition(SourceFormat.VCF)
        self._variants = variants
        self._dice = np.random.default_rng(3)
        self._schema: pa.Schema = pa.schema([])

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows."""
        for first in range(0, self._variants, _BATCH):
            batch = self._batch(first, min(_BATCH, self._variants - first))
            self._schema = batch.schema
            yield batch

    def summary(self) -> ReadSummary:
        """What was made."""
        kinds = {"rowno": "varloom", "record": "varloom", "sv.gene_entries": "annotation"}
        columns = tuple(Column(field.name, field.type, kinds.get(field.name, "VCF")) for field in self._schema)
        counts = {"records": self._variants, "variants": self._variants, "bytes": 1, "sha256": "0" * 64}
        return ReadSummary(columns=columns, samples=(), warnings=(), header="", contigs=("chr1",), **counts)

    def _batch(self, first: int, count: int) -> pa.RecordBatch:
        numbers = pa.array(range(first, first + count), pa.int64())
        genes = np.minimum(self._dice.geometric(0.33, count) - 1, _MOST_GENES)
        columns: dict[str, Any] = {
            "rowno": numbers,
            "record": pa.array(range(first + 1, first + count + 1), pa.int64()),
            "contig": pa.array(["chr1"] * count),
            "position": pa.array(np.arange(first, first + count) * 4_000 + 1),
            "qual": pa.array(self._dice.random(count)),
            **{f"INFO.F{number}": pa.array(self._dice.integers(0, 1_000, count)) for number in range(25)},
            "sv.gene_entries": pa.array([self._entries(number) for number in genes.tolist()], GENE_ENTRIES),
        }
        return pa.record_batch(columns)

    def _entries(self, count: int) -> list[dict[str, str | None]]:
        fields = ("biotype", "extent", "part", "exons", "junctions", "hi_score", "ts_score")
        texts = ("protein_coding", "partial", "exon", "3/12", "1", "3", None)
        genes = self._dice.integers(0, 20_000, count).tolist()
        return [
            {"gene": f"G{gene}", "gene_id": f"ENSG{gene}", **dict(zip(fields, texts, strict=True))} for gene in genes
        ]


def main() -> None:
    """Make, ask, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--variants", type=int, default=50_000, help="rows of the full view; default: 50000")
    parser.add_argument("--repeats", type=int, default=5, help="default: 5")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="varloom-split-") as folder:
        found = measured(Path(folder), options.variants, options.repeats)
    for name, value in found.items():
        print(f"{name:<34} {value:,.4g}")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=1), encoding="utf-8")


def measured(folder: Path, variants: int, repeats: int) -> dict[str, float]:
    """The figures, by what was done."""
    write_dataset(MadeTable(variants), folder / "dataset", source_name="made.vcf", assembly="GRCh38")
    full = Dataset.open(folder / "dataset")
    found: dict[str, float] = {"rows, full": variants}
    making = []
    for number in range(repeats):
        views = SplitViews(LocalCopies(folder / f"views-{number}", 10**10))
        making.append(seconds(lambda views=views: views.opened(full).__enter__()))
    with views.opened(full) as split, QueryEngine(memory_limit=10**9) as engine:
        found |= {"rows, split": split.manifest.variants, "bytes, full": full.manifest.bytes}
        found |= {"bytes, split": split.manifest.bytes, "making it, s": statistics.median(making)}
        for name, dataset in (("full", full), ("split", split)):
            for what, ask in questions(engine, dataset).items():
                times = [seconds(lambda ask=ask, number=number: ask(number)) for number in range(repeats)]
                found[f"{what}, {name}, s"] = statistics.median(times)
    return found


def questions(engine: QueryEngine, dataset: Dataset) -> dict[str, Callable[[int], object]]:
    """What is asked; each time of another column, so that no order is known before."""
    middle = dataset.manifest.variants // 2
    return {
        "first page": lambda _: engine.rows(dataset, limit=100),
        "page in an unknown order": lambda number: engine.rows(
            dataset, offset=middle, limit=100, sort=f"-INFO.F{number},qual"
        ),
        "count of a filter": lambda number: engine.count(dataset, where=f"INFO.F{number} < 100"),
        "export as TSV": lambda _: sum(map(len, engine.export(dataset, "tsv"))),
    }


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
