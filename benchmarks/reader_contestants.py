"""Who reads what in the reader's benchmark: a command for each reader and file."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from peer_environment import VARLOOM

if TYPE_CHECKING:
    from collections.abc import Sequence

    from process_measurement import Measurement

LOADERS = Path(__file__).with_name("peer_loaders.py")
LOAD, CHECK, QUERY, UNPACK = "varloom load", "varloom check", "bcftools query", "bgzip -@2 -d"
POLARS_BIO, OXBOW, PYSAM, POLARS = "polars-bio", "oxbow", "pysam", "polars"
CYVCF2, CYVCF2_THREADS = "cyvcf2, 1 thread", "cyvcf2, 2 threads"
_LOADER_NAMES = {
    POLARS_BIO: "polars_bio",
    OXBOW: "oxbow",
    PYSAM: "pysam",
    CYVCF2: "cyvcf2",
    CYVCF2_THREADS: "cyvcf2_threads",
    POLARS: "polars_csv",
}
READERS = {
    "gatk 1M": (LOAD, CHECK, POLARS_BIO, OXBOW, CYVCF2, CYVCF2_THREADS, PYSAM, QUERY, UNPACK),
    "vep 300k": (LOAD, CHECK, POLARS_BIO, OXBOW, CYVCF2_THREADS, QUERY),
    "multi500 20k": (LOAD, CHECK, POLARS_BIO, OXBOW, CYVCF2_THREADS, QUERY),
    "gatk 5M": (LOAD,),
    "csv 1M x 30": (LOAD, CHECK, POLARS),
}
"""The readers of each workload, ours first."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """One reader on one file.

    Attributes:
        workload: the name of the file.
        reader: who reads it.
        command: what is run.
        output: the file or folder that it writes, removed before each run; None for none.
        counts: whether it prints how many records it read.
    """

    workload: str
    reader: str
    command: tuple[str, ...]
    output: Path | None = None
    counts: bool = True

    def records(self, measured: Measurement) -> int | None:
        """How many records it says that it read."""
        if not self.counts:
            return None
        last = measured.output.strip().rpartition("\n")[2]
        return json.loads(last)["records"] if last.startswith("{") else int(last)


def contestants(
    workload: str, path: Path, scratch: Path, python: str, bcftools: Sequence[str] | None
) -> list[Contestant]:
    """The readers of a file that are there.

    Args:
        workload: its name.
        path: the file.
        scratch: a folder for what they write.
        python: that of the peers.
        bcftools: its command.
    """
    found = []
    for reader in READERS[workload]:
        target = scratch / re.sub(r"\W+", "-", f"{workload} {reader}")
        match reader:
            case "varloom load":
                command = (*VARLOOM, "load", str(path), "-o", str(target), "--json")
                found.append(Contestant(workload, reader, command, target))
            case "varloom check":
                found.append(Contestant(workload, reader, (*VARLOOM, "check", str(path), "--json")))
            case "bcftools query":
                if bcftools:
                    command = (*bcftools, "query", "-f", query_format(path), str(path))
                    found.append(Contestant(workload, reader, command, counts=False))
            case "bgzip -@2 -d":
                if bgzip := shutil.which("bgzip"):
                    command = (bgzip, "-@", "2", "-d", "-c", str(path))
                    found.append(Contestant(workload, reader, command, counts=False))
                else:
                    print("bgzip is not on PATH: the comparison with it is left out.", file=sys.stderr)
            case _:
                interpreter = sys.executable if reader == POLARS else python
                command = (interpreter, str(LOADERS), _LOADER_NAMES[reader], str(path), str(target))
                found.append(Contestant(workload, reader, command, target))
    return found


def query_format(path: Path) -> str:
    """The format with which `bcftools query` prints all fields of a VCF."""
    infos, formats = [], []
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            if not line.startswith("##"):
                break
            if found := re.match(r"##(INFO|FORMAT)=<ID=([^,]+)", line):
                (infos if found[1] == "INFO" else formats).append(found[2])
    fields = ["%CHROM", "%POS", "%ID", "%REF", "%ALT", "%QUAL", "%FILTER", *(f"%INFO/{key}" for key in infos)]
    return "\\t".join(fields) + "[" + "".join(f"\\t%{key}" for key in formats) + "]\\n"
