"""What csq writes, taken apart: consequences by transcript."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.genomics.consequences import CONSEQUENCES, Consequence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BY_TERM: Mapping[str, Consequence] = {consequence.term: consequence for consequence in CONSEQUENCES}
_OFFICIAL: Mapping[int, Consequence] = {each.rank: each for each in reversed(CONSEQUENCES)}
_OF_CSQ = {
    "NMD_transcript": "NMD_transcript_variant",
    "inframe_altering": "protein_altering_variant",
    "start_retained": "start_retained_variant",
}
_OF_STRUCTURE = frozenset({"feature_elongation", "feature_truncation"})
"""What csq also says of a small replacement by more or fewer bases, wherever it is; as a term it would be HIGH."""
_LEAST = max(CONSEQUENCES, key=lambda each: each.rank)


class Answer(NamedTuple):
    """What csq says of a variant in one transcript.

    Attributes:
        terms: most severe first; empty where csq knows no more than that bases were replaced by more or fewer.
        transcript: its number.
        protein: the change such as `59Y>59H` in one-letter codes; None where no codon is concerned.
        changes: the variants that make it together, such as `175T>C+176A>G`; None where none are named.
        behind_stop: whether it lies behind a stop that its haplotype has gained.
    """

    terms: tuple[Consequence, ...]
    transcript: int
    protein: str | None
    changes: str | None
    behind_stop: bool


def term_of(name: str) -> Consequence:
    """A term by its name, also by the short ones of csq; of the same rank, the official one."""
    known = _BY_TERM.get(_OF_CSQ.get(name, name))
    if known is None:
        return Consequence(name, _LEAST.rank, _LEAST.impact)
    return _OFFICIAL[known.rank]


def answers_of(value: str) -> list[Answer]:
    """The answers in a value of BCSQ, as they stand there; references to other records are left out."""
    found = []
    for entry in value.split(","):
        if entry.startswith("@"):
            continue
        fields = entry.split("|")
        behind_stop = fields[0].startswith("*")
        names = {name for name in fields[0].lstrip("*").split("&") if name}
        if "stop_retained" in names:
            names.discard("stop_gained")  # csq leaves it out itself, except in its mode for single variants
        terms = sorted({term_of(name) for name in names - _OF_STRUCTURE}, key=_severity)
        protein = (fields[5] or None) if len(fields) > 5 else None
        changes = (fields[6] or None) if len(fields) > 6 else None
        found.append(Answer(tuple(terms), int(fields[1]), protein, changes, behind_stop))
    return found


def by_transcript(answers: Iterable[Answer]) -> dict[int, Answer]:
    """One answer for each transcript: csq tells the splice region apart from what happens to the codon."""
    merged: dict[int, Answer] = {}
    for answer in answers:
        before = merged.get(answer.transcript)
        if before is None:
            merged[answer.transcript] = answer
            continue
        terms = tuple(sorted({*before.terms, *answer.terms}, key=_severity))
        proteins = [text for text in dict.fromkeys((before.protein, answer.protein)) if text]
        changes = before.changes or answer.changes
        behind_stop = before.behind_stop or answer.behind_stop
        merged[answer.transcript] = Answer(terms, answer.transcript, ",".join(proteins) or None, changes, behind_stop)
    return merged


def _severity(consequence: Consequence) -> tuple[int, str]:
    return consequence.rank, consequence.term
