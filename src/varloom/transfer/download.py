"""One file from a URL to the disk: several ranges at once, resumed after any break, verified by what the source tells.

Ranges are put together only as long as each comes from the same version of the file. Everything blocks: it runs in the
child process of the download stage.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from varloom.errors import VarloomError
from varloom.storage.incoming import check_space
from varloom.storage.problems import QUOTA_EXCEEDED
from varloom.transfer import problems
from varloom.transfer.answers import (
    checksums_of,
    extent_of,
    file_name_of,
    refuse_page,
    version_of,
)
from varloom.transfer.blocks import Blocks
from varloom.transfer.hashing import Hasher
from varloom.transfer.model import Checksum, Downloaded, Version
from varloom.transfer.network_faults import network_failure
from varloom.transfer.pace import Pace
from varloom.transfer.partial_file import BLOCK, PartialFile
from varloom.transfer.patience import Patience
from varloom.transfer.questions import NETWORK_ERRORS, Questions, client_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from varloom.transfer.access import Access
    from varloom.transfer.answers import Extent
    from varloom.transfer.blocks import Block
    from varloom.transfer.guard import Guard
    from varloom.transfer.http_client import Answer
    from varloom.transfer.model import TransferOptions

PORTION = 16 * 1024**2
"""Bytes of one range. What is smaller than two of them comes in one."""
CONNECTIONS = 4
READ = 256 * 1024
"""The most bytes that are taken from a connection at once."""
FIRST_BYTES = 1024
"""So many tell whether it is a page for a browser."""
SLOW = 1.0
"""Seconds after which what has come is written, though it is no whole block."""
REPORT_INTERVAL = 0.25
"""Seconds between two reports of the progress."""


class Download:
    """Fetches one file into a folder that outlives this process. Use it once, in a `with` block.

    Until the block ends no other process works in the folder.

    Args of the constructor:
        access: what to ask for, and how.
        folder: where the bytes gather.
        options: what the operator allows.
        report: told the bytes that are here, and of how many.
        guard: what may be reached; by default what the options say.
    """

    def __init__(
        self,
        access: Access,
        folder: Path,
        options: TransferOptions,
        report: Callable[[int, int | None], None],
        *,
        guard: Guard | None = None,
    ) -> None:
        self._source = access.source
        self._options = options
        self._report = report
        self._questions = Questions(access, client_of(options, guard))
        self._pace = Pace(options.bytes_per_second)
        self._partial = PartialFile(folder)
        self._memory = Blocks(BLOCK)
        self._hasher: Hasher | None = None
        self._lock = threading.Lock()
        self._gaps: deque[tuple[int, int]] = deque()
        self._open_answers: set[Answer] = set()
        self._in_parts = False
        self._failure: BaseException | None = None
        self._version = Version(None)
        self._resumed = 0
        self._told_at = time.monotonic()

    @property
    def path(self) -> Path:
        """Where the file is in the end."""
        return self._partial.path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._partial.close()

    def discard(self) -> None:
        """Remove what has come, and nothing of a process that may work beside this one."""
        self._partial.discard()

    def run(self) -> Downloaded:
        """Fetch what is missing, verify the whole, and force it to the disk.

        Raises:
            VarloomError: what keeps the file from coming; it tells the URL without its secrets.
        """
        try:
            return self._run()
        except VarloomError as error:
            raise self._placed(error) from None
        finally:
            self._questions.close()

    def _run(self) -> Downloaded:
        kept = self._partial.resume(self._identity, self._tell_checked)
        first = self._first_gap(kept)
        answer = self._patiently(lambda: self._ask(first, None))
        try:
            self._settle_version(kept, answer)
            size, digests = self._fetch_and_hash(answer)
        finally:
            answer.drop()
        if size == 0:
            raise VarloomError(problems.DOWNLOAD_EMPTY, f"{self._source.name or 'The file'} has no bytes.")
        verified = self._verified(checksums_of(answer, self._source), digests)
        self._partial.sync()
        version = replace(self._version, size=size)
        return Downloaded(size, digests["sha256"], version, verified, self._resumed, file_name_of(answer))

    def _fetch_and_hash(self, answer: Answer) -> tuple[int, dict[str, str]]:
        """Fetch what is missing: the size of the whole, and its checksums in hexadecimal."""
        self._hasher = hasher = Hasher(self._partial, self._memory, checksums_of(answer, self._source))
        try:
            if not self._is_all_here:
                self._fetch_all(answer)
            self._tell()
            return hasher.finish(self._size, self._tell_checked)
        finally:
            hasher.stop()

    # --- Which version, and what is missing of it ---

    @property
    def _identity(self) -> str:
        """What stands for the URL in the journal: its address without a signature, as far as that can be told."""
        what = self._source.shown if self._source.key else self._source.url
        return hashlib.sha256(what.encode()).hexdigest()

    def _first_gap(self, kept: Version | None) -> tuple[int, int] | None:
        """The range to begin with; None asks for the whole file."""
        if kept is None or kept.size is None:
            return (0, PORTION)
        gaps = self._partial.missing(kept.size)
        return (gaps[0][0], min(gaps[0][1], gaps[0][0] + PORTION)) if gaps else (0, 1)

    def _settle_version(self, kept: Version | None, answer: Answer) -> None:
        """Go on with what is here if it is of the version that the source has now, else begin anew."""
        self._version = version = version_of(answer)
        self._check_size(version.size)
        if kept is not None and kept.is_same(version) and version.is_certain and answer.status == 206:
            self._resumed = self._partial.present
        else:
            self._partial.begin(self._identity, version)
        if version.size is not None:
            check_space(self._partial.path.parent, version.size - self._resumed, self._options.reserve)

    @property
    def _is_all_here(self) -> bool:
        return self._resumed > 0 and self._size is not None and not self._partial.missing(self._size)

    def _check_size(self, size: int | None) -> None:
        room = self._options.room
        if room is not None and size is not None and size > room:
            message = f"The file has {size:,} bytes or more; the account has room for {room:,} of its quota."
            raise VarloomError(QUOTA_EXCEEDED, message)
        most = self._options.most_bytes
        if most is not None and size is not None and size > most:
            raise VarloomError(
                problems.DOWNLOAD_TOO_LARGE, f"The file is larger than {most:,} bytes, the most allowed."
            )

    @property
    def _size(self) -> int | None:
        return self._version.size

    # --- Fetching ---

    def _fetch_all(self, answer: Answer) -> None:
        """Fetch every gap, several at a time where the source gives parts that can be told to belong together."""
        extent = extent_of(answer)
        self._in_parts = answer.status == 206 and self._version.is_certain
        if answer.status == 206 and not self._in_parts:  # nothing tells whether two parts are of one version
            answer.drop()
            answer = self._patiently(lambda: self._ask(None, None))
            self._settle_version(None, answer)
            extent = extent_of(answer)
        if self._in_parts and self._size is not None:
            gaps = _without(self._partial.missing(self._size), extent)
            self._gaps.extend(portion for gap in gaps for portion in _portions(gap))
        helpers = min(CONNECTIONS - 1, len(self._gaps))
        threads = [threading.Thread(target=self._work, args=(answer, extent), daemon=True)]
        threads += [threading.Thread(target=self._work, daemon=True) for _ in range(helpers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive():
                thread.join(REPORT_INTERVAL)
                self._tell()
        if self._failure is not None:
            raise self._failure

    def _tell(self) -> None:
        self._report(self._partial.present, self._size)

    def _tell_checked(self, done: int, total: int | None) -> None:
        """Show that it goes on where a large file is read, and nothing arrives."""
        if time.monotonic() - self._told_at > REPORT_INTERVAL:
            self._told_at = time.monotonic()
            self._report(done, total)

    def _work(self, answer: Answer | None = None, extent: Extent | None = None) -> None:
        """In a thread: take gaps until none is left, or something failed for good."""
        try:
            if answer is not None and extent is not None:
                self._take(answer, extent.start, extent.end)
            while self._failure is None and (gap := self._next_gap()) is not None:
                self._take(None, *gap)
        except BaseException as error:  # noqa: BLE001 - the thread that waits raises it
            self._fail(error)

    def _next_gap(self) -> tuple[int, int] | None:
        with self._lock:
            return self._gaps.popleft() if self._gaps else None

    def _fail(self, error: BaseException) -> None:
        """End all threads: none may write once the file is closed, and none shall wait for a silent source."""
        with self._lock:
            self._failure = self._failure or error
            open_answers = list(self._open_answers)
        for answer in open_answers:
            answer.interrupt()

    def _take(self, answer: Answer | None, start: int, end: int | None) -> None:
        """Bring one gap in, asking again for the rest as often as patience lasts."""
        at, patience = start, Patience(self._options.silence)
        while self._failure is None:
            try:
                if answer is None:
                    answer = self._ask((at, end or 0), self._version)
                for block in self._blocks(answer, at, end):
                    kept = self._keep(at, block)
                    at += kept
                    patience.renew(kept)
                    if self._failure is not None:
                        raise self._failure
                if end is None or at >= end:
                    return answer.end()
                failure = VarloomError(
                    problems.DOWNLOAD_INTERRUPTED, f"The connection to {self._source.host} broke off."
                )
            except NETWORK_ERRORS as error:
                failure = network_failure(error, self._source.host)
            except VarloomError as error:
                failure = error
            if answer is not None:
                answer.drop()
                answer = None
            if not self._in_parts or self._failure is not None:
                raise failure
            patience.wait(failure)
        return None

    def _keep(self, at: int, block: Block) -> int:
        check_space(self._partial.path.parent, BLOCK, self._options.reserve)
        written = self._partial.write(at, block.content)
        if self._hasher is not None:
            self._hasher.take(at, block)
        return written

    def _blocks(self, answer: Answer, start: int, end: int | None) -> Iterator[Block]:
        """The body in blocks of the journal; smaller ones where it comes slowly, and before it breaks off."""
        at = start
        with self._opened(answer):
            while end is None or at < end:
                block, begun_at = self._memory.take(), time.monotonic()
                while not block.is_full and (end is None or at < end):
                    try:
                        count = answer.read_into(block.room(READ if end is None else min(READ, end - at)))
                    except NETWORK_ERRORS:
                        if block.size:
                            yield block
                        raise
                    if not count:
                        break
                    self._arrived(at, block, count)
                    at += count
                    if time.monotonic() - begun_at > SLOW:
                        break
                if not block.size:
                    return
                yield block

    def _arrived(self, at: int, block: Block, count: int) -> None:
        """Look at bytes that came, and keep them within the share of the line."""
        if at == 0:
            refuse_page(bytes(block.room(min(count, FIRST_BYTES))), self._source)
        block.size += count
        self._check_size(at + count)
        self._pace.pass_by(count)

    @contextlib.contextmanager
    def _opened(self, answer: Answer) -> Iterator[None]:
        """Let the answer be interrupted while its body is read."""
        with self._lock:
            self._open_answers.add(answer)
            is_over = self._failure is not None
        if is_over:
            answer.interrupt()
        try:
            yield
        finally:
            with self._lock:
                self._open_answers.discard(answer)

    def _ask(self, gap: tuple[int, int] | None, version: Version | None) -> Answer:
        """Ask for a range, or for the whole file; of this version, if one is given."""
        try:
            return self._questions.ask(gap, version)
        except VarloomError as error:
            if error.kind is problems.DOWNLOAD_SOURCE_CHANGED:
                self._partial.discard()
            raise

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Ask, again and again as long as patience lasts."""
        patience = Patience(self._options.silence)
        while True:
            try:
                return ask()
            except NETWORK_ERRORS as error:
                patience.wait(network_failure(error, self._source.host))
            except VarloomError as error:
                patience.wait(error)

    # --- The end ---

    def _verified(self, checksums: tuple[Checksum, ...], digests: dict[str, str]) -> tuple[Checksum, ...]:
        """The checksums of the source that agree; one that does not refuses the file."""
        known = tuple(one for one in checksums if one.algorithm in digests)
        for one in known:
            if digests[one.algorithm] != one.value:
                self._partial.discard()
                raise VarloomError(
                    problems.DOWNLOAD_DAMAGED,
                    f"The source tells the {one.algorithm} {one.value}; what arrived has {digests[one.algorithm]}.",
                )
        return known

    def _placed(self, error: VarloomError) -> VarloomError:
        """The error with the URL as it may be shown."""
        error.place = error.place._replace(url=self._source.shown)
        return error


def _without(gaps: list[tuple[int, int]], extent: Extent) -> list[tuple[int, int]]:
    """The gaps without what an answer that is there already brings."""
    begin, end = extent.start, extent.start if extent.end is None else extent.end
    pieces = [piece for start, stop in gaps for piece in ((start, min(stop, begin)), (max(start, end), stop))]
    return [(start, stop) for start, stop in pieces if start < stop]


def _portions(gap: tuple[int, int]) -> list[tuple[int, int]]:
    """A gap in portions."""
    start, end = gap
    return [(at, min(end, at + PORTION)) for at in range(start, end, PORTION)]
