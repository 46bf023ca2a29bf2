"""HGVS names of what becomes of the protein (p.).

A substitution within one codon is told by the genetic code; everything else by hgvs-weaver, which translates the whole
transcript. Both predict from the DNA: names are in parentheses.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.annotation.sources.consequence.placed_transcript import MITOCHONDRION
from varloom.genomics.genetic_code import THREE_LETTERS, reverse_complement

if TYPE_CHECKING:
    from varloom.annotation.sources.consequence.coding_names import Change, CodingName
    from varloom.annotation.sources.consequence.genome import Genome
    from varloom.annotation.sources.consequence.placed_transcript import PlacedTranscript

UNKNOWN = "p.?"
START_LOST = "p.(Met1?)"
_LONGEST = 2000
"""Coding parts of insertions and deletions beyond that are not translated."""
_START = "ATG"
_START_CODONS = (frozenset({_START}), frozenset({"ATA", "ATC", "ATG", "ATT", "GTG"}))
_STOPS = frozenset({"TAA", "TAG", "TGA"})


class ProteinNames:
    """Names changes of proteins; to be made anew for each batch, since it keeps the sequences that it has seen."""

    def __init__(self, genome: Genome) -> None:
        import weaver

        self._genome = genome
        self._provider = _Provider(genome)
        self._weaver = weaver
        self._mapper = weaver.VariantMapper(self._provider)

    def name(self, transcript: PlacedTranscript, change: Change, coding: CodingName) -> str | None:
        """The name without the accession, such as `p.(Arg97Ter)`.

        `p.?` where a splice site or the edge of the coding sequence is hit, so that the protein cannot be told. None
        where no coding base is changed, or where it cannot be predicted.
        """
        first, last = transcript.coding_offset(coding.start), transcript.coding_offset(coding.end)
        if first is None or last is None:
            return UNKNOWN if _touches_coding(transcript, coding) else None
        if abs(last - first) != coding.end - coding.start:
            return UNKNOWN  # an intron lies between
        if len(change.ref) == 1 == len(change.alt):
            named = self._substitution(transcript, change, first)
            if named is not None:
                return named
        if transcript.model.contig == MITOCHONDRION or len(change.ref) + len(change.alt) > _LONGEST:
            return None
        return self._translated(transcript, coding)

    def _substitution(self, transcript: PlacedTranscript, change: Change, offset: int) -> str | None:
        """A substitution within a codon; None where more than the codon has to be known."""
        sequence = transcript.coding_sequence(self._genome)
        begin = offset - offset % 3
        codon = sequence[begin : begin + 3]
        base = change.alt if transcript.model.strand > 0 else reverse_complement(change.alt)
        changed = codon[: offset % 3] + base + codon[offset % 3 + 1 :]
        before, after = transcript.code.get(codon), transcript.code.get(changed)
        if before is None or after is None:
            return None
        if (
            begin == 0
            and not transcript.model.incomplete_5
            and codon in _START_CODONS[transcript.model.contig == MITOCHONDRION]
        ):
            return START_LOST
        if before == "*" and begin + 3 < len(sequence):
            before = "U" if codon == "TGA" else before  # within a coding sequence it is selenocysteine
            after = "U" if changed == "TGA" else after
        elif before == "*" and after != "*":
            return None  # the protein goes on behind its stop
        place = f"{THREE_LETTERS[before]}{begin // 3 + 1}"
        return f"p.({place}=)" if before == after else f"p.({place}{THREE_LETTERS[after]})"

    def _translated(self, transcript: PlacedTranscript, coding: CodingName) -> str | None:
        accession = self._provider.add(transcript)
        try:
            variant = self._weaver.parse(f"{accession}:{coding.text}")
            named: str = self._mapper.c_to_p(variant, _PROTEIN).format()
        except (self._weaver.HGVSError, ValueError):
            return None
        return named.partition(":")[2] or None


def _touches_coding(transcript: PlacedTranscript, coding: CodingName) -> bool:
    """Whether a change that is not wholly coding changes a coding base, or stands at the edge of one."""
    first, last = transcript.model.cds[0][0], transcript.model.cds[-1][1]
    if coding.end < first or coding.start > last:
        return False
    return any(start <= coding.end and coding.start <= end for start, end in transcript.model.cds)


_PROTEIN = "NP_1.1"


class _Provider:
    """What hgvs-weaver asks for: transcripts by accessions that it understands, numbered, as one exon each."""

    def __init__(self, genome: Genome) -> None:
        self._genome = genome
        self._numbers: dict[int, str] = {}
        self._transcripts: dict[str, tuple[dict[str, Any], str]] = {}

    def add(self, transcript: PlacedTranscript) -> str:
        """The accession of a transcript. Those of files may begin with a digit, which is none in HGVS."""
        accession = self._numbers.get(id(transcript))
        if accession is None:
            accession = self._numbers[id(transcript)] = f"NM_{len(self._numbers) + 1}.1"
            sequence = transcript.sequence(self._genome)
            self._transcripts[accession] = (_record(transcript, accession, sequence), sequence)
        return accession

    def get_transcript(self, transcript_ac: str, reference_ac: str | None) -> dict[str, Any]:
        """The record of a transcript."""
        del reference_ac
        return self._transcripts[transcript_ac][0]

    def get_seq(self, ac: str, start: int, end: int | None, kind: object) -> str:
        """Bases of a transcript."""
        del kind
        return self._transcripts[ac][1][start:end]

    def get_symbol_accessions(self, symbol: str, source_kind: str, target_kind: str) -> list[tuple[str, str]]:
        """The protein of a transcript."""
        del symbol, source_kind, target_kind
        return [("protein_accession", _PROTEIN)]

    def get_identifier_type(self, identifier: str) -> str:
        """What an accession names."""
        return "protein_accession" if identifier == _PROTEIN else "transcript_accession"


def _record(transcript: PlacedTranscript, accession: str, sequence: str) -> dict[str, Any]:
    model = transcript.model
    coded = sequence[transcript.first_coding : transcript.last_coding + 1]
    ends_open = model.incomplete_3 or len(coded) % 3 != 0 or coded[-3:] not in _STOPS
    exon = {
        "transcript_start": 0,
        "transcript_end": len(sequence),
        "reference_start": 0,
        "reference_end": len(sequence) - 1,
        "alt_strand": 1,
        "cigar": f"{len(sequence)}=",
    }
    return {
        "ac": accession,
        "gene": model.gene_name or "",
        "cds_start_index": transcript.first_coding,
        "cds_end_index": transcript.last_coding,
        "strand": 1,
        "reference_accession": "NC_1.1",
        "exons": [exon],
        "cds_end_open": ends_open,
        "cds_start_initiates": not model.incomplete_5 and coded.startswith(_START),
    }
