"""Genotypes that companies give to their customers: comments above the table, and a header that may be one of them."""

from __future__ import annotations

import os
from unittest.mock import patch

import pyarrow as pa
import pytest

from varloom.reader import FileRefused, open_reader
from varloom.reader.delimited.native_passes import NativePasses
from varloom.reader.delimited.reader import DelimitedReader

ROWS = "rs4477212\t1\t82154\tAA\nrs3094315\tX\t752566\t--\ni5000\tMT\t3\tT\n"
TWO_ALLELES = "rs4477212\t1\t82154\tA\tA\nrs3094315\t23\t752566\t0\t0\n"
QUOTED = '"rs4477212","1","82154","AA"\n"rs3094315","X","752566","AG"\n'
EXPORTS = {
    "23andMe": ("a.txt", "# This data file was made, by us\n#\n# rsid\tchromosome\tposition\tgenotype\n", ROWS),
    "23andMe, header alone": ("a.txt", "# rsid\tchromosome\tposition\tgenotype\n", ROWS),
    "AncestryDNA": (
        "a.txt",
        "#AncestryDNA raw data\r\n#\r\nrsid\tchromosome\tposition\tallele1\tallele2\r\n",
        TWO_ALLELES,
    ),
    "MyHeritage": ("a.csv", "##fileformat=MyHeritage\n# Of, you\nRSID,CHROMOSOME,POSITION,RESULT\n", QUOTED),
    "FTDNA": ("a.csv", "RSID,CHROMOSOME,POSITION,RESULT\n", QUOTED),
    "LivingDNA": ("a.txt", "# Living DNA\n\n# rsid\tchromosome\tposition\tgenotype\n", ROWS),
}


@pytest.fixture(params=["kernel", "careful"])
def read(request, tmp_path):
    def table(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode())
        reader = open_reader(path)
        rows = [row for batch in reader.batches() for row in batch.to_pylist()]
        return rows, reader.summary()

    with patch.object(NativePasses, "is_possible", lambda self: request.param == "kernel" and bool(self)):
        yield table


@pytest.mark.parametrize("company", EXPORTS)
def test_exports_are_tables_and_keep_their_comments(read, company):
    name, above, rows = EXPORTS[company]
    found, summary = read(name, above + rows)
    types = {column.name.casefold(): column.type for column in summary.columns}
    assert (types["rsid"], types["position"]) == (pa.string(), pa.int64())
    assert found[0]["line"] == above.count("\n") + 1
    first = {key.casefold(): value for key, value in found[0].items()}
    assert (first["rsid"], first["position"]) == ("rs4477212", 82154)
    assert summary.header.splitlines() == above.splitlines()
    assert summary.records == rows.count("\n")
    assert summary.warnings == ()


def test_chromosomes_are_text_where_one_of_them_is(read):
    found, _ = read("a.txt", EXPORTS["23andMe"][1] + ROWS)
    assert [(row["chromosome"], row["genotype"]) for row in found] == [("1", "AA"), ("X", "--"), ("MT", "T")]


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("#rsid,p\nrs1,0.5\n", ["#rsid", "p"]),
        ("#CHR\tPOS\n1\t5\n", ["#CHR", "POS"]),
        ("name,n\n#1,2\n", ["name", "n"]),
        ("rsid,note\n#rsid,x\n", ["rsid", "note"]),
    ],
)
def test_other_tables_with_number_signs_stay_as_they_are(read, content, names):
    _, summary = read("a.csv", content)
    assert [column.name for column in summary.columns][2:] == names


def test_comments_above_another_table_are_refused(read):
    with pytest.raises(FileRefused):
        read("a.csv", "# made by a program\nname,n\na,1\n")


def test_a_file_that_changes_between_the_passes_is_refused(read, tmp_path):
    columns = DelimitedReader._columns

    def change(self):
        os.utime(tmp_path / "a.csv", ns=(1, 1))
        return columns(self)

    with patch.object(DelimitedReader, "_columns", change), pytest.raises(FileRefused) as refused:
        read("a.csv", "a,b\n1,2\n")
    assert [problem.kind.code for problem in refused.value.problems] == ["file_unreadable"]
