"""From a file to `pgx.json`."""

from __future__ import annotations

import contextlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import varloom
from varloom.annotation.refs.genome import Genome
from varloom.annotation.refs.pgx_content import load_content
from varloom.dataset.durable import disk_full_told, sync_directory, sync_file
from varloom.errors import Place, Problem, Severity, VarloomError, counted, safe_excerpt
from varloom.genomics.contigs import bare_name
from varloom.processing.pgx.gene_call import call_gene
from varloom.processing.pgx.genotypes import ABSENT, Call, Genotype, State, genotype_at, parse_genotype
from varloom.processing.pgx.locus_alleles import may_be, view_at
from varloom.processing.pgx.matching import AlleleTable
from varloom.processing.pgx.model import PGX_FILE, PgxMade
from varloom.processing.pgx.outside import read_outside_calls
from varloom.processing.pgx.phenotypes import Phenotypes
from varloom.processing.pgx.problems import (
    PGX_DEFINITIONS_MISSING,
    PGX_NOTICE,
    PGX_REFERENCE_MISMATCH,
    PGX_SAMPLE_UNKNOWN,
)
from varloom.processing.pgx.reading import NEAR, LocusIndex, assembly_of, read_lines
from varloom.processing.pgx.recommending import Recommendations
from varloom.processing.pgx.reporting import (
    definition_as_json,
    gene_report,
    outside_report,
    structural_report,
    summary_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from varloom.annotation.refs.pgx_content import Locus, PgxContent
    from varloom.processing.pgx.locus_alleles import Change, Record, View
    from varloom.processing.pgx.model import PgxWanted, Report
    from varloom.processing.pgx.outside import OutsideCall
    from varloom.processing.pgx.reading import Line, Lines
    from varloom.processing.pgx.reporting import GeneReport
    from varloom.processing.pgx.told import Told

FORMAT = "varloom-pgx"
FORMAT_VERSION = 1
"""Of `pgx.json`; raised when an entry changes its meaning or goes."""
DISCLAIMER = (
    "Varloom is not a medical device. These calls are for research; confirm them in an accredited laboratory before "
    "anybody is treated by them."
)
_LEAST_MISMATCHES = 3
_MANY_RECORDS, _LEAST_DOCUMENTED, _LEAST_FITTING = 10_000, 3, 10
"""What shows that a file is of GRCh38: a documented variant, or the reference bases of 10 positions. Of the millions of
variants of a genome on another assembly one or two fall on such a position by chance: there it takes three."""
_MANY_IN_BLOCKS = 300
"""Positions in blocks alone, of which somebody on GRCh38 has some other allele."""
_DOUBTFUL_BLOCKS = "A block covers it, and no record of the file fits GRCh38 where alleles are defined."
_COMPLEMENT = str.maketrans("ACGT", "TGCA")


def call_pgx(wanted: PgxWanted, report: Report) -> PgxMade:
    """Call the genes of the definitions for every sample of a file, and write `pgx.json`.

    Raises:
        VarloomError: `FileRefused` with the line of a malformed file; `assembly_needed`, `pgx_wrong_assembly`,
            `pgx_needs_genotypes`, `pgx_reference_mismatch`, `pgx_sample_unknown`, `outside_calls_malformed`,
            `pgx_definitions_missing`; those of the disk. Whatever `report` raises.
    """
    known = _known(tuple(one.folder for one in wanted.releases if one.key.kind == "pgx"))
    tables = known.tables
    assembly = assembly_of(wanted.path, wanted.name, wanted.assembly, aligned_here=wanted.aligned_here)
    genome = next((one.folder for one in wanted.releases if one.key.kind == "fasta"), None)
    loci = [locus for table in tables for locus in (*table.definition.loci, *table.definition.extra)]
    with contextlib.ExitStack() as held:
        reference = held.enter_context(Genome(genome)) if genome is not None else None
        lines = read_lines(wanted.path, wanted.name, loci, reference, report)
        aligned = frozenset(map(bare_name, reference.lengths)) if reference is not None else frozenset()
    chosen = _chosen_samples(lines.samples, wanted.samples)
    outside = read_outside_calls(wanted.outside, lines.samples) if wanted.outside is not None else []
    seen = _Seen(lines, tables, aligned)
    seen.check_reference(strict=wanted.lists_reference_sites)
    assume = wanted.lists_reference_sites and seen.is_anchored
    caller = _Caller(known, seen, assume=assume)
    samples = []
    for done, number in enumerate(chosen):
        report(done, len(chosen), "samples")
        samples.append(caller.sample(number, lines.samples[number], outside))
    result = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "varloom": varloom.__version__,
        "file": wanted.name,
        "file_sha256": lines.sha256,
        "assembly": assembly,
        "file_lists": seen.kind,
        "reference_sites_listed": wanted.lists_reference_sites,
        "releases": [{**one.key._asdict()} for one in wanted.releases],
        "definitions": {"source": known.definitions.source, "version": known.definitions.version},
        "recommendations_source": known.recommendations.source,
        "strength_source": known.recommendations.strength_source,
        "disclaimer": DISCLAIMER,
        "genes": {table.definition.gene: definition_as_json(table.definition) for table in tables},
        "samples": samples,
    }
    path = _written(wanted.output, result)
    report(len(chosen), len(chosen), "samples")
    total = {key: sum(sample["summary"][key] for sample in samples) for key in samples[0]["summary"]} if samples else {}
    return PgxMade(
        path,
        assembly,
        tuple(one.key for one in wanted.releases),
        tuple(one.as_dict() for one in seen.warnings(total, assume=wanted.lists_reference_sites)),
        {"samples": len(samples), "genes": len(tables), **total},
    )


class _Known(NamedTuple):
    """What the releases tell, ready for use."""

    definitions: PgxContent
    tables: tuple[AlleleTable, ...]
    phenotypes: Phenotypes
    recommendations: Recommendations


@lru_cache(maxsize=2)
def _known(folders: tuple[Path, ...]) -> _Known:
    """It stays for the next file: the folder of a release never changes, and its name is never used again.

    Raises:
        VarloomError: `pgx_definitions_missing`, `reference_damaged`.
    """
    contents = [load_content(folder) for folder in folders]
    definitions = next((one for one in contents if one.genes), None)
    if definitions is None:
        raise VarloomError(PGX_DEFINITIONS_MISSING, "No installed release defines the alleles of any gene.")
    tables = [AlleleTable(gene) for name, gene in definitions.genes.items() if name not in definitions.structural]
    return _Known(definitions, tuple(tables), Phenotypes(contents), Recommendations(contents))


def _chosen_samples(samples: Sequence[str], wanted: Sequence[str] | None) -> list[int]:
    if wanted is None:
        return list(range(len(samples)))
    places = {name: number for number, name in enumerate(samples)}
    for name in wanted:
        if name not in places:
            raise VarloomError(PGX_SAMPLE_UNKNOWN, f"The file has no sample {safe_excerpt(name, 60)!r}.")
    return [places[name] for name in dict.fromkeys(wanted)]


def _written(output: Path, result: Mapping[str, Any]) -> Path:
    path = output / PGX_FILE
    with disk_full_told("the PGx calls"):
        path.write_text(json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
        sync_file(path)
        sync_directory(output)
    return path


# --- what the file tells of each locus --------------------------------------------------------------------------------


class _Touching(NamedTuple):
    """A record that has to do with a locus, and how it looks from there."""

    line: Line
    view: View


class _Seen:
    """The records of a file, by gene and locus.

    Attributes:
        kind: `variants`, `reference sites` or `blocks`: whether the file lists where samples have the reference.
        aligned: the contigs whose genome is there, by which indels were moved to the left.
    """

    def __init__(self, lines: Lines, tables: Sequence[AlleleTable], aligned: frozenset[str]) -> None:
        self._lines = lines.lines
        self._suspects: dict[Locus, list[tuple[Line, int]]] = {}
        self._bad: dict[Locus, Record] = {}
        self._fitting = self._documented = 0
        self._is_large = lines.records > _MANY_RECORDS
        places = [locus for table in tables for locus in (*table.definition.loci, *table.definition.extra)]
        self._touching: dict[Locus, list[_Touching]] = {locus: [] for locus in places}
        self._place_records(list(self._touching), aligned)
        self._suspected: dict[Locus, None] = {}
        self.kind = self._kind()
        in_blocks = sum(any(one.view.covers for one in found) for found in self._touching.values())
        self._has_doubtful_blocks = self.kind == "blocks" and not self.is_anchored and in_blocks >= _MANY_IN_BLOCKS

    @property
    def is_anchored(self) -> bool:
        """Whether enough of the file fits: else nothing shows that it is of this assembly at all."""
        needed = _LEAST_DOCUMENTED if self._is_large else 1
        return self._documented >= needed or self._fitting >= _LEAST_FITTING

    def at(self, locus: Locus, sample: int, *, assume: bool) -> Genotype:
        """The genotype of a sample."""
        calls = []
        for line, view in self._touching[locus]:
            cell = line.cells[sample]
            calls.append(Call(line.record, view, cell.genotype, cell.phase_set, cell.evidence))
        found = genotype_at(calls, locus.contig) if calls else ABSENT
        if locus.ref in found.alleles or not found.alleles:
            for line, number in self._suspects.get(locus, ()):
                numbers = parse_genotype(line.cells[sample].genotype or "")
                if numbers is not None and number in numbers.alleles:
                    self._suspected[locus] = None
                    why = (
                        f"The indel of line {line.record.line} may be this one, written elsewhere in a repeat; "
                        "the reference genome, which would tell, is not installed."
                    )
                    return Genotype(State.NO_CALL, why=why)
        if self._has_doubtful_blocks and found.state is State.BLOCK:
            return Genotype(State.NO_CALL, why=_DOUBTFUL_BLOCKS)
        if assume and found.state is State.ABSENT:
            return Genotype(State.ASSUMED, (locus.ref, locus.ref))
        return found

    def check_reference(self, *, strict: bool) -> None:
        """See that REF is the reference at the loci.

        Raises:
            VarloomError: `pgx_reference_mismatch`, where it is not at many of them, or, where what is absent counts as
                the reference, at as many as it is.
        """
        bad, checked = len(self._bad), len(self._bad) + self._fitting
        if not bad or not ((bad >= _LEAST_MISMATCHES and 5 * bad >= checked) or (strict and 2 * bad >= checked)):
            return
        locus, record = next(iter(self._bad.items()))
        flipped = all(
            one.ref[:1].translate(_COMPLEMENT) == place.ref[:1]
            for place, one in self._bad.items()
            if one.position == place.position
        )
        hint = " They are its complement: the file seems to be written for the other strand." if flipped else ""
        message = (
            f"REF differs from GRCh38 at {bad} of {counted(checked, 'position')} that define alleles; the first is "
            f"line {record.line}: {safe_excerpt(record.ref, 20)} at {locus.named}, where GRCh38 has {locus.ref}.{hint}"
        )
        raise VarloomError(PGX_REFERENCE_MISMATCH, message, Place(line=record.line))

    def warnings(self, total: Mapping[str, int], *, assume: bool) -> list[Problem]:
        """What is to be told of the file."""
        found = []
        if self._bad:
            named = ", ".join(locus.named for locus in list(self._bad)[:3])
            found.append(f"REF is not the base of GRCh38 at {named}; these positions count as not known.")
        if self._suspected:
            named = ", ".join(locus.named for locus in list(self._suspected)[:3])
            found.append(f"An indel near {named} may be the documented one; install the reference genome to tell.")
        if (assume and not self.is_anchored) or self._has_doubtful_blocks:
            found.append(
                "Too few records of the file fit the positions that define alleles, and hardly a person on GRCh38 is "
                "without a variant there: what is absent was not taken for the reference, nor what blocks cover. See "
                "that the file is of GRCh38."
            )
        if self.kind == "variants" and not assume and total.get("withheld", 0) + total.get("no_data", 0):
            withheld = f"{counted(total.get('withheld', 0), 'phenotype')} withheld"
            no_data = f"{counted(total.get('no_data', 0), 'gene')} without data"
            found.append(
                "The file lists variants only, and a position without a record is not taken for the reference: "
                f"{withheld}, {no_data}. Say that positions without a record are the reference if you know that all "
                "were genotyped."
            )
        return [Problem(PGX_NOTICE, message, Severity.WARNING) for message in found]

    # --- within ---------------------------------------------------------------------------------------------------

    def _place_records(self, loci: list[Locus], aligned: frozenset[str]) -> None:
        index = LocusIndex(loci)
        indels = LocusIndex(moving := [locus for locus in loci if len({len(locus.ref), *map(len, locus.alts)}) > 1])
        for line in self._lines:
            record = line.record
            for number in index.around(record.contig, record.start, record.end):
                locus = loci[number]
                view = view_at(record, locus)
                self._touching[locus].append(_Touching(line, view))
                if not view.fits:
                    self._bad.setdefault(locus, record)
                elif view.covers and view.tells and view.is_compared:
                    self._fitting += 1
                    self._documented += bool(view.listed)
            if record.contig not in aligned:
                self._place_suspect(line, moving, indels)

    def _place_suspect(self, line: Line, moving: list[Locus], indels: LocusIndex) -> None:
        record = line.record
        changes: list[tuple[int, Change]] = [
            (number, change)
            for number, change in record.changes.items()
            if change is not None and (change.end - change.start) != len(change.bases)
        ]
        if not changes:
            return
        for number in indels.around(record.contig, record.start - NEAR, record.end + NEAR):
            for allele, change in changes:
                if may_be(moving[number], [change]):
                    self._suspects.setdefault(moving[number], []).append((line, allele))

    def _kind(self) -> str:
        if any(line.record.is_block and line.record.end > line.record.position for line in self._lines):
            return "blocks"
        for touching in self._touching.values():
            for line, view in touching:
                if view.covers and view.tells and all(_is_reference(cell.genotype) for cell in line.cells):
                    return "reference sites"
        return "variants"


def _is_reference(genotype: str | None) -> bool:
    numbers = parse_genotype(genotype) if genotype is not None else None
    return numbers is not None and all(allele == 0 for allele in numbers.alleles)


# --- samples ----------------------------------------------------------------------------------------------------------


class _Caller:
    """Calls samples one by one; equal genotypes of a gene are called once."""

    def __init__(self, known: _Known, seen: _Seen, *, assume: bool) -> None:
        self._tables = known.tables
        self._structural = known.definitions.structural
        self._phenotypes = known.phenotypes
        self._recommendations = known.recommendations
        self._seen = seen
        self._assume = assume
        self._made: dict[tuple[str, tuple[Genotype, ...]], GeneReport] = {}

    def sample(self, number: int, name: str, outside: Sequence[OutsideCall]) -> dict[str, Any]:
        """The entry of one sample."""
        reports = {table.definition.gene: self._gene(table, number) for table in self._tables}
        for gene in self._structural:
            reports[gene] = structural_report(gene)
        for call in outside:
            if call.sample in {None, name}:
                was_called = call.gene in reports and call.gene not in self._structural
                known = self._phenotypes.knows(call.gene) or self._recommendations.knows(call.gene)
                reports[call.gene] = outside_report(call, self._phenotypes, replaced=was_called, known=known)
        told: dict[str, Told] = {gene: one.told for gene, one in reports.items()}
        entries = [reports[gene].entry for gene in sorted(reports)]
        return {
            "sample": name,
            "summary": summary_of(entries),
            "genes": entries,
            "drugs": self._recommendations.for_sample(told),
            "further_positions": self._further(number),
        }

    def _gene(self, table: AlleleTable, number: int) -> GeneReport:
        genotypes = tuple(self._seen.at(locus, number, assume=self._assume) for locus in table.definition.loci)
        key = (table.definition.gene, genotypes)
        if key not in self._made:
            call = call_gene(table, genotypes)
            self._made[key] = gene_report(table.definition, call, genotypes, self._phenotypes)
        return self._made[key]

    def _further(self, number: int) -> list[dict[str, Any]]:
        """Positions that a guideline asks for and that define no allele."""
        return [
            {
                "gene": table.definition.gene,
                "position": locus.named,
                "genotype": self._seen.at(locus, number, assume=self._assume).text or None,
            }
            for table in self._tables
            for locus in table.definition.extra
        ]
