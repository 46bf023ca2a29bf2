"""How fast the table answers over the API, beside the same questions to a PostgreSQL table, paged by OFFSET.

    .venv/bin/python benchmarks/bench_table.py [--rows 5000000] [--no-postgres] [--no-copy]

Starts a server, uploads made-up variants (60 columns, kept in build/bench), and asks as the table in the browser does:
pages of 100 rows with all columns, over HTTP, as JSON. The PostgreSQL table lies in the server's own embedded database,
with a primary key on the row number; its times are those of the query alone, without HTTP and JSON. Each figure is of
several different questions, each asked for the first time unless it says otherwise.
"""
# ruff: noqa: S608 -- the rival's SQL is made of the names and numbers of this file

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import table_data
from table_server import TableServer

from varloom.db.database import open_database
from varloom.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PAGE = 100
FOLDER = Path(__file__).resolve().parents[1] / "build" / "bench"
SORTS = ("-qual", "INFO.F1", "INFO.T3", "-INFO.F6", "INFO.F2", "-INFO.I3", "id", "contig,-qual")
FILTERS = (
    ("INFO.I3 < 500 AND filter = 'PASS'", "\"INFO.I3\" < 500 AND filter = 'PASS'"),
    ("qual > 600 AND INFO.F3 < 8", 'qual > 600 AND "INFO.F3" < 8'),
    ("INFO.T3 = 't5'", "\"INFO.T3\" = 't5'"),
    ("contains(id, '777')", "strpos(id, '777') > 0"),
    ("region('chr7:1000000-20000000')", "contig = 'chr7' AND position BETWEEN 1000000 AND 20000000"),
)


class PostgresTable:
    """The same table in PostgreSQL, loaded from the server's own export."""

    def __init__(self, server: TableServer, conninfo: str) -> None:
        self._conn = psycopg.connect(conninfo, autocommit=True)
        columns = server.get("/columns")["columns"]
        kinds = {"number": "double precision", "text": "text", "flag": "boolean"}
        fields = [f'"{one["name"]}" {"text" if one["list"] else kinds[one["kind"]]}' for one in columns]
        with self._conn.cursor() as cursor:
            cursor.execute("CREATE SCHEMA rival")
            cursor.execute("SET search_path TO rival")
            cursor.execute(f"CREATE TABLE cells ({', '.join(fields)}, PRIMARY KEY (rowno))")
            with cursor.copy("COPY cells FROM STDIN (FORMAT csv, HEADER)") as copy:
                for piece in server.export("csv"):
                    copy.write(piece)
            cursor.execute("ANALYZE cells")

    def ask(self, sql: str) -> Any:
        """All rows of a query."""
        with self._conn.cursor() as cursor:
            return cursor.execute(sql).fetchall()


class PeakMemory(threading.Thread):
    """The largest memory of a process, looked at twenty times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self.peak = 0

    def run(self) -> None:
        """Look until it is stopped."""
        while not self._ended.wait(0.05):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def stop(self) -> float:
        """The largest amount in megabytes."""
        self._ended.set()
        self.join()
        return self.peak / 1e6


def times(questions: Iterable[Callable[[], object]]) -> list[float]:
    """How long each question takes in milliseconds."""
    found = []
    for question in questions:
        start = time.perf_counter()
        question()
        found.append((time.perf_counter() - start) * 1000)
    return found


def told(what: str, aim: float | None, ours: list[float], rival: list[float] | None) -> None:
    """Print one line of the result."""
    median, worst = statistics.median(ours), max(ours)
    verdict = "" if aim is None else f"{'ok' if worst <= aim else 'MISSED'} (at most {aim:.0f})"
    beside = "" if not rival else f"{statistics.median(rival):10.1f}  {statistics.median(rival) / median:8.1f} x"
    print(f"{what:<52}{median:8.1f}{worst:9.1f}  {verdict:<22}{beside}", flush=True)


def ask(server: TableServer, rival: PostgresTable | None, rows: int) -> None:
    """Ask all questions and print the answers' times."""

    def ours(**question: Any) -> Callable[[], object]:
        return lambda: server.get("/rows", limit=PAGE, **question)

    def theirs(order: str, offset: int, where: str = "true") -> Callable[[], object]:
        sql = f"SELECT * FROM cells WHERE {where} ORDER BY {order} LIMIT {PAGE} OFFSET {offset}"
        return lambda: rival.ask(sql) if rival else None

    def counted(where: str) -> Callable[[], object]:
        return lambda: rival.ask(f"SELECT count(*) FROM cells WHERE {where}") if rival else None

    def both(what: str, aim: float | None, mine: list[Any], others: list[Any]) -> None:
        told(what, aim, times(mine), times(others) if rival and others else None)

    deep = [rows * share // 100 for share in (3, 22, 51, 77, 98)]
    print(f"{'milliseconds':<52}{'median':>8}{'worst':>9}  {'':<22}{'PostgreSQL' if rival else ''}")
    both("first page, table not open yet", 300, [ours(offset=0)], [theirs("rowno", 0)])
    both("a later page, anywhere", 100, [ours(offset=each) for each in deep], [theirs("rowno", each) for each in deep])
    both("filtered count", 100, [lambda f=f: server.get("/count", filter=f) for f, _ in FILTERS],
         [counted(f) for _, f in FILTERS])  # fmt: skip
    both("first page of a new filter", 300, [ours(offset=0, filter=f) for f, _ in FILTERS],
         [theirs("rowno", 0, f) for _, f in FILTERS])  # fmt: skip
    both("a later page of a filter", 100, [ours(offset=500, filter=f) for f, _ in FILTERS],
         [theirs("rowno", 500, f) for _, f in FILTERS])  # fmt: skip
    order = [f'"{sort.lstrip("-")}" {"DESC NULLS LAST" if sort[0] == "-" else ""}, rowno' for sort in SORTS[:2]]
    theirs_first = times([theirs(each, 0) for each in order]) if rival else None
    theirs_deep = times([theirs(each, deep[2]) for each in order]) if rival else None
    sorts(server, deep, (theirs_first, theirs_deep) if rival else None)
    both("top values of a column", None, [lambda c=c: server.get(f"/facets/{c}") for c in ("INFO.T2", "filter")], [])
    both("histogram of a column", None, [lambda c=c: server.get(f"/histogram/{c}") for c in ("qual", "INFO.I3")], [])
    for kind in ("csv", "parquet"):
        start, size = time.perf_counter(), 0
        size = sum(len(piece) for piece in server.export(kind))
        seconds_taken = time.perf_counter() - start
        print(f"export of all rows as {kind:<30}{seconds_taken:8.1f} s {size / seconds_taken / 1e6:8.0f} MB/s")


def sorts(server: TableServer, deep: list[int], rival: Any) -> None:
    """Ask for pages of orders that are new: the first one, those after it at once, and after a while any."""
    firsts, seconds, deeper = [], [], []
    for sort in SORTS:

        def ours(offset: int, sort: str = sort) -> Callable[[], object]:
            return lambda: server.get("/rows", limit=PAGE, sort=sort, offset=offset)

        firsts += times([ours(0)])
        seconds += times([ours(offset) for offset in (100, 200, 300)])
        server.rest()
        deeper += times([ours(offset) for offset in deep])
    first, later = rival or (None, None)
    told("first page of a new sort", 500, firsts, first)
    told("the pages after it, at once", 100, seconds, None)
    told("a later page of a sort, anywhere", 100, deeper, later)


def check(server: TableServer, rival: PostgresTable) -> None:
    """See that both tables give the same answers."""
    for ours, theirs in FILTERS:
        counted = server.get("/count", filter=ours)["count"]
        if [(counted,)] != rival.ask(f"SELECT count(*) FROM cells WHERE {theirs}"):
            raise SystemExit(f"the two tables do not agree on {ours}")


def main() -> None:
    """Make the data, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--no-postgres", action="store_true", help="leave the rival out; loading it takes minutes")
    parser.add_argument("--no-copy", action="store_true", help="as the table is until its copy was made")
    options = parser.parse_args()
    file = FOLDER / f"table-{options.rows}.vcf"
    if not file.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        table_data.write_vcf(file, options.rows)
    with (
        tempfile.TemporaryDirectory(prefix="varloom-bench-") as folder,
        TableServer(Path(folder), file, copies=not options.no_copy) as server,
    ):
        waited = None if options.no_copy else server.wait_for_copy()
        server.restart()
        columns = len(server.get("/columns")["columns"])
        print(f"{options.rows:,} rows x {columns} columns, {server.bytes / 1e6:.0f} MB, in {server.seconds:.1f} s")
        print(
            "without a copy of the table" if waited is None else f"a copy was made {waited:.0f} s after the job's end"
        )
        if options.no_postgres:
            measured(server, None, options.rows)
            return
        with open_database(Settings(data=Path(folder))) as database:
            rival = PostgresTable(server, database.conninfo)
            check(server, rival)
            server.restart()
            measured(server, rival, options.rows)


def measured(server: TableServer, rival: PostgresTable | None, rows: int) -> None:
    """Ask, and tell the memory of the server beside."""
    memory = PeakMemory(server.pid)
    memory.start()
    ask(server, rival, rows)
    print(f"largest memory of the server's process {memory.stop():.0f} MB")


if __name__ == "__main__":
    main()
