"""Writes what a reader finds in a VCF, as JSON: `python peer_values.py READER FILE OUT`.

Runs in the peers' own Python. A record is a dict: the fixed columns, `INFO` by key and `SAMPLES` by name and key; a
list of ALT alleles and filters, numbers as the reader gives them, None for what it calls missing. An exception is noted
beside the records that came before it.
"""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Record = dict[str, Any]
_MISSING_INT = -(2**31)


def by_cyvcf2(path: str) -> Iterator[Record]:
    """The records as cyvcf2 gives them."""
    from cyvcf2 import VCF

    vcf = VCF(path)
    names = _numbered(vcf.samples)
    for found in vcf:
        samples: dict[str, dict[str, Any]] = {name: {} for name in names}
        for key in found.FORMAT:
            values = found.genotypes if key == "GT" else found.format(key)
            for name, value in zip(names, values if values is not None else [None] * len(names), strict=True):
                samples[name][key] = _genotype(value[:-1], phased=value[-1]) if key == "GT" else _cyvcf2_value(value)
        yield {
            "CHROM": found.CHROM,
            "POS": found.POS,
            "ID": found.ID,
            "REF": found.REF,
            "ALT": list(found.ALT),
            "QUAL": found.QUAL,
            "FILTER": list(found.FILTERS),
            "INFO": {key: list(value) if isinstance(value, tuple) else value for key, value in found.INFO},
            "SAMPLES": samples,
        }


def _cyvcf2_value(value: Any) -> Any:
    if isinstance(value, str):
        return value
    if value is None:
        return None
    values = [None if one == _MISSING_INT else one for one in value.tolist()]
    return values[0] if len(values) == 1 else values


def by_pysam(path: str) -> Iterator[Record]:
    """The records as pysam gives them."""
    import pysam

    with pysam.VariantFile(path) as vcf:
        for found in vcf:
            samples = {}
            names = _numbered(vcf.header.samples)
            for name, sample in zip(names, found.samples.values(), strict=True):
                samples[name] = dict(sample.items())
                if "GT" in samples[name]:
                    samples[name]["GT"] = _genotype(samples[name]["GT"], phased=sample.phased)
            yield {
                "CHROM": found.chrom,
                "POS": found.pos,
                "ID": found.id,
                "REF": found.ref,
                "ALT": list(found.alts or ()),
                "QUAL": found.qual,
                "FILTER": list(found.filter),
                "INFO": {key: list(value) if isinstance(value, tuple) else value for key, value in found.info.items()},
                "SAMPLES": samples,
            }


def by_polars_bio(path: str) -> Iterator[Record]:
    """The records as polars-bio gives them."""
    import polars_bio

    fixed = ("chrom", "start", "end", "id", "ref", "alt", "qual", "filter", "genotypes")
    declared = re.findall(rb"##INFO=<ID=([^,]+)", Path(path).read_bytes())
    for found in polars_bio.scan_vcf(path).collect().to_dicts():
        further = {key: value for key, value in found.items() if key not in fixed}
        if "genotypes" in found:
            keys = found["genotypes"] or {}
        else:  # a single sample's fields are columns, renamed where an INFO key has the same name
            names = [key for key in further if key.encode() not in declared]
            keys = {key.removeprefix("fmt_"): [further.pop(key)] for key in names}
        count = max((len(values) for values in keys.values() if values is not None), default=0)
        rows = [{key: values[n] for key, values in keys.items() if values and n < len(values)} for n in range(count)]
        yield {
            "CHROM": found["chrom"],
            "POS": found["start"],
            "ID": found["id"],
            "REF": found["ref"],
            "ALT": found["alt"].split("|"),
            "QUAL": found["qual"],
            "FILTER": (found["filter"] or "").split(";"),
            "INFO": further,
            "SAMPLES": {f"S{number}": row for number, row in enumerate(rows, 1)},
        }


def by_oxbow(path: str) -> Iterator[Record]:
    """The records as oxbow gives them."""
    import oxbow
    import pyarrow as pa

    fixed = ("chrom", "pos", "id", "ref", "alt", "qual", "filter", "info")
    for batch in oxbow.from_vcf(path, samples="*").batches():
        for found in pa.record_batch(batch).to_pylist():
            samples = {name: dict(value) for name, value in found.items() if name not in fixed and value is not None}
            for sample in samples.values():
                if sample.get("GT") is not None:
                    genotype = sample["GT"]
                    sample["GT"] = _genotype(genotype["allele"], phased=any(genotype["phased"][1:]))
            yield {
                "CHROM": found["chrom"],
                "POS": found["pos"],
                "ID": ";".join(found["id"] or ()),
                "REF": found["ref"],
                "ALT": found["alt"],
                "QUAL": found["qual"],
                "FILTER": found["filter"] or ["PASS"],
                "INFO": found["info"] or {},
                "SAMPLES": samples,
            }


def _genotype(alleles: Any, *, phased: bool) -> str | None:
    if alleles is None:
        return None
    return ("|" if phased else "/").join("." if one is None or one < 0 else str(one) for one in alleles)


def _numbered(names: Any) -> list[str]:
    """The names, those that come again with their number: a dict would keep one of them."""
    seen: dict[str, int] = {}
    numbered = []
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        numbered.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return numbered


def _plain(value: Any) -> Any:
    """What JSON can hold: NaN is None, and numbers of numpy are numbers."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and math.isnan(value) else value


def main() -> None:
    """Read, and write what came."""
    reader, path, target = sys.argv[1:]
    records: list[Any] = []
    error = None
    try:
        for record in globals()[f"by_{reader}"](path):
            records.append(_plain(record))  # noqa: PERF401 - what came before an exception counts
    except BaseException as failure:  # noqa: BLE001 - panics of Rust are no ordinary exceptions
        error = f"{type(failure).__name__}: {failure}"
    Path(target).write_text(json.dumps({"records": records, "error": error}), encoding="utf-8")


if __name__ == "__main__":
    main()
