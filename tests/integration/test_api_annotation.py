"""Annotation over the API: offered only where reference data is installed, for files and on demand."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.shared_data import needs

from varloom.annotation.model import ReleaseKey
from varloom.annotation.on_demand import OnDemand
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.services.on_demand import _view

RESOURCES = Path(__file__).parents[3] / "shared" / "data" / "resources"
CLINVAR = RESOURCES / "exomiser.clinvar-test.vcf.gz"

pytestmark = needs(CLINVAR)


async def install_clinvar(api, release: str = "2023") -> None:
    library = ReferenceLibrary(api.services.storage)
    key = ReleaseKey("variants", "clinvar", "GRCh37", release)
    await asyncio.to_thread(install, library, key, Published(CLINVAR), lambda *_: None)


async def test_annotation_is_refused_where_nothing_is_installed(api):
    ann = await api.person()
    answer = await ann.client.post(
        "/api/v1/jobs", files={"file": ("x.vcf", b"#")}, data={"annotate": "small", "sample_name": "x"}
    )
    assert (answer.status_code, answer.json()["code"]) == (409, "reference_data_missing")
    assert "varloom refs add" in answer.json()["resolution"][0]
    answer = await ann.client.post(
        "/api/v1/jobs", json={"source_url": "https://example.org/x.vcf", "options": {"annotate": "structural"}}
    )
    assert answer.json()["code"] == "reference_data_missing"
    answer = await ann.client.post("/api/v1/annotate", json={"variants": ["1:5:A:G"], "assembly": "GRCh37"})
    assert answer.json()["code"] == "reference_data_missing"
    page = (await ann.client.get("/samples", headers={"Accept": "text/html"})).text
    assert "No reference data is installed on this server." in page


async def test_annotation_is_offered_as_soon_as_it_can_be_had(api):
    ann = await api.person()
    await install_clinvar(api)
    job = await ann.upload(annotate="small", assembly="GRCh37")
    assert job["options"]["annotate"] == "small"
    assert job["plan"] == ["annotate", "parse"]
    answer = await ann.client.post(
        "/api/v1/jobs", files={"file": ("x.vcf", b"#")}, data={"annotate": "small", "assembly": "GRCh38"}
    )
    assert "of GRCh38" in answer.json()["detail"]
    answer = await ann.client.post("/api/v1/jobs", files={"file": ("x.vcf", b"#")}, data={"annotate": "all"})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


async def test_chosen_variants_are_annotated_at_once(api):
    ann = await api.person()
    await install_clinvar(api)
    wanted = ["chr1:69682:G:A", "nonsense", "1:g.69134A>G", "1-69682-G-C", "1:100:A:<DEL>", "NC_000001.11:g.69134A>G"]
    answer = await ann.client.post("/api/v1/annotate", json={"variants": wanted, "assembly": "GRCh37"})
    assert answer.status_code == 200
    found = answer.json()
    assert found["releases"] == [{"kind": "variants", "name": "clinvar", "release": "2023"}]
    assert [item["input"] for item in found["variants"]] == wanted
    first, nonsense, second, absent, symbolic, other = found["variants"]
    assert first["variant"] == {"contig": "1", "position": 69682, "ref": "G", "alt": "A"}
    assert first["annotation"]["clinvar.significance"] == "Uncertain_significance"
    assert first["annotation"]["clinvar.variation_id"] == "2396347"
    assert second["annotation"]["clinvar.variation_id"] == "2205837"
    assert absent["annotation"]["clinvar.found"] is False
    assert absent["annotation"]["clinvar.significance"] is None
    for item in (nonsense, symbolic, other):
        assert (item["error"]["code"], item["variant"], item["annotation"]) == ("variant_not_understood", None, {})
    assert "is of GRCh38" in other["error"]["message"]


def test_values_are_told_as_they_are():
    """A number that is none is missing, and a text that looks like one stays."""
    values = {"a": float("nan"), "b": "NaN", "c": [{"gene": "NaNOG"}], "d": 0.5, "e": None}
    told = _view(OnDemand("x", None, None, values, {})).annotation
    assert told == {"a": None, "b": "NaN", "c": [{"gene": "NaNOG"}], "d": 0.5, "e": None}


async def test_many_who_ask_at_once_wait_for_each_other_and_not_in_the_servers_threads(api):
    """All others need those threads, too."""
    ann = await api.person()
    await install_clinvar(api)
    asked = {"variants": ["1:69682:G:A"], "assembly": "GRCh37"}
    async with api.services.on_demand.turn:
        waiting = [asyncio.create_task(ann.client.post("/api/v1/annotate", json=asked)) for _ in range(50)]
        await asyncio.sleep(0.5)
        async with asyncio.timeout(20):
            await asyncio.to_thread(int)
            assert (await ann.upload())["state"] == "queued"
        assert not any(task.done() for task in waiting)
    answers = await asyncio.gather(*waiting)
    assert {answer.json()["variants"][0]["annotation"]["clinvar.found"] for answer in answers} == {True}


async def test_a_newer_release_is_used_from_then_on(api):
    ann = await api.person()
    asked = {"variants": ["1:69682:G:A"], "assembly": "GRCh37"}
    for release in ("2023", "2024"):
        await install_clinvar(api, release)
        found = (await ann.client.post("/api/v1/annotate", json=asked)).json()
        assert found["releases"][0]["release"] == release
        assert found["variants"][0]["annotation"]["clinvar.found"] is True


@pytest.mark.parametrize("variants", [[], ["1:5:A:G"] * 1001, ["A" * 30_000], [5], "1:5:A:G"])
async def test_a_request_that_is_none_is_refused(api, variants):
    ann = await api.person()
    answer = await ann.client.post("/api/v1/annotate", json={"variants": variants, "assembly": "GRCh37"})
    assert answer.status_code == 422
