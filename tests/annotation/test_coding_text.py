"""Variants on transcripts: what annotation calls a variant is understood as that variant again."""

from __future__ import annotations

import random

import pytest
from tests.annotation.made_genes import gff_of, made

from varloom.annotation.coding_text import is_coding_text, parse_coding
from varloom.annotation.model import ReleaseKey
from varloom.annotation.named_transcripts import NamedTranscripts
from varloom.annotation.refs.gene_model import import_genes
from varloom.annotation.refs.importer import ImportTask
from varloom.annotation.refs.mane import import_mane
from varloom.annotation.sources.consequence.coding_names import coding_name, trimmed
from varloom.errors import VarloomError
from varloom.genomics.minimal_alleles import left_aligned

SEQUENCE, GENES = made(seed=3)
MANE = (
    "#Ensembl_nuc\tEnsembl_prot\tRefSeq_nuc\tRefSeq_prot\tEnsembl_Gene\tsymbol\tGRCh38_chr\tMANE_status\n"
    "TG0.1\tPG0\tNM_1.3\tNP_1.1\tG0\tG0\t1\tMANE Select\nTG1.1\tPG1\tNM_2.1\tNP_2.1\tG1\tG1\t1\tMANE Select\n"
)


class Sequence:
    """The genome as the consequence source reads it."""

    def bases(self, contig: str, begin_0: int, end: int) -> str:
        return SEQUENCE[max(0, begin_0) : end]

    def length(self, contig: str) -> int:
        return len(SEQUENCE)


def bases(contig: str, first: int, count: int) -> str:
    return SEQUENCE[first - 1 : first - 1 + count] if contig == "1" else ""


def base_at(position: int) -> str:
    return SEQUENCE[position - 1 : position]


@pytest.fixture(scope="module")
def transcripts(tmp_path_factory) -> NamedTranscripts:
    folder = tmp_path_factory.mktemp("genes")
    for name, text in (("genes.gff3", gff_of(GENES)), ("mane.tsv", MANE)):
        (folder / name).write_text(text)
    for run, kind, source in ((import_genes, "genes", "genes.gff3"), (import_mane, "mane", "mane.tsv")):
        key = ReleaseKey(kind, kind, "GRCh38", "1")
        run(ImportTask(key, (folder / source,), folder, folder, None, lambda *_: None))
    return NamedTranscripts(folder, folder)


def test_every_name_that_annotation_gives_is_understood_as_its_variant(transcripts):
    chance, compared = random.Random(4), 0
    for gene in GENES:
        (transcript,) = transcripts.find(f"T{gene.name}.1")
        first, last = gene.exons[0][0], gene.exons[-1][1]
        edges = [place + step for part in gene.exons for place in part for step in range(-3, 4)]
        for position in [*edges, *(chance.randrange(first, last) for _ in range(150))]:
            ref = bases("1", position, chance.choice([1, 1, 2, 4]))
            alt = chance.choice(["A", "C", "G", "T", ref[0], ref[0] + "ACG"[: chance.randint(1, 3)], ref + ref[-1]])
            if ref == alt:
                continue
            named = coding_name(transcript, trimmed(position, ref, alt), Sequence())
            if named is None:
                continue
            for written in (f"T{gene.name}.1", f"T{gene.name}"):
                (found,) = parse_coding(f"{written}:{named.text}", transcripts, bases)
                wanted = left_aligned(position, ref, alt, base_at)
                assert left_aligned(found.position, found.ref, found.alt, base_at) == wanted, named
            compared += 1
    assert compared > 1_000


@pytest.mark.parametrize("name", ["TG0.1", "TG0", "NM_1.3", "NM_1", "NM_1.3(G0)", "G0", "g0"])
def test_ways_to_name_a_transcript(transcripts, name):
    first = GENES[0].cds[0][0]
    (found,) = parse_coding(f" {name}:c.1A>C ", transcripts, bases)
    assert found == ("1", first, "A", "C")
    (found,) = parse_coding(f"{name}:c.1_2delATinsGG (p.Met1?)", transcripts, bases)
    assert found == ("1", first, "AT", "GG")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("NM_9:c.1A>C", "No transcript and no gene is called so"),
        ("NM_1.4:c.1A>C", r"NM_1\.4 is not installed, but NM_1\.3 is"),
        ("TG0.7:c.1A>C", r"TG0\.7 is not installed, but TG0\.1 is"),
        ("G4:c.1A>C", r"no MANE Select transcript here; name one of its transcripts: TG4\.1"),
        ("NM_1.3(G1):c.1A>C", "is of the gene G0, not G1"),
        ("G0:c.1C>G", r"TG0\.1 has A there, not C"),
        ("G1:c.1T>G", r"TG1\.1 has A there, not T"),
        ("G0:c.1_3delCCC", "has ATG there, not CCC"),
        ("G0:c.1_3delAT", "It names 2 bases, and positions of 3"),
        ("G0:c.9999A>C", r"has no position c\.9999"),
        ("G0:c.0A>C", r"has no position c\.0"),
        ("G0:c.-99999A>C", r"has no position c\.-99999"),
        ("G0:c.*99999A>C", r"has no position c\.\*99999"),
        ("G0:c.2+1A>C", r"has no position c\.2\+1"),
        ("G0:c.1+99999A>C", "has no position"),
        ("G0:c.3_1del", "not in order"),
        ("G0:c.1_3insA", "two positions beside it"),
        ("G0:c.1_2A>C", "write several bases as delins"),
        ("G0:c.1=", "no substitution, deletion"),
        ("G0:c.(1_2)_4del", "no substitution, deletion"),
        ("G0:c.1ins", "no substitution, deletion"),
    ],
)
def test_what_is_not_understood_says_why(transcripts, text, why):
    assert is_coding_text(text)
    with pytest.raises(VarloomError, match=why) as raised:
        parse_coding(text, transcripts, bases)
    assert raised.value.kind.code == "variant_not_understood"
    assert raised.value.message.isprintable()
