"""Consequences of variants: terms of the Sequence Ontology with their rank and impact, most severe first.

Ranks and impacts are those of Ensembl ("Calculated variant consequences", release 113); terms that only SnpEff uses
stand beside those of their impact, as in its documentation ("Effect prediction details", version 5.2). The short names
of `bcftools csq` are other spellings of the same terms.
"""

from __future__ import annotations

from typing import NamedTuple

_HIGH = (
    "chromosome_number_variation transcript_ablation exon_loss_variant splice_acceptor_variant splice_donor_variant "
    "stop_gained frameshift_variant stop_lost start_lost transcript_amplification feature_elongation "
    "feature_truncation bidirectional_gene_fusion gene_fusion feature_fusion feature_ablation duplication inversion "
    "rare_amino_acid_variant protein_protein_contact structural_interaction_variant"
)
_MODERATE = (
    "inframe_insertion conservative_inframe_insertion disruptive_inframe_insertion inframe_deletion "
    "conservative_inframe_deletion disruptive_inframe_deletion inframe_altering missense_variant "
    "protein_altering_variant 5_prime_UTR_truncation 3_prime_UTR_truncation"
)
_LOW = (
    "splice_donor_5th_base_variant splice_region_variant splice_donor_region_variant "
    "splice_polypyrimidine_tract_variant incomplete_terminal_codon_variant start_retained_variant "
    "initiator_codon_variant stop_retained_variant synonymous_variant 5_prime_UTR_premature_start_codon_gain_variant"
)
_MODIFIER = (
    "coding_sequence_variant mature_miRNA_variant 5_prime_UTR_variant 3_prime_UTR_variant "
    "non_coding_transcript_exon_variant non_coding_exon_variant exon_variant exon_region intron_variant "
    "NMD_transcript_variant non_coding_transcript_variant coding_transcript_variant transcript_variant "
    "upstream_gene_variant downstream_gene_variant gene_variant TFBS_ablation TFBS_amplification "
    "TF_binding_site_variant regulatory_region_ablation regulatory_region_amplification regulatory_region_variant "
    "miRNA custom conserved_intron_variant conserved_intergenic_variant intragenic_variant sequence_feature "
    "intergenic_variant intergenic_region chromosome sequence_variant"
)
_SHORT = {
    "splice_acceptor": "splice_acceptor_variant",
    "splice_donor": "splice_donor_variant",
    "splice_region": "splice_region_variant",
    "frameshift": "frameshift_variant",
    "missense": "missense_variant",
    "synonymous": "synonymous_variant",
    "stop_retained": "stop_retained_variant",
    "start_retained": "start_retained_variant",
    "coding_sequence": "coding_sequence_variant",
    "5_prime_utr": "5_prime_UTR_variant",
    "3_prime_utr": "3_prime_UTR_variant",
    "non_coding": "non_coding_transcript_variant",
    "intron": "intron_variant",
    "intergenic": "intergenic_variant",
}


class Consequence(NamedTuple):
    """A term.

    Attributes:
        term: its name.
        rank: 0 for the most severe one.
        impact: `HIGH`, `MODERATE`, `LOW` or `MODIFIER`.
    """

    term: str
    rank: int
    impact: str


def _consequences() -> tuple[Consequence, ...]:
    found: list[Consequence] = []
    for impact, terms in (("HIGH", _HIGH), ("MODERATE", _MODERATE), ("LOW", _LOW), ("MODIFIER", _MODIFIER)):
        found += [Consequence(term, rank, impact) for rank, term in enumerate(terms.split(), len(found))]
    ranked = {consequence.term: consequence for consequence in found}
    found += (Consequence(short, ranked[term].rank, ranked[term].impact) for short, term in _SHORT.items())
    return tuple(found)


CONSEQUENCES = _consequences()
"""All known terms; those of the same rank are spellings of one."""
