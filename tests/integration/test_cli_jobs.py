"""The commands that talk to a server, against a real one."""

from __future__ import annotations

import csv
import http.server
import io
import json
import os
import subprocess
import threading
import time
import uuid

import pyarrow.parquet as pq
import pytest
from api_support import VCF
from cli_support import VARLOOM, varloom

from running import serving

BAD = VCF.replace(b"chr1\t200\t.\tC", b"chr1\t200\tC")


@pytest.fixture(scope="module")
def server(module_data_folder):
    with serving(module_data_folder) as running:
        yield running


@pytest.fixture(scope="module")
def run(server):
    return lambda *arguments, **options: varloom(*arguments, data=server.data, **options)


@pytest.fixture
def vcf(tmp_path):
    path = tmp_path / "good.vcf"
    path.write_bytes(VCF)
    return path


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.vcf"
    path.write_bytes(BAD)
    return path


def submitted(run, *arguments, **options):
    """The job of one source, as JSON."""
    return json.loads(run("submit", *arguments, "--json", **options).out)


def test_waiting_for_a_good_file_ends_with_0(run, vcf):
    result = run("submit", vcf, "--wait", "--name", "Patient 7", "--assembly", "hg38")
    assert (result.status, result.err) == (0, "")
    assert result.out == "Patient 7: Completed, 3 records, 4 variants.\n"


def test_a_table_without_variants_counts_records_only(run, tmp_path):
    (tmp_path / "genes.csv").write_text("gene,score\nBRCA1,0.5\n")
    result = run("submit", tmp_path / "genes.csv", "--wait")
    assert (result.status, result.out) == (0, "genes: Completed, 1 record.\n")
    (job,) = [job for job in json.loads(run("jobs", "--json").out) if job["sample_name"] == "genes"]
    assert (job["records"], job["variants"]) == (1, None)


def test_waiting_for_a_malformed_file_ends_with_3_and_says_where_and_how(run, bad):
    result = run("submit", bad, "--wait")
    assert (result.status, result.out) == (3, "bad: Failed.\n")
    title, *steps = result.err.splitlines()
    assert "(line 6" in title
    assert any(step.startswith("  - ") for step in steps)
    assert not any("also:" in step for step in steps)


def test_several_sources_give_a_job_a_line_in_order_and_the_worst_status(run, vcf, bad):
    result = run("submit", vcf, bad, vcf, "--wait", "--json")
    jobs = [json.loads(line) for line in result.out.splitlines()]
    assert result.status == 3
    assert [(job["source"]["name"], job["state"]) for job in jobs] == [
        ("good.vcf", "completed"),
        ("bad.vcf", "failed"),
        ("good.vcf", "completed"),
    ]


def test_the_standard_input_is_a_source(run):
    job = submitted(run, "-", "--name", "piped", stdin=VCF)
    assert (job["sample_name"], job["source"]["bytes"]) == ("piped", len(VCF))


def test_what_this_version_cannot_do_is_refused_in_words(run, vcf):
    result = run("submit", vcf, "--pgx")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("No definitions of PGx alleles are installed: "), result.err
    result = run("submit", vcf, "--annotate", "small")
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("Reference data is not installed: No reference data for small variants"), result.err
    assert run("submit", vcf, "--annotate", "none").status == 0


def test_nothing_is_sent_when_one_of_the_files_cannot_be_read(run, vcf, tmp_path):
    before = json.loads(run("jobs", "--json").out)
    for wrong in (tmp_path / "missing.vcf", tmp_path):
        result = run("submit", vcf, wrong)
        assert result.status == 1
        assert result.err.startswith(f"The file cannot be read: {wrong}")
    assert json.loads(run("jobs", "--json").out) == before


@pytest.mark.parametrize("options", [(), ("--wait",)])
def test_a_source_that_is_refused_keeps_no_other_back_and_none_untold(run, vcf, tmp_path, options):
    empty = tmp_path / "empty.vcf"
    empty.touch()
    result = run("submit", vcf, empty, vcf, "--json", *options)
    assert result.status == 1
    jobs = [json.loads(line) for line in result.out.splitlines()]
    assert [job["source"]["name"] for job in jobs] == ["good.vcf", "good.vcf"]
    assert result.err.startswith(f"{empty}: Empty file: ")


def test_a_source_may_be_a_pipe_or_fail_while_it_is_read(run, tmp_path):
    pipe = tmp_path / "pipe.vcf"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[VCF])
    writer.start()
    assert run("submit", pipe, "--wait").out == "pipe: Completed, 3 records, 4 variants.\n"
    writer.join()
    unreadable = run("submit", "/proc/self/mem")
    assert (unreadable.status, unreadable.err.splitlines()[0]) == (
        1,
        "The file cannot be read: mem: Input/output error.",
    )


def test_text_that_is_not_utf8_is_wrong_usage(run, vcf):
    for arguments in (("submit", vcf, "--name", "\udcff"), ("export", "\udcff"), ("tokens", "create", "\udcff")):
        result = run(*arguments)
        assert (result.status, result.out) == (2, "")
        assert "is not UTF-8 text" in result.err


@pytest.mark.parametrize(
    "url", ["http://[::1", "localhost:8400", "ftp://localhost", "http://localhost:99999", "http://"]
)
def test_an_address_that_cannot_be_one_is_told(url):
    result = varloom("jobs", "--url", url, "--token", "x")
    assert (result.status, result.err.split(":")[0]) == (1, "No server is known")
    assert "is not an address" in result.err


def test_a_token_that_cannot_be_one_is_neither_sent_nor_shown(server):
    for token in ("secret\nX: y", "secr\u20ac\u20act", "secret\udcff"):
        result = varloom("jobs", "--url", server.url, "--token", token)
        assert (result.status, result.err.split(":")[0]) == (1, "No server is known")
        assert "secr" not in result.err


def test_an_answer_that_no_varloom_gives_is_told_in_words():
    class Stranger(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        answering = threading.Thread(target=stranger.handle_request)
        answering.start()
        result = varloom("jobs", "--url", f"http://127.0.0.1:{stranger.server_port}", "--token", "x")
        answering.join()
    assert (result.status, result.out) == (1, "")
    assert result.err.startswith("The command failed unexpectedly: KeyError: 'jobs'")
    assert "Traceback" not in result.err


@pytest.mark.parametrize("command", ["jobs", "jobs --json", "--help", "export full"])
def test_an_output_that_takes_no_more_is_told_in_words(run, server, vcf, command):
    if command == "export full":
        command = f"export {submitted(run, vcf, '--name', 'full', '--wait')['sample_id']}"
    done = subprocess.run(
        ["bash", "-c", f"{' '.join(VARLOOM)} {command} > /dev/full"],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "VARLOOM_DATA": str(server.data)},
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"The output cannot be written: No space left on device.")


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("submit",),
        ("submit", "a", "b", "--name", "x"),
        ("submit", "-", "-"),
        ("submit", "a", "--assembly", "GRCh39"),
        ("submit", "a", "--nothing"),
        ("job", "not-an-id"),
        ("watch",),
        ("jobs", "--limit", "0"),
        ("nothing",),
        ("load", "x"),
        ("check",),
    ],
)
def test_wrong_usage_ends_with_2(arguments):
    result = varloom(*arguments)
    assert result.status == 2
    assert "Traceback" not in result.err


def test_jobs_are_listed_as_a_table_and_as_json(run, vcf):
    job = submitted(run, vcf, "--name", "<b>\u2603 naïve", "--wait")
    listed = json.loads(run("jobs", "--limit", "1", "--json").out)
    assert listed == [job]
    table = run("jobs", "--state", "completed", "--limit", "1").out.splitlines()
    assert table[0].split() == ["ID", "SAMPLE", "STATE", "RECORDS", "CREATED"]
    assert table[1].startswith(f"{job['id']}  <b>\u2603 naïve  Completed")
    assert table[0].index("STATE") == table[1].index("Completed")


def test_a_job_is_shown_with_its_history_and_its_error(run, bad):
    job = submitted(run, bad)
    assert run("watch", job["id"]).status == 3
    shown = run("job", job["id"])
    assert shown.status == 0
    assert "State:     Failed" in shown.out
    assert "Waiting for a parsing slot." in shown.out
    assert "(line 6" in shown.err
    assert json.loads(run("job", job["id"], "--json").out)["error"]["line"] == 6
    missing = run("job", uuid.uuid4())
    assert missing.status == 1
    assert missing.err.startswith("No such job: ")


def test_watching_tells_each_change_and_ends_as_the_jobs_do(run, vcf, bad):
    good, broken = submitted(run, vcf), submitted(run, bad)
    result = run("watch", good["id"], broken["id"])
    assert result.status == 3
    assert "good: Completed" in result.out
    assert "bad: Failed" in result.out
    states = [json.loads(line)["state"] for line in run("watch", good["id"], "--json").out.splitlines()]
    assert states == ["completed"]


def test_a_failed_job_is_retried_and_dismissed(run, bad):
    job = submitted(run, bad, "--wait")
    retried = json.loads(run("retry", job["id"], "--from-start", "--assembly", "hg19", "--json").out)
    assert (retried["id"], retried["options"]["assembly"]) == (job["id"], "GRCh37")
    assert run("watch", job["id"]).status == 3
    assert run("dismiss", job["id"]).status == 0
    assert job["id"] not in run("jobs", "--limit", "500").out
    refused = run("cancel", job["id"])
    assert (refused.status, refused.err.split(":")[0]) == (1, "The job has already ended")


def test_tables_are_exported_whole_or_not_at_all(run, vcf, tmp_path):
    job = submitted(run, vcf, "--name", "to export", "--wait")
    listed = json.loads(run("samples", "--json").out)
    assert job["sample_id"] in {sample["id"] for sample in listed}
    assert "to export" in run("samples").out

    printed = run("export", "to export", "--where", "qual > 12", "--columns", "position,alt", "--sort", "-position")
    assert list(csv.reader(io.StringIO(printed.out))) == [
        ["position", "alt"],
        ["200", "T"],
        ["200", "G"],
        ["100", "G"],
    ]
    target = tmp_path / "table.parquet"
    assert run("export", job["sample_id"], "-o", target).status == 0
    assert pq.read_table(target)["position"].to_pylist() == [100, 200, 200, 300]

    untouched = target.read_bytes()
    refused = run("export", "to export", "--where", "nothing = 1", "-o", target)
    assert refused.status == 1
    assert target.read_bytes() == untouched
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.vcf", "table.parquet"]
    assert run("export", "no such sample").err.startswith("No such sample: ")


def test_an_export_follows_links_and_leaves_pipes_and_folders_in_place(run, vcf, tmp_path):
    sample = submitted(run, vcf, "--wait")["sample_id"]
    link, pipe = tmp_path / "link.csv", tmp_path / "pipe"
    link.symlink_to("target.csv")
    assert run("export", sample, "-o", link).status == 0
    assert link.is_symlink()
    expected = (tmp_path / "target.csv").read_bytes()
    assert expected

    os.mkfifo(pipe)
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    assert run("export", sample, "-o", pipe).status == 0
    reader.join()
    assert received == [expected]
    assert pipe.is_fifo()

    for folder in ("/", ".", tmp_path):
        refused = run("export", sample, "-o", folder)
        assert (refused.status, refused.err.split(":")[0]) == (1, "The output cannot be written")


def test_two_samples_of_one_name_must_be_told_apart(run, vcf):
    for _ in range(2):
        submitted(run, vcf, "--name", "twin", "--wait")
    result = run("export", "twin")
    assert (result.status, result.err.split(":")[0]) == (1, "The sample is not clear")


def test_tokens_are_made_used_and_revoked(run, server):
    token = run("tokens", "create", "script").out.strip()
    with_token = {"VARLOOM_URL": server.url, "VARLOOM_TOKEN": token}
    assert varloom("jobs", **with_token).status == 0
    listed = json.loads(run("tokens", "list", "--json").out)
    [made] = [one for one in listed if one["label"] == "script"]
    assert run("tokens", "revoke", made["id"]).status == 0
    refused = varloom("jobs", **with_token)
    assert (refused.status, refused.err.split(":")[0]) == (1, "Not logged in")
    assert token not in refused.err


def test_a_login_link_is_printed_alone(run, server):
    result = run("login")
    assert result.status == 0
    assert result.out.startswith(f"{server.url}/login#")
    assert len(result.out.splitlines()) == 1


def test_the_server_is_found_by_flag_then_environment_then_file(run, server, tmp_path):
    named = ("--url", server.url, "--token", server.token)
    assert varloom("jobs", *named).status == 0
    assert varloom("jobs", VARLOOM_URL=server.url, VARLOOM_TOKEN=server.token).status == 0
    assert varloom("jobs", "--data", server.data).status == 0
    assert varloom("jobs", *named, VARLOOM_URL="http://127.0.0.1:9", VARLOOM_TOKEN="x").status == 0
    unknown = varloom("jobs", "--data", tmp_path)
    assert (unknown.status, unknown.err.split(":")[0]) == (1, "No server is known")
    away = varloom("jobs", "--url", "http://127.0.0.1:9", "--token", "x")
    assert (away.status, away.err.split(":")[0]) == (1, "The server cannot be reached")


def test_a_token_of_the_file_is_sent_to_no_other_address(run, server):
    result = run("jobs", "--url", "http://127.0.0.1:9")
    assert (result.status, result.err.split(":")[0]) == (1, "No server is known")
    assert server.token not in result.err


def test_a_reader_that_goes_away_is_no_error_to_tell(run, server):
    command = f"{' '.join(VARLOOM)} jobs --json | head -c 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "VARLOOM_DATA": str(server.data)},
    )
    assert done.stdout == b"["
    assert done.stderr == b""


BAD_INPUT = {
    "no #CHROM line": ("headless.vcf", VCF.split(b"#CHROM")[0] + b"chr1\t100\t.\tA\tG\t50\tPASS\t.\n", 4),
    "wrong column count": ("ragged.vcf", BAD, 6),
    "binary": ("binary.vcf", b"\x7fELF\x02\x01\x01" + bytes(range(256)) * 50, None),
    "CSV without header": ("numbers.csv", b"1,2,3\n4,5,6\n", 1),
    "ragged CSV": ("ragged.csv", b"gene,count\nBRCA2,7\nTP53\n", 3),
    "path as name": ("../../etc/x.vcf", BAD, 6),
    "markup as name": ("<img onerror=alert(1)>.vcf", BAD, 6),
}


def test_bad_input_fails_with_code_place_and_resolution_and_publishes_nothing(server, run, subtests):
    samples = run("samples", "--json").out
    for case, (name, content, line) in BAD_INPUT.items():
        with subtests.test(case):
            job = server.at_rest(server.submit(content, name)["id"])
            assert (job["state"], job["attempt"], job["sample_id"]) == ("failed", 1, None)
            error = job["error"]
            assert error["code"]
            assert error["title"]
            assert error["message"]
            assert error["resolution"]
            assert error["stage"] == "parse"
            assert error["retryable"] is False
            assert line is None or error["line"] == line
    assert run("samples", "--json").out == samples
    assert not list(server.data.parent.rglob("x.vcf"))


def test_the_queue_is_shown_paused_and_resumed(run, vcf):
    deadline = time.monotonic() + 30
    while not (seen := json.loads(run("queue", "--json").out))["workers"]:  # it starts beside the server
        assert time.monotonic() < deadline
    assert seen["stages"] == [
        {"stage": "download", "busy": 0, "total": 4, "waiting": 0, "delayed": 0},
        {"stage": "process", "busy": 0, "total": 1, "waiting": 0, "delayed": 0},
        {"stage": "annotate", "busy": 0, "total": 1, "waiting": 0, "delayed": 0},
        {"stage": "parse", "busy": 0, "total": 2, "waiting": 0, "delayed": 0},
    ]
    assert [worker["slots"] for worker in seen["workers"]] == [{"download": 4, "process": 1, "annotate": 1, "parse": 2}]
    paused = run("queue", "pause", "--stage", "parse", "--reason", "new disk")
    assert (paused.status, paused.err) == (0, "")
    assert "stage parse: new disk" in paused.out
    job = submitted(run, vcf)
    assert job["held_up"] == {"cause": "paused", "message": "Paused by the operator: new disk"}
    assert "Queued (paused)" in run("jobs", "--state", "queued").out
    assert "Paused by the operator: new disk" in run("job", job["id"]).out
    assert json.loads(run("priority", job["id"], "-5", "--json").out)["priority"] == -5
    resumed = json.loads(run("queue", "--json", "resume", "--stage", "parse").out)
    assert resumed["pauses"] == []
    assert run("watch", job["id"]).status == 0
    late = run("priority", job["id"], "1")
    assert (late.status, late.err.splitlines()[0]) == (
        1,
        "The job has already ended: The job is completed already.",
    )


@pytest.mark.parametrize(
    "arguments", [("queue", "pause"), ("queue", "resume", "--stage", "parse", "--account", "x"), ("priority", "x", "1")]
)
def test_wrong_usage_of_the_queue_ends_with_2(run, arguments):
    assert run(*arguments).status == 2


def test_a_retry_from_a_stage_that_the_job_has_not_is_refused(run, bad):
    job = json.loads(run("submit", bad, "--wait", "--json").out)
    refused = run("retry", job["id"], "--from-stage", "annotate")
    assert (refused.status, "This job has no annotate stage." in refused.err) == (1, True)
    assert run("retry", job["id"], "--from-stage", "parse", "--from-start").status == 2
    again = json.loads(run("retry", job["id"], "--from-stage", "parse", "--json").out)
    assert (again["state"], again["stage"], again["attempt"]) == ("queued", "parse", 1)
