"""Definitions, phenotypes and recommendations as releases: what is taken, and what is refused."""

from __future__ import annotations

import json
import shutil
import zipfile

import pytest
from tests.pgx.made import PGX, Lab, library_with, positions_vcf
from tests.shared_data import needs

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.catalogue import licence_of, missing
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.errors import VarloomError
from varloom.processing.pgx.choice import choose_pgx
from varloom.storage.local import LocalStorage

pytestmark = needs(PGX)


def add(folder, source, name="pharmcat", assembly="GRCh38"):
    library = ReferenceLibrary(LocalStorage(folder))
    return install(library, ReleaseKey("pgx", name, assembly, "1"), Published(source), lambda *_: None)


def test_a_folder_of_pharmcat_is_taken_with_the_phenotypes_beside_it(pgx_library):
    [cpic, pharmcat] = pgx_library.releases()
    assert pharmcat.counts == {"genes": 20, "positions": 1201, "alleles": 1317, "phenotype_tables": 17}
    assert any("2025-11-05" in note for note in pharmcat.notes)
    assert (cpic.counts["recommendations"], cpic.counts["drugs"]) == (723 + 1, 293)
    assert [key.name for key in choose_pgx(pgx_library.newest_first())] == ["pharmcat", "cpic"]
    assert licence_of(pharmcat.key)
    lacking = [entry.name for entry in missing("GRCh38", [cpic, pharmcat]) if entry.kind == "pgx"]
    assert lacking == ["guidance"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda gene: gene.update(genomeBuild="GRCh37"), "reference_wrong_assembly", "GRCh37"),
        (lambda gene: gene["namedAlleles"][0].update(reference=False), "reference_malformed", "0 alleles are the ref"),
        (lambda gene: gene["namedAlleles"][1]["alleles"].__setitem__(0, "Q"), "reference_malformed", "'Q' for bases"),
        (lambda gene: gene["variants"][0].update(alts=[]), "reference_malformed", "are not bases"),
        (lambda gene: gene.update(gene="<script>"), "reference_malformed", "no symbol of a gene"),
        (lambda gene: gene["namedAlleles"][1].update(name="*" + "9" * 5000), "reference_malformed", "more than 200"),
        (lambda gene: gene["namedAlleles"][1]["alleles"].extend("ACGTACGT"), "reference_malformed", "more bases than"),
        (lambda gene: gene["variants"][0].update(rsid={}), "reference_malformed", "A name is none"),
        (lambda gene: gene["variants"][0].update(position=10**30), "reference_malformed", "No contig has"),
        (lambda gene: gene.pop("gene"), "reference_malformed", "An entry is missing"),
    ],
)
def test_definitions_that_cannot_be_matched_are_refused(change, code, words, tmp_path):
    gene = json.loads((PGX / "definition" / "CYP3A5_translation.json").read_text())
    change(gene)
    (tmp_path / "source").mkdir()
    (tmp_path / "source" / "CYP3A5.json").write_text(json.dumps(gene))
    with pytest.raises(VarloomError, match=words) as refused:
        add(tmp_path / "library", tmp_path / "source")
    assert refused.value.code == code
    assert not list((tmp_path / "library").rglob("pgx.json"))


def test_a_folder_that_was_copied_over_another_one_or_in_part_is_told(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(PGX / "definition", source / "definition")
    shutil.copytree(PGX / "phenotype", source / "phenotype")
    (source / "definition" / "exemptions.json").unlink()
    assert any("exemptions.json" in note for note in add(tmp_path / "a", source / "definition").notes)
    for folder, name in (("phenotype", "CYP2C9.json"), ("definition", "CYP2C9_translation.json")):
        older = source / folder / f"old {name}"
        shutil.copy(source / folder / name, older)
        with pytest.raises(VarloomError, match="of which version") as refused:
            add(tmp_path / "b", source / "definition")
        assert refused.value.code == "reference_malformed"
        older.unlink()
    whole = (source / "definition" / "CYP2C9_translation.json").read_bytes()
    (source / "definition" / "half.json").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VarloomError, match="not JSON"):
        add(tmp_path / "b", source / "definition")


def test_a_phenotype_of_a_billion_copies_is_refused(tmp_path):
    for name in ("definition", "phenotype"):
        (tmp_path / name).mkdir()
    shutil.copy(PGX / "definition" / "CYP3A5_translation.json", tmp_path / "definition")
    table = json.loads((PGX / "phenotype" / "CYP3A5.json").read_text())
    table["diplotypes"][0]["diplotypekey"] = {"*1": 10**9}
    (tmp_path / "phenotype" / "CYP3A5.json").write_text(json.dumps(table))
    with pytest.raises(VarloomError) as refused:
        add(tmp_path / "library", tmp_path / "definition")
    assert refused.value.code == "reference_malformed"


def test_what_is_no_json_and_what_is_no_definition_is_told(tmp_path):
    (tmp_path / "x.json").write_text('{"a": \n nonsense}')
    with pytest.raises(VarloomError, match="not JSON") as refused:
        add(tmp_path / "library", tmp_path / "x.json")
    assert refused.value.place.line == 2
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(VarloomError, match="No file is a definition"):
        add(tmp_path / "library", tmp_path / "x.json")


def test_the_tables_are_taken_out_of_the_wheel_and_call_by_themselves(tmp_path):
    wheel = tmp_path / "pypgx-0.26.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for table in (PGX / "cpic").glob("*.csv"):
            archive.write(table, f"pypgx/api/data/{table.name}")
    release = add(tmp_path / "library", wheel, "cpic")
    assert release.counts["genes"] > 60
    (tmp_path / "output").mkdir()
    lab = Lab(ReferenceLibrary(LocalStorage(tmp_path / "library")), tmp_path / "output")
    path = positions_vcf(tmp_path / "a.vcf", {94842866: "1/1", 94775367: "0/1", 94781859: "0/1"})
    called = lab.gene(path, "CYP2C19")
    assert [one["name"] for one in called["diplotypes"]] == ["*1/*2"]
    assert called["phenotype"] == "Intermediate Metabolizer"
    assert lab.gene(path, "CYP2D6")["status"] == "not_called"


def test_without_recommendations_it_is_said(tmp_path):
    lab = Lab(library_with(tmp_path / "library", "pharmcat"), tmp_path)
    result = lab.call(positions_vcf(tmp_path / "a.vcf"))
    assert result["recommendations_source"] is None
    assert result["samples"][0]["drugs"] == []


def test_a_table_with_a_ragged_row_is_refused_with_its_line(tmp_path):
    shutil.copytree(PGX / "cpic", tmp_path / "cpic")
    table = tmp_path / "cpic" / "phenotype-table.csv"
    table.chmod(0o644)
    table.write_text(table.read_text().replace("ABCG2,Poor Function,", "ABCG2,Poor Function,x,", 1))
    with pytest.raises(VarloomError, match="more or fewer columns") as refused:
        add(tmp_path / "library", tmp_path / "cpic", "cpic")
    assert refused.value.place.line == 4


def test_nothing_installed_is_told(tmp_path):
    with pytest.raises(VarloomError) as refused:
        Lab(ReferenceLibrary(LocalStorage(tmp_path)), tmp_path).call(PGX / "pharmcat_positions.vcf")
    assert refused.value.code == "pgx_definitions_missing"
