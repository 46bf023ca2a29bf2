"""Transcripts out of the features of a gene model, in the words of Ensembl."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.annotation.refs.gene_features import HAS_INDEL, UNKNOWN_PHASE
from varloom.annotation.refs.gff3 import attributes_of, plain, versioned
from varloom.annotation.refs.transcript_model import Transcript, phases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.annotation.refs.gene_features import GeneFeatures, Node, Parts

_KINDS_OF_REFSEQ = {"mRNA": "protein_coding", "lnc_RNA": "lncRNA", "primary_transcript": "miRNA", "transcript": None}
_RNA_OF_REFSEQ = frozenset({"mRNA", "lnc_RNA", "ncRNA", "primary_transcript"})


def transcripts_of(features: GeneFeatures, contig: str) -> Iterator[Transcript]:
    """Every transcript of a contig that has a gene and parts; those of genes with parts of their own are made up."""
    nodes, parts_of = features.nodes[contig], features.parts[contig]
    for parent, parts in parts_of.items():
        node = nodes.get(parent)
        if node is None:
            number = len(parts.exons) // 2 + len(parts.cds) // 3 + len(parts.untranslated) // 2
            features.unused["exons and coding parts whose parent is not in the file"] += number
            continue
        gene = _gene_of(nodes, node)
        if gene is None:
            features.unused["transcripts whose gene is not in the file"] += 1
        elif node.strand == 0:
            features.unused["transcripts without a strand"] += 1
        else:
            yield _transcript(features, node, gene, parts)
    parents = {node.parent for node in nodes.values()}
    for node_id, node in nodes.items():
        if node_id not in parts_of and node.parent is not None and node_id not in parents:
            features.unused["transcripts without an exon"] += 1


def _gene_of(nodes: dict[str, Node], node: Node) -> Node | None:
    """The feature without a parent above a transcript."""
    for _ in range(8):
        if node.parent is None:
            return node
        above = nodes.get(node.parent)
        if above is None:
            return None
        node = above
    return None


def _transcript(features: GeneFeatures, node: Node, gene: Node, parts: Parts) -> Transcript:
    attributes = attributes_of(node.attributes)
    gene_id, gene_name = _gene_names(gene)
    tags = {tag.replace(" ", "_") for tag in plain(attributes.get("tag", "")).split(",")}
    exons = _exons(parts)
    furthest = max(end for _, end in exons)
    cds = sorted(zip(parts.cds[::3], parts.cds[1::3], parts.cds[2::3], strict=True))
    ordered = cds[:: node.strand]
    first_phase = ordered[0][2] % UNKNOWN_PHASE if ordered else 0
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
        differs=parts.differs or HAS_INDEL.search(node.attributes) is not None,
    )
    given = [phase for _, _, phase in cds]
    features.phases_missing += given.count(UNKNOWN_PHASE)
    derived = phases(transcript)
    broken = any(left not in {UNKNOWN_PHASE, right} for left, right in zip(given, derived, strict=True))
    return transcript._replace(frame_broken=True) if broken else transcript


def _exons(parts: Parts) -> tuple[tuple[int, int], ...]:
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


def _without_prefix(node_id: str) -> str:
    """An id without what Ensembl (`gene:`) and RefSeq (`gene-`) put before it."""
    return re.sub(r"^(?:gene|transcript|rna|id|CDS|cds)[:-]", "", node_id)


def _gene_names(gene: Node) -> tuple[str, str | None]:
    """The id and the symbol of a gene."""
    attributes = attributes_of(gene.attributes)
    entrez = re.search(r"\bGeneID:(\d+)", attributes.get("Dbxref", ""))
    gene_id = attributes.get("gene_id") or (entrez and entrez[1]) or _without_prefix(gene.id)
    name = attributes.get("Name") or attributes.get("gene_name") or attributes.get("gene")
    return plain(gene_id), plain(name) if name else None


def _gene_biotype(gene: Node) -> str | None:
    attributes = attributes_of(gene.attributes)
    return attributes.get("biotype") or attributes.get("gene_biotype") or attributes.get("gene_type")


def _transcript_id(node: Node, attributes: dict[str, str]) -> str:
    name = attributes.get("transcript_id") or _without_prefix(node.id)
    return versioned(name, attributes.get("version"))


def _biotype(node: Node, gene: Node, attributes: dict[str, str], *, coding: bool) -> str:
    """The biotype of a transcript as Ensembl spells it; RefSeq gives it as the kind of the feature."""
    given = attributes.get("biotype") or attributes.get("transcript_biotype") or attributes.get("transcript_type")
    if given:
        return plain(given)
    if node.kind in _RNA_OF_REFSEQ:
        return _KINDS_OF_REFSEQ.get(node.kind) or attributes.get("ncrna_class") or node.kind
    if coding:
        return "protein_coding"
    return _gene_biotype(gene) or node.kind if node.kind in {"transcript", "gene"} or node is gene else node.kind


def gene_row(gene: Node) -> tuple[str, int, int, int, str, str | None, str | None]:
    """The row of `GENES` of a gene."""
    return gene.contig, gene.start, gene.end, gene.strand, *_gene_names(gene), _gene_biotype(gene)
