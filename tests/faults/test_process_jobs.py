"""Jobs of reads, while engines, stages and workers fail: nothing is lost, and no finished step is done twice."""

from __future__ import annotations

import contextlib
import json
import time

import psutil
import pytest
from tests.absent import require_aligner
from tests.reads import GENOME, R1, R2, PbrunStandIn, install_genome, known_snps
from tests.running import QUICK, serving
from tests.shared_data import needs

from varloom.failpoints import VARIABLE
from varloom.storage import LocalStorage

pytestmark = needs(GENOME)


def submit_reads(server, **fields):
    files = [("file", (path.name, path.read_bytes())) for path in (R1, R2)]
    answer = server.client.post("jobs", files=files, data=fields)
    assert answer.status_code == 202, answer.text
    return answer.json()


def expect_gone(pid):
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        deadline = time.monotonic() + 30
        while process.status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory):
    return PbrunStandIn(tmp_path_factory.mktemp("parabricks"), "q", 12356)


@pytest.fixture(scope="module")
def server(tmp_path_factory, stand_in):
    require_aligner()
    folder = tmp_path_factory.mktemp("server")
    rules = f"processing.sorted.begun=kill@1;log={folder / 'fired.log'}"  # a step that the CPU engine alone has
    with serving(folder / "data", **QUICK, **stand_in.environment, **{VARIABLE: rules}) as running:
        install_genome(LocalStorage(running.data / "storage"))
        yield running
    assert (folder / "fired.log").read_text().count("kill") == 1


def test_a_killed_analysis_goes_on_after_its_last_finished_step(server):
    job = submit_reads(server, engine="cpu", sample_name="NA12878")
    assert job["plan"] == ["process", "parse"]
    server.until(job["id"], lambda now: now["state"] == "processing" and len(now["attempts"]) == 1)
    [worker] = server.workers()
    worker.kill()
    done = server.at_rest(job["id"])
    assert done["state"] == "completed", done["error"]
    outcomes = [one["outcome"] for one in done["attempts"] if one["stage"] == "process"]
    assert (len(outcomes), outcomes[-1]) == (3, "succeeded")
    rows = server.client.get(f"samples/{done['sample_id']}/rows", params={"columns": "position,ref,alt"}).json()
    assert {(row["position"], row["ref"], row["alt"]) for row in rows["rows"]} >= known_snps()
    steps = server.data / "storage" / "processing" / job["id"] / "steps"
    assert json.loads((steps / "aligned.json").read_text())["reads"] == 3266
    assert not list((server.data / "storage").glob("processed/*/*/work"))
    assert len(list((server.data / "storage").glob("processed/*/*/processed.json"))) == 1


def test_parabricks_succeeds_saves_memory_fails_and_is_cancelled(server, stand_in):
    stand_in.script("gpu-memory-unless-low", "ok", "segfault")
    done = server.at_rest(submit_reads(server)["id"])
    assert done["state"] == "completed", done["error"]
    assert [(one["outcome"], one["code"]) for one in done["attempts"] if one["stage"] == "process"] == [
        ("failed", "parabricks_killed"),
        ("succeeded", None),
    ]
    assert [call[0] for call in stand_in.calls] == ["fq2bam", "fq2bam", "haplotypecaller", "haplotypecaller"]
    processing = server.client.get(f"jobs/{done['id']}/provenance").json()["processing"]
    assert (processing["engine"], processing["caller"]) == ("parabricks", "haplotypecaller")
    assert processing["tools"][0] == {"name": "Parabricks", "version": "4.6.0-1"}

    stand_in.script("no-gpu")
    failed = server.at_rest(submit_reads(server, engine="parabricks", caller="deepvariant")["id"])
    assert (failed["error"]["code"], failed["attempt"]) == ("parabricks_no_gpu", 1)

    stand_in.script("slow")
    (stand_in.folder / "pid").unlink()
    slow = submit_reads(server)
    server.until(slow["id"], lambda _: stand_in.pid is not None)
    server.client.post(f"jobs/{slow['id']}/cancel").raise_for_status()
    assert server.at_rest(slow["id"], 10)["state"] == "cancelled"
    expect_gone(stand_in.pid)


def test_parabricks_ends_with_its_worker(server, stand_in):
    stand_in.script("slow")
    (stand_in.folder / "pid").unlink()
    job = submit_reads(server)
    server.until(job["id"], lambda _: stand_in.pid is not None)
    [worker] = server.workers()
    worker.kill()
    expect_gone(stand_in.pid)
    assert server.at_rest(job["id"])["state"] == "completed"
