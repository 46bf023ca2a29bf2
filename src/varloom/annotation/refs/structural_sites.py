"""Sites of structural variants with their frequency into `sites.parquet`: gnomAD-SV of the releases 2 and 4.

The lines are split at tabs and the wanted keys searched for in INFO, as for other sites VCFs: INFO has hundreds of
keys.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from varloom.annotation.refs.columns_text import as_float, as_integer, info_field, missing_as_null, split_lines
from varloom.annotation.refs.coordinates import Coordinates
from varloom.annotation.refs.importer import Imported
from varloom.annotation.refs.progress import among_all
from varloom.annotation.refs.published_text import PublishedText, malformed
from varloom.genomics.contigs import contig_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.annotation.refs.importer import ImportTask

SITES_FILE = "sites.parquet"
SITES = pa.schema(
    [
        pa.field("contig", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("length", pa.int32()),
        pa.field("type", pa.string(), nullable=False),
        pa.field("id", pa.string()),
        pa.field("af", pa.float64()),
        pa.field("af_popmax", pa.float64()),
        pa.field("ac", pa.int64()),
        pa.field("an", pa.int64()),
        pa.field("homozygotes", pa.int64()),
        pa.field("filter", pa.string()),
    ]
)
"""A row for each site, by contig and start.

`start` and `end` (1-based, inclusive) are the bases that the variant takes up, from POS + 1 to END; of insertions,
breakends and translocations both are POS. `length` is that of the interval; of insertions SVLEN. `type` is SVTYPE
(`MCNV` is stored as `CNV`), `af` the frequency of the allele; of a CNV with several copy numbers it is the share of
people who have not two.
"""

NO_PLACE = "records without a position"
NO_TYPE = "records without SVTYPE"
NO_END = "records without an END at or behind POS"
_FIXED = ("#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO")
_WANTED = ("#CHROM", "POS", "ID", "ALT", "FILTER", "INFO")
_POINTS = ("INS", "BND", "CTX")
_POPMAX = ("POPMAX_AF", "GRPMAX_AF", "AF_grpmax", "grpmax_AF")
_LARGEST = 2**31 - 1


def import_structural_sites(task: ImportTask) -> Imported:
    """gnomAD-SV VCFs into sites, all of them with their FILTER.

    Raises:
        VarloomError: `reference_malformed`, `reference_wrong_assembly`.
    """
    coordinates = Coordinates(task.key.assembly, None)
    unused: Counter[str] = Counter()
    total = sum(path.stat().st_size for path in task.sources)
    records, begun = 0, 0
    tables = []
    for path in task.sources:
        with PublishedText(path, among_all(task.on_progress, begun, total)) as text:
            coordinates.check_header(text.comments())
            header = (text.next_line() or b"").decode("utf-8", "replace").split("\t")
            if tuple(header[:8]) != _FIXED:
                raise malformed(path, "The line that begins with #CHROM is missing.", text.lines)
            for chunk in text.chunks():
                lines = split_lines(chunk, header, _WANTED, unused)
                records += len(lines["POS"])
                tables.append(_sites(lines, coordinates, unused))
        begun += path.stat().st_size
    table = pa.concat_tables(tables) if tables else SITES.empty_table()
    if not table.num_rows:
        raise malformed(task.sources[0], "No site could be used.")
    table = _sorted(table)
    pq.write_table(table, task.folder / SITES_FILE, compression="zstd", row_group_size=200_000)
    contigs = Counter(table["contig"].to_pylist())
    return Imported({"records": records, "rows": table.num_rows}, dict(contigs), dict(+unused))


def _sites(lines: dict[str, pa.Array], coordinates: Coordinates, unused: Counter[str]) -> pa.Table:
    """The sites of some records; those that cannot be used are counted."""
    info = lines["INFO"]
    position = as_integer(lines["POS"], "the position", Counter())
    kind = info_field(info, "SVTYPE")
    kind = pc.if_else(pc.equal(kind, "MCNV"), "CNV", kind)
    end, length = as_integer(info_field(info, "END"), "END", unused), _absolute(info_field(info, "SVLEN"), unused)
    is_point = pc.fill_null(pc.is_in(kind, value_set=pa.array(_POINTS)), False)
    has_end = pc.or_(is_point, pc.fill_null(pc.greater_equal(end, position), False))
    usable = np.ones(len(position), bool)
    for reason, fine in ((NO_PLACE, position.is_valid()), (NO_TYPE, kind.is_valid()), (NO_END, has_end)):
        wrong = usable & ~fine.to_numpy(zero_copy_only=False)
        usable &= ~wrong
        unused[reason] += int(wrong.sum())
    start = pc.if_else(is_point, position, pc.min_element_wise(pc.add(position, 1), end))
    last = pc.if_else(is_point, position, end)
    span = pc.add(pc.subtract(last, start), 1)
    columns = [
        _bare(lines["#CHROM"], coordinates),
        start,
        last,
        pc.if_else(is_point, pc.if_else(pc.equal(kind, "INS"), length, pa.scalar(None, pa.int64())), span),
        kind,
        missing_as_null(lines["ID"]),
        _frequency(lines, unused),
        pc.coalesce(*(as_float(_first(info_field(info, key)), key, unused) for key in _POPMAX)),
        as_integer(_first(info_field(info, "AC")), "AC", unused),
        as_integer(info_field(info, "AN"), "AN", unused),
        as_integer(info_field(info, "N_HOMALT"), "N_HOMALT", unused),
        missing_as_null(lines["FILTER"]),
    ]
    chosen = pa.array(usable & pc.fill_null(pc.less(last, _LARGEST), False).to_numpy(zero_copy_only=False))
    return pa.Table.from_arrays(
        [column.filter(chosen).cast(field.type) for column, field in zip(columns, SITES, strict=True)], schema=SITES
    )


def _absolute(texts: pa.Array, unused: Counter[str]) -> pa.Array:
    """SVLEN without its sign; the releases differ in whether that of a deletion is negative."""
    return as_integer(pc.replace_substring_regex(_first(texts), "^-", ""), "SVLEN", unused)


def _first(texts: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(texts, ",.*$", "")


def _bare(contigs: pa.Array, coordinates: Coordinates) -> pa.Array:
    encoded = pc.dictionary_encode(contigs)
    names = pa.array([coordinates.bare(name) for name in encoded.dictionary.to_pylist()], pa.string())
    return names.take(encoded.indices)


def _frequency(lines: dict[str, pa.Array], unused: Counter[str]) -> pa.Array:
    """The frequency of the allele, or for several copy numbers the share that is not two copies."""
    info = lines["INFO"]
    texts = info_field(info, "AF")
    several = pc.fill_null(pc.match_substring(texts, ","), False)
    found = as_float(_first(texts), "AF", unused)
    found = pc.if_else(several, pa.scalar(None, pa.float64()), found)
    if pc.any(several).as_py():
        states = [
            _not_two(alt, text) if more else None
            for alt, text, more in zip(lines["ALT"].to_pylist(), texts.to_pylist(), several.to_pylist(), strict=True)
        ]
        found = pc.coalesce(found, pa.array(states, pa.float64()))
    return pc.coalesce(found, as_float(info_field(info, "CN_NONREF_FREQ"), "CN_NONREF_FREQ", unused))


def _not_two(alternates: str, frequencies: str) -> float | None:
    """The sum of the frequencies of all copy numbers but two, from alleles such as `<CN=0>,<CN=1>,<CN=2>`."""
    states, texts = alternates.split(","), frequencies.split(",")
    if len(states) != len(texts) or not all(state.startswith("<CN=") for state in states):
        return None
    try:
        return min(sum(float(text) for state, text in zip(states, texts, strict=True) if state != "<CN=2>"), 1.0)
    except ValueError:
        return None


def _sorted(table: pa.Table) -> pa.Table:
    names: Sequence[str] = sorted(pc.unique(table["contig"]).to_pylist(), key=contig_order)
    ranks: Any = pc.index_in(table["contig"], value_set=pa.array(names))
    order = np.lexsort((table["end"].to_numpy(), table["start"].to_numpy(), ranks.to_numpy()))
    return table.take(pa.array(order))
