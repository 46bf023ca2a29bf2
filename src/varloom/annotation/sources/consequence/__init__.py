"""Consequences of small variants: bcftools csq on every transcript, names in HGVS, the worst one and MANE Select."""

from varloom.annotation.sources.consequence.source import SOURCE

__all__ = ["SOURCE"]
