"""What the header says of consequence annotations: VEP's CSQ, SnpEff's ANN, the BCSQ of bcftools csq."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from varloom.errors import Place
from varloom.reader.problems import VCF_ANNOTATION_FORMAT
from varloom.reader.vcf.declaration import Arity, Declaration, ValueType

if TYPE_CHECKING:
    from varloom.reader.diagnosis import Diagnosis

LITERAL, TRIMMED, UNNAMED = 1, 2, 0
"""How entries name alleles: as ALT has them, without the base before an indel, or not at all."""
MOST_SUBFIELDS = 1_000

_KEYS = frozenset({"csq", "vep", "ann", "bcsq"})
_FROM_VEP = "Consequence annotations from Ensembl VEP"
_LIST = re.compile(r"(?:Format|Functional annotations)\s*:\s*(.+)", re.DOTALL)
_AROUND = " \t'\"[]*"
_PLACES = (
    ("allele",),
    ("allele_num",),
    ("consequence", "annotation"),
    ("impact", "annotation_impact"),
    ("symbol", "gene_name", "gene"),
    ("gene", "gene_id"),
)
"""What allele, allele number, consequence, impact, gene symbol and gene id are called by the annotators."""


class AnnotationFormat(NamedTuple):
    """How an INFO field holds annotations.

    Attributes:
        key: of the INFO field.
        subfields: names, as the header has them.
        places: of allele, allele number, consequence, impact, gene symbol and gene id; -1 where there is none.
        naming: LITERAL, TRIMMED or UNNAMED.
        shorter: whether entries may lack their last subfields.
        single: whether a record has one text, which commas cut, rather than a list.
    """

    key: str
    subfields: tuple[str, ...]
    places: tuple[int, ...]
    naming: int
    shorter: bool
    single: bool


def annotation_formats(declarations: list[Declaration], diagnosis: Diagnosis) -> list[AnnotationFormat]:
    """The annotations that can be unfolded; a warning for each that cannot."""
    found = []
    for declaration in declarations:
        if not _may_annotate(declaration):
            continue
        described = _LIST.search(declaration.description or "")
        names = tuple(name.strip(_AROUND) for name in described[1].split("|")) if described else ()
        if 1 < len(names) <= MOST_SUBFIELDS and all(names) and len(set(map(str.casefold, names))) == len(names):
            found.append(_format(declaration, names))
        else:
            label = f"INFO.{declaration.key}"
            message = f"The header does not tell the subfields of {label}; it is kept as it stands, and not unfolded."
            diagnosis.warn(VCF_ANNOTATION_FORMAT, declaration.key, message, Place(field=label))
    return found


def _may_annotate(declaration: Declaration) -> bool:
    annotates = declaration.key.casefold() in _KEYS or _FROM_VEP in (declaration.description or "")
    return annotates and declaration.type is ValueType.STRING and declaration.arity in {Arity.ONE, Arity.LIST}


def _format(declaration: Declaration, names: tuple[str, ...]) -> AnnotationFormat:
    known = [name.casefold() for name in names]
    places = tuple(next((known.index(name) for name in called if name in known), -1) for called in _PLACES)
    is_literal = "annotation" in known
    naming = UNNAMED if places[0] < 0 and places[1] < 0 else LITERAL if is_literal else TRIMMED
    shorter = declaration.key.casefold() == "bcsq"
    return AnnotationFormat(declaration.key, names, places, naming, shorter, declaration.arity is Arity.ONE)
