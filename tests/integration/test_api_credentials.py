"""Credentials: stored for one scope, never told again, sent nowhere else."""

from __future__ import annotations

import json
import signal

import psycopg
import pytest
from cli_support import varloom
from cryptography.fernet import Fernet
from tests.sources import web_source

from varloom.errors import VarloomError
from varloom.services import access_tests
from varloom.services.sources import vault_of
from varloom.services.stored_secrets import Renewal, renew_secrets, rotate_key
from varloom.settings import Settings
from varloom.transfer.vault import Vault

CANARY = "canary-e88d"
S3 = {"name": "lab", "kind": "s3", "scope": "s3://bucket", "values": {"access_key": "AKIA1", "secret_key": CANARY}}
ACCOUNT = json.dumps({"type": "service_account", "private_key": CANARY, "client_email": "a@example.org"})


@pytest.fixture
def source():
    with web_source() as opened:
        yield opened


@pytest.fixture
def settings(settings, source):
    endpoints = {"s3": source.url("/store")}
    return settings.model_copy(update={"allowed_endpoints": (source.endpoint,), "cloud_endpoints": endpoints})


async def add(person, **changed):
    return await person.client.post("/api/v1/credentials", json={**S3, **changed})


async def submit(person, url, credential):
    asked = {"source_url": url, "options": {"credential": credential}}
    return await person.client.post("/api/v1/jobs", json=asked)


async def test_a_credential_is_stored_listed_replaced_and_removed(api, database_url):
    ann = await api.person()
    answer = await add(ann)
    assert answer.status_code == 201, answer.text
    stored = answer.json()
    assert set(stored) == {"id", "name", "kind", "scope", "created_at", "changed_at"}
    assert (await add(ann, name="LAB")).json()["code"] == "credential_name_taken"
    other = {"access_key": "AKIA2", "secret_key": CANARY + "2"}
    replaced = (await add(ann, scope="s3://", values=other, replace=True)).json()
    assert (replaced["id"], replaced["scope"]) == (stored["id"], "s3://")
    listed = await ann.client.get("/api/v1/credentials")
    assert listed.json()["credentials"] == [replaced]
    assert CANARY not in answer.text + listed.text
    with psycopg.connect(database_url) as connection:
        assert CANARY not in str(connection.execute("SELECT c::text, secret FROM credentials AS c").fetchall())
    address = f"/api/v1/credentials/{stored['id']}"
    bob = await api.person()
    assert (await bob.client.delete(address)).status_code == 404
    assert (await bob.client.get("/api/v1/credentials")).json() == {"credentials": []}
    assert (await ann.client.delete(address)).status_code == 204
    assert (await ann.client.delete(address)).json()["code"] == "credential_not_found"


WRONG = [
    {"kind": "gcs", "scope": "gs://", "values": {"service_account": "[" * 16_000}},
    {"values": {"access_key": "A", "secret_key": CANARY, "region": "x@example.org/"}},
    {"kind": "azure_sas", "scope": "az://acc", "values": {"sas": f"sig={CANARY}\u2603"}},
    {"kind": "bearer", "scope": "https://example.org:99999", "values": {"token": CANARY}},
    {"name": " "},
    {"name": "x" * 81},
    {"scope": "bucket"},
    {"scope": "s3://bucket/key"},
    {"scope": "gs://bucket"},
    {"scope": "https://example.org"},
    {"values": {}},
    {"values": {"access_key": "A"}},
    {"values": {"access_key": "A", "secret_key": " "}},
    {"values": {"access_key": "A", "secret_key": f"{CANARY}\nx"}},
    {"values": {"access_key": "A", "secret_key": CANARY, "other": CANARY}},
    {"values": {"access_key": "A", "secret_key": CANARY * 2000}},
    {"kind": "gcs", "scope": "gs://", "values": {"service_account": CANARY}},
    {"kind": "gcs", "scope": "gs://", "values": {"service_account": json.dumps({"private_key": CANARY})}},
    {"kind": "azure_sas", "scope": "az://acc", "values": {"sas": CANARY}},
    {"kind": "azure_key", "scope": "az://", "values": {"key": CANARY}},
    {"kind": "bearer", "scope": "example.org", "values": {"token": CANARY}},
    {"kind": "bearer", "scope": "https://example.org/path", "values": {"token": CANARY}},
]


async def test_what_cannot_be_a_credential_is_refused_without_repeating_it(api, subtests):
    ann = await api.person()
    for wrong in WRONG:
        with subtests.test(str(wrong)[:80]):
            answer = await add(ann, **wrong)
            assert answer.json()["code"] == "credential_invalid", answer.text
            assert CANARY not in answer.text
    answer = await add(ann, values=[CANARY])
    assert (answer.status_code, CANARY in answer.text) == (422, False)


SCOPES = [
    ("s3", "s3://bucket", {"access_key": "A", "secret_key": "B"}, "s3://bucket/x", "s3://other/x"),
    ("s3", "s3://", {"access_key": "A", "secret_key": "B"}, "https://b2.s3.amazonaws.com/x", "gs://bucket/x"),
    ("gcs", "gs://bucket", {"service_account": ACCOUNT}, "https://storage.googleapis.com/bucket/x", "gs://other/x"),
    (
        "azure_key",
        "az://acc",
        {"key": "a2V5"},
        "https://acc.blob.core.windows.net/any/x",
        "https://acc2.blob.core.windows.net/any/x",
    ),
    ("azure_sas", "az://acc/cont", {"sas": "?sig=x"}, "az://cont/x", "https://acc.blob.core.windows.net/other/x"),
    ("bearer", "https://Example.org/", {"token": "t"}, "https://example.org:443/x", "https://sub.example.org/x"),
    ("bearer", "https://example.org", {"token": "t"}, "https://example.org/x", "https://example.org:8443/x"),
    ("bearer", "https://example.org", {"token": "t"}, "https://example.org/x", "https://example.com/x"),
]


async def test_a_credential_is_for_its_scope_alone(api, subtests):
    ann = await api.person()
    for kind, scope, values, inside, outside in SCOPES:
        with subtests.test(f"{kind} {scope}"):
            await add(ann, name="one", kind=kind, scope=scope, values=values, replace=True)
            job = await submit(ann, inside, "ONE")
            assert (job.status_code, job.json()["options"]["credential"]) == (202, "ONE")
            assert (await submit(ann, outside, "one")).json()["code"] == "credential_not_for_url"


async def test_a_job_needs_a_credential_that_there_is_and_a_url_without_its_own(api):
    ann, bob = await api.person(), await api.person()
    await add(ann)
    assert (await submit(bob, "s3://bucket/x", "lab")).json()["code"] == "credential_not_found"
    signed = "https://bucket.s3.amazonaws.com/x?X-Amz-Signature=1"
    assert (await submit(ann, signed, "lab")).json()["code"] == "request_invalid"


async def test_access_is_tested_by_the_first_bytes(api, source):
    ann = await api.person()
    stored = await add(ann, kind="bearer", scope=source.url(""), values={"token": CANARY})
    address = f"/api/v1/credentials/{stored.json()['id']}/test"
    source.serve("/x.vcf", b"#" * 5000)
    found = (await ann.client.post(address, json={"url": source.url("/x.vcf")})).json()
    assert (found["ok"], found["bytes"], found["error"]) == (True, 5000, None)
    assert source.asked[0].headers["authorization"] == f"Bearer {CANARY}"
    source.serve("/x.vcf", status=401, body=CANARY.encode())
    found = (await ann.client.post(address, json={"url": source.url(f"/x.vcf?{CANARY}")})).json()
    assert (found["ok"], found["error"]["code"]) == (False, "download_signature_wrong")
    assert found["error"]["resolution"]
    assert CANARY not in json.dumps(found)
    other = await ann.client.post(address, json={"url": "https://example.org/x"})
    assert other.json()["code"] == "credential_not_for_url"


async def test_no_source_keeps_a_test_for_longer_than_it_may_take(api, source, monkeypatch):
    ann = await api.person()
    bearer = {"kind": "bearer", "scope": source.url(""), "values": {"token": CANARY}}
    address = f"/api/v1/credentials/{(await add(ann, **bearer)).json()['id']}/test"
    source.serve("/x", b"data" * 1000, hold=10)
    monkeypatch.setattr(access_tests, "LONGEST_TEST", 3.0)
    error = (await ann.client.post(address, json={"url": source.url("/x")})).json()["error"]
    assert (error["code"], error["message"]) == ("download_stalled", "The test was not over after 3 seconds.")


async def test_what_leads_to_the_servers_own_storage_is_not_sent_with_a_credential(api, source, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", f"{CANARY}-of-the-operator")
    ann = await api.person()
    address = f"/api/v1/credentials/{(await add(ann)).json()['id']}/test"
    source.serve("/store/bucket/x", b"data")
    assert (await ann.client.post(address, json={"url": "s3://bucket/x"})).json()["ok"] is True
    [asked] = source.asked
    assert "X-Amz-Credential=AKIA1" in asked.path
    assert CANARY not in asked.path


async def test_keys_are_rotated_by_a_start_of_the_server(api, settings, database_url, tmp_path):
    ann = await api.person()
    await add(ann)
    await ann.client.post("/api/v1/jobs", json={"source_url": f"https://example.org/x?a={CANARY}"})
    old = (settings.data / "secret.key").read_text()
    new = Fernet.generate_key().decode()
    rotated = Settings(data=settings.data, secret_keys=f"{new},{old.strip()}")
    assert renew_secrets(database_url, vault_of(rotated)) == Renewal(renewed=2, unreadable=0)
    alone = Vault([new], tmp_path / "none")
    with psycopg.connect(database_url) as connection:
        [(credential,)] = connection.execute("SELECT secret FROM credentials").fetchall()
        [(url,)] = connection.execute("SELECT secret FROM upload_secrets").fetchall()
    assert alone.decrypt(credential)["secret_key"] == CANARY
    assert alone.decrypt(url)["url"].endswith(CANARY)


def keys_of(settings):
    return (settings.data / "secret.key").read_text().split()


async def test_a_key_is_rotated_while_the_server_runs(api, settings, database_url, source):
    source.serve("/data/a.vcf", b"##fileformat=VCFv4.2\n")
    ann = await api.person()
    bearer = {"name": "web", "kind": "bearer", "scope": source.url("/"), "values": {"token": CANARY}}
    stored = (await ann.client.post("/api/v1/credentials", json=bearer)).raise_for_status().json()
    url = f"/api/v1/credentials/{stored['id']}/test"
    asked = {"url": source.url("/data/a.vcf")}
    assert (await ann.client.post(url, json=asked)).json()["ok"]
    [first] = keys_of(settings)
    own = settings.model_copy(update={"database_url": database_url})
    assert rotate_key(own) == Renewal(renewed=1, unreadable=0)
    second, *others = keys_of(settings)
    assert others == [first]
    assert (settings.data / "secret.key").stat().st_mode & 0o777 == 0o600
    assert (await ann.client.post(url, json=asked)).json()["ok"], "the server takes the new key without a new start"
    await ann.client.post("/api/v1/credentials", json={**bearer, "name": "other"})
    rotate_key(own)
    third, *others = keys_of(settings)
    assert others == [second], "what nothing is encrypted with any more is gone"
    with psycopg.connect(database_url) as connection:
        secrets = [bytes(secret) for (secret,) in connection.execute("SELECT secret FROM credentials")]
    assert [Vault([third], settings.data).decrypt(secret)["token"] for secret in secrets] == [CANARY] * 2


async def test_nothing_is_rotated_while_a_secret_cannot_be_read(api, settings, database_url):
    await add(await api.person())
    own = settings.model_copy(update={"database_url": database_url})
    with psycopg.connect(database_url, autocommit=True) as connection:
        foreign = Fernet(Fernet.generate_key()).encrypt(b"{}")
        connection.execute(
            "INSERT INTO credentials (account_id, name, kind, scope, secret)"
            " SELECT account_id, 'x', kind, scope, %s FROM credentials",
            [foreign],
        )
    before = keys_of(settings)
    with pytest.raises(VarloomError) as caught:
        rotate_key(own)
    assert (caught.value.code, keys_of(settings)) == ("source_secret_unreadable", before)
    with pytest.raises(VarloomError) as caught:
        rotate_key(own.model_copy(update={"secret_keys": tuple(before)}))
    assert caught.value.code == "settings_invalid"


@pytest.mark.parametrize("point", ["secrets.renewed", "secrets.key_added"])
async def test_a_rotation_that_is_killed_leaves_everything_readable(api, settings, database_url, point):
    ann = await api.person()
    for number in range(3):
        await add(ann, name=f"lab {number}")
    asked = {"data": settings.data, "VARLOOM_DATABASE_URL": database_url}
    killed = varloom("credentials", "rotate-key", VARLOOM_FAILPOINTS=f"{point}=kill@1", **asked)
    assert killed.status == -signal.SIGKILL
    for expected in (1, 2):
        with psycopg.connect(database_url) as connection:
            secrets = [bytes(secret) for (secret,) in connection.execute("SELECT secret FROM credentials")]
        assert [vault_of(settings).decrypt(one)["secret_key"] for one in secrets] == [CANARY] * 3
        if expected == 1:
            done = varloom("credentials", "rotate-key", **asked)
            assert (done.status, "3 secrets encrypted" in done.out) == (0, True), done
