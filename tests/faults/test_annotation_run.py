"""Whatever a source does to one variant, all others are annotated, and what was done once is not done again."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from tests.support import bad_sources
from tests.support.bad_sources import HANG, KILL, RAISE, SLOW, TELL, UNEXPECTED

from varloom.annotation.checkpoints import Checkpoints
from varloom.annotation.choice import as_json, choose, from_json
from varloom.annotation.merging import AnnotatedReader, AnnotationFolder
from varloom.annotation.model import VARIANTS, ReleaseKey, VariantKind
from varloom.annotation.run import Annotation, Limits
from varloom.annotation.source import InstalledRelease
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from pathlib import Path

REGISTRY = "tests.support.bad_sources"
LIMITS = Limits(stall=2.0, least_stall=2.0, processes=2)
CHUNK = 20


@pytest.fixture
def release(tmp_path):
    folder = tmp_path / "release"
    folder.mkdir()
    return InstalledRelease(ReleaseKey("genes", "ensembl", "GRCh38", "1"), folder)


@pytest.fixture
def chosen(release):
    found = choose(VariantKind.SMALL, "GRCh38", [release], bad_sources.SOURCES)
    assert not found.unmet
    assert from_json(as_json(found.chosen), bad_sources.SOURCES) == found.chosen
    return found.chosen


def batches(rows: int, size: int = CHUNK):
    """Variants at the positions 1, 2, ..., `rows`."""
    for start in range(0, rows, size):
        end = min(rows, start + size)
        values = {
            "rowno": list(range(start, end)),
            "position": list(range(start + 1, end + 1)),
            **{name: ["1" if name == "contig" else "A"] * (end - start) for name in ("contig", "ref", "alt")},
        }
        arrays = [pa.array(values.get(f.name, [None] * (end - start)), f.type) for f in VARIANTS]
        yield pa.RecordBatch.from_arrays(arrays, schema=VARIANTS)


def annotate(tmp_path: Path, chosen, rows: int, limits: Limits = LIMITS, identity: str = "one"):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    told = []
    try:
        with Checkpoints(tmp_path / "checkpoints", identity) as checkpoints:
            annotation = Annotation(
                chosen,
                checkpoints,
                scratch,
                lambda done, total: told.append((done, total)),
                limits=limits,
                registry=REGISTRY,
            )
            return annotation.run(batches(rows)), told
    finally:
        shutil.rmtree(scratch)


def found_columns(tmp_path: Path, chunks: int) -> pa.Table:
    folder = AnnotationFolder(tmp_path / "checkpoints", 0, chunks, (), ())
    return pa.Table.from_batches(folder.batches())


def calls(release) -> list[str]:
    log = release.folder / bad_sources.CALLS
    return log.read_text().splitlines() if log.exists() else []


def test_bad_variants_are_set_aside_one_by_one(tmp_path, chosen, release):
    rows = 130
    finished, told = annotate(tmp_path, chosen, rows)
    assert (finished.rows, finished.chunks, finished.resumed) == (rows, 7, 0)
    assert finished.aside_counts == {"bad": 5}
    reasons = {item.rowno + 1: item.reason for item in finished.aside}
    assert set(reasons) == {KILL, HANG, RAISE, TELL, UNEXPECTED}
    assert "signal 9" in reasons[KILL]
    assert "no progress" in reasons[HANG]
    assert reasons[RAISE] == "This one is refused."
    assert "ZeroDivisionError" in reasons[UNEXPECTED]
    table = found_columns(tmp_path, finished.chunks)
    assert table.column("good.double").to_pylist() == [2 * at for at in range(1, rows + 1)]
    missing = {KILL, HANG, RAISE, UNEXPECTED}
    assert table.column("bad.double").to_pylist() == [None if at in missing else 2 * at for at in range(1, rows + 1)]
    assert table.column("bad.nested").to_pylist()[SLOW - 1] == [{"of": str(SLOW)}]
    assert calls(release).count(f"bad {SLOW} {SLOW}") == 0, "one that is slow, but alive, is not given up"
    assert told[-1] == (rows, rows)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_finished_chunks_are_not_annotated_again(tmp_path, chosen, release):
    finished, _ = annotate(tmp_path, chosen[:1], 4 * CHUNK)
    assert len(calls(release)) == 4
    for name in ("chunk-00002.json", "chunk-00003.arrow"):
        (tmp_path / "checkpoints" / name).unlink()
    (tmp_path / "checkpoints" / "chunk-00003.json").unlink()
    finished, told = annotate(tmp_path, chosen[:1], 4 * CHUNK)
    assert finished.resumed == 2
    assert told[0] == (2 * CHUNK, 4 * CHUNK)
    assert sorted(calls(release)[4:]) == ["good 41 60", "good 61 80"]
    assert found_columns(tmp_path, 4).column("good.double").to_pylist() == [2 * at for at in range(1, 4 * CHUNK + 1)]
    annotate(tmp_path, chosen[:1], 4 * CHUNK, identity="another file or release")
    assert len(calls(release)) == 10


def test_too_many_failures_end_it(tmp_path, chosen):
    with pytest.raises(VarloomError, match="bad failed 4 times, last with this") as raised:
        annotate(tmp_path, chosen, 60, Limits(stall=2.0, least_stall=2.0, failures=3, processes=1))
    assert raised.value.kind.code == "annotation_stalled"
    assert raised.value.kind.retryable


def test_a_release_that_cannot_be_opened_is_told(tmp_path, chosen, release):
    (release.folder / "broken").touch()
    with pytest.raises(VarloomError, match="The release cannot be read"):
        annotate(tmp_path, chosen, 100)


def test_a_file_without_variants_has_no_annotation_and_no_process(tmp_path, chosen, release):
    finished, told = annotate(tmp_path, chosen, 0)
    assert (finished.rows, finished.chunks) == (0, 0)
    assert calls(release) == []
    assert told == [(0, 0)]


def test_two_never_write_the_same_checkpoints(tmp_path):
    with Checkpoints(tmp_path, "one"), pytest.raises(BlockingIOError):
        Checkpoints(tmp_path, "one")


def test_the_process_ends_with_whoever_asks_it(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-m", "varloom.annotation.annotator", REGISTRY],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    process.stdin.write('{"open": [], "scratch": "' + str(tmp_path) + '"}\n')
    process.stdin.flush()
    assert process.stdout.readline() == '{"ready": true}\n'
    process.stdin.close()
    assert process.wait(20) == 0
    process.stdout.close()


class Rows:
    """A reader of rows with nothing but their number."""

    recognition = None

    def __init__(self, *sizes: int) -> None:
        self._sizes = sizes

    def batches(self):
        at = 0
        for size in self._sizes:
            yield pa.RecordBatch.from_arrays([pa.array(range(at, at + size), pa.int64())], names=["rowno"])
            at += size


@pytest.mark.parametrize("sizes", [(50,), (1, 19, 20, 10), (0, 14, 26, 0, 10)])
def test_rows_keep_their_annotation_however_they_are_cut(tmp_path, chosen, sizes):
    annotate(tmp_path, chosen[:1], 50, Limits(processes=1))
    annotation = AnnotationFolder(tmp_path / "checkpoints", 50, 3, columns_of(chosen[:1]), ())
    table = pa.Table.from_batches(AnnotatedReader(Rows(*sizes), annotation).batches())
    assert table.column("good.double").to_pylist() == [2 * (rowno + 1) for rowno in table.column("rowno").to_pylist()]
    assert table.num_rows == 50
    annotation.save()
    assert AnnotationFolder.load(annotation.path) == annotation


@pytest.mark.parametrize(("rows", "what"), [(49, "fewer"), (51, "more"), (20, "fewer"), (0, "fewer")])
def test_an_annotation_of_another_number_of_rows_is_refused(tmp_path, chosen, rows, what):
    annotate(tmp_path, chosen[:1], 50, Limits(processes=1))
    annotation = AnnotationFolder(tmp_path / "checkpoints", 50, 3, columns_of(chosen[:1]), ())
    with pytest.raises(VarloomError, match=f"has {what} rows"):
        list(AnnotatedReader(Rows(rows), annotation).batches())


def columns_of(chosen):
    from varloom.reader import Column

    return tuple(
        Column(column.name, column.type, "annotation", column.description, None, item.source.name)
        for item in chosen
        for column in item.columns
    )
