"""The MANE summary of NCBI and EMBL-EBI: one transcript for each gene on which both agree.

Source of the format: `MANE.GRCh38.v1.5.summary.txt.gz`, tab separated, with a header line that begins with `#`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from varloom.annotation.refs.columns_text import OTHER_COLUMNS
from varloom.annotation.refs.importer import Imported
from varloom.annotation.refs.problems import REFERENCE_MALFORMED, REFERENCE_WRONG_ASSEMBLY
from varloom.annotation.refs.progress import among_all
from varloom.annotation.refs.published_text import PublishedText
from varloom.errors import Place, VarloomError, safe_excerpt
from varloom.genomics.contigs import ACCESSIONS, bare_name

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.annotation.refs.importer import ImportTask

MANE_FILE = "mane.parquet"

_STATUS = {"MANE Select": "select", "MANE Plus Clinical": "plus_clinical"}
_COLUMNS = {
    "Ensembl_nuc": "ensembl_transcript",
    "Ensembl_prot": "ensembl_protein",
    "RefSeq_nuc": "refseq_transcript",
    "RefSeq_prot": "refseq_protein",
    "Ensembl_Gene": "ensembl_gene",
    "symbol": "gene_name",
    "GRCh38_chr": "contig",
}
_STATUS_COLUMN = "MANE_status"

MANE = pa.schema([pa.field(name, pa.string()) for name in (*_COLUMNS.values(), "status")])
"""A row for each transcript; ids have their versions; `status` is `select` or `plus_clinical`."""


def import_mane(task: ImportTask) -> Imported:
    """Fill a release of the kind `mane`: `mane.parquet`.

    Raises:
        VarloomError: `reference_malformed`; `reference_wrong_assembly`.
    """
    rows: list[tuple[str | None, ...]] = []
    unused: Counter[str] = Counter()
    begun, total = 0, sum(path.stat().st_size for path in task.sources)
    for path in task.sources:
        with PublishedText(path, among_all(task.on_progress, begun, total)) as text:
            names = _header(text)
            while (line := text.next_line()) is not None:
                fields = line.decode("utf-8", "replace").split("\t")
                values = dict(zip(names, fields, strict=False))
                status = _STATUS.get(values.get(_STATUS_COLUMN, ""))
                if len(fields) != len(names):
                    unused[OTHER_COLUMNS] += 1
                elif status is None:
                    unused["transcripts that are neither Select nor Plus Clinical"] += 1
                else:
                    rows.append((*(values[name] or None for name in _COLUMNS), status))
        begun += path.stat().st_size
    return _written(task, rows, unused)


def _written(task: ImportTask, rows: list[tuple[str | None, ...]], unused: Counter[str]) -> Imported:
    if not rows:
        raise VarloomError(REFERENCE_MALFORMED, "The file has no MANE transcripts.")
    place = list(_COLUMNS.values()).index("contig")
    contigs: dict[str, int] = {}
    for row in rows:
        contig = row[place] or ""
        named = ACCESSIONS.get(contig)
        if named is not None and named.assembly not in {None, task.key.assembly}:
            message = f"The file is on {named.assembly} ({contig}), not on {task.key.assembly}."
            raise VarloomError(REFERENCE_WRONG_ASSEMBLY, message)
        bare = bare_name(contig, task.key.assembly)
        contigs[bare] = contigs.get(bare, 0) + 1
    arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=MANE), task.folder / MANE_FILE)
    counts = {"transcripts": len(rows), "mane_select": sum(row[-1] == "select" for row in rows)}
    return Imported(counts, contigs, unused)


def _header(text: PublishedText) -> list[str]:
    line = (text.next_line() or b"").decode("utf-8", "replace")
    names = line.lstrip("#").split("\t")
    missing = [name for name in (*_COLUMNS, _STATUS_COLUMN) if name not in names]
    if missing:
        message = f"The first line is no header of a MANE summary; these columns are missing: {', '.join(missing)}."
        raise VarloomError(REFERENCE_MALFORMED, message, Place(line=1, excerpt=safe_excerpt(line)))
    return names


def mane_transcripts(folder: Path) -> tuple[frozenset[str], frozenset[str]]:
    """The ids, without version, of the transcripts of Ensembl and RefSeq that are Select, and Plus Clinical."""
    table = pq.read_table(folder / MANE_FILE, columns=["ensembl_transcript", "refseq_transcript", "status"])
    found: dict[str, set[str]] = {"select": set(), "plus_clinical": set()}
    for row in table.to_pylist():
        for name in (row["ensembl_transcript"], row["refseq_transcript"]):
            if name:
                found[row["status"]].add(name.partition(".")[0])
    return frozenset(found["select"]), frozenset(found["plus_clinical"])
