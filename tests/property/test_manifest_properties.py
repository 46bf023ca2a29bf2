"""Manifests of all shapes: what is written is what is read, and every fault is told in the line in which it stands."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from varloom.errors import VarloomError
from varloom.services.manifest_lines import COLUMNS, parse_manifest

VISIBLE = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Zs", "Co", "Cn"))
PLAIN = st.text(VISIBLE, min_size=1, max_size=30)
ODD = '._-,;"&=?'
KEY = st.text(st.characters(codec="ascii", categories=("L", "N"), include_characters=ODD), min_size=1, max_size=20)
URLS = st.builds(lambda scheme, key: f"{scheme}://bucket/{key}", st.sampled_from(["s3", "gs", "https"]), KEY)
NAMES = PLAIN.filter(lambda name: "://" not in name).map(lambda name: name.strip()) | st.just("")
ROWS = st.fixed_dictionaries(
    {
        "url": URLS,
        "sample_name": NAMES,
        "assembly": st.sampled_from(["", "hg19", "GRCh38"]),
        "annotate": st.sampled_from(["", "none", "small", "structural"]),
        "split_by_sample": st.sampled_from(["", "yes", "no", "TRUE"]),
        "url2": st.just(""),
        "reads": st.sampled_from(["", "no"]),
        "reference": st.just(""),
        "caller": st.sampled_from(["", "bcftools"]),
        "engine": st.sampled_from(["", "cpu"]),
        "alignment_format": st.sampled_from(["", "bam", "cram"]),
        "sex_chromosomes": st.sampled_from(["", "xx", "XY", "auto"]),
        "pgx": st.sampled_from(["", "no", "yes"]),
        "reference_sites_listed": st.sampled_from(["", "yes"]),
        "credential": st.just("") | PLAIN.filter(lambda name: "://" not in name),
        "priority": st.just("") | st.integers(-1000, 1000).map(str),
    }
)
BETWEEN = st.lists(st.sampled_from(["", "# a comment", "   "]), max_size=2)
DELIMITERS = st.sampled_from("\t;,")
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
ENCODINGS = st.sampled_from(
    [("utf-8", b""), ("utf-8", codecs.BOM_UTF8), ("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE)]
)


def written(cells, delimiter):
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(cells)
    return out.getvalue()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    columns=st.permutations(COLUMNS),
    rows=st.lists(ROWS, min_size=1, max_size=5, unique_by=lambda row: (row["url"], row["sample_name"])),
    between=st.lists(BETWEEN, min_size=9, max_size=9),
    delimiter=DELIMITERS,
    end=ENDS,
    encoding=ENCODINGS,
)
def test_what_is_written_is_what_is_read(columns, rows, between, delimiter, end, encoding):
    lines, numbers = [*between[0], written(columns, delimiter)], []
    for row, blanks in zip(rows, between[1:], strict=False):
        text = written([row[column] for column in columns], delimiter)
        if text.lstrip().startswith("#"):  # an unquoted name at the beginning of a line would be a comment
            text = text.replace(row[columns[0]], f'"{row[columns[0]]}"', 1)
        lines += [*blanks, text]
        numbers.append(len(lines))
    name, bom = encoding
    manifest = parse_manifest(bom + end.join(lines).encode(name))
    assert manifest.problems == ()
    assert [line.number for line in manifest.lines] == numbers
    for line, row in zip(manifest.lines, rows, strict=True):
        assert line.url == row["url"].strip()
        assert (line.sample_name is None) == (not row["sample_name"])
        assert line.priority == int(row["priority"] or 0)
        assert line.options.assembly == {"": None, "hg19": "GRCh37", "GRCh38": "GRCh38"}[row["assembly"]]
        assert line.options.annotate == (row["annotate"] if row["annotate"] in {"small", "structural"} else None)
        assert line.options.split_by_sample is (row["split_by_sample"] in {"yes", "TRUE"})
        assert line.options.pgx is (row["pgx"] == "yes")
        assert line.options.alignment_format == (row["alignment_format"] or "bam")
    kept = manifest.lines[-1]
    (alone,) = parse_manifest(manifest.text_of({kept.number}).encode()).lines
    assert alone == kept


FAULTS = [
    ({"url": ""}, "url", "manifest_value_invalid"),
    ({"url": "some/where.vcf"}, "url", "manifest_source_local"),
    ({"url": "FILE:///x"}, "url", "manifest_source_local"),
    ({"assembly": "hg20"}, "assembly", "manifest_value_invalid"),
    ({"priority": "1e3"}, "priority", "manifest_value_invalid"),
    ({"annotate": "all"}, "annotate", "manifest_value_invalid"),
    ({"alignment_format": "sam"}, "alignment_format", "manifest_value_invalid"),
    ({"split_by_sample": "maybe"}, "split_by_sample", "manifest_value_invalid"),
    ({"sample_name": "x" * 201}, "sample_name", "sample_name_invalid"),
    ({"credential": "https://user:secret@host/x"}, "credential", "manifest_value_invalid"),
]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    columns=st.permutations(COLUMNS),
    faulty=st.dictionaries(st.integers(0, 30), st.sampled_from(FAULTS), min_size=1, max_size=8),
    delimiter=DELIMITERS,
)
def test_each_fault_is_told_where_it_stands_and_no_good_line_is_lost(columns, faulty, delimiter):
    lines = [written(columns, delimiter)]
    for number in range(31):
        row = {"url": f"s3://bucket/{number}.vcf", "priority": "7", **(faulty[number][0] if number in faulty else {})}
        lines.append(written([row.get(column, "") for column in columns], delimiter))
    manifest = parse_manifest("\n".join(lines).encode())
    expected = {(at + 2, columns.index(column) + 1, code) for at, (_, column, code) in faulty.items()}
    assert {(one.place.line, one.place.column, one.kind.code) for one in manifest.problems} == expected
    assert [line.number for line in manifest.lines] == [at + 2 for at in range(31) if at not in faulty]
    assert "secret" not in repr([problem.as_dict() for problem in manifest.problems])


def test_a_default_credential_is_not_for_files():
    manifest = parse_manifest(b"url\nfiles/x.vcf\ns3://b/x.vcf\n", {"credential": "lab"}, paths_allowed=True)
    assert [line.options.credential for line in manifest.lines] == [None, "lab"]
    (told,) = parse_manifest(f"url\n{'x' * 70_000}\n".encode()).problems
    assert (told.kind.code, told.place.line) == ("manifest_line_malformed", 2)


NOISE = st.text(max_size=200) | st.text('url,;\t"\n#x:/', max_size=60)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200) | NOISE.map(str.encode) | NOISE.map(lambda text: f"url,name\n{text}".encode()))
def test_whatever_is_sent_is_read_or_refused_in_words(content):
    refused = {"manifest_unreadable", "manifest_header_invalid"}
    manifest = None
    with contextlib.suppress(VarloomError):
        manifest = parse_manifest(content)
    if manifest is None:
        with pytest.raises(VarloomError) as told:
            parse_manifest(content)
        assert told.value.code in refused
        assert told.value.message
        return
    told = {problem.place.line for problem in manifest.problems}
    assert told.isdisjoint(line.number for line in manifest.lines)
    assert len(told) + len(manifest.lines) == len(manifest.texts) - 1
