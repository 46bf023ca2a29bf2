"""Gene models of Ensembl, GENCODE and RefSeq (GFF3) become tables of genes, transcripts and exons, and a GFF3 for csq.

Sources of the formats: the README of Ensembl's GFF3 folder (release 115), GENCODE's "Format description of GENCODE GTF
and GFF3" and NCBI's "Annotating Genomes with GFF3" (2026).
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from varloom.annotation.refs.gene_features import IGNORED, GeneFeatures
from varloom.annotation.refs.gene_model_tables import GeneModelTables
from varloom.annotation.refs.gff3 import read_features
from varloom.annotation.refs.importer import Imported
from varloom.annotation.refs.problems import REFERENCE_MALFORMED
from varloom.annotation.refs.progress import among_all
from varloom.annotation.refs.published_text import PublishedText
from varloom.annotation.refs.transcript_building import gene_row, transcripts_of
from varloom.errors import Place, VarloomError, counted, safe_excerpt
from varloom.genomics.contigs import contig_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from varloom.annotation.refs.importer import ImportTask
    from varloom.annotation.refs.transcript_model import Transcript

_TRANSCRIPTS_BETWEEN_STEPS = 5000


def import_genes(task: ImportTask) -> Imported:
    """Fill a release of the kind `genes`: `transcripts.parquet`, `genes.parquet`, `exons.parquet`, `genes.gff3.gz`.

    Transcripts need a gene and at least one exon or coding part; what is left out is counted by its reason, and genes
    without a transcript are kept as genes. A missing phase is taken from the lengths of the parts before. All features
    of the files are held in memory, packed; transcripts are made contig by contig.

    Raises:
        VarloomError: `reference_malformed`: not a GFF3 file of genes, or cut short.
    """
    features = GeneFeatures(task.key.assembly)
    begun, total = 0, sum(path.stat().st_size for path in task.sources)
    for path in task.sources:
        with PublishedText(path, among_all(task.on_progress, begun, total)) as text:
            for feature in read_features(text, IGNORED):
                features.take(feature)
        begun += path.stat().st_size
    counts: Counter[str] = Counter()
    contigs: Counter[str] = Counter()
    with GeneModelTables(task.folder) as tables:
        for contig in sorted({*features.nodes, *features.parts}, key=contig_order):
            transcripts = sorted(_with_steps(task, transcripts_of(features, contig)), key=_place)
            genes = [gene_row(node) for node in features.nodes[contig].values() if node.parent is None]
            genes.sort(key=_gene_place)
            _count(
                counts, transcripts, len(genes), len({row[4] for row in genes} - {one.gene_id for one in transcripts})
            )
            tables.add(genes, transcripts)
            if transcripts:
                contigs[contig] = len(transcripts)
    if not contigs:
        raise _nothing_found(features)
    counts["other_features"] = features.other_features
    return Imported(dict(counts), dict(contigs), dict(features.unused), tuple(_notes(features, counts)))


def _with_steps(task: ImportTask, transcripts: Iterable[Transcript]) -> Iterator[Transcript]:
    """The same, with a sign of life now and then."""
    total = sum(path.stat().st_size for path in task.sources)
    for number, transcript in enumerate(transcripts):
        if number % _TRANSCRIPTS_BETWEEN_STEPS == 0:
            task.on_progress(total, total)
        yield transcript


def _gene_place(row: tuple[Any, ...]) -> tuple[Any, ...]:
    return row[1:5]


def _place(transcript: Transcript) -> tuple[int, int, str]:
    return transcript.start, transcript.end, transcript.transcript_id


def _count(counts: Counter[str], transcripts: list[Transcript], genes: int, without: int) -> None:
    """Count what a contig has."""
    counts.update(
        genes=genes,
        genes_without_transcripts=without,
        transcripts=len(transcripts),
        coding_transcripts=sum(bool(found.cds) for found in transcripts),
        exons=sum(len(found.exons) for found in transcripts),
        mane_select=sum(found.mane == "select" for found in transcripts),
        incomplete_coding_sequences=sum(found.incomplete_5 or found.incomplete_3 for found in transcripts),
        contradicting_phases=sum(found.frame_broken for found in transcripts),
        indels_against_the_genome=sum(found.differs for found in transcripts),
    )


def _notes(features: GeneFeatures, counts: Counter[str]) -> Iterator[str]:
    """Sentences for people about what deserves their attention."""
    if without := counts["genes_without_transcripts"]:
        yield f"{counted(without, 'gene')} without a transcript in the file: kept as genes, without consequences."
    if broken := counts["contradicting_phases"]:
        yield f"{counted(broken, 'transcript')} whose phases contradict the lengths: no codons can be told there."
    if differs := counts["indels_against_the_genome"]:
        yield f"{counted(differs, 'transcript')} with indels against the genome: no HGVS names are given there."
    if features.phases_missing:
        yield f"{counted(features.phases_missing, 'coding part')} without a phase: taken from the lengths."
    if features.first_unreadable is not None:
        number, line = features.first_unreadable
        yield f"The first line that is not GFF3 is line {number:,}: {safe_excerpt(line)}"


def _nothing_found(features: GeneFeatures) -> VarloomError:
    if features.first_unreadable is not None:
        number, line = features.first_unreadable
        place = Place(line=number, excerpt=safe_excerpt(line))
        return VarloomError(REFERENCE_MALFORMED, "The file has no transcripts in the form of GFF3.", place)
    reasons = "; ".join(f"{reason}: {number:,}" for reason, number in features.unused.items())
    return VarloomError(REFERENCE_MALFORMED, f"The file has no transcripts with exons. {reasons}".rstrip())
