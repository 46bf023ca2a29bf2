"""`varloom submit --manifest`: URLs and files together, all or none, each fault in its line, nothing twice."""

from __future__ import annotations

import json

import pytest
from api_support import VCF
from cli_support import varloom
from tests.sources import web_source

from running import QUICK, serving


@pytest.fixture(scope="module")
def source():
    with web_source() as opened:
        opened.serve("/data/one.csv", b"a,b\n1,2\n")
        yield opened


@pytest.fixture(scope="module")
def server(module_data_folder, source):
    with serving(module_data_folder, VARLOOM_ALLOWED_ENDPOINTS=source.endpoint, **QUICK) as running:
        yield running


@pytest.fixture(scope="module")
def run(server):
    return lambda *arguments, **options: varloom(*arguments, data=server.data, **options)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "mine.vcf").write_bytes(VCF)
    return tmp_path


def names(server):
    return sorted(job["sample_name"] for job in server.client.get("jobs", params={"limit": 500}).json()["jobs"])


def test_urls_and_files_become_jobs_of_their_lines(run, server, source, folder):
    manifest = folder / "batch.tsv"
    manifest.write_text(
        f"url\tname\tpriority\nfiles/mine.vcf\tA file\t\n{source.url('/data/one.csv')}\tA URL\t4\n"
        f"{folder}/files/mine.vcf\tBy its whole path\t\n"
    )
    result = run("submit", "--manifest", manifest, "--assembly", "hg38", "--priority", "2", "--wait", "--json")
    assert (result.status, result.err.count("Completed")) == (0, result.err.count("Completed")), result.err
    jobs = {job["sample_name"]: job for job in map(json.loads, result.out.splitlines())}
    assert set(jobs) == {"A file", "A URL", "By its whole path"}
    assert {job["state"] for job in jobs.values()} == {"completed"}
    assert {job["options"]["assembly"] for job in jobs.values()} == {"GRCh38"}
    assert [jobs[name]["priority"] for name in ("A file", "A URL")] == [2, 4]
    assert jobs["A file"]["source"]["kind"] == "file"


def test_a_second_call_with_the_same_key_makes_nothing_new(run, server, source, folder):
    manifest = folder / "batch.csv"
    manifest.write_text(f"name,url\nOnce by URL,{source.url('/data/one.csv')}\nOnce by file,files/mine.vcf\n")
    first, second = [run("submit", "--manifest", manifest, "--idempotency-key", "batch 7", "--json") for _ in range(2)]
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert first.out == second.out
    assert [json.loads(line)["line"] for line in first.out.splitlines()] == [2, 3]
    assert [name for name in names(server) if name.startswith("Once")] == ["Once by URL", "Once by file"]
    again = run("submit", "--manifest", manifest)
    assert again.status == 0, "without a key it is another batch"
    assert "line 2, Once by URL" in again.out
    assert len([name for name in names(server) if name.startswith("Once")]) == 4


def test_all_faults_are_told_and_nothing_is_sent(run, server, source, folder):
    manifest = folder / "batch.csv"
    manifest.write_text(
        "url,name,assembly,credential\n"
        "files/mine.vcf,Fine,,\n"
        "files/missing.vcf,Missing,,\n"
        f"{source.url('/data/one.csv')},Unknown credential,,nobody's\n"
        "files/mine.vcf,Wrong,hg20,\n"
        "ftp://example.org/x.vcf,No source,,\n"
        "files/mine.vcf,Needs none,,lab\n"
    )
    before = names(server)
    result = run("submit", "--manifest", manifest)
    assert (result.status, result.out) == (1, "")
    told = result.err.splitlines()
    assert told[0] == "The manifest has faults: 5 faults in 5 of 6 lines. Nothing was created."
    assert [line.split(":")[0].strip() for line in told[1:6]] == [
        "line 3, column 1 (url)",
        "line 4, column 4 (credential)",
        "line 5, column 3 (assembly)",
        "line 6, column 1 (url)",
        "line 7, column 4 (credential)",
    ]
    assert all(line.startswith("  - ") for line in told[6:])
    assert len(told) > 8
    assert names(server) == before

    rest = run("submit", "--manifest", manifest, "--skip-faulty", "--json")
    assert rest.status == 1, "what was left out is told by the exit status, too"
    assert [json.loads(line)["line"] for line in rest.out.splitlines()] == [2]
    assert "Left out:" in rest.err
    assert rest.err.count("  line ") == 5


def test_a_manifest_comes_through_a_pipe_and_its_header_is_checked(run, source):
    text = f"url,name\n{source.url('/data/one.csv')},Piped\n"
    assert run("submit", "--manifest", "-", stdin=text.encode()).status == 0
    wrong = run("submit", "--manifest", "-", stdin=b"url,asembly\nx,hg38\n")
    assert (wrong.status, wrong.out) == (1, "")
    assert "There is no column 'asembly'." in wrong.err
    assert "(line 1, column 2, field asembly)" in wrong.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--manifest", "m.csv", "x.vcf"],
        ["--manifest", "m.csv", "--name", "x"],
        ["x.vcf", "--skip-faulty"],
        ["x.vcf", "--idempotency-key", "k"],
        [],
    ],
)
def test_what_does_not_go_together_is_wrong_usage(run, arguments):
    assert run("submit", *arguments).status == 2


def test_a_manifest_that_is_not_there(run, tmp_path):
    result = run("submit", "--manifest", tmp_path / "none.csv")
    assert (result.status, "No such file" in result.err) == (1, True)
