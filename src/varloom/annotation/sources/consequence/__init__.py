"""Consequences of small variants: bcftools csq on every transcript, names in HGVS, the worst one and MANE Select."""
