"""Pharmacogenomics (PGx): from the genotypes of a file to star alleles, phenotypes and what CPIC recommends.

`calling` is the door. The definitions of alleles come from releases of the kind `pgx`; see
`docs/explanation/pharmacogenomics.md` for the rules.
"""
