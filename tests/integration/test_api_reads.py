"""Jobs of several files over real HTTP: in one request, in portions as a set, and from URLs."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest
from api_support import VCF
from test_api_resumable import TUS, begin, send
from test_api_uploads import stored

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.jobs.lifecycle import Stage
from varloom.pipeline.plan import stale_stages
from varloom.pipeline.sweep import sweep
from varloom.services import resumable
from varloom.services.options import parse_options

FIRST, SECOND = b"@r/1\nACGT\n+\nIIII\n", b"@r/2\nTTTT\n+\nIIII\n"
FILES = [("file", ("s_R1.fastq", FIRST)), ("file", ("s_R2.fastq", SECOND))]


@pytest.fixture
async def ann(api, tmp_path):
    install_genome(api, tmp_path, "GRCh38")
    return await api.person()


def install_genome(api, tmp_path, assembly):
    fasta = tmp_path / "genome.fa"
    fasta.write_text(">q\nACGT\n")
    key = ReleaseKey("fasta", "tiny", assembly, "1")
    install(ReferenceLibrary(api.services.storage), key, Published(fasta, excerpt=True), lambda *_: None)


async def post(person, files=FILES, headers=None, **fields):
    return await person.client.post("/api/v1/jobs", files=files, data=fields, headers=headers)


def contents(settings):
    folder = settings.data / "storage"
    return {key.rpartition("/")[2]: (folder / key).read_bytes() for key in stored(settings) if "uploads/" in key}


async def test_reads_become_one_job_with_the_genome_that_they_mean(ann, settings):
    answer = await post(ann, headers={"Idempotency-Key": "k"})
    job = answer.json()
    assert answer.status_code == 202, job
    assert (job["plan"], job["sample_name"], job["further_files"]) == (["process", "parse"], "s", ["s_R2.fastq"])
    assert job["source"] == {"kind": "file", "name": "s_R1.fastq", "bytes": len(FIRST + SECOND)}
    assert (job["options"]["assembly"], job["options"]["reference"]) == ("GRCh38", "GRCh38/tiny/1")
    assert contents(settings) == {"source": FIRST, "source-2": SECOND}
    storage = (await ann.client.get("/api/v1/storage")).json()
    assert storage["originals"] == len(FIRST + SECOND)

    again = await post(ann, headers={"Idempotency-Key": "k"})
    assert again.json()["id"] == job["id"]
    other = [FILES[0], ("file", ("s_R2.fastq", SECOND + SECOND))]
    assert (await post(ann, other, headers={"Idempotency-Key": "k"})).json()["code"] == "idempotency_conflict"
    assert contents(settings) == {"source": FIRST, "source-2": SECOND}


async def test_a_job_whose_alignment_is_kept_as_cram_is_for_workers_that_know_it(ann, database_url):
    plain = (await post(ann)).json()
    job = (await post(ann, alignment_format="cram")).json()
    assert ("alignment_format" in plain["options"], job["options"]["alignment_format"]) == (False, "cram")
    manifest = "url,url2,sex_chromosomes,alignment_format\nhttps://a.org/a_R1.fq.gz,https://a.org/a_R2.fq.gz,XY,{}\n"
    address, headers = "/api/v1/manifests", {"Content-Type": "text/csv"}
    lines = await ann.client.post(f"{address}/preflight", content=manifest.format("cram"), headers=headers)
    [line] = lines.json()["lines"]
    assert (line["alignment_format"], line["sex_chromosomes"]) == ("cram", "xy")
    made = await ann.client.post(address, content=manifest.format("cram"), headers=headers)
    assert made.status_code == 202, made.text
    refused = await ann.client.post(address, content=manifest.format("sam"), headers=headers)
    assert refused.json()["code"] == "manifest_lines_invalid"
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT id::text, plan_version, options ->> 'alignment_format' FROM jobs").fetchall()
    versions = {id_: rest for id_, *rest in found}
    assert versions[plain["id"]] == [6, None]
    assert versions[job["id"]] == versions[made.json()["jobs"][0]["id"]] == [6, "cram"]


async def test_what_is_not_the_reads_of_one_sample_is_refused(api, ann, settings, tmp_path):
    two = [("file", ("a.vcf", VCF)), ("file", ("b.vcf", VCF))]
    for files, fields, code in (
        (two, {}, "request_invalid"),
        (FILES, {"reads": "no"}, "request_invalid"),
        (FILES, {"reference": "other"}, "reference_genome_missing"),
        (FILES, {"assembly": "GRCh37"}, "reference_genome_missing"),
        (FILES, {"caller": "x"}, "request_invalid"),
        (FILES, {"alignment_format": "sam"}, "request_invalid"),
        (FILES, {"sex_chromosomes": "xxy"}, "request_invalid"),
        (FILES, {"caller": "deepvariant", "engine": "cpu"}, "request_invalid"),
    ):
        assert (await post(ann, files, **fields)).json()["code"] == code, fields
    install_genome(api, tmp_path, "GRCh37")
    await api.services.annotations.look()
    assert (await post(ann)).json()["code"] == "reference_genome_unchosen"
    assert contents(settings) == {}
    assert (await post(ann, assembly="hg19")).json()["options"]["reference"] == "GRCh37/tiny/1"


async def test_files_in_portions_become_one_job_when_the_last_is_there(ann, settings):
    places = {}
    for position, (_, (name, content)) in enumerate(FILES, 1):
        begun = await begin(ann, len(content), filename=name, set="pair", position=position, files=2)
        assert begun.status_code == 201, begun.text
        places[position] = begun.headers["location"]
    twice = await begin(ann, 4, filename="x_R1.fastq", set="pair", position=1, files=2)
    assert twice.json()["code"] == "idempotency_conflict"
    assert (await send(ann, places[2], 0, SECOND)).status_code == 204
    alone = (await ann.client.get(places[2])).json()
    assert (alone["offset"], alone["job"], alone["set"], alone["position"]) == (len(SECOND), None, "pair", 2)
    assert (await ann.client.get("/api/v1/jobs")).json()["jobs"] == []

    assert (await send(ann, places[1], 0, FIRST)).status_code == 204
    jobs = [(await ann.client.get(place)).json()["job"] for place in places.values()]
    assert jobs[0]["id"] == jobs[1]["id"]
    assert (jobs[0]["source"]["name"], jobs[0]["further_files"]) == ("s_R1.fastq", ["s_R2.fastq"])
    assert contents(settings) == {"source": FIRST, "source-2": SECOND}
    fields = {"set": "x", "position": 1, "files": 2}
    assert (await begin(ann, 4, filename="a.fastq", **fields)).status_code == 201
    for wrong in (
        {"position": None, "files": None},
        {"position": 3},
        {"set": None, "files": None},
        {"position": 2, "files": 3},
        {"set": "\0"},
        {"set": "y", "filename": "a.vcf"},
        {"set": "y", "reads": "no"},
    ):
        given = {name: value for name, value in ({"filename": "a.fastq"} | fields | wrong).items() if value is not None}
        assert (await begin(ann, 4, **given)).json()["code"] == "request_invalid", wrong


async def begin_pair(person, **fields):
    """Both files of a set, of which nothing has come yet: where they go."""
    begun = [
        await begin(person, len(content), filename=name, set="pair", position=position, files=2, **fields)
        for position, (_, (name, content)) in enumerate(FILES, 1)
    ]
    return [one.headers["location"] for one in begun]


async def test_a_set_that_is_refused_is_refused_as_a_whole(api, ann, settings):
    """Nobody sends the rest of what becomes no job, and its room is free again."""
    places = await begin_pair(ann)
    assert (await send(ann, places[1], 0, SECOND)).status_code == 204
    changed = await ann.client.post(f"{places[1]}/options", json={"options": {"reads": False}})
    assert changed.status_code == 200, changed.text
    refused = await send(ann, places[0], 0, FIRST)
    assert refused.json()["code"] == "request_invalid"
    for place in places:
        told = (await ann.client.get(place)).json()
        assert (told["error"] or {}).get("code") == "request_invalid", place
    later = await begin(ann, 4, filename="s_R1.fastq", set="pair", position=1, files=2)
    assert later.json()["code"] == "request_invalid"
    assert (await ann.client.get("/api/v1/uploads")).json()["uploads"] == []
    assert (await ann.client.get("/api/v1/storage")).json()["begun"] == 0
    assert contents(settings) == {}
    assert list((settings.data / "storage" / ".arriving").glob("*")) == []


async def test_files_of_a_set_that_end_at_the_same_moment_become_one_job(api, ann, settings, monkeypatch):
    """Each would take the bytes of both away, and tell the other's client that they are lost."""
    places, hashed = await begin_pair(ann), resumable.sha256_of

    def slowly(path):
        time.sleep(0.1)
        return hashed(path)

    monkeypatch.setattr(resumable, "sha256_of", slowly)
    answers = await asyncio.gather(
        *[send(ann, place, 0, content) for place, (_, (_, content)) in zip(places, FILES, strict=True)]
    )
    assert [answer.status_code for answer in answers] == [204, 204]
    assert len((await ann.client.get("/api/v1/jobs")).json()["jobs"]) == 1
    assert contents(settings) == {"source": FIRST, "source-2": SECOND}


async def test_a_set_belongs_to_its_account_and_goes_with_each_of_its_files(api, ann, settings):
    ben = await api.person()
    hers, his = await begin_pair(ann), await begin_pair(ben)
    for place in hers:
        for answer in (
            await ben.client.get(place),
            await send(ben, place, 0, FIRST),
            await ben.client.delete(place, headers=TUS),
        ):
            assert answer.status_code == 404, answer.text
    assert (await send(ann, hers[0], 0, FIRST)).status_code == 204
    assert (await send(ben, his[1], 0, SECOND)).status_code == 204
    assert (await ann.client.delete(hers[1], headers=TUS)).status_code == 204
    assert (await ann.client.get(hers[0])).status_code == 404
    assert (await send(ben, his[0], 0, FIRST)).status_code == 204
    assert (await ann.client.get("/api/v1/jobs")).json()["jobs"] == []
    assert len((await ben.client.get("/api/v1/jobs")).json()["jobs"]) == 1


async def test_a_retry_cannot_leave_files_out(ann):
    job = (await post(ann)).json()
    await ann.client.post(f"/api/v1/jobs/{job['id']}/cancel")
    answer = await ann.client.post(f"/api/v1/jobs/{job['id']}/retry", json={"options": {"reads": False}})
    assert answer.json()["code"] == "request_invalid"


async def test_urls_become_one_job_whose_secrets_are_kept_for_each(api, ann, database_url):
    urls = [f"https://example.org/s_R{mate}.fastq.gz?token=hidden{mate}" for mate in (1, 2)]
    answer = await ann.client.post("/api/v1/jobs", json={"source_urls": urls})
    job = answer.json()
    assert answer.status_code == 202, job
    assert (job["plan"], job["further_files"]) == (["download", "process", "parse"], ["s_R2.fastq.gz"])
    assert "hidden" not in answer.text
    provenance = (await ann.client.get(f"/api/v1/jobs/{job['id']}/provenance")).text
    assert "s_R2.fastq.gz" in provenance
    assert "hidden" not in provenance
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT url, secret FROM upload_files").fetchall()
    assert [(url, api.services.sources.vault.decrypt(bytes(secret))["url"]) for url, secret in rows] == [
        ("https://example.org/s_R2.fastq.gz?token=\u2026", urls[1])
    ]
    text = f"url\turl2\tname\n{urls[0]}\t{urls[1]}\tpair\n{urls[0]} {urls[1]}\t\tcell\ns3://b/a.vcf\ts3://b/b.vcf\t\n"
    found = (await ann.client.post("/api/v1/manifests/preflight", content=text.encode())).json()
    assert [(line["sample_name"], len(line["further"])) for line in found["lines"]] == [("pair", 1), ("cell", 1)]
    assert [problem["line"] for problem in found["problems"]] == [4]


async def test_a_caller_that_the_engine_has_not_is_a_fault_of_its_line(ann):
    lines = [
        "url,caller,engine",
        *(f"https://example.org/{name}.bam,deepvariant,{name}" for name in ("cpu", "parabricks")),
    ]
    text = "\n".join(lines)
    found = (await ann.client.post("/api/v1/manifests/preflight", content=text.encode())).json()
    assert [line["line"] for line in found["lines"]] == [3], "the genome was installed a moment ago"
    assert [(problem["line"], problem["field"]) for problem in found["problems"]] == [(2, "caller")]


async def test_sex_chromosomes_are_an_option_of_the_stage_that_calls(ann):
    text = (
        "url,sex_chromosomes\nhttps://example.org/a.bam,XY\nhttps://example.org/b.bam,\nhttps://example.org/c.bam,y\n"
    )
    found = (await ann.client.post("/api/v1/manifests/preflight", content=text.encode())).json()
    assert [(problem["line"], problem["field"]) for problem in found["problems"]] == [(4, "sex_chromosomes")]
    job = (await post(ann, sex_chromosomes="XX")).json()
    assert job["options"]["sex_chromosomes"] == "xx"
    assert "sex_chromosomes" not in (await post(ann)).json()["options"], "as in jobs of before"
    before = parse_options(job["options"]).as_dict()
    assert stale_stages(before, {**before, "sex_chromosomes": "xy"}) == {Stage.PROCESS}
    assert stale_stages(before, parse_options({**before, "sex_chromosomes": "auto"}).as_dict()) == {Stage.PROCESS}


async def test_all_files_go_when_the_job_is_dismissed(api, ann, settings):
    job = (await post(ann)).json()
    await ann.client.post(f"/api/v1/jobs/{job['id']}/cancel")
    await sweep(api.services.pool, api.services.storage)
    assert set(contents(settings)) == {"source", "source-2"}
    await ann.client.delete(f"/api/v1/jobs/{job['id']}")
    await sweep(api.services.pool, api.services.storage)
    assert contents(settings) == {}
    storage = (await ann.client.get("/api/v1/storage")).json()
    assert storage["originals"] == 0
