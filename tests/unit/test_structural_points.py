"""Points of losses and gains by the standard of ACMG and ClinGen: each rule, its boundary, and published examples."""

from __future__ import annotations

import pytest
from structural_data import refgene, releases, variants, write_dosage, write_genes, write_sites

from varloom.annotation.sources.structural import StructuralSource
from varloom.annotation.sources.structural.points import CopyChange, score, verdict_of

CODING = "protein_coding"


@pytest.mark.parametrize(
    ("points", "verdict"),
    [
        (145, "Pathogenic"),
        (99, "Pathogenic"),
        (98, "Likely pathogenic"),
        (90, "Likely pathogenic"),
        (89, "Uncertain significance"),
        (0, "Uncertain significance"),
        (-89, "Uncertain significance"),
        (-90, "Likely benign"),
        (-98, "Likely benign"),
        (-99, "Benign"),
        (-160, "Benign"),
    ],
)
def test_classes_of_points(points, verdict):
    assert verdict_of(points) == verdict


@pytest.mark.parametrize(
    ("change", "genes", "criterion", "points"),
    [
        ("loss", 0, "3A", 0),
        ("loss", 24, "3A", 0),
        ("loss", 25, "3B", 45),
        ("loss", 34, "3B", 45),
        ("loss", 35, "3C", 90),
        ("gain", 34, "3A", 0),
        ("gain", 35, "3B", 45),
        ("gain", 49, "3B", 45),
        ("gain", 50, "3C", 90),
    ],
)
def test_section_3_counts_protein_coding_genes(change, genes, criterion, points):
    found = score(CopyChange(change, 1, 10, functional=True, coding=frozenset(range(genes))), 0.01)
    assert [(each.criterion, each.points) for each in found.evidence] == [("1A", 0), (criterion, points)]
    assert found.points == points


# --- through the source: one gene of each kind ------------------------------------------------------------------------
# HI   1:10001-20000 (+), exons 10001-10100, 12001-12100, 14001-14100, 19001-20000, coding 10051-19500
# HJ   1:30001-40000 (-), the same turned round: coding 30501-39950
# TS   1:50001-51000, triplosensitive; region R3 (haplo- and triplosensitive) 1:60001-70000
# B    region 1:80001-90000, benign both ways, with the gene BG 1:82001-83000; FAR 1:95001-96000; PSEUDO 1:99001-99100

FORWARD = [(10001, 10100), (12001, 12100), (14001, 14100), (19001, 20000)]
FORWARD_CODING = [(10051, 10100), (12001, 12100), (14001, 14100), (19001, 19500)]
BACKWARD = [(30001, 31000), (36001, 36100), (38001, 38100), (39901, 40000)]
BACKWARD_CODING = [(30501, 31000), (36001, 36100), (38001, 38100), (39901, 39950)]
GENES = [
    ("1", 10001, 20000, 1, "hi", "HI", CODING),
    ("1", 30001, 40000, -1, "hj", "HJ", CODING),
    ("1", 50001, 51000, 1, "ts", "TS", CODING),
    ("1", 82001, 83000, 1, "bg", "BG", CODING),
    ("1", 95001, 96000, 1, "far", "FAR", CODING),
    ("1", 99001, 99100, 1, "ps", "PSEUDO", "processed_pseudogene"),
]
TRANSCRIPTS = [
    ("1", 10001, 20000, 1, "HI.1", "hi", FORWARD, FORWARD_CODING),
    ("1", 30001, 40000, -1, "HJ.1", "hj", BACKWARD, BACKWARD_CODING),
]


def curated(kind, name, start, end, hi, ts, contig="1"):
    return {"kind": kind, "id": f"ID-{name}", "name": name, "contig": contig, "start": start, "end": end,
            "hi_score": hi, "ts_score": ts}  # fmt: skip


CURATED = [
    curated("gene", "HI", 10001, 20000, 3, 0),
    curated("gene", "HJ", 30001, 40000, 3, None),
    curated("gene", "TS", 50001, 51000, 0, 3),
    curated("region", "R3", 60001, 70000, 3, 3),
    curated("region", "B", 80001, 90000, 40, 40),
    curated("gene", "LOST", None, None, 3, 3) | {"contig": None},
    curated("gene", "AR", 95001, 96000, 30, 1),
    curated("region", "B2", 35001, 36500, 40, 0),
]
SITES = [
    ("common", "DEL", 150_001, 151_000, 0.01),
    ("rare", "DEL", 160_001, 161_000, 0.0099),
    ("common-dup", "DUP", 95_001, 96_000, 0.3),
    ("beside", "DEL", 96_001, 97_000, 0.3),
]


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """The evidence, points, class and open questions of a loss or gain from one base to another."""
    folder = tmp_path_factory.mktemp("releases")
    exons = [
        ("1", *exon, gene, f"{gene}.1", 1, True) for gene, of in (("hi", FORWARD), ("hj", BACKWARD)) for exon in of
    ]
    sites = [
        {"contig": "1", "start": start, "end": end, "length": end - start + 1, "type": kind, "id": name, "af": af}
        for name, kind, start, end, af in SITES
    ]
    installed = releases(
        write_genes(folder / "genes", GENES, exons, TRANSCRIPTS),
        write_sites(folder / "sites", sites),
        write_dosage(folder / "dosage", CURATED),
    )
    with StructuralSource().open(installed, folder) as source:

        def values(alt, first, last, **given):
            row = {"alt": alt, "position": first - 1, "end": last, **given}
            return source.annotate(variants([row]), lambda: None).columns.to_pylist()[0]

        yield values


LOSSES = [
    (200_001, 201_000, ["1B", "3A"], -0.6, [], "Uncertain significance"),
    (99_001, 99_100, ["1B", "3A"], -0.6, [], "Uncertain significance"),
    (9_001, 9_001, ["1A", "3A"], 0, [], "Uncertain significance"),
    (10_001, 20_000, ["1A", "2A", "3A"], 1, [], "Pathogenic"),
    (9_000, 30_001, ["1A", "2A", "2D-1", "3A"], 1, [], "Pathogenic"),
    (9_000, 36_001, ["1A", "2A", "2D-4", "3A"], 1, [], "Pathogenic"),
    (9_000, 40_000, ["1A", "2A", "2A", "3A"], 1, [], "Pathogenic"),
    (9_500, 10_051, ["1A", "2C-1", "3A"], 0.9, [], "Likely pathogenic"),
    (9_500, 10_050, ["1A", "2C-2", "3A"], 0, [], "Uncertain significance"),
    (39_950, 41_000, ["1A", "2C-1", "3A"], 0.9, [], "Likely pathogenic"),
    (39_951, 41_000, ["1A", "2C-2", "3A"], 0, [], "Uncertain significance"),
    (19_501, 20_500, ["1A", "2D-1", "3A"], 0, [], "Uncertain significance"),
    (19_500, 20_500, ["1A", "3A"], 0, ["2D-2"], "Uncertain significance"),
    (14_100, 20_500, ["1A", "2D-4", "3A"], 0.9, [], "Likely pathogenic"),
    (29_000, 36_001, ["1A", "2D-4", "3A"], 0.9, [], "Likely pathogenic"),
    (29_000, 30_501, ["1A", "3A"], 0, ["2D-2"], "Uncertain significance"),
    (11_000, 11_900, ["1A", "2E", "3A"], 0, [], "Uncertain significance"),
    (11_000, 12_500, ["1A", "3A"], 0, ["2E"], "Uncertain significance"),
    (60_001, 70_000, ["1A", "2A", "3A"], 1, [], "Pathogenic"),
    (60_002, 70_000, ["1A", "2B", "3A"], 0, [], "Uncertain significance"),
    (80_001, 90_000, ["1A", "2F", "3A"], -1, [], "Benign"),
    (80_000, 90_000, ["1A", "2G", "3A"], 0, [], "Uncertain significance"),
    (95_001, 96_000, ["1A", "3A"], 0, [], "Uncertain significance"),
    (36_001, 36_100, ["1A", "3A"], 0, ["2E", "2F"], "Uncertain significance"),
    (150_001, 151_000, ["1B", "3A", "4O"], -1.6, [], "Benign"),
    (150_501, 151_500, ["1B", "3A", "4O"], -1.6, [], "Benign"),
    (150_502, 151_501, ["1B", "3A"], -0.6, [], "Uncertain significance"),
    (160_001, 161_000, ["1B", "3A"], -0.6, [], "Uncertain significance"),
    (95_999, 97_000, ["1A", "3A"], 0, ["4O"], "Uncertain significance"),
]


@pytest.mark.parametrize(("first", "last", "criteria", "points", "left", "verdict"), LOSSES)
def test_losses(scored, first, last, criteria, points, left, verdict):
    compare(scored("<DEL>", first, last), criteria, points, left, verdict, ["2H", "4A-4N", "5A-5H"])


GAINS = [
    (200_001, 201_000, ["1B", "3A"], -0.6, [], "Uncertain significance"),
    (50_001, 51_000, ["1A", "2A", "3A"], 1, [], "Pathogenic"),
    (50_002, 51_000, ["1A", "2B", "2L", "3A"], 0, [], "Uncertain significance"),
    (60_001, 70_000, ["1A", "2A", "3A"], 1, [], "Pathogenic"),
    (60_001, 69_999, ["1A", "2B", "3A"], 0, [], "Uncertain significance"),
    (81_000, 84_000, ["1A", "2C", "3A"], -1, [], "Benign"),
    (84_000, 85_000, ["1A", "2D", "3A"], -1, [], "Benign"),
    (79_000, 82_500, ["1A", "2G", "2L", "3A"], 0, [], "Uncertain significance"),
    (79_000, 91_000, ["1A", "2C", "3A"], -1, [], "Benign"),
    (79_000, 97_000, ["1A", "2G", "3A"], 0, [], "Uncertain significance"),
    (10_001, 20_000, ["1A", "2H", "3A"], 0, [], "Uncertain significance"),
    (11_000, 13_000, ["1A", "3A"], 0, ["2I"], "Uncertain significance"),
    (11_000, 25_000, ["1A", "3A"], 0, ["2J"], "Uncertain significance"),
    (95_001, 96_000, ["1A", "3A", "4O"], -1, [], "Benign"),
]


@pytest.mark.parametrize(("first", "last", "criteria", "points", "left", "verdict"), GAINS)
def test_gains(scored, first, last, criteria, points, left, verdict):
    compare(scored("<DUP>", first, last), criteria, points, left, verdict, ["4A-4N", "5A-5H"])


def compare(row, criteria, points, left, verdict, judged):
    assert [each["criterion"] for each in row["sv.evidence"]] == criteria, row["sv.evidence"]
    assert row["sv.points"] == pytest.approx(points)
    assert row["sv.class"] == verdict
    assert sum(float(each["points"]) for each in row["sv.evidence"]) == pytest.approx(row["sv.points"])
    assert all(each["reason"].endswith(".") for each in row["sv.evidence"])
    told = [text.split(":")[0].split(",")[0] for text in row["sv.not_evaluated"]]
    assert told == [*left, *(["1A"] if criteria[0] == "1B" else []), *judged]


def test_what_is_neither_loss_nor_gain_has_no_points(scored):
    for alt, given in (("<INV>", {}), ("<INS>", {"end": None}), ("<CNV>", {}), ("<CNV>", {"copy_number": 2.0})):
        row = scored(alt, 10_001, 20_000, **given)
        assert (row["sv.class"], row["sv.points"], row["sv.evidence"], row["sv.change"]) == (None,) * 4
    assert scored("<CNV>", 10_001, 20_000, copy_number=1.0)["sv.class"] == "Pathogenic"
    assert scored("<CNV>", 50_001, 51_000, copy_number=3.0)["sv.class"] == "Pathogenic"


def test_dosage_of_what_is_overlapped(scored):
    row = scored("<DEL>", 15_000, 51_000)
    assert (row["sv.hi_score"], row["sv.ts_score"]) == (3, 3)
    assert [(each["name"], each["extent"], each["hi_score"], each["ts_score"]) for each in row["sv.dosage"]] == [
        ("HI", "partial", "3", "0"),
        ("HJ", "whole", "3", None),
        ("TS", "whole", "0", "3"),
        ("B2", "whole", "40", "0"),
    ]
    entries = {each["gene"]: (each["hi_score"], each["ts_score"]) for each in row["sv.gene_entries"]}
    assert entries == {"HI": ("3", "0"), "HJ": ("3", None), "TS": ("0", "3")}
    row = scored("<INV>", 95_001, 96_000)
    assert (row["sv.hi_score"], row["sv.ts_score"], len(row["sv.dosage"])) == (None, 1, 1)
    assert scored("<INS>", 95_500, None)["sv.dosage"] is None


def test_without_curation_or_population_their_criteria_are_open(tmp_path):
    installed = releases(write_genes(tmp_path / "genes", GENES, [], TRANSCRIPTS))
    with StructuralSource().open(installed, tmp_path) as source:
        row = source.annotate(variants([{"alt": "<DEL>", "position": 10_000, "end": 20_000}]), lambda: None)
    (found,) = row.columns.to_pylist()
    assert [text.split(":")[0] for text in found["sv.not_evaluated"]] == ["2A-2L", "4O", "2H", "4A-4N", "5A-5H"]


# --- published examples -----------------------------------------------------------------------------------------------
# Cases of the standard's supplement that rest on content alone, moved to GRCh38, with the scores that ClinGen gives.

PUBLISHED = [
    ("12", 12_711_167, 14_830_396, "<DEL>", "2A", 1.0, "Pathogenic"),  # with CDKN1B and GRIN2B
    ("22", 18_924_718, 21_111_383, "<DUP>", "2A", 1.45, "Pathogenic"),  # 22q11.2, with 35 to 49 genes
    ("5", 126_653_939, 126_959_704, "<DUP>", "2A", 1.0, "Pathogenic"),  # with LMNB1
    ("19", 42_738_644, 43_237_158, "<DEL>", "2F", -1.0, "Benign"),  # a benign region
    ("18", 55_382_421, 55_467_125, "<DEL>", None, 0.0, "Uncertain significance"),  # within TCF4: PVS1 takes a person
]
CLINGEN = [
    curated("gene", "CDKN1B", 12717367, 12722369, 3, 0, "12"),
    curated("gene", "GRIN2B", 13537336, 13982012, 3, 0, "12"),
    curated("gene", "LMNB1", 126776622, 126837020, 0, 3, "5"),
    curated("gene", "TCF4", 55222184, 55635957, 3, 0, "18"),
    curated("region", "22q11.2 recurrent region (A-D)", 18924718, 21111383, 3, 3, "22"),
    curated("region", "19q13.31 population region", 42738644, 43237158, 40, 40, "19"),
]


def test_published_examples(shared, tmp_path):
    genes = refgene(shared / "data/genes/refGene_hg38.txt", {"5", "12", "18", "19", "22"})
    installed = releases(write_genes(tmp_path / "genes", *genes), dosage=write_dosage(tmp_path / "dosage", CLINGEN))
    rows = [
        {"contig": f"chr{contig}", "position": first - 1, "end": last, "alt": alt}
        for contig, first, last, alt, *_ in PUBLISHED
    ]
    with StructuralSource().open(installed, tmp_path) as source:
        found = source.annotate(variants(rows), lambda: None).columns.to_pylist()
    for row, (*_, criterion, points, verdict) in zip(found, PUBLISHED, strict=True):
        assert criterion in {None, *(each["criterion"] for each in row["sv.evidence"])}
        assert (row["sv.points"], row["sv.class"]) == (pytest.approx(points), verdict)
    assert found[4]["sv.not_evaluated"][0].startswith("2E: exons ")
