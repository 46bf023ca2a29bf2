"""The process that cuts the reads of one place out of a CRAM: `python -m varloom.processing.reads_of_place TASK`.

What a file of reads makes a library do, a crash or an endless loop, ends this process and not the server. The last line
of the standard output is JSON: how many reads there are, or that there are too many.
"""

from __future__ import annotations

import json
import sys
from typing import NamedTuple

from varloom.processing.tool_process import end_with_parent, forbid_fetched_references


class Cut(NamedTuple):
    """What is wanted.

    Attributes:
        source: a CRAM.
        fasta: of its genome, with `.fai` beside it; packed with bgzip or not.
        output: the BAM that is written.
        contig: of the place; None for the header alone.
        start: 0-based.
        end: before which the place ends.
        most: reads that are written at most.
    """

    source: str
    fasta: str
    output: str
    contig: str | None
    start: int
    end: int
    most: int


def main() -> None:
    """Cut what the first argument tells."""
    end_with_parent()
    forbid_fetched_references()
    print(json.dumps(cut(Cut(*json.loads(sys.argv[1])))), flush=True)  # noqa: T201 - it is how it talks


def cut(task: Cut) -> dict[str, int | bool]:
    """Write the reads that reach into the place, in their order; `reads` tells how many, `too_many` that it stopped."""
    import pysam

    reads = 0
    with (
        pysam.AlignmentFile(task.source, "rc", reference_filename=task.fasta, check_sq=False) as source,
        pysam.AlignmentFile(task.output, "wb", header=source.header) as output,
    ):
        if task.contig is None:
            return {"reads": 0, "too_many": False}
        for read in source.fetch(until_eof=True):
            if read.reference_name != task.contig or read.reference_start >= task.end:
                continue
            if (read.reference_end or read.reference_start + 1) <= task.start:
                continue
            reads += 1
            if reads > task.most:
                return {"reads": reads, "too_many": True}
            output.write(read)
    return {"reads": reads, "too_many": False}


if __name__ == "__main__":
    main()
