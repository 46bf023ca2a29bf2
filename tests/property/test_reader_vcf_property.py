"""Made-up VCFs arrive cell by cell as they were written; damaged ones are refused at a place or lose no record."""

from __future__ import annotations

import gzip
import random

import pytest
import vcf_text
import vcf_verifier
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from varloom.reader import FileRefused, ReadOptions, check_file, open_reader

KEYS = ["AA", "B", "c.d", "E_1", "DP", "GT2"]
NUMBERS = ["1", "2", ".", "A", "R", "G", "0"]
TYPES = ["Integer", "Float", "String", "Flag", "Character"]
TEXT = st.text(
    st.characters(codec="utf-8", exclude_categories=["C"], exclude_characters="\t\n\r;:=,|/\u0085\u2028"),
    min_size=1,
    max_size=6,
)
INTEGERS = st.one_of(st.integers(-10, 10), st.integers(-(2**70), 2**70)).map(str)
FLOATS = st.one_of(
    st.floats().map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.sampled_from(["1e-400", ".5", "5."]),
)
VALUE = st.one_of(st.just("."), INTEGERS, FLOATS, TEXT, st.sampled_from(["%3B", "%25", "%253A", "%zz"]))
VALUES = st.lists(VALUE, min_size=1, max_size=7).map(",".join)
BASES = st.text("ACGTN", min_size=1, max_size=4)
ALLELE = st.one_of(BASES, st.sampled_from(["*", "<DEL>", "<NON_REF>", "<*>", "A[2:5[", "]x:1]C"]))
ALT = st.one_of(st.just("."), st.lists(ALLELE, min_size=1, max_size=4).map(",".join))
GENOTYPE = st.sampled_from(["0/1", "1|0", ".", "./.", "1", "0/1/1", "|0", "2/3", "x"])
FILE_SETTINGS = settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def declarations(draw, kind):
    lines = []
    for key in draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=len(KEYS))):
        number, value_type = draw(st.sampled_from(NUMBERS)), draw(st.sampled_from(TYPES))
        lines.append(f'##{kind}=<ID={key},Number={number},Type={value_type},Description="made up">')
    return lines


@st.composite
def records(draw, samples):
    entries = draw(st.lists(st.tuples(st.sampled_from(KEYS), st.none() | VALUES), max_size=5))
    info = ";".join(key if value is None else f"{key}={value}" for key, value in entries) or "."
    quality = draw(st.one_of(st.just("."), st.integers(0, 10**6).map(str), st.floats(0, 1e6).map(repr)))
    filters = draw(st.sampled_from([".", "PASS", "q10", "q10;s50"]))
    fields = [draw(st.sampled_from(["1", "chr2", "HLA:01*02"])), str(draw(st.integers(0, 10**11)))]
    fields += [draw(st.one_of(st.just("."), TEXT)), draw(BASES), draw(ALT), quality, filters, info]
    if samples:
        keys = ["GT", *draw(st.lists(st.sampled_from(KEYS), unique=True, max_size=3))]
        cells = []
        for _ in range(samples):
            values = [draw(GENOTYPE), *(draw(VALUES) for _ in keys[1:])]
            cells.append(":".join(values[: draw(st.integers(1, len(values)))]))
        fields += [":".join(keys), *cells]
    return "\t".join(fields)


@st.composite
def vcfs(draw):
    samples = draw(st.sampled_from([0, 1, 2, 17]))
    lines = [f"##fileformat=VCFv4.{draw(st.integers(0, 5))}"]
    lines += draw(declarations("INFO")) + draw(declarations("FORMAT"))
    names = ["FORMAT", *(f"s{at}" for at in range(samples))] if samples else []
    lines.append("\t".join(["#CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", *names]))
    lines += draw(st.lists(records(samples), max_size=6))
    return "\n".join(lines) + "\n"


@FILE_SETTINGS
@given(text=vcfs())
def test_what_is_written_is_what_is_read(tmp_path, text):
    path = tmp_path / "made.vcf"
    path.write_bytes(text.encode())
    assert vcf_verifier.differences(path) == []


@settings(FILE_SETTINGS, max_examples=15)
@given(text=vcfs(), rows=st.integers(1, 4))
def test_the_size_of_batches_changes_nothing(tmp_path, text, rows):
    path = tmp_path / "made.vcf"
    path.write_bytes(text.encode())
    assert cells(path, ReadOptions(batch_rows=rows)) == cells(path, ReadOptions())


def cells(path, options):
    """All cells that are not missing, as text, so that NaN equals itself."""
    reader = open_reader(path, options=options)
    return [
        sorted((name, repr(value)) for name, value in row.items() if value is not None)
        for batch in reader.batches()
        for row in batch.to_pylist()
    ]


SAMPLE = "\n".join(
    [
        "##fileformat=VCFv4.2",
        '##INFO=<ID=DP,Number=1,Type=Integer,Description="d">',
        '##INFO=<ID=AF,Number=A,Type=Float,Description="d">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="d">',
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS",
        *(f"1\t{at * 7}\trs{at}\tA\tC,G\t{at}.5\tPASS\tDP={at};AF=0.{at},1\tGT\t0/1" for at in range(1, 40)),
        "",
    ]
).encode()
RECORDS = 39


def truncate(data, rng):
    return data[: rng.randrange(len(data))]


def flip(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def drop_tab(data, rng):
    tabs = [at for at, byte in enumerate(data) if byte == 9]
    at = rng.choice(tabs)
    return data[:at] + data[at + 1 :]


def put_nul(data, rng):
    at = rng.randrange(len(data))
    return data[:at] + b"\0" + data[at:]


def cut_line(data, rng):
    lines = data.split(b"\n")
    at = rng.randrange(len(lines) - 1)
    lines[at] = lines[at][: rng.randrange(len(lines[at]))]
    return b"\n".join(lines)


def put_mark(data, rng):
    return b"\xef\xbb\xbf" + data


def as_utf16(data, rng):
    return data.decode().encode("utf-16")


@pytest.mark.parametrize("mutate", [truncate, flip, drop_tab, put_nul, cut_line, put_mark, as_utf16])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_a_damaged_file_is_refused_at_a_place_or_loses_no_line(tmp_path, mutate, packed):
    rng = random.Random(20261123)
    whole = gzip.compress(SAMPLE, mtime=0) if packed and mutate in {truncate, flip} else SAMPLE
    path = tmp_path / "damaged.vcf"
    for _ in range(40):
        path.write_bytes(mutate(whole, rng))
        result = check_file(path)
        if result.ok:
            lines = list(vcf_text.lines_of(path))
            assert result.records == sum(1 for line in lines if line and not line.startswith("#"))
            assert result.records in {RECORDS, RECORDS - 1} or mutate is truncate
            assert result.problems or result.records == RECORDS or mutate in {flip, truncate}
        else:
            first = result.problems[0]
            assert first.message
            assert first.place.line is not None or first.kind.code in {"compression_damaged", "format_unknown"}


def test_a_refusal_in_the_middle_leaves_no_summary(tmp_path):
    path = tmp_path / "cut.vcf"
    path.write_bytes(SAMPLE + b"1\tbroken\n")
    reader = open_reader(path, options=ReadOptions(batch_rows=8))
    with pytest.raises(FileRefused) as refused:
        for _ in reader.batches():
            pass
    assert refused.value.place.line == 5 + RECORDS + 1
