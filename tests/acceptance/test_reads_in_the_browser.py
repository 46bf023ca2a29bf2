"""Real reads through a whole job in the browser: chosen together, aligned, called, and shown as a table."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pysam
import pytest
from accessibility import violations
from drawn_reads import assert_reads_are_drawn
from playwright.sync_api import expect
from tests.absent import require_aligner
from tests.reads import GENOME, R1, R2, install_genome, known_snps
from tests.shared_data import needs
from tests.support.simulated_pharmacogenes import PGX, install_releases, sequenced

from running import QUICK, serving
from varloom.storage import LocalStorage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from visiting import Visitor

    from running import Server

pytestmark = [pytest.mark.browser, needs(GENOME)]


@pytest.fixture(scope="module")
def server(module_data_folder: Path) -> Iterator[Server]:
    require_aligner()
    with serving(module_data_folder, **QUICK) as running:
        yield running


def choose_files(visitor: Visitor, *files: tuple[str, bytes]) -> None:
    if not visitor.page.is_visible("#upload"):
        visitor.page.click(".header [data-open-upload]")
    chosen = [{"name": name, "mimeType": "", "buffer": content} for name, content in files]
    visitor.page.set_input_files("#upload-input", chosen)


def test_reads_need_a_genome_and_both_mates_and_become_a_table(visitor: Visitor, tmp_path: Path) -> None:
    page, server = visitor.page, visitor.server
    visitor.log_in()
    choose_files(visitor, ("NA12878_R1.fastq.gz", R1.read_bytes()), ("NA12878_R2.fastq.gz", R2.read_bytes()))
    entry = page.locator(".upload-file")
    expect(entry).to_have_count(1)
    expect(entry).to_contain_text("Reads need a reference genome")
    expect(entry).to_contain_text("varloom refs add NAME --kind fasta")
    expect(page.locator("#upload-send")).to_be_disabled()

    install_genome(LocalStorage(server.data / "storage"))
    page.wait_for_timeout(100)
    server.client.get("refs").raise_for_status()
    refused = server.client.post(
        "jobs", files={"file": ("a_R1.fastq", b"@r\nA\n+\nI\n")}, data={"reference": "none-such"}
    )
    assert (refused.status_code, refused.json()["code"]) == (409, "reference_genome_missing")  # and it has looked anew
    page.reload()
    visitor.wait_until_live()

    choose_files(visitor, ("NA12878_S1_L001_R2_001.fastq.gz", R2.read_bytes()))
    expect(page.locator(".upload-file")).to_contain_text("the file of the first mates is missing")
    page.locator(".upload-file [data-remove]").click()

    choose_files(visitor, ("NA12878_R2.fastq.gz", R2.read_bytes()), ("NA12878_R1.fastq.gz", R1.read_bytes()))
    lane = page.locator(".upload-lanes li")
    expect(lane).to_have_text("PairNA12878_R1.fastq.gzNA12878_R2.fastq.gz")
    expect(page.locator(".upload-file [name=reference]")).to_have_value("GRCh38/na12878/1")
    expect(page.locator(".upload-file [name=assembly]")).to_be_hidden()
    waits = page.locator("[data-engine-waits]")
    expect(waits).to_be_hidden()
    page.select_option(".upload-file [name=engine]", "parabricks")
    expect(waits).to_have_text("The job can be sent. It waits for a worker with Parabricks; none is connected now.")
    assert violations(page) == []
    page.select_option(".upload-file [name=engine]", "auto")
    expect(waits).to_be_hidden()

    visitor.watch_states()
    server.client.post("queue/pause", json={"stage": "process"}).raise_for_status()  # so that each state is seen
    page.click("#upload-send")
    page.wait_for_selector("#upload", state="hidden")
    queued = visitor.wait_for_state("NA12878", "queued")
    expect(queued).to_contain_text("NA12878_R1.fastq.gz and 1 more")
    server.client.post("queue/resume", json={"stage": "process"}).raise_for_status()
    visitor.wait_for_state("NA12878", "completed")
    seen = [state for state in visitor.states_of("NA12878") if state != "parsing"]
    assert seen == ["queued", "processing", "completed"]

    visitor.follow(visitor.entry("NA12878").get_by_role("link", name="Open table"))
    expect(page.locator("#row-count")).to_contain_text("rows")
    look_at_reads(visitor)
    visitor.follow(page.get_by_role("link", name="Reads and files"))
    with page.expect_download() as bam:
        page.get_by_role("link", name="Download NA12878.bam", exact=True).click()
    with page.expect_download() as vcf:
        page.get_by_role("link", name="Download NA12878.vcf.gz", exact=True).click()
    for download in (bam, vcf):
        download.value.save_as(tmp_path / download.value.suggested_filename)
    with pysam.VariantFile(str(tmp_path / "NA12878.vcf.gz")) as variants:
        called = {(record.pos, record.ref, alt) for record in variants for alt in record.alts}
    assert len(known_snps() & called) == len(known_snps()) == 14

    [sample] = server.client.get("samples").json()["samples"]
    rows = server.client.get(f"samples/{sample['id']}/rows", params={"columns": "position,ref,alt"}).json()["rows"]
    assert {(row["position"], row["ref"], row["alt"]) for row in rows} >= known_snps()
    provenance = server.client.get(f"jobs/{sample['job_id']}/provenance").json()
    assert (provenance["processing"]["engine"], provenance["processing"]["reference"]) == ("cpu", "na12878 1")
    assert [one["name"] for one in provenance["source"]["further"]] == ["NA12878_R2.fastq.gz"]
    check_parts(server, sample["id"], (tmp_path / "NA12878.bam").read_bytes())


@needs(PGX)
def test_pgx_of_reads_is_shown_with_what_no_read_covers(visitor: Visitor, tmp_path: Path) -> None:
    person, server = sequenced(tmp_path), visitor.server
    install_releases(LocalStorage(server.data / "storage"), person)
    server.client.post("jobs", files={"file": ("x.vcf", b"")}, data={"pgx": "true"})  # and the server looks anew
    files = [("file", (path.name, path.read_bytes())) for path in person.reads]
    asked = server.client.post("jobs", files=files, data={"pgx": "true", "reference": "genes"})
    job = server.at_rest(asked.raise_for_status().json()["id"])
    assert (job["state"], job["plan"]) == ("completed", ["process", "parse"]), job
    visitor.log_in()
    visitor.page.goto(f"{server.url}/samples/{job['sample_id']}")
    visitor.page.get_by_role("link", name="PGx").click()
    genes = visitor.page.get_by_role("region", name="Genes")
    expect(genes.get_by_role("row", name="CYP2C19 ")).to_contain_text("*2/*17")
    expect(genes.get_by_role("row", name="CYP2C19 ")).to_contain_text("Intermediate Metabolizer")
    uncovered = genes.get_by_role("row", name="CYP2C9 ")
    expect(uncovered).to_contain_text("*1/*3")
    expect(uncovered).to_contain_text("rs1799853")
    expect(uncovered).to_contain_text("Withheld")
    expect(genes.get_by_role("row", name="CYP3A5 ")).to_contain_text("No data")
    other = visitor.page.request.get(f"{server.url}/samples/{job['sample_id']}/pgx?sample=somebody")
    assert not other.ok
    assert "The file has no sample" in other.text()  # nor anybody else's calls in its place
    assert "CYP2C19" not in other.text()


def look_at_reads(visitor: Visitor) -> None:
    """What igv.js draws of the reads at a variant; it may neither ask other hosts nor break the policy of the page."""
    page, server = visitor.page, visitor.server
    expect(page.locator('#table[data-ready=true] .ag-row[row-index="0"] .ag-cell[col-id="position"]')).not_to_be_empty()
    page.locator("#table .row-button").first.click()
    show = page.get_by_role("button", name="Show reads")
    with page.expect_response("**/files/alignment.bam") as part:
        show.click()
    assert part.value.status == 206
    dialog = page.get_by_role("dialog", name="Reads at q:")
    view = dialog.get_by_role("region", name="Reads at q:")
    expect(view).to_have_attribute("aria-busy", "false")
    expect(dialog).to_contain_text("NA12878.bam, aligned to na12878 1 (GRCh38).")
    expect(view.get_by_text("NA12878.bam", exact=True)).to_be_visible()
    assert_reads_are_drawn(view)
    place = view.get_by_label("Place, such as")
    before = place.input_value()
    view.press("ArrowRight")
    expect(place).not_to_have_value(before)
    assert violations(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(show).to_be_focused()

    [bam] = (server.data / "storage" / "processed").rglob("alignment.bam")
    moved = bam.rename(bam.with_name("moved"))
    visitor.expected = ("status of 410",)
    show.click()
    expect(dialog.get_by_role("alert")).to_contain_text("NA12878.bam is not in the storage any more.")
    answer = server.client.get(urlsplit(part.value.url).path.removeprefix("/api/v1/"), headers={"Range": "bytes=0-9"})
    assert (answer.status_code, answer.json()["code"]) == (410, "sample_file_gone")
    moved.rename(bam)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    page.get_by_role("dialog").get_by_role("button", name="Close").click()
    visitor.expected = ()


def check_parts(server: Server, sample: str, whole: bytes) -> None:
    """A file comes in parts, too, to its account alone."""
    address = f"samples/{sample}/files/alignment.bam"
    for asked, part in (("bytes=0-99", whole[:100]), ("bytes=-28", whole[-28:]), ("bytes=100-", whole[100:])):
        answer = server.client.get(address, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["content-range"].endswith(f"/{len(whole)}")
    assert server.client.get(address, headers={"Range": f"bytes={len(whole)}-"}).status_code == 416
    assert server.client.get(address, headers={"Range": "lines=1-2"}).content == whole
    answer = server.client.get(address, headers={"Authorization": "Bearer none"})
    assert answer.status_code == 401
    assert server.client.get(f"samples/{sample}/files/passwd").json()["code"] == "sample_file_not_found"
    genome = f"samples/{sample}/reads/genome"
    text = server.client.get(f"{genome}/genome.fa.gz").content
    assert gzip.decompress(text).startswith(b">q\n")
    assert server.client.get(f"{genome}/genome.fa.gz", headers={"Range": "bytes=5-9"}).content == text[5:10]
    for name in ("release.json", "..%2frelease.json", "passwd"):
        assert server.client.get(f"{genome}/{name}").status_code == 404
    for path in (f"samples/{sample}/reads", f"{genome}/genome.fa.gz.fai"):
        assert server.client.get(path, headers={"Authorization": "Bearer none"}).status_code == 401
