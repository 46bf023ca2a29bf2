"""Reads all of a file with one of the peers: `python peer_loaders.py PEER FILE OUT`; prints how many records it saw.

Each peer is used as its documentation shows for the task: all columns, and Parquet with zstd level 1 where it can
write.
"""

from __future__ import annotations

import sys


def polars_bio(path: str, target: str) -> int:
    """VCF to Parquet, streaming."""
    import polars as pl
    import polars_bio as reader

    reader.scan_vcf(path).sink_parquet(target, compression="zstd", compression_level=1)
    return pl.scan_parquet(target).select(pl.len()).collect().item()


def oxbow(path: str, target: str) -> int:
    """VCF to Parquet, batch by batch."""
    import oxbow as reader
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer, records = None, 0
    for found in reader.from_vcf(path, samples="*", batch_size=65_536).batches():
        batch = pa.record_batch(found)
        writer = writer or pq.ParquetWriter(target, batch.schema, compression="zstd", compression_level=1)
        writer.write_batch(batch)
        records += batch.num_rows
    if writer:
        writer.close()
    return records


def cyvcf2(path: str, target: str, threads: int = 1) -> int:  # noqa: ARG001 - it writes nothing
    """Look at every field of every record; write nothing."""
    from cyvcf2 import VCF

    vcf = VCF(path, threads=threads)
    formats = [line["ID"] for line in vcf.header_iter() if line["HeaderType"] == "FORMAT" and line["ID"] != "GT"]
    records = 0
    for record in vcf:
        records += 1
        _ = (record.CHROM, record.POS, record.ID, record.REF, record.ALT, record.QUAL, record.FILTER)
        _ = dict(record.INFO)
        _ = record.genotypes
        present = record.FORMAT
        for key in formats:
            if key in present:
                record.format(key)
    return records


def cyvcf2_threads(path: str, target: str) -> int:
    """The same with two threads for decompression."""
    return cyvcf2(path, target, threads=2)


def pysam(path: str, target: str) -> int:  # noqa: ARG001 - it writes nothing
    """Look at every field of every record; write nothing."""
    import pysam as reader

    records = 0
    with reader.VariantFile(path) as vcf:
        for record in vcf:
            records += 1
            _ = (record.chrom, record.pos, record.id, record.ref, record.alts, record.qual, tuple(record.filter))
            _ = dict(record.info)
            for sample in record.samples.values():
                _ = dict(sample)
    return records


def polars_csv(path: str, target: str) -> int:
    """CSV to Parquet: types by the whole file, nothing ignored."""
    import polars as pl

    table = pl.read_csv(path, infer_schema_length=None, ignore_errors=False, truncate_ragged_lines=False)
    table.write_parquet(target, compression="zstd", compression_level=1)
    return table.height


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
