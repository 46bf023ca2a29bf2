"""The Python client against a real server; and the examples of its page, as they stand there."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import inspect
import io
import re
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.running import serving, write_vcf

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.client import AsyncClient, Client, JobCancelled, JobFailed, VarloomError, models
from varloom.client.decoding import decoded
from varloom.storage.local import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.running import Server

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "python-client.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def server(module_data_folder) -> Iterator[Server]:
    with serving(module_data_folder, VARLOOM_RETRY_DELAY="0.2", VARLOOM_MAX_ATTEMPTS="1") as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.url, server.token) as connected:
        yield connected


@pytest.fixture
def vcf(tmp_path) -> Path:
    return write_vcf(tmp_path / "sample.vcf", 700)


def pause(server: Server, action: str) -> None:
    body = {"stage": "parse"}
    server.client.post(f"queue/{action}", json=body).raise_for_status()


class BreakingProxy:
    """A way to a server on which the first connection breaks after so many bytes have gone to it."""

    def __init__(self, url: str, after: int) -> None:
        self._port = int(url.rpartition(":")[2])
        self._left = after
        self.broken = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._ends: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._port))
                self._ends += [near, far]
                for source, target, counts in ((near, far, True), (far, near, False)):
                    thread = threading.Thread(target=self._pump, args=(source, target), kwargs={"counts": counts})
                    self._threads.append(thread)
                    thread.start()

    def _pump(self, source: socket.socket, target: socket.socket, *, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if counts and not self.broken and (left := self._left - len(data)) < 0:
                    self.broken += 1
                    break
                if counts and not self.broken:
                    self._left = left
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # which ends what waits in `accept`
        self._listener.close()
        for thread in self._threads:
            thread.join(10)
        for end in self._ends:
            end.close()


def test_a_file_becomes_a_table_that_can_be_asked(client: Client, vcf: Path, tmp_path: Path):
    told, seen = [], []
    job = client.submit(vcf, name="asked", on_progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (vcf.stat().st_size, vcf.stat().st_size)
    job = client.wait(job, on_change=lambda one: seen.append(one.state))
    assert (job.state, job.records, job.variants, job.sample_name) == ("completed", 700, 700, "asked")
    assert seen[-1] == "completed"
    assert job.created_at.tzinfo is not None
    assert client.job(job.id) == job
    assert job in list(client.jobs(state="completed", search="asked"))
    assert [event.state for event in client.history(job)][-1] == "completed"
    assert "asked" in client.report(job)
    sample = client.sample("asked")
    assert sample == client.sample(job) == client.sample(sample.id)
    assert [column.name for column in client.columns(sample)][:4] == ["rowno", "record", "line", "allele"]
    assert client.count(sample, "position >= 1700") == 600
    rows = list(client.rows(sample, "position >= 1700", columns=["id", "NA1.GT"], sort=["-position"], page_size=97))
    assert [row["id"] for row in rows] == [f"rs{number}" for number in range(699, 99, -1)]
    assert set(rows[0]) == {"rowno", "id", "NA1.GT"}
    facets = client.facets(sample, "NA1.GT")
    assert [(one.value, one.count) for one in facets.values] == [("0/1", 700)]
    path = client.export(sample, tmp_path / "out.tsv", "position < 1700", columns=["id", "qual"])
    lines = path.read_text().splitlines()
    assert (lines[0], len(lines)) == ("id\tqual", 101)
    assert [one.name for one in tmp_path.iterdir() if one.suffix == ".part"] == []


def test_frames_hold_what_the_table_holds(client: Client, vcf: Path):
    job = client.submit(vcf, name="frames")
    client.wait(job)
    table = client.to_arrow(job)  # of the job as it was when it was sent, too
    assert table.num_rows == 700
    assert table.column("position").to_pylist() == [1000 + 7 * number for number in range(700)]
    frame = client.to_polars(job, "INFO.DP = 20", columns=["position", "INFO.DP"], sort="-position")
    assert frame.columns == ["position", "INFO.DP"]
    assert frame["position"].to_list() == sorted(range(1000, 1000 + 700 * 7, 30 * 7), reverse=True)
    try:
        import pandas as pd
    except ImportError:
        with pytest.raises(VarloomError) as refused:
            client.to_pandas(job)
        assert refused.value.code == "package_missing"
    else:
        assert isinstance(client.to_pandas(job), pd.DataFrame)


def test_bytes_and_streams_are_sent_as_files_are(client: Client, vcf: Path):
    content = vcf.read_bytes()
    packed = client.submit(gzip.compress(content), file_name="packed.vcf.gz")
    stream = io.BufferedReader(io.BytesIO(content))
    whole = client.submit(stream, file_name="whole.vcf", name="whole")
    behind = io.BytesIO(b"xyz" + content)
    behind.read(3)
    rest = client.submit(behind, file_name="rest.vcf", name="rest")
    ended = {job.sample_name: job for job in client.follow(packed, whole, rest)}
    assert {name: (job.state, job.records) for name, job in ended.items()} == dict.fromkeys(
        ("packed", "whole", "rest"), ("completed", 700)
    )
    again = client.submit(content, file_name="key.vcf", idempotency_key="the-same")
    assert client.submit(content, file_name="key.vcf", idempotency_key="the-same").id == again.id


def test_the_files_of_reads_become_one_job(client: Client, server: Server, tmp_path: Path):
    genome = tmp_path / "genome.fa"
    genome.write_text(f">chr20\n{'ACGT' * 100}\n")
    storage = LocalStorage(server.data / "storage")
    key = ReleaseKey("fasta", "genome", "GRCh38", "1")
    install(ReferenceLibrary(storage), key, Published(genome, excerpt=True), lambda *_: None)
    mates = [tmp_path / f"NA12878_R{mate}.fastq" for mate in (1, 2)]
    for mate in mates:
        mate.write_text("".join(f"@read{number}\nACGTACGTAC\n+\nIIIIIIIIII\n" for number in range(50)))
    job = client.submit(mates, name="reads", assembly="GRCh38")
    assert (job.source.name, job.further_files) == ("NA12878_R1.fastq", ("NA12878_R2.fastq",))
    assert job.source.bytes == sum(mate.stat().st_size for mate in mates)
    assert job.plan[0] == "process"
    client.cancel(job)
    with pytest.raises(VarloomError) as refused:
        client.submit([*mates, tmp_path / "absent.fastq"])
    assert refused.value.code == "source_unreadable"
    with pytest.raises(VarloomError):
        client.submit([])
    ReferenceLibrary(storage).remove(key, force=True)


def test_a_failure_says_what_where_and_what_to_do(client: Client, vcf: Path):
    lines = vcf.read_text().splitlines()
    lines[20] = lines[20].replace("chr1\t", "chr1\tx", 1)
    job = client.submit("\n".join(lines).encode(), file_name="spoiled.vcf")
    with pytest.raises(JobFailed) as failed:
        client.wait(job)
    error = failed.value
    assert (error.place.line, error.place.field, error.stage) == (21, "POS", "parse")
    assert error.title
    assert error.resolution
    assert error.code == error.job.error.code
    assert isinstance(error, VarloomError)
    retried = client.retry(job)
    assert retried.id == job.id
    with pytest.raises(JobFailed):
        client.wait(retried)
    client.dismiss(job)
    assert job.id not in {one.id for one in client.jobs()}


def test_what_is_refused_is_an_error_with_its_code(client: Client, server: Server, tmp_path: Path):
    def asked(url: str, token: str) -> tuple[models.Token, ...]:
        with Client(url, token) as other:
            return other.tokens()

    cases = [
        ("source_unreadable", lambda: client.submit(tmp_path / "absent.vcf")),
        ("sample_unknown", lambda: client.sample("nobody")),
        ("job_not_found", lambda: client.job("00000000-0000-4000-8000-000000000000")),
        ("not_authenticated", lambda: asked(server.url, "wrong")),
        ("server_unreachable", lambda: asked("http://127.0.0.1:9", "any")),
        ("server_unknown", lambda: Client("ftp://127.0.0.1", "any")),
        ("option_unknown", lambda: client.submit(b"x", options={"colour": "red"})),
    ]
    for code, ask in cases:
        with pytest.raises(VarloomError) as refused:
            ask()
        assert refused.value.code == code
        assert refused.value.title
        assert refused.value.resolution or refused.value.kind.resolution


def test_a_job_is_cancelled_and_waiting_ends_in_time(client: Client, server: Server, vcf: Path):
    pause(server, "pause")
    try:
        job = client.submit(vcf, name="held", priority=5)
        assert client.prioritise(job, 7).priority == 7
        client.submit(vcf, name="held")
        with pytest.raises(VarloomError, match="has not ended") as refused:
            client.count(job)
        assert refused.value.code == "sample_unknown"
        with pytest.raises(TimeoutError, match="held"):
            client.wait(job, timeout=0.3)
        assert client.cancel(job).state == "cancelled"
        with pytest.raises(JobCancelled):
            client.wait(job, poll=0.1)
        with pytest.raises(JobCancelled):
            client.sample(job)
    finally:
        pause(server, "resume")


def test_an_upload_goes_on_after_a_broken_line(server: Server, tmp_path: Path):
    vcf = write_vcf(tmp_path / "long.vcf", 60_000)
    proxy = BreakingProxy(server.url, after=1_500_000)
    told = []
    with contextlib.closing(proxy), Client(proxy.url, server.token) as client:
        job = client.wait(client.submit(vcf, on_progress=lambda done, _: told.append(done)))
    assert proxy.broken == 1
    assert job.records == 60_000
    assert told == sorted(told)


def test_waiting_goes_on_at_the_server_that_was_started_anew(data_copy, tmp_path: Path):
    vcf = write_vcf(tmp_path / "sample.vcf", 700)
    with data_copy() as data, serving(data) as first, Client(data=data) as client:
        pause(first, "pause")
        job = client.submit(vcf, name="patient")
        seen = threading.Event()
        ended: list[models.Job] = []

        def wait() -> None:
            ended.append(client.wait(job, on_change=lambda _: seen.set()))

        waiting = threading.Thread(target=wait)
        waiting.start()
        assert seen.wait(20)
        first.stop()
        with serving(data) as second:
            assert (second.url, second.token) != (first.url, first.token)
            pause(second, "resume")
            waiting.join(60)
            assert [one.state for one in ended] == ["completed"]
            assert client.count("patient") == 700


def test_a_server_that_is_asked_too_often_is_waited_for(data_copy, monkeypatch: pytest.MonkeyPatch):
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        time.sleep(seconds)

    monkeypatch.setattr("varloom.client.sync_io.sleep", sleep)
    with data_copy() as data, serving(data, VARLOOM_REQUESTS_PER_MINUTE="60") as server, Client(data=data) as client:
        assert client.job(server.submit(b"a,b\n1,2\n", "few.csv")["id"]).sample_name == "few"
        while not waits:
            assert client.storage().quota is None
    assert waits[0] >= 1  # as the server says, in whole seconds


def test_a_file_that_changes_is_not_sent(client: Client, vcf: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("varloom.client.synchronous_sending.PORTION", 10_000)

    def spoil(done: int, total: int) -> None:
        if done < 15_000:
            vcf.write_bytes(vcf.read_bytes() + b"chr1\t9\t.\tA\tC\t1\tPASS\t.\tGT:AD\t0/1:1,1\n")

    with pytest.raises(VarloomError) as refused:
        client.submit(vcf, name="changing", on_progress=spoil)
    assert refused.value.code == "source_changed"
    assert list(client.jobs(search="changing")) == []


def test_samples_and_tokens_are_looked_after(client: Client, server: Server, vcf: Path):
    job = client.wait(client.submit(vcf, name="kept"))
    sample = client.change_sample("kept", name="renamed", tags=["one"])
    assert [one.id for one in client.samples(tag="one")] == [sample.id] == [job.sample_id]
    client.delete_sample(sample)
    assert sample.id not in {one.id for one in client.samples()}
    assert client.restore_sample(sample).name == "renamed"
    assert client.storage().samples >= 1
    made = client.create_token("short", expires_at=datetime.now(UTC) + timedelta(hours=1))
    assert made.expires_at is not None
    looks = client.create_token("looks", scope="read")
    with Client(server.url, looks.token) as reader:
        assert reader.count("renamed") == 700
        with pytest.raises(VarloomError) as refused:
            reader.cancel(job)
        assert refused.value.code == "token_scope_insufficient"
    with Client(server.url, made.token) as other:
        (told,) = [one for one in other.tokens() if one.label == "short"]
        client.revoke_token(told)
        with pytest.raises(VarloomError, match="token"):
            other.tokens()
    assert client.references() == ()
    with pytest.raises(VarloomError) as refused:
        client.annotate("chr1:100:A:G")
    assert refused.value.code == "reference_data_missing"


def test_samples_are_shared_in_projects(client: Client, server: Server, vcf: Path):
    owner = server.client.get("account").json()["name"]
    made = server.client.post("users", json={"name": "Ann / lab?#1"}).raise_for_status().json()
    link = made["link"]["path"].partition("#")[2]
    with httpx.Client(base_url=server.url, headers={"Sec-Fetch-Site": "same-origin"}) as browser:
        browser.post("/login", data={"token": link}, headers={"Accept": "application/json"})
        token = browser.post("/api/v1/tokens", json={"label": "client"}).json()["token"]
    job = client.wait(client.submit(vcf, name="shared one"))
    details = client.create_project("Lab A/B")
    client.add_to_project("lab a/b", job)
    with Client(server.url, token) as ann:
        assert ann.projects() == ()
        with pytest.raises(VarloomError) as refused:
            ann.project("Lab A/B")
        assert refused.value.code == "project_unknown"
        member = client.share_project(details.project, "Ann / lab?#1", "viewer")
        assert (member.account, member.role, member.active) == ("Ann / lab?#1", "viewer", True)
        assert [one.role for one in ann.project(details.project.id).members] == ["owner", "viewer"]
        (shared,) = ann.samples(project="Lab A/B")
        assert (shared.name, shared.shared_by, ann.count(shared)) == ("shared one", owner, 700)
        with pytest.raises(VarloomError) as refused:
            ann.rename_project("Lab A/B", "mine")
        assert refused.value.code == "project_role_insufficient"
        assert client.rename_project("Lab A/B", "Lab C").project.name == "Lab C"
        client.take_from_project("Lab C", "shared one")
        assert list(ann.samples(project="Lab C")) == []
        client.unshare_project("Lab C", "Ann / lab?#1")
        assert ann.projects() == ()
    client.delete_project("Lab C")
    assert client.projects() == ()
    assert client.count("shared one") == 700


async def test_the_other_half_does_the_same(server: Server, vcf: Path, tmp_path: Path):
    async with AsyncClient(server.url, server.token) as client:
        jobs = await asyncio.gather(*[client.submit(vcf, name=f"both {number}") for number in range(3)])
        ended = await asyncio.gather(*[client.wait(job) for job in jobs])
        assert {job.state for job in ended} == {"completed"}
        rows = [row async for row in client.rows(ended[0], "qual > 80", columns=["qual"], page_size=50)]
        assert len(rows) == await client.count(ended[0], "qual > 80")
        assert {sample.name async for sample in client.samples(search="both")} == {"both 0", "both 1", "both 2"}
        frame = await client.to_polars("both 1")
        assert frame.height == 700
        path = await client.export("both 2", tmp_path / "both.jsonl")
        assert len(path.read_text().splitlines()) == 700


def test_both_halves_have_the_same_methods():
    def shapes(kind: type) -> dict[str, list[str]]:
        return {
            name.replace("aclose", "close"): list(inspect.signature(method).parameters)
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    assert shapes(Client) == shapes(AsyncClient)


def test_answers_of_other_versions_are_understood():
    document = {"id": 7, "at": "2026-01-01T00:00:00Z", "state": "dreaming", "attempt": 1, "message": "", "new": 1}
    event = decoded(models.HistoryEvent, document)
    assert (event.state, event.stage) == ("dreaming", None)
    with pytest.raises(VarloomError, match="HistoryEvent"):
        decoded(models.HistoryEvent, {"id": 7})


def test_the_examples_of_the_page_run_as_they_stand(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VARLOOM_DATA", str(server.data))
    server.client.post("refs/demo").raise_for_status()
    server.client.post("users", json={"name": "ben"}).raise_for_status()
    content = write_vcf(tmp_path / "plain.vcf", 700).read_bytes()
    (tmp_path / "incoming").mkdir()
    for name in ("sample.vcf.gz", "incoming/a.vcf.gz", "incoming/b.vcf.gz"):
        (tmp_path / name).write_bytes(gzip.compress(content))
    namespace: dict[str, object] = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), namespace)  # noqa: S102 - what its reader does
    told = capsys.readouterr().out
    for expected in (
        "completed 700 records, 700 variants",
        "a completed",
        "| parse",
        "filter_invalid |",
        "chr1 ",
        "b 700",
        "ben editor",
        "['Patient 7']",
    ):
        assert expected in told
    assert len((tmp_path / "patient7.csv").read_text().splitlines()) == namespace["frame"].height + 1
