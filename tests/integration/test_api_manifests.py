"""Manifests over HTTP: all lines or none, each fault with its place, no second set of jobs. No worker runs here."""

from __future__ import annotations

import asyncio
import json

import psycopg
import pytest
from api_support import event_stream

CANARY = "canary-91d0"
SIGNED = f"https://bucket.s3.amazonaws.com/data/NA9.vcf.gz?X-Amz-Credential=A&X-Amz-Signature={CANARY}"
GOOD = (
    "# the second batch\n"
    "name\turl\tpriority\tassembly\tsplit_by_sample\tcredential\n"
    "\n"
    "First\ts3://bucket/NA1.vcf.gz\t5\thg19\tyes\tlab\n"
    "\tgs://other/NA2.vcf.gz\t\t\t\t\n"
    '"Quoted ""third"""\thttps://example.org/a,b;c.vcf?file=3\t-7\tGRCh38\tno\t\n'
)


async def post(person, text, where="", headers=None, **parameters):
    content = text if isinstance(text, bytes) else text.encode()
    sent = {"Content-Type": "text/csv", **(headers or {})}
    return await person.client.post(f"/api/v1/manifests{where}", content=content, headers=sent, params=parameters)


async def jobs_of(person):
    return (await person.client.get("/api/v1/jobs", params={"limit": 100})).json()["jobs"]


async def store_credential(person, name="lab", scope="s3://bucket"):
    new = {"name": name, "kind": "s3", "scope": scope, "values": {"access_key": "AKIA1", "secret_key": "x"}}
    (await person.client.post("/api/v1/credentials", json=new)).raise_for_status()


async def test_every_line_becomes_a_job_in_the_order_of_the_lines(api):
    ann, bob = await api.person(), await api.person()
    await store_credential(ann)
    answer = await post(ann, GOOD)
    made = answer.json()
    assert answer.status_code == 202, made
    assert [(one["line"], one["sample_name"]) for one in made["jobs"]] == [
        (4, "First"),
        (5, "NA2"),
        (6, 'Quoted "third"'),
    ]
    first, second, third = reversed(await jobs_of(ann))
    assert [first["id"], second["id"], third["id"]] == [one["id"] for one in made["jobs"]]
    assert first["options"] == {"assembly": "GRCh37", "split_by_sample": True, "credential": "lab"}
    assert (first["priority"], first["stage"], first["plan"]) == (5, "download", ["download", "parse"])
    assert second["options"] == {"assembly": None, "split_by_sample": False}
    assert (third["source"]["name"], third["priority"]) == ("a,b;c.vcf", -7)
    history = (await ann.client.get(f"/api/v1/jobs/{first['id']}/events")).json()["events"]
    assert [event["message"] for event in history] == ["Waiting for a download slot."]
    assert await jobs_of(bob) == []


async def test_tickets_are_there_for_all_of_them(api, database_url):
    ann = await api.person()
    await post(ann, "url\n" + "\n".join(f"s3://bucket/{number}.vcf" for number in range(7)))
    with psycopg.connect(database_url) as connection:
        query = "SELECT queue_name, status::text, count(*) FROM procrastinate_jobs GROUP BY 1, 2"
        assert connection.execute(query).fetchall() == [("download", "todo", 7)]


FAULTY = """\
url,name,assembly,split_by_sample,credential,priority
s3://bucket/fine.vcf,,,,,
/home/ann/mine.vcf,,,,,
file:///etc/passwd,,,,,
s3://bucket/,,,,,
s3://bucket/x.vcf,"bad\x07name",hg20,perhaps,,5000
s3://bucket/short.vcf,,
s3://bucket/"quoted".vcf,"open,,,,
,nothing,,,,
s3://bucket/fine.vcf,,,,,
s3://elsewhere/y.vcf,,,,lab,
s3://bucket/y.vcf,,,,gone,
{signed},,,,lab,
http://example.org/x.vcf,,,,,
s3://bucket/z.vcf,{signed},,,,
""".replace("{signed}", SIGNED)


async def test_all_faults_are_told_at_once_and_nothing_is_created(api, database_url):
    ann = await api.person()
    await store_credential(ann)
    answer = await post(ann, FAULTY)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (422, "manifest_lines_invalid")
    assert told["detail"] == "16 faults in 13 of 14 lines. Nothing was created."
    assert [(one["line"], one["column"], one["field"], one["code"]) for one in told["problems"]] == [
        (3, 1, "url", "manifest_source_local"),
        (4, 1, "url", "manifest_source_local"),
        (5, 1, "url", "source_url_invalid"),
        (6, 2, "name", "sample_name_invalid"),
        (6, 3, "assembly", "manifest_value_invalid"),
        (6, 4, "split_by_sample", "manifest_value_invalid"),
        (6, 6, "priority", "manifest_value_invalid"),
        (7, None, None, "manifest_line_malformed"),
        (8, None, None, "manifest_line_malformed"),
        (9, 1, "url", "manifest_value_invalid"),
        (10, 1, "url", "manifest_line_repeated"),
        (11, 5, "credential", "credential_not_for_url"),
        (12, 5, "credential", "credential_not_found"),
        (13, 5, "credential", "manifest_value_invalid"),
        (14, 1, "url", "source_url_invalid"),
        (15, 2, "name", "manifest_value_invalid"),
    ]
    assert all(one["resolution"] and one["message"] for one in told["problems"])
    assert CANARY not in answer.text
    found = (await post(ann, FAULTY, "/preflight")).json()
    assert found["problems"] == told["problems"]
    assert (found["total"], found["faulty"], [one["line"] for one in found["lines"]]) == (14, 13, [2])
    assert await jobs_of(ann) == []
    with psycopg.connect(database_url) as connection:
        for table in ("uploads", "upload_secrets", "manifests", "procrastinate_jobs"):
            assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


async def test_faulty_lines_are_left_out_where_that_is_asked_for(api):
    ann = await api.person()
    made = (await post(ann, "url,priority\ns3://bucket/a.vcf,\ns3://bucket/b.vcf,high\n", skip_faulty=True)).json()
    assert [one["line"] for one in made["jobs"]] == [2]
    assert (made["faulty"], made["problems"][0]["line"]) == (1, 3)
    answer = await post(ann, "url,priority\ns3://bucket/b.vcf,high\n", skip_faulty=True)
    assert answer.json()["code"] == "manifest_lines_invalid", "with no line left there is nothing to create"
    assert len(await jobs_of(ann)) == 1


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "manifest_unreadable", "no lines"),
        ("# only a comment\n\n", "manifest_unreadable", "no lines"),
        ("url\n", "manifest_unreadable", "no lines below"),
        (b"\x1f\x8b\x08\x00packed", "manifest_unreadable", "Line 1 is not UTF-8"),
        (b"url\ns3://bucket/\xfc.vcf", "manifest_unreadable", "Line 2 is not UTF-8"),
        ("url\ns3://b\0", "manifest_unreadable", "NUL"),
        ("name,assembly\nx,hg19", "manifest_header_invalid", "no column 'url'"),
        ("url,asembly\nx,hg19", "manifest_header_invalid", "no column 'asembly'"),
        ("url,pgxx\nx,yes", "manifest_header_invalid", "no column 'pgxx'"),
        ("url,name,Sample Name\nx,y,z", "manifest_header_invalid", "'Sample Name' and 'name' are the same column"),
        ("url,,name\nx,y,z", "manifest_header_invalid", "has no name"),
        (SIGNED + "\n" + SIGNED, "manifest_header_invalid", "The first line is a URL"),
        ("url\n" + "s3://bucket/x.vcf\n" * 10_001, "manifest_too_large", "more than 10,000 lines"),
        ("url\n" + "\n" * 100_001, "manifest_too_large", "blank ones and comments"),
        ("url\t" * 20_000 + "\nx", "manifest_header_invalid", "longer than 65,536"),
        (b"url\n" + b"#" * 32 * 1024 * 1024, "manifest_too_large", "33,554,432 bytes"),
    ],
)
async def test_what_is_no_manifest_is_refused_whole(api, text, code, words):
    ann = await api.person()
    for where in ("", "/preflight"):
        answer = await post(ann, text, where, skip_faulty=True)
        assert answer.json()["code"] == code, answer.text
        assert words in answer.json()["detail"]
        assert CANARY not in answer.text
    assert await jobs_of(ann) == []


async def test_at_most_fifty_faults_are_told(api):
    ann = await api.person()
    told = (await post(ann, "url\n" + "".join(f"nothing/{number}\n" for number in range(60)))).json()
    assert len(told["problems"]) == 50
    assert told["detail"] == "60 faults in 60 of 60 lines. Nothing was created. The first 50 are told."


async def test_the_preflight_tells_what_each_line_would_be(api):
    ann = await api.person()
    await store_credential(ann)
    answer = await post(ann, GOOD + f"\t{SIGNED}\t\t\t\t\n", "/preflight", assembly="GRCh38", priority=3)
    assert CANARY not in answer.text
    first, second, _, signed = answer.json()["lines"]
    assert first == {
        "line": 4,
        "url": "s3://bucket/NA1.vcf.gz",
        "name": "NA1.vcf.gz",
        "sample_name": "First",
        "assembly": "GRCh37",
        "annotate": None,
        "split_by_sample": True,
        "credential": "lab",
        "priority": 5,
        "further": [],
        "pgx": False,
        "reference": None,
        "alignment_format": "bam",
        "sex_chromosomes": "auto",
    }
    assert (second["sample_name"], second["assembly"], second["priority"]) == ("NA2", "GRCh38", 3)
    assert (signed["line"], signed["name"]) == (7, "NA9.vcf.gz")
    assert await jobs_of(ann) == []
    wrong = await post(ann, GOOD, "/preflight", assembly="hg20")
    assert (wrong.status_code, wrong.json()["code"]) == (422, "request_invalid")


async def test_the_same_key_makes_no_second_set(api):
    ann, bob = await api.person(), await api.person()
    key = {"Idempotency-Key": "batch 2"}
    text = f"url,name\n{SIGNED},\nhttps://example.org/get?file=1,one\n"
    answers = await asyncio.gather(*[post(ann, text, headers=key) for _ in range(4)])
    made = [answer.json() for answer in answers]
    assert [answer.status_code for answer in answers] == [202] * 4, made
    assert sorted(one["is_new"] for one in made) == [False, False, False, True]
    assert all(one["jobs"] == made[0]["jobs"] for one in made)
    assert len(await jobs_of(ann)) == 2
    again = await post(ann, text.replace(CANARY, "signed anew"), headers=key)
    assert again.json()["jobs"] == made[0]["jobs"], "a URL that was signed anew is the same"
    for other in (text.replace("file=1", "file=2"), text.replace(",one", ",two"), text + "s3://bucket/more.vcf,\n"):
        answer = await post(ann, other, headers=key)
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
    assert len(await jobs_of(ann)) == 2
    assert (await post(bob, text, headers=key)).json()["is_new"], "another account's key is another one"


async def test_secrets_of_urls_are_kept_encrypted_and_told_nowhere(api, settings, database_url):
    from varloom.services.sources import vault_of

    ann = await api.person()
    answer = await post(ann, f"url\n{SIGNED}\n", headers={"Idempotency-Key": "k"})
    job = answer.json()["jobs"][0]["id"]
    told = [await ann.client.get(f"/api/v1/jobs/{job}{path}") for path in ("", "/events", "/provenance", "/report")]
    assert CANARY not in "".join([answer.text, *(one.text for one in told)])
    with psycopg.connect(database_url) as connection:
        tables = [name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        rows = {name: str(connection.execute(f"SELECT t::text FROM {name} AS t").fetchall()) for name in tables}
        secret = connection.execute("SELECT secret FROM upload_secrets").fetchone()[0]
    assert [name for name, text in rows.items() if CANARY in text or CANARY.encode().hex() in text] == []
    assert vault_of(settings).decrypt(secret) == {"url": SIGNED}


async def test_ten_thousand_lines_are_one_transaction(api):
    """And their events are those of jobs that were created one by one: numbered without gaps, in the order of lines."""
    ann = await api.person()
    url = "https://bucket.s3.amazonaws.com/data/NA{}.vcf.gz?X-Amz-Signature=0123456789abcdef"
    text = "url,name\n" + "".join(url.format(number) + f",Sample {number}\n" for number in range(10_000))
    ann.client.timeout = 120
    answer = await post(ann, text, headers={"Idempotency-Key": "large"})
    made = answer.json()["jobs"]
    assert len(made) == 10_000
    assert (await post(ann, text, headers={"Idempotency-Key": "large"})).json()["jobs"] == made
    async with api.services.pool.connection() as conn:
        query = "SELECT count(*), min(id), max(id), count(DISTINCT job_id) FROM job_events WHERE account_id = %s"
        assert await (await conn.execute(query, [ann.account.id])).fetchone() == (10_000, 1, 10_000, 10_000)
    newest = await jobs_of(ann)
    assert [job["sample_name"] for job in newest] == [f"Sample {number}" for number in range(9_999, 9_899, -1)]
    oldest = (await ann.client.get(f"/api/v1/jobs/{made[0]['id']}")).json()
    assert oldest["queue_position"] == 0


async def test_panels_begin_anew_rather_than_being_told_of_thousands_of_jobs(api):
    ann = await api.person()
    ann.client.timeout = 120
    text = "url\n" + "".join(f"s3://bucket/{number}.vcf\n" for number in range(2_500))
    async with event_stream(ann.client) as stream:
        last = int((await stream.until("snapshot"))[-1].id)
        made = (await post(ann, text)).json()["jobs"]
        told = []
        while (event := await stream.next(60)) is not None:
            told.append(event)
    assert len(told) < 1_000
    async with event_stream(ann.client, last) as stream:
        missed = [await stream.job_with_id() for _ in made]
    assert [number for number, _ in missed] == list(range(last + 1, last + 2_501))
    assert [job["id"] for _, job in missed] == [one["id"] for one in made]


async def test_who_asks_must_be_known(api):
    stranger = await api.client()
    answer = await stranger.post("/api/v1/manifests", content=b"url\ns3://bucket/x.vcf")
    assert answer.status_code == 401
    document = (await (await api.person()).client.get("/api/v1/openapi.json")).json()
    assert "/api/v1/manifests/preflight" in document["paths"]
    assert json.dumps(document).count("ManifestJobs") >= 2
