"""Gene models of Ensembl and RefSeq, and the MANE summary, become tables; nothing is lost without a word."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.annotation.made_genes import gff_of, made
from tests.annotation.opened import installed_genes, task_of
from tests.shared_data import needs

from varloom.annotation.refs.mane import import_mane, mane_transcripts
from varloom.errors import VarloomError

GENES = Path(__file__).resolve().parents[3] / "shared" / "data" / "genes"
ENSEMBL = GENES / "vep_test.gff.gz"
REFSEQ = GENES / "vep_refseq.gff.gz"
REFSEQ_2023 = GENES / "refseq_test.GRCh38.p14_genomic.RS_2023_03.gff"

corpus = needs(GENES)


def table(folder, name):
    return pq.read_table(folder / f"{name}.parquet").to_pylist()


def installed(path, tmp_path):
    release, imported = installed_genes(path, tmp_path / "genes")
    return release.folder, imported


def lines_of(path):
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode()
    return [line.split("\t") for line in text.splitlines() if line and not line.startswith("#")]


@corpus
@pytest.mark.corpus
@pytest.mark.parametrize("path", [ENSEMBL, REFSEQ, REFSEQ_2023], ids=lambda path: path.name)
def test_every_exon_and_coding_part_of_a_published_file_arrives(path, tmp_path):
    folder, imported = installed(path, tmp_path)
    transcripts = table(folder, "transcripts")
    published = Counter()
    for line in lines_of(path):
        published[line[2]] += re.search(r"Parent=([^;]*)", line[8])[1].count(",") + 1 if "Parent=" in line[8] else 1
    assert sum(len(row["exon_starts"]) for row in transcripts) == published["exon"]
    assert sum(len(row["cds_starts"]) for row in transcripts) == published["CDS"]
    assert imported.unused == {}
    assert len(table(folder, "exons")) == imported.counts["exons"] == published["exon"]
    assert imported.counts["transcripts"] == len(transcripts)
    assert {row["contig"] for row in transcripts} <= {"21", "2", "17"}
    spans = {(int(line[3]), int(line[4])) for line in lines_of(path) if line[2] == "exon"}
    assert {(row["start"], row["end"]) for row in table(folder, "exons")} == spans
    assert all(row["exon_starts"] == sorted(row["exon_starts"]) for row in transcripts)
    starts = [row["start"] for row in transcripts if row["contig"] == "21"]
    assert starts == sorted(starts)


@corpus
@pytest.mark.corpus
def test_refseq_is_told_in_the_words_of_ensembl(tmp_path):
    folder, imported = installed(REFSEQ_2023, tmp_path)
    by_id = {row["transcript_id"]: row for row in table(folder, "transcripts")}
    assert set(by_id) == {"NM_015120.4", "NM_000059.4"} or "NM_015120.4" in by_id
    gene = by_id["NM_015120.4"]
    assert (gene["gene_id"], gene["gene_name"], gene["biotype"]) == ("7840", "ALMS1", "protein_coding")
    assert gene["protein_id"] == "NP_055935.4"
    assert gene["differs"]
    assert any("indels against the genome" in note for note in imported.notes)
    assert [row["mane"] for row in by_id.values()].count("select") == 1


@corpus
@pytest.mark.corpus
@pytest.mark.parametrize("path", [ENSEMBL, REFSEQ], ids=lambda path: path.name)
def test_csq_understands_the_gff3_that_is_written(path, tmp_path):
    """It takes in as many transcripts, exons and coding parts as the tables have."""
    from pysam import bcftools

    folder, imported = installed(path, tmp_path)
    fasta, vcf = tmp_path / "a.fa", tmp_path / "a.vcf"
    fasta.write_text(">21\nACGT\n")
    vcf.write_text("##fileformat=VCFv4.2\n##contig=<ID=21,length=4>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n")
    dump = tmp_path / "dump.gz"
    bcftools.csq("-f", str(fasta), "-g", str(folder / "genes.gff3.gz"), "--dump-gff", str(dump), str(vcf))
    dumped = Counter(line[2] for line in lines_of(dump))
    assert dumped["exon"] == imported.counts["exons"]
    assert (
        sum(line[2] not in {"gene", "exon", "CDS", "five_prime_UTR", "three_prime_UTR"} for line in lines_of(dump))
        == (imported.counts["transcripts"])
    )
    assert dumped["CDS"] == sum(len(row["cds_starts"]) for row in table(folder, "transcripts"))


SMALL = gff_of(made(genes=1)[1])


def spoiled(change, tmp_path):
    path = tmp_path / "spoiled.gff3"
    path.write_text(change(SMALL))
    return installed(path, tmp_path)


FAULTS = {
    "lines that are not GFF3": (lambda text: text + "1\tmade\texon\tten\t20\t.\t+\t.\tParent=transcript:TG0\n", 1),
    "exons and coding parts whose parent is not in the file": (
        lambda text: text + "1\tmade\texon\t10\t20\t.\t+\t.\tParent=transcript:Nobody\n",
        1,
    ),
    "exons and coding parts without a parent": (lambda text: text + "1\tmade\tCDS\t10\t20\t.\t+\t0\tID=CDS:alone\n", 1),
    "transcripts whose gene is not in the file": (
        lambda text: (
            text
            + "1\tmade\tmRNA\t10\t20\t.\t+\t.\tID=transcript:T9;Parent=gene:Nobody\n"
            + "1\tmade\texon\t10\t20\t.\t+\t.\tParent=transcript:T9\n"
        ),
        1,
    ),
    "transcripts without an exon": (
        lambda text: text + "1\tmade\tmRNA\t10\t20\t.\t+\t.\tID=transcript:T9;Parent=gene:G0\n",
        1,
    ),
    "genes and transcripts with an ID that came before": (
        lambda text: text + next(line for line in SMALL.splitlines() if "\tgene\t" in line) + "\n",
        1,
    ),
}


@pytest.mark.parametrize("reason", FAULTS)
def test_what_cannot_be_used_is_counted(reason, tmp_path):
    change, number = FAULTS[reason]
    folder, imported = spoiled(change, tmp_path)
    assert imported.unused == {reason: number}
    assert len(table(folder, "transcripts")) == 1


def test_a_gene_without_a_transcript_stays_a_gene(tmp_path):
    folder, imported = spoiled(
        lambda text: text + "1\tmade\tgene\t9000\t9100\t.\t+\t.\tID=gene:Lonely;biotype=lncRNA\n", tmp_path
    )
    assert imported.counts["genes_without_transcripts"] == 1
    assert [row["gene_id"] for row in table(folder, "genes")] == ["G0", "Lonely"]
    assert any("1 gene without a transcript" in note for note in imported.notes)


def test_missing_phases_are_taken_from_the_lengths_and_wrong_ones_are_told(tmp_path):
    for name in ("right", "without", "wrong"):
        (tmp_path / name).mkdir()
    right = table(spoiled(lambda text: text, tmp_path / "right")[0], "transcripts")
    without, told = spoiled(lambda text: _phases(text, lambda _: "."), tmp_path / "without")
    assert table(without, "transcripts") == right
    assert any("without a phase" in note for note in told.notes)
    wrong, told = spoiled(lambda text: _phases(text, lambda phase: str((int(phase) + 1) % 3)), tmp_path / "wrong")
    assert table(wrong, "transcripts")[0]["frame_broken"]
    assert any("no codons can be told" in note for note in told.notes)


def _phases(text, change):
    """The same with other phases, except that of the first coding part."""
    lines, first = [], True
    for line in text.splitlines():
        fields = line.split("\t")
        if len(fields) == 9 and fields[2] == "CDS":
            fields[7] = fields[7] if first else change(fields[7])
            first = False
        lines.append("\t".join(fields))
    return "\n".join(lines) + "\n"


def test_coding_parts_may_belong_to_a_gene_itself(tmp_path):
    """As RefSeq has it for the mitochondrion."""
    text = (
        "NC_012920.1\tRefSeq\tgene\t100\t400\t.\t+\t.\tID=gene-ND1;Dbxref=GeneID:4535;Name=ND1;gene_biotype=protein_coding\n"
        "NC_012920.1\tRefSeq\tCDS\t101\t400\t.\t+\t0\tID=cds-YP_1.1;Parent=gene-ND1;protein_id=YP_1.1\n"
    )
    folder, imported = spoiled(lambda _: text, tmp_path)
    (row,) = table(folder, "transcripts")
    assert (row["contig"], row["gene_id"], row["gene_name"], row["transcript_id"]) == ("MT", "4535", "ND1", "ND1")
    assert (row["exon_starts"], row["exon_ends"], row["biotype"]) == ([101], [400], "protein_coding")
    assert imported.unused == {}


def test_what_is_no_gene_model_is_refused(tmp_path):
    cases = {
        "GTF, not GFF3": '1\thavana\texon\t10\t20\t.\t+\t.\tgene_id "G"; transcript_id "T";\n',
        "no transcripts in the form of GFF3": "chrom,start,end\n1,2,3\n",
        "no transcripts with exons": "1\tmade\tgene\t10\t20\t.\t+\t.\tID=gene:G0\n",
    }
    for number, (words, text) in enumerate(cases.items()):
        path = tmp_path / f"{number}.gff3"
        path.write_text(text)
        with pytest.raises(VarloomError, match=words) as refused:
            installed_genes(path, tmp_path / str(number))
        assert refused.value.code == "reference_malformed"
    whole = gzip.compress(SMALL.encode() * 50)
    path = tmp_path / "cut.gff3.gz"
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(VarloomError) as refused:
        installed_genes(path, tmp_path / "cut")
    assert refused.value.code == "reference_malformed"


HEADER = (
    "#NCBI_GeneID\tEnsembl_Gene\tHGNC_ID\tsymbol\tname\tRefSeq_nuc\tRefSeq_prot\tEnsembl_nuc\tEnsembl_prot\tMANE_status"
    "\tGRCh38_chr\tchr_start\tchr_end\tchr_strand\n"
)
SELECT = (
    "GeneID:7157\tENSG00000141510.19\tHGNC:11998\tTP53\ttumor protein p53\tNM_000546.6\tNP_000537.3\tENST00000269305.9"
    "\tENSP00000269305.4\tMANE Select\tNC_000017.11\t7668421\t7687490\t-\n"
)


def test_the_mane_summary(tmp_path):
    path = tmp_path / "MANE.GRCh38.v1.5.summary.txt.gz"
    clinical = SELECT.replace("MANE Select", "MANE Plus Clinical").replace("ENST00000269305.9", "ENST00000999999.1")
    odd = SELECT.replace("MANE Select", "MANE Other")
    path.write_bytes(gzip.compress((HEADER + SELECT + clinical + odd + "one\ttwo\n").encode()))
    imported = import_mane(task_of("mane", [path], tmp_path / "mane"))
    assert imported.counts == {"transcripts": 2, "mane_select": 1}
    assert imported.contigs == {"17": 2}
    assert sorted(imported.unused.values()) == [1, 1]
    select, plus = mane_transcripts(tmp_path / "mane")
    assert select == {"ENST00000269305", "NM_000546"}
    assert "ENST00000999999" in plus


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("gene\ttranscript\nTP53\tENST1\n", "reference_malformed"),
        (HEADER, "reference_malformed"),
        ("", "reference_malformed"),
        (HEADER + SELECT.replace("NC_000017.11", "NC_000017.10"), "reference_wrong_assembly"),
    ],
)
def test_what_is_no_mane_summary_is_refused(text, code, tmp_path):
    path = tmp_path / "mane.txt"
    path.write_text(text)
    with pytest.raises(VarloomError) as refused:
        import_mane(task_of("mane", [path], tmp_path / "mane"))
    assert refused.value.code == code
