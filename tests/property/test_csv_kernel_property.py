"""The kernel and the careful reader agree on every text, wherever its chunks end."""

from __future__ import annotations

from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from varloom.reader import FileRefused, open_reader, portions, stored_file
from varloom.reader.delimited.native_passes import NativePasses

NUMBERS = [
    "1",
    "0",
    "-5",
    "12.5",
    "0.10",
    "-0",
    "-0.0",
    "1e5",
    "1e+5",
    "4.9e-324",
    "9007199254740993",
    "007",
    "+5",
    "1.",
]
EXACT = [
    "0.1234567890123456",
    "0.12345678901234567",
    "0.30000000000000004",
    "0.3000000000000000",
    "1.7976931348623157e308",
]
WORDS = ["true", "false", "True", "TRUE", "", "abc", "\u00e9", "x y", "NaN", 'a"b', "#", "rsid", "--"]
QUOTED = ['"a,b"', '"a""b"', '"1"', '""', '"l1\nl2"', '"x\r\ny"', '"t"x', '"', '"a\n\n\nb"', '"\t"', "a\rb", "\0"]
CELLS = st.sampled_from(NUMBERS + EXACT + WORDS)
ODD_CELLS = CELLS | st.sampled_from(QUOTED)


@st.composite
def texts(draw):
    separator = draw(st.sampled_from(",,\t;|"))
    columns = [draw(st.lists(ODD_CELLS if draw(st.booleans()) else CELLS, min_size=1, max_size=3)) for _ in range(3)]
    rows = [[draw(st.sampled_from(column)) for column in columns] for _ in range(draw(st.integers(0, 30)))]
    for row in rows:
        if draw(st.integers(0, 40)) == 0:
            row.pop()
    lines = [separator.join(row) for row in [["rsid" if draw(st.booleans()) else "h", "i", "j"], *rows]]
    above = draw(st.sampled_from(["", "", "# by a company\n", "#\n\n# two\n# ", "sep=;\n", "\n"]))
    end = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = (above + "\n".join(lines)).replace("\n", end) + draw(st.sampled_from([end, "", end + end]))
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8", "latin-1"]))), "tsv" if separator == "\t" else "csv"


def told(path):
    """All that a reader tells of a file."""
    try:
        reader = open_reader(path)
        rows = [row for batch in reader.batches() for row in batch.to_pylist()]
    except FileRefused as refused:
        return [(problem.kind.code, problem.place, problem.message) for problem in refused.problems]
    summary = reader.summary()
    return repr((rows, summary.columns, summary.records, summary.header, summary.warnings, summary.sha256))


@settings(max_examples=400, deadline=None)
@given(file=texts(), portion=st.sampled_from([1, 40, 300, 3 << 20]))
def test_kernel_and_careful_reader_tell_the_same(tmp_path_factory, file, portion):
    content, ending = file
    path = tmp_path_factory.getbasetemp() / f"kernel.{ending}"
    path.write_bytes(content)
    with patch.object(portions, "PORTION_BYTES", portion), patch.object(stored_file, "CHUNK_BYTES", 48):
        natively = told(path)
        with patch.object(NativePasses, "is_possible", lambda _: False):
            carefully = told(path)
    assert natively == carefully
