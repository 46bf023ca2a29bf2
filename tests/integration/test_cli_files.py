"""`varloom check` and `varloom load`: files without a server."""

from __future__ import annotations

import json
import os
import threading

import pyarrow.parquet as pq
import pytest
from api_support import VCF
from cli_support import varloom

BAD = VCF.replace(b"chr1\t200\t.\tC", b"chr1\t200\tC")
PROBLEM = {"code", "severity", "line", "column", "field", "message", "excerpt", "resolution"}


@pytest.fixture
def files(tmp_path):
    contents = {
        "good.vcf": VCF,
        "bad.vcf": BAD,
        "headless.vcf": VCF.split(b"#CHROM")[0],
        "binary.vcf": b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 50,
        "empty.vcf": b"",
        "empty.csv": b"",
        "table.csv": b"gene,count\nBRCA2,7\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_check_prints_an_object_a_line_in_the_order_given(files):
    names = [str(files / name) for name in ("table.csv", "bad.vcf", "missing.vcf", "good.vcf")]
    result = varloom("check", "--json", *names)
    found = [json.loads(line) for line in result.out.splitlines()]
    assert (result.status, result.err) == (1, "")
    assert [one["path"] for one in found] == names
    assert all(set(one) == {"path", "ok", "format", "records", "variants", "problems"} for one in found)
    assert [(one["ok"], one["format"]) for one in found] == [
        (True, "csv"),
        (False, "vcf"),
        (False, None),
        (True, "vcf"),
    ]
    assert (found[3]["records"], found[3]["variants"]) == (3, 4)
    [problem] = found[1]["problems"]
    assert set(problem) == PROBLEM
    assert (problem["severity"], problem["line"]) == ("error", 6)


@pytest.mark.parametrize(
    ("name", "line"), [("headless.vcf", None), ("binary.vcf", None), ("empty.vcf", None), ("empty.csv", None)]
)
def test_check_refuses_what_is_no_table_with_code_message_and_resolution(files, name, line):
    result = varloom("check", "--json", files / name)
    checked = json.loads(result.out)
    assert (result.status, checked["ok"]) == (1, False)
    problem = checked["problems"][0]
    assert problem["severity"] == "error"
    assert problem["code"]
    assert problem["message"]
    assert problem["resolution"]
    assert line is None or problem["line"] == line


def test_check_is_understood_at_a_glance(files):
    result = varloom("check", files / "good.vcf", files / "bad.vcf")
    lines = result.out.splitlines()
    assert lines[0] == f"ok  {files / 'good.vcf'}: VCF, 3 records, 4 variants"
    assert lines[1] == f"refused  {files / 'bad.vcf'}: VCF"
    assert lines[2].startswith("  error: ")
    assert "(line 6" in lines[2]
    assert lines[-1].startswith("    - ")
    assert (result.status, varloom("check", files / "good.vcf").status) == (1, 0)


def test_check_reads_the_standard_input(files):
    result = varloom("check", "--json", "-", stdin=VCF)
    assert result.status == 0
    checked = json.loads(result.out)
    assert (checked["path"], checked["format"], checked["records"]) == ("-", "vcf", 3)


def test_check_and_load_need_no_web(files):
    """They start fast, and on a machine that has none of the server's libraries."""
    for arguments in (["check", str(files / "good.vcf")], ["load", str(files / "good.vcf"), "-o", str(files / "out")]):
        result = varloom(*arguments, PYTHONPROFILEIMPORTTIME="1")
        assert result.status == 0
        imported = {
            line.rsplit("|", 1)[1].strip() for line in result.err.splitlines() if line.startswith("import time:")
        }
        assert "varloom.reader" in imported
        assert imported.isdisjoint({"fastapi", "starlette", "uvicorn", "psycopg", "procrastinate", "httpx"})


def test_load_makes_a_dataset(files):
    target = files / "dataset"
    result = varloom("load", files / "good.vcf", "-o", target, "--assembly", "hg19", "--threads", "2", "--json")
    assert (result.status, result.err) == (0, "")
    manifest = json.loads(result.out)
    assert manifest == json.loads((target / "manifest.json").read_text())
    assert (manifest["records"], manifest["variants"], manifest["assembly"]) == (3, 4, "GRCh37")
    assert manifest["source"]["name"] == "good.vcf"
    rows = sum(pq.read_metadata(target / part["name"]).num_rows for part in manifest["parts"])
    assert rows == 4
    told = varloom("load", files / "table.csv", "-o", files / "second")
    assert told.out.startswith(f"{files / 'second'}: 1 record, 4 columns, ")


def test_load_makes_nothing_of_a_refused_file(files):
    for name in ("bad.vcf", "missing.vcf"):
        result = varloom("load", files / name, "-o", files / "out")
        assert (result.status, result.out) == (1, "")
        assert "  - " in result.err
        assert "Traceback" not in result.err
    assert not (files / "out").exists()


def test_load_overwrites_nothing(files):
    first = varloom("load", files / "good.vcf", "-o", files / "out")
    before = sorted((path.name, path.read_bytes()) for path in (files / "out").iterdir())
    again = varloom("load", files / "table.csv", "-o", files / "out")
    assert (first.status, again.status, again.err.split(":")[0]) == (0, 1, "Folder in use")
    assert sorted((path.name, path.read_bytes()) for path in (files / "out").iterdir()) == before


def test_load_neither_mixes_with_other_files_nor_removes_them(files):
    (files / "results").mkdir()
    (files / "results" / "part-00000.parquet").write_bytes(b"of somebody else")
    result = varloom("load", files / "good.vcf", "-o", files / "results")
    assert (result.status, result.err.split(":")[0]) == (1, "Folder in use")
    assert [path.read_bytes() for path in (files / "results").iterdir()] == [b"of somebody else"]


def test_load_refuses_what_this_version_cannot_do(files):
    result = varloom("load", files / "good.vcf", "-o", files / "out", "--annotate", "small")
    assert (result.status, result.err.split(":")[0]) == (1, "Not available in this version")
    assert not (files / "out").exists()


def test_check_and_load_read_pipes(files):
    for command in (("check", "--json"), ("load", "--json", "-o", files / "made")):
        pipe = files / f"{command[0]}.vcf"
        os.mkfifo(pipe)
        writer = threading.Thread(target=pipe.write_bytes, args=[VCF])
        writer.start()
        result = varloom(*command, pipe)
        writer.join()
        assert (result.status, result.err) == (0, "")
        assert json.loads(result.out)["records"] == 3
    loaded = json.loads(varloom("load", "-", "--json", "-o", files / "stdin", stdin=VCF).out)
    assert (loaded["source"]["name"], loaded["records"]) == ("stdin", 3)


def test_load_says_why_its_folder_cannot_be_made(files):
    for wrong in (files / "good.vcf", files / "good.vcf" / "x"):
        result = varloom("load", files / "good.vcf", "-o", wrong)
        assert (result.status, result.err.split(":")[0]) == (1, "The output cannot be written")
        assert str(wrong) in result.err


def test_check_lets_no_name_write_to_the_terminal(files):
    (files / "a\x1b]0;title\x07b.vcf").write_bytes(VCF)
    result = varloom("check", files / "a\x1b]0;title\x07b.vcf")
    assert result.status == 0
    assert "\x1b" not in result.out
