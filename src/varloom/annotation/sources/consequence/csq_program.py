"""Running `bcftools csq`: one process for each call, since a failure leaves the library in a state that spoils the next.

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
from typing import IO, TYPE_CHECKING, NamedTuple

from varloom.annotation.sources.consequence.problems import CONSEQUENCE_FAILED
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

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


class CsqProgram:
    """Runs csq. A process that has loaded the library, and never calls it, is split for each call: that takes a
    hundredth of the time that loading takes.
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

    def __enter__(self) -> CsqProgram:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def run(self, given: CsqInput, options: Sequence[str], on_step: Callable[[], None]) -> dict[int, str]:
        """What csq says of each record: the value of BCSQ by the record's number, of those that have one.

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
        return dict(_answers(out, len(given.records)))

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
            raise VarloomError(CONSEQUENCE_FAILED, "The process that runs bcftools csq was ended from outside.") from error
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
