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

RECORDS = 4_000
KNOWN = 11
"""Every so many-th record is in the release."""

BETWEEN = ("annotation.after_chunk=kill@2", "annotation.after_rename=kill@3", "annotation.before_rename=kill@3")
"""Kills of a stage, each when two further chunks are finished."""
STORING = ("annotate.before_store=kill@1", "annotate.after_store=kill@1")
"""Kills when all are."""


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


def chunks_done(server, job_id) -> list[int]:
    """The numbers of the chunks that were finished, in all attempts, as their processes said."""
    logs = server.client.get(f"jobs/{job_id}/log").raise_for_status().json()["logs"]
    return [int(number) for log in logs for number in re.findall(r"chunk (\d+) is finished", log["text"])]


def known_as_installed(server, sample_id) -> bool:
    """Whether each row of the sample's table has what the release says of it, and nothing else."""
    wanted = {"format": "jsonl", "columns": "position,clinvar.variation_id,clinvar.found"}
    rows = server.client.get(f"samples/{sample_id}/export", params=wanted).raise_for_status().text.splitlines()
    found = [(row["clinvar.found"], row["clinvar.variation_id"], row["position"]) for row in map(json.loads, rows)]
    known = [number % KNOWN == 0 for number in range(RECORDS)]
    return found == [(is_in, str(at) if is_in else None, at) for is_in, (_, _, at) in zip(known, found, strict=True)]


def test_kills_on_the_way_change_nothing_and_no_chunk_is_done_twice(data_folder, tmp_path):
    """Small chunks, one at a time. Then the sample is annotated again, and its worker is killed while it publishes."""
    data, vcf = data_folder, write_vcf(tmp_path / "sample.vcf", RECORDS)
    fired = tmp_path / "fired.log"
    rules = ";".join([*BETWEEN, *STORING, "publish.after_rows=kill@2", f"log={fired}"])
    small = {"PYTHONPATH": str(Path(__file__).parents[1] / "support" / "small_chunks")}
    often = {**QUICK, "VARLOOM_RETRY_DELAY": "0.01", "VARLOOM_MAX_ATTEMPTS": "8"}  # each wait is four times the last
    with serving(data, **often, **small, **{VARIABLE: rules}) as server:
        install_release(LocalStorage(data / "storage"), vcf)
        killed = server.at_rest(server.submit(vcf, annotate="small", assembly="GRCh38")["id"])
        path = f"samples/{killed['sample_id']}"
        again = server.at_rest(server.client.post(f"{path}/annotate").raise_for_status().json()["id"])
        for done, kills in ((killed, len(BETWEEN + STORING)), (again, 0)):
            assert (done["state"], done["sample_id"]) == ("completed", killed["sample_id"]), done["error"]
            assert (done["records"], done["warnings"]) == (RECORDS, [])
            outcomes = [item["outcome"] for item in done["attempts"] if item["stage"] == "annotate"]
            assert outcomes == ["failed"] * kills + ["succeeded"]
            assert sorted(chunks_done(server, done["id"])) == list(range(10))
        versions = server.client.get(path).json()["versions"]
        assert known_as_installed(server, killed["sample_id"])
        assert not list((data / "storage").glob("attempts/*/*/work"))
    assert fired.read_text().count("kill") == 6
    assert [one["version"] for one in versions] == [2, 1]
    assert versions[0]["datasets"][0]["content_hash"] == versions[1]["datasets"][0]["content_hash"]
    assert versions[0]["changes"] == {"columns": {}, "added": [], "removed": []}
