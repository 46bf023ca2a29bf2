"""Names in HGVS, held to a translation by hand, to the library `hgvs`, and to published examples."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from tests.annotation.hand_translation import protein_change
from tests.annotation.hgvs_oracle import Oracle
from tests.annotation.made_genes import MadeGene, gff_of, made
from tests.annotation.opened import Row, annotated, installed_fasta, installed_genes, opened

from varloom.genomics.genetic_code import reverse_complement

CLASSES = ("snv", "mnv", "del1", "del3", "ins1", "ins3", "dup", "delins")
BY_HAND = {
    # kind: proteins that agree, that the nomenclature lets tell in several ways, that are not named; none differs
    "snv": (480, 0, 0),
    "mnv": (470, 10, 0),
    "del1": (469, 2, 9),
    "del3": (476, 4, 0),
    "ins1": (464, 3, 13),
    "ins3": (470, 10, 0),
    "dup": (474, 1, 5),
    "delins": (462, 12, 6),
}
BY_LIBRARY = {
    # kind: names of DNA, and of proteins, that are the same
    "snv": (286, 230),
    "mnv": (283, 246),
    "del1": (283, 235),
    "del3": (287, 223),
    "ins1": (279, 243),
    "ins3": (278, 224),
    "dup": (269, 216),
    "delins": (284, 222),
}
EACH = 60  # variants of each class in each transcript


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    genome, genes = made()
    gff = folder / "genes.gff3"
    gff.write_text(gff_of(genes))
    release, imported = installed_genes(gff, folder / "genes")
    assert imported.counts["transcripts"] == len(genes)
    with opened(release, installed_fasta({"1": genome}, folder / "fasta"), folder / "scratch") as source:
        yield genome, genes, source


def change_of(chance, kind, genome, place):
    """REF and ALT at a place (0-based), anchored as a VCF has them."""
    before = genome[place - 1]
    held = genome[place : place + 6]
    if kind == "snv":
        return place, held[0], chance.choice([base for base in "ACGT" if base != held[0]])
    if kind == "mnv":
        return place, held[:2], "".join(chance.choice([base for base in "ACGT" if base != old]) for old in held[:2])
    if kind.startswith("del") and kind != "delins":
        size = int(kind[3]) if kind != "del1" else chance.choice((1, 2))
        return place - 1, before + held[:size], before
    if kind in {"ins1", "ins3"}:
        size = 3 if kind == "ins3" else chance.choice((1, 2, 4))
        return place - 1, before, before + "".join(chance.choice("ACGT") for _ in range(size))
    if kind == "dup":
        size = chance.choice((1, 2, 3, 6))
        return place - 1, before, before + held[:size]
    new = "".join(chance.choice("ACGT") for _ in range(chance.choice((2, 3, 5))))
    return place, held[:3], new


def cases(world, margin, gene_numbers=None):
    """Variants at coding places that are `margin` bases from the ends of exons: gene, class, row."""
    genome, genes, _ = world
    chance = random.Random(11)
    for number, gene in enumerate(genes):
        if gene_numbers is not None and number not in gene_numbers:
            continue
        first, last = gene.cds[0][0], gene.cds[-1][1]
        near = [place for start, end in gene.exons for place in range(start - 1 + margin, end - margin)]
        places = [place for place in near if first - 1 <= place < last]
        for kind in CLASSES:
            for _ in range(EACH if places else 0):
                begin, ref, alt = change_of(chance, kind, genome, chance.choice(places))
                if ref != alt:
                    yield number, kind, Row("1", begin + 1, ref, alt)


def by_hand(genome, gene, row):
    """The change in the coding bases of the transcript, translated."""
    coded = [place for start, end in gene.cds for place in range(start, end + 1)][:: gene.strand][gene.phase :]
    spliced = [place for start, end in gene.exons for place in range(start, end + 1)][:: gene.strand]
    after = "".join(genome[place - 1] for place in spliced[spliced.index(coded[-1]) + 1 :])
    ref, alt = (row.ref, row.alt) if gene.strand > 0 else (reverse_complement(row.ref), reverse_complement(row.alt))
    first = row.position if gene.strand > 0 else row.position + len(row.ref) - 1
    if first not in coded:
        return None
    begin = coded.index(first)
    end = begin + len(ref)
    if gene.coding[begin:end] != ref:
        return None  # it reaches beyond the coding part
    while ref and alt and ref[0] == alt[0]:
        begin, ref, alt = begin + 1, ref[1:], alt[1:]
    while ref and alt and ref[-1] == alt[-1]:
        end, ref, alt = end - 1, ref[:-1], alt[:-1]
    if gene.strand < 0:
        after = "".join({"A": "T", "C": "G", "G": "C", "T": "A"}[base] for base in after)
    return protein_change(gene.coding, after, begin, end, alt, starts=gene.complete_5, stops=gene.complete_3)


def own_names(world, chosen):
    """The names of each case in its own transcript."""
    genes, source = world[1], world[2]
    answers, aside = annotated(source, [row for _, _, row in chosen])
    assert aside == ()
    for (number, kind, row), answer in zip(chosen, answers, strict=True):
        entry = next(each for each in answer["csq.all"] if each["gene"] == genes[number].name)
        yield number, kind, row, entry


def test_proteins_agree_with_a_translation_by_hand(world):
    genome, genes, _ = world
    agree, differ, open_to_taste, unnamed = Counter(), [], Counter(), Counter()
    for number, kind, row, entry in own_names(world, list(cases(world, margin=14))):
        expected = by_hand(genome, genes[number], row)
        own = (entry["hgvs_p"] or "").partition(":")[2]
        if expected is None:
            open_to_taste[kind] += 1
        elif not own or own == "p.?":
            unnamed[kind] += 1
            # a shifted frame that runs off the end of an open transcript; a start that is hit from outside
            assert "fsTer?" in expected or expected == "p.(Met1?)"
        elif own == expected:
            agree[kind] += 1
        else:
            differ.append((number, kind, row[:4], entry["hgvs_c"], own, expected))
    assert differ == []
    rates = {kind: (agree[kind], open_to_taste[kind], unnamed[kind]) for kind in CLASSES}
    assert rates == BY_HAND


def test_names_agree_with_the_library_hgvs(world):
    genome, genes, _ = world
    oracle = Oracle(genome, genes)
    complete = {number for number, gene in enumerate(genes) if gene.complete_5 and gene.complete_3}
    agree, differ = Counter(), []
    for number, kind, row, entry in own_names(world, list(cases(world, margin=-12, gene_numbers=complete))):
        coding, protein = oracle.name(number, genomic_name(row))
        if entry["consequence"] == "intron_variant":
            assert entry["hgvs_c"] is None
            assert entry["hgvs_p"] is None
            continue
        own, own_protein = ((entry[name] or ":").partition(":")[2] for name in ("hgvs_c", "hgvs_p"))
        place = [number, kind, *row[:4]]
        if own == coding or is_inversion(own, coding, row):
            agree["c.", kind] += 1
        else:
            differ.append((*place, own, coding))
        if not own_protein or "?" in {own_protein[-1], protein[-1]}:
            agree["p. not told by one"] += 1
        elif own_protein.replace("(Met1?)", "Met1?") == protein:
            agree["p.", kind] += 1
        elif is_matter_of_taste(own_protein, protein):
            agree["p. in other words"] += 1
        else:
            differ.append((*place, own, own_protein, protein))
    assert differ == []
    assert {kind: (agree["c.", kind], agree["p.", kind]) for kind in CLASSES} == BY_LIBRARY
    assert agree["p. in other words"] == 15


def is_matter_of_taste(own, other):
    """Names of one change that differ in `hgvs`: around the stop, and where two codons are silent at once.

    `hgvs` has `Ter92IleextTer1` for a residue that is put before the stop, and `Ser91Ter` for the loss of the last one;
    of two silent codons it names the first; and a stop that was inserted is a frame shift to it.
    """
    return "Ter" in own or "Ter" in other or (own.endswith("=)") and other.endswith("=)"))


def is_inversion(own, coding, row):
    """An inversion of two or more bases, which `hgvs` writes as a replacement."""
    return own.endswith("inv") and "delins" in coding and reverse_complement(row.alt) == row.ref


def genomic_name(row):
    ref, alt, position = row.ref, row.alt, row.position
    while ref and alt and ref[0] == alt[0]:
        ref, alt, position = ref[1:], alt[1:], position + 1
    while ref and alt and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    end = position + len(ref) - 1
    where = str(position) if len(ref) == 1 else f"{position}_{end}"
    if not ref:
        return f"g.{position - 1}_{position}ins{alt}"
    if not alt:
        return f"g.{where}del"
    return f"g.{where}{ref}>{alt}" if len(ref) == len(alt) == 1 else f"g.{where}delins{alt}"


DYSTROPHIN = "ATGCTTTGGTGGGAAGAAGTAGAGGACTGTTATGAAAGAGAAGATGTTCAAAAGAAAACATTCACAAAATGGGTAAATGCACAATTTTCTAAG"
"""The beginning of its coding sequence (NM_004006), from which the recommendations of HGVS take their examples."""
PUBLISHED = [
    # offset in the coding bases, REF, ALT, as a caller could give it; the published name of DNA or protein
    (20, "", "T", "c.20dup"),
    (23, "", "TAGA", "c.20_23dup"),
    (2, "G", "A", "p.(Met1?)"),
    (71, "G", "C", "p.(Trp24Cys)"),
    (71, "G", "A", "p.(Trp24Ter)"),
    (6, "TGG", "", "p.(Trp4del)"),
    (18, "GTA", "", "p.(Val7del)"),
    (21, "", "GTA", "p.(Val7dup)"),
    (66, "AAATGGGTA", "", "p.(Lys23_Val25del)"),
    (75, "", "AAATGGGTA", "p.(Lys23_Val25dup)"),
]


@pytest.mark.parametrize("strand", [1, -1])
def test_published_examples(strand, tmp_path):
    """Each on both strands, and given as a VCF gives it: with the base before, and as far left as it can stand."""
    transcript = "GCAGC" * 8 + DYSTROPHIN + "GCTGACCTG" * 30 + "TGA" + "GGCTA" * 10
    before = 40
    genome = "CCATG" * 40 + (transcript if strand > 0 else reverse_complement(transcript)) + "GATTC" * 40
    start, end = 201, 200 + len(transcript)
    coding = len(DYSTROPHIN) + 9 * 30 + 3
    cds = (start + before, start + before + coding - 1) if strand > 0 else (end - before - coding + 1, end - before)
    gene = MadeGene("G0", strand, [(start, end)], [cds], 0, complete_5=True, complete_3=True, coding="")
    (tmp_path / "genes.gff3").write_text(gff_of([gene]))
    release, _ = installed_genes(tmp_path / "genes.gff3", tmp_path / "genes")
    rows = [given(genome, cds, strand, *each[:3]) for each in PUBLISHED]
    with opened(release, installed_fasta({"1": genome}, tmp_path / "fasta"), tmp_path / "scratch") as source:
        answers, aside = annotated(source, rows)
    assert aside == ()
    for (_, _, _, name), answer in zip(PUBLISHED, answers, strict=True):
        assert name in {answer["csq.hgvs_c"].partition(":")[2], answer["csq.hgvs_p"].partition(":")[2]}


def given(genome, cds, strand, offset, ref, alt):
    """A change of coding bases as a record of a VCF."""
    place = cds[0] - 1 + offset if strand > 0 else cds[1] - offset - len(ref)
    if strand < 0:
        ref, alt = reverse_complement(ref), reverse_complement(alt)
    assert genome[place : place + len(ref)] == ref
    if ref and alt:
        return Row("1", place + 1, ref, alt)
    unit = ref or alt
    while genome[place - 1] == unit[-1]:
        place, unit = place - 1, unit[-1] + unit[:-1]
    anchor = genome[place - 1]
    return Row("1", place, anchor + (unit if ref else ""), anchor + (unit if alt else ""))
