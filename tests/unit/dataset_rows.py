"""A reader whose rows are given by the test, and a plain-Python witness of the content hash."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from blake3 import blake3

from varloom.dataset import Manifest
from varloom.genomics.recognition import Recognition, SourceFormat
from varloom.reader import Column, ReadSummary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ORIGINS = {"rowno": "varloom", "record": "varloom", "line": "varloom", "allele": "varloom"}


@dataclass
class GivenRows:
    """A TableReader over batches that the test made; `columns` are the final ones, or follow from the last batch."""

    given: Sequence[pa.RecordBatch]
    columns: Sequence[Column] | None = None
    samples: tuple[str, ...] = ()
    records: int | None = None
    variants: int | None = None
    recognition: Recognition = field(default_factory=lambda: Recognition(SourceFormat.VCF))

    def batches(self) -> Iterator[pa.RecordBatch]:
        yield from self.given

    def summary(self) -> ReadSummary:
        rows = sum(batch.num_rows for batch in self.given)
        columns = self.columns or [column_of(item) for item in self.given[-1].schema]
        return ReadSummary(
            records=rows if self.records is None else self.records,
            variants=rows if self.variants is None else self.variants,
            columns=tuple(columns),
            samples=self.samples,
            warnings=(),
            header="##fileformat=VCFv4.3\n#CHROM\tPOS\n",
            sha256="ab" * 32,
            bytes=1234,
            contigs=("chr1",),
        )


def column_of(item: pa.Field) -> Column:
    prefix, dot, key = item.name.partition(".")
    if not dot:
        return Column(item.name, item.type, ORIGINS.get(item.name, "VCF"))
    if prefix in {"INFO", "FORMAT"}:
        return Column(item.name, item.type, prefix, field=key)
    return Column(item.name, item.type, "FORMAT", sample=prefix, field=key)


def numbered(start: int, columns: dict[str, pa.Array]) -> pa.RecordBatch:
    """A batch whose rows go on from `start`, one record a row."""
    rows = range(start, start + len(next(iter(columns.values()))))
    count = pa.array(rows, pa.int64())
    record = pa.array([row + 1 for row in rows], pa.int64())
    return pa.record_batch({"rowno": count, "record": record, **columns})


def rows_of(directory: Path) -> pa.Table:
    manifest = Manifest.load(directory)
    return pa.concat_tables([pq.read_table(directory / part.name) for part in manifest.parts])


def witnessed_hash(directory: Path) -> str:
    """The content hash by the text of docs/reference/dataset-format.md, value by value."""
    manifest = Manifest.load(directory).as_dict()
    table = rows_of(directory)
    message = b"varloom content 1\n" + struct.pack("<Q", table.num_rows)
    for column in manifest["columns"]:
        for text in (column["name"], column["type"]):
            message += struct.pack("<I", len(text.encode())) + text.encode()
        message += _column(column["type"], table.column(column["name"]).to_pylist())
    return "blake3:" + blake3(message).hexdigest()


def _column(type_name: str, values: list[Any]) -> bytes:
    presence = b"".join(b"\x00" if value is None else b"\x01" for value in values)
    present = [value for value in values if value is not None]
    streams = [presence if len(present) < len(values) else b""]
    if type_name.startswith("list<"):
        streams.append(b"".join(struct.pack("<I", len(value)) for value in present))
        elements = _column(type_name[5:-1], [element for value in present for element in value])
        return blake3(b"".join(blake3(s).digest() for s in streams) + elements).digest()
    if type_name.startswith("struct<"):
        fields = json.loads(f"[{type_name[7:-1]}]")
        digests = [_column("string", [value[field] for value in present]) for field in fields]
        return blake3(blake3(streams[0]).digest() + b"".join(digests)).digest()
    if type_name == "string":
        streams.append(b"".join(struct.pack("<I", len(value.encode())) for value in present))
        streams.append(b"".join(value.encode() for value in present))
    else:
        streams.append(b"".join(_number(type_name, value) for value in present))
    return blake3(b"".join(blake3(stream).digest() for stream in streams)).digest()


def _number(type_name: str, value: Any) -> bytes:
    if isinstance(value, float) and math.isnan(value):
        return {"float64": bytes.fromhex("000000000000f87f"), "float32": bytes.fromhex("0000c07f")}[type_name]
    codes = {"bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q", "float32": "f", "float64": "d"}
    return struct.pack("<" + codes[type_name], value)
