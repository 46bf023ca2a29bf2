"""Sessions of the query engine: shared by threads and datasets, and stopped."""

from __future__ import annotations

import random
import threading
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pytest
from dataset_rows import GivenRows, numbered

from varloom.dataset import Dataset, QueryEngine, write_dataset
from varloom.dataset.interrupts import QueryWatch
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from pathlib import Path


def test_many_threads_and_more_datasets_than_sessions(tmp_path: Path) -> None:
    opened = []
    for number in range(6):
        batch = numbered(0, {"a": pa.array(range(number * 100, number * 100 + 50))})
        write_dataset(GivenRows([batch]), tmp_path / str(number), source_name="a", assembly=None)
        opened.append(Dataset.open(tmp_path / str(number)))
    wrong: list[Any] = []

    def ask(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(20):
            number = chance.randrange(6)
            found = engine.rows(opened[number], sort="-a", limit=1, columns=["a"]).rows[0]["a"]
            if found != number * 100 + 49:
                wrong.append((number, found))

    with QueryEngine(memory_limit=256 * 1024**2, threads=1) as engine:
        threads = [threading.Thread(target=ask, args=(seed,)) for seed in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_stopped_watch_refuses_what_would_begin_later() -> None:
    watch = QueryWatch()
    watch.stop()
    with pytest.raises(VarloomError) as caught, watch.over(duckdb.connect()):
        pass
    assert caught.value.code == "query_interrupted"
