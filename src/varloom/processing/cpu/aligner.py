"""The process that aligns: `python -m varloom.processing.cpu.aligner TASK`. It loads the index once.

Reads are handed in batches of a fixed number of bases to processes that were split off after the index was loaded, so
that they share its memory. What a batch becomes does not depend on how many processes there are. A finished batch is a
BAM file, `LANE-BATCH.bam`, which appears when it is whole; batches that are there already are not aligned again.
"""

from __future__ import annotations

import json
import os
import sys
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from varloom.dataset.durable import sync_file
from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.processing.fastq import LaneReader, read_name
from varloom.processing.model import Lane, ReadsFile
from varloom.processing.tool_process import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pysam import AlignedSegment, AlignmentHeader

BATCH_BASES = 5_000_000
"""Of one batch: some seconds of work, so that all processes end at about the same time, and enough pairs to tell how
long inserts are. bwa's own are twice as large."""
_BATCH_LINES = 4 * 500_000
"""Of one batch: reads of a few bases would else fill the memory by their number."""
_GROUP_MARK = b"\tRG:Z:"


class LaneTask(NamedTuple):
    """One lane.

    Attributes:
        first: path and name of its file of first mates; see `Lane`.
        second: likewise of the second mates.
        is_interleaved: see `Lane`.
        group: the id of its read group; None where each read's first line tells it (`RG:Z:`).
    """

    first: tuple[str, str]
    second: tuple[str, str] | None
    is_interleaved: bool
    group: str | None

    def lane(self) -> Lane:
        """The lane with its files."""
        second = ReadsFile(Path(self.second[0]), self.second[1]) if self.second else None
        return Lane(ReadsFile(Path(self.first[0]), self.first[1]), second, self.is_interleaved)

    @property
    def is_paired(self) -> bool:
        """Whether it has pairs."""
        return self.second is not None or self.is_interleaved


class Task(NamedTuple):
    """What is to be done.

    Attributes:
        prefix: the prefix of bwa's index.
        header: a file with the header of the alignment, in SAM.
        lanes: in order.
        batches: the folder of the finished batches.
        work: a folder for unfinished ones.
        threads: how many processes align.
    """

    prefix: str
    header: str
    lanes: tuple[LaneTask, ...]
    batches: str
    work: str
    threads: int

    def to_json(self) -> str:
        """As an argument."""
        return json.dumps(self)

    @classmethod
    def from_json(cls, text: str) -> Task:
        """The opposite."""
        prefix, header, lanes, *rest = json.loads(text)
        tasks = (
            LaneTask(tuple(first), tuple(second) if second else None, interleaved, group)
            for first, second, interleaved, group in lanes
        )
        return cls(prefix, header, tuple(tasks), *rest)


class Batch(NamedTuple):
    """Some reads of a lane: their lines, and where their alignments go."""

    lane: int
    number: int
    lines: list[bytes]

    @property
    def file(self) -> str:
        """The name of its BAM file."""
        return f"{self.lane:03}-{self.number:06}.bam"


def main() -> None:
    """Align what the first argument tells; a JSON line on the standard output tells of each finished batch."""
    end_with_parent()
    task = Task.from_json(sys.argv[1])
    try:
        Aligner(task).run()
    except VarloomError as error:
        _tell({"error": error.as_dict()})
        sys.exit(1)


class Aligner:
    """Hands batches out to the processes that align."""

    def __init__(self, task: Task) -> None:
        """Load the index."""
        from pybwa import BwaIndex
        from pybwa.libbwa import BwaVerbosity, set_bwa_verbosity

        set_bwa_verbosity(BwaVerbosity.ERROR)
        self._task = task
        self._index = BwaIndex(task.prefix)
        self._hands: list[Connection] = []

    def run(self) -> None:
        """Align all lanes.

        Raises:
            VarloomError: those of the reads; a process that aligns has died.
        """
        self._start()
        free = list(self._hands)
        for batch in self._batches():
            while not free:
                free += self._finished()
            failpoint("processing.align.batch")
            hand = free.pop()
            hand.send_bytes(json.dumps([batch.lane, batch.file, len(batch.lines) // 4]).encode())
            hand.send_bytes(b"\n".join(batch.lines))
        while len(free) < len(self._hands):
            free += self._finished()

    def _start(self) -> None:
        context = get_context("fork")
        for _ in range(self._task.threads):
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(self._task, self._index, theirs), daemon=True)
            process.start()
            theirs.close()
            self._hands.append(ours)

    def _finished(self) -> list[Connection]:
        """Those that have become free; whatever they did is told."""
        ready = []
        for hand in wait(self._hands):
            if not isinstance(hand, Connection):
                raise AssertionError("only connections were waited for")  # noqa: TRY004 - a fault of ours
            try:
                reads = json.loads(hand.recv_bytes())
            except (EOFError, ConnectionError):
                from varloom.processing.problems import PROGRAM_FAILED

                raise VarloomError(PROGRAM_FAILED, "A process that aligns was ended from outside, or failed.") from None
            if "error" in reads:
                from varloom.processing.problems import PROGRAM_FAILED

                raise VarloomError(PROGRAM_FAILED, reads["error"])
            _tell(reads)
            ready.append(hand)
        return ready

    def _batches(self) -> Iterator[Batch]:
        """The batches that are not finished; of the others it is told that they are."""
        there = {path.name for path in Path(self._task.batches).iterdir()}
        for number, lane in enumerate(self._task.lanes):
            for batch in batches(number, lane):
                if batch.file in there:
                    _tell({"reads": len(batch.lines) // 4, "found": True})
                else:
                    yield batch


def batches(lane: int, task: LaneTask) -> Iterator[Batch]:
    """The reads of a lane in batches of whole pairs; only the reads themselves say where one ends."""
    step = 8 if task.is_paired else 4
    gathered: list[bytes] = []
    bases = number = 0
    with LaneReader(task.lane(), is_checked=True) as reader:
        for lines in reader.pieces():
            begun = 0
            for at in range(0, len(lines), step):
                bases += len(lines[at + 1]) + (len(lines[at + 5]) if step == 8 else 0)
                if bases >= BATCH_BASES or len(gathered) + at - begun >= _BATCH_LINES:
                    gathered += lines[begun : at + step]
                    yield Batch(lane, number, gathered)
                    gathered, bases, begun, number = [], 0, at + step, number + 1
            gathered += lines[begun:]
    if gathered:
        yield Batch(lane, number, gathered)


def _work(task: Task, index: Any, hand: Connection) -> None:
    """Align what comes, until nobody sends any more."""
    end_with_parent()
    try:
        worker = Worker(task, index)
        while True:
            try:
                lane, file, reads = json.loads(hand.recv_bytes())
            except EOFError:
                return
            worker.align(lane, file, hand.recv_bytes())
            hand.send_bytes(json.dumps({"reads": reads}).encode())
    except Exception as error:  # noqa: BLE001 - told to the process that hands out
        hand.send_bytes(json.dumps({"error": f"Alignment failed: {type(error).__name__}: {error}"}).encode())


class Worker:
    """Aligns batches, one after another."""

    def __init__(self, task: Task, index: Any) -> None:
        """Make the aligner from an index in memory."""
        import pysam
        from pybwa import BwaMem, BwaMemOptions

        self._task = task
        self._aligner = BwaMem(index=index)
        self._pairs = BwaMemOptions(interleaved_paired_end=True, chunk_size=1 << 30).finalize()
        self._singles = BwaMemOptions(chunk_size=1 << 30).finalize()
        with pysam.AlignmentFile(task.header, "r", check_sq=False) as header:
            self._header: AlignmentHeader = header.header

    def align(self, lane: int, file: str, text: bytes) -> None:
        """Align a batch, whose lines are joined by line feeds, into a file of this name."""
        from pysam import FastxRecord

        from varloom.processing.cpu import pairing

        task = self._task.lanes[lane]
        lines = text.decode("latin-1").split("\n")
        names = [read_name(line) for line in text.split(b"\n")[::4]]
        queries = [
            FastxRecord(name=name.decode("latin-1"), sequence=bases or "N", quality=qualities or "!")
            for name, bases, qualities in zip(names, lines[1::4], lines[3::4], strict=True)
        ]
        found = self._aligner.align(queries, self._pairs if task.is_paired else self._singles)
        if task.is_paired:
            pairing.repair(found)
        self._write(found, self._groups(lines[::4], task.group), file, is_paired=task.is_paired)

    @staticmethod
    def _groups(heads: list[str], group: str | None) -> list[str | None]:
        """The read group of each read."""
        if group is not None:
            return [group] * len(heads)
        mark = _GROUP_MARK.decode()
        return [head.partition(mark)[2].split("\t")[0] or None for head in heads]

    def _write(
        self, found: list[list[AlignedSegment]], groups: list[str | None], file: str, *, is_paired: bool
    ) -> None:
        """Write a batch, packed lightly, with what the marking of duplicates needs to know of mates."""
        import pysam

        unfinished = Path(self._task.work) / file
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(writing)
            _pack(reading, unfinished, is_paired=is_paired)
        os.close(reading)
        with os.fdopen(writing, "wb") as pipe, pysam.AlignmentFile(pipe, "wbu", header=self._header) as output:
            for records, group in zip(found, groups, strict=True):
                for record in records:
                    if group is not None:
                        record.set_tag("RG", group, "Z")
                    output.write(record)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != 0:
            raise OSError(f"samtools could not write a batch (status {status})")
        sync_file(unfinished)  # else a batch may be there after a loss of power, and empty
        failpoint("processing.align.before_rename")
        unfinished.replace(Path(self._task.batches) / file)


def _pack(source: int, target: Path, *, is_paired: bool) -> NoReturn:
    """Be the process that packs a batch."""
    import pysam

    end_with_parent()
    os.dup2(source, 0)
    try:
        if is_paired:
            pysam.samtools.fixmate("--no-PG", "-m", "-p", "-O", "bam,level=1", "-", str(target), catch_stdout=False)
        else:
            pysam.samtools.view("--no-PG", "-O", "bam,level=1", "-o", str(target), "-", catch_stdout=False)
    except BaseException as error:  # noqa: BLE001 - what ends here is told by the status
        os.write(2, f"samtools: {error}\n".encode())
        os._exit(1)
    os._exit(0)


def _tell(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)  # noqa: T201 - the standard output is how it talks


if __name__ == "__main__":
    main()
