"""The file that the table's benchmark loads: random variants with 60 columns, the same ones each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CHUNK = 50_000
CONTIGS = 22
CONTIG_LENGTH = 240_000_000
_TEXT = pa.large_string()
_MISSING = pa.scalar(".", _TEXT)

Chance = np.random.Generator


@dataclass(frozen=True, slots=True)
class Field:
    """One INFO field: its key, its declaration, and its values for so many records; a missing one is null."""

    key: str
    declared: str
    values: Callable[[int, Chance], pa.Array]


def _whole(most: int) -> Callable[[int, Chance], pa.Array]:
    return lambda count, chance: pa.array(chance.integers(0, most, count).astype(np.int32)).cast(_TEXT)


def _decimal(decimals: int, missing: float) -> Callable[[int, Chance], pa.Array]:
    def values(count: int, chance: Chance) -> pa.Array:
        numbers = np.round(chance.normal(10, 4, count), decimals)
        return pa.array(numbers, mask=chance.random(count) < missing).cast(_TEXT)

    return values


def _one_of(names: list[str]) -> Callable[[int, Chance], pa.Array]:
    kept = pa.array(names, _TEXT)
    return lambda count, chance: kept.take(pa.array(np.minimum(chance.zipf(1.3, count), len(names)) - 1))


def _two(count: int, chance: Chance) -> pa.Array:
    first, second = (pa.array(chance.integers(0, 60, count)).cast(_TEXT) for _ in range(2))
    return pc.binary_join_element_wise(first, second, pa.scalar(",", _TEXT))


FIELDS = (
    *(Field(f"I{number}", "Number=1,Type=Integer", _whole(10 ** (number % 4 + 1))) for number in range(14)),
    *(Field(f"F{number}", "Number=1,Type=Float", _decimal(number % 3 + 2, number % 5 / 10)) for number in range(15)),
    *(Field(f"T{number}", "Number=1,Type=String", _one_of([f"t{value}" for value in range(10 ** (number % 4 + 1))]))
      for number in range(9)),
    *(Field(f"L{number}", "Number=.,Type=Integer", _two) for number in range(4)),
)  # fmt: skip
"""42 of them; with the fixed columns and the sample's the table has 60."""

_HEADER = "\n".join(
    (
        "##fileformat=VCFv4.2",
        *(f"##contig=<ID=chr{number},length={CONTIG_LENGTH + 10**6}>" for number in range(1, CONTIGS + 1)),
        *(f'##FILTER=<ID={name},Description="{name}">' for name in ("q10", "LowGQ")),
        *(f'##INFO=<ID={field.key},{field.declared},Description="Made up">' for field in FIELDS),
        *(f'##FORMAT=<ID={key},Number={number},Type={kind},Description="Made up">' for key, number, kind in (
            ("GT", 1, "String"), ("AD", "R", "Integer"), ("DP", 1, "Integer"), ("GQ", 1, "Integer"),
            ("AB", 1, "Float"), ("PS", 1, "Integer"),
        )),
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tMADEUP",
        "",
    )
)  # fmt: skip


def write_vcf(path: Path, rows: int) -> None:
    """A plain VCF with so many records, sorted by position."""
    chance = np.random.default_rng(20)
    with path.open("wb") as file:
        file.write(_HEADER.encode())
        for start in range(0, rows, CHUNK):
            lines = _lines(start, min(CHUNK, rows - start), rows, chance)
            file.write("\n".join(lines.to_pylist()).encode() + b"\n")


def _lines(start: int, count: int, rows: int, chance: Chance) -> pa.Array:
    numbers = np.arange(start, start + count)
    contig = numbers * CONTIGS // rows
    position = (numbers - contig * rows // CONTIGS) * (CONTIG_LENGTH * CONTIGS // rows) + 1
    columns = [
        _joined("chr", pa.array(contig + 1).cast(_TEXT)),
        pa.array(position).cast(_TEXT),
        _joined("rs", pa.array(chance.integers(1, 10**9, count)).cast(_TEXT)),
        _picked(chance, count, ["A", "C"]),
        _picked(chance, count, ["G", "T", "TA"]),
        pa.array(np.round(chance.gamma(4, 100, count), 2)).cast(_TEXT),
        _picked(chance, count, ["PASS"] * 9 + ["q10", "LowGQ"]),
        pc.binary_join_element_wise(*(_info(field, count, chance) for field in FIELDS), pa.scalar(";", _TEXT)),
        pa.array(["GT:AD:DP:GQ:AB:PS"] * count, _TEXT),
        _sample(count, chance),
    ]
    return pc.binary_join_element_wise(*columns, pa.scalar("\t", _TEXT))


def _info(field: Field, count: int, chance: Chance) -> pa.Array:
    return _joined(f"{field.key}=", pc.fill_null(field.values(count, chance), _MISSING))


def _sample(count: int, chance: Chance) -> pa.Array:
    depths = [pa.array(chance.integers(0, most, count)).cast(_TEXT) for most in (40, 40, 80, 99, 10**6)]
    return pc.binary_join_element_wise(
        _picked(chance, count, ["0/1", "0/1", "1/1"]),
        pc.binary_join_element_wise(depths[0], depths[1], pa.scalar(",", _TEXT)),
        depths[2],
        depths[3],
        pa.array(np.round(chance.random(count), 3)).cast(_TEXT),
        depths[4],
        pa.scalar(":", _TEXT),
    )


def _picked(chance: Chance, count: int, values: list[str]) -> pa.Array:
    return pa.array(values, _TEXT).take(pa.array(chance.integers(0, len(values), count)))


def _joined(before: str, texts: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(pa.scalar(before, _TEXT), texts, pa.scalar("", _TEXT))
