"""Rows of the reader as variants: real call sets against their own text, and every way of declaring a field."""

from __future__ import annotations

import gzip
import itertools
import random
import re

import pyarrow as pa
import pytest

from varloom.annotation.model import PHASED_VARIANTS, VARIANTS, VariantKind
from varloom.annotation.stretches import STRETCHES, Limits, Stretches, cut_between
from varloom.annotation.variant_batches import variant_batches
from varloom.reader import FileRefused, ReadOptions, open_reader

REAL = ["1000G.HG00096.wgs.mergedSV.v8.vcf", "truvari.hg002_comp.vcf.gz"]
FIXED = VARIANTS.names[:6]
NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")


def read(path, kind=VariantKind.STRUCTURAL, rows=20_000, options=None):
    reader = open_reader(path, options=options or ReadOptions())
    found = list(variant_batches(reader.batches(), kind, rows))
    assert all(batch.schema in {VARIANTS, PHASED_VARIANTS} for batch in found)
    assert [batch.num_rows for batch in found[:-1]] == [rows] * (len(found) - 1)
    assert sum(batch.num_rows for batch in found) == reader.summary().variants
    return [row for batch in found for row in batch.to_pylist()]


# --- from the text, by other means ------------------------------------------------------------------------------------


def number(texts, at):
    """The value of an allele, among the texts of a key."""
    if len(texts) == 1:
        at = 0
    text = texts[at] if at < len(texts) else "."
    return float(text) if NUMBER.fullmatch(text) else None


def width(texts, at):
    pair = texts[2 * at : 2 * at + 2] if len(texts) >= 2 * at + 2 else texts[:2]
    known = [float(text) for text in pair if NUMBER.fullmatch(text)]
    return abs(known[1] - known[0]) if len(known) == 2 else None


def written(path):
    """The rows that a file's text asks for."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or not line:
            continue
        cells = line.split("\t")
        info = {}
        for entry in cells[7].split(";"):
            key, _, value = entry.partition("=")
            info.setdefault(key, value.split(","))
        sample = dict(zip(cells[8].split(":"), cells[9].split(":"), strict=False)) if len(cells) > 9 else {}
        alleles = cells[4].split(",")
        if len(alleles) > 1:
            alleles = [allele for allele in alleles if allele not in {"<*>", "<NON_REF>"}]
        for at, allele in enumerate(alleles):
            copies = number(info.get("CN", ["."]), at)
            if copies is None:
                copies = number(sample.get("CN", ".").split(","), at)
            widths = [width(info.get(key, ["."]), at) for key in ("CIPOS", "CIEND")]
            kinds = info.get("SVTYPE", ["."])
            length = number(info.get("SVLEN", ["."]), at)
            end = None if len(alleles) > 1 and length else number(info.get("END", ["."]), at)
            rows.append(
                {
                    "rowno": len(rows),
                    "contig": cells[0],
                    "position": int(cells[1]),
                    "id": None if cells[2] == "." else cells[2],
                    "ref": cells[3],
                    "alt": None if allele == "." else allele,
                    "end": end,
                    "svtype": None if kinds[at % len(kinds)] == "." else kinds[at % len(kinds)],
                    "svlen": length,
                    "copy_number": copies,
                    "imprecision": max((each for each in widths if each is not None), default=None),
                }
            )
    return rows


@pytest.mark.parametrize("name", REAL)
def test_rows_of_a_real_call_set_are_those_of_its_text(shared, tmp_path, name):
    path = shared / "data/structural" / name
    raw = path.read_bytes()
    text = gzip.decompress(raw) if path.suffix == ".gz" else raw
    beginning = tmp_path / "a.vcf"
    beginning.write_bytes(b"".join(text.splitlines(keepends=True)[:25_000]))
    assert read(beginning, rows=20_000) == written(beginning)


def test_rows_of_corpus_files_are_those_of_their_text(shared):
    compared = 0
    for path in sorted((shared / "corpus/vcf").rglob("*.vcf")):
        if path.stat().st_size > 200_000 or b"SVTYPE=" not in path.read_bytes():
            continue
        try:
            rows = read(path, rows=70, options=ReadOptions(batch_rows=100))
        except FileRefused:
            continue
        assert rows == written(path), path
        compared += 1
    assert compared > 20


def test_small_variants_have_the_fixed_columns_alone(shared):
    path = shared / "data/structural" / REAL[0]
    rows, structural = read(path, VariantKind.SMALL, 999), read(path)
    assert [{name: row[name] for name in FIXED} for row in rows] == [
        {name: row[name] for name in FIXED} for row in structural
    ]
    assert {row[name] for row in rows for name in VARIANTS.names[6:]} == {None}


def test_small_variants_have_the_genotypes_of_a_few_samples(shared):
    path = shared / "data/variants/slivar.ashk-trio.vcf.gz"
    rows = read(path, VariantKind.SMALL, 777)
    with gzip.open(path, "rt") as lines:
        records = [line.rstrip("\n").split("\t") for line in lines if not line.startswith("#")]
    wanted = []
    for cells in records:
        keys = cells[8].split(":")
        values = [dict(zip(keys, sample.split(":"), strict=False)) for sample in cells[9:]]
        texts = [[value.get(key) if value.get(key) != "." else None for value in values] for key in ("GT", "PS")]
        wanted += [(allele + 1, *texts) for allele in range(len(cells[4].split(",")))]
    assert [(row["allele"], row["genotypes"], row["phase_sets"]) for row in rows] == wanted


def test_phase_sets_are_told_as_the_file_writes_them(tmp_path):
    path = tmp_path / "phased.vcf"
    path.write_text(
        "##fileformat=VCFv4.2\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        '##FORMAT=<ID=PS,Number=1,Type=Integer,Description="Phase set">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB.GT\n"
        "1\t5\t.\tA\tG,T\t.\t.\t.\tGT:PS\t1|2:5\t0/1:.\n"
        "1\t9\t.\tC\tG\t.\t.\t.\tGT\t.|1\t0|1\n"
    )
    rows = read(path, VariantKind.SMALL)
    assert [(row["allele"], row["genotypes"], row["phase_sets"]) for row in rows] == [
        (1, ["1|2", "0/1"], ["5", None]),
        (2, ["1|2", "0/1"], ["5", None]),
        (1, [".|1", "0|1"], [None, None]),
    ]


NOWHERE = Stretches((), None)


def test_files_are_cut_where_the_next_variant_is_farthest(shared):
    path = shared / "data/variants/HG002_GRCh38_chr22_v4.2.1.vcf.gz"
    uncut = list(variant_batches(open_reader(path, options=ReadOptions()).batches(), VariantKind.SMALL, 5000))
    cut = list(cut_between(iter(uncut), NOWHERE, Limits(500, 10_000)))
    assert pa.Table.from_batches(cut).equals(pa.Table.from_batches(uncut))
    at = 0
    positions = pa.Table.from_batches(uncut).column("position").to_pylist()
    for batch in cut[:-1]:
        at += batch.num_rows
        assert 4500 <= batch.num_rows <= 5500
        assert positions[at] - positions[at - 1] > 1000
    again = list(cut_between(iter(uncut), NOWHERE, Limits(500, 10_000)))
    assert [batch.num_rows for batch in again] == [batch.num_rows for batch in cut], "a resumed job cuts alike"


def rows_at(*places):
    values = {"contig": [contig for contig, _ in places], "position": [position for _, position in places]}
    values |= {"rowno": list(range(len(places))), "ref": ["A"] * len(places)}
    arrays = [pa.array(values.get(field.name, [None] * len(places)), field.type) for field in VARIANTS]
    return pa.RecordBatch.from_arrays(arrays, schema=VARIANTS)


def test_nothing_is_cut_within_a_stretch():
    """Brute force over random rows and stretches: every place is free, or some stretch goes on behind it."""
    chance = random.Random(11)
    for _ in range(60):
        places = sorted((chance.choice("12"), chance.randint(1, 300)) for _ in range(chance.randint(1, 30)))
        told = [(chance.choice("123"), chance.randint(1, 300), chance.randint(0, 60)) for _ in range(8)]
        spans = [(contig, start, start + width) for contig, start, width in told]
        columns = dict(zip(("contig", "start", "end"), map(list, zip(*spans, strict=True)), strict=True))
        stretches = Stretches([pa.table(columns, schema=STRETCHES)], "GRCh38")
        free = [
            not any(
                contig == before[0] == after[0] and start <= before[1] and end >= after[1]
                for contig, start, end in _united(spans)
            )
            for before, after in itertools.pairwise(places)
        ]
        assert stretches.cuttable(rows_at(*(("chr" + contig, place) for contig, place in places))).tolist() == free


def _united(spans):
    """Those that have a base in common are one."""
    found = []
    for contig, start, end in sorted(spans):
        if found and found[-1][0] == contig and start <= found[-1][2]:
            found[-1] = (contig, found[-1][1], max(end, found[-1][2]))
        else:
            found.append((contig, start, end))
    return found


def test_a_chunk_grows_until_it_can_be_cut_or_is_too_large():
    rows = rows_at(*(("1", place) for place in range(10, 130, 10)))
    small = [rows.slice(start, 2) for start in range(0, 12, 2)]
    stretches = Stretches([pa.table({"contig": ["1"], "start": [20], "end": [90]}, schema=STRETCHES)], None)
    for most, sizes in ((100, [1, 8, 3]), (4, [1, 4, 4, 3])):
        cut = list(cut_between(small, stretches, Limits(0, most)))
        assert pa.Table.from_batches(cut).equals(pa.Table.from_batches(small))
        assert [batch.num_rows for batch in cut] == sizes


def test_a_cut_is_before_another_contig_or_the_longest_gap():
    first = rows_at(("1", 10), ("1", 20), ("1", 90), ("1", 100), ("1", 101))
    second = rows_at(("1", 102), ("1", 500), ("2", 5), ("2", 9), ("2", 30))
    cut = [batch.column("rowno").to_pylist() for batch in cut_between([first, second], NOWHERE, Limits(3, 10))]
    assert cut == [[0, 1], [2, 3, 4, 0, 1, 2, 3, 4]]
    assert list(cut_between([], NOWHERE, Limits(3, 10))) == []
    assert [batch.num_rows for batch in cut_between([rows_at(("1", 5))], NOWHERE, Limits(3, 10))] == [1]
    three = [
        batch.column("rowno").to_pylist() for batch in cut_between([first, second, second], NOWHERE, Limits(4, 10))
    ]
    assert three == [[0, 1], [2, 3, 4, 0, 1], [2, 3, 4, 0, 1, 2, 3, 4]]


# --- every declaration ------------------------------------------------------------------------------------------------

RECORD = (
    "1\t10\t.\tA\t<DEL>,<DUP>\t.\t.\tEND={end};SVTYPE=CNV;SVLEN={svlen};CN={cn};CIPOS=-5,5,-9,1;CIEND=0,8\tGT:CN\t0|1:4"
)


@pytest.mark.parametrize("kinds", list(itertools.product([None, "Integer", "Float", "String"], ["1", ".", "A"])))
@pytest.mark.parametrize("samples", [1, 20])
def test_declarations_of_any_kind_mean_the_same(tmp_path, kinds, samples):
    kind, count = kinds
    declared = [
        f'##INFO=<ID={key},Number={count},Type={kind},Description="d">'
        for key in ("SVLEN", "CN", "END")
        if kind is not None
    ]
    declared += [
        '##INFO=<ID=CIPOS,Number=.,Type=Integer,Description="d">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="d">',
    ]
    header = "\t".join(
        ["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "FORMAT", *(f"s{n}" for n in range(samples))]
    )
    listed = kind is None or count != "1"
    record = RECORD.format(
        end="99,99" if count == "A" else "99",
        svlen="-90,90" if listed else "90",
        cn="1.0,3" if listed and kind != "Integer" else "1,3" if listed else "1",
    )
    record += "\t0|0:2" * (samples - 1)
    path = tmp_path / "a.vcf"
    other = record.replace("CN=", "X=").replace("SVLEN=", "Y=")
    path.write_text("\n".join(["##fileformat=VCFv4.2", *declared, header, record, other]) + "\n")
    rows = read(path)
    assert [row["end"] for row in rows] == [None, None, 99, 99]
    assert [row["svlen"] for row in rows] == ([-90, 90] if listed else [90, 90]) + [None, None]
    assert [row["copy_number"] for row in rows] == ([1, 3] if listed else [1, 1]) + [4, 4]
    assert [row["imprecision"] for row in rows] == [10, 10] * 2


def test_values_that_are_no_numbers_are_missing(tmp_path):
    batch = pa.record_batch(
        {
            "rowno": pa.array([0, 1, 2, 3, 4, 5]),
            "contig": pa.array(["1"] * 6).dictionary_encode(),
            "position": pa.array([1] * 6, pa.int32()),
            "id": pa.nulls(6, pa.string()),
            "ref": ["A"] * 6,
            "alt": pa.nulls(6, pa.string()),
            "INFO.END": ["x", "", ".", "9" * 30, "+7", None],
            "INFO.SVLEN": [float("nan"), float("inf"), 1e300, -2.0, 3.0, None],
            "INFO.CN": [True, False, True, False, True, None],
            "INFO.SVTYPE": pa.array(["DEL"] * 5 + [None]).dictionary_encode(),
            "INFO.CIPOS": [[1], [], [None, 4], [-3, 4], [4, -3, 5], None],
            "INFO.CIEND": ["-1,2", "a,b", "-", "", "7", None],
        }
    )
    (found,) = variant_batches([batch], VariantKind.STRUCTURAL, 10)
    assert found["end"].to_pylist() == [None, None, None, None, 7, None]
    assert found["svlen"].to_pylist() == [None, None, None, -2, 3, None]
    assert found["copy_number"].to_pylist() == [None] * 6
    assert found["svtype"].to_pylist() == ["DEL"] * 5 + [None]
    assert found["imprecision"].to_pylist() == [3, None, None, 7, 7, None]


def test_no_rows_and_no_such_columns():
    assert list(variant_batches([], VariantKind.SMALL, 1)) == []
    with pytest.raises(ValueError, match="contig"):
        list(variant_batches([pa.record_batch({"rowno": pa.array([1])})], VariantKind.SMALL, 1))
    with pytest.raises(ValueError, match="0 rows"):
        list(variant_batches([], VariantKind.SMALL, 0))
