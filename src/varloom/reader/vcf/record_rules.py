"""Rules of the VCF specification whose breach loses nothing: order, bases, filters, contigs. Each gives a warning."""

from __future__ import annotations

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
    """Words what breaks a rule; the kernel tells it what to look at, and how often it met the same.

    It remembers the contigs met, and the texts of FILTER found good.
    """

    def __init__(self, header: Header, diagnosis: Diagnosis) -> None:
        self._diagnosis = diagnosis
        self._declared_contigs = header.contigs
        self._declared_filters = header.filters
        self._contigs: dict[str, None] = {}
        self._good_filters = {".", "PASS"}

    @property
    def contigs(self) -> tuple[str, ...]:
        """The contigs met so far, in order."""
        return tuple(self._contigs)

    def check_texts(self, line: int, fixed: FixedFields) -> None:
        """Note what breaks a rule within this record; not its place among others."""
        self.check_ref(line, fixed.ref)
        self.check_alt(line, fixed.alt)
        self.check_filters(line, fixed.filters)
        self.check_identifier(line, fixed.identifier)
        if fixed.quality is not None and fixed.quality < 0:
            self.check_quality(line, fixed.quality)

    def enter_contig(self, line: int, contig: str) -> None:
        """Records of a contig begin at this line, after those of another or none."""
        place = Place(line=line, column=1, field="CHROM", excerpt=safe_excerpt(contig))
        shown = safe_excerpt(contig, 60)
        if contig in self._contigs:
            message = f"Contig {shown} comes back after records of another contig."
            self._diagnosis.warn(VCF_RECORD_ORDER, "contig", message, place)
            return
        if self._declared_contigs and contig not in self._declared_contigs:
            message = f"Contig {shown} is not declared in the header, which declares others."
            self._diagnosis.warn(VCF_CONTIG_UNDECLARED, contig, message, place)
        if _SPACE.search(contig) or (contig[0] in "<*=" and contig[-1] != ">"):
            self._rule(line, 1, "CHROM", f"Contig {shown!r} has characters that a name must not have.")
        self._contigs[contig] = None

    def out_of_order(self, line: int, position: int, before: int, count: int = 1) -> None:
        """A record's position is lower than that of the record before it, on the same contig."""
        message = f"Position {position:,} comes after {before:,}: the records are not sorted."
        self._diagnosis.warn(VCF_RECORD_ORDER, "order", message, Place(line=line, column=2, field="POS"), count)

    def repeated(self, line: int, position: int, count: int = 1) -> None:
        """A record has the same REF and ALT as another one at its position."""
        message = f"Position {position:,} has the same REF and ALT in several records."
        self._diagnosis.warn(VCF_RECORD_ORDER, "duplicate", message, Place(line=line, column=2, field="POS"), count)

    def beyond_end(self, line: int, position: int, contig: str, count: int = 1) -> None:
        """A record's position lies beyond the end of its contig, and beyond the place of the end's telomere."""
        shown = safe_excerpt(contig, 60)
        length = self._declared_contigs[contig]
        message = f"POS {position:,} lies beyond contig {shown}, whose length is {length:,} in the header."
        self._rule(line, 2, "POS.beyond", message, count)

    def check_ref(self, line: int, ref: str, count: int = 1) -> None:
        """REF is made of bases."""
        if not _BASES.fullmatch(ref):
            message = f"REF {safe_excerpt(ref, 40)!r} has letters other than A, C, G, T and N."
            self._rule(line, 4, "REF", message, count)

    def check_alt(self, line: int, alt: str, count: int = 1) -> None:
        """Each ALT allele has one of the forms of the specification, and is no other's twin."""
        alleles = alt.split(",")
        bad = next((allele for allele in alleles if not _ALT.fullmatch(allele)), None)
        if bad is not None:
            message = f"ALT {safe_excerpt(bad, 40)!r} is neither bases nor <...> nor a breakend nor *."
            self._rule(line, 5, "ALT", message, count)
        elif len(set(alleles)) != len(alleles):
            self._rule(line, 5, "ALT.twice", "ALT has the same allele twice.", count)

    def check_filters(self, line: int, filters: str, count: int = 1) -> None:
        """FILTER is a list of declared names."""
        if filters in self._good_filters:
            return
        names = filters.split(";")
        good = True
        for name in names:
            if not name or name == "0" or (name in {".", "PASS"} and len(names) > 1) or _SPACE.search(name):
                message = f"FILTER {safe_excerpt(filters, 60)!r} is not a list of filter names."
                self._rule(line, 7, "FILTER", message, count)
                good = False
            elif name not in self._declared_filters:
                message = f"Filter {safe_excerpt(name, 40)} is not declared in the header."
                place = Place(line=line, column=7, field="FILTER", excerpt=safe_excerpt(filters))
                self._diagnosis.warn(VCF_FILTER_UNDECLARED, name, message, place, count)
                good = False
        if good and len(self._good_filters) < _REMEMBERED:
            self._good_filters.add(filters)

    def check_quality(self, line: int, quality: float, count: int = 1) -> None:
        """QUAL is negative."""
        self._rule(line, 6, "QUAL", f"QUAL {quality} is negative.", count)

    def check_identifier(self, line: int, identifier: str, count: int = 1) -> None:
        """ID is a list of names."""
        if " " in identifier or (";" in identifier and not all(identifier.split(";"))):
            message = f"ID {safe_excerpt(identifier, 60)!r} is not a list of names separated by semicolons."
            self._rule(line, 3, "ID", message, count)

    def _rule(self, line: int, column: int, subject: str, message: str, count: int = 1) -> None:
        field = subject.partition(".")[0]
        self._diagnosis.warn(VCF_RULE_BROKEN, subject, message, Place(line=line, column=column, field=field), count)
