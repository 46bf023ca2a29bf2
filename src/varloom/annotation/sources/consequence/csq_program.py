"""Running `bcftools csq`: one process for each call, since a failure leaves the library in a state that spoils the next.

Source: bcftools 1.24 as pysam 0.24 carries it, manual page of `bcftools csq`.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.sources.consequence.problems import CONSEQUENCE_FAILED
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_PROGRAM = """
import sys
from pysam import SamtoolsError, bcftools
try:
    bcftools.csq(*sys.argv[1:], catch_stdout=False)
except SamtoolsError as error:
    sys.exit(str(error).partition("stderr=")[2] or str(error))
"""
_LOOK_SECONDS = 0.5
_MESSAGE_BYTES = 4000


class CsqInput(NamedTuple):
    """What one call works on.

    Attributes:
        gff: the lines of the transcripts.
        records: lines of a VCF, sorted by contig (in the order of `contigs`) and position, with a number as id each.
        contigs: bases by name.
        samples: their names; empty where there are no genotypes.
    """

    gff: Sequence[str]
    records: Sequence[str]
    contigs: Mapping[str, int]
    samples: Sequence[str] = ()


def run_csq(
    given: CsqInput, fasta: Path, options: Sequence[str], scratch: Path, on_step: Callable[[], None]
) -> dict[int, str]:
    """What csq says of each record: the value of BCSQ by the record's number, of those that have one.

    Args:
        given: transcripts and records.
        fasta: the reference, with its indexes.
        options: of csq, such as `--local-csq`.
        scratch: an existing folder for files that are overwritten by the next call.
        on_step: called every half second; what it raises ends the process and goes on to the caller.

    Raises:
        VarloomError: `consequence_failed`; the process failed or was killed.
    """
    gff, vcf, out = scratch / "csq.gff3", scratch / "csq.vcf", scratch / "csq.out.vcf"
    gff.write_text("".join(given.gff), encoding="utf-8")
    with vcf.open("w", encoding="utf-8") as file:
        file.writelines(_header(given))
        file.writelines(given.records)
    out.unlink(missing_ok=True)
    arguments = ["--fasta-ref", str(fasta), "--gff-annot", str(gff), "--no-version", "--force", *options, "--output", str(out), str(vcf)]
    _run([sys.executable, "-I", "-c", _PROGRAM, *arguments], scratch / "csq.messages", on_step)
    return dict(_answers(out, len(given.records)))


def _header(given: CsqInput) -> Iterator[str]:
    yield "##fileformat=VCFv4.3\n"
    for contig, length in given.contigs.items():
        yield f"##contig=<ID={contig},length={length}>\n"
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    if given.samples:
        yield '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        columns += "\tFORMAT\t" + "\t".join(given.samples)
    yield columns + "\n"


def _run(command: Sequence[str], messages: Path, on_step: Callable[[], None]) -> None:
    with messages.open("wb") as err:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=err)
        try:
            while True:
                try:
                    process.wait(_LOOK_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    on_step()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if process.returncode != 0:
        raise _failed(process.returncode, messages)


def _failed(status: int, messages: Path) -> VarloomError:
    """What a person can be told; the program's own words are in the last lines of what it said."""
    if status < 0:
        return VarloomError(CONSEQUENCE_FAILED, f"bcftools csq was ended by signal {-status}.")
    said = messages.read_bytes()[-_MESSAGE_BYTES:].decode("utf-8", "replace")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reason = safe_excerpt(lines[-1]) if lines else f"status {status}"
    return VarloomError(CONSEQUENCE_FAILED, f"bcftools csq failed: {reason}")


def _answers(out: Path, expected: int) -> Iterator[tuple[int, str]]:
    """The number and the BCSQ of each record of a VCF that csq wrote.

    Raises:
        VarloomError: records are missing, so that the file is not whole.
    """
    found = 0
    with out.open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            found += 1
            fields = line.split("\t", 8)
            info = fields[7].rstrip("\n")
            if info.startswith("BCSQ="):
                yield int(fields[2]), info[5:]
    if found != expected:
        message = f"bcftools csq answered {found:,} of {expected:,} records."
        raise VarloomError(CONSEQUENCE_FAILED, message)
