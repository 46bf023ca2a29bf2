"""From simulated reads of a person with known diplotypes to PGx calls, by the process stage and the CPU engine."""

from __future__ import annotations

import json
import uuid

import pytest
from tests.absent import require_aligner
from tests.shared_data import needs
from tests.support.simulated_pharmacogenes import PGX, install_releases, sequenced

from varloom.pipeline.request import Processing, SourceFile, StageRequest
from varloom.pipeline.stages import process
from varloom.storage import LocalStorage

pytestmark = needs(PGX)


@pytest.fixture(scope="module")
def called(tmp_path_factory):
    require_aligner()
    folder = tmp_path_factory.mktemp("reads")
    person = sequenced(folder)
    storage = LocalStorage(folder / "storage")
    install_releases(storage, person)
    job, files = str(uuid.uuid4()), []
    for path in person.reads:
        storage.write_bytes(f"uploads/{job}/{path.name}", path.read_bytes())
        files.append(SourceFile(f"uploads/{job}/{path.name}", path.name, None, None))
    request = StageRequest(
        "process",
        files[0],
        f"processed/{job}/1",
        {"reads": True, "pgx": True, "alignment_format": "cram"},  # which changes nothing of what is called
        storage.access,
        None,
        job=job,
        further=tuple(files[1:]),
        processing=Processing(threads=2),
        sample="P1",
    )
    made = process.run(StageRequest.from_json(json.loads(json.dumps(request.as_json()))), lambda *_: None).result
    [alignment] = [one["name"] for one in made["files"] if one["role"] == "alignment"]
    assert alignment == "alignment.cram"
    [pgx] = [one["name"] for one in made["files"] if one["role"] == "pgx"]
    result = json.loads(storage.read_bytes(f"{made['key']}/{pgx}"))
    return {one["gene"]: one for one in result["samples"][0]["genes"]}


def test_the_diplotypes_that_were_simulated_are_found(called):
    found = {gene: ([one["name"] for one in called[gene]["diplotypes"]], called[gene]["phenotype"]) for gene in called}
    assert found["CYP2C19"] == (["*2/*17"], "Intermediate Metabolizer")
    assert found["NUDT15"] == (["*1/*3"], "Intermediate Metabolizer")
    assert found["UGT1A1"] == (["*1/*80+*28"], "Intermediate Metabolizer")
    assert found["VKORC1"][0] == ["rs9923231 variant (T)/rs9923231 variant (T)"]
    for gene in ("CYP2C19", "NUDT15", "UGT1A1", "VKORC1"):
        assert (called[gene]["status"], called[gene]["positions"]["no_call"]) == ("called", [])


def test_what_no_read_covers_is_not_the_reference(called):
    gene = called["CYP2C9"]
    assert [one["name"] for one in gene["diplotypes"]] == ["*1/*3"]
    assert (gene["status"], gene["phenotype"]) == ("withheld", None)
    assert "rs1799853" in {one["rsid"] for one in gene["withheld"]["settled_by"]}
    assert "rs1799853" in {one["rsid"] for one in gene["positions"]["no_call"]}


def test_what_a_few_reads_show_is_neither_the_reference_nor_a_variant(called):
    gene = called["CYP3A5"]
    assert (gene["phenotype"], gene["diplotypes"], gene["positions"]["used"]) == (None, [], {})
    assert any("of the 10 reads" in one["why"] for one in gene["positions"]["no_call"])
