"""The program as a whole: its commands, its help, and how fast it starts."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from varloom.cli.exit_status import status_of
from varloom.cli.output import describe, percent, state_of
from varloom.cli.program import COMMANDS, main
from varloom.client.events import parse_events
from varloom.client.upload_body import UploadBody


def test_the_table_of_commands_says_what_each_command_says_of_itself():
    for name, (_, told) in COMMANDS.items():
        command = main.commands[name]
        assert isinstance(command, click.Command)
        if told.startswith("The same as"):
            assert command.name != name
            continue
        assert command.name == name
        assert command.help is not None
        assert command.help.startswith(told.rstrip(".")), name


def test_help_loads_nothing_that_it_does_not_need():
    script = (
        "import sys; from varloom.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "heavy = {'fastapi', 'httpx', 'mcp', 'pydantic', 'psycopg', 'pyarrow', 'duckdb', 'rich'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert all(f"\n  {name} " in done.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", [["check"], ["load", "-o", "ds"]])
def test_a_small_file_is_read_without_what_other_files_need(tmp_path, command):
    (tmp_path / "small.vcf").write_text(
        "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t1\t.\tA\tC\t.\t.\t.\n"
    )
    script = (
        "import sys; from varloom.cli import main\n"
        f"try:\n    main([*{command}, 'small.vcf'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        "needless = {'duckdb', 'multiprocessing', 'numpy', 'pysam', 'tempfile', 'zipfile'}\n"
        "needless |= {'varloom.reader.bcf', 'varloom.reader.delimited.reader', 'varloom.services.options'}\n"
        "met = {name for name in needless if sys.modules.get(name)}\n"
        "assert not met, met"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("text", "status"), [("a,b\n1,2\n", 0), ("a,b\n1,2,3\n", 1)], ids=["sound", "refused"])
def test_a_process_that_frees_nothing_still_runs_what_waits_for_its_end(tmp_path, text, status):
    (tmp_path / "a.csv").write_text(text)
    script = (
        "import sys; from varloom.cli import run\n"
        "import atexit, logging.handlers, threading\n"
        "log = logging.handlers.MemoryHandler(9, target=logging.StreamHandler(sys.stdout))\n"
        "log.emit(logging.makeLogRecord({'msg': 'flushed log', 'levelno': 20}))\n"
        "atexit.register(print, 'at exit', flush=False)\n"
        "threading.Thread(target=lambda: (threading.main_thread().join(), print('thread'))).start()\n"
        "sys.argv = ['varloom', 'check', '--json', 'a.csv']\n"
        "run()"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (status, "")
    assert done.stdout.splitlines()[1:] == ["thread", "at exit", "flushed log"]


@pytest.mark.parametrize(
    ("states", "status"),
    [
        (["completed"], 0),
        (["completed", "failed"], 3),
        (["cancelled", "completed"], 4),
        (["cancelled", "failed"], 3),
    ],
)
def test_the_worst_job_decides_the_exit_status(states, status):
    assert status_of({"state": state} for state in states) == status


def test_server_sent_events_are_read_as_the_standard_says():
    stream = """: a comment
event: job
id: 7
data: {"a":
data: 1}

data:no space
data:  two spaces

event: nothing to tell

event: cut
data: off"""
    events = list(parse_events(stream.split("\n")))
    assert [(event.name, event.data, event.id) for event in events] == [
        ("job", '{"a":\n1}', "7"),
        ("message", "no space\n two spaces", None),
    ]


JOB = {
    "state": "queued",
    "queue_position": 2,
    "retry_at": None,
    "attempt": 1,
    "max_attempts": 4,
    "progress": None,
    "stage": "parse",
    "finished_at": None,
}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, "Queued (2 ahead)"),
        ({"queue_position": 0}, "Queued (next)"),
        ({"queue_position": None, "attempt": 2}, "Queued (attempt 2 of 4)"),
        ({"state": "parsing", "progress": {"done": 1, "total": 3}}, "Parsing (33 %)"),
        ({"state": "parsing", "progress": {"done": 5, "total": None}}, "Parsing"),
        ({"state": "failed", "attempt": 4, "finished_at": "x"}, "Failed (attempt 4 of 4)"),
        ({"state": "completed", "attempt": 3, "stage": None, "finished_at": "x"}, "Completed"),
    ],
)
def test_a_state_is_told_with_what_matters_beside_it(changes, told):
    assert state_of(JOB | changes) == told


def test_a_share_is_never_more_than_all():
    assert percent({"done": 11, "total": 10}) == 100
    assert percent({"done": 0, "total": 0}) is None
    assert percent(None) is None


def test_a_place_is_told_as_far_as_it_is_known():
    problem = {"message": "It is wrong.", "line": 3, "column": None, "field": "QUAL", "excerpt": None}
    assert describe(problem) == "It is wrong. (line 3, field QUAL)"
    assert describe({"message": "It is wrong."}) == "It is wrong."


def test_an_upload_is_a_multipart_form_whatever_the_names_hold(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    sent = []
    with path.open("rb") as file:
        body = UploadBody(file, 'a"b\r\n.vcf', {"sample_name": "naïve"}, sent.append)
        text = b"".join(body).decode()
    boundary = body.content_type.partition("boundary=")[2]
    assert text.count(f"--{boundary}") == 3
    assert 'filename="a%22b%0D%0A.vcf"\r\n' in text
    assert 'name="sample_name"\r\n\r\nnaïve\r\n' in text
    assert text.endswith(f"content\r\n--{boundary}--\r\n")
    assert sent == [7]
