"""URLs that become jobs: what is kept of them, and what is never told. No worker runs here, so nothing is fetched."""

from __future__ import annotations

import json
import stat

import psycopg

from varloom.services.sources import vault_of

CANARY = "canary-7c41"
SIGNED = f"https://bucket.s3.amazonaws.com/data/NA1.vcf.gz?X-Amz-Credential=A&X-Amz-Signature={CANARY}"
SHOWN = "https://bucket.s3.amazonaws.com/data/NA1.vcf.gz?X-Amz-Credential=\u2026&X-Amz-Signature=\u2026"


async def submit(person, url=SIGNED, headers=None, **asked):
    return await person.client.post("/api/v1/jobs", json={"source_url": url, **asked}, headers=headers or {})


async def test_a_url_becomes_a_job_that_waits_for_its_download(api):
    ann = await api.person()
    answer = await submit(ann, "s3://bucket/data/NA1.vcf.gz", options={"assembly": "hg38"}, priority=5)
    job = answer.json()
    assert answer.status_code == 202, job
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    assert (job["state"], job["stage"], job["plan"]) == ("queued", "download", ["download", "parse"])
    assert job["source"] == {"kind": "url", "name": "NA1.vcf.gz", "bytes": None}
    assert (job["sample_name"], job["priority"], job["options"]["assembly"]) == ("NA1", 5, "GRCh38")


async def test_the_secret_of_a_url_is_kept_encrypted_and_told_nowhere(api, settings, database_url):
    ann = await api.person()
    job = (await submit(ann, sample_name="kept")).json()
    told = [
        await ann.client.get(f"/api/v1/jobs/{job['id']}{path}") for path in ("", "/events", "/provenance", "/report")
    ]
    told.append(await ann.client.get("/api/v1/jobs"))
    assert CANARY not in "".join(answer.text for answer in told)
    with psycopg.connect(database_url) as connection:
        tables = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        rows = {name: str(connection.execute(f"SELECT t::text FROM {name} AS t").fetchall()) for name in tables}
        secret = connection.execute("SELECT secret FROM upload_secrets").fetchone()[0]
        shown = connection.execute("SELECT url FROM uploads").fetchone()[0]
    assert [name for name, text in rows.items() if CANARY in text or CANARY.encode().hex() in text] == []
    assert shown == SHOWN
    assert vault_of(settings).decrypt(secret) == {"url": SIGNED}
    key_file = settings.data / "secret.key"
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600


async def test_a_url_without_secrets_has_nothing_encrypted(api, database_url):
    ann = await api.person()
    await submit(ann, "https://example.org/NA1.vcf")
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM upload_secrets").fetchone() == (0,)


async def test_the_same_key_gives_the_same_job(api):
    ann = await api.person()
    key = {"Idempotency-Key": "once"}
    first, second = [(await submit(ann, headers=key)).json()["id"] for _ in range(2)]
    assert first == second
    other = await submit(ann, "s3://bucket/other.vcf", headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    answers = [
        await submit(ann, f"https://example.org/get?file={number}", headers={"Idempotency-Key": "by query"})
        for number in (1, 1, 2)
    ]
    assert [answer.status_code for answer in answers] == [202, 202, 409], "what is not shown tells files apart"
    signed = [
        await submit(ann, SIGNED + again, headers={"Idempotency-Key": "signed"})
        for again in ("", "-by another signature")
    ]
    assert signed[0].json()["id"] == signed[1].json()["id"]


async def test_a_refused_url_is_told_without_what_it_holds(api):
    ann = await api.person()
    answer = await submit(ann, f"ftp://user:{CANARY}@example.org/x.vcf?{CANARY}")
    assert answer.json()["code"] == "source_url_invalid"
    assert CANARY not in json.dumps(answer.json())


async def test_plain_http_is_for_listed_hosts_alone(api):
    ann = await api.person()
    answer = await submit(ann, "http://example.org/x.vcf")
    assert answer.json()["code"] == "source_url_invalid"
    assert "https://" in answer.json()["detail"]


async def test_urls_tell_what_they_are_before_they_are_loaded(api):
    ann, bob = await api.person(), await api.person()
    keys = {"access_key": "AKIA1", "secret_key": "x"}
    for name, scope in (("lab", "s3://bucket"), ("other", "s3://elsewhere"), ("all", "s3://")):
        new = {"name": name, "kind": "s3", "scope": scope, "values": keys}
        (await ann.client.post("/api/v1/credentials", json=new)).raise_for_status()

    async def look(person, *urls):
        return await person.client.post("/api/v1/sources/preflight", json={"urls": urls})

    texts = ("s3://bucket/data/NA1.vcf.gz", SIGNED, f"user:{CANARY}@host", "s3://bucket/", "http://host/x.vcf")
    answer = await look(ann, *texts)
    found, signed, none, *others = answer.json()["sources"]
    assert answer.json()["stored_credentials"] == 3
    assert (found["name"], found["sample_name"], found["credentials"]) == ("NA1.vcf.gz", "NA1", ["all", "lab"])
    assert (signed["url"], signed["has_access"], signed["credentials"]) == (SHOWN, True, [])
    assert {one["error"]["code"] for one in (none, *others)} == {"source_url_invalid"}
    assert none["error"]["resolution"]
    assert none["url"] is none["name"] is None
    assert CANARY not in answer.text
    own = (await look(bob, "s3://bucket/data/NA1.vcf.gz")).json()
    assert (own["sources"][0]["credentials"], own["stored_credentials"]) == ([], 0)
    assert (await look(ann, *["s3://bucket/x.vcf"] * 101)).status_code == 422
    assert (await ann.client.get("/api/v1/jobs")).json()["jobs"] == []
