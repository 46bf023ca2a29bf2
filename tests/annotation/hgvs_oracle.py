"""The library `hgvs` with transcripts in `cdot`'s data model, over made genes: an oracle that shares no code with ours.

`hgvs` leaves a file open when it is imported, and its `AssemblyMapper` knows only contigs of real assemblies; so the
genome is called NC_000001.11, and variants are normalised on the genome in the direction of the transcript before.
"""

from __future__ import annotations

import gc
import warnings
from typing import TYPE_CHECKING

from varloom.genomics.genetic_code import reverse_complement

if TYPE_CHECKING:
    from tests.annotation.made_genes import MadeGene

CHROMOSOME = "NC_000001.11"
METHOD = "splign"


class Oracle:
    """Names variants of one genome."""

    def __init__(self, genome: str, genes: list[MadeGene]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import hgvs.normalizer
            import hgvs.parser
            import hgvs.variantmapper
            from cdot.hgvs.dataproviders import AbstractJSONDataProvider

            gc.collect()

        sequences = {CHROMOSOME: genome}
        records = {}
        for number, gene in enumerate(genes):
            accession = f"NM_{number}.1"
            bases = "".join(genome[start - 1 : end] for start, end in gene.exons)
            sequences[accession] = bases if gene.strand > 0 else reverse_complement(bases)
            records[accession] = _record(gene, accession)

        class Sequences:
            source = "made"

            def fetch_seq(self, ac, start_i=None, end_i=None):
                return sequences[ac][start_i:end_i]

        class Provider(AbstractJSONDataProvider):
            def _get_transcript(self, tx_ac):
                return records[tx_ac]

            def _get_gene(self, *_):
                return None

            def get_tx_for_gene(self, *_):
                return []

            def get_tx_for_region(self, *_):
                return []

        provider = Provider(assemblies=["GRCh38"], seqfetcher=Sequences())
        self._parser = hgvs.parser.Parser()
        self._mapper = hgvs.variantmapper.VariantMapper(provider)
        self._normalizers = {
            strand: hgvs.normalizer.Normalizer(
                provider, alt_aln_method=METHOD, validate=False, shuffle_direction=3 if strand > 0 else 5
            )
            for strand in (1, -1)
        }
        self._strands = [gene.strand for gene in genes]

    def name(self, number: int, genomic: str) -> tuple[str, str]:
        """The names (c. and p., without accessions) of a variant `g.…` in the transcript of a gene."""
        variant = self._parser.parse_hgvs_variant(f"{CHROMOSOME}:{genomic}")
        variant = self._normalizers[self._strands[number]].normalize(variant)
        coding = self._mapper.g_to_c(variant, f"NM_{number}.1", alt_aln_method=METHOD)
        protein = self._mapper.c_to_p(coding, f"NP_{number}.1")
        return str(coding).partition(":")[2], str(protein).partition(":")[2]


def _record(gene: MadeGene, accession: str) -> dict:
    """A transcript in cdot's data model; exons in the order of the genome, numbered in that of transcription."""
    sizes = [end - start + 1 for start, end in gene.exons]
    order = list(range(len(sizes)))[:: gene.strand]
    begins, offset = {}, 0
    for index in order:
        begins[index] = offset
        offset += sizes[index]
    exons = [
        [start - 1, end, order.index(index), begins[index] + 1, begins[index] + sizes[index], None]
        for index, (start, end) in enumerate(gene.exons)
    ]
    ends = [_offset(gene, exons, place) for place in (gene.cds[0][0], gene.cds[-1][1])]
    build = {"contig": CHROMOSOME, "strand": "+" if gene.strand > 0 else "-", "exons": exons}
    return {
        "id": accession,
        "gene_name": gene.name,
        "genome_builds": {"GRCh38": build},
        "start_codon": min(ends),
        "stop_codon": max(ends) + 1,
        "protein": accession.replace("NM", "NP"),
    }


def _offset(gene: MadeGene, exons: list, place: int) -> int:
    for start_0, end, _, first, last, _ in exons:
        if start_0 < place <= end:
            return first - 1 + place - start_0 - 1 if gene.strand > 0 else last - (place - start_0)
    raise AssertionError(place)
