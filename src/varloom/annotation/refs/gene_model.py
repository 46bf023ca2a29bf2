"""Gene models of Ensembl, GENCODE and RefSeq (GFF3) become tables of genes, transcripts and exons, and a GFF3 for csq.

Sources of the formats: the README of Ensembl's GFF3 folder (release 115), GENCODE's "Format description of GENCODE GTF
and GFF3" and NCBI's "Annotating Genomes with GFF3" (2026).
"""

from __future__ import annotations

import re
from array import array
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.refs.gene_model_tables import write_tables
from varloom.annotation.refs.gff3 import Feature, Unreadable, attributes_of, parents_of, plain, read_features
from varloom.annotation.refs.importer import Imported
from varloom.annotation.refs.problems import REFERENCE_MALFORMED
from varloom.annotation.refs.progress import among_all
from varloom.annotation.refs.published_text import PublishedText
from varloom.annotation.refs.transcript_model import Transcript, phases
from varloom.errors import Place, VarloomError, counted, safe_excerpt
from varloom.genomics.contigs import bare_name, contig_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.annotation.refs.importer import ImportTask
    from varloom.genomics.assemblies import Assembly

_OTHER_KINDS = (
    "biological_region chromosome region match cDNA_match supercontig scaffold contig start_codon stop_codon intron "
    "stop_codon_redefined_as_selenocysteine enhancer silencer promoter sequence_feature"
)
_IGNORED = frozenset(_OTHER_KINDS.split())
_PARTS = frozenset({"exon", "CDS", "five_prime_UTR", "three_prime_UTR", "UTR"})
_UNKNOWN_PHASE = 3
_KINDS_OF_REFSEQ = {"mRNA": "protein_coding", "lnc_RNA": "lncRNA", "primary_transcript": "miRNA", "transcript": None}
_RNA_OF_REFSEQ = frozenset({"mRNA", "lnc_RNA", "ncRNA", "primary_transcript"})
_INDEL = re.compile(r"Note=[^;]*\bindel")


class _Node(NamedTuple):
    """A gene or a transcript, as its line says it."""

    id: str
    parent: str | None
    kind: str
    contig: str
    start: int
    end: int
    strand: int
    attributes: str


class _Parts:
    """The exons and coding parts of one transcript while the file is read; integers side by side, to stay small."""

    __slots__ = ("cds", "differs", "exons", "open_ends", "protein_id", "untranslated")

    def __init__(self) -> None:
        self.exons = array("i")
        self.cds = array("i")
        self.untranslated = array("i")
        self.protein_id: str | None = None
        self.open_ends = (False, False)
        self.differs = False


class _Model:
    """Everything of the file that matters, by id."""

    def __init__(self, assembly: Assembly) -> None:
        self.assembly = assembly
        self.nodes: dict[tuple[str, str], _Node] = {}
        self.parts: dict[tuple[str, str], _Parts] = {}
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
        key = (contig, node_id)
        if key in self.nodes:
            self.unused["genes and transcripts with an ID that came before"] += 1
            return
        parent = attributes.get("Parent", "").split(",")[0] or None
        self.nodes[key] = _Node(
            node_id, parent, feature.kind, contig, feature.start, feature.end, strand, feature.attributes
        )

    def _add_part(self, feature: Feature, contig: str) -> None:
        parents = parents_of(feature.attributes)
        if not parents:
            self.unused["exons and coding parts without a parent"] += 1
        for parent in parents:
            parts = self.parts.get((contig, parent))
            if parts is None:
                parts = self.parts[contig, parent] = _Parts()
            if feature.kind == "exon":
                parts.exons.extend((feature.start, feature.end))
                parts.differs = parts.differs or _INDEL.search(feature.attributes) is not None
            elif feature.kind == "CDS":
                phase = _UNKNOWN_PHASE if feature.phase is None else feature.phase
                parts.cds.extend((feature.start, feature.end, phase))
                if parts.protein_id is None:
                    parts.protein_id = _protein_id(feature.attributes)
                parts.open_ends = (
                    parts.open_ends[0] or "start_range=" in feature.attributes,
                    parts.open_ends[1] or "end_range=" in feature.attributes,
                )
            else:
                parts.untranslated.extend((feature.start, feature.end))


def import_genes(task: ImportTask) -> Imported:
    """Fill a release of the kind `genes`: `transcripts.parquet`, `genes.parquet`, `exons.parquet`, `genes.gff3.gz`.

    Transcripts need a gene and at least one exon or coding part; what is left out is counted by its reason, and genes
    without a transcript are kept as genes. A missing phase is taken from the lengths of the parts before.

    Raises:
        VarloomError: `reference_malformed`: not a GFF3 file of genes, or cut short.
    """
    model = _Model(task.key.assembly)
    begun, total = 0, sum(path.stat().st_size for path in task.sources)
    for path in task.sources:
        with PublishedText(path, among_all(task.on_progress, begun, total)) as text:
            for feature in read_features(text, _IGNORED):
                model.take(feature)
        begun += path.stat().st_size
    transcripts = sorted(_transcripts(model), key=lambda found: (contig_order(found.contig), found.start, found.end))
    genes = sorted((node for node in model.nodes.values() if _is_gene(node)), key=_gene_order)
    if not transcripts:
        raise _nothing_found(model)
    with_transcripts = {(found.contig, found.gene_id) for found in transcripts}
    gene_rows = [
        (node.contig, node.start, node.end, node.strand, *_gene_names(node), _gene_biotype(node)) for node in genes
    ]
    without = sum((row[0], row[4]) not in with_transcripts for row in gene_rows)
    write_tables(task, transcripts, gene_rows)
    return _imported(model, transcripts, genes=len(gene_rows), without=without)


def _imported(model: _Model, transcripts: list[Transcript], *, genes: int, without: int) -> Imported:
    counts = {
        "genes": genes,
        "genes_without_transcripts": without,
        "transcripts": len(transcripts),
        "coding_transcripts": sum(bool(found.cds) for found in transcripts),
        "exons": sum(len(found.exons) for found in transcripts),
        "mane_select": sum(found.mane == "select" for found in transcripts),
        "incomplete_coding_sequences": sum(found.incomplete_5 or found.incomplete_3 for found in transcripts),
        "other_features": model.other_features,
    }
    return Imported(
        counts,
        Counter(found.contig for found in transcripts),
        dict(model.unused),
        tuple(_notes(model, transcripts, without)),
    )


def _notes(model: _Model, transcripts: list[Transcript], without: int) -> Iterator[str]:
    """Sentences for people about what deserves their attention."""
    if without:
        yield f"{counted(without, 'gene')} without a transcript in the file: kept as genes, without consequences."
    if broken := sum(found.frame_broken for found in transcripts):
        yield f"{counted(broken, 'transcript')} whose phases contradict the lengths: no codons can be told there."
    if differs := sum(found.differs for found in transcripts):
        yield f"{counted(differs, 'transcript')} with indels against the genome: no HGVS names are given there."
    if model.phases_missing:
        yield f"{counted(model.phases_missing, 'coding part')} without a phase: taken from the lengths."
    if model.first_unreadable is not None:
        number, line = model.first_unreadable
        yield f"The first line that is not GFF3 is line {number:,}: {safe_excerpt(line)}"


def _nothing_found(model: _Model) -> VarloomError:
    if model.first_unreadable is not None:
        number, line = model.first_unreadable
        place = Place(line=number, excerpt=safe_excerpt(line))
        return VarloomError(REFERENCE_MALFORMED, "The file has no transcripts in the form of GFF3.", place)
    reasons = "; ".join(f"{reason}: {number:,}" for reason, number in model.unused.items())
    return VarloomError(REFERENCE_MALFORMED, f"The file has no transcripts with exons. {reasons}".rstrip())


def _transcripts(model: _Model) -> Iterator[Transcript]:
    """Every transcript that has a gene and parts; those of genes with parts of their own are made up."""
    for (contig, parent), parts in model.parts.items():
        node = model.nodes.get((contig, parent))
        if node is None:
            number = len(parts.exons) // 2 + len(parts.cds) // 3 + len(parts.untranslated) // 2
            model.unused["exons and coding parts whose parent is not in the file"] += number
            continue
        gene = _gene_of(model, node)
        if gene is None:
            model.unused["transcripts whose gene is not in the file"] += 1
        elif node.strand == 0:
            model.unused["transcripts without a strand"] += 1
        else:
            yield _transcript(model, node, gene, parts)
    parents = {(node.contig, node.parent) for node in model.nodes.values() if node.parent}
    for key, node in model.nodes.items():
        if key not in model.parts and not _is_gene(node) and key not in parents:
            model.unused["transcripts without an exon"] += 1


def _is_gene(node: _Node) -> bool:
    return node.parent is None


def _gene_of(model: _Model, node: _Node) -> _Node | None:
    """The feature without a parent above a transcript."""
    for _ in range(8):
        if node.parent is None:
            return node
        above = model.nodes.get((node.contig, node.parent))
        if above is None:
            return None
        node = above
    return None


def _transcript(model: _Model, node: _Node, gene: _Node, parts: _Parts) -> Transcript:
    attributes = attributes_of(node.attributes)
    gene_id, gene_name = _gene_names(gene)
    tags = {tag.replace(" ", "_") for tag in plain(attributes.get("tag", "")).split(",")}
    exons = _exons(parts)
    furthest = max(end for _, end in exons)
    cds = sorted(zip(parts.cds[::3], parts.cds[1::3], parts.cds[2::3], strict=True))
    ordered = cds[:: node.strand]
    first_phase = ordered[0][2] % _UNKNOWN_PHASE if ordered else 0
    starts_open, ends_open = parts.open_ends[:: node.strand]
    length = sum(end - start + 1 for start, end, _ in cds) - first_phase
    transcript = Transcript(
        contig=node.contig,
        start=min(node.start, exons[0][0]) if node is not gene else exons[0][0],
        end=max(node.end, furthest) if node is not gene else furthest,
        strand=node.strand,
        transcript_id=_transcript_id(node, attributes),
        protein_id=parts.protein_id,
        gene_id=gene_id,
        gene_name=gene_name,
        biotype=_biotype(node, gene, attributes, coding=bool(cds)),
        canonical=bool(tags & {"Ensembl_canonical", "RefSeq_Select", "MANE_Select"}),
        mane="select" if "MANE_Select" in tags else "plus_clinical" if "MANE_Plus_Clinical" in tags else None,
        exons=exons,
        cds=tuple((start, end) for start, end, _ in cds),
        cds_phase=first_phase,
        incomplete_5=bool(cds) and (first_phase > 0 or starts_open or "cds_start_NF" in tags),
        incomplete_3=bool(cds) and (length % 3 > 0 or ends_open or "cds_end_NF" in tags),
        frame_broken=False,
        differs=parts.differs or _INDEL.search(node.attributes) is not None,
    )
    given = [phase for _, _, phase in cds]
    model.phases_missing += given.count(_UNKNOWN_PHASE)
    derived = phases(transcript)
    broken = any(left not in {_UNKNOWN_PHASE, right} for left, right in zip(given, derived, strict=True))
    return transcript._replace(frame_broken=True) if broken else transcript


def _exons(parts: _Parts) -> tuple[tuple[int, int], ...]:
    """The exons in the order of the genome; where the file has none, the coding and untranslated parts, joined."""
    if parts.exons:
        return tuple(sorted(zip(parts.exons[::2], parts.exons[1::2], strict=True)))
    pieces = sorted(
        [
            *zip(parts.cds[::3], parts.cds[1::3], strict=True),
            *zip(parts.untranslated[::2], parts.untranslated[1::2], strict=True),
        ]
    )
    joined = [pieces[0]]
    for start, end in pieces[1:]:
        if start == joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def _gene_order(node: _Node) -> tuple[tuple[int, str], int, int]:
    return contig_order(node.contig), node.start, node.end


def _without_prefix(node_id: str) -> str:
    """An id without what Ensembl (`gene:`) and RefSeq (`gene-`) put before it."""
    return re.sub(r"^(?:gene|transcript|rna|id|CDS|cds)[:-]", "", node_id)


def _versioned(name: str, version: str | None) -> str:
    return f"{name}.{version}" if version and "." not in name else name


def _gene_names(gene: _Node) -> tuple[str, str | None]:
    """The id and the symbol of a gene."""
    attributes = attributes_of(gene.attributes)
    entrez = re.search(r"\bGeneID:(\d+)", attributes.get("Dbxref", ""))
    gene_id = attributes.get("gene_id") or (entrez and entrez[1]) or _without_prefix(gene.id)
    name = attributes.get("Name") or attributes.get("gene_name") or attributes.get("gene")
    return plain(gene_id), plain(name) if name else None


def _gene_biotype(gene: _Node) -> str | None:
    attributes = attributes_of(gene.attributes)
    return attributes.get("biotype") or attributes.get("gene_biotype") or attributes.get("gene_type")


def _transcript_id(node: _Node, attributes: dict[str, str]) -> str:
    name = attributes.get("transcript_id") or _without_prefix(node.id)
    return plain(_versioned(name, attributes.get("version")))


def _protein_id(text: str) -> str | None:
    attributes = attributes_of(text)
    name = attributes.get("protein_id")
    return plain(_versioned(name, attributes.get("version"))) if name else None


def _biotype(node: _Node, gene: _Node, attributes: dict[str, str], *, coding: bool) -> str:
    """The biotype of a transcript as Ensembl spells it; RefSeq gives it as the kind of the feature."""
    given = attributes.get("biotype") or attributes.get("transcript_biotype") or attributes.get("transcript_type")
    if given:
        return plain(given)
    if node.kind in _RNA_OF_REFSEQ:
        return _KINDS_OF_REFSEQ.get(node.kind) or attributes.get("ncrna_class") or node.kind
    if coding:
        return "protein_coding"
    return _gene_biotype(gene) or node.kind if node.kind in {"transcript", "gene"} or node is gene else node.kind
