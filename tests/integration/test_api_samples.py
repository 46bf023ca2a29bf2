"""Samples and their tables over real HTTP."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import uuid

import pyarrow.parquet as pq
import pytest
from api_support import VCF

TWO_SAMPLES = VCF.replace(b"INFO\nchr", b"INFO\tFORMAT\tNA1\tNA2\nchr")
TWO_SAMPLES = b"\n".join(
    line + b"\tGT\t0/1\t1/1" if line.startswith(b"chr") else line for line in TWO_SAMPLES.split(b"\n")
).replace(b"#CHROM", b'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n#CHROM')


async def sample_of(person, worker, content=VCF, name="sample.vcf", **fields):
    """The id of the sample that an upload becomes."""
    await person.upload(content, name, **fields)
    return await worker.complete(await worker.claim())


@pytest.fixture
async def ann(api):
    return await api.person()


async def test_a_completed_job_leads_to_its_sample(api, worker, ann):
    sample_id = await sample_of(ann, worker, name="HG002.vcf", assembly="hg38")
    [job] = (await ann.client.get("/api/v1/jobs")).json()["jobs"]
    assert (job["state"], job["sample_id"], job["records"], job["variants"]) == ("completed", sample_id, 3, 4)
    sample = (await ann.client.get(f"/api/v1/samples/{sample_id}")).json()
    assert sample["name"] == "HG002"
    assert sample["source_name"] == "HG002.vcf"
    assert sample["job_id"] == job["id"]
    [dataset] = sample["datasets"]
    assert (dataset["format"], dataset["assembly"], dataset["records"], dataset["variants"]) == (
        "vcf",
        "GRCh38",
        3,
        4,
    )
    assert (await ann.client.get("/api/v1/samples")).json() == {"samples": [sample], "next": None}


async def test_samples_are_listed_newest_first_page_by_page(api, worker, ann):
    made = [await sample_of(ann, worker, name=f"{name}.vcf") for name in ("ada", "bob", "abe")]
    first = (await ann.client.get("/api/v1/samples?limit=2")).json()
    second = (await ann.client.get("/api/v1/samples", params={"limit": 2, "cursor": first["next"]})).json()
    assert [sample["id"] for sample in first["samples"] + second["samples"]] == made[::-1]
    assert second["next"] is None
    found = (await ann.client.get("/api/v1/samples?search=B")).json()["samples"]
    assert [sample["name"] for sample in found] == ["abe", "bob"]


async def test_a_sample_can_be_renamed_and_deleted(api, worker, ann):
    path = f"/api/v1/samples/{await sample_of(ann, worker)}"
    renamed = await ann.client.patch(path, json={"name": " Patient <7> "})
    assert renamed.json()["name"] == "Patient <7>"
    refused = await ann.client.patch(path, json={"name": "a\nb"})
    assert (refused.status_code, refused.json()["code"]) == (422, "sample_name_invalid")
    assert (await ann.client.delete(path)).status_code == 204
    for gone in (path, f"{path}/rows", f"{path}/export"):
        assert (await ann.client.get(gone)).json()["code"] == "sample_not_found"
    assert (await ann.client.get("/api/v1/samples")).json()["samples"] == []


async def test_a_deleted_sample_can_be_brought_back_for_some_days(api, worker, ann):
    kept, path = "/api/v1/samples", f"/api/v1/samples/{await sample_of(ann, worker)}"
    ben = await api.person()
    before = (await ann.client.get(path)).json()
    await ann.client.delete(path)
    [deleted] = (await ann.client.get(f"{kept}?deleted=true")).json()["samples"]
    assert deleted["purge_at"] > deleted["created_at"]
    assert (await ben.client.get(f"{kept}?deleted=true")).json()["samples"] == []
    assert (await ann.client.get("/api/v1/storage")).json()["deleted"] == 1
    for route in ("restore", "purge"):
        assert (await ben.client.post(f"{path}/{route}")).json()["code"] == "sample_not_found"
    assert (await ann.client.post(f"{path}/restore")).json() == before
    assert (await ann.client.get(f"{path}/rows")).json()["total"] == 4
    for route in ("restore", "purge"):
        assert (await ann.client.post(f"{path}/{route}")).json()["code"] == "sample_not_found", "it is not deleted"
    await ann.client.delete(path)
    assert (await ann.client.post(f"{path}/purge")).status_code == 204
    assert (await ann.client.post(f"{path}/restore")).json()["code"] == "sample_not_found"
    assert (await ann.client.get(f"{kept}?deleted=true")).json()["samples"] == []


async def test_samples_are_tagged_and_found_by_tag(api, worker, ann):
    made = [await sample_of(ann, worker, name=f"{name}.vcf") for name in ("a", "b")]
    path = f"/api/v1/samples/{made[0]}"
    changed = await ann.client.patch(path, json={"tags": [" Trio 7", "<b>", "trio 7"]})
    assert (changed.json()["name"], changed.json()["tags"]) == ("a", ["Trio 7", "<b>"])
    found = (await ann.client.get("/api/v1/samples", params={"tag": "Trio 7"})).json()["samples"]
    assert [sample["id"] for sample in found] == made[:1]
    assert (await ann.client.get("/api/v1/samples?tag=Trio")).json()["samples"] == []
    for tags in (["a,b"], [""], ["x" * 41], ["a\u202eb"], [str(number) for number in range(21)]):
        refused = await ann.client.patch(path, json={"tags": tags})
        assert (refused.status_code, refused.json()["code"]) == (422, "tag_invalid"), tags
    assert (await ann.client.patch(path, json={"tags": [], "name": "c"})).json()["tags"] == []


async def test_what_an_account_stores_is_told(api, worker, ann):
    sample_id = await sample_of(ann, worker)
    told = (await ann.client.get("/api/v1/storage")).json()
    table = (await ann.client.get(f"/api/v1/samples/{sample_id}")).json()["bytes"]
    assert told == {
        "samples": 1,
        "tables": table,
        "originals": len(VCF),
        "results": 0,
        "begun": 0,
        "quota": None,
        "deleted": 0,
    }
    assert (await (await api.person()).client.get("/api/v1/storage")).json()["originals"] == 0


async def test_views_are_kept_by_name_for_one_account(api, ann):
    ben = await api.person()
    query = "?filter=qual+%3E+30&sort=-qual"
    added = await ann.client.post("/api/v1/views", json={"name": " Rare <b> ", "query": query})
    assert (added.status_code, added.json()["name"]) == (201, "Rare <b>")
    path = f"/api/v1/views/{added.json()['id']}"
    again = await ann.client.post("/api/v1/views", json={"name": "rare <B>", "query": ""})
    assert (again.status_code, again.json()["code"]) == (409, "view_name_taken")
    assert (await ben.client.post("/api/v1/views", json={"name": "Rare <b>", "query": ""})).status_code == 201
    changed = (await ann.client.patch(path, json={"query": "?sort=qual"})).json()
    assert (changed["name"], changed["query"]) == ("Rare <b>", "?sort=qual")
    assert [view["query"] for view in (await ann.client.get("/api/v1/views")).json()["views"]] == ["?sort=qual"]
    for method, content in (("PATCH", {"name": "mine"}), ("DELETE", None)):
        refused = await ben.client.request(method, path, json=content)
        assert (refused.status_code, refused.json()["code"]) == (404, "view_not_found")
    for content in ({"name": "", "query": ""}, {"name": "x" * 81, "query": ""}, {"name": "x", "query": "y" * 60_001}):
        refused = await ann.client.post("/api/v1/views", json=content)
        assert (refused.status_code, refused.json()["code"]) == (422, "view_invalid")
    assert (await ann.client.delete(path)).status_code == 204
    assert (await ann.client.get("/api/v1/views")).json()["views"] == []


async def test_rows_are_paged_sorted_filtered_and_chosen(api, worker, ann):
    path = f"/api/v1/samples/{await sample_of(ann, worker)}"
    whole = (await ann.client.get(f"{path}/rows")).json()
    assert (whole["total"], whole["offset"], whole["next"]) == (4, 0, None)
    assert [(row["record"], row["line"], row["allele"], row["alt"]) for row in whole["rows"]] == [
        (1, 5, 1, "G"),
        (2, 6, 1, "T"),
        (2, 6, 2, "G"),
        (3, 7, 1, "A"),
    ]
    assert whole["rows"][3]["qual"] is None

    asked = {"sort": "-position", "columns": "position,INFO.DP", "limit": 3}
    first = (await ann.client.get(f"{path}/rows", params=asked)).json()
    assert [row["position"] for row in first["rows"]] == [300, 200, 200]
    assert set(first["rows"][0]) == {"rowno", "position", "INFO.DP"}
    second = (await ann.client.get(f"{path}/rows", params={**asked, "cursor": first["next"]})).json()
    assert ([row["position"] for row in second["rows"]], second["next"]) == ([100], None)
    third = (await ann.client.get(f"{path}/rows", params={**asked, "offset": 3})).json()
    assert third["rows"] == second["rows"]

    filtered = (await ann.client.get(f"{path}/rows", params={"filter": "qual >= 12.5 AND INFO.DP > 10"})).json()
    assert [row["alt"] for row in filtered["rows"]] == ["T", "G"]
    count = (await ann.client.get(f"{path}/count", params={"filter": "INFO.DP > 10"})).json()
    assert count == {"count": 2}


async def test_columns_facets_and_histograms(api, worker, ann):
    path = f"/api/v1/samples/{await sample_of(ann, worker)}"
    columns = (await ann.client.get(f"{path}/columns")).json()["columns"]
    names = " ".join(column["name"] for column in columns)
    assert names == "rowno record line allele contig position id ref alt qual filter INFO.DP"
    depth = columns[-1]
    assert (depth["kind"], depth["origin"], depth["description"]) == ("number", "INFO", "Depth")
    facets = (await ann.client.get(f"{path}/facets/alt")).json()
    assert {(value["value"], value["count"]) for value in facets["values"]} == {("G", 2), ("T", 1), ("A", 1)}
    histogram = (await ann.client.get(f"{path}/histogram/INFO.DP", params={"bins": 2})).json()
    assert (sum(histogram["counts"]), histogram["missing"]) == (3, 1)


async def test_a_position_is_located(api, worker, ann):
    path = f"/api/v1/samples/{await sample_of(ann, worker)}/locate"
    found = (await ann.client.get(path, params={"position": "1:200"})).json()
    assert found == {"offset": 1, "contig": "chr1", "position": 200, "exact": True}
    refused = (await ann.client.get(path, params={"position": "chr1:x"})).json()
    assert (refused["status"], refused["code"]) == (400, "position_invalid")


@pytest.mark.parametrize("kind", ["csv", "tsv", "jsonl", "parquet"])
async def test_an_export_holds_exactly_what_is_asked(api, worker, ann, kind):
    sample_id = await sample_of(ann, worker, name='..\\a b"; x=.vcf')
    asked = {"format": kind, "filter": "qual > 12", "sort": "-position", "columns": "position,alt"}
    answer = await ann.client.get(f"/api/v1/samples/{sample_id}/export", params=asked)
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="a_b_x.{kind}"'
    assert "content-encoding" not in answer.headers, "compressing it would hold up everyone else"
    match kind:
        case "csv" | "tsv":
            rows = csv.DictReader(io.StringIO(answer.text), delimiter="," if kind == "csv" else "\t")
            found = [(int(row["position"]), row["alt"]) for row in rows]
        case "jsonl":
            found = [tuple(json.loads(line).values()) for line in answer.text.splitlines()]
        case "parquet":
            found = [tuple(row.values()) for row in pq.read_table(io.BytesIO(answer.content)).to_pylist()]
    assert found == [(200, "T"), (200, "G"), (100, "G")]


async def test_a_wrong_question_is_refused_before_the_first_byte(api, worker, ann):
    path = f"/api/v1/samples/{await sample_of(ann, worker)}"
    wrong = {
        "/rows?filter=qual >": "filter_invalid",
        "/rows?filter=nothing = 1": "filter_invalid",
        "/rows?sort=nothing": "column_unknown",
        "/rows?columns=nothing": "column_unknown",
        "/rows?cursor=abc": "cursor_invalid",
        "/rows?limit=10001": "request_invalid",
        "/rows?offset=-1": "request_invalid",
        "/count?filter=1; DROP TABLE jobs": "filter_invalid",
        "/facets/nothing": "column_unknown",
        "/histogram/alt": "column_not_numeric",
        "/export?format=xlsx": "request_invalid",
        "/export?filter=qual >": "filter_invalid",
        f"/rows?dataset={uuid.uuid4()}": "table_not_found",
    }
    for question, code in wrong.items():
        answer = await ann.client.get(path + question)
        assert answer.json()["code"] == code, (question, answer.text)
        assert 400 <= answer.status_code < 500


async def test_a_split_file_has_a_table_for_each_sample(api, worker, ann):
    sample_id = await sample_of(ann, worker, TWO_SAMPLES, split_by_sample="true")
    path = f"/api/v1/samples/{sample_id}"
    datasets = (await ann.client.get(path)).json()["datasets"]
    assert [dataset["name"] for dataset in datasets] == ["NA1", "NA2"]
    for dataset, genotype in zip(datasets, ("0/1", "1/1"), strict=True):
        page = (await ann.client.get(f"{path}/rows", params={"dataset": dataset["id"], "limit": 1})).json()
        assert genotype in page["rows"][0].values()
        whence = await ann.client.get(f"/samples/{sample_id}/provenance?dataset={dataset['id']}")
        assert dataset["content_hash"] in whence.text
    default = (await ann.client.get(f"{path}/rows?limit=1")).json()
    assert "0/1" in default["rows"][0].values()


async def test_another_accounts_samples_do_not_exist(api, worker, ann):
    sample_id = await sample_of(ann, worker)
    dataset = (await ann.client.get(f"/api/v1/samples/{sample_id}")).json()["datasets"][0]["id"]
    ben = await api.person()
    own = await sample_of(ben, worker)
    path = f"/api/v1/samples/{sample_id}"
    routes = ["", "/columns", "/rows", "/count", "/facets/alt", "/histogram/qual", "/export"]
    asked = [("GET", path + route) for route in routes] + [("DELETE", path)]
    asked += [("GET", f"/samples/{sample_id}"), ("DELETE", f"/samples/{sample_id}")]
    asked += [("GET", f"/samples/{sample_id}/provenance"), ("GET", f"{path}/locate?position=chr1")]
    asked += [("POST", f"/samples/{sample_id}/{action}") for action in ("restore", "purge")]
    for method, route in asked:
        answer = await ben.client.request(method, route)
        assert (answer.status_code, answer.json()["code"]) == (404, "sample_not_found"), route
    renamed = await ben.client.patch(path, json={"name": "mine"})
    assert renamed.json()["code"] == "sample_not_found"
    # A table cannot be reached through a sample of one's own either.
    through = await ben.client.get(f"/api/v1/samples/{own}/rows", params={"dataset": dataset})
    assert (through.status_code, through.json()["code"]) == (404, "table_not_found")
    assert [sample["id"] for sample in (await ben.client.get("/api/v1/samples")).json()["samples"]] == [own]
    assert (await ann.client.get(path)).json()["name"] == "sample"


async def test_a_query_is_stopped_when_its_client_goes_away(api, worker, ann, monkeypatch):
    path = f"/api/v1/samples/{await sample_of(ann, worker)}"
    begun, ended = asyncio.Event(), asyncio.Event()

    async def endless(*args, **kwargs):
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    monkeypatch.setattr(api.services.samples._engine, "answer", endless)
    asking = asyncio.create_task(ann.client.get(f"{path}/count"))
    async with asyncio.timeout(30):
        await begun.wait()
        asking.cancel()
        await ended.wait()
