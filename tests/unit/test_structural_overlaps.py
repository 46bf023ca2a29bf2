"""Genes, exons, promoters and known variants that structural variants hit, against a checker of plain loops."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from structural_checker import best_match, hit_genes, read
from structural_data import refgene, releases, variants, write_dosage, write_genes, write_sites

from varloom.annotation.model import VARIANTS, VariantKind
from varloom.annotation.sources.structural import StructuralSettings, StructuralSource, intervals
from varloom.annotation.variant_batches import variant_batches
from varloom.errors import VarloomError
from varloom.reader import open_reader
from varloom.services.split_views import GENE_ROWS

SETTINGS = StructuralSettings()
CHOSEN = {"10", "20", "21"}


def check(source, batch, genes, exons_of, sites, settings_=SETTINGS, seen=None):
    """Hold the columns of a batch to the checker; gives how many rows and hits were compared."""
    annotated = source.annotate(batch, lambda: None)
    rows = annotated.columns.to_pylist()
    refused = {each.rowno for each in annotated.set_aside}
    assert len(rows) == batch.num_rows
    by_contig = {}
    for gene in genes:
        by_contig.setdefault(gene[0], []).append(gene)
    compared = 0
    for at, (row, record) in enumerate(zip(rows, batch.to_pylist(), strict=True)):
        if record["rowno"] in refused:
            assert set(row.values()) == {None}
            continue
        wanted = seen[at] if seen else read(record)
        if wanted is None:
            assert set(row.values()) == {None}, record
            continue
        assert row["sv.length"] == wanted.length, record
        contigs = sorted({wanted.contig, *(contig for contig, _ in wanted.cuts)})
        near = [gene for gene in genes if gene[0] in contigs] if len(contigs) > 1 else by_contig.get(contigs[0], [])
        hits = hit_genes(wanted, near, exons_of, settings_.promoter_bases)
        entries = row["sv.gene_entries"]
        assert [
            (entry["gene_id"], entry["extent"], entry["part"], entry["exons"], int(entry["junctions"]))
            for entry in entries
        ] == hits, record
        bodies = [hit for hit in hits if hit[1] != "outside"]
        coding = {gene[4] for gene in near if gene[6] == "protein_coding"}
        assert (row["sv.gene_count"], row["sv.coding_gene_count"]) == (
            len(bodies),
            sum(hit[0] in coding for hit in bodies),
        )
        assert row["sv.exons"] == sum(int(hit[3].split("/")[0]) for hit in bodies)
        assert (len(row["sv.genes"]), len(row["sv.promoters"])) == (len(bodies), len(hits) - len(bodies))
        assert len(row["sv.disrupted"]) == sum(hit[4] > 0 for hit in bodies)
        compared += len(hits)
        if sites is not None:
            compared += check_match(row, wanted, sites, settings_)
    return compared


def check_match(row, wanted, sites, settings_):
    if wanted.kind not in {"DEL", "DUP", "INV", "INS", "CNV"} or not wanted.length:
        assert (row["sv.population_found"], row["sv.population_id"]) == (None, None)
        return 0
    if wanted.kind == "CNV" and row["sv.change"]:
        wanted.kind = {"loss": "DEL", "gain": "DUP"}[row["sv.change"]]
    match = best_match(wanted, sites, settings_.reciprocal_overlap, settings_.insertion_distance)
    assert row["sv.population_found"] is (match is not None)
    assert row["sv.population_id"] == (match and match[0])
    if match:
        assert row["sv.population_overlap"] == pytest.approx(match[1])
        site = next(site for site in sites if site["id"] == match[0])
        assert (row["sv.population_af"], row["sv.population_af_popmax"]) == (site["af"], site["af_popmax"])
    return 1


def exons_by_gene(exons):
    found = {}
    for contig, start, end, gene_id, *_ in exons:
        found.setdefault(gene_id, set()).add((start, end))
        assert contig
    return found


def site(at, contig, kind, start, end, length, af, passed="PASS"):
    return {"contig": contig, "start": start, "end": end, "length": length, "type": kind, "id": f"s{at}", "af": af,
            "af_popmax": None if af is None else min(1.0, af * 2), "filter": passed}  # fmt: skip


# --- real call sets ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(shared, tmp_path_factory):
    genes, exons, transcripts = refgene(shared / "data/genes/refGene_hg38.txt", CHOSEN)
    folder = write_genes(tmp_path_factory.mktemp("genes"), genes, exons, transcripts)
    return folder, genes, exons_by_gene(exons)


@pytest.mark.parametrize("name", ["1000G.HG00096.wgs.mergedSV.v8.vcf", "truvari.hg002_comp.vcf.gz"])
def test_real_call_sets_hit_what_plain_loops_say(shared, tmp_path, model, name):
    """The 1000 Genomes set is of GRCh37, which matters to nobody here but for positions beyond the end."""
    folder, genes, exons_of = model
    (batch, *_) = variant_batches(
        open_reader(shared / "data/structural" / name).batches(), VariantKind.STRUCTURAL, 15_000
    )
    rows = [row for row in batch.to_pylist() if row["contig"].removeprefix("chr") in CHOSEN]
    dice = random.Random(7)
    sites = []
    for at, row in enumerate(each for each in rows if read(each)):
        seen = read(row)
        if dice.random() < 0.7 and seen.length:
            first = seen.first or seen.cuts[0][1]
            last = seen.last or first
            shift = int(dice.gauss(0, 0.3) * (last - first + 1 if seen.kind != "INS" else 200))
            start = max(1, first + shift)
            end = start if seen.kind == "INS" else max(start, last + int(dice.gauss(0, 0.2) * (last - first)))
            length = max(1, int(seen.length * dice.uniform(0.3, 2))) if seen.kind == "INS" else end - start + 1
            af = dice.choice([None, dice.random()])
            sites.append(
                site(at, seen.contig, seen.kind, start, end, length, af, dice.choice(["PASS", "PASS", "HIGH_NCR"]))
            )
    sites.sort(key=lambda each: (each["contig"], each["start"], each["end"]))
    known = write_sites(tmp_path / "sites", sites)
    with StructuralSource().open(releases(folder, known), tmp_path) as source:
        compared = 0
        for start in range(0, len(rows), 5_000):
            batch = variants(rows[start : start + 5_000])
            assert batch.schema == VARIANTS
            compared += check(source, batch, genes, exons_of, sites)
    assert compared > 300


# --- random ones ------------------------------------------------------------------------------------------------------

CONTIGS = st.sampled_from(["1", "2"])
PLACES = st.integers(1, 120)


@st.composite
def gene_models(draw):
    genes, exons = [], []
    for at in range(draw(st.integers(0, 8))):
        contig, start, length = draw(CONTIGS), draw(PLACES), draw(st.integers(0, 40))
        genes.append(
            (
                contig,
                start,
                start + length,
                draw(st.sampled_from([1, -1, 0])),
                f"g{at}",
                draw(st.sampled_from([None, f"G{at}"])),
                draw(st.sampled_from(["protein_coding", None, "lncRNA"])),
            )
        )
        for number in range(draw(st.integers(0, 4))):
            first = draw(st.integers(start, start + length))
            exons.append((contig, first, draw(st.integers(first, start + length)), f"g{at}", f"t{number}", 1, True))
    return sorted(genes, key=lambda gene: gene[:3]), exons


@st.composite
def known_sites(draw):
    found = []
    for at in range(draw(st.integers(0, 12))):
        kind, start = draw(st.sampled_from(["DEL", "DUP", "INV", "INS", "CNV", "BND"])), draw(PLACES)
        end = start if kind in {"INS", "BND"} else start + draw(st.integers(0, 60))
        length = draw(st.integers(0, 30)) if kind == "INS" else None if kind == "BND" else end - start + 1
        af = draw(st.sampled_from([None, 0.0, 0.01, 0.5]))
        found.append(site(at, draw(CONTIGS), kind, start, end, length, af, draw(st.sampled_from([None, "PASS", "X"]))))
    return sorted(found, key=lambda each: (each["contig"], each["start"], each["end"]))


@st.composite
def structural_rows(draw):
    """A row, and how the checker sees it."""
    from structural_checker import Seen

    contig, pos = draw(CONTIGS), draw(PLACES)
    kind = draw(st.sampled_from(["DEL", "DUP", "INV", "CNV", "INS", "BND", "single"]))
    row = {"contig": draw(st.sampled_from(["", "chr"])) + contig, "position": pos, "ref": "N"}
    if kind == "INS":
        length = draw(st.integers(1, 40))
        return row | {"alt": "<INS>", "svlen": length}, Seen("INS", contig, cuts=[(contig, pos)], length=length)
    if kind == "single":
        left = draw(st.booleans())
        return row | {"alt": "N." if left else ".N"}, Seen("BND", contig, cuts=[(contig, pos if left else pos - 1)])
    if kind == "BND":
        other, mate, form = draw(CONTIGS), draw(PLACES), draw(st.sampled_from(["N[{}[", "N]{}]", "]{}]N", "[{}[N"]))
        cuts = [(contig, pos if form[0] == "N" else pos - 1), (other, mate - 1 if "[" in form else mate)]
        return row | {"alt": form.format(f"{other}:{mate}")}, Seen("BND", contig, cuts=cuts)
    length = draw(st.integers(1, 80))
    end = {"end": pos + length} if draw(st.booleans()) else {"svlen": draw(st.sampled_from([1, -1])) * length}
    return row | {"alt": f"<{kind}>"} | end, Seen(kind, contig, pos + 1, pos + length, length=length)


@settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    model=gene_models(),
    sites=known_sites(),
    rows=st.lists(structural_rows(), min_size=1, max_size=12),
    overlap=st.sampled_from([0.5, 0.8, 0.1, 1.0]),
    promoter=st.sampled_from([0, 1, 7]),
)
def test_random_variants_hit_what_plain_loops_say(tmp_path, model, sites, rows, overlap, promoter):
    genes, exons = model
    folder = write_genes(tmp_path / "genes", genes, exons)
    known = write_sites(tmp_path / "sites", sites)
    chosen = StructuralSettings(reciprocal_overlap=overlap, insertion_distance=5, promoter_bases=promoter)
    with StructuralSource(chosen).open(releases(folder, known), tmp_path) as source:
        batch = variants([row for row, _ in rows])
        check(source, batch, genes, exons_by_gene(exons), sites, chosen, [seen for _, seen in rows])


# --- batches ----------------------------------------------------------------------------------------------------------


def test_rows_do_not_depend_on_the_batch_in_which_they_come(tmp_path):
    genes = [("1", 100, 900, 1, "g", "G", "protein_coding")]
    folder = write_genes(tmp_path / "genes", genes, [("1", 100, 200, "g", "t", 1, True)])
    known = write_sites(tmp_path / "sites", [site(1, "1", "DEL", 102, 300, 199, 0.02)])
    curated = write_dosage(tmp_path / "dosage", [])
    rows = [
        {"alt": "<DEL>", "position": 100, "end": 300},
        {"alt": "C"},
        {"alt": "<DEL>", "position": 100, "end": 50},
        {"alt": "<DUP>", "position": 1, "end": 1000},
        {"contig": "7", "alt": "N[1:500["},
    ]
    with StructuralSource().open(releases(folder, known, curated), tmp_path) as source:
        whole = source.annotate(variants(rows), lambda: None)
        single = [source.annotate(variants(rows).slice(at, 1), lambda: None) for at in range(len(rows))]
        empty = source.annotate(variants(rows).slice(0, 0), lambda: None)
    assert whole.columns.to_pylist() == [row for each in single for row in each.columns.to_pylist()]
    assert whole.set_aside == tuple(refused for each in single for refused in each.set_aside)
    assert [refused.rowno for refused in whole.set_aside] == [2]
    assert empty.columns.num_rows == 0
    assert empty.columns.schema == whole.columns.schema


@pytest.mark.parametrize("extras", [(), ("sites",), ("dosage",), ("sites", "dosage")])
def test_columns_are_those_declared_for_what_is_installed(tmp_path, extras):
    folder = write_genes(tmp_path / "genes", [], [])
    made = {"sites": write_sites(tmp_path / "sites", []), "dosage": write_dosage(tmp_path / "dosage", [])}
    installed = releases(folder, **{name: made[name] for name in extras})
    source = StructuralSource()
    declared = source.columns(installed)
    with source.open(installed, tmp_path) as opened:
        found = opened.annotate(variants([{"alt": "<DEL>", "end": 9}, {"alt": "C"}]), lambda: None).columns
    assert [(field.name, field.type) for field in found.schema] == [(each.name, each.type) for each in declared]
    assert all(each.description.endswith(".") for each in declared)
    assert {"sv.genes", "sv.class"} <= set(found.schema.names)
    assert ("sv.population_af" in found.schema.names) is ("sites" in extras)
    found.validate(full=True)


def test_the_reference_tells_of_every_column():
    installed = dict.fromkeys(StructuralSource().needs)
    page = (Path(__file__).parents[2] / "docs/reference/structural-columns.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `sv.")]
    columns = [*GENE_ROWS.fields.values(), GENE_ROWS.row]
    of_split = [(f"| `{each.name}`", f"{each.description} |") for each in columns]
    told = [(row[0], row[-1]) for row in rows]
    assert [row for row in told if row in of_split] == of_split
    declared = StructuralSource().columns(installed)
    assert [row for row in told if row not in of_split] == [
        (f"| `{each.name}`", f"{each.description} |") for each in declared
    ]


def test_a_batch_with_too_many_overlaps_is_refused_but_no_single_variant(tmp_path, monkeypatch):
    genes = [("1", at, at + 1, 1, f"g{at}", None, None) for at in range(1, 100, 2)]
    folder = write_genes(tmp_path / "genes", genes, [])
    monkeypatch.setattr(intervals, "MOST_PAIRS", 60)
    batch = variants([{"alt": "<DEL>", "end": 200}] * 2)
    with StructuralSource().open(releases(folder), tmp_path) as source:
        with pytest.raises(VarloomError) as refused:
            source.annotate(batch, lambda: None)
        assert refused.value.code == "too_many_overlaps"
        monkeypatch.setattr(intervals, "MOST_PAIRS", 1)
        found = source.annotate(batch.slice(1, 1), lambda: None).columns
    assert found["sv.gene_count"].to_pylist() == [50]
