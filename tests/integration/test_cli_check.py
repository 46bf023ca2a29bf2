"""`varloom check` as a tool of its own: what it prints, and what its exit status says."""

from __future__ import annotations

import gzip
import json
import os
import pty
import re
import shlex
import subprocess
import threading

import pytest
from api_support import VCF
from cli_support import VARLOOM, varloom

from varloom.cli.check_run import check_source
from varloom.cli.check_sources import Source
from varloom.reader import ReadOptions

BAD = VCF.replace(b"chr1\t200", b"chr1\t2x0").replace(b"chr1\t300", b"chr1\t-3")
WARNED = VCF.replace(b"PASS\tDP=10", b"q10\tXX=1")
RESULT = {"path", "ok", "format", "records", "variants", "samples", "seconds", "problems"}
PROBLEM = {"code", "severity", "line", "column", "field", "message", "excerpt", "resolution"}
CONTENTS = {
    "good.vcf": VCF,
    "warned.vcf": WARNED,
    "bad.vcf": BAD,
    "headless.vcf": VCF.split(b"#CHROM")[0],
    "binary.vcf": b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 50,
    "empty.vcf": b"",
    "empty.csv": b"",
    "table.csv": b"gene,count\nBRCA2,7\n",
    "ragged.csv": b"gene,count\nBRCA2,7,8\n",
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def objects(result):
    return [json.loads(line) for line in result.out.splitlines()]


# --- exit status and results ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["good.vcf", "table.csv"], 0),
        (["good.vcf", "bad.vcf"], 1),
        (["missing.vcf"], 1),
        (["warned.vcf"], 0),
        (["--strict", "warned.vcf"], 1),
        (["--strict", "--warnings", "none", "warned.vcf"], 1),
        (["--strict", "good.vcf"], 0),
        ([], 2),
        (["--jobs", "0", "good.vcf"], 2),
        (["-", "-"], 2),
    ],
)
def test_the_exit_status_is_for_pipelines(files, arguments, status):
    for as_json in ([], ["--json"]):
        assert varloom("check", *as_json, *arguments).status == status


@pytest.mark.parametrize("jobs", ["1", "3"])
def test_an_object_a_line_in_the_order_given(files, jobs):
    names = ["table.csv", "bad.vcf", "missing.vcf", "good.vcf", ".", "-", "warned.vcf"]
    result = varloom("check", "--json", "--jobs", jobs, *names, stdin=VCF)
    found = objects(result)
    assert (result.status, result.err) == (1, "")
    assert [one["path"] for one in found] == names
    assert all(set(one) == RESULT and all(set(problem) == PROBLEM for problem in one["problems"]) for one in found)
    assert [(one["ok"], one["format"], one["records"], one["variants"], one["samples"]) for one in found] == [
        (True, "csv", 1, 1, None),
        (False, "vcf", None, None, None),
        (False, None, None, None, None),
        (True, "vcf", 3, 4, 0),
        (False, None, None, None, None),
        (True, "vcf", 3, 4, 0),
        (True, "vcf", 3, 4, 0),
    ]
    assert [(one["severity"], one["line"], one["column"], one["field"]) for one in found[1]["problems"]] == [
        ("error", 6, 2, "POS"),
        ("error", 7, 2, "POS"),
    ]
    assert {one["code"] for one in (*found[2]["problems"], *found[4]["problems"])} == {
        "file_unreadable",
        "source_unreadable",
    }


def test_what_is_no_table_is_refused_with_code_message_and_resolution(files):
    for checked in objects(varloom("check", "--json", "headless.vcf", "binary.vcf", "empty.vcf", "empty.csv")):
        assert not checked["ok"]
        problem = checked["problems"][0]
        assert problem["severity"] == "error"
        assert all(problem[name] for name in ("code", "message", "resolution"))


def test_as_many_problems_are_gathered_as_asked_for(files):
    [checked] = objects(varloom("check", "--json", "--max-problems", "1", "bad.vcf"))
    assert [problem["line"] for problem in checked["problems"]] == [6]


def test_strict_and_warnings_reach_the_objects(files):
    [strict] = objects(varloom("check", "--json", "--strict", "warned.vcf"))
    [without] = objects(varloom("check", "--json", "--warnings", "none", "warned.vcf"))
    assert (strict["ok"], without["ok"], without["problems"]) == (False, True, [])
    assert {problem["severity"] for problem in strict["problems"]} == {"warning"}


def test_quiet_shows_files_at_fault_only(files):
    assert varloom("check", "--quiet", "good.vcf", "warned.vcf", "table.csv").out == ""
    quiet = varloom("check", "--quiet", "--json", "good.vcf", "bad.vcf")
    assert [one["path"] for one in objects(quiet)] == ["bad.vcf"]
    assert "good.vcf" not in varloom("check", "--quiet", "good.vcf", "bad.vcf").out


# --- folders, pipes and files that cannot be opened -------------------------------------------------------------------


def test_folders_are_searched_when_asked_for(files):
    below = files / "run" / "b"
    below.mkdir(parents=True)
    (files / "run" / "empty").mkdir()
    for name in ("z.vcf", "b/a.g.vcf.gz", "notes.txt", "a.vcf.tbi", ".hidden.vcf", "b/x.CSV"):
        content = VCF if "vcf" in name else b"a,b\n1,2\n"
        (files / "run" / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    found = objects(varloom("check", "--json", "-r", "table.csv", "run", "run/empty"))
    assert [(one["path"], one["ok"]) for one in found] == [
        ("table.csv", True),
        ("run/z.vcf", True),
        ("run/b/a.g.vcf.gz", True),
        ("run/b/x.CSV", True),
        ("run/empty", False),
    ]
    refused = varloom("check", "run")
    assert (refused.status, "--recursive" in refused.out) == (1, True)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_folders_and_files_without_permission_are_told(files):
    (files / "run" / "closed").mkdir(parents=True)
    (files / "run" / "good.vcf").write_bytes(VCF)
    (files / "run" / "secret.vcf").write_bytes(VCF)
    (files / "run" / "secret.vcf").chmod(0)
    (files / "run" / "closed").chmod(0)
    found = objects(varloom("check", "--json", "-r", "run"))
    (files / "run" / "closed").chmod(0o700)
    assert {one["path"]: one["ok"] for one in found} == {
        "run/good.vcf": True,
        "run/secret.vcf": False,
        "run/closed": False,
    }


def test_pipes_are_read(files):
    for pipe, jobs in (("one.vcf", "1"), ("two.vcf", "2")):
        os.mkfifo(pipe)
        writer = threading.Thread(target=(files / pipe).write_bytes, args=[VCF])
        writer.start()
        [read, _] = objects(varloom("check", "--json", "--jobs", jobs, pipe, "good.vcf"))
        writer.join()
        assert (read["path"], read["ok"], read["records"]) == (pipe, True, 3)


def test_pipes_in_folders_are_told_and_not_waited_for(files):
    (files / "run").mkdir()
    (files / "run" / "good.vcf").write_bytes(VCF)
    os.mkfifo(files / "run" / "pipe.vcf")
    for jobs in ("1", "2"):
        found = objects(varloom("check", "--json", "-j", jobs, "-r", "run"))
        assert [(one["path"], one["ok"]) for one in found] == [("run/good.vcf", True), ("run/pipe.vcf", False)]
        assert found[1]["problems"][0]["code"] == "source_unreadable"


def test_pipes_of_a_shell_are_read_beside_other_processes(files):
    command = f"{shlex.join(VARLOOM)} check --json -j 2 <(cat good.vcf) <(cat table.csv) good.vcf"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert [json.loads(line)["records"] for line in done.stdout.splitlines()] == [3, 1, 3]


def test_a_closed_standard_input_keeps_no_file_back(files):
    command = [*VARLOOM, "check", "--json", "-", "good.vcf"]
    done = subprocess.run(["sh", "-c", 'exec "$@" <&-', "sh", *command], capture_output=True, check=False)
    assert [json.loads(line)["ok"] for line in done.stdout.splitlines()] == [False, True]


def test_a_fault_of_the_reader_is_a_result_of_its_file(files, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("varloom.cli.check_run.check_file", fail)
    result = check_source(Source("good.vcf"), ReadOptions(), lambda _: None)
    assert (result.ok, result.problems[0].kind.code) == (False, "command_failed")
    assert "ZeroDivisionError" in result.problems[0].message


def test_a_process_that_dies_takes_one_file_only(files):
    """The third of four files kills the process that reads it, as the system does when memory runs out."""
    script = (
        "import os, sys, varloom.cli.check_run as run\n"
        "check_file = run.check_file\n"
        "def deadly(path, **rest):\n"
        "    return os._exit(9) if path.name == 'deadly.vcf' else check_file(path, **rest)\n"
        "run.check_file = deadly\n"
        "if __name__ == '__main__':\n"
        "    from varloom.cli import main\n"
        "    main(sys.argv[1:])\n"
    )
    (files / "deadly.py").write_text(script)
    names = ["good.vcf", "bad.vcf", "deadly.vcf", "table.csv"]
    (files / "deadly.vcf").write_bytes(VCF)
    command = [VARLOOM[0], "deadly.py", "check", "--json", "-j", "2", *names]
    done = subprocess.run(command, capture_output=True, check=False, timeout=100)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(one["path"], one["ok"]) for one in found] == list(zip(names, [True, False, False, True], strict=True))
    assert [problem["code"] for problem in found[2]["problems"]] == ["check_crashed"]


def test_processes_for_several_files_read_without_what_a_reader_does_not_need(files):
    script = (
        "import sys, varloom.cli.check_run as run\n"
        "check_file = run.check_file\n"
        "def without_numpy(path, **rest):\n"
        "    result = check_file(path, **rest)\n"
        "    assert 'pyarrow' in sys.modules and not sys.modules.get('numpy')\n"
        "    return result\n"
        "run.check_file = without_numpy\n"
        "if __name__ == '__main__':\n"
        "    from varloom.cli import main\n"
        "    main(sys.argv[1:])\n"
    )
    (files / "short.py").write_text(script)
    command = [VARLOOM[0], "short.py", "check", "-j", "2", "good.vcf", "table.csv"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


# --- for people -------------------------------------------------------------------------------------------------------


def without_times(text):
    return re.sub(r"\d[\d.]* m?s\b", "TIME", text)


def test_the_report_is_understood_at_a_glance(files):
    result = varloom("check", "good.vcf", "warned.vcf", "bad.vcf", "ragged.csv")
    assert (
        without_times(result.out)
        == """\
✓ ok       good.vcf    VCF  3 records, 4 variants, no samples, TIME
! ok       warned.vcf  VCF  3 records, 4 variants, no samples, 2 warnings, TIME
  warned.vcf:5:7: warning[vcf_filter_undeclared]: Filter q10 is not declared in the header.
  warned.vcf:5: warning[vcf_key_undeclared]: INFO XX is not declared in the header; it is kept as text.
✗ refused  bad.vcf     VCF  2 errors, TIME
  bad.vcf:6:2: error[vcf_position_invalid]: POS must be a whole number of 0 or more, but it is '2x0'.
     6 | chr1⇥2x0⇥.⇥C⇥T,G⇥12.5⇥PASS⇥DP=20
       |      ^^^ column 2, POS
       = Correct the position; spreadsheets often change numbers when they save a file.
  bad.vcf:7:2: error[vcf_position_invalid]: POS must be a whole number of 0 or more, but it is '-3'.
     7 | chr1⇥-3⇥.⇥G⇥A⇥.⇥PASS⇥.
       |      ^^ column 2, POS
✗ refused  ragged.csv  CSV  1 error, TIME
  ragged.csv:2:3: error[csv_ragged_row]: The row has 3 cells where the header row has 2.
     2 | BRCA2,7,8
       |         ^ column 3
       = Make the number of columns the same in every row; put cells that hold the separator in double quotes.
4 files in TIME: 2 ok (1 with warnings), 2 refused
"""
    )


def test_warnings_of_a_kind_are_folded(files):
    keys = ";".join(f"K{number}=1" for number in range(30)).encode()
    (files / "keys.vcf").write_bytes(VCF.replace(b"PASS\tDP=10", b"PASS\t" + keys))
    short = varloom("check", "keys.vcf").out.splitlines()
    assert len(short) == 3
    assert short[1].endswith("it is kept as text. (and 29 more of this kind)")
    assert short[2] == "29 warnings not shown: see --warnings all."
    assert len(varloom("check", "--warnings", "all", "keys.vcf").out.splitlines()) > 30
    assert len(varloom("check", "--warnings", "none", "keys.vcf").out.splitlines()) == 1


def test_names_cannot_write_to_the_terminal(files):
    name = "a\x1b]0;title\x07b.vcf"
    (files / name).write_bytes(BAD)
    for arguments in ((name,), ("-r", "."), (name, "missing\x1b[2J.vcf")):
        result = varloom("check", *arguments)
        assert result.status == 1
        assert not set(result.out + result.err) & {"\x1b", "\x07"}


def test_old_encodings_get_what_they_can_show(files):
    result = varloom("check", "good.vcf", "bad.vcf", PYTHONIOENCODING="ascii")
    assert (result.status, result.err) == (1, "")
    assert result.out.startswith("+ ok ")
    assert "chr1?2x0?." in result.out


def on_terminal(columns, *arguments, **environment):
    """What a command prints when its standard output is a terminal of so many columns."""
    parent, child = pty.openpty()
    inherited = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS"}}
    surroundings = {**inherited, "TERM": "xterm", "COLUMNS": str(columns), **environment}
    process = subprocess.Popen(
        [*VARLOOM, *arguments], stdin=subprocess.DEVNULL, stdout=child, stderr=subprocess.PIPE, env=surroundings
    )
    os.close(child)
    printed = b""
    try:
        while piece := os.read(parent, 65536):
            printed += piece
    except OSError:  # the way in which Linux tells that the other side is closed
        pass
    os.close(parent)
    assert process.communicate(timeout=60)[1] == b""
    return printed.decode().replace("\r\n", "\n")


def test_colours_are_for_terminals_that_want_them(files):
    assert "\x1b[31m" in on_terminal(80, "check", "bad.vcf")
    assert "\x1b" not in on_terminal(80, "check", "bad.vcf", NO_COLOR="1")
    assert "\x1b" not in on_terminal(80, "check", "bad.vcf", TERM="dumb")
    assert "\x1b" not in varloom("check", "bad.vcf").out


def test_excerpts_fit_narrow_terminals(files):
    long = VCF.replace(b"\trs1\tA\tG\t50", b"\trs1\t" + b"A" * 100 + b"\tG\thigh")
    (files / "long.vcf").write_bytes(long)
    printed = on_terminal(40, "check", "long.vcf", NO_COLOR="1").splitlines()
    text, mark = (line for line in printed if line[6:].startswith(" | "))
    assert len(text) <= 40
    start = mark.index("^")
    assert text[start : start + mark.count("^")] == "high"
