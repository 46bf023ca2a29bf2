"""Jobs that annotate, while the process of the stage is killed: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import json
import re

from tests.running import QUICK, serving, write_vcf

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.failpoints import VARIABLE
from varloom.storage import LocalStorage

RECORDS = 50_000
KNOWN = 11
"""Every so many-th record is in the release."""


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


def test_a_killed_annotation_goes_on_where_it_was(data_folder, tmp_path):
    data, vcf = data_folder, write_vcf(tmp_path / "sample.vcf", RECORDS)
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
