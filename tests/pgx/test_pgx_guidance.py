"""How strong recommendations are: the prescribing guidance as a release, and what is looked up in it."""

from __future__ import annotations

import pytest
from tests.pgx.made import PGX, Lab, library_with, positions_vcf
from tests.pgx.made_guidance import advice, guideline, made_guidance, written
from tests.shared_data import needs

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.refs.pgx_guidance import OF_NO_DRUG, OTHERS, as_text
from varloom.errors import VarloomError
from varloom.processing.pgx.choice import choose_pgx
from varloom.processing.pgx.tables import DRUG_COLUMNS, drugs_as_tsv
from varloom.storage.local import LocalStorage

pytestmark = needs(PGX)

STAR_2 = {94842866: "1/1", 94781859: "1/1", 94775367: "1/1"}
"""CYP2C19 *2/*2: a poor metabolizer."""


def add(library, source):
    return install(library, ReleaseKey("pgx", "guidance", "GRCh38", "1"), Published(source), lambda *_: None)


@pytest.fixture(scope="module")
def guided_library(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guided")
    library = library_with(folder / "library", "pharmcat", "cpic")
    add(library, written(folder / "prescribing_guidance.json", made_guidance()))
    return library


@pytest.fixture
def guided(guided_library, tmp_path):
    (tmp_path / "output").mkdir()
    return Lab(guided_library, tmp_path / "output")


def drugs(lab, path, outside=None):
    result = lab.call(path, outside=outside)
    return {one["drug"]: one for one in result["samples"][0]["drugs"]}


def test_the_guidance_is_a_release_that_calls_nothing_alone(guided_library, tmp_path):
    release = next(one for one in guided_library.releases() if one.name == "guidance")
    assert release.counts == {"guidelines": 7, "recommendations": 12, "drugs": 7}
    assert release.unused == {OTHERS: 1}
    assert any("2026-02-03" in note for note in release.notes)
    assert [key.name for key in choose_pgx(guided_library.newest_first())] == ["pharmcat", "cpic", "guidance"]
    alone = ReferenceLibrary(LocalStorage(tmp_path / "alone"))
    folder = tmp_path / "pharmcat"
    (folder / "reporter").mkdir(parents=True)
    (folder / "reporter" / "messages.json").write_text("[]")
    (folder / "reporter" / "report.hbs").write_text("{{ x }}")
    idle = guideline("x", advice("x", [], "For nobody"))
    written(folder / "reporter" / "prescribing_guidance.json", {"guidelines": [*made_guidance()["guidelines"], idle]})
    taken = add(alone, folder)
    assert (taken.counts["guidelines"], taken.unused[OF_NO_DRUG]) == (8, 1)
    assert any("does not tell" in note for note in taken.notes)
    assert choose_pgx(alone.newest_first()) == ()


def test_strength_population_implications_and_guideline_are_told(guided, tmp_path):
    path = positions_vcf(tmp_path / "a.vcf", STAR_2)
    result = guided.call(path)
    assert result["strength_source"].endswith("version 2026-02-03-04-05")
    found = {one["drug"]: one for one in result["samples"][0]["drugs"]}
    one = found["voriconazole"]
    assert (one["state"], one["strength"], one["recommendation"]) == ("given", "Moderate", "Choose another agent")
    assert one["source"] == result["strength_source"]
    assert one["guidance"] == [
        {
            "recommendation": "Choose another agent",
            "strength": "Moderate",
            "population": "general",
            "implications": ["Made: implies x"],
            "lookup": [{"CYP2C19": "Poor Metabolizer"}],
            "guideline": {
                "id": "PA9",
                "name": "Annotation of CPIC Guideline for voriconazole",
                "url": "https://example.org/voriconazole",
                "version": 31,
            },
        }
    ]
    two = found["clopidogrel"]
    assert [(one["population"], one["strength"]) for one in two["guidance"]] == [
        ("CVI ACS PCI", "Strong"),
        ("NVI", "Moderate"),
    ]
    assert two["strength"] is None
    assert two["recommendation"] == "CVI ACS PCI: Avoid <b> if possible NVI: Consider another"
    assert found["omeprazole"]["strength"] is None  # of the tables, which tell none
    assert found["warfarin"]["state"] == "guideline"
    rows = [dict(zip(DRUG_COLUMNS, line.rstrip("\n").split("\t"), strict=True)) for line in drugs_as_tsv(result)][1:]
    [row] = [one for one in rows if one["Drug"] == "voriconazole"]
    assert (row["Strength"], row["Population"], row["Guideline Version"]) == ("Moderate", "general", "31")
    assert len([one for one in rows if one["Drug"] == "clopidogrel"]) == 2


@pytest.mark.parametrize(
    ("genotypes", "told"),
    [
        ({}, ("given", "Label dose", "Strong")),
        ({94942290: "0/1"}, ("given", "Lowest dose", "Optional")),  # *1/*2: 1.5
        ({94942290: "0/1", 94981296: "0/1"}, ("given", "By these alleles", "Optional")),  # *2/*3
        ({94981296: "1/1"}, ("given", None, None)),  # *3/*3: no key of the guidance, so the tables' word
    ],
)
def test_genes_with_a_score_are_looked_up_by_it_and_alleles_go_first(genotypes, told, guided, tmp_path):
    one = drugs(guided, positions_vcf(tmp_path / "a.vcf", genotypes))["celecoxib"]
    state, text, strength = told
    assert (one["state"], one["strength"]) == (state, strength)
    assert one["recommendation"] == text or (text is None and one["recommendation"] and not one["guidance"])


@pytest.mark.parametrize(
    ("call", "drug", "texts"),
    [
        ("CYP2D6\t*1/*4", "codeine", ["Watch"]),
        ("CYP2D6\t*1/*4", "amitriptyline", ["Both"]),
        ("CYP2D6\t\t\t1", "amitriptyline", ["Both"]),  # a score alone is looked up, as PharmCAT does it
        ("CYP2D6\t\t\t>=3.0", "codeine", ["Avoid"]),
        ("CYP2D6\t\t\t3.0", "codeine", []),
        ("HLA-B\t*57:01:01/*58:01", "abacavir", ["Not recommended"]),
        ("HLA-B\t*15:02/*58:01", "abacavir", []),
        ("CYP2C9\t*1/*1", "amitriptyline", ["One"]),  # nothing is known of CYP2D6
    ],
)
def test_calls_made_elsewhere_are_looked_up(call, drug, texts, guided, tmp_path):
    (tmp_path / "o.tsv").write_text(f"{call}\n")
    found = drugs(guided, positions_vcf(tmp_path / "a.vcf", STAR_2), tmp_path / "o.tsv")
    assert [one["recommendation"] for one in found.get(drug, {"guidance": []})["guidance"]] == texts
    if drug == "abacavir" and texts:
        assert found[drug]["genes"] == [{"gene": "HLA-B", "phenotype": "*57:01 positive", "withheld": False}]


def test_what_is_withheld_stays_withheld(guided, tmp_path):
    path = positions_vcf(tmp_path / "a.vcf", {94842866: "1/1"}, leave_out={94781859, 94775367})
    one = drugs(guided, path)["voriconazole"]
    assert (one["state"], one["recommendation"], one["strength"], one["guidance"]) == ("withheld", None, None, [])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda p: p.update(guidelines={}), "guidelines"),
        (lambda p: p.update(guidelines=[]), "guidelines"),
        (lambda p: p.update(version=3), "version"),
        (lambda p: p["guidelines"].insert(0, None), "guidelines[0]"),
        (lambda p: p["guidelines"][1].pop("recommendations"), "guidelines[1].recommendations"),
        (lambda p: p["guidelines"][1]["guideline"].update(source=None), "guidelines[1].guideline.source"),
        (lambda p: p["guidelines"][1]["guideline"].update(version="3"), "guidelines[1].guideline.version"),
        (lambda p: p["guidelines"][1]["recommendations"][0].pop("text"), "guidelines[1].recommendations[0].text"),
        (
            lambda p: p["guidelines"][1]["recommendations"][0].update(classification="Strong"),
            "guidelines[1].recommendations[0].classification",
        ),
        (
            lambda p: p["guidelines"][1]["recommendations"][0]["lookupKey"][0].update(CYP2C19=1.0),
            "guidelines[1].recommendations[0].lookupKey[0].CYP2C19",
        ),
        (
            lambda p: p["guidelines"][2]["recommendations"][2]["lookupKey"][0].update(CYP2C9={"*2": True}),
            "guidelines[2].recommendations[2].lookupKey[0].CYP2C9.*2",
        ),
        (
            lambda p: p["guidelines"][1]["recommendations"][0].update(implications=["a", 5]),
            "guidelines[1].recommendations[0].implications[1]",
        ),
    ],
)
def test_what_is_malformed_is_refused_whole_with_its_place(change, field, tmp_path):
    plain = made_guidance()
    change(plain)
    library = ReferenceLibrary(LocalStorage(tmp_path / "library"))
    with pytest.raises(VarloomError) as refused:
        add(library, written(tmp_path / "g.json", plain))
    assert refused.value.code == "reference_malformed"
    assert refused.value.place.field == field
    assert not library.releases()
    assert not list((tmp_path / "library").rglob("pgx.json"))


def test_other_files_are_told(tmp_path):
    library = ReferenceLibrary(LocalStorage(tmp_path / "library"))
    (tmp_path / "g.json").write_text('{"guidelines": [\n')
    with pytest.raises(VarloomError) as refused:
        add(library, tmp_path / "g.json")
    assert refused.value.place.line == 2
    (tmp_path / "g.json").write_text("[]")
    with pytest.raises(VarloomError, match="No file is a prescribing guidance"):
        add(library, tmp_path / "g.json")


def test_html_becomes_words():
    assert as_text("<p>a<script>evil()</script> &amp; b</p><ul><li>c</li></ul><p>d<br/>e") == "a & b c d e"
