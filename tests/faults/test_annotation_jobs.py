"""Jobs that annotate, while the process of the stage is killed: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.running import QUICK, serving, write_vcf

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.failpoints import VARIABLE
from varloom.storage import LocalStorage

RECORDS = 50_000
KNOWN = 11
"""Every so many-th record is in the release."""


def chunks_done(server, job_id) -> list[int]:
    """The numbers of the chunks that were finished, in all attempts, as their processes said."""
    logs = server.client.get(f"jobs/{job_id}/log").raise_for_status().json()["logs"]
    return [int(number) for log in logs for number in re.findall(r"chunk (\d+) is finished", log["text"])]


def test_three_kills_on_the_way_change_nothing_and_no_chunk_is_done_twice(tmp_path):
    """Small chunks, one at a time; each kill comes when two further ones are finished.

    Then the sample is annotated again without a kill on the way; its worker is killed while it publishes.
    """
    data, vcf = tmp_path / "data", write_vcf(tmp_path / "sample.vcf", 4_000)
    fired = tmp_path / "fired.log"
    chunks = ("annotation.after_chunk=kill@2", "annotation.after_rename=kill@3", "annotation.before_rename=kill@3")
    rules = ";".join([*chunks, "publish.after_rows=kill@2", f"log={fired}"])
    small = {"PYTHONPATH": str(Path(__file__).parents[1] / "support" / "small_chunks")}
    with serving(data, **QUICK, **small, VARLOOM_MAX_ATTEMPTS="6", **{VARIABLE: rules}) as server:
        install_release(LocalStorage(data / "storage"), vcf)
        killed = server.at_rest(server.submit(vcf, annotate="small", assembly="GRCh38")["id"])
        path = f"samples/{killed['sample_id']}"
        again = server.at_rest(server.client.post(f"{path}/annotate").raise_for_status().json()["id"])
        for done, kills in ((killed, 3), (again, 0)):
            assert (done["state"], done["sample_id"]) == ("completed", killed["sample_id"]), done["error"]
            outcomes = [item["outcome"] for item in done["attempts"] if item["stage"] == "annotate"]
            assert outcomes == ["failed"] * kills + ["succeeded"]
            assert sorted(chunks_done(server, done["id"])) == list(range(10))
        versions = server.client.get(path).json()["versions"]
    assert fired.read_text().count("kill") == 4
    assert [one["version"] for one in versions] == [2, 1]
    assert versions[0]["datasets"][0]["content_hash"] == versions[1]["datasets"][0]["content_hash"]
    assert versions[0]["changes"] == {"columns": {}, "added": [], "removed": []}


STORING = ("annotate.before_store=kill@1", "annotate.after_store=kill@1")


def install_release(storage, vcf) -> None:
    """A release of every eleventh variant of the file, with its position as its id."""
    lines = [line.split("\t") for line in vcf.read_text().splitlines() if not line.startswith("#")]
    published = vcf.with_name("clinvar.vcf")
    with published.open("w") as file:
        file.write("##fileformat=VCFv4.1\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
        for line in lines[::KNOWN]:
            file.write(f"1\t{line[1]}\t{line[1]}\t{line[3]}\t{line[4]}\t.\t.\tCLNSIG=Benign\n")
    key = ReleaseKey("variants", "clinvar", "GRCh38", "2026-11-15")
    install(ReferenceLibrary(storage), key, Published(published), lambda *_: None)


def test_a_killed_annotation_goes_on_where_it_was(tmp_path):
    data, vcf = tmp_path / "data", write_vcf(tmp_path / "sample.vcf", RECORDS)
    points = ("annotation.after_rename=kill@3", "annotation.before_rename=kill@1", *STORING)
    rules = ";".join([*points, f"log={tmp_path / 'fired.log'}"])
    with serving(data, **QUICK, VARLOOM_MAX_ATTEMPTS="6", **{VARIABLE: rules}) as server:
        install_release(LocalStorage(data / "storage"), vcf)
        job = server.submit(vcf, annotate="small", assembly="GRCh38")
        done = server.at_rest(job["id"])
        assert done["state"] == "completed", done["error"]
        assert (done["records"], done["warnings"]) == (RECORDS, [])
        outcomes = [item["outcome"] for item in done["attempts"] if item["stage"] == "annotate"]
        assert outcomes == ["failed"] * 4 + ["succeeded"]
        logs = server.client.get(f"jobs/{job['id']}/log").json()["logs"]
        told = "\n".join(log["text"] for log in logs)
        assert re.search(r"[12] chunks? of 3 had been annotated before", told)
        assert "3 chunks of 3 had been annotated before" in told
        wanted = {"format": "jsonl", "columns": "position,clinvar.variation_id,clinvar.found"}
        rows = server.client.get(f"samples/{done['sample_id']}/export", params=wanted)
        found = [json.loads(line) for line in rows.text.splitlines()]
        assert len(found) == RECORDS
        for number, row in enumerate(found):
            known = number % KNOWN == 0
            assert row["clinvar.found"] is known
            assert row["clinvar.variation_id"] == (str(row["position"]) if known else None)
        assert not list((data / "storage").glob("attempts/*/*/work"))
    assert (tmp_path / "fired.log").read_text().count("kill") == 4
