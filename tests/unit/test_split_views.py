"""The split view of structural variants: a row for each gene, of which all questions are answered rightly."""

from __future__ import annotations

import io
import json
import random
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from dataset_rows import GivenRows, numbered

from varloom.annotation.sources.structural.columns import GENE_ENTRIES
from varloom.dataset import Dataset, QueryEngine, entry_rows, write_dataset
from varloom.errors import VarloomError
from varloom.services.split_views import GENE_ROWS, SplitViews, can_be_split
from varloom.storage import LocalCopies

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VARIANTS = 9_000
"""More than are told apart at a time."""


def made_up() -> list[dict[str, Any]]:
    chance = random.Random(2)
    rows = []
    for row in range(VARIANTS):
        genes = sorted(chance.sample(range(40), chance.choice([0, 0, 1, 1, 2, 5])))
        entries = [
            {
                "gene": f"G{gene}",
                "gene_id": f"ENSG{gene}",
                "biotype": "protein_coding",
                "extent": "partial",
                "part": "exon",
                "exons": f"{gene % 4}/4",
                "junctions": str(gene % 3),
                "ts_score": None,
                "hi_score": chance.choice([None, "0", "3", "30"]),
            }
            for gene in genes
        ]
        rows.append(
            {
                "contig": f"chr{1 + row * 3 // VARIANTS}",
                "position": row * 5 + 1,
                "qual": chance.random(),
                "sv.gene_entries": entries or chance.choice([None, []]),
            }
        )
    return rows


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return made_up()


@pytest.fixture(scope="module")
def expected(rows) -> list[dict[str, Any]]:
    """The rows of the split view, in plain Python."""
    found = []
    for number, row in enumerate(rows):
        for entry in row["sv.gene_entries"] or ():
            whole = {name: entry[name] and int(entry[name]) for name in ("junctions", "hi_score", "ts_score")}
            cells = {GENE_ROWS.fields[name].name: value for name, value in {**entry, **whole}.items()}
            others = {name: row[name] for name in ("contig", "position", "qual")}
            found.append({"rowno": len(found), **others, "sv.full_row": number, **cells})
    return found


@pytest.fixture(scope="module")
def table(tmp_path_factory, rows) -> Dataset:
    types = {"contig": pa.string(), "position": pa.int64(), "qual": pa.float64(), "sv.gene_entries": GENE_ENTRIES}
    columns = {name: pa.array([row[name] for row in rows], kind) for name, kind in types.items()}
    folder = tmp_path_factory.mktemp("table") / "dataset"
    write_dataset(GivenRows([numbered(0, columns)]), folder, source_name="a.vcf", assembly="GRCh38")
    return Dataset.open(folder)


@pytest.fixture(scope="module")
def views(tmp_path_factory) -> SplitViews:
    return SplitViews(LocalCopies(tmp_path_factory.mktemp("views"), 10**9))


@pytest.fixture(scope="module")
def split(table, views) -> Iterator[Dataset]:
    with views.opened(table) as dataset:
        yield dataset


@pytest.fixture(scope="module")
def engine() -> Iterator[QueryEngine]:
    with QueryEngine(memory_limit=10**9) as engine:
        yield engine


def test_every_gene_of_every_variant_is_a_row(engine, table, split, expected):
    assert can_be_split(table.manifest)
    assert not can_be_split(split.manifest)
    assert split.manifest.variants == engine.count(split) == len(expected)
    assert split.manifest.content_hash != table.manifest.content_hash
    found: list[dict[str, Any]] = []
    while len(found) < len(expected):
        found += engine.rows(split, offset=len(found), limit=1_777).rows
    assert [{name: row[name] for name in expected[0]} for row in found] == expected
    assert "sv.gene_entries" not in found[0]
    assert engine.count(table) == VARIANTS


def test_filters_sorting_pages_and_facets_count_genes(engine, split, expected):
    where = "sv.gene_hi_score = 3 AND sv.gene IN ('G1', 'G2') AND contig != 'chr2'"
    kept = [
        row
        for row in expected
        if row["sv.gene_hi_score"] == 3 and row["sv.gene"] in {"G1", "G2"} and row["contig"] != "chr2"
    ]
    assert engine.count(split, where=where) == len(kept) > 10
    kept.sort(key=lambda row: (row["sv.gene"], -row["qual"], row["rowno"]))
    for begin in range(0, len(kept), 7):
        page = engine.rows(split, offset=begin, limit=7, where=where, sort="sv.gene,-qual")
        assert [row["rowno"] for row in page.rows] == [row["rowno"] for row in kept[begin : begin + 7]]
        assert page.total == len(kept)
    facets = engine.facets(split, "sv.gene", where=where)
    assert dict(facets.values) == {name: sum(row["sv.gene"] == name for row in kept) for name in ("G1", "G2")}


def test_exports_have_the_same_rows(engine, split, expected):
    asked = {"columns": ["sv.full_row", "sv.gene", "sv.gene_junctions"], "where": "sv.gene_junctions >= 1"}
    kept = [row for row in expected if row["sv.gene_junctions"] >= 1]
    kept.sort(key=lambda row: (row["sv.gene"], row["rowno"]))
    wanted = [{name: row[name] for name in asked["columns"]} for row in kept]
    exported = {
        kind: b"".join(engine.export(split, kind, sort="sv.gene", **asked)) for kind in ("tsv", "jsonl", "parquet")
    }
    assert [json.loads(line) for line in exported["jsonl"].splitlines()] == wanted
    assert pq.read_table(io.BytesIO(exported["parquet"])).to_pylist() == wanted
    read = pa_csv.read_csv(io.BytesIO(exported["tsv"]), parse_options=pa_csv.ParseOptions(delimiter="\t"))
    assert read.to_pylist() == wanted


def test_a_view_is_made_once_and_refused_where_there_are_no_genes(table, split, views, tmp_path, monkeypatch):
    with views.opened(table) as again:
        assert again.directory == split.directory
    with pytest.raises(VarloomError, match="no genes") as raised, views.opened(split):
        pass
    assert raised.value.kind.code == "view_unavailable"
    monkeypatch.setattr(entry_rows, "MOST_ROWS", 100)
    with pytest.raises(VarloomError) as raised, SplitViews(LocalCopies(tmp_path, 10**9)).opened(table):
        pass
    assert raised.value.kind.code == "entries_too_many"
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_a_table_without_any_gene_has_an_empty_view(engine, tmp_path: Path, views):
    columns = {"contig": pa.array(["chr1", "chr1"]), "sv.gene_entries": pa.array([None, []], GENE_ENTRIES)}
    write_dataset(GivenRows([numbered(0, columns)]), tmp_path / "dataset", source_name="a.vcf", assembly="GRCh38")
    with views.opened(Dataset.open(tmp_path / "dataset")) as dataset:
        assert engine.rows(dataset).rows == []
        assert engine.count(dataset, where="sv.gene = 'G1'") == 0
