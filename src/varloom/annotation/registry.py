"""Every annotation source, a line each; the order is that of their columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from varloom.annotation.source import AnnotationSource

SOURCES: tuple[AnnotationSource, ...] = ()
