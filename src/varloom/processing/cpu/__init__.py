"""Secondary analysis on processors: bwa aligns (by pybwa), samtools and bcftools (by pysam) do the rest."""
