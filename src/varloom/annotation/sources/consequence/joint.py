"""Variants that change a protein together: on one haplotype, by csq; and neighbours of which that is not known.

csq takes the genotypes of a file as phased across its whole length. So each sample is shown to it once for each of its
phase sets, with only those genotypes whose phase is known to belong together.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.sources.consequence.answers import Answer, answers_of, term_of
from varloom.annotation.sources.consequence.csq_program import CsqInput, Said

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from varloom.annotation.sources.consequence.gene_table import GeneTable
    from varloom.annotation.sources.consequence.sites import Site

Joint = tuple[str | None, ...]
"""The values of `JOINT_FIELDS`."""
Alone = tuple["Site", "Mapping[int, Answer]"]
"""A site with what it does alone, by transcript."""

_CHANGE = re.compile(r"(\d+)([^>+]+)>([^>+]+)")
_CODON = re.compile(r"(\d+)([A-Z*]+)")
_FRAMESHIFT = "frameshift_variant"


class _Carrier(NamedTuple):
    """One phase set of one sample; None is that of a file that names none."""

    sample: int
    phase_set: str | None


def neighbours(alone: Sequence[Alone], variants: pa.RecordBatch) -> dict[int, list[str]]:
    """For each row the other variants in one of its codons, or that shift a frame that it shifts, as `175T>C`.

    Variants that overlap, and those that no sample has both, are no neighbours.
    """
    genotypes = _genotypes(variants)
    together: dict[tuple[int, int], list[Site]] = defaultdict(list)
    for site, answers in alone:
        for number, answer in answers.items():
            for key in _codons(answer):
                together[number, key].append(site)
    found: dict[int, dict[str, None]] = defaultdict(dict)
    for sites in together.values():
        for site in sites if len(sites) > 1 else ():
            for other in sites:
                if _apart(site, other) and _may_share(genotypes, site.row, other.row):
                    found[site.row][f"{other.position}{other.ref}>{other.alt}"] = None
    return {row: list(names) for row, names in found.items()}


def _codons(answer: Answer) -> Iterator[int]:
    """The codons that a variant changes; 0 stands for the frame."""
    if any(term.term == _FRAMESHIFT for term in answer.terms):
        yield 0
    match = _CODON.match(answer.protein or "")
    if match and ">" in (answer.protein or ""):
        first = int(match[1])
        last = first if any(term.term == _FRAMESHIFT for term in answer.terms) else first + len(match[2]) - 1
        yield from range(first, min(last, first + 50) + 1)
    elif match:
        yield int(match[1])


def _apart(left: Site, right: Site) -> bool:
    return left.position + len(left.ref) <= right.position or right.position + len(right.ref) <= left.position


def joint_effects(
    alone: Sequence[Alone], variants: pa.RecordBatch, genes: GeneTable, run: Callable[[CsqInput], Said]
) -> dict[int, list[Joint]]:
    """For each row what it does together with others of its haplotype, where that is more than it does alone.

    Args:
        alone: the sites with their answers, sorted by contig and position.
        variants: the batch, with genotypes if they are known.
        genes: with the transcripts of the answers at hand.
        run: asks csq, with regard to haplotypes.
    """
    genotypes = _genotypes(variants)
    if genotypes is None:
        return {}
    coding = [(site, [number for number, answer in answers.items() if answer.changes]) for site, answers in alone]
    carried = [(site, numbers, _carriers(genotypes[site.row])) for site, numbers in coding if numbers]
    meetings = _meetings(carried)
    chosen = [chosen for chosen in (_shown(*each, meetings) for each in carried) if chosen.columns]
    if not chosen:
        return {}
    columns = sorted({column for shown in chosen for column in shown.columns}, key=str)
    answered = run(_haplotypes(chosen, sorted(meetings), columns, genes))
    said = dict(zip(answered.numbers.tolist(), answered.values.to_pylist(), strict=True))
    return _attached([shown.site for shown in chosen], said, genes)


class _Shown(NamedTuple):
    """A site as csq is shown it: who carries it, and in which columns it stands."""

    site: Site
    carriers: Mapping[_Carrier, str]
    columns: frozenset[_Carrier]


def _shown(
    site: Site, numbers: Iterable[int], carriers: Mapping[_Carrier, str], meetings: Mapping[int, set[_Carrier]]
) -> _Shown:
    """A site in the columns of its own transcripts alone: what is said of it depends on no others."""
    samples = {carrier.sample for carrier in carriers}
    columns = {column for number in numbers for column in meetings.get(number, ()) if column.sample in samples}
    return _Shown(site, carriers, frozenset(columns))


def _meetings(carried: Iterable[tuple[Site, list[int], Mapping[_Carrier, str]]]) -> dict[int, set[_Carrier]]:
    """The transcripts in which variants meet on a haplotype, with the phase sets in which they do."""
    counts: dict[tuple[int, int], Counter[str | None]] = defaultdict(Counter)
    for _, numbers, carriers in carried:
        for number in numbers:
            for carrier in carriers:
                counts[number, carrier.sample][carrier.phase_set] += 1
    meetings: dict[int, set[_Carrier]] = defaultdict(set)
    for (number, sample), sets in counts.items():
        always = sets.pop(None, 0)  # in phase with every set
        meeting: list[str | None] = [name for name, count in sets.items() if count + always > 1]
        if always > 1 and not meeting:
            meeting = [None]
        if meeting:
            meetings[number] |= {_Carrier(sample, name) for name in meeting}
    return meetings


def _haplotypes(
    chosen: Sequence[_Shown],
    transcripts: Sequence[int],
    columns: Sequence[_Carrier],
    genes: GeneTable,
) -> CsqInput:
    """The sites with a column for each phase set of each sample; alleles in phase with all of them stand in each."""
    records = []
    for site, carriers, own in chosen:
        always = {carrier.sample: text for carrier, text in carriers.items() if carrier.phase_set is None}
        texts = [
            carriers.get(column) or always.get(column.sample) or "0|0" if column in own else "0|0" for column in columns
        ]
        record = f"{site.contig}\t{site.position}\t{site.row}\t{site.ref}\t{site.alt}\t.\t.\t.\tGT\t"
        records.append(record + "\t".join(texts) + "\n")
    contigs = {shown.site.contig: 2**31 - 1 for shown in chosen}
    return CsqInput(genes.gff_of(transcripts), records, contigs, [f"s{number}" for number in range(len(columns))])


def _attached(sites: Sequence[Site], said: Mapping[int, str], genes: GeneTable) -> dict[int, list[Joint]]:
    """What csq says of several variants, at each of them; and what it says of those behind a gained stop."""
    rows = {(site.contig, site.position, site.ref, site.alt): site.row for site in sites}
    found: dict[int, dict[Joint, None]] = defaultdict(dict)
    for site in sites:
        for answer in answers_of(said.get(site.row, "@")):
            if answer.changes and "+" in answer.changes:
                members = _members(answer.changes, site.contig, rows)
            elif answer.behind_stop:
                members = [site.row]
            else:
                continue
            for row in members:
                found[row][_entry(answer, genes)] = None
    return {row: list(entries) for row, entries in found.items()}


def _members(changes: str, contig: str, rows: Mapping[tuple[str, int, str, str], int]) -> Iterable[int]:
    for position, ref, alt in _CHANGE.findall(changes):
        row = rows.get((contig, int(position), ref, alt))
        if row is not None:
            yield row


def _entry(answer: Answer, genes: GeneTable) -> Joint:
    model = genes.placed(answer.transcript).model
    terms = answer.terms or (term_of("protein_altering_variant"),)
    return (
        "&".join(term.term for term in terms),
        terms[0].impact,
        model.gene_name or model.gene_id,
        model.transcript_id,
        answer.protein,
        answer.changes,
        "yes" if answer.behind_stop else None,
    )


class _Genotype(NamedTuple):
    """The genotype of one sample at one row: which of its alleles are this ALT, and in what they are in phase."""

    carries: bool
    text: str
    phased: bool
    phase_set: str | None


def _genotypes(variants: pa.RecordBatch) -> list[list[_Genotype]] | None:
    """The genotypes of each row by sample; None where the batch has none."""
    names = variants.schema.names
    if "genotypes" not in names:
        return None
    alleles = variants.column(names.index("allele")).to_pylist()
    genotypes = variants.column(names.index("genotypes")).to_pylist()
    sets = variants.column(names.index("phase_sets")).to_pylist() if "phase_sets" in names else [None] * len(alleles)
    return [
        [_genotype(text, allele, phase_sets[sample] if phase_sets else None) for sample, text in enumerate(texts or ())]
        for allele, texts, phase_sets in zip(alleles, genotypes, sets, strict=True)
    ]


def _genotype(text: str | None, allele: int, phase_set: str | None) -> _Genotype:
    called = re.split(r"[|/]", (text or ".").lstrip("|/"))
    own = ["1" if each == str(allele) else "0" for each in called]
    everywhere = all(each == "1" for each in own)
    phased = everywhere or "/" not in (text or "/")
    return _Genotype("1" in own, "|".join(own), phased and len(own) <= 2, None if everywhere else phase_set)


def _carriers(genotypes: Sequence[_Genotype]) -> dict[_Carrier, str]:
    return {
        _Carrier(sample, genotype.phase_set): genotype.text
        for sample, genotype in enumerate(genotypes)
        if genotype.carries and genotype.phased
    }


def _may_share(genotypes: Sequence[Sequence[_Genotype]] | None, left: int, right: int) -> bool:
    if genotypes is None:
        return True
    return any(one.carries and other.carries for one, other in zip(genotypes[left], genotypes[right], strict=False))
