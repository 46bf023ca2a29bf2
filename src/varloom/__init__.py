"""Varloom: genomic files in, tables that can be analysed out."""

__version__ = "0.1.0"
