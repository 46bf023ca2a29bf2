"""Reference data over HTTP and as a page: what is installed and what is missing, and nothing to those not logged in."""

from __future__ import annotations

import asyncio
import gzip

from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.refs.release import checked_release_key

VCF = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t5\trs5\tA\tC,<DEL>\t.\t.\t.\n"


async def test_what_is_installed_and_missing_is_told(api, tmp_path):
    member = await api.person()
    empty = (await member.client.get("/api/v1/refs")).json()
    assert empty["installed"] == []
    assert {"clinvar", "gnomad", "dbsnp"} <= {one["name"] for one in empty["missing"] if one["assembly"] == "GRCh38"}
    page = await member.client.get("/refs")
    assert "No reference data" in page.text
    source = tmp_path / "a<b>.vcf.gz"
    source.write_bytes(gzip.compress(VCF.encode()))
    library = ReferenceLibrary(api.services.storage)
    key = checked_release_key("variants", "dbsnp", "GRCh38", "156")
    made = await asyncio.to_thread(install, library, key, Published(source), lambda *_: None)
    found = (await member.client.get("/api/v1/refs")).json()
    (one,) = found["installed"]
    assert (one["name"], one["release"], one["bytes"], one["rows"]) == ("dbsnp", "156", made.size, 1)
    assert one["sha256"] == made.sha256
    assert len(found["missing"]) == len(empty["missing"]) - 1
    page = await member.client.get("/refs")
    assert page.status_code == 200
    assert "a&lt;b&gt;.vcf.gz" in page.text
    assert "<code>&lt;DEL&gt;</code>" in page.text
    assert "https://ftp.ncbi.nlm.nih.gov/pub/clinvar/vcf_GRCh38/clinvar.vcf.gz" in page.text
    stranger = await api.client()
    assert (await stranger.get("/api/v1/refs")).status_code == 401


async def test_only_owners_install_the_demonstration_and_everybody_can_load_its_files(api):
    member = await api.person()
    for method in ("POST", "DELETE"):
        refused = await member.client.request(method, "/api/v1/refs/demo")
        assert (refused.status_code, refused.json()["code"]) == (403, "owner_only")
    assert (await member.client.get("/api/v1/refs")).json()["demo"]["releases"] == 0
    assert "<code>varloom refs demo</code>" in (await member.client.get("/refs")).text
    for name in ("varloom-demo.vcf", "varloom-demo-sv.vcf"):
        text = (await member.client.get(f"/api/v1/refs/demo/{name}")).text
        assert text.startswith("##fileformat=VCF")
        assert "Synthetic demonstration data" in text
    missing = await member.client.get("/api/v1/refs/demo/passwd")
    assert (missing.status_code, missing.json()["code"]) == (404, "demo_file_not_found")
