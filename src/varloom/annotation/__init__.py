"""Annotation: what is known of a variant, from releases of reference data that are installed here.

`model` has what goes in and comes out, `source` the interface of every source, `registry` lists them, `sources/` has
one file or folder each, and `refs/` keeps the releases.
"""
