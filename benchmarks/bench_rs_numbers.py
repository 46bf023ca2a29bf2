"""How long an rs number takes to be found in dbSNP, by the index of its release and without it.

    .venv/bin/python benchmarks/bench_rs_numbers.py [--sites 10000000] [--repeats 5]

Makes sites with numbers that are spread as those of dbSNP are: neighbours on the genome have far-off ones. Writes the
index as an import does, and looks numbers up both ways. Medians. Writes build/bench/rs_numbers.json.
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
import pyarrow.compute as pc
import pyarrow.parquet as pq

from varloom.annotation.lookups.site_table import PLACE, ROW_GROUP, SITES
from varloom.annotation.refs.rs_numbers import RS_NUMBERS, rows_of_rs_number, write_rs_index

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET = Path(__file__).resolve().parents[1] / "build" / "bench" / "rs_numbers.json"
_CONTIG_SITES = 1_000_000
_SCHEMA = pa.schema([*PLACE, pa.field("id", pa.string())])


def main() -> None:
    """Make, look up, print and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=10_000_000, help="default: 10000000")
    parser.add_argument("--repeats", type=int, default=5, help="numbers that are looked up; default: 5")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="varloom-rs-") as folder:
        found = measured(Path(folder), options.sites, options.repeats)
    for name, value in found.items():
        print(f"{name:<28} {value:,.4g}")
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=1), encoding="utf-8")


def measured(folder: Path, sites: int, repeats: int) -> dict[str, Any]:
    """The figures, by what was done."""
    numbers = _write_sites(folder / SITES, sites)
    scratch = folder / "scratch"
    scratch.mkdir()
    writing = seconds(lambda: write_rs_index(folder, scratch, lambda: None))
    found = {"sites": sites, "bytes of sites": (folder / SITES).stat().st_size, "writing the index, s": writing}
    found["bytes of the index"] = (folder / RS_NUMBERS).stat().st_size
    wanted = numbers[:: max(1, len(numbers) // repeats)][:repeats].tolist()
    for name in ("by the index", "without it"):
        times = [seconds(lambda number=number: _found(folder, number)) for number in wanted]
        found[f"a number {name}, s"] = statistics.median(times)
        (folder / RS_NUMBERS).unlink(missing_ok=True)
    return found


def _found(folder: Path, number: int) -> None:
    if len(rows_of_rs_number(folder, number)) != 1:
        raise AssertionError(f"rs{number} was not found")


def _write_sites(path: Path, sites: int) -> Any:
    """Sites of several contigs; the numbers that they have."""
    dice = np.random.default_rng(5)
    numbers = dice.choice(2 * sites + 1_000, sites, replace=False) + 1
    with pq.ParquetWriter(
        path, _SCHEMA, compression={"id": "zstd"}, write_statistics=["contig", "position", "key"]
    ) as writer:
        for first in range(0, sites, _CONTIG_SITES):
            count = min(_CONTIG_SITES, sites - first)
            position = pa.array(np.sort(dice.integers(1, 200_000_000, count)))
            ids = pc.binary_join_element_wise("rs", pa.array(numbers[first : first + count]).cast(pa.string()), "")
            contig = pa.repeat(f"c{first}", count)
            table = [contig, position, pa.repeat("A", count), pa.repeat("G", count), position, ids]
            writer.write_table(pa.Table.from_arrays(table, schema=_SCHEMA), row_group_size=ROW_GROUP)
    return numbers


def seconds(work: Callable[[], object]) -> float:
    """How long something takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
