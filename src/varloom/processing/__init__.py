"""Secondary analysis, from reads to variants, and pharmacogenomic (PGx) calling: both are the process stage of a job.

An engine turns reads into an alignment and a VCF; the named-allele matcher turns a VCF into star alleles. Both work on
files of this machine; neither knows of jobs, of a database or of the web.
"""
