"""Structural variants: what they are, what they hit, how common they are, and what their points are.

`events` reads rows, `genes` and `intervals` find what they overlap, `population` and `dosage` look them up, `points`
scores losses and gains; `source` puts the columns together.
"""

from varloom.annotation.sources.structural.source import StructuralSettings, StructuralSource

SOURCE = StructuralSource()

__all__ = ["SOURCE", "StructuralSettings", "StructuralSource"]
