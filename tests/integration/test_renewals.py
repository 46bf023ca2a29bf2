"""Samples that are annotated again: a new version of the table, and never a lost or half one."""

from __future__ import annotations

import asyncio
import json
import uuid

import pytest
from psycopg.types.json import Jsonb

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.refs.pins import Pins
from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage
from varloom.jobs.outcome import Failed, Succeeded
from varloom.jobs.settle import settle
from varloom.pipeline.backend import PipelineBackend
from varloom.pipeline.plan import PLAN_VERSION
from varloom.pipeline.request import StageRequest
from varloom.pipeline.stages import annotate, parse
from varloom.pipeline.sweep import sweep

HEADER = (
    "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=248956422>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tann\tbob\n"
)
POSITIONS = (100, 200, 300, 400)
VCF = (HEADER + "".join(f"chr1\t{at}\t.\tA\tG\t50\tPASS\t.\tGT\t0/1\t1/1\n" for at in POSITIONS)).encode()
OLD = {100: "Benign", 200: "Pathogenic", 300: "Benign"}
NEW = {100: "Benign", 200: "Benign", 400: "Pathogenic"}
CHANGED = {"changed": 1, "gained": 1, "lost": 1}
STAGES = {Stage.ANNOTATE: annotate.run, Stage.PARSE: parse.run}


class StageWorker:
    """Runs the stages of a job in this process, a step at a time."""

    def __init__(self, api, database_url):
        self.pool = api.services.pool
        self.backend = PipelineBackend(api.services.storage, conninfo=database_url)
        self.id = uuid.uuid4()

    async def start(self):
        slots = dict.fromkeys(STAGES, 1)
        async with self.pool.connection() as conn:
            await repository.register_worker(conn, self.id, host="test", pid=1, version="0", slots=slots)
        return self

    async def claim(self, stage, plan_version=PLAN_VERSION):
        async with self.pool.connection() as conn:
            return await repository.claim(conn, stage, self.id, plan_version=plan_version)

    async def run(self, claim):
        """The outcome of a stage."""
        request = StageRequest.from_json(await asyncio.to_thread(self.backend.request, claim))
        made = await asyncio.to_thread(STAGES[claim.stage], request, lambda *_: None)
        return Succeeded(made.result, made.warnings)

    async def settle(self, claim, outcome):
        async with self.pool.connection() as conn:
            return await settle(conn, claim, outcome, self.backend, retry_delay=0)

    async def finish(self, *stages):
        """Run the stages of the one job that waits."""
        for stage in stages or (Stage.ANNOTATE, Stage.PARSE):
            claim = await self.claim(stage)
            job = await self.settle(claim, await self.run(claim))
        return job


@pytest.fixture
async def worker(api, database_url):
    return await StageWorker(api, database_url).start()


async def install_clinvar(api, tmp_path, release, known):
    path = tmp_path / f"clinvar-{release}.vcf"
    rows = "".join(f"1\t{at}\t{at}\tA\tG\t.\t.\tCLNSIG={value}\n" for at, value in sorted(known.items()))
    path.write_text("##fileformat=VCFv4.1\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + rows)
    key = ReleaseKey("variants", "clinvar", "GRCh38", release)
    library = ReferenceLibrary(api.services.storage)
    await asyncio.to_thread(install, library, key, Published(path), lambda *_: None)
    await api.services.annotations.look()


async def sample_of(person, sample_id):
    return (await person.client.get(f"/api/v1/samples/{sample_id}")).raise_for_status().json()


async def ask(person, sample_id, key=None, **how):
    headers = {} if key is None else {"Idempotency-Key": key}
    return await person.client.post(f"/api/v1/samples/{sample_id}/annotate", json=how or None, headers=headers)


async def significances(person, sample_id, dataset=None):
    wanted = {
        "format": "jsonl",
        "columns": "position,clinvar.significance",
        **({"dataset": dataset} if dataset else {}),
    }
    found = await person.client.get(f"/api/v1/samples/{sample_id}/export", params=wanted)
    rows = [json.loads(line) for line in found.raise_for_status().text.splitlines()]
    return {row["position"]: row["clinvar.significance"] for row in rows if row["clinvar.significance"]}


async def page_of(person, path):
    return (await person.client.get(path, headers={"Accept": "text/html"})).raise_for_status().text


async def loaded(person, worker, *stages, content=VCF, name="file.vcf", **options):
    await person.upload(content, name=name, **options)
    return str((await worker.finish(*stages)).sample_id)


async def test_a_newer_release_makes_a_new_version(api, worker, tmp_path):
    ann = await api.person()
    await install_clinvar(api, tmp_path, "2026-10-01", OLD)
    sample = await loaded(ann, worker, annotate="small", assembly="GRCh38")
    before = await sample_of(ann, sample)
    assert (before["version"], before["newer"], before["versions"][0]["changes"]) == (1, [], None)
    assert before["versions"][0]["releases"] == {"variants clinvar": "2026-10-01"}
    assert "newer" not in await page_of(ann, f"/samples/{sample}/versions")

    await install_clinvar(api, tmp_path, "2026-11-20", NEW)
    newer = (await sample_of(ann, sample))["newer"]
    told = {"title": "ClinVar", "release": "2026-11-20", "used": "2026-10-01"}
    assert newer == [{"kind": "variants", "name": "clinvar", **told}]
    hint = "ClinVar 2026-11-20 is newer than this sample&#39;s (2026-10-01)."
    for path in (f"/samples/{sample}", f"/samples/{sample}/versions", f"/samples/{sample}/provenance"):
        assert hint in await page_of(ann, path)
    assert "One sample here was annotated with older reference data" in await page_of(ann, "/samples")

    made = await ask(ann, sample)
    assert (made.status_code, made.headers["Location"]) == (202, f"/api/v1/jobs/{made.json()['id']}")
    job = made.json()
    assert (job["plan"], job["renews_sample_id"], job["sample_id"]) == (["annotate", "parse"], sample, None)
    assert (await sample_of(ann, sample))["renewal_job_id"] == job["id"]
    assert await worker.claim(Stage.ANNOTATE, plan_version=3) is None, "an older worker would make another sample of it"
    assert str((await worker.finish()).sample_id) == sample

    after = await sample_of(ann, sample)
    assert ([one["version"] for one in after["versions"]], after["newer"]) == ([2, 1], [])
    assert (after["job_id"], after["renewal_job_id"]) == (job["id"], None)
    assert after["datasets"] == after["versions"][0]["datasets"]
    assert after["versions"][1]["datasets"] == before["datasets"], "what was there is as it was"
    changes = after["versions"][0]["changes"]
    assert changes["columns"]["clinvar.significance"] == CHANGED
    assert (changes["added"], changes["removed"]) == ([], [])
    assert await significances(ann, sample) == NEW
    assert await significances(ann, sample, before["datasets"][0]["id"]) == OLD
    assert len((await ann.client.get("/api/v1/samples")).json()["samples"]) == 1
    assert after["bytes"] > before["bytes"]

    old = f"/samples/{sample}?dataset={before['datasets'][0]['id']}"
    assert "This is version 1" in await page_of(ann, old)
    assert "clinvar.significance: 1 changed, 1 new, 1 gone" in await page_of(ann, f"/samples/{sample}/versions")
    for version in after["versions"]:
        found = (await ann.client.get(f"/api/v1/jobs/{version['job_id']}/provenance")).json()
        [dataset] = found["datasets"]
        assert dataset["versions"]["variants clinvar"] == version["releases"]["variants clinvar"]


async def test_what_analysed_the_reads_is_told_of_every_version(api, worker, tmp_path, connection):
    """The job of a later version only annotates; where the table came from is what the first one did."""
    ann = await api.person()
    await install_clinvar(api, tmp_path, "2026-10-01", OLD)
    sample = await loaded(ann, worker, annotate="small", assembly="GRCh38")
    first = (await sample_of(ann, sample))["job_id"]
    left = {
        "engine": "cpu",
        "caller": "bcftools",
        "reference": "made 1",
        "assembly": "GRCh38",
        "tools": [["bwa", "0.7"]],
    }
    query = "UPDATE jobs SET artefacts = artefacts || %s WHERE id = %s"
    await connection.execute(query, [Jsonb({"process": left}), first])
    await ask(ann, sample)
    await worker.finish()
    for version in (await sample_of(ann, sample))["versions"]:
        told = (await ann.client.get(f"/api/v1/jobs/{version['job_id']}/provenance")).json()["processing"]
        assert (told["engine"], told["reference"], told["tools"]) == (
            "cpu",
            "made 1",
            [{"name": "bwa", "version": "0.7"}],
        )
        page = await page_of(ann, f"/samples/{sample}/provenance?dataset={version['datasets'][0]['id']}")
        assert "<h2>Reads</h2>" in page
        assert "made 1" in page


async def test_reads_are_shown_to_their_account_with_and_without_their_genome(api, worker, tmp_path, connection):
    ann, ben = await api.person(), await api.person()
    sample = await loaded(ann, worker, Stage.PARSE)
    base = f"/api/v1/samples/{sample}/reads"
    assert (await ann.client.get(base)).json()["code"] == "sample_file_not_found", "it was a VCF"
    for role, name in (("alignment", "alignment.bam"), ("alignment_index", "alignment.bam.bai")):
        api.services.storage.write_bytes(f"processed/{name}", b"bam")
        values = [sample, name, role, f"processed/{name}"]
        query = "INSERT INTO sample_files (sample_id, name, role, storage_key, bytes) VALUES (%s, %s, %s, %s, 3)"
        await connection.execute(query, values)
    left = {"reference": "made 1", "assembly": "GRCh38"}
    query = "UPDATE jobs SET artefacts = artefacts || %s WHERE sample_id = %s"
    await connection.execute(query, [Jsonb({"process": left}), sample])
    told = (await ann.client.get(base)).json()
    assert (told["genome"], told["contigs"], told["alignment"]) == (None, {"chr1": 248956422}, "alignment.bam")
    assert (await ann.client.get(f"{base}/genome/genome.fa.gz")).json()["code"] == "sample_file_not_found"

    fasta = tmp_path / "genome.fa"
    fasta.write_text(">1\nACGT\n")
    for name in ("made", "other"):
        key = ReleaseKey("fasta", name, "GRCh38", "1")
        library = ReferenceLibrary(api.services.storage)
        await asyncio.to_thread(install, library, key, Published(fasta, excerpt=True), lambda *_: None)
    told = (await ann.client.get(base)).json()
    assert (told["genome"]["name"], told["contigs"]) == ("made 1", {})
    for name in (told["genome"][which] for which in ("fasta", "index", "packed_index")):
        assert (await ann.client.get(f"{base}/genome/{name}")).status_code == 200
        answer = await ben.client.get(f"{base}/genome/{name}")
        assert (answer.status_code, answer.json()["code"]) == (404, "sample_not_found")
    assert (await ben.client.get(base)).json()["code"] == "sample_not_found"


async def test_a_release_that_is_left_when_a_newer_one_was_removed_is_not_newer(api, worker, tmp_path):
    ann = await api.person()
    await install_clinvar(api, tmp_path, "2026-10-01", OLD)
    await install_clinvar(api, tmp_path, "2026-11-20", NEW)
    sample = await loaded(ann, worker, annotate="small", assembly="GRCh38")
    ReferenceLibrary(api.services.storage).remove(ReleaseKey("variants", "clinvar", "GRCh38", "2026-11-20"))
    await api.services.annotations.look()
    assert (await sample_of(ann, sample))["newer"] == []


async def test_a_split_sample_that_was_loaded_without_annotation_can_get_one(api, worker, tmp_path):
    ann = await api.person()
    sample = await loaded(ann, worker, Stage.PARSE, split_by_sample="true")
    refused = (await ask(ann, sample)).json()
    assert (refused["code"], "choose small or structural" in refused["detail"]) == ("request_invalid", True)
    assert (await ask(ann, sample, annotate="small", assembly="GRCh38")).json()["code"] == "reference_data_missing"
    await install_clinvar(api, tmp_path, "2026-11-20", NEW)
    assert "Annotate this sample" in await page_of(ann, f"/samples/{sample}/versions")
    assert (await ask(ann, sample, annotate="small", assembly="GRCh38")).status_code == 202
    await worker.finish()
    after = await sample_of(ann, sample)
    assert [[table["name"] for table in one["datasets"]] for one in after["versions"]] == [["ann", "bob"]] * 2
    assert [one["annotate"] for one in after["versions"]] == ["small", None]
    assert [one["changes"] for one in after["versions"]] == [None, None]
    for table in after["datasets"]:
        assert await significances(ann, sample, table["id"]) == NEW
    old = after["versions"][1]["datasets"][1]["id"]
    shown = await page_of(ann, f"/samples/{sample}?dataset={old}")
    assert f'data-dataset="{old}"' in shown
    assert after["versions"][1]["datasets"][0]["id"] in shown, "its other table, of the same version"
    assert after["datasets"][0]["id"] not in shown


async def test_what_cannot_be_annotated_is_refused_before_a_job_is_made(api, worker, tmp_path):
    ann, bob = await api.person(), await api.person()
    await install_clinvar(api, tmp_path, "2026-11-20", NEW)
    table = await loaded(ann, worker, Stage.PARSE, content=b"a,b\n1,2\n", name="t.csv")
    assert (await ask(ann, table, annotate="small")).json()["code"] == "annotation_needs_variants"
    sample = await loaded(ann, worker, annotate="small", assembly="GRCh38")
    assert (await ask(bob, sample)).json()["code"] == "sample_not_found"
    first = (await ask(ann, sample, key="k")).json()
    assert (await ask(ann, sample, key="k")).json()["id"] == first["id"], "the same request again"
    other = (await ask(ann, sample, key="k", annotate="structural")).json()
    assert other["code"] in {"idempotency_conflict", "reference_data_missing"}
    second = await ask(ann, sample)
    assert (second.status_code, second.json()["code"]) == (409, "sample_being_annotated")
    assert first["id"] in second.json()["detail"]
    answers = await asyncio.gather(*(ask(ann, table) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {400}
    await ann.client.post(f"/api/v1/jobs/{first['id']}/cancel")
    answers = await asyncio.gather(*(ask(ann, sample) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409, 409]
    retried = await ann.client.post(f"/api/v1/jobs/{first['id']}/retry", json={})
    assert retried.json()["code"] == "sample_being_annotated"
    await worker.finish()
    for unlike, said in (({"annotate": "none"}, "has to be annotated"), ({"split_by_sample": True}, "same tables")):
        refused = await ann.client.post(f"/api/v1/jobs/{first['id']}/retry", json={"options": unlike})
        assert said in refused.json()["detail"]
    api.services.storage.delete_tree("uploads")
    gone = (await ask(ann, sample)).json()
    assert (gone["code"], gone["resolution"]) == (
        "upload_gone",
        ["Upload the file again, with annotation: it becomes a sample of its own."],
    )
    assert len((await ann.client.get("/api/v1/jobs")).json()["jobs"]) == 4


async def test_a_sample_that_is_deleted_meanwhile_gets_nothing(api, worker, tmp_path):
    ann = await api.person()
    await install_clinvar(api, tmp_path, "2026-10-01", OLD)
    sample = await loaded(ann, worker, annotate="small", assembly="GRCh38")
    job = (await ask(ann, sample)).json()
    claim = await worker.claim(Stage.ANNOTATE)
    outcome = await worker.run(claim)
    await ann.client.delete(f"/api/v1/samples/{sample}")
    assert (await worker.settle(claim, outcome)).state == "cancelled"
    assert Pins(api.services.storage).of_job(job["id"]) is not None
    await sweep(worker.pool, api.services.storage)
    assert Pins(api.services.storage).of_job(job["id"]) is None, "it is not needed any more"
    assert (await ask(ann, sample)).json()["code"] == "sample_not_found"
    retried = await ann.client.post(f"/api/v1/jobs/{job['id']}/retry", json={})
    assert retried.json()["code"] == "sample_not_found"
    await ann.client.post(f"/api/v1/samples/{sample}/restore")
    await ann.client.post(f"/api/v1/jobs/{job['id']}/retry", json={})

    await worker.finish(Stage.ANNOTATE)
    claim = await worker.claim(Stage.PARSE)
    outcome = await worker.run(claim)
    async with worker.pool.connection() as conn:  # in the moment between the last look and the publication
        await conn.execute("UPDATE samples SET deleted_at = now(), purge_at = now() + interval '1 day'")
    with pytest.raises(Exception, match="was deleted") as refused:
        await worker.settle(claim, outcome)
    failed = await worker.settle(claim, Failed(refused.value.as_dict("parse")))
    assert (failed.state, failed.error["code"]) == ("failed", "sample_deleted")
    restored = (await ann.client.post(f"/api/v1/samples/{sample}/restore")).json()
    assert [one["version"] for one in restored["versions"]] == [1]
    await ann.client.post(f"/api/v1/jobs/{job['id']}/retry", json={})
    await worker.finish(Stage.PARSE)
    assert (await sample_of(ann, sample))["version"] == 2
