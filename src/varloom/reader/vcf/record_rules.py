"""Rules of the VCF specification whose breach loses nothing: order, bases, filters, contigs. Each gives a warning."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from varloom.errors import Place, safe_excerpt
from varloom.reader.problems import (
    VCF_CONTIG_UNDECLARED,
    VCF_FILTER_UNDECLARED,
    VCF_RECORD_ORDER,
    VCF_RULE_BROKEN,
)

if TYPE_CHECKING:
    from varloom.reader.diagnosis import Diagnosis
    from varloom.reader.vcf.header import Header
    from varloom.reader.vcf.record import FixedFields

_BASES = re.compile(r"[ACGTNacgtn]+")
_ALT = re.compile(
    r"""(?:[ACGTNacgtn]+|\*|\.|<[^<>\s]+>
        |\.[ACGTNacgtn]+|[ACGTNacgtn]+\.
        |[ACGTNacgtn]*[\[\]][^\s\[\]]+[\[\]][ACGTNacgtn]*)""",
    re.VERBOSE,
)
_SPACE = re.compile(r"\s")
_REMEMBERED = 100_000


class RecordRules:
    """Looks at each written record; remembers only what the next record needs, and texts found good."""

    def __init__(self, header: Header, diagnosis: Diagnosis) -> None:
        self._diagnosis = diagnosis
        self._declared_contigs = header.contigs
        self._declared_filters = header.filters
        self._contigs: dict[str, None] = {}
        self._contig = ""
        self._last_position: float = math.inf
        self._position = -1
        self._alleles: set[tuple[str, str]] = set()
        self._good_filters = {".", "PASS"}
        self._good_alts: set[str] = set("ACGT.")
        self._good_refs: set[str] = set("ACGT")

    @property
    def contigs(self) -> tuple[str, ...]:
        """The contigs met so far, in order."""
        return tuple(self._contigs)

    def check(self, line: int, fixed: FixedFields) -> None:
        """Note what breaks a rule in this record."""
        if fixed.contig != self._contig:
            self._new_contig(line, fixed.contig)
        self._order(line, fixed.position, fixed.ref, fixed.alt)
        if fixed.position > self._last_position:
            self._beyond(line, fixed.position)
        if fixed.ref not in self._good_refs:
            self._check_ref(line, fixed.ref)
        if fixed.alt not in self._good_alts:
            self._check_alt(line, fixed.alt)
        if fixed.filters not in self._good_filters:
            self._check_filters(line, fixed.filters)
        if fixed.identifier != ".":
            self._check_identifier(line, fixed.identifier)
        if fixed.quality is not None and fixed.quality < 0:
            self._rule(line, 6, "QUAL", f"QUAL {fixed.quality} is negative.")

    def _new_contig(self, line: int, contig: str) -> None:
        place = Place(line=line, column=1, field="CHROM", excerpt=safe_excerpt(contig))
        shown = safe_excerpt(contig, 60)
        if contig in self._contigs:
            message = f"Contig {shown} comes back after records of another contig."
            self._diagnosis.warn(VCF_RECORD_ORDER, "contig", message, place)
        elif self._declared_contigs and contig not in self._declared_contigs:
            message = f"Contig {shown} is not declared in the header, which declares others."
            self._diagnosis.warn(VCF_CONTIG_UNDECLARED, contig, message, place)
        if _SPACE.search(contig) or (contig[0] in "<*=" and contig[-1] != ">"):
            self._rule(line, 1, "CHROM", f"Contig {shown!r} has characters that a name must not have.")
        self._contigs[contig] = None
        self._contig = contig
        length = self._declared_contigs.get(contig)
        self._last_position = math.inf if length is None else length + 1  # the place of the end's telomere
        self._position = -1
        self._alleles.clear()

    def _order(self, line: int, position: int, ref: str, alt: str) -> None:
        place = Place(line=line, column=2, field="POS")
        if position != self._position:
            if position < self._position:
                message = f"Position {position:,} comes after {self._position:,}: the records are not sorted."
                self._diagnosis.warn(VCF_RECORD_ORDER, "order", message, place)
            self._position = position
            self._alleles.clear()
        elif (ref, alt) in self._alleles:
            message = f"Position {position:,} has the same REF and ALT in several records."
            self._diagnosis.warn(VCF_RECORD_ORDER, "duplicate", message, place)
        if len(self._alleles) < _REMEMBERED:
            self._alleles.add((ref, alt))

    def _beyond(self, line: int, position: int) -> None:
        shown = safe_excerpt(self._contig, 60)
        length = self._declared_contigs[self._contig]
        message = f"POS {position:,} lies beyond contig {shown}, whose length is {length:,} in the header."
        self._rule(line, 2, "POS.beyond", message)

    def _check_ref(self, line: int, ref: str) -> None:
        if not _BASES.fullmatch(ref):
            message = f"REF {safe_excerpt(ref, 40)!r} has letters other than A, C, G, T and N."
            self._rule(line, 4, "REF", message)
        elif len(ref) < 32 and len(self._good_refs) < _REMEMBERED:
            self._good_refs.add(ref)

    def _check_alt(self, line: int, alt: str) -> None:
        alleles = alt.split(",")
        bad = next((allele for allele in alleles if not _ALT.fullmatch(allele)), None)
        if bad is not None:
            message = f"ALT {safe_excerpt(bad, 40)!r} is neither bases nor <...> nor a breakend nor *."
            self._rule(line, 5, "ALT", message)
        elif len(set(alleles)) != len(alleles):
            self._rule(line, 5, "ALT.twice", "ALT has the same allele twice.")
        elif len(alt) < 64 and len(self._good_alts) < _REMEMBERED:
            self._good_alts.add(alt)

    def _check_filters(self, line: int, filters: str) -> None:
        names = filters.split(";")
        good = True
        for name in names:
            if not name or name == "0" or (name in {".", "PASS"} and len(names) > 1) or _SPACE.search(name):
                message = f"FILTER {safe_excerpt(filters, 60)!r} is not a list of filter names."
                self._rule(line, 7, "FILTER", message)
                good = False
            elif name not in self._declared_filters:
                message = f"Filter {safe_excerpt(name, 40)} is not declared in the header."
                place = Place(line=line, column=7, field="FILTER", excerpt=safe_excerpt(filters))
                self._diagnosis.warn(VCF_FILTER_UNDECLARED, name, message, place)
                good = False
        if good and len(self._good_filters) < _REMEMBERED:
            self._good_filters.add(filters)

    def _check_identifier(self, line: int, identifier: str) -> None:
        if " " in identifier or (";" in identifier and not all(identifier.split(";"))):
            message = f"ID {safe_excerpt(identifier, 60)!r} is not a list of names separated by semicolons."
            self._rule(line, 3, "ID", message)

    def _rule(self, line: int, column: int, subject: str, message: str) -> None:
        field = subject.partition(".")[0]
        self._diagnosis.warn(VCF_RULE_BROKEN, subject, message, Place(line=line, column=column, field=field))
