"""The structural variants of the demonstration, and what publishers would know of them and of the dosage of genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.demo.known import SYNTHETIC, vcf_head

if TYPE_CHECKING:
    from varloom.annotation.demo.genome import DemoGenome

_COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


class DemoEvent(NamedTuple):
    """A structural variant; `alt` is its allele, `frequency` that in the made population (None: nobody has it)."""

    contig: str
    position: int
    end: int
    kind: str
    alt: str
    call: str
    frequency: float | None = None


_EVENTS = (
    DemoEvent("demo1", 8_000, 9_500, "DEL", "<DEL>", "0/1:1", 0.21),
    DemoEvent("demo1", 18_000, 35_000, "DEL", "<DEL>", "0/1:1"),
    DemoEvent("demo1", 55_000, 130_000, "DUP", "<DUP>", "0/1:3"),
    DemoEvent("demo1", 62_000, 64_500, "DEL", "<DEL>", "0/1:1", 0.0003),
    DemoEvent("demo1", 100_000, 240_000, "DEL", "<DEL>", "0/1:1"),
    DemoEvent("demo1", 105_000, 175_000, "INV", "<INV>", "0/1:2", 0.002),
    DemoEvent("demo1", 120_000, 120_000, "INS", "<INS>", "1/1:2", 0.08),
    DemoEvent("demo1", 222_000, 222_000, "BND", "N]demo2:30000]", "0/1:2"),
    DemoEvent("demo1", 250_000, 270_000, "CNV", "<CNV>", "./.:4", 0.11),
    DemoEvent("demo2", 20_000, 35_000, "DUP", "<DUP>", "0/1:3", 0.00005),
    DemoEvent("demo2", 30_000, 30_000, "BND", "N]demo1:222000]", "0/1:2"),
    DemoEvent("demo2", 95_000, 99_000, "DEL", "<DEL>", "1/1:0", 0.004),
)
_DOSAGE = {"DEMO1": ("3", "0"), "DEMO2": ("0", "0"), "DEMO3": ("1", "3"), "DEMO5": ("30", "40"), "DEMO6": ("2", "1")}
"""Scores of haploinsufficiency and of triplosensitivity."""
_PEOPLE = 63_046


def structural_sample(genome: DemoGenome) -> list[str]:
    """The file to load: a VCF of one made person."""
    lines = vcf_head(
        *(f'##ALT=<ID={kind},Description="{kind}">' for kind in ("DEL", "DUP", "INV", "INS", "CNV")),
        '##INFO=<ID=SVTYPE,Number=1,Type=String,Description="Type">',
        '##INFO=<ID=END,Number=1,Type=Integer,Description="Last base">',
        '##INFO=<ID=SVLEN,Number=A,Type=Integer,Description="Bases">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        '##FORMAT=<ID=CN,Number=1,Type=Integer,Description="Copies">',
    )
    lines.append(f"{_COLUMNS}\tFORMAT\tDEMO")
    for number, event in enumerate(_EVENTS, 1):
        base = genome.bases(event.contig, event.position, event.position)
        alt = event.alt.replace("N", base, 1) if event.kind == "BND" else event.alt
        place = f"{event.contig}\t{event.position}\tdemo_sv_{number}\t{base}\t{alt}\t{200 + number}\tPASS"
        lines.append(f"{place}\t{_info(event)}\tGT:CN\t{event.call}")
    return lines


def population(genome: DemoGenome) -> list[str]:
    """`gnomad.v4.sv.sites.vcf`: those that somebody has, some bases away from where the person has them."""
    lines = vcf_head(
        *(
            f'##INFO=<ID={key},Number={number},Type={kind},Description="{key}">'
            for key, number, kind in (
                ("SVTYPE", "1", "String"),
                ("END", "1", "Integer"),
                ("SVLEN", "1", "Integer"),
                ("AC", "A", "Integer"),
                ("AN", "1", "Integer"),
                ("AF", "A", "Float"),
                ("N_HOMALT", "1", "Integer"),
                ("GRPMAX_AF", "1", "Float"),
            )
        )
    )
    lines.append(_COLUMNS)
    for number, event in enumerate(_EVENTS, 1):
        if event.frequency is None or event.kind == "BND":
            continue
        shifted = event._replace(position=event.position + 40, end=event.end + (0 if event.kind == "INS" else 25))
        shifted = shifted._replace(end=max(shifted.end, shifted.position))
        count = max(1, round(event.frequency * 2 * _PEOPLE))
        seen = f"AC={count};AN={2 * _PEOPLE};AF={event.frequency};N_HOMALT={count * count // (8 * _PEOPLE)}"
        base = genome.bases(event.contig, shifted.position, shifted.position)
        place = (
            f"{event.contig}\t{shifted.position}\tdemo_population_{event.kind}_{number}\t{base}\t{event.alt}\t999\tPASS"
        )
        lines.append(f"{place}\t{_info(shifted)};{seen};GRPMAX_AF={min(1.0, 1.5 * event.frequency):.6g}")
    return lines


def dosage(genome: DemoGenome) -> list[str]:
    """`ClinGen_gene_curation_list_GRCh38.tsv`."""
    names = (
        "#Gene Symbol\tGene ID\tcytoBand\tGenomic Location\tHaploinsufficiency Score\tHaploinsufficiency Description\t"
        "Triplosensitivity Score\tTriplosensitivity Description\tDate Last Evaluated"
    )
    lines = [f"#{SYNTHETIC}", "#Genomic Locations are reported on GRCh38 (hg38): GCF_000001405.36", names]
    for number, gene in enumerate(genome.genes, 1):
        if gene.name in _DOSAGE:
            loss, gain = _DOSAGE[gene.name]
            place = f"{gene.contig}:{gene.start}-{gene.end}"
            lines.append(
                f"{gene.name}\t{999_000 + number}\t.\t{place}\t{loss}\tSynthetic\t{gain}\tSynthetic\t2026-01-01"
            )
    return lines


def _info(event: DemoEvent) -> str:
    if event.kind == "BND":
        return "SVTYPE=BND"
    if event.kind == "INS":
        return f"SVTYPE=INS;END={event.end};SVLEN=1250"
    return (
        f"SVTYPE={event.kind};END={event.end};SVLEN={(event.end - event.position) * (-1 if event.kind == 'DEL' else 1)}"
    )
