"""Rows as the reader gives them become variants as annotation sources take them.

Source of the keys: VCF 4.0 to 4.5, section 3 (structural variants). Files declare them in many ways, or not at all: a
length may be a number, a list with an element for each allele, or text.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from varloom.annotation.model import PHASED_VARIANTS, VARIANTS, VariantKind
from varloom.dataset.column_types import is_list, plain_type

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WHOLE = r"^[+-]?[0-9]{1,18}$"
_DECIMAL = r"^[+-]?([0-9]{1,18}(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,2})?$"
_MOST = 2.0**62
"""Whole numbers beyond it are taken for missing; no position or length comes near."""


def variant_batches(batches: Iterable[pa.RecordBatch], kind: VariantKind, rows: int) -> Iterator[pa.RecordBatch]:
    """All variants of a file, in its order, as batches of the schema `VARIANTS`.

    Args:
        batches: of a VCF's or BCF's reader, or the rows of its dataset; columns may be added from one to the next.
        kind: of small variants only the first six of its columns are filled, and where the first batch has genotypes of
            samples in columns of their own, all have the schema `PHASED_VARIANTS`.
        rows: of each batch; the last one may have fewer.

    Raises:
        ValueError: `rows` is less than 1, or a batch lacks one of the columns that every VCF has.
    """
    if rows < 1:
        raise ValueError(f"a batch cannot have {rows} rows")
    yield from _of_size(_variants_of_all(batches, kind), rows)


def _variants_of_all(batches: Iterable[pa.RecordBatch], kind: VariantKind) -> Iterator[pa.RecordBatch]:
    samples: tuple[str, ...] | None = None
    for batch in batches:
        found = variants_of(batch, kind)
        if samples is None:
            samples = _samples(batch) if kind is VariantKind.SMALL else ()
        yield _with_genotypes(found, batch, samples) if samples else found


def variants_of(batch: pa.RecordBatch, kind: VariantKind) -> pa.RecordBatch:
    """The variants of one batch, row by row."""
    taken = [_fixed(batch, field) for field in list(VARIANTS)[:6]]
    if kind is VariantKind.STRUCTURAL:
        taken += _structural(batch)
    else:
        taken += [pa.nulls(batch.num_rows, field.type) for field in list(VARIANTS)[6:]]
    return pa.record_batch(taken, schema=VARIANTS)


def _fixed(batch: pa.RecordBatch, field: pa.Field) -> pa.Array:
    if field.name not in batch.schema.names:
        raise ValueError(f"the rows have no column {field.name!r}")
    values = batch.column(field.name).cast(field.type)
    return values if field.nullable or not values.null_count else pc.fill_null(values, "")


def _structural(batch: pa.RecordBatch) -> list[pa.Array]:
    """`end`, `svtype`, `svlen`, `copy_number` and `imprecision`."""
    alleles = _allele_indexes(batch)
    copies = _decimal(_of_allele(_column(batch, "INFO.CN"), alleles))
    length = _whole(_of_allele(_column(batch, "INFO.SVLEN"), alleles))
    return [
        _own_end(batch, _whole(_of_allele(_column(batch, "INFO.END"), alleles)), length),
        _of_allele(_column(batch, "INFO.SVTYPE"), alleles).cast(pa.string()),
        length,
        pc.coalesce(copies, _decimal(_of_allele(_first_sample_copies(batch), alleles))),
        pc.max_element_wise(
            _width(_column(batch, "INFO.CIPOS"), alleles), _width(_column(batch, "INFO.CIEND"), alleles)
        ),
    ]


def _own_end(batch: pa.RecordBatch, end: pa.Array, length: pa.Array) -> pa.Array:
    """END, but where a record has several alleles that have lengths: it is that of the longest one (VCF 4.4)."""
    if "record" not in batch.schema.names or batch.num_rows < 2:
        return end
    records = batch.column("record")
    same = pc.equal(records.slice(1), records.slice(0, batch.num_rows - 1))
    no = pa.array([False])
    several = pc.or_(pa.concat_arrays([no, same]), pa.concat_arrays([same, no]))
    own_length = pc.fill_null(pc.not_equal(length, 0), False)
    return pc.if_else(pc.and_(several, own_length), pa.scalar(None, pa.int64()), end)


# --- genotypes --------------------------------------------------------------------------------------------------------


def _samples(batch: pa.RecordBatch) -> tuple[str, ...]:
    """The samples whose genotypes have a column each, as in files of few samples."""
    names = (name for name in batch.schema.names if name.endswith(".GT") and not name.startswith(("INFO.", "FORMAT.")))
    return tuple(name.removesuffix(".GT") for name in names)


def _with_genotypes(variants: pa.RecordBatch, batch: pa.RecordBatch, samples: tuple[str, ...]) -> pa.RecordBatch:
    """The variants with the genotypes and phase sets of all samples."""
    taken = [
        *variants.columns,
        pc.add(_allele_indexes(batch), 1),
        _of_samples(batch, samples, "GT"),
        _of_samples(batch, samples, "PS"),
    ]
    return pa.record_batch(taken, schema=PHASED_VARIANTS)


def _of_samples(batch: pa.RecordBatch, samples: tuple[str, ...], key: str) -> pa.Array:
    """A list for each row: the texts of one FORMAT field, sample by sample."""
    columns = [_column(batch, f"{sample}.{key}") for sample in samples]
    texts = [column if not is_list(column.type) else pa.nulls(len(column), pa.string()) for column in columns]
    rows, width = batch.num_rows, len(samples)
    together = pa.concat_arrays([text.cast(pa.string()) for text in texts])
    order = pa.array([sample * rows + row for row in range(rows) for sample in range(width)], pa.int64())
    offsets = pa.array(range(0, rows * width + 1, width), pa.int32())
    return pa.ListArray.from_arrays(offsets, together.take(order))


# --- values of an allele ----------------------------------------------------------------------------------------------


def _allele_indexes(batch: pa.RecordBatch) -> pa.Array:
    """Which ALT allele of its record each row is, from 0; a record without one counts as the first."""
    if "allele" not in batch.schema.names:
        return pa.repeat(pa.scalar(0, pa.int64()), batch.num_rows)
    numbers = pc.fill_null(batch.column("allele").cast(pa.int64()), 1)
    return pc.max_element_wise(pc.subtract(numbers, 1), 0)


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    """A column in its plain type; nothing but missing values where the file has none of this name."""
    if name not in batch.schema.names:
        return pa.nulls(batch.num_rows, pa.string())
    return _plain(batch.column(name))


def _plain(values: pa.Array) -> pa.Array:
    wanted = plain_type(values.type)
    return values if values.type == wanted else values.cast(wanted)


def _first_sample_copies(batch: pa.RecordBatch) -> pa.Array:
    """CN of the first sample, which has a column of its own or is the first element of the list of all samples."""
    names = [name for name in batch.schema.names if name.endswith(".CN") and not name.startswith("INFO.")]
    if not names:
        return pa.nulls(batch.num_rows, pa.string())
    values = _column(batch, names[0])
    return _elements(values, _zeros(batch.num_rows)) if names[0] == "FORMAT.CN" and is_list(values.type) else values


def _of_allele(values: pa.Array, alleles: pa.Array) -> pa.Array:
    """The value of each row's allele: its element of a list with several, or the one that there is for all."""
    values = _split(values)
    if not is_list(values.type):
        return values
    several = pc.greater(pc.fill_null(pc.list_value_length(values), 0), 1)
    return _elements(values, pc.if_else(several, alleles, 0))


def _width(values: pa.Array, alleles: pa.Array) -> pa.Array:
    """How many bases a confidence interval spans: two numbers for each allele, or two for all."""
    values = _split(values)
    if not is_list(values.type):
        return pa.nulls(len(values), pa.int64())
    lengths = pc.fill_null(pc.list_value_length(values), 0)
    own = pc.greater_equal(lengths, pc.add(pc.multiply(alleles, 2), 2))
    first = pc.if_else(own, pc.multiply(alleles, 2), 0)
    low, high = (_whole(_elements(values, pc.add(first, step))) for step in (0, 1))
    return pc.abs(pc.subtract(high, low))


def _split(values: pa.Array) -> pa.Array:
    """Text may hold a list as VCF writes it; anything else is left as it is."""
    return pc.split_pattern(values, ",") if values.type == pa.string() else values


def _elements(lists: pa.Array, indexes: pa.Array) -> pa.Array:
    """Of each list the element at its index, from 0; missing where the list is, or is too short."""
    lengths = pc.fill_null(pc.list_value_length(lists), 0).cast(pa.int64())
    starts = pc.subtract(pc.cumulative_sum(lengths), lengths)
    found = pc.less(indexes, lengths)
    return lists.flatten().take(pc.if_else(found, pc.add(starts, indexes), pa.scalar(None, pa.int64())))


def _zeros(count: int) -> pa.Array:
    return pa.repeat(pa.scalar(0, pa.int64()), count)


# --- numbers ----------------------------------------------------------------------------------------------------------


def _whole(values: pa.Array) -> pa.Array:
    """Whole numbers; what is none is missing."""
    if pa.types.is_integer(values.type):
        return values.cast(pa.int64())
    if values.type == pa.string():
        return _cast_matching(values, _WHOLE, pa.int64())
    numbers = _decimal(values)
    fitting: Any = pc.less(pc.abs(numbers), _MOST)
    return pc.if_else(fitting, pc.round(numbers), pa.scalar(None, pa.float64())).cast(pa.int64())


def _decimal(values: pa.Array) -> pa.Array:
    """Finite numbers; what is none is missing."""
    if pa.types.is_boolean(values.type):
        return pa.nulls(len(values), pa.float64())
    if values.type == pa.string():
        return _cast_matching(values, _DECIMAL, pa.float64())
    numbers = values.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def _cast_matching(texts: pa.Array, pattern: str, wanted: pa.DataType) -> pa.Array:
    matching = pc.if_else(pc.match_substring_regex(texts, pattern), texts, pa.scalar(None, pa.string()))
    return pc.replace_substring_regex(matching, r"^\+", "").cast(wanted)


# --- batches of a size ------------------------------------------------------------------------------------------------


def _of_size(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    pieces: list[pa.RecordBatch] = []
    held = 0
    for batch in batches:
        start = 0
        while start < batch.num_rows:
            pieces.append(batch.slice(start, rows - held))
            start += pieces[-1].num_rows
            held += pieces[-1].num_rows
            if held == rows:
                yield pa.concat_batches(pieces)
                pieces, held = [], 0
    if pieces:
        yield pa.concat_batches(pieces)
