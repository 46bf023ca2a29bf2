"""The demonstration's genome as FASTA, its genes as the GFF3 of Ensembl, and the MANE summary."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.annotation.demo.known import SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.annotation.demo.genome import DemoGene, DemoGenome, DemoTranscript

_LINE = 60


def fasta(genome: DemoGenome) -> list[str]:
    """The genome."""
    lines = []
    for name, bases in genome.contigs.items():
        lines.append(f">{name} {SYNTHETIC}")
        lines += [bases[at : at + _LINE] for at in range(0, len(bases), _LINE)]
    return lines


def gff3(genome: DemoGenome) -> list[str]:
    """The genes in the manner of Ensembl."""
    lines = ["##gff-version 3", f"#!{SYNTHETIC}"]
    for gene in genome.genes:
        said = f"ID=gene:{gene.gene_id};Name={gene.name};biotype={gene.biotype};description=Synthetic gene"
        lines.append(_line(gene, "gene", (gene.start, gene.end), f"{said};gene_id={gene.gene_id};version=1"))
        for transcript in gene.transcripts:
            lines += _transcript(gene, transcript)
        lines.append("###")
    return lines


def mane(genome: DemoGenome) -> list[str]:
    """`MANE.GRCh38.summary.txt`; the names of RefSeq are made, too."""
    names = (
        "#NCBI_GeneID\tEnsembl_Gene\tHGNC_ID\tsymbol\tname\tRefSeq_nuc\tRefSeq_prot\tEnsembl_nuc\tEnsembl_prot\t"
        "MANE_status\tGRCh38_chr\tchr_start\tchr_end\tchr_strand"
    )
    lines = [names]
    for number, gene in enumerate(genome.genes, 1):
        select = gene.transcripts[0]
        if not select.is_select:
            continue
        sign = "+" if gene.strand > 0 else "-"
        cells = (
            *(f"GeneID:{999_000 + number}", f"{gene.gene_id}.1", "", gene.name, "synthetic gene"),
            *(f"DEMO_{number:06}.1", f"DEMO_P{number:05}.1", select.name, _protein(select)),
            *("MANE Select", gene.contig, str(gene.start), str(gene.end), sign),
        )
        lines.append("\t".join(cells))
    return lines


def _transcript(gene: DemoGene, transcript: DemoTranscript) -> Iterator[str]:
    name, _, version = transcript.name.partition(".")
    tags = "basic,Ensembl_canonical,MANE_Select" if transcript.is_select else "basic"
    start, end = transcript.exons[0][0], transcript.exons[-1][1]
    kind = "mRNA" if transcript.coding else "lnc_RNA"
    said = f"ID=transcript:{name};Parent=gene:{gene.gene_id};biotype={gene.biotype};tag={tags}"
    yield _line(gene, kind, (start, end), f"{said};transcript_id={name};version={version}")
    parent = f"Parent=transcript:{name}"
    for first, last in transcript.exons:
        yield _line(gene, "exon", (first, last), parent)
    coded = 0
    for first, last in transcript.cds[:: gene.strand]:
        said = f"ID=CDS:{_protein(transcript)};{parent};protein_id={_protein(transcript)}"
        yield _line(gene, "CDS", (first, last), said, str(-coded % 3))
        coded += last - first + 1


def _protein(transcript: DemoTranscript) -> str:
    return transcript.name.partition(".")[0].replace("DEMOT", "DEMOP")


def _line(gene: DemoGene, kind: str, part: tuple[int, int], attributes: str, phase: str = ".") -> str:
    sign = "+" if gene.strand > 0 else "-"
    return "\t".join((gene.contig, "varloom_demo", kind, *map(str, part), ".", sign, phase, attributes))
