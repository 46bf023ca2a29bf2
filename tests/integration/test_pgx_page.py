"""The PGx page of a result in which every text is markup: whatever wrote it, it is shown as text."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from api_support import VCF
from test_api_samples import sample_of
from tests.pgx.made import PGX, Lab, library_with, positions_vcf
from tests.shared_data import needs

from varloom.dataset import sample_files
from varloom.dataset.sample_files import SampleFile

pytestmark = needs(PGX)
MARKUP = '"><img src=x onerror=alert(1)>'
KEPT = {"status", "state", "source", "file_lists", "format"}


def hostile(value, key=""):
    """The same result with markup for every text that does not steer the page."""
    if isinstance(value, dict):
        return {name: hostile(one, name) for name, one in value.items()}
    if isinstance(value, list):
        return [hostile(one, key) for one in value]
    if key == "guideline":
        return "javascript:alert(1)"
    return f"{MARKUP}{value}" if isinstance(value, str) and key not in KEPT else value


async def kept(api, sample, result):
    content = json.dumps(result).encode()
    key = f"processed/{uuid.uuid4()}/{uuid.uuid4()}/pgx.json"
    api.services.storage.write_bytes(key, content)
    async with api.services.pool.connection() as conn:
        await sample_files.keep_files(conn, sample, [SampleFile("pgx.json", "pgx", key, len(content), None)])


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pgx")
    lab = Lab(library_with(folder / "library", "pharmcat", "cpic"), folder)
    told = {94842866: "1/1", 94781859: "0/1", 18138997: "0/1", 18130687: "0/1", 97450058: "0/1"}
    (folder / "o.tsv").write_text("CYP2D6\t*1/*4\n")
    return lab.call(positions_vcf(folder / "a.vcf", told, leave_out={94942290}), outside=folder / "o.tsv")


async def test_markup_in_any_text_is_text(api, worker, result):
    ann = await api.person()
    sample = await sample_of(ann, worker, VCF, "a.vcf")
    await kept(api, sample, hostile(result))
    page = await ann.client.get(f"/samples/{sample}/pgx")
    assert page.status_code == 200, page.text
    assert MARKUP not in page.text
    assert "<img src=x" not in page.text
    assert page.text.count("&lt;img src=x") > 100
    assert "javascript:" not in page.text
    assert not re.findall(r'(?:src|href|action)="(?:https?:)?//', page.text), (
        "nothing is asked of others, on paper neither"
    )
    browser = {"Accept": "text/html"}
    other = await ann.client.get(f"/samples/{sample}/pgx", params={"sample": MARKUP}, headers=browser)
    assert other.status_code == 400
    assert MARKUP not in other.text
    lines = (await ann.client.get(f"/api/v1/samples/{sample}/pgx", params={"format": "tsv"})).text.splitlines()
    assert {line.count("\t") for line in lines} == {lines[0].count("\t")}


async def test_a_result_that_is_damaged_or_gone_is_told(api, worker, result):
    ann = await api.person()
    sample = await sample_of(ann, worker, VCF, "a.vcf")
    missing = await ann.client.get(f"/samples/{sample}/pgx")
    assert (missing.status_code, "PGx" in missing.text) == (404, True)
    await kept(api, sample, {**result, "format_version": 99})
    for path in (f"/samples/{sample}/pgx", f"/api/v1/samples/{sample}/pgx?format=tsv"):
        damaged = await ann.client.get(path)
        assert damaged.status_code == 500, path
        assert "newer Varloom" in damaged.text, path
