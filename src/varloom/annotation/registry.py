"""Every annotation source, a line each; the order is that of their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.annotation.sources import clinvar, consequence, dbsnp, gnomad, scores, structural

if TYPE_CHECKING:
    from varloom.annotation.source import AnnotationSource

SOURCES: tuple[AnnotationSource, ...] = (
    consequence.SOURCE,
    clinvar.SOURCE,
    gnomad.SOURCE,
    dbsnp.SOURCE,
    scores.REVEL,
    scores.CADD,
    scores.ALPHAMISSENSE,
    scores.SPLICEAI,
    structural.SOURCE,
)
