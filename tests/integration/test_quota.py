"""Quotas: what does not fit is refused at the beginning, and no two at once pass the same account's quota."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from dataclasses import replace

import psycopg
import pytest
from tests.sources import web_source

from running import QUICK, serving
from varloom.errors import VarloomError
from varloom.services.account_quotas import parsed_quota, written_quota

QUOTA = 10_000
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"account_quota_bytes": QUOTA})


async def begin(person, size, name="large.csv"):
    named = base64.b64encode(name.encode()).decode()
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": f"filename {named}"}
    return await person.client.post("/api/v1/uploads", headers=headers)


async def send(person, size):
    return await person.client.post("/api/v1/jobs", files={"file": ("t.csv", b"a,b\n" * (size // 4))})


async def storage(person):
    return (await person.client.get("/api/v1/storage")).json()


async def owner_of(api):
    person = await api.person()
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET role = 'owner' WHERE id = %s", [person.account.id])
    return person


async def test_an_owner_gives_an_account_more_less_or_no_limit(api):
    owner, ann, ben = await owner_of(api), await api.person(), await api.person()
    user = f"/api/v1/users/{ann.account.id}"
    assert (await send(ann, QUOTA + 4)).status_code == 507
    changed = await owner.client.patch(user, json={"quota": QUOTA * 2})
    assert changed.json()["quota"] == (await storage(ann))["quota"] == QUOTA * 2
    answers = await asyncio.gather(*(send(ann, QUOTA - 400) for _ in range(6)), *(begin(ann, QUOTA) for _ in range(6)))
    assert sum(one.status_code < 300 for one in answers) == 2, "two fit, however many come at once"
    assert {one.status_code for one in answers if one.status_code >= 300} == {507}
    assert (await send(ben, QUOTA + 4)).status_code == 507, "another account keeps the server's"
    await owner.client.patch(user, json={"quota": "none"})
    assert (await storage(ann))["quota"] is None
    assert (await send(ann, QUOTA * 3)).status_code == 202
    await owner.client.patch(user, json={"name": "Ann of the lab"})
    assert (await storage(ann))["quota"] is None, "another change leaves it as it is"
    await owner.client.patch(user, json={"quota": "default"})
    assert (await storage(ann))["quota"] == QUOTA
    assert (await send(ann, 400)).json()["code"] == "quota_exceeded"
    for wrong in (0, -1, 2**63, "much", 1.5, True):
        assert (await owner.client.patch(user, json={"quota": wrong})).status_code == 422, wrong
    assert (await ann.client.patch(user, json={"quota": "none"})).status_code == 403


async def test_the_page_takes_amounts_as_people_write_them(api):
    owner, ann = await owner_of(api), await api.person()
    for text, quota in (("1.5 TB", 1_500_000_000_000), ("2GiB", 2**31), (" 700 ", 700), ("NONE", "none")):
        answer = await owner.client.post(f"/users/{ann.account.id}", data={"quota": text})
        assert answer.status_code == 200
        assert parsed_quota(written_quota(quota)) == quota
        assert f'value="{written_quota(quota)}"' in answer.text
        users = (await owner.client.get("/api/v1/users")).json()["users"]
        assert [one["quota"] for one in users if one["id"] == str(ann.account.id)] == [quota]
    for text in ("0", "-5 GB", "5 XB", "1e9", "0.1", "9" * 19 + " PB", "\u0665 GB", "<b>"):
        answer = await owner.client.post(f"/users/{ann.account.id}", data={"quota": text})
        assert "The quota is no amount" in answer.text, text
        assert "<b>" not in answer.text


async def test_what_does_not_fit_is_refused_at_the_beginning(api, settings):
    ann = await api.person()
    assert (await send(ann, 6_000)).status_code == 202
    for answer in (await begin(ann, 4_001), await send(ann, 4_004)):
        told = answer.json()
        assert (answer.status_code, told["code"]) == (507, "quota_exceeded")
        assert f"uses 6,000 of the {QUOTA:,} bytes" in told["detail"]
        assert "6,000 in original files" in told["detail"]
        assert told["resolution"]
        assert not told["retryable"]
    assert (await storage(ann)) == {
        "samples": 0,
        "tables": 0,
        "originals": 6_000,
        "results": 0,
        "begun": 0,
        "quota": QUOTA,
        "deleted": 0,
    }
    assert (await begin(await api.person(), QUOTA)).status_code == 201, "another account has its own"
    stored = [
        path for path in (settings.data / "storage").rglob("*") if path.is_file() and path.stat().st_size >= 4_000
    ]
    assert len(stored) == 1


async def test_what_is_announced_of_several_files_counts_once(api):
    """The length of a request is that of all its files."""
    ann = await api.person()

    async def chunks(size):
        yield b"x" * size

    async def receive(*sizes):
        async with api.services.uploads.intake(ann.account.id) as intake:
            for mate, size in enumerate(sizes, 1):
                await intake.receive(f"s_R{mate}.fastq", chunks(size), expected=min(sum(sizes), QUOTA))

    await receive(5_000, 4_900)
    with pytest.raises(VarloomError) as over:
        await receive(6_000, 4_001)
    assert over.value.code == "quota_exceeded"
    assert (await storage(ann))["originals"] == 0


async def test_files_that_are_larger_together_than_one_may_be_are_taken(api):
    ann = await api.person()
    settings = api.services.settings.model_copy(update={"max_upload_bytes": 5_000})
    uploads = replace(api.services.uploads, settings=settings)

    async def chunks(size):
        yield b"x" * size

    async with uploads.intake(ann.account.id) as intake:
        for mate in (1, 2):
            await intake.receive(f"s_R{mate}.fastq", chunks(4_000), expected=8_000)
        assert intake.names == ("s_R1.fastq", "s_R2.fastq")


async def test_begun_uploads_count_until_they_are_cancelled(api):
    ann = await api.person()
    begun = await begin(ann, 7_000)
    assert begun.status_code == 201
    assert (await begin(ann, 3_001)).json()["code"] == "quota_exceeded"
    assert (await storage(ann))["begun"] == 7_000
    page = await ann.client.get("/samples", headers={"Accept": "text/html"})
    assert "7 kB in uploads that are begun; 7 kB of 10.0 kB used" in page.text
    await ann.client.delete(begun.headers["location"], headers=TUS)
    assert (await begin(ann, QUOTA)).status_code == 201


async def test_a_begun_upload_has_its_room_to_the_end(api):
    ann = await api.person()
    begun = await begin(ann, QUOTA)
    headers = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    sent = await ann.client.patch(begun.headers["location"], content=b"a,b\n" * (QUOTA // 4), headers=headers)
    assert sent.status_code == 204, sent.text
    assert [job["source"]["bytes"] for job in (await ann.client.get("/api/v1/jobs")).json()["jobs"]] == [QUOTA]
    assert (await storage(ann))["originals"] == QUOTA
    assert (await storage(ann))["begun"] == 0


async def test_a_file_of_unknown_length_is_cut_where_the_quota_ends(api, settings):
    ann = await api.person()
    boundary = "varloom-test"
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="x.csv"\r\n\r\n'.encode()
    taken = 0

    async def body():
        nonlocal taken
        yield head
        for _ in range(1_000):
            yield b"a,b\n" * 1_000
            taken += 1

    headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
    answer = await ann.client.post("/api/v1/jobs", content=body(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (507, "quota_exceeded")
    assert (await storage(ann))["originals"] == 0
    assert [path for path in (settings.data / "storage").rglob("source*") if path.is_file()] == []


@pytest.mark.parametrize("way", [begin, send])
async def test_of_many_at_once_no_account_passes_its_quota(api, way):
    people = [await api.person(), await api.person()]
    answers = await asyncio.gather(*[way(person, 4_000) for _ in range(6) for person in people])
    for at, person in enumerate(people):
        statuses = Counter(answer.status_code for answer in answers[at::2])
        assert statuses[507] == 4, statuses
        use = await storage(person)
        assert use["originals"] + use["begun"] == 8_000


async def test_the_last_word_is_that_of_the_transaction(api):
    """Two servers do not know what arrives at the other one: the second file is refused when it is there."""
    from varloom.services.uploads import JobRequest, Uploads

    ann = await api.person()
    one, other = api.services.uploads, Uploads(api.services.pool, api.services.storage, api.services.settings)

    async def chunks():
        yield b"a,b\n" * 1_500

    async with one.intake(ann.account.id) as first, other.intake(ann.account.id) as second:
        await first.receive("first.csv", chunks())
        await second.receive("second.csv", chunks())
        made = await asyncio.gather(
            first.create_job(JobRequest()), second.create_job(JobRequest()), return_exceptions=True
        )
    assert sorted(getattr(one, "code", "made") for one in made) == ["made", "quota_exceeded"]
    assert (await storage(ann))["originals"] == 6_000


async def test_without_any_room_no_url_becomes_a_job(api, database_url):
    ann = await api.person()
    assert (await send(ann, QUOTA)).status_code == 202
    single = await ann.client.post("/api/v1/jobs", json={"source_url": "s3://bucket/x.vcf"})
    many = await ann.client.post("/api/v1/manifests", content=b"url\ns3://bucket/x.vcf\n")
    assert [answer.json()["code"] for answer in (single, many)] == ["quota_exceeded"] * 2
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (1,)
        assert connection.execute("SELECT count(*) FROM manifests").fetchone() == (0,)


TABLE = b"a,b\n" + b"1,2\n" * 30_000
"""Its table takes far less."""


@pytest.fixture(scope="module")
def source():
    with web_source() as opened:
        opened.serve("/one.csv", TABLE)
        opened.serve("/two.csv", TABLE)
        yield opened


def test_downloads_stay_within_the_quota(data_folder, source):
    quota = {"VARLOOM_ACCOUNT_QUOTA_BYTES": str(int(len(TABLE) * 1.5)), "VARLOOM_ALLOWED_ENDPOINTS": source.endpoint}
    with serving(data_folder, **quota, **QUICK) as server:
        manifest = f"url\n{source.url('/one.csv')}\n{source.url('/two.csv')}\n"
        made = server.client.post("manifests", content=manifest.encode()).raise_for_status().json()
        ended = [server.at_rest(job["id"]) for job in made["jobs"]]
        assert sorted(job["state"] for job in ended) == ["completed", "failed"]
        (error,) = [job["error"] for job in ended if job["error"]]
        assert (error["code"], error["stage"]) == ("quota_exceeded", "download")
        assert error["resolution"]
        used = server.client.get("storage").json()
        assert used["originals"] == len(TABLE)
