"""Running `bcftools csq`: one process for each call, since a failure leaves the library unfit for the next.

Source: bcftools 1.24 as pysam 0.24 carries it, manual page of `bcftools csq`.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING, NamedTuple, Self

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from varloom.annotation.sources.consequence.problems import CONSEQUENCE_FAILED
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    import numpy as np
    from numpy.typing import NDArray

_PROGRAM = """
import json, os, sys
from pysam import SamtoolsError, bcftools
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        request = json.loads(line)
        try:
            bcftools.csq(*request["arguments"], catch_stdout=False)
        except SamtoolsError as error:
            with open(request["messages"], "w") as messages:
                messages.write(str(error).partition("stderr=")[2] or str(error))
            os._exit(1)
        os._exit(0)
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
_LOOK_SECONDS = 0.5
_MESSAGE_CHARACTERS = 4000


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


class Said(NamedTuple):
    """What csq says of the records of which it says anything.

    Attributes:
        numbers: of the records.
        values: of BCSQ, beside them.
    """

    numbers: NDArray[np.int64]
    values: pa.Array


class CsqProgram:
    """Runs csq. A process that has loaded the library, and never calls it, is split for each call.

    That takes a hundredth of the time that loading takes. The process is started by the first call, and anew by the
    first one after a failure of its own.
    """

    def __init__(self, fasta: Path, scratch: Path) -> None:
        """Prepare.

        Args:
            fasta: the reference, with its indexes.
            scratch: an existing folder for files that are overwritten by the next call.
        """
        self._fasta = fasta
        self._scratch = scratch
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(self, given: CsqInput, options: Sequence[str], on_step: Callable[[], None]) -> Said:
        """What csq says of each record.

        Args:
            given: transcripts and records.
            options: of csq, such as `--local-csq`.
            on_step: called every half second; what it raises ends the processes and goes on to the caller.

        Raises:
            VarloomError: `consequence_failed`; the process failed or was killed.
        """
        gff, vcf, out = (self._scratch / name for name in ("csq.gff3", "csq.vcf", "csq.out.vcf"))
        gff.write_text("".join(given.gff), encoding="utf-8")
        with vcf.open("w", encoding="utf-8") as file:
            file.writelines(_header(given))
            file.writelines(given.records)
        out.unlink(missing_ok=True)
        arguments = ["--fasta-ref", str(self._fasta), "--gff-annot", str(gff), "--no-version", "--force", "-v", "0"]
        self._call([*arguments, *options, "--output", str(out), str(vcf)], on_step)
        return _read(out, given)

    def _call(self, arguments: list[str], on_step: Callable[[], None]) -> None:
        messages = self._scratch / "csq.messages"
        messages.unlink(missing_ok=True)
        process = self._ready()
        child = 0
        try:
            request = json.dumps({"arguments": arguments, "messages": str(messages)})
            _pipe(process.stdin).write(request.encode() + b"\n")
            child = int(_line(process, on_step))
            status = int(_line(process, on_step))
        except (OSError, ValueError) as error:
            self._end(child)
            raise VarloomError(
                CONSEQUENCE_FAILED, "The process that runs bcftools csq was ended from outside."
            ) from error
        except BaseException:
            self._end(child)
            raise
        if status != 0:
            raise _failed(status, messages)

    def _ready(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [sys.executable, "-I", "-c", _PROGRAM]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0)
        return self._process

    def _end(self, child: int = 0) -> None:
        """End the process, and its child if one runs."""
        if self._process is None:
            return
        if child:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            _pipe(pipe).close()
        self._process = None


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    if pipe is None:
        raise ValueError("the process has no pipes")
    return pipe


def _line(process: subprocess.Popen[bytes], on_step: Callable[[], None]) -> bytes:
    """The next line that the process says; nothing if it has ended."""
    pipe = _pipe(process.stdout)
    while not select.select([pipe], [], [], _LOOK_SECONDS)[0]:
        on_step()
    return pipe.readline()


def _header(given: CsqInput) -> Iterator[str]:
    yield "##fileformat=VCFv4.3\n"
    for contig, length in given.contigs.items():
        yield f"##contig=<ID={contig},length={length}>\n"
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    if given.samples:
        yield '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        columns += "\tFORMAT\t" + "\t".join(given.samples)
    yield columns + "\n"


def _failed(status: int, messages: Path) -> VarloomError:
    """What a person can be told; the program's own words are in the last lines of what it said."""
    if status < 0:
        return VarloomError(CONSEQUENCE_FAILED, f"bcftools csq was ended by signal {-status}.")
    said = messages.read_text(encoding="utf-8", errors="replace")[-_MESSAGE_CHARACTERS:] if messages.exists() else ""
    lines = [line.strip() for line in said.replace("\\n", "\n").splitlines() if line.strip(" '\"")]
    reason = safe_excerpt(lines[-1]) if lines else f"status {status}"
    return VarloomError(CONSEQUENCE_FAILED, f"bcftools csq failed: {reason}")


def _read(out: Path, given: CsqInput) -> Said:
    """The number and the BCSQ of each record of a VCF that csq wrote.

    Raises:
        VarloomError: records are missing, so that the file is not whole.
    """
    with out.open("rb") as lines:
        header = next((number for number, line in enumerate(lines, 1) if line.startswith(b"#CHROM")), 0)
    names = [*"CPIRAQFB", *(["O", *given.samples] if given.samples else [])]
    try:
        table = csv.read_csv(
            out,
            csv.ReadOptions(skip_rows=header, column_names=names, block_size=out.stat().st_size + 1),
            csv.ParseOptions(delimiter="\t", quote_char=False),
            csv.ConvertOptions(column_types={"I": pa.int64(), "B": pa.string()}, include_columns=["I", "B"]),
        )
    except pa.ArrowInvalid as error:
        raise VarloomError(CONSEQUENCE_FAILED, f"bcftools csq wrote no VCF: {safe_excerpt(str(error))}") from error
    if len(table) != len(given.records):
        message = f"bcftools csq answered {len(table):,} of {len(given.records):,} records."
        raise VarloomError(CONSEQUENCE_FAILED, message)
    said = table.filter(pc.starts_with(table["B"], "BCSQ=")).combine_chunks()
    values = pc.utf8_slice_codeunits(said["B"], 5).combine_chunks()
    return Said(said["I"].to_numpy(), values.cast(pa.string()))
