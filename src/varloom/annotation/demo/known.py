"""What publishers would know of the demonstration's small variants, in the formats in which they publish it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.demo.genome import seeded
from varloom.annotation.demo.variants import coding_substitutions, demo_variants
from varloom.genomics.demonstration import DEMO_CONTIGS, FIRST_RS_NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from varloom.annotation.demo.genome import DemoGene, DemoGenome
from varloom.annotation.demo.variants import DemoVariant

SYNTHETIC = "Synthetic demonstration data made by Varloom; it says nothing of any person, gene or disease"
_COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
_SEED = 11
_MEANINGS = {
    "nonsense": ("Pathogenic", "criteria_provided,_multiple_submitters,_no_conflicts"),
    "frameshift": ("Pathogenic", "reviewed_by_expert_panel"),
    "splice": ("Likely_pathogenic", "criteria_provided,_single_submitter"),
    "start": ("Likely_pathogenic", "criteria_provided,_single_submitter"),
    "missense": ("Uncertain_significance", "criteria_provided,_single_submitter"),
    "inframe": ("Conflicting_classifications_of_pathogenicity", "criteria_provided,_conflicting_classifications"),
    "synonymous": ("Likely_benign", "criteria_provided,_multiple_submitters,_no_conflicts"),
    "splice_region": ("Benign", "criteria_provided,_multiple_submitters,_no_conflicts"),
}
_HARMFUL = frozenset({"nonsense", "frameshift", "splice", "start", "stop_lost"})
_CADD = {"nonsense": 38.0, "start": 25.0, "stop_lost": 20.0, "missense": 21.0, "synonymous": 8.0}
_CHROMOSOMES = 152_312
"""Alleles that were looked at, as in gnomAD's genomes."""


class Sighting(NamedTuple):
    """How often a variant was seen."""

    variant: DemoVariant
    alleles: int
    homozygotes: int
    rs_number: int


def vcf_head(*declarations: str) -> list[str]:
    """The beginning of a VCF of the demonstration."""
    contigs = [f"##contig=<ID={name},length={length}>" for name, length in DEMO_CONTIGS.items()]
    return ["##fileformat=VCFv4.2", f"##source={SYNTHETIC}", "##reference=varloom-demo", *contigs, *declarations]


def sightings(genome: DemoGenome) -> list[Sighting]:
    """The variants that people of a made population have; what does harm is rare, and some nobody has."""
    chance = seeded(_SEED)
    found = []
    for number, variant in enumerate(demo_variants(genome)):
        draw = chance.random()
        count = int(1 + 8 * draw) if variant.effect in _HARMFUL else int(10 ** (1 + 3.7 * draw))
        if number % 7 != 3:
            homozygotes = int(count * count / _CHROMOSOMES / 2)
            found.append(Sighting(variant, count, homozygotes, FIRST_RS_NUMBER + number))
    return found


def clinvar(genome: DemoGenome) -> list[str]:
    """`clinvar.vcf`."""
    lines = vcf_head(
        '##INFO=<ID=CLNSIG,Number=.,Type=String,Description="Classification">',
        '##INFO=<ID=CLNREVSTAT,Number=.,Type=String,Description="Review status">',
        '##INFO=<ID=CLNDN,Number=.,Type=String,Description="Condition">',
        '##INFO=<ID=CLNSIGCONF,Number=.,Type=String,Description="Conflicting classifications">',
    )
    lines.append(_COLUMNS)
    for number, variant in enumerate(demo_variants(genome)):
        if variant.effect not in _MEANINGS or number % 5 == 4:
            continue
        meaning, status = _MEANINGS[variant.effect]
        info = f"CLNSIG={meaning};CLNREVSTAT={status};CLNDN=Synthetic_condition_{number % 4 + 1}"
        if meaning.startswith("Conflicting"):
            info += ";CLNSIGCONF=Pathogenic(1)|Uncertain_significance(2)"
        lines.append(_record(variant, str(999_000_001 + number), info))
    return lines


def gnomad(genome: DemoGenome) -> list[str]:
    """`gnomad.sites.vcf`."""
    lines = vcf_head(
        *(
            f'##INFO=<ID={key},Number={number},Type={kind},Description="{about}">'
            for key, number, kind, about in (
                ("AC", "A", "Integer", "Alleles seen"),
                ("AN", "1", "Integer", "Alleles looked at"),
                ("AF", "A", "Float", "Their share"),
                ("nhomalt", "A", "Integer", "People who have two"),
                ("grpmax", "A", "String", "The group in which it is most frequent"),
                ("AF_grpmax", "A", "Float", "Its share there"),
            )
        )
    )
    lines.append(_COLUMNS)
    for number, (variant, alleles, homozygotes, rs_number) in enumerate(sightings(genome)):
        share = alleles / _CHROMOSOMES
        group = ("afr", "amr", "eas", "nfe", "sas")[number % 5]
        info = f"AC={alleles};AN={_CHROMOSOMES};AF={share:.6g};nhomalt={homozygotes};grpmax={group}"
        lines.append(_record(variant, f"rs{rs_number}", f"{info};AF_grpmax={min(1.0, share * 1.6):.6g}", "PASS"))
    return lines


def dbsnp(genome: DemoGenome) -> list[str]:
    """`dbsnp.vcf`."""
    records = (_record(one.variant, f"rs{one.rs_number}", "VC=SNV") for one in sightings(genome))
    return [*vcf_head('##INFO=<ID=VC,Number=1,Type=String,Description="Class">'), _COLUMNS, *records]


def revel(genome: DemoGenome) -> list[str]:
    """`revel_with_transcript_ids`: every missense substitution."""
    chance = seeded(_SEED + 1)
    lines = ["chr,hg19_pos,grch38_pos,ref,alt,aaref,aaalt,REVEL,Ensembl_transcriptid"]
    for gene, variant in _substitutions(genome):
        if variant.effect == "missense" and variant.protein:
            amino_acids = f"{variant.protein[0]},{variant.protein[-1]}"
            name = gene.transcripts[0].name.partition(".")[0]
            place = f"{variant.contig},.,{variant.position},{variant.ref},{variant.alt}"
            lines.append(f"{place},{amino_acids},{chance.betavariate(1.4, 2.2):.3f},{name}")
    return lines


def alphamissense(genome: DemoGenome) -> list[str]:
    """`AlphaMissense_hg38.tsv`: every missense substitution."""
    chance = seeded(_SEED + 2)
    names = "#CHROM\tPOS\tREF\tALT\tgenome\tuniprot_id\ttranscript_id\tprotein_variant\tam_pathogenicity\tam_class"
    lines = [f"# {SYNTHETIC}", names]
    for gene, variant in _substitutions(genome):
        if variant.effect == "missense" and variant.protein:
            score = chance.betavariate(1.1, 1.6)
            verdict = "likely_benign" if score < 0.34 else "ambiguous" if score <= 0.564 else "likely_pathogenic"
            said = f"hg38\t{gene.name}\t{gene.transcripts[0].name}\t{variant.protein}\t{score:.4f}\t{verdict}"
            lines.append(f"{_place(variant)}\t{said}")
    return lines


def cadd(genome: DemoGenome) -> list[str]:
    """`whole_genome_SNVs.tsv`: every substitution in coding sequences."""
    chance = seeded(_SEED + 3)
    lines = [f"## {SYNTHETIC}", "#Chrom\tPos\tRef\tAlt\tRawScore\tPHRED"]
    for _, variant in _substitutions(genome):
        phred = max(0.1, _CADD[variant.effect] + chance.gauss(0, 4))
        lines.append(f"{_place(variant)}\t{(phred - 12) / 6:.6f}\t{phred:.3f}")
    return lines


def spliceai(genome: DemoGenome) -> list[str]:
    """`spliceai_scores.raw.snv.hg38.vcf`: the substitutions of the demonstration's file."""
    chance = seeded(_SEED + 4)
    lines = vcf_head('##INFO=<ID=SpliceAI,Number=.,Type=String,Description="SpliceAI">')
    lines.append(_COLUMNS)
    for variant in demo_variants(genome):
        gene = next((one for one in genome.genes if _holds(one, variant)), None)
        if gene is None or len(variant.ref) != 1 or len(variant.alt) != 1:
            continue
        strength = {"splice": 0.9, "splice_region": 0.4}.get(variant.effect, 0.02)
        deltas = [chance.random() * 0.02, chance.random() * 0.02, chance.random() * 0.02, min(1.0, strength)]
        scores = "|".join(f"{delta:.2f}" for delta in deltas)
        lines.append(_record(variant, ".", f"SpliceAI={variant.alt}|{gene.name}|{scores}|-12|5|31|-1"))
    return lines


def small_sample(genome: DemoGenome) -> list[str]:
    """The file to load: a VCF of one made person."""
    chance = seeded(_SEED + 5)
    lines = vcf_head(
        '##FILTER=<ID=LowQual,Description="Low quality">',
        '##INFO=<ID=DP,Number=1,Type=Integer,Description="Reads">',
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">',
        '##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads of each allele">',
        '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Reads">',
        '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Quality of the genotype">',
    )
    lines.append(f"{_COLUMNS}\tFORMAT\tDEMO")
    for variant in demo_variants(genome):
        depth, is_homozygous = chance.randrange(18, 60), chance.random() < 0.2
        others = depth if is_homozygous else depth // 2
        quality = chance.randrange(15, 1_500)
        call = f"{'1/1' if is_homozygous else '0/1'}:{depth - others},{others}:{depth}:{min(99, quality)}"
        state = "PASS" if quality >= 30 else "LowQual"
        lines.append(f"{_record(variant, '.', f'DP={depth}', state, str(quality))}\tGT:AD:DP:GQ\t{call}")
    return lines


def _substitutions(genome: DemoGenome) -> Iterable[tuple[DemoGene, DemoVariant]]:
    """All coding ones, each with its gene, in the order of the genome."""
    found = [(gene, variant) for gene in genome.genes for variant in coding_substitutions(genome, gene)]
    return sorted(found, key=lambda pair: pair[1])


def _holds(gene: DemoGene, variant: DemoVariant) -> bool:
    return gene.contig == variant.contig and gene.start <= variant.position <= gene.end


def _place(variant: DemoVariant) -> str:
    return f"{variant.contig}\t{variant.position}\t{variant.ref}\t{variant.alt}"


def _record(variant: DemoVariant, name: str, info: str, state: str = ".", quality: str = ".") -> str:
    """The fixed fields of a record."""
    return "\t".join((variant.contig, str(variant.position), name, variant.ref, variant.alt, quality, state, info))
