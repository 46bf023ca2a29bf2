"""The features of a gene model while it is read: genes and transcripts by id, exons and coding parts by parent."""

from __future__ import annotations

import re
from array import array
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.refs.gff3 import Feature, Unreadable, attributes_of, parents_of, versioned
from varloom.genomics.contigs import bare_name

if TYPE_CHECKING:
    from varloom.genomics.assemblies import Assembly

UNKNOWN_PHASE = 3
"""Stands for the phase of a coding part whose line has none."""
HAS_INDEL = re.compile(r"Note=[^;]*\bindel")
"""How RefSeq says that a transcript is longer or shorter than the genome."""

_OTHER_KINDS = (
    "biological_region chromosome region match cDNA_match supercontig scaffold contig start_codon stop_codon intron "
    "stop_codon_redefined_as_selenocysteine enhancer silencer promoter sequence_feature"
)
IGNORED = frozenset(_OTHER_KINDS.split())
"""Kinds of features that are no part of a gene."""
_PARTS = frozenset({"exon", "CDS", "five_prime_UTR", "three_prime_UTR", "UTR"})


class Node(NamedTuple):
    """A gene or a transcript, as its line says it."""

    id: str
    parent: str | None
    kind: str
    contig: str
    start: int
    end: int
    strand: int
    attributes: str


class Parts:
    """The exons and coding parts of one transcript while the file is read; integers side by side, to stay small."""

    __slots__ = ("cds", "differs", "exons", "open_ends", "protein_id", "untranslated")

    def __init__(self) -> None:
        self.exons = array("i")
        self.cds = array("i")
        self.untranslated = array("i")
        self.protein_id: str | None = None
        self.open_ends = (False, False)
        self.differs = False


class GeneFeatures:
    """Everything of the files that matters, by bare contig and id.

    Attributes:
        nodes: genes and transcripts.
        parts: exons and coding parts by the id of their parent.
        unused: what cannot be used, by the reason.
        other_features: lines of other kinds.
        phases_missing: coding parts whose phase was taken from the lengths.
        first_unreadable: the first line that is not GFF3.
    """

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        self.nodes: dict[str, dict[str, Node]] = defaultdict(dict)
        self.parts: dict[str, dict[str, Parts]] = defaultdict(dict)
        self.unused: Counter[str] = Counter()
        self.other_features = 0
        self.phases_missing = 0
        self.first_unreadable: Unreadable | None = None

    def take(self, feature: Feature | Unreadable | str) -> None:
        """Take in what a line is: a feature, the kind of one that does not matter, or nothing that can be read."""
        if isinstance(feature, Feature):
            self._add(feature)
        elif isinstance(feature, Unreadable):
            self.unused["lines that are not GFF3"] += 1
            self.first_unreadable = self.first_unreadable or feature
        else:
            self.other_features += 1

    def _add(self, feature: Feature) -> None:
        contig = bare_name(feature.contig, self.assembly)
        if feature.kind in _PARTS:
            self._add_part(feature, contig)
            return
        attributes = attributes_of(feature.attributes)
        node_id = attributes.get("ID")
        if node_id is None:
            self.unused[f"features of the kind {feature.kind} without an ID"] += 1
            return
        strand = {"+": 1, "-": -1}.get(feature.strand, 0)
        if node_id in self.nodes[contig]:
            self.unused["genes and transcripts with an ID that came before"] += 1
            return
        parent = attributes.get("Parent", "").split(",")[0] or None
        self.nodes[contig][node_id] = Node(
            node_id, parent, feature.kind, contig, feature.start, feature.end, strand, feature.attributes
        )

    def _add_part(self, feature: Feature, contig: str) -> None:
        parents = parents_of(feature.attributes)
        if not parents:
            self.unused["exons and coding parts without a parent"] += 1
        for parent in parents:
            parts = self.parts[contig].get(parent)
            if parts is None:
                parts = self.parts[contig][parent] = Parts()
            if feature.kind == "exon":
                parts.exons.extend((feature.start, feature.end))
                parts.differs = parts.differs or HAS_INDEL.search(feature.attributes) is not None
            elif feature.kind == "CDS":
                phase = UNKNOWN_PHASE if feature.phase is None else feature.phase
                parts.cds.extend((feature.start, feature.end, phase))
                if parts.protein_id is None:
                    parts.protein_id = _protein_id(feature.attributes)
                parts.open_ends = (
                    parts.open_ends[0] or "start_range=" in feature.attributes,
                    parts.open_ends[1] or "end_range=" in feature.attributes,
                )
            else:
                parts.untranslated.extend((feature.start, feature.end))


def _protein_id(text: str) -> str | None:
    attributes = attributes_of(text)
    name = attributes.get("protein_id")
    return versioned(name, attributes.get("version")) if name else None
