"""VCF 4.0 to 4.5: header, records, alleles and typed columns."""
