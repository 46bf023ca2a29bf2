"""Every annotation source, a line each; the order is that of their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.annotation.sources import clinvar, dbsnp, gnomad, scores

if TYPE_CHECKING:
    from varloom.annotation.source import AnnotationSource

SOURCES: tuple[AnnotationSource, ...] = (
    clinvar.SOURCE,
    gnomad.SOURCE,
    dbsnp.SOURCE,
    scores.REVEL,
    scores.CADD,
    scores.ALPHAMISSENSE,
    scores.SPLICEAI,
)
