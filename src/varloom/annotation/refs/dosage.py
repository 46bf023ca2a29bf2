"""ClinGen's curation of dosage, genes and regions, into `dosage.parquet`.

The published files are `ClinGen_gene_curation_list_ASSEMBLY.tsv` and `ClinGen_region_curation_list_ASSEMBLY.tsv`:
lines of words that begin with `#`, of which the last one names the columns.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from varloom.annotation.refs.coordinates import Coordinates
from varloom.annotation.refs.importer import Imported
from varloom.annotation.refs.published_text import PublishedText, malformed
from varloom.genomics.contigs import contig_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from varloom.annotation.refs.importer import ImportTask

DOSAGE_FILE = "dosage.parquet"
DOSAGE = pa.schema(
    [
        pa.field("kind", pa.string(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("name", pa.string(), nullable=False),
        pa.field("contig", pa.string()),
        pa.field("start", pa.int32()),
        pa.field("end", pa.int32()),
        pa.field("hi_score", pa.int32()),
        pa.field("ts_score", pa.int32()),
        pa.field("hi_description", pa.string()),
        pa.field("ts_description", pa.string()),
        pa.field("evaluated", pa.string()),
    ]
)
"""A row for each gene (`kind` is `gene`, `id` that of NCBI, `name` its symbol) or region (`region`, ClinGen's id).

Coordinates are 1-based and inclusive, missing where the file gives no place. Scores are 0 to 3, 30 or 40, missing where
they are not evaluated; `evaluated` is the date, as the file writes it.
"""

NO_PLACE = "genes or regions without a place in this assembly"
NO_SCORE = "scores that are none of 0, 1, 2, 3, 30 and 40"
SHORT = "lines with fewer columns than the header"
_KINDS: Mapping[str, tuple[str, str, str]] = {
    "#Gene Symbol": ("gene", "Gene ID", "#Gene Symbol"),
    "#ISCA ID": ("region", "#ISCA ID", "ISCA Region Name"),
}
"""By the first column: the kind, and the columns of the identifier and the name."""
_NEEDED = ("Genomic Location", "Haploinsufficiency Score", "Triplosensitivity Score")
_PLACE = re.compile(r"(?P<contig>[^:\s]+):\s*(?P<start>[0-9,]+)\s*-\s*(?P<end>[0-9,]+)")
_SCORES = frozenset({"0", "1", "2", "3", "30", "40"})
_NOT_EVALUATED = frozenset({"", "-1", "not yet evaluated"})


def import_dosage(task: ImportTask) -> Imported:
    """The list of genes, that of regions, or both.

    Raises:
        VarloomError: `reference_malformed`, `reference_wrong_assembly`.
    """
    coordinates = Coordinates(task.key.assembly, None)
    unused: Counter[str] = Counter()
    rows = [row for path in task.sources for row in _rows(path, coordinates, unused)]
    task.on_progress(size := sum(path.stat().st_size for path in task.sources), size)
    if not rows:
        raise malformed(task.sources[0], "No gene or region could be used.")
    rows.sort(key=lambda row: (contig_order(str(row["contig"] or "~")), row["start"] or 0, row["name"]))
    table = pa.Table.from_pylist(rows, schema=DOSAGE)
    pq.write_table(table, task.folder / DOSAGE_FILE, compression="zstd")
    kinds = Counter(f"{row['kind']}s" for row in rows)
    contigs = Counter(str(row["contig"]) for row in rows if row["contig"] is not None)
    return Imported({"rows": len(rows), **kinds}, dict(contigs), dict(+unused))


def _rows(path: Path, coordinates: Coordinates, unused: Counter[str]) -> Iterator[dict[str, str | int | None]]:
    with PublishedText(path) as text:
        names: list[str] = []
        while (line := text.next_line()) is not None:
            words = line.decode("utf-8", "replace")
            if words.startswith("#"):
                names = [name.strip() for name in words.split("\t")]
                if "Genomic Locations" in words:
                    coordinates.check_words(words.lstrip("#"))
                continue
            if not words.strip():
                continue
            if names[:1] == [] or names[0] not in _KINDS or not set(_NEEDED) <= set(names):
                raise malformed(path, "The line that names the columns of ClinGen's list is missing.", text.lines, line)
            cells = words.split("\t")
            if len(cells) <= max(names.index(name) for name in _NEEDED):
                unused[SHORT] += 1
                continue
            yield _row(dict(zip(names, cells, strict=False)), names[0], coordinates, unused)


def _row(
    cells: dict[str, str], first: str, coordinates: Coordinates, unused: Counter[str]
) -> dict[str, str | int | None]:
    kind, identifier, name = _KINDS[first]
    place = _PLACE.fullmatch(cells["Genomic Location"].strip())
    if place is None:
        unused[NO_PLACE] += 1
    return {
        "kind": kind,
        "id": cells.get(identifier, "").strip(),
        "name": cells.get(name, "").strip(),
        "contig": None if place is None else coordinates.bare(place["contig"]),
        "start": None if place is None else int(place["start"].replace(",", "")),
        "end": None if place is None else int(place["end"].replace(",", "")),
        "hi_score": _score(cells["Haploinsufficiency Score"], unused),
        "ts_score": _score(cells["Triplosensitivity Score"], unused),
        "hi_description": cells.get("Haploinsufficiency Description", "").strip() or None,
        "ts_description": cells.get("Triplosensitivity Description", "").strip() or None,
        "evaluated": cells.get("Date Last Evaluated", "").strip() or None,
    }


def _score(text: str, unused: Counter[str]) -> int | None:
    text = text.strip()
    if text in _SCORES:
        return int(text)
    unused[NO_SCORE] += text.lower() not in _NOT_EVALUATED
    return None
