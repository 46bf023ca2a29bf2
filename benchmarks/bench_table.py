"""How fast the table answers: pages, counts and sorts, beside what the same questions cost when asked naively.

    .venv/bin/python benchmarks/bench_table.py [--rows 1000000] [--columns 60]

Makes its own data in a temporary folder. Naive means plain SQL over the same Parquet files in the same DuckDB: LIMIT
and OFFSET behind an ORDER BY of all columns. Each figure is the median of several runs, interleaved with its rival.
"""
# ruff: noqa: S608 -- the naive rivals are SQL made of numbers

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pyarrow as pa

from varloom.dataset import Dataset, QueryEngine, write_dataset
from varloom.dataset.sessions import Session
from varloom.genomics.recognition import Recognition, SourceFormat
from varloom.reader import Column, ReadSummary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = 200
RUNS = 7
MEMORY = 1024**3


@dataclass
class MadeUpRows:
    """A reader of random variants; the same ones each time."""

    rows: int
    columns: int
    recognition: Recognition

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, in batches as a reader's."""
        chance = np.random.default_rng(20)
        for start in range(0, self.rows, 65_536):
            yield self._batch(start, min(65_536, self.rows - start), chance)

    def _batch(self, start: int, count: int, chance: np.random.Generator) -> pa.RecordBatch:
        numbers = np.arange(start, start + count)
        columns = {
            "rowno": pa.array(numbers),
            "record": pa.array(numbers + 1),
            "contig": pa.array(np.char.add("chr", (numbers * 22 // self.rows + 1).astype(str))),
            "position": pa.array(numbers * 600 % 240_000_000),
            "ref": pa.array(chance.choice(["A", "C", "G", "T"], count)),
            "qual": pa.array(chance.random(count).round(4) * 1000),
            "filter": pa.array(chance.choice(["PASS", "q10", "LowGQ"], count, p=[0.9, 0.06, 0.04])),
        }
        for number in range(self.columns - len(columns)):
            columns[f"INFO.X{number}"] = _field(number % 4, count, chance)
        return pa.record_batch(columns)

    def summary(self) -> ReadSummary:
        """What a reader tells of its file."""
        (first,) = [next(iter(MadeUpRows(1, self.columns, self.recognition).batches()))]
        columns = tuple(Column(field.name, field.type, "INFO") for field in first.schema)
        return ReadSummary(self.rows, self.rows, columns, (), (), "", "", 0, ())


def _field(kind: int, count: int, chance: np.random.Generator) -> pa.Array:
    match kind:
        case 0:
            return pa.array(chance.integers(0, 500, count).astype(np.int32))
        case 1:
            return pa.array(chance.random(count), mask=chance.random(count) < 0.2)
        case 2:
            return pa.array(chance.choice(["missense", "synonymous", "intron", "none"], count))
        case _:
            offsets = np.arange(0, 2 * count + 1, 2, dtype=np.int32)
            return pa.ListArray.from_arrays(offsets, pa.array(chance.integers(0, 60, 2 * count).astype(np.int32)))


def median_ms(*questions: Callable[[], object]) -> list[float]:
    """The median time of each question in milliseconds, asked in turn."""
    times: list[list[float]] = [[] for _ in questions]
    for _ in range(RUNS):
        for number, question in enumerate(questions):
            start = time.perf_counter()
            question()
            times[number].append((time.perf_counter() - start) * 1000)
    return [statistics.median(each) for each in times]


def told(what: str, ours: float, naive: float | None = None) -> None:
    """Print one line of the result."""
    ratio = f"{naive:9.1f} ms naive {naive / ours:7.1f} x" if naive is not None else ""
    print(f"{what:<44}{ours:9.1f} ms {ratio}")


def ask(engine: QueryEngine, naive: Session, dataset: Dataset) -> None:
    """Ask all questions and print the answers' times."""
    rows = dataset.manifest.variants
    for name, offset in (("first", 0), ("middle", rows // 2), ("last", rows - PAGE)):
        told(f"{name} page of {PAGE} rows", *median_ms(
            lambda offset=offset: engine.rows(dataset, offset=offset, limit=PAGE),
            lambda offset=offset: naive.fetch(f"SELECT * FROM cells ORDER BY c0 LIMIT {PAGE} OFFSET {offset}", {}),
        ))  # fmt: skip
    where = "INFO.X1 < 0.01 AND filter = 'PASS'"
    matching = engine.count(dataset, where=where)
    told(f"filtered count ({matching:,} rows), asked anew", median_ms(lambda: engine.count(dataset, where=where))[0])
    told("filtered page in the middle", *median_ms(
        lambda: engine.rows(dataset, where=where, offset=matching // 2, limit=PAGE),
        lambda: naive.fetch(
            "SELECT * FROM cells WHERE c8 < 0.01 AND c6 = 'PASS' "
            f"ORDER BY c0 LIMIT {PAGE} OFFSET {matching // 2}", {}
        ),
    ))  # fmt: skip
    unsorted = (f"INFO.X{number}" for number in range(1, 4 * RUNS, 4))
    told("first page of a new sort (a float column)", *median_ms(
        lambda: engine.rows(dataset, sort=f"-{next(unsorted)}", limit=PAGE),
        lambda: naive.fetch(f"SELECT * FROM cells ORDER BY c8 DESC NULLS LAST, c0 LIMIT {PAGE}", {}),
    ))  # fmt: skip
    start = time.perf_counter()
    engine.rows(dataset, sort="-INFO.X1", offset=rows // 2, limit=PAGE)
    told("page in the middle of a new sort, once", (time.perf_counter() - start) * 1000)
    told("page in the middle of a sort, from then on", *median_ms(
        lambda: engine.rows(dataset, sort="-INFO.X1", offset=rows // 2, limit=PAGE),
        lambda: naive.fetch(
            f"SELECT * FROM cells ORDER BY c8 DESC NULLS LAST, c0 LIMIT {PAGE} OFFSET {rows // 2}", {}
        ),
    ))  # fmt: skip
    told("  the same, 10 columns only", median_ms(lambda: engine.rows(
        dataset, sort="-INFO.X1", offset=rows // 2, limit=PAGE, columns=dataset_columns(dataset, 10)
    ))[0])  # fmt: skip
    told("facets of a text column", median_ms(lambda: engine.facets(dataset, "INFO.X2"))[0])
    told("histogram of a float column", median_ms(lambda: engine.histogram(dataset, "INFO.X1"))[0])
    for target in ("csv", "jsonl", "parquet"):
        start = time.perf_counter()
        size = sum(len(piece) for piece in engine.export(dataset, target))
        seconds = time.perf_counter() - start
        print(
            f"export to {target:<34}{seconds:9.1f} s  {size / seconds / 1e6:9.0f} MB/s {rows / seconds:12,.0f} rows/s"
        )


def dataset_columns(dataset: Dataset, count: int) -> list[str]:
    """The names of the first columns."""
    return [column.name for column in dataset.manifest.columns[:count]]


def main() -> None:
    """Make the data, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="varloom-bench-") as folder:
        reader = MadeUpRows(options.rows, options.columns, Recognition(SourceFormat.VCF))
        start = time.perf_counter()
        write_dataset(reader, Path(folder) / "table", source_name="made up", assembly=None)
        dataset = Dataset.open(Path(folder) / "table")
        seconds, size = time.perf_counter() - start, dataset.manifest.bytes / 1e6
        print(f"{options.rows:,} rows x {options.columns} columns, {size:.0f} MB, made and written in {seconds:.1f} s")
        naive = Session(dataset, memory_limit=MEMORY, threads=2, spill=Path(folder))
        with QueryEngine(memory_limit=MEMORY, threads=2) as engine:
            ask(engine, naive, dataset)
        naive.close()
        print(f"memory at the end {psutil.Process().memory_info().rss / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
