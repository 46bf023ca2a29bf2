"""The reads of one place of a CRAM, as the protocol htsget of the GA4GH answers: for viewers that read BAM alone.

A CRAM is read by its index: the header and the containers of the place are taken out of the storage, wherever that is,
and become a small BAM in a process of its own. The answer holds that BAM itself (a `data:` URL), so that there is no
second request, which a proxy or a login could keep from its target.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
import subprocess
import sys
import tempfile
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from varloom.annotation.refs.genome import GENOME
from varloom.errors import VarloomError, safe_excerpt
from varloom.genomics.cram_index import END_BYTES, CramIndex
from varloom.jobs.child import environment_of_children
from varloom.processing.reads_of_place import Cut
from varloom.services.problems import (
    READS_PLACE_TOO_LARGE,
    READS_UNREADABLE,
    REQUEST_INVALID,
    SAMPLE_FILE_GONE,
)
from varloom.services.views import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.refs.library import ReferenceLibrary
    from varloom.dataset.sample_files import SampleFile
    from varloom.storage import Storage

    _Cutting = Callable[[list[tuple[int, int]], "Wanted"], bytes]

logger = logging.getLogger(__name__)

LONGEST = 1_000_000
"""Bases of one place."""
MOST_READS = 100_000
"""Of one answer: a place of 3,000 bases at a depth of 5,000, some 10 MB."""
MOST_BYTES = 64 << 20
"""Of a CRAM that are read for one answer."""
SECONDS = 30.0
"""That a cut may take."""
AT_ONCE = 2
"""Cuts that run beside each other; others wait."""
_HEADERS_KEPT = 200
_BAM_TYPE = "application/vnd.ga4gh.bam"


class Wanted(NamedTuple):
    """What is asked for.

    Attributes:
        contig: of the place; None for the header alone.
        start: 0-based.
        end: before which the place ends; None for the end of the contig.
    """

    contig: str | None
    start: int
    end: int | None


class HtsgetUrl(View):
    """A block of the BAM: those of an answer, one after the other, are the BAM."""

    url: str = Field(description="a `data:` URL, which holds the bytes")
    class_: Literal["header", "body"] = Field(alias="class", serialization_alias="class")


class HtsgetBlocks(View):
    """Where the bytes are."""

    format: Literal["BAM"] = "BAM"
    urls: list[HtsgetUrl]


class HtsgetTicket(View):
    """The ticket of htsget 1.3."""

    htsget: HtsgetBlocks


@dataclass(slots=True)
class Htsget:
    """Cuts reads out of CRAMs."""

    storage: Storage
    library: ReferenceLibrary
    turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    _contigs: OrderedDict[str, list[str]] = field(default_factory=OrderedDict)
    """By storage key, the names of contigs in their order: what lies there never changes."""

    async def ticket(self, pair: tuple[SampleFile, SampleFile], genome: ReleaseKey, wanted: Wanted) -> HtsgetTicket:
        """The reads of a place, or the header.

        Args:
            pair: the CRAM and its index.
            genome: the release that it was written with.
            wanted: see `Wanted`.

        Raises:
            VarloomError: `request_invalid`, `reads_place_too_large`, `reads_unreadable`, `sample_file_gone`,
                `reference_missing`.
        """
        _check(wanted)
        async with self.turn:
            return await asyncio.to_thread(self._ticket, pair, genome, wanted)

    def _ticket(self, pair: tuple[SampleFile, SampleFile], genome: ReleaseKey, wanted: Wanted) -> HtsgetTicket:
        bam = self._bam(pair, genome, wanted)
        url = f"data:{_BAM_TYPE};base64,{base64.b64encode(bam).decode()}"
        block = HtsgetUrl.model_validate({"url": url, "class": "header" if wanted.contig is None else "body"})
        return HtsgetTicket(htsget=HtsgetBlocks(urls=[block]))

    def _bam(self, pair: tuple[SampleFile, SampleFile], genome: ReleaseKey, wanted: Wanted) -> bytes:
        cram, index_file = pair
        try:
            index = CramIndex(self.storage.read_bytes(index_file.storage_key), cram.bytes)
        except FileNotFoundError:
            raise VarloomError(SAMPLE_FILE_GONE, f"{index_file.name} is not in the storage any more.") from None
        except ValueError as error:
            raise VarloomError(READS_UNREADABLE, f"{index_file.name}: {error}.") from None
        header = self._part(cram, 0, index.header_end)
        end = self._part(cram, cram.bytes - END_BYTES, cram.bytes)
        with (
            self.library.borrow(genome) as installed,
            tempfile.TemporaryDirectory(prefix="varloom-reads-") as folder,
        ):
            place = Path(folder)
            fasta = installed.folder / GENOME

            def cut(parts: list[tuple[int, int]], one: Wanted) -> bytes:
                source, output = place / "part.cram", place / "part.bam"
                with source.open("wb") as file:
                    file.write(header)
                    for begin, after in parts:
                        file.write(self._part(cram, begin, after))
                    file.write(end)
                far = one.end if one.end is not None else one.start + LONGEST
                _run(Cut(str(source), str(fasta), str(output), one.contig, one.start, far, MOST_READS), cram.name)
                return output.read_bytes()

            return self._cut(cram, index, wanted, cut)

    def _part(self, cram: SampleFile, begin: int, after: int) -> bytes:
        """Bytes of the CRAM, all of them."""
        try:
            part = self.storage.read_range(cram.storage_key, begin, after)
        except FileNotFoundError:
            raise VarloomError(SAMPLE_FILE_GONE, f"{cram.name} is not in the storage any more.") from None
        if len(part) != after - begin:
            raise VarloomError(READS_UNREADABLE, f"{cram.name} ends before byte {after:,}.")
        return part

    def _cut(self, cram: SampleFile, index: CramIndex, wanted: Wanted, cut: _Cutting) -> bytes:
        contigs = self._contigs.get(cram.storage_key)
        if wanted.contig is None or contigs is None:
            bam = cut([], Wanted(None, 0, None))
            contigs = self._contigs[cram.storage_key] = _contigs_of(bam)
            while len(self._contigs) > _HEADERS_KEPT:
                self._contigs.popitem(last=False)
            if wanted.contig is None:
                return bam
        if wanted.contig not in contigs:
            raise VarloomError(
                REQUEST_INVALID, f"referenceName: there is no contig {safe_excerpt(wanted.contig, 40)!r}."
            )
        far = wanted.end if wanted.end is not None else wanted.start + LONGEST
        parts = index.ranges(contigs.index(wanted.contig), wanted.start, far)
        if sum(after - begin for begin, after in parts) > MOST_BYTES:
            raise VarloomError(READS_PLACE_TOO_LARGE, f"The reads there take more than {MOST_BYTES >> 20} MB of CRAM.")
        return cut(parts, wanted)


def _check(wanted: Wanted) -> None:
    if wanted.contig is None:
        return
    if not wanted.contig:
        raise VarloomError(REQUEST_INVALID, "referenceName: give a contig, or `class=header`.")
    if wanted.end is not None and wanted.end <= wanted.start:
        raise VarloomError(REQUEST_INVALID, "end: it has to be greater than start.")
    if wanted.end is not None and wanted.end - wanted.start > LONGEST:
        raise VarloomError(READS_PLACE_TOO_LARGE, f"The place has more than {LONGEST:,} bases.")


def _run(task: Cut, name: str) -> None:
    """Cut in a process of its own, which has its time."""
    command = [sys.executable, "-m", "varloom.processing.reads_of_place", json.dumps(task)]
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env=environment_of_children(),
        )
    except subprocess.TimeoutExpired:
        raise VarloomError(READS_PLACE_TOO_LARGE, f"Cutting out the reads took more than {SECONDS:.0f} s.") from None
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").strip()
        logger.warning("the reads of a place could not be cut out of %s: %s", name, said[-2000:])
        last = safe_excerpt(said.splitlines()[-1] if said else f"status {ended.returncode}", 200)
        raise VarloomError(READS_UNREADABLE, f"{name}: {last}")
    if json.loads(ended.stdout.splitlines()[-1])["too_many"]:
        raise VarloomError(READS_PLACE_TOO_LARGE, f"More than {task.most:,} reads reach into the place.")


def _contigs_of(bam: bytes) -> list[str]:
    """The names of the contigs in the header of a small BAM, in their order."""
    plain = gzip.decompress(bam)
    length = int.from_bytes(plain[4:8], "little")
    text = plain[8 : 8 + length].decode("utf-8", "replace")
    lines = [line.split("\t") for line in text.splitlines() if line.startswith("@SQ\t")]
    return [field[3:] for fields in lines for field in fields if field.startswith("SN:")]
