"""The header of a VCF as users get it: the sample by its name, the reference by its release, no path."""

from __future__ import annotations

import gzip
import itertools
from typing import TYPE_CHECKING

from varloom.processing.programs import Pipe, Stage, pipes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

_DROPPED = ("##reference=", "##bcftools_", "##samtools", "##source=")


def name_sample(
    variants: Path,
    output: Path,
    work: Path,
    *,
    sample: str,
    reference: str,
    source: str,
    on_life: Callable[[], None],
) -> None:
    """Write a VCF with one sample anew under a clean header, and its index (`.tbi`).

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    with gzip.open(variants, "rt", encoding="utf-8") as text:
        lines = [line.rstrip("\n") for line in itertools.takewhile(lambda line: line.startswith("#"), text)]
    header = work / "header.vcf"
    header.write_text("\n".join(_clean(lines, sample, reference, source)) + "\n", encoding="utf-8")
    naming = Stage.bcftools("reheader", "-h", header, "-o", output, variants)
    pipes([Pipe((naming,)), Pipe((Stage.bcftools("index", "-t", "-f", output),))], on_life)


def _clean(lines: Sequence[str], sample: str, reference: str, source: str) -> list[str]:
    first, *rest = lines
    # The specification has MQ as a number with a fraction; bcftools declares a whole one.
    rest = [line.replace("Type=Integer", "Type=Float") if line.startswith("##INFO=<ID=MQ,") else line for line in rest]
    kept = [line for line in rest[:-1] if not line.startswith(_DROPPED)]
    columns = rest[-1].split("\t")[:9]
    return [first, f"##source={source}", f"##reference={reference}", *kept, "\t".join([*columns, column_name(sample)])]


def column_name(sample: str) -> str:
    """A sample's name as the heading of a VCF's column: any text without control characters, as a tab is one."""
    return "".join(char if char.isprintable() else "_" for char in sample) or "sample"
