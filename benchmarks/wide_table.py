"""How a table of 10 million rows and 300 columns opens, scrolls, sorts and filters over the API, and in what memory.

    .venv/bin/python benchmarks/wide_table.py [--rows 10000000] [--columns 300]

Needs about 30 GB of disk space and, without a file of an earlier run, some minutes. Asks for pages of 100 rows as the
table in the browser does, with the 40 columns that a wide window shows, and with all.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from bench_table import FOLDER, PAGE, PeakMemory, times, told
from table_server import TableServer

if TYPE_CHECKING:
    from collections.abc import Callable

CHUNK = 20_000
SHOWN = 40
NAMED = 4
"""The first columns: id, contig, position, score. The others are whole numbers, decimals and texts in turn."""


def write_csv(path: Path, rows: int, columns: int) -> None:
    """A CSV with so many rows and columns, sorted by position; the same one each time."""
    chance = np.random.default_rng(30)
    others = [f"{'ifts'[number % 4]}{number}" for number in range(columns - NAMED)]
    endings = _endings(others, chance)
    with path.open("wb") as file:
        file.write((",".join(["id", "contig", "position", "score", *others]) + "\n").encode())
        for start in range(0, rows, CHUNK):
            numbers = np.arange(start, min(start + CHUNK, rows))
            scores = chance.gamma(4, 100, len(numbers))
            chosen = chance.integers(0, len(endings), len(numbers))
            lines = [
                f"v{number},chr{number * 22 // rows + 1},{number % 450_000 * 500 + 1},{score:.2f},{endings[ending]}"
                for number, score, ending in zip(numbers.tolist(), scores.tolist(), chosen.tolist(), strict=True)
            ]
            file.write(("\n".join(lines) + "\n").encode())


def _endings(names: list[str], chance: np.random.Generator) -> list[str]:
    """What follows the first columns, of which each row takes one of 60,000."""
    kinds = {
        "i": lambda count: chance.integers(0, 1000, count).astype(str),
        "f": lambda count: np.round(chance.normal(1, 0.3, count), 2).astype(str),
        "t": lambda count: np.char.add("t", chance.integers(0, 50, count).astype(str)),
        "s": lambda count: np.where(chance.random(count) < 0.7, "", chance.integers(0, 9, count).astype(str)),
    }
    columns = [kinds[name[0]](60_000) for name in names]
    return [",".join(row) for row in zip(*columns, strict=True)]


def ask(server: TableServer, rows: int, names: list[str]) -> None:
    """Ask all questions and print the answers' times."""
    shown = ",".join(names[:SHOWN])
    deep = [rows * share // 100 for share in (3, 22, 51, 77, 98)]
    filters = ("score > 900 AND i8 < 100", "t6 = 't7'", "contains(id, '777')", "region('chr7:1000000-20000000')")

    def page(offset: int, sort: str = "", where: str = "", columns: str | None = shown) -> Callable[[], object]:
        asked = {"offset": offset, "limit": PAGE, "sort": sort, "filter": where}
        return lambda: server.get("/rows", **asked, **({} if columns is None else {"columns": columns}))

    print(f"{'milliseconds':<52}{'median':>8}{'worst':>9}")
    told("first page, table not open yet", None, times([page(0)]), None)
    told("a later page, anywhere", None, times([page(each) for each in deep]), None)
    told("the same with all columns", None, times([page(each, columns=None) for each in deep]), None)
    told("filtered count", None, times([lambda f=f: server.get("/count", filter=f) for f in filters]), None)
    told("first page of a filter", None, times([page(0, where=f) for f in filters]), None)
    for sort in ("-score", "t6"):
        told(f"first page sorted by {sort}", None, times([page(0, sort)]), None)
        server.rest()
        told("a later page of it, anywhere", None, times([page(each, sort) for each in deep]), None)
        told("the same with all columns", None, times([page(each, sort, columns=None) for each in deep]), None)
    told("top values of a column", None, times([lambda c=c: server.get(f"/facets/{c}") for c in ("t6", "t10")]), None)
    told(
        "histogram of a column", None, times([lambda c=c: server.get(f"/histogram/{c}") for c in ("score", "i8")]), None
    )


def main() -> None:
    """Make the data, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--columns", type=int, default=300)
    options = parser.parse_args()
    file = FOLDER / f"wide-{options.rows}-{options.columns}.csv"
    with tempfile.TemporaryDirectory(prefix="varloom-bench-") as folder:
        if not file.exists():
            FOLDER.mkdir(parents=True, exist_ok=True)
            write_csv(file, options.rows, options.columns)
        with TableServer(Path(folder), file) as server:
            memory = PeakMemory(server.pid)
            memory.start()
            print(f"{server.bytes / 1e6:.0f} MB, loaded in {server.seconds:.1f} s")
            print(f"a copy was made {server.wait_for_copy():.0f} s after the job's end")
            print(f"largest memory of the server's process until then {memory.stop():.0f} MB")
            server.restart()
            memory = PeakMemory(server.pid)
            memory.start()
            ask(server, options.rows, [column["name"] for column in server.get("/columns")["columns"]])
            print(f"largest memory of the server's process {memory.stop():.0f} MB")


if __name__ == "__main__":
    main()
