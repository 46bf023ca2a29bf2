"""Holds every cell that Varloom gives to the text of its file, as `vcf_text` reads it.

`differences(path)` reads the file there as text and here through `open_reader`; `dataset_differences` takes what is
stored of it. Both say where they differ.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import vcf_text

from varloom.dataset import Manifest, write_dataset
from varloom.reader import ReadOptions, open_reader

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path


MOST_DIFFERENCES = 20
DEFAULTS = ReadOptions()


def differences(path: Path, options: ReadOptions = DEFAULTS) -> list[str]:
    """Where the reader's cells differ from the text; empty when all is equal and no row is missing or too many."""
    expected = expected_rows(path)
    reader = open_reader(path, options=options)
    found = compared(expected, rows_of(reader.batches()))
    if found:
        return found
    summary = reader.summary()
    return told_wrongly(expected, summary.records, summary.variants, summary.contigs)


def dataset_differences(path: Path, directory: Path) -> tuple[list[str], vcf_text.ExpectedRows]:
    """Where a dataset that is written of the file and read again differs from the text; and what was compared."""
    manifest = write_dataset(open_reader(path), directory, source_name=path.name, assembly=None)[0]
    expected = expected_rows(path)
    found = compared(expected, rows_of(stored_batches(directory, manifest)))
    return found or told_wrongly(expected, manifest.records, manifest.variants, manifest.contigs), expected


def expected_rows(path: Path) -> vcf_text.ExpectedRows:
    return vcf_text.ExpectedRows(vcf_text.lines_of(path))


def stored_batches(directory: Path, manifest: Manifest) -> Iterator[pa.RecordBatch]:
    for part in manifest.parts:
        with pq.ParquetFile(directory / part.name) as file:
            yield from file.iter_batches(20_000)


def rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[dict[str, Any]]:
    for batch in batches:
        own = batch.drop_columns(unfolded(batch.schema))
        for start in range(0, own.num_rows, 1000):
            yield from own.slice(start, 1000).to_pylist()


def unfolded(schema: pa.Schema) -> list[str]:
    """The columns that repeat parts of a raw annotation; tests/unit/test_consequences.py looks at them."""
    repeated = [f.name for f in schema if pa.types.is_list(f.type) and pa.types.is_struct(f.type.value_type)]
    places = {place + back for place in map(schema.names.index, repeated) for back in (-3, -2, -1, 0)}
    return [schema.names[place] for place in sorted(places)]


def told_wrongly(expected: vcf_text.ExpectedRows, records: int, variants: int, contigs: tuple[str, ...]) -> list[str]:
    told, want = (records, variants, contigs), (expected.records, expected.rows, tuple(expected.contigs))
    return [] if told == want else [f"{want} are told as {told}"]


def compared(expected: Iterable[dict[str, Any]], rows: Iterable[dict[str, Any]]) -> list[str]:
    found: list[str] = []
    wanted_rows = iter(expected)
    for actual in rows:
        wanted = next(wanted_rows, None)
        if wanted is None:
            return [*found, f"a row too many: {actual}"]
        for name in wanted.keys() | actual.keys():
            value, want = actual.get(name), wanted.get(name)
            if value is not want and not same(value, want) and not (empty(value) and empty(want)):
                found.append(f"line {wanted['line']}, {name}: {want!r} became {value!r}")
        if len(found) > MOST_DIFFERENCES:
            return found
    if (missing := next(wanted_rows, None)) is not None:
        found.append(f"a row is missing: {missing}")
    return found


def same(one: object, other: object) -> bool:
    """Of one type and equal: texts tell 1, 1.0 and True apart, and -0.0 from 0.0, and make NaN equal to itself."""
    return repr(one) == repr(other)


def empty(value: object) -> bool:
    """Missing; a list over samples is, when each of them is."""
    return value is None or (isinstance(value, list) and bool(value) and all(part is None for part in value))
