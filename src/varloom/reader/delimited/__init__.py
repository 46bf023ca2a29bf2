"""CSV and TSV: dialect, rows, inferred types."""
