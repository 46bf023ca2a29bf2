"""A job of real reads whose alignment is kept as CRAM: chosen in the dialog, seen at a row, downloaded, and needed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pysam
import pytest
from click.testing import CliRunner
from drawn_reads import assert_reads_are_drawn
from playwright.sync_api import expect
from tests.absent import require_aligner
from tests.reads import GENOME, R1, R2, install_genome, known_snps
from tests.shared_data import needs

from running import QUICK, serving
from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.cli import main
from varloom.errors import VarloomError
from varloom.storage import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from visiting import Visitor

    from running import Server

pytestmark = [pytest.mark.browser, needs(GENOME)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    require_aligner()
    folder = tmp_path_factory.mktemp("server") / "data"
    with serving(folder, **QUICK) as running:
        install_genome(LocalStorage(running.data / "storage"))
        running.client.post("jobs", files={"file": ("a_R1.fastq", b"@r\nA\n+\nI\n")}, data={"reference": "none"})
        yield running


def test_reads_are_kept_as_cram_and_seen_at_a_row(visitor: Visitor, tmp_path: Path) -> None:
    page, server = visitor.page, visitor.server
    visitor.log_in()
    page.click(".header [data-open-upload]")
    files = [("NA12878_R1.fastq.gz", R1), ("NA12878_R2.fastq.gz", R2)]
    chosen = [{"name": name, "mimeType": "", "buffer": path.read_bytes()} for name, path in files]
    page.set_input_files("#upload-input", chosen)
    page.locator(".upload-file [name=alignment_format]").select_option("CRAM (about half as large)")
    page.click("#upload-send")
    page.wait_for_selector("#upload", state="hidden")
    visitor.wait_for_state("NA12878", "completed")
    visitor.follow(visitor.entry("NA12878").get_by_role("link", name="Open table"))
    look(visitor)

    visitor.follow(page.get_by_role("link", name="Reads and files"))
    expect(page.get_by_text("is read with that genome alone: na12878 1 (GRCh38)")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download NA12878.cram", exact=True).click()
    download.value.save_as(tmp_path / "by-hand.cram")
    [sample] = server.client.get("samples").json()["samples"]
    job = server.job(sample["job_id"])
    assert job["options"]["alignment_format"] == "cram"
    page.goto(f"{server.url}/jobs/{job['id']}")
    expect(page.locator("dl, table").filter(has_text="Alignment").first).to_contain_text("CRAM")
    rows = server.client.get(f"samples/{sample['id']}/rows", params={"columns": "position,ref,alt"}).json()["rows"]
    assert len(known_snps() & {(row["position"], row["ref"], row["alt"]) for row in rows}) == 14
    check_files(server, sample["id"], tmp_path)
    check_places(server, sample["id"], tmp_path)
    check_genome_is_kept(server, sample["id"])


def look(visitor: Visitor) -> None:
    """The reads at a variant come as BAM of that place, under the policy of the page."""
    page = visitor.page
    expect(page.locator('#table[data-ready=true] .ag-row[row-index="0"] .ag-cell[col-id="position"]')).not_to_be_empty()
    page.locator("#table .row-button").first.click()
    with page.expect_response("**/reads/htsget?*referenceName=q*") as part:
        page.get_by_role("button", name="Show reads").click()
    assert part.value.status == 200
    dialog = page.get_by_role("dialog", name="Reads at q:")
    view = dialog.get_by_role("region", name="Reads at q:")
    expect(view).to_have_attribute("aria-busy", "false")
    expect(dialog).to_contain_text("NA12878.cram, aligned to na12878 1 (GRCh38).")
    assert_reads_are_drawn(view)
    page.keyboard.press("Escape")
    page.get_by_role("dialog").get_by_role("button", name="Close").click()


def check_files(server: Server, sample: str, tmp_path: Path) -> None:
    """Page, API and command line give the same bytes, under the names and types of what they are."""
    answer = server.client.get(f"samples/{sample}/files/alignment.cram")
    assert answer.headers["content-type"] == "application/vnd.ga4gh.cram"
    assert answer.headers["content-disposition"] == 'attachment; filename="NA12878.cram"'
    assert answer.content == (tmp_path / "by-hand.cram").read_bytes()
    index = server.client.get(f"samples/{sample}/files/alignment.cram.crai")
    assert index.headers["content-disposition"] == 'attachment; filename="NA12878.cram.crai"'
    words = ["files", "NA12878", "alignment", "-o", str(tmp_path / "got"), "--data", str(server.data)]
    listed = CliRunner().invoke(main, words)
    assert listed.exit_code == 0, listed.output
    assert "NA12878.cram.crai" in listed.stdout
    assert {one.name: one.read_bytes() for one in (tmp_path / "got").iterdir()} == {
        "NA12878.cram": answer.content,
        "NA12878.cram.crai": index.content,
    }
    with pysam.AlignmentFile(str(tmp_path / "got" / "NA12878.cram"), reference_filename=str(GENOME)) as alignment:
        assert sum(1 for _ in alignment.fetch("q", 6000, 6100)) > 10


def check_places(server: Server, sample: str, tmp_path: Path) -> None:
    """The reads of a place are those of the CRAM; what is asked amiss is told, and no other account sees any."""
    address = f"samples/{sample}/reads/htsget"

    def bam(**asked: object) -> list[str]:
        answer = server.client.get(address, params=asked).raise_for_status()
        assert answer.headers["content-type"].startswith("application/vnd.ga4gh.htsget.v1")
        assert "content-encoding" not in answer.headers, "what it holds is packed already"
        [block] = answer.json()["htsget"]["urls"]
        path = tmp_path / "place.bam"
        path.write_bytes(base64.b64decode(block["url"].removeprefix("data:application/vnd.ga4gh.bam;base64,")))
        with pysam.AlignmentFile(str(path), check_sq=False) as reads:
            return [read.to_string() for read in reads.fetch(until_eof=True)]

    with pysam.AlignmentFile(str(tmp_path / "got" / "NA12878.cram"), reference_filename=str(GENOME)) as whole:
        for start, end in ((0, 12_356), (6000, 6100), (6000, 6001), (12_000, 12_356)):
            there = [read.to_string() for read in whole.fetch("q", start, end)]
            assert bam(referenceName="q", start=start, end=end) == there
    assert bam(**{"class": "header"}) == []
    for asked, status, code in (
        ({}, 422, "request_invalid"),
        ({"referenceName": "chr1", "start": 1, "end": 9}, 422, "request_invalid"),
        ({"referenceName": "q", "start": 9, "end": 9}, 422, "request_invalid"),
        ({"referenceName": "q", "start": 0, "end": 1_000_001}, 413, "reads_place_too_large"),
        ({"referenceName": "q", "format": "VCF"}, 422, "request_invalid"),
    ):
        answer = server.client.get(address, params=asked)
        assert (answer.status_code, answer.json()["code"]) == (status, code), asked
    assert server.client.get(address, headers={"Authorization": "Bearer none"}).status_code == 401


def check_genome_is_kept(server: Server, sample: str) -> None:
    """A genome by which a CRAM is read is not removed by mistake; removed by force it is told what is missing."""
    library = ReferenceLibrary(LocalStorage(server.data / "storage"))
    key = ReleaseKey("fasta", "na12878", "GRCh38", "1")
    with pytest.raises(VarloomError, match="1 alignment that is kept as CRAM") as kept:
        library.remove(key)
    assert kept.value.code == "reference_needed"
    library.remove(key, force=True)
    for path in ("reads", "reads/htsget?referenceName=q&start=1&end=9"):
        answer = server.client.get(f"samples/{sample}/{path}")
        assert (answer.status_code, answer.json()["code"]) == (409, "reads_need_genome")
        assert "na12878 1 (GRCh38)" in answer.json()["detail"]
    install_genome(LocalStorage(server.data / "storage"))
    assert server.client.get(f"samples/{sample}/reads").json()["alignment_format"] == "cram"
