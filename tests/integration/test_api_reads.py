"""Jobs of several files over real HTTP: in one request, in portions as a set, and from URLs."""

from __future__ import annotations

import psycopg
import pytest
from api_support import VCF
from test_api_resumable import begin, send
from test_api_uploads import stored

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.pipeline.sweep import sweep

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


async def test_what_is_not_the_reads_of_one_sample_is_refused(api, ann, settings, tmp_path):
    two = [("file", ("a.vcf", VCF)), ("file", ("b.vcf", VCF))]
    for files, fields, code in (
        (two, {}, "request_invalid"),
        (FILES, {"reads": "no"}, "request_invalid"),
        (FILES, {"reference": "other"}, "reference_genome_missing"),
        (FILES, {"assembly": "GRCh37"}, "reference_genome_missing"),
        (FILES, {"caller": "x"}, "request_invalid"),
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
    for fields in ({"set": "x"}, {"set": "x", "position": 3, "files": 2}, {"position": 1}):
        assert (await begin(ann, 4, filename="a.fastq", **fields)).json()["code"] == "request_invalid", fields


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
