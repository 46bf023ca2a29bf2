"""`varloom load`, and what it has in common with `varloom check`: files without a server."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time

import pyarrow.parquet as pq
import pytest
from api_support import VCF
from cli_support import VARLOOM, varloom

BAD = VCF.replace(b"chr1\t200\t.\tC", b"chr1\t200\tC")


@pytest.fixture
def files(tmp_path):
    contents = {
        "good.vcf": VCF,
        "bad.vcf": BAD,
        "table.csv": b"gene,count\nBRCA2,7\n",
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


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


def test_load_refuses_to_annotate_without_reference_data(files):
    annotated = ("--annotate", "small", "--data", files / "data")
    result = varloom("load", files / "good.vcf", "-o", files / "out", *annotated, "--assembly", "hg38")
    assert (result.status, result.err.split(":")[0]) == (1, "Reference data is not installed")
    result = varloom("load", files / "good.vcf", "-o", files / "out", *annotated)
    assert (result.status, result.err.split(":")[0]) == (1, "The assembly of the file is not known")
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


def test_two_loads_into_one_folder_give_one_dataset(files):
    """Whichever comes second is told so; what the first one wrote is whole."""
    for name, genotype in (("a", "0/1"), ("b", "1/1")):
        lines = "".join(f"chr1\t{place}\t.\tA\tC\t.\t.\t.\tGT\t{genotype}\n" for place in range(1, 150_000))
        header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS\n"
        (files / f"{name}.vcf").write_text(header + lines)
    loads = [
        subprocess.Popen([*VARLOOM, "load", files / f"{name}.vcf", "-o", files / "out"], stderr=subprocess.PIPE)
        for name in "ab"
    ]
    told = [load.communicate()[1].decode() for load in loads]
    [winner] = [name for name, load in zip("ab", loads, strict=True) if load.returncode == 0]
    [loser] = [error for error, load in zip(told, loads, strict=True) if load.returncode == 1]
    assert loser.startswith("Folder in use")
    manifest = json.loads((files / "out" / "manifest.json").read_text())
    assert manifest["source"]["name"] == f"{winner}.vcf"
    genotypes = set()
    for part in manifest["parts"]:
        path = files / "out" / part["name"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == part["sha256"]
        genotypes |= set(pq.read_table(path, columns=["S.GT"])["S.GT"].to_pylist())
    assert genotypes == {"0/1" if winner == "a" else "1/1"}


def test_a_load_that_is_ended_leaves_nothing(files):
    """As a scheduler or `timeout` ends it."""
    header = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
    with (files / "long.vcf").open("wb") as file:
        file.write(header)
        for start in range(1, 6_000_000, 500_000):
            file.write(b"".join(b"chr1\t%d\t.\tA\tC\t.\t.\t.\n" % place for place in range(start, start + 500_000)))
    load = subprocess.Popen([*VARLOOM, "load", files / "long.vcf", "-o", files / "out"])
    while not list((files / "out").glob("part-*")):
        assert load.poll() is None
        time.sleep(0.01)
    load.terminate()
    assert load.wait(60) == 128 + signal.SIGTERM
    assert not (files / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_load_that_is_ended_again_while_it_clears_up_leaves_nothing(files, number):
    """As `timeout` does, which sends its signal to the process and to its group."""
    script = (
        "import os, sys\n"
        "from varloom.cli import run\n"
        "from varloom.dataset import writer\n"
        "def ended_first(does):\n"
        f"    return lambda *rest, **more: os.kill(os.getpid(), {number}) or does(*rest, **more)\n"
        "writer.RowStore.add = ended_first(writer.RowStore.add)\n"
        "writer.RowStore.__exit__ = ended_first(writer.RowStore.__exit__)\n"
        "writer._remove = ended_first(writer._remove)\n"
        "sys.argv = ['varloom', 'load', 'good.vcf', '-o', 'out']\n"
        "run()"
    )
    ended = subprocess.run([sys.executable, "-c", script], cwd=files, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (128 + number, "")
    assert not (files / "out").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", [["check", "-"], ["load", "-", "-o", "out"]], ids=["check", "load"])
def test_what_came_through_a_pipe_is_not_left_by_a_process_that_is_ended(tmp_path, command, number):
    (tmp_path / "tmp").mkdir()
    env = os.environ | {"TMPDIR": str(tmp_path / "tmp")}
    with subprocess.Popen([*VARLOOM, *command], cwd=tmp_path, stdin=subprocess.PIPE, env=env) as ended:
        ended.stdin.write(VCF)
        ended.stdin.flush()
        while not list((tmp_path / "tmp").glob("*/stdin")):
            assert ended.poll() is None
            time.sleep(0.01)
        ended.send_signal(number)
        assert ended.wait(60) == 128 + number
    assert [path.name for path in tmp_path.rglob("*")] == ["tmp"]


def test_a_closed_output_is_no_error(files):
    command = f"{shlex.join(VARLOOM)} check {files / 'good.vcf'} >&- 2>&-"
    assert subprocess.run(["sh", "-c", command], check=False).returncode == 0
    assert subprocess.run(["sh", "-c", command.replace("good", "bad")], check=False).returncode == 1
