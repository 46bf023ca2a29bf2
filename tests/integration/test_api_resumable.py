"""Uploads over several requests, over real HTTP: tus 1.0 by its text, and jobs like those of POST /api/v1/jobs."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from base64 import b64encode
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from api_support import VCF
from test_api_uploads import stored

from varloom.errors import VarloomError
from varloom.services import arrival, preflights, resumable_rows
from varloom.services.resumable import ResumableUploads
from varloom.services.storage_mark import MARK
from varloom.storage import incoming

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = {**TUS, "Content-Type": "application/offset+octet-stream"}
CONTENT = VCF + b"".join(b"chr1\t%d\t.\tA\tC\t50\tPASS\tDP=1\n" % (1000 + number) for number in range(60_000))


def metadata(**fields):
    pairs = [f"{name} {b64encode(str(value).encode()).decode()}" for name, value in fields.items()]
    return {"Upload-Metadata": ",".join(pairs)}


async def begin(person, size=None, headers=None, **fields):
    fields.setdefault("filename", "a.vcf")
    given = {
        **TUS,
        "Upload-Length": str(len(CONTENT) if size is None else size),
        **metadata(**fields),
        **(headers or {}),
    }
    return await person.client.post("/api/v1/uploads", headers=given)


async def send(person, url, offset, content, **headers):
    given = {**BYTES, "Upload-Offset": str(offset), **{name.replace("_", "-"): text for name, text in headers.items()}}
    return await person.client.patch(url, content=content, headers=given)


async def offset_of(person, url):
    answer = await person.client.head(url, headers=TUS)
    assert answer.status_code == 200, answer.status_code
    return int(answer.headers["upload-offset"])


def spooled(settings):
    return sorted((settings.data / "storage" / ".arriving").glob("*"))


async def test_a_file_in_portions_becomes_the_job_that_one_request_makes(api, settings):
    ann = await api.person()
    begun = await begin(ann, sample_name="Naïve ☃", assembly="hg38", split_by_sample="true", priority=7)
    assert begun.status_code == 201, begun.text
    assert begun.headers["tus-resumable"] == "1.0.0"
    assert begun.headers["upload-expires"].endswith("GMT")
    url = begun.headers["location"]
    for start in range(0, len(CONTENT), 300_000):
        assert await offset_of(ann, url) == start
        answer = await send(ann, url, start, CONTENT[start : start + 300_000])
        assert answer.status_code == 204, answer.text
        assert answer.headers["upload-offset"] == str(min(len(CONTENT), start + 300_000))
    view = (await ann.client.get(url)).json()
    job = view["job"]
    plain = await ann.upload(CONTENT, "a.vcf", options=json.dumps({"assembly": "GRCh38", "split_by_sample": True}))
    for key in ("source", "options", "state", "stage", "plan", "max_attempts"):
        assert job[key] == plain[key]
    assert (job["sample_name"], job["priority"]) == ("Naïve ☃", 7)
    assert (await ann.client.get("/api/v1/uploads")).json() == {"uploads": []}
    keys = stored(settings)
    assert [(settings.data / "storage" / key).read_bytes() == CONTENT for key in keys] == [True, True]
    async with api.services.pool.connection() as conn:
        sums = await (await conn.execute("SELECT DISTINCT sha256 FROM uploads")).fetchall()
    assert sums == [(hashlib.sha256(CONTENT).hexdigest(),)]
    assert spooled(settings) == []
    assert await offset_of(ann, url) == len(CONTENT), "it still says that all is there"


async def test_the_server_says_what_it_can(api, settings):
    ann = await api.person()
    answer = await ann.client.options("/api/v1/uploads")
    assert answer.status_code == 204
    assert answer.headers["tus-version"] == "1.0.0"
    assert set(answer.headers["tus-extension"].split(",")) == {"creation", "expiration", "checksum", "termination"}
    assert answer.headers["tus-max-size"] == str(settings.max_upload_bytes)
    assert "sha1" in answer.headers["tus-checksum-algorithm"].split(",")


REFUSED = {
    "no version": ({"Tus-Resumable": "0.2.2"}, {}, 412, "tus_version_unsupported"),
    "empty": ({"Upload-Length": "0"}, {}, 422, "upload_empty"),
    "too large": ({"Upload-Length": "5000001"}, {}, 413, "upload_too_large"),
    "no length": ({"Upload-Length": "-1"}, {}, 422, "request_invalid"),
    "no Base64": ({"Upload-Metadata": "filename %%"}, {}, 422, "request_invalid"),
    "annotation": ({}, {"annotate": "small"}, 409, "reference_data_missing"),
    "unknown option": ({}, {"asembly": "GRCh38"}, 422, "option_unknown"),
    "name": ({}, {"sample_name": "a\x1b[2Jb"}, 422, "sample_name_invalid"),
}


async def test_what_cannot_become_a_job_is_refused_before_a_byte_is_sent(api, settings, subtests):
    ann = await api.person()
    for case, (headers, fields, status, code) in REFUSED.items():
        with subtests.test(case):
            answer = await begin(ann, headers=headers, **fields)
            assert (answer.status_code, answer.json()["code"]) == (status, code)
            assert answer.headers["tus-resumable"] == "1.0.0"
    assert spooled(settings) == []


async def test_what_does_not_fit_beside_what_is_on_its_way_is_refused_up_front(api, settings, monkeypatch):
    ann = await api.person()
    monkeypatch.setattr(incoming, "check_space", incoming.check_space)
    seen = []

    def check(folder, wanted, reserve):
        seen.append(wanted)
        if wanted > 6_000_000:
            raise incoming.VarloomError(incoming.STORAGE_FULL, "no room")

    monkeypatch.setattr("varloom.storage.spool.check_space", check)
    first = await begin(ann, size=4_000_000)
    assert first.status_code == 201
    await send(ann, first.headers["location"], 0, b"x" * 1000)
    second = await begin(ann, size=4_000_000)
    assert (second.status_code, second.json()["code"]) == (507, "storage_full")
    assert seen[-1] == 4_000_000 + 4_000_000 - 1000
    assert len(spooled(settings)) == 1
    await ann.client.delete(first.headers["location"], headers=TUS)
    assert (await begin(ann, size=4_000_000)).status_code == 201


async def test_bytes_are_taken_only_where_the_upload_goes_on(api):
    ann = await api.person()
    url = (await begin(ann)).headers["location"]
    await send(ann, url, 0, CONTENT[:1000])
    for offset in (0, 999, 1001, len(CONTENT)):
        answer = await send(ann, url, offset, CONTENT[offset : offset + 10])
        assert (answer.status_code, answer.json()["code"]) == (409, "upload_offset_wrong")
    wrong = await ann.client.patch(url, content=b"x", headers={**TUS, "Upload-Offset": "1000"})
    assert (wrong.status_code, wrong.json()["code"]) == (415, "upload_media_type_wrong")
    longer = await send(ann, url, 1000, CONTENT[1000:] + b"x")
    assert (longer.status_code, longer.json()["code"]) == (422, "request_invalid")
    reached = await offset_of(ann, url)
    assert 1000 <= reached < len(CONTENT)
    assert (await send(ann, url, reached, CONTENT[reached:])).status_code == 204
    job = (await ann.client.get(url)).json()["job"]
    assert job["source"]["bytes"] == len(CONTENT)


async def test_a_share_with_a_wrong_checksum_is_not_kept(api, settings):
    ann = await api.person()
    url = (await begin(ann)).headers["location"]
    for algorithm in arrival.CHECKSUMS:
        start = await offset_of(ann, url)
        share = CONTENT[start : start + 100_000]
        right = b64encode(hashlib.new(algorithm, share).digest()).decode()
        answer = await send(ann, url, start, share[:-1] + b"?", Upload_Checksum=f"{algorithm} {right}")
        assert (answer.status_code, answer.json()["code"]) == (460, "upload_checksum_wrong")
        assert await offset_of(ann, url) == start
        assert (await send(ann, url, start, share, Upload_Checksum=f"{algorithm} {right}")).status_code == 204
    assert (await send(ann, url, 300_000, b"", Upload_Checksum="crc7 AAAA")).json()["code"] == "request_invalid"
    assert (await send(ann, url, 300_000, CONTENT[300_000:])).status_code == 204
    [key] = stored(settings)
    assert (settings.data / "storage" / key).read_bytes() == CONTENT


async def test_a_broken_connection_keeps_what_came(api, settings):
    ann = await api.person()
    url = (await begin(ann)).headers["location"]
    [path] = spooled(settings)

    async def part():
        yield CONTENT[:500_000]
        await asyncio.sleep(3600)

    sending = asyncio.create_task(send(ann, url, 0, part()))
    async with asyncio.timeout(20):
        while path.stat().st_size == 0:
            await asyncio.sleep(0.01)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    reached = await offset_of(ann, url)
    assert 0 < reached <= 500_000
    assert (await send(ann, url, reached, CONTENT[reached:])).status_code == 204
    assert (await ann.client.get(url)).json()["job"] is not None


async def test_who_comes_next_waits_until_what_came_is_kept(api, settings, monkeypatch):
    ann = await api.person()
    url = (await begin(ann)).headers["location"]
    [path] = spooled(settings)
    note, noting = resumable_rows.note_durable, asyncio.Event()

    async def slowly(*arguments):
        noting.set()
        async with asyncio.timeout(20):
            while not api.services.resumable._arrivals[UUID(path.name)].waiting:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0)
        await note(*arguments)

    async def part():
        yield CONTENT[:200_000]
        async with asyncio.timeout(20):
            while path.stat().st_size == 0:
                await asyncio.sleep(0.01)
        raise ConnectionError

    monkeypatch.setattr(resumable_rows, "note_durable", slowly)
    with pytest.raises(ConnectionError):
        await send(ann, url, 0, part())
    await noting.wait()
    assert 0 < await offset_of(ann, url) <= 200_000


async def test_the_newest_request_has_the_upload_to_itself(api, settings):
    """As when a browser goes on while the server has not noticed that the old connection is dead."""
    ann = await api.person()
    url = (await begin(ann)).headers["location"]
    [path] = spooled(settings)
    end = asyncio.Event()

    async def hanging():
        yield CONTENT[:200_000]
        await end.wait()
        yield CONTENT[200_000:]

    sending = asyncio.create_task(send(ann, url, 0, hanging()))
    async with asyncio.timeout(20):
        while path.stat().st_size == 0:
            await asyncio.sleep(0.01)
    reached = await offset_of(ann, url)
    assert 0 < reached <= 200_000
    assert (await send(ann, url, reached, CONTENT[reached:])).status_code == 204
    end.set()
    late = await sending
    assert (late.status_code, late.json()["code"]) == (423, "upload_locked")
    assert (await ann.client.get(url)).json()["job"]["source"]["bytes"] == len(CONTENT)


async def test_nobody_gives_way_to_another_account(api, settings):
    ann, bob = await api.person(), await api.person()
    url = (await begin(ann)).headers["location"]
    [path] = spooled(settings)
    end = asyncio.Event()

    async def slowly():
        yield CONTENT[:200_000]
        await end.wait()
        yield CONTENT[200_000:]

    sending = asyncio.create_task(send(ann, url, 0, slowly()))
    async with asyncio.timeout(20):
        while path.stat().st_size == 0:
            await asyncio.sleep(0.01)
    for asked in (bob.client.head(url, headers=TUS), send(bob, url, 0, b"x"), bob.client.delete(url, headers=TUS)):
        assert (await asked).status_code == 404
    end.set()
    assert (await sending).status_code == 204


async def test_of_two_servers_none_cuts_off_what_the_other_has_promised(api, settings):
    ann = await api.person()
    url = (await begin(ann)).headers["location"]
    own = api.services.resumable
    other = ResumableUploads(own._pool, own._storage, own._uploads, settings)
    async with own._pool.connection() as conn:
        [account_id, upload_id] = await (await conn.execute("SELECT account_id, id FROM resumable_uploads")).fetchone()
    seen = [await own.get(account_id, upload_id)]
    wanted = other._wanted

    async def as_it_was_a_moment_ago(*arguments):
        return seen.pop() if seen else await wanted(*arguments)

    other._wanted = as_it_was_a_moment_ago
    assert (await send(ann, url, 0, CONTENT[:400_000])).status_code == 204

    async def wrong():
        yield b"?" * 1000

    with pytest.raises(VarloomError) as caught:
        await other.receive(account_id, upload_id, 0, wrong())
    assert caught.value.code == "upload_offset_wrong"
    assert await offset_of(ann, url) == 400_000
    assert (await send(ann, url, 400_000, CONTENT[400_000:])).status_code == 204
    [key] = stored(settings)
    assert (settings.data / "storage" / key).read_bytes() == CONTENT


async def test_an_account_sees_only_its_own(api):
    ann, bob = await api.person(), await api.person()
    url = (await begin(ann)).headers["location"]
    assert (await bob.client.get("/api/v1/uploads")).json() == {"uploads": []}
    answers = [
        await bob.client.get(url),
        await bob.client.head(url, headers=TUS),
        await send(bob, url, 0, CONTENT),
        await bob.client.delete(url, headers=TUS),
        await bob.client.post(f"{url}/options", json={"sample_name": "mine"}),
    ]
    assert {answer.status_code for answer in answers} == {404}
    [mine] = (await ann.client.get("/api/v1/uploads")).json()["uploads"]
    assert (mine["offset"], mine["sample_name"]) == (0, "a")


async def test_the_same_key_gives_the_same_upload_and_job(api):
    ann = await api.person()
    key = {"Idempotency-Key": "one"}
    url = (await begin(ann, headers=key)).headers["location"]
    await send(ann, url, 0, CONTENT[:1000])
    again = await begin(ann, headers=key)
    assert (again.headers["location"], again.headers["upload-offset"]) == (url, "1000")
    other = await begin(ann, size=len(CONTENT) + 1, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    await send(ann, url, 1000, CONTENT[1000:])
    job = (await ann.client.get(url)).json()["job"]
    whole = await ann.client.post("/api/v1/jobs", files={"file": ("a.vcf", CONTENT)}, headers=key)
    assert whole.json()["id"] == job["id"], "one key is one job, however the file comes"


async def test_a_key_that_another_request_used_for_a_job_gives_that_job_or_a_refusal(api, settings):
    ann = await api.person()
    key = {"Idempotency-Key": "two"}
    job = (await ann.client.post("/api/v1/jobs", files={"file": ("a.vcf", CONTENT)}, headers=key)).json()
    url = (await begin(ann, headers=key)).headers["location"]
    assert (await send(ann, url, 0, CONTENT)).status_code == 204
    assert (await ann.client.get(url)).json()["job"]["id"] == job["id"]
    assert len(stored(settings)) == 1, "the bytes that came a second time are gone"

    await ann.client.post("/api/v1/jobs", files={"file": ("a.vcf", VCF)}, headers={"Idempotency-Key": "three"})
    url = (await begin(ann, headers={"Idempotency-Key": "three"})).headers["location"]
    answer = await send(ann, url, 0, CONTENT)
    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict")
    assert len(stored(settings)) == 2
    assert spooled(settings) == []


async def test_options_can_be_changed_until_the_upload_is_a_job(api):
    ann = await api.person()
    url = (await begin(ann, assembly="GRCh37")).headers["location"]
    changed = await ann.client.post(f"{url}/options", json={"sample_name": "B", "options": {"assembly": "GRCh38"}})
    assert (changed.json()["sample_name"], changed.json()["options"]["assembly"]) == ("B", "GRCh38")
    refused = await ann.client.post(f"{url}/options", json={"options": {"pgx": True}})
    assert refused.json()["code"] == "pgx_definitions_missing"
    await send(ann, url, 0, CONTENT)
    job = (await ann.client.get(url)).json()["job"]
    assert (job["sample_name"], job["options"]["assembly"]) == ("B", "GRCh38")
    late = await ann.client.post(f"{url}/options", json={"sample_name": "C"})
    assert (late.status_code, late.json()["code"]) == (409, "upload_finished")


async def test_a_cancelled_upload_leaves_nothing(api, settings):
    ann = await api.person()
    url = (await begin(ann)).headers["location"]
    await send(ann, url, 0, CONTENT[:1000])
    assert (await ann.client.delete(url, headers=TUS)).status_code == 204
    assert (await send(ann, url, 1000, CONTENT[1000:])).json()["code"] == "upload_not_found"
    assert spooled(settings) == []
    refused = await ann.client.post(url, headers={**TUS, "X-HTTP-Method-Override": "PUT"})
    assert refused.json()["code"] == "method_not_allowed"


async def test_a_client_without_patch_and_delete_can_do_both(api):
    ann = await api.person()
    url = (await begin(ann)).headers["location"]
    override = {**BYTES, "X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}
    assert (await ann.client.post(url, content=CONTENT[:10], headers=override)).headers["upload-offset"] == "10"
    await ann.client.post(url, headers={**TUS, "X-HTTP-Method-Override": "DELETE"})
    assert (await ann.client.get(url)).status_code == 404


async def test_what_expired_is_gone_and_swept(api, settings, database_url):
    ann = await api.person()
    old, new = [(await begin(ann)).headers["location"] for _ in range(2)]
    stray = settings.data / "storage" / ".arriving" / "readme"
    stray.write_text("not ours")
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
        await conn.execute("UPDATE resumable_uploads SET expires_at = now() WHERE id = %s", [old.rpartition("/")[2]])
    assert (await send(ann, old, 0, CONTENT)).json()["code"] == "upload_not_found"
    await api.services.resumable.sweep()
    assert [path.name for path in spooled(settings)] == sorted([new.rpartition("/")[2], "readme"])
    assert timedelta(0) < resumable_rows.FINISHED


async def test_an_expired_upload_gives_its_key_up(api, database_url):
    ann = await api.person()
    key = {"Idempotency-Key": "once"}
    first = (await begin(ann, headers=key)).headers["location"]
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE resumable_uploads SET expires_at = now()")
    again = await begin(ann, headers=key)
    assert (again.status_code, again.headers["location"] == first) == (201, False)


async def test_a_job_that_is_missing_is_created_by_whoever_looks_next(api, settings, monkeypatch):
    """The server died when all had come, or the database did not answer."""
    ann = await api.person()
    for crash_before in ("adopt", "create_job"):
        url = (await begin(ann)).headers["location"]

        def failing(*arguments, **options):
            raise psycopg.OperationalError("away")

        with monkeypatch.context() as broken:
            owner = type(api.services.storage if crash_before == "adopt" else api.services.uploads)
            broken.setattr(owner, crash_before, failing)
            assert (await send(ann, url, 0, CONTENT)).status_code == 500
        assert (await ann.client.get(url)).json()["job"] is None
        api.services.resumable._arrivals.clear()
        if crash_before == "adopt":
            assert await offset_of(ann, url) == len(CONTENT)
        else:
            await api.services.resumable.sweep()
        assert (await ann.client.get(url)).json()["job"]["source"]["bytes"] == len(CONTENT)
    assert len(stored(settings)) == 2
    assert MARK not in stored(settings)


@pytest.mark.parametrize("failing", ["fsync", "pwrite"])
async def test_a_disk_that_fails_promises_nothing(api, settings, monkeypatch, failing):
    ann = await api.person()
    url = (await begin(ann)).headers["location"]
    await send(ann, url, 0, CONTENT[:400_000])
    with monkeypatch.context() as broken:

        def fail(*arguments):
            raise OSError(28, "No space left on device")

        broken.setattr(f"varloom.storage.spool.os.{failing}", fail)
        answer = await send(ann, url, 400_000, CONTENT[400_000:])
        assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert await offset_of(ann, url) == 400_000
    assert (await send(ann, url, 400_000, CONTENT[400_000:])).status_code == 204
    [key] = stored(settings)
    assert (settings.data / "storage" / key).read_bytes() == CONTENT


async def test_what_a_disk_may_have_lost_is_not_promised_by_asking_it_twice(api, settings, monkeypatch):
    """Linux tells only once that something could not be written."""
    ann = await api.person()
    url = (await begin(ann)).headers["location"]
    await send(ann, url, 0, CONTENT[:400_000])
    sync, failures = os.fsync, [OSError(5, "Input/output error")]

    def fail_once(descriptor):
        if failures:
            raise failures.pop()
        sync(descriptor)

    with monkeypatch.context() as broken:
        broken.setattr("varloom.storage.spool.os.fsync", fail_once)
        broken.setattr(arrival, "CHECKPOINT_BYTES", 1)
        answer = await send(ann, url, 400_000, CONTENT[400_000:])
        assert answer.json()["code"] == "storage_unusable"
    assert await offset_of(ann, url) == 400_000
    assert (await send(ann, url, 400_000, CONTENT[400_000:])).status_code == 204


LONG_HEADER = (
    b"##fileformat=VCFv4.2\n##contig=<ID=chr1,length=248956422>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)
RECORD = b"chr1\t100\t.\tA\tC\t50\tPASS\t.\n"


async def test_a_broken_header_ends_an_upload_long_before_its_end(api, settings):
    ann = await api.person()
    content = LONG_HEADER.replace(b"\tALT", b"") + RECORD * 150_000
    url = (await begin(ann, size=len(content))).headers["location"]
    came = asyncio.Event()

    async def slowly():
        yield content[:200_000]
        async with asyncio.timeout(20):
            while (await ann.client.get(url)).json()["error"] is None:
                await asyncio.sleep(0.01)
        came.set()

    answer = await send(ann, url, 0, slowly())
    assert came.is_set(), "it was refused while the bytes were still coming"
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["line"], problem["column"]) == (
        400,
        "vcf_chrom_line_wrong",
        3,
        5,
    )
    assert problem["resolution"]
    view = (await ann.client.get(url)).json()
    assert (view["preflight"]["verdict"], view["error"]["code"]) == ("refused", "vcf_chrom_line_wrong")
    assert view["error"]["problems"] == problem["problems"]
    again = await send(ann, url, 0, content[:1000])
    assert again.json() | {"request_id": None} == problem | {"request_id": None}
    assert spooled(settings) == []
    assert (await ann.client.get("/api/v1/jobs")).json()["jobs"] == []


async def test_bytes_with_a_wrong_checksum_refuse_no_file(api):
    ann = await api.person()
    content = LONG_HEADER + RECORD * 150_000
    url = (await begin(ann, size=len(content))).headers["location"]
    share = content[:200_000]
    right = f"sha256 {b64encode(hashlib.sha256(share).digest()).decode()}"
    answer = await send(ann, url, 0, share.replace(b"\tALT", b"\tAXT"), Upload_Checksum=right)
    assert answer.json()["code"] == "upload_checksum_wrong"
    assert (await ann.client.get(url)).json()["preflight"] is None
    assert (await send(ann, url, 0, share, Upload_Checksum=right)).status_code == 204
    assert (await ann.client.get(url)).json()["preflight"]["verdict"] == "sound"


async def test_many_small_requests_do_not_look_at_the_beginning_each(api, monkeypatch):
    ann = await api.person()
    looks = []
    monkeypatch.setattr(preflights, "preflight", lambda *_, **__: looks.append(1))
    url = (await begin(ann)).headers["location"]
    for number in range(40):
        assert (await send(ann, url, number, CONTENT[number : number + 1])).status_code == 204
    assert len(looks) == 6  # at 1, 2, 4 ... 32 bytes


async def test_what_is_nearly_here_becomes_a_job_which_keeps_the_failure_in_sight(api):
    ann = await api.person()
    content = LONG_HEADER.replace(b"\tALT", b"") + RECORD * 10_000
    url = (await begin(ann, size=len(content))).headers["location"]
    assert (await send(ann, url, 0, content[:100_000])).status_code == 204
    assert (await ann.client.get(url)).json()["preflight"]["verdict"] == "refused"
    assert (await send(ann, url, 100_000, content[100_000:])).status_code == 204
    assert (await ann.client.get(url)).json()["job"]["state"] == "queued"


async def test_a_wrong_assembly_is_warned_of_before_the_end(api):
    ann = await api.person()
    content = LONG_HEADER + RECORD * 100_000
    url = (await begin(ann, size=len(content), assembly="GRCh37")).headers["location"]
    await send(ann, url, 0, content[:100_000])
    view = (await ann.client.get(url)).json()
    assert view["preflight"]["assembly"] == "GRCh38"
    assert view["assembly_warning"] == (
        "GRCh37 was chosen, but by the lengths of 1 chromosome in its header the file is GRCh38."
    )
    changed = await ann.client.post(f"{url}/options", json={"options": {"assembly": "GRCh38"}})
    assert changed.json()["assembly_warning"] is None


async def test_the_beginning_of_a_file_can_be_looked_at_before_it_is_sent(api, settings):
    ann = await api.person()
    content = LONG_HEADER + RECORD * 100_000

    async def look(beginning, size, name="a.vcf"):
        where = {"name": name, "size": size}
        return (await ann.client.post("/api/v1/uploads/preflight", params=where, content=beginning)).json()

    found = await look(content[:1_048_576], len(content))
    assert (found["verdict"], found["samples"], found["assembly"]) == ("sound", 0, "GRCh38")
    found = await look(LONG_HEADER[:-20], len(LONG_HEADER) - 20)
    assert (found["verdict"], found["problems"][0]["code"]) == ("refused", "vcf_chrom_line_wrong")
    assert (await look(LONG_HEADER[:10], 10**9))["verdict"] == "unknown"
    assert (await look(content * 2, 10**9))["verdict"] == "sound"
    assert spooled(settings) == []
    stranger = await api.client()
    assert (await stranger.post("/api/v1/uploads/preflight?name=a&size=1", content=b"x")).status_code == 401
