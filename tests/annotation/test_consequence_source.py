"""The source of consequences: every row is answered or set aside with a reason, whatever stands in it."""

from __future__ import annotations

import os
import signal

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.annotation.made_genes import gff_of, made
from tests.annotation.opened import Row, annotated, batch_of, installed_fasta, installed_genes, opened, task_of

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.mane import import_mane
from varloom.annotation.source import InstalledRelease
from varloom.annotation.sources.consequence.source import FASTA, GENES, MANE, SOURCE
from varloom.annotation.stretches import Limits, Stretches, cut_between
from varloom.dataset.column_types import plain_type, type_name
from varloom.errors import VarloomError
from varloom.genomics.genetic_code import MITOCHONDRIAL

GENOME, MADE = made(seed=3, genes=4)
PLUS, MINUS = MADE[0], MADE[1]
MITOCHONDRION = "ATA" + "GCATGAAGACTA" * 8 + "TAA" + "CCCC"


class World:
    """Releases of two contigs, one of them the mitochondrion."""

    def __init__(self, folder):
        gff = folder / "genes.gff3"
        said = "biotype=protein_coding;transcript_id=TMT;version=1;tag=basic"
        mitochondrial = (
            "MT\tmade\tgene\t1\t102\t.\t+\t.\tID=gene:GMT;Name=GMT;biotype=protein_coding\n"
            f"MT\tmade\tmRNA\t1\t102\t.\t+\t.\tID=transcript:TMT;Parent=gene:GMT;{said}\n"
            "MT\tmade\texon\t1\t102\t.\t+\t.\tParent=transcript:TMT\n"
            "MT\tmade\tCDS\t1\t102\t.\t+\t0\tID=CDS:PMT;Parent=transcript:TMT\n"
        )
        gff.write_text(gff_of(MADE).replace("tag=basic\n", "tag=basic,MANE_Select\n", 1) + mitochondrial)
        self.genes, _ = installed_genes(gff, folder / "genes")
        sequences = {"chr1": GENOME, "chrM": MITOCHONDRION, "KI270728.1": "ACGT" * 50}
        self.fasta = installed_fasta(sequences, folder / "fasta")


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def source(world, tmp_path_factory):
    with opened(world.genes, world.fasta, tmp_path_factory.mktemp("scratch")) as source:
        yield source


def snv(position, alt=None, contig="chr1", genome=GENOME):
    ref = genome[position - 1]
    return Row(contig, position, ref, alt or next(base for base in "ACGT" if base != ref))


def coding(gene, codon, within=0):
    """The place of a base of a codon (from 0) on the genome."""
    places = [place for start, end in gene.cds for place in range(start, end + 1)][:: gene.strand][gene.phase :]
    return places[codon * 3 + within]


def test_the_declared_columns_are_those_that_come(world, source):
    declared = SOURCE.columns({GENES: world.genes, FASTA: world.fasta})
    columns = source.annotate(batch_of([snv(100)]), lambda: None).columns
    assert [column.name for column in declared] == columns.schema.names
    assert [plain_type(column.type) for column in declared] == [plain_type(each) for each in columns.schema.types]
    assert all(type_name(column.type) for column in declared)
    assert {"csq.consequence", "csq.hgvs_c", "csq.hgvs_p", "csq.all", "mane.consequence"} <= {
        each.name for each in declared
    }


def test_a_variant_has_its_worst_consequence_and_that_of_mane(source):
    (answer,), aside = annotated(source, [snv(coding(PLUS, 10, 1))])
    assert aside == ()
    assert answer["csq.consequence"] in {"missense_variant", "stop_gained"}
    assert answer["csq.gene"] == "G0"
    assert answer["csq.transcript"] == answer["mane.transcript"] == "TG0.1"
    assert answer["csq.hgvs_c"].startswith("TG0.1:c.32")
    assert answer["csq.hgvs_p"].startswith("PG0:p.(")
    (first,) = answer["csq.all"]
    assert first["mane"] == "select"
    assert first["exon"].endswith("/5")
    (minus,), _ = annotated(source, [snv(coding(MINUS, 10, 1))])
    assert (minus["csq.gene"], minus["mane.consequence"]) == ("G1", None)


REFUSED = [
    (Row("chr1", 100, "ACGTACGTAC", "A"), "REF is ACGTACGTAC, but the reference has"),
    (Row("chr1", 100, "A" if GENOME[99] != "A" else "C", "G"), f"but the reference has {GENOME[99]} at 1:100"),
    (Row("GL000220.1", 100, "A", "G"), "The reference does not have the contig GL000220.1."),
    (Row("KI270728.1", 1, "A", "G"), "The gene model has nothing on the contig KI270728.1."),
    (Row("chr1", len(GENOME) + 5, "A", "G"), "is outside 1, which has 24,000 bases"),
    (Row("chr1", 100, GENOME[99], "R"), "other letters than A, C, G, T and N"),
    (Row("chr1", 100, GENOME[99], GENOME[99].lower()), "REF and ALT are the same"),
]


@pytest.mark.parametrize(("row", "reason"), REFUSED)
def test_what_cannot_be_answered_is_set_aside_with_the_reason(row, reason, source):
    answers, aside = annotated(source, [snv(90), row, snv(110)], first=1000)
    assert [each.rowno for each in aside] == [1001]
    assert reason in aside[0].reason
    assert [answer["csq.consequence"] for answer in answers] == ["intergenic_variant", None, "intergenic_variant"]
    assert answers[1]["csq.all"] is None
    assert answers[0]["csq.all"] == []


@pytest.mark.parametrize("alt", [None, "*", "<DEL>", "<NON_REF>", "N[chr2:10[", ".", "]chr1:5]A"])
def test_alleles_without_a_sequence_are_missing_without_a_word(alt, source):
    (answer,), aside = annotated(source, [Row("chr1", 100, GENOME[99], alt)])
    assert aside == ()
    assert set(answer.values()) == {None}


def test_the_mitochondrion_has_its_own_code(source):
    """TGA is tryptophan there, AGA a stop, and ATA a start."""
    assert MITOCHONDRIAL["TGA"] == "W"
    place = MITOCHONDRION.index("TGA") + 1
    rows = [
        Row("chrM", place + 2, "A", "G"),
        Row("MT", place + 3, "A", "T"),
        Row("chrM", 3, "A", "C"),
        Row("NC_012920.1", 2, "T", "G"),
    ]
    (silent, *_, start, lost), aside = annotated(source, rows)
    assert aside == ()
    assert silent["csq.consequence"] == "synonymous_variant"
    assert "Trp" in silent["csq.hgvs_p"]
    assert silent["csq.hgvs_p"].endswith("=)")
    assert start["csq.gene"] == lost["csq.gene"] == "GMT"
    assert "start_lost" in lost["csq.consequence"]


def test_whole_transcripts_and_bases_of_incomplete_codons_are_answered(source):
    first, last = PLUS.exons[0][0] - 5, PLUS.exons[-1][1] + 5
    open_gene = next(gene for gene in MADE if not gene.complete_3)
    tail = open_gene.cds[-1][1] if open_gene.strand > 0 else open_gene.cds[0][0]
    rows = [Row("chr1", first, GENOME[first - 1 : last], GENOME[first - 1]), snv(tail)]
    (gone, partial), _ = annotated(source, rows)
    assert gone["csq.gene"] == "G0"
    assert gone["csq.impact"] == "HIGH"
    assert gone["csq.hgvs_c"] is None  # it reaches beyond the transcript
    assert partial["csq.consequence"] == "coding_sequence_variant"


def test_variants_of_one_haplotype_are_seen_together(source):
    """Two bases of a codon: on one haplotype, on two, in two phase sets, and with nothing known."""
    one, two = coding(PLUS, 20), coding(PLUS, 20, 1)
    pair = [snv(one), snv(two)]

    def together(left, right, sets=(None, None)):
        rows = [
            row._replace(genotypes=(text,), phase_sets=(phase_set,))
            for row, text, phase_set in zip(pair, (left, right), sets, strict=True)
        ]
        answers, _ = annotated(source, rows)
        return [(bool(answer["csq.joint"]), bool(answer["csq.neighbours"])) for answer in answers]

    assert together("0|1", "0|1") == [(True, True)] * 2
    assert together("0|1", "1|0") == [(False, True)] * 2
    assert together("1/1", "0|1") == [(True, True)] * 2
    assert together("0/1", "0/1") == [(False, True)] * 2
    assert together("0|1", "0|1", ("100", "100")) == [(True, True)] * 2
    assert together("0|1", "0|1", ("100", "200")) == [(False, True)] * 2
    assert together("1/1", "0|1", (None, "200")) == [(True, True)] * 2
    assert together("0|1", "0|0") == [(False, False)] * 2
    apart = [pair[0]._replace(genotypes=("0|1", "0|0")), pair[1]._replace(genotypes=("0|0", "0|1"))]  # of two samples
    assert [answer["csq.joint"] or answer["csq.neighbours"] for answer in annotated(source, apart)[0]] == [None, None]
    both = [row._replace(genotypes=("0|1", "1|1"), phase_sets=("7", None)) for row in pair]
    assert [len(answer["csq.joint"]) for answer in annotated(source, both)[0]] == [1, 1]
    answers, _ = annotated(source, pair)  # without genotypes
    assert [bool(answer["csq.neighbours"]) for answer in answers] == [True, True]
    joint = annotated(source, [row._replace(genotypes=("0|1",), phase_sets=(None,)) for row in pair])[0][0][
        "csq.joint"
    ][0]
    assert joint["changes"] == "+".join(f"{row.position}{row.ref}>{row.alt}" for row in pair)
    assert joint["transcript"] == "TG0.1"


def test_a_mane_release_selects_where_the_gene_model_does_not(world, tmp_path):
    summary = tmp_path / "mane.txt"
    summary.write_text(
        "#NCBI_GeneID\tEnsembl_Gene\tsymbol\tRefSeq_nuc\tRefSeq_prot\tEnsembl_nuc\tEnsembl_prot\tMANE_status\tGRCh38_chr\n"
        "GeneID:1\tG1\tG1\tNM_1.1\tNP_1.1\tTG1.2\tPG1.2\tMANE Select\tNC_000001.11\n"
    )
    task = task_of("mane", [summary], tmp_path / "mane")
    import_mane(task)
    mane = InstalledRelease(ReleaseKey("mane", "mane", "GRCh38", "1.5"), tmp_path / "mane")
    with opened(world.genes, world.fasta, tmp_path / "scratch", mane) as source:
        (answer,), _ = annotated(source, [snv(coding(MINUS, 10, 1))])
    assert answer["mane.transcript"] == "TG1.1"
    assert "mane.gene" in [column.name for column in SOURCE.columns({GENES: world.genes, MANE: mane})]


def test_a_call_that_is_killed_is_an_error_that_can_be_read_and_the_next_one_works(source):
    rows = [snv(coding(PLUS, codon)) for codon in range(1, 60)]

    def kill():
        process = source._tools.program._process
        if process is not None:
            os.kill(process.pid, signal.SIGKILL)

    annotated(source, rows)
    kill()
    with pytest.raises(VarloomError) as failed:
        annotated(source, rows)
    assert failed.value.code == "consequence_failed"
    assert failed.value.kind.retryable
    answers, _ = annotated(source, rows)
    assert all(answer["csq.consequence"] for answer in answers)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "ended by signal 11"),
        ('raise SamtoolsError("stdout=, stderr=Error: [E::x] cannot map\\n\'")', "cannot map"),
        ("open(request['arguments'][-2], 'w').write('##fileformat=VCFv4.3\\n#CHROM\\n')", "csq"),
    ],
)
def test_csq_that_fails_in_its_middle_is_told_and_the_next_call_works(program, words, world, tmp_path, monkeypatch):
    from varloom.annotation.sources.consequence import csq_program

    sound = csq_program._PROGRAM
    broken = sound.replace('bcftools.csq(*request["arguments"], catch_stdout=False)', program)
    assert broken != sound
    with opened(world.genes, world.fasta, tmp_path / "scratch") as source:
        monkeypatch.setattr(csq_program, "_PROGRAM", broken)
        with pytest.raises(VarloomError, match=words) as failed:
            annotated(source, [snv(coding(PLUS, 5))])
        assert failed.value.code == "consequence_failed"
        source._tools.program._end()
        monkeypatch.setattr(csq_program, "_PROGRAM", sound)
        assert annotated(source, [snv(coding(PLUS, 5))])[0][0]["csq.gene"] == "G0"


def test_a_cancel_ends_the_processes(world, tmp_path, monkeypatch):
    from varloom.annotation.sources.consequence import csq_program

    slow = csq_program._PROGRAM.replace("        try:\n", "        import time; time.sleep(60)\n        try:\n", 1)
    monkeypatch.setattr(csq_program, "_PROGRAM", slow)
    monkeypatch.setattr(csq_program, "_LOOK_SECONDS", 0.01)
    started = []

    class CancelledError(Exception):
        pass

    def cancel():
        started.append(source._tools.program._process)
        if len(started) > 5:
            raise CancelledError

    with opened(world.genes, world.fasta, tmp_path / "scratch") as source:
        with pytest.raises(CancelledError):
            source.annotate(batch_of([snv(coding(PLUS, 5))]), cancel)
        assert started[0].returncode is not None
        assert source._tools.program._process is None


def test_data_that_cannot_be_used_are_told(world, tmp_path):
    empty = InstalledRelease(world.genes.key, tmp_path / "empty")
    empty.folder.mkdir()
    for genes, fasta in ((empty, world.fasta), (world.genes, InstalledRelease(world.fasta.key, empty.folder))):
        with pytest.raises(VarloomError) as refused, opened(genes, fasta, tmp_path / "scratch"):
            pass
        assert refused.value.code == "consequence_data_unusable"


CONTIGS = st.sampled_from(["chr1", "1", "chrM", "MT", "chrUn", "2"])
ALLELES = st.one_of(st.text("ACGTacgtN", min_size=1, max_size=12), st.sampled_from(["*", "<DEL>", "R", "", "[1:5[A"]))


@given(
    st.lists(
        st.tuples(CONTIGS, st.integers(1, 24_100), st.booleans(), st.integers(1, 12), ALLELES, ALLELES), max_size=25
    )
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_and_their_order_are_kept_whatever_they_are(source, drawn):
    """Each row has the answer that it has alone; what has none is set aside, or has no sequence."""
    rows = []
    for contig, position, fits, size, ref, alt in drawn:
        genome = MITOCHONDRION if contig in {"chrM", "MT"} else GENOME
        held = genome[position - 1 : position - 1 + size]
        rows.append(Row(contig, position, held if fits and held else ref, alt or None))
    answers, aside = annotated(source, rows, first=50)
    assert len(answers) == len(rows)
    told = {each.rowno - 50 for each in aside}
    for number, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        has_sequence = bool(row.alt) and row.alt[0].isalpha()
        assert (answer["csq.consequence"] is not None) == (has_sequence and number not in told)
    backwards, _ = annotated(source, rows[::-1])
    both = [
        [{key: value for key, value in answer.items() if key != "csq.neighbours"} for answer in each]
        for each in (answers, backwards[::-1])
    ]
    assert both[0] == both[1]


def test_batches_may_be_slices(source):
    rows = [snv(coding(PLUS, codon)) for codon in range(1, 20)]
    batch = batch_of(rows).slice(5, 9)
    sliced = source.annotate(batch, lambda: None).columns
    assert sliced.to_pylist() == source.annotate(batch_of(rows[5:14]), lambda: None).columns.to_pylist()
    assert source.annotate(batch.slice(0, 0), lambda: None).columns.num_rows == 0
    assert isinstance(sliced, pa.RecordBatch)


KINDS = st.sampled_from(["snv", "snv", "insertion", "deletion"])
GENOTYPES = st.sampled_from(["0|1", "1|0", "1|1", "0/1", "0|0"])


@given(
    st.lists(
        st.tuples(
            st.integers(0, len(MADE) - 1), st.integers(0, 100), KINDS, GENOTYPES, st.sampled_from([None, "1", "2"])
        ),
        min_size=8,
        max_size=30,
        unique_by=lambda drawn: drawn[:2],
    ),
    st.integers(1, 5),
    st.integers(0, 3),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_in_chunks_says_what_the_whole_file_says(world, source, drawn, rows_at_once, slack):
    """Phased variants of few transcripts, cut as small as may be: no codon or frame of a haplotype is torn apart."""
    rows = []
    for gene, place, kind, genotype, phase_set in drawn:
        at = coding(MADE[gene], place // 3, place % 3)
        ref = GENOME[at - 1 : at + (kind == "deletion")]
        alt = {"snv": snv(at).alt, "insertion": f"{ref}T", "deletion": ref[:1]}[kind]
        rows.append(Row("chr1", at, ref, alt, (genotype, "0|1"), (phase_set, None)))
    whole = batch_of(sorted(rows, key=lambda row: row.position))
    small = [whole.slice(start, rows_at_once) for start in range(0, whole.num_rows, rows_at_once)]
    stretches = Stretches([SOURCE.stretches({GENES: world.genes})], "GRCh38")
    chunks = list(cut_between(small, stretches, Limits(slack, 1000)))
    assert sum(chunk.num_rows for chunk in chunks) == len(rows)
    if rows_at_once == 1 and len({gene for gene, *_ in drawn}) > 3:
        assert len(chunks) > 1
    found = [row for chunk in chunks for row in source.annotate(chunk, lambda: None).columns.to_pylist()]
    assert found == source.annotate(whole, lambda: None).columns.to_pylist()


def test_small_replacements_are_no_elongations_of_features(source):
    """Csq says that of them wherever they are, as if they were structural variants; it would count as HIGH."""
    intron = PLUS.exons[0][1] + 25
    inside = coding(PLUS, 30)
    rows = [
        Row("chr1", intron, GENOME[intron - 1 : intron + 1], "ACGTA" if GENOME[intron - 1] != "A" else "CCGTC"),
        Row("chr1", inside, GENOME[inside - 1 : inside + 1], "GCTGA" if GENOME[inside - 1] != "G" else "CCTGC"),
    ]
    (deep, coded), _ = annotated(source, rows)
    assert (deep["csq.consequence"], deep["csq.impact"]) == ("intron_variant", "MODIFIER")
    assert coded["csq.impact"] in {"MODERATE", "HIGH"}
    assert "feature" not in coded["csq.consequence"]
