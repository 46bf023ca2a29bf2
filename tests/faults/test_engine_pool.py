"""A pool of workers of which one has Parabricks: who takes which reads, and what is told until it is there."""

from __future__ import annotations

import time

from click.testing import CliRunner
from tests.absent import require_aligner
from tests.faults.test_process_jobs import submit_reads
from tests.reads import GENOME, NAME, R1, R2, PbrunStandIn, install_genome
from tests.running import QUICK, Process, serving
from tests.shared_data import needs

from varloom.cli import main
from varloom.storage import LocalStorage

pytestmark = needs(GENOME)

WAITS = "a worker with Parabricks; none is connected"


def engine_of(server, job):
    return server.client.get(f"jobs/{job['id']}/provenance").json()["processing"]["engine"]


def test_reads_for_parabricks_wait_for_its_worker_and_the_others_do_not(tmp_path):
    """A job is told what it waits for everywhere, keeps no other back, and begins when the worker is there."""
    require_aligner()
    stand_in = PbrunStandIn(tmp_path / "parabricks", "q", 12356)
    with serving(tmp_path / "data", "--slots", "process=2,parse=1", **QUICK) as server:
        install_genome(LocalStorage(server.data / "storage"))
        deadline = time.monotonic() + 30
        while not (told := server.client.get("engines").json())["engines"][0]["workers"]:
            assert time.monotonic() < deadline, "the server's own worker has not come"
            time.sleep(0.1)
        assert [(one["name"], one["workers"]) for one in told["engines"]] == [("cpu", 1), ("parabricks", 0)]
        assert WAITS in told["waits"]["parabricks:"]
        assert {"auto:", "auto:bcftools", "cpu:", "cpu:bcftools"}.isdisjoint(told["waits"])
        [worker] = server.client.get("queue").json()["workers"]
        assert {one["name"]: one["reason"] is None for one in worker["engines"]} == {"parabricks": False, "cpu": True}

        waiting = submit_reads(server, engine="parabricks", sample_name="gpu")
        assert (waiting["state"], waiting["held_up"]["cause"], waiting["queue_position"]) == (
            "queued",
            "no_engine",
            None,
        )
        assert WAITS in waiting["held_up"]["message"]
        remove = ["refs", "remove", NAME, "--data", str(server.data)]
        kept = CliRunner().invoke(main, remove)
        assert kept.exit_code == 1
        assert f"is needed by 1 job that waits or works with it: gpu ({waiting['id']})." in kept.stderr
        others = [submit_reads(server, sample_name=f"cpu{number}") for number in range(2)]
        assert [server.at_rest(job["id"])["state"] for job in others] == ["completed", "completed"]
        assert {engine_of(server, job) for job in others} == {"cpu"}
        assert server.job(waiting["id"])["held_up"]["cause"] == "no_engine"
        assert WAITS in server.client.get(f"{server.url}/jobs/{waiting['id']}").text
        assert WAITS in server.client.get(f"{server.url}/jobs").text
        flags = ["--url", server.url, "--token", server.token]
        shown = CliRunner().invoke(main, ["job", waiting["id"], *flags])
        assert WAITS in shown.output, shown.output
        sent = CliRunner().invoke(main, ["submit", str(R1), str(R2), "--caller", "deepvariant", *flags])
        assert "It waits for a worker that calls with DeepVariant; none is connected now." in sent.stderr
        assert "no worker with its engine" in sent.stdout
        later = sent.stdout.split()[0]

        arguments = ["worker", "--data", str(server.data), "--slots", "process=1"]
        gpu = Process(*arguments, **QUICK, **stand_in.environment)
        try:
            for job in (waiting["id"], later):
                done = server.at_rest(job)
                assert done["state"] == "completed", done["error"]
            assert engine_of(server, waiting) == "parabricks"
            assert [call[0] for call in stand_in.calls] == ["fq2bam", "haplotypecaller", "fq2bam", "deepvariant"]
            now = server.client.get("engines").json()
            assert [(one["workers"], len(one["versions"])) for one in now["engines"]] == [(2, 1), (1, 1)]
            assert (now["engines"][1]["versions"], now["waits"]) == (["4.6.0-1"], {})
        finally:
            assert gpu.stop() == 0
        assert server.client.get("engines").json()["engines"][1]["workers"] == 0

        lost = submit_reads(server, engine="parabricks", sample_name="lost")
        forced = CliRunner().invoke(main, [*remove, "--force"])
        assert forced.exit_code == 0, forced.output
        gpu = Process(*arguments, **QUICK, **stand_in.environment)
        try:
            assert server.at_rest(lost["id"])["error"]["code"] == "reference_genome_missing"
        finally:
            gpu.stop()
        install_genome(LocalStorage(server.data / "storage"))
        assert CliRunner().invoke(main, remove).exit_code == 0, "a job that has ended needs it no more"
