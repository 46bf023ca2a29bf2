"""The columns that the source adds, and their types."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from varloom.annotation.model import AnnotationColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

FIELDS = {
    "consequence": "the terms of the Sequence Ontology, most severe first, joined by `&`",
    "impact": "HIGH, MODERATE, LOW or MODIFIER, that of the most severe term",
    "gene": "the symbol of the gene",
    "gene_id": "the id of the gene",
    "transcript": "the transcript, with its version",
    "biotype": "of the transcript",
    "hgvs_c": "the change in HGVS, coding numbering; missing deep in introns and outside coding transcripts",
    "hgvs_p": "the predicted change of the protein in HGVS; missing where no coding base is changed",
    "protein_change": "as bcftools csq writes it, such as 59Y>59H",
    "exon": "the number of the exon and how many there are, such as 3/11",
    "intron": "the number of the intron and how many there are",
}
"""What is said of a variant in one transcript, in the order of the columns of a block."""

_ONLY_NESTED = {
    "canonical": "`yes` for the transcript that stands for its gene",
    "mane": "`select` or `plus_clinical`",
}
NESTED_FIELDS = (*FIELDS, *_ONLY_NESTED)
JOINT_FIELDS = ("consequence", "impact", "gene", "transcript", "protein_change", "changes", "behind_stop")

NESTED = pa.list_(pa.field("element", pa.struct([pa.field(name, pa.string()) for name in NESTED_FIELDS])))
JOINT = pa.list_(pa.field("element", pa.struct([pa.field(name, pa.string()) for name in JOINT_FIELDS])))
NEIGHBOURS = pa.list_(pa.field("element", pa.string()))


def declared(*, has_mane: bool) -> Sequence[AnnotationColumn]:
    """The columns in their order; those of MANE Select only where it is known."""
    blocks = [_block("csq", "In the transcript with the most severe consequence")]
    if has_mane:
        blocks.append(_block("mane", "In the MANE Select transcript (missing where none is touched)"))
    return [
        *(column for block in blocks for column in block),
        AnnotationColumn(
            "csq.all", NESTED, "Every transcript that is touched, most severe first; empty outside of all transcripts."
        ),
        AnnotationColumn(
            "csq.joint",
            JOINT,
            "What the variant does together with others on the same haplotype, where that is more than what it does "
            "alone; missing where nothing of the kind was found, or genotypes are not phased.",
        ),
        AnnotationColumn(
            "csq.neighbours",
            NEIGHBOURS,
            "Other variants of the file in the same codon, or that shift the frame of the same transcript: on one "
            "haplotype the protein would change otherwise than said of each alone.",
        ),
    ]


def _block(prefix: str, where: str) -> list[AnnotationColumn]:
    return [
        AnnotationColumn(f"{prefix}.{name}", pa.string(), f"{where}: {description}.")
        for name, description in FIELDS.items()
    ]
