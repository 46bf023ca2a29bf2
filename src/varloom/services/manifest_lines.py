"""Reading a manifest: a text of lines, each with a URL and what is wanted of its file. No database, no network.

A record is one line, so that each fault has the line in which an editor shows it. Nothing of a cell that could be a
secret is repeated: a URL may carry one, and may stand in the wrong column.
"""

from __future__ import annotations

import codecs
import csv
import re
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.errors import Place, Problem, VarloomError, counted, safe_excerpt
from varloom.services.names import checked_sample_name
from varloom.services.options import JobOptions, parse_options, parse_priority, refuse_strange_caller
from varloom.services.problems import (
    MANIFEST_HEADER_INVALID,
    MANIFEST_LINE_MALFORMED,
    MANIFEST_LINE_REPEATED,
    MANIFEST_LINES_INVALID,
    MANIFEST_SOURCE_LOCAL,
    MANIFEST_TOO_LARGE,
    MANIFEST_UNREADABLE,
    MANIFEST_VALUE_INVALID,
)
from varloom.services.read_files import MOST_FILES, any_are_reads

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from varloom.errors import ErrorKind

MOST_LINES = 10_000
"""Lines with a URL in one manifest."""
MOST_BYTES = 32 * 1024 * 1024
"""Of a whole manifest: 10,000 presigned URLs have about 20 MB."""
MOST_BESIDE = 100_000
"""Lines at all, blank ones and comments among them."""
LONGEST_LINE = 65_536
"""Characters: eight times the longest URL."""
MOST_TOLD = 50
"""So many faults are told at once."""

URL = "url"
URL2 = "url2"
OPTION_COLUMNS = (
    "assembly",
    "annotate",
    "split_by_sample",
    "reads",
    "reference",
    "caller",
    "engine",
    "alignment_format",
    "sex_chromosomes",
    "pgx",
    "reference_sites_listed",
    "credential",
    "priority",
)
COLUMNS = (URL, URL2, "sample_name", *OPTION_COLUMNS)
SYNONYMS: Mapping[str, str] = {"name": "sample_name"}

_VALUES: Mapping[str, tuple[str, ...]] = {
    URL: ("Give the line a URL, or remove it.",),
    "sample_name": ("Give the sample a name, or leave the cell empty: then the file's name gives one.",),
    "assembly": ("Give `assembly` the value GRCh38 or GRCh37, or leave the cell empty.",),
    "annotate": ("Give `annotate` the value none, small or structural, or leave the cell empty.",),
    "reads": ("Give `reads` the value yes or no, or leave the cell empty: then the file's name tells.",),
    "reference": ("Give `reference` the name of an installed genome, or leave the cell empty.",),
    "caller": ("Give `caller` the value bcftools, haplotypecaller or deepvariant, or leave the cell empty.",),
    "engine": ("Give `engine` the value auto, cpu or parabricks, or leave the cell empty.",),
    "alignment_format": ("Give `alignment_format` the value bam or cram, or leave the cell empty.",),
    "sex_chromosomes": ("Give `sex_chromosomes` the value auto, xx or xy, or leave the cell empty.",),
    "pgx": ("Give `pgx` the value yes or no, or leave the cell empty.",),
    "reference_sites_listed": ("Give `reference_sites_listed` the value yes or no, or leave the cell empty.",),
    "split_by_sample": ("Give `split_by_sample` the value yes or no, or leave the cell empty.",),
    "credential": ("Give `credential` the name of a stored credential, or leave the cell empty.",),
    "priority": ("Give `priority` a whole number from -1000 to 1000, or leave the cell empty.",),
}
"""What mends a wrong value of each column."""

_NEXT_URL = re.compile(r"\s+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
_LINE_ENDS = re.compile(r"\r\n|\n|\r")
_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_DELIMITERS = "\t;,"
"""Of which the first that stands in the header is the manifest's; URLs hold commas more often than semicolons."""


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """One line that can become a job, as far as the manifest itself tells.

    Attributes:
        url: a path where those are allowed.
        further: the other files, where several are the reads of one sample.
    """

    number: int
    url: str
    sample_name: str | None
    options: JobOptions
    priority: int
    further: tuple[str, ...] = ()

    @property
    def urls(self) -> tuple[str, ...]:
        """Of all files."""
        return (self.url, *self.further)

    @property
    def is_local(self) -> bool:
        """Whether it names a file by its path."""
        return is_path(self.url)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What was read.

    Attributes:
        lines: those without a fault, in the order in which they stand there.
        problems: the faults of the others, by line and column.
        columns: where each column stands, from 1, and what the header calls it.
        texts: the header and every line below it as they stand there, by number.
    """

    lines: tuple[ManifestLine, ...]
    problems: tuple[Problem, ...]
    columns: Mapping[str, tuple[int, str]]
    texts: Mapping[int, str] = field(repr=False)

    def text_of(self, numbers: Collection[int]) -> str:
        """A manifest of the same header and some of the lines, each with the number that it has here."""
        header = min(self.texts)
        last = max(self.texts)
        return "\n".join(
            self.texts[number] if number == header or number in numbers else "" for number in range(1, last + 1)
        )

    def place(self, number: int, column: str) -> Place:
        """Where a cell stands."""
        return _place(self.columns, number, column)


class _Row(NamedTuple):
    """A line of text that is neither blank nor a comment."""

    number: int
    text: str


def parse_manifest(
    content: bytes, defaults: Mapping[str, str] | None = None, *, paths_allowed: bool = False
) -> Manifest:
    """Read a manifest. Faults of single lines are gathered, not raised.

    Args:
        content: the whole of it.
        defaults: values of options for the lines that leave them out.
        paths_allowed: whether a line may name a file by its path, as the command line allows it.

    Raises:
        VarloomError: `manifest_unreadable`, `manifest_header_invalid`, `manifest_too_large`; `request_invalid` for a
            default that cannot be one.
    """
    if len(content) > MOST_BYTES:
        raise too_many_bytes()
    rows = _rows(_decoded(content))
    header = next(rows, None)
    if header is None:
        raise VarloomError(MANIFEST_UNREADABLE, "The manifest has no lines.")
    delimiter = next((one for one in _DELIMITERS if one in header.text), "\t")
    columns = _columns(header, delimiter)
    body = list(islice(rows, MOST_LINES))
    if next(rows, None) is not None:
        message = f"The manifest has more than {MOST_LINES:,} lines, the most that are taken at once."
        raise VarloomError(MANIFEST_TOO_LARGE, message)
    if not body:
        raise VarloomError(MANIFEST_UNREADABLE, "The manifest has a header and no lines below it.")
    lines, problems = _Reading(delimiter, columns, defaults or {}, paths_allowed=paths_allowed).read(body)
    return Manifest(lines, problems, columns, {row.number: row.text for row in (header, *body)})


def too_many_bytes() -> VarloomError:
    """What is said to a manifest that is too large."""
    return VarloomError(MANIFEST_TOO_LARGE, f"The manifest has more than {MOST_BYTES:,} bytes.")


def faults(problems: Sequence[Problem], lines: int, *, nothing: str = "Nothing was created.") -> VarloomError:
    """The refusal of a manifest for its faulty lines.

    Args:
        problems: all faults.
        lines: how many lines the manifest has.
        nothing: what did not happen.
    """
    first = problems[0]
    more = len({problem.place.line for problem in problems})
    told = f"{counted(len(problems), 'fault')} in {more:,} of {counted(lines, 'line')}. {nothing}"
    if len(problems) > MOST_TOLD:
        told += f" The first {MOST_TOLD} are told."
    return VarloomError(MANIFEST_LINES_INVALID, told, first.place, problems=tuple(problems[:MOST_TOLD]))


def is_path(url: str) -> bool:
    """Whether a text names a file of a machine rather than a URL."""
    scheme, separator, _ = url.partition("://")
    return not separator or scheme.lower() == "file" or "/" in scheme


def _decoded(content: bytes) -> str:
    encoding, start = next(((name, len(bom)) for bom, name in _BOMS if content.startswith(bom)), ("utf-8", 0))
    try:
        text = content[start:].decode(encoding)
    except UnicodeDecodeError as error:
        before = content[start : start + error.start].decode(encoding, "replace")
        number = len(_LINE_ENDS.findall(before)) + 1
        raise VarloomError(MANIFEST_UNREADABLE, f"Line {number:,} is not UTF-8 text.", Place(number)) from None
    if "\0" in text:
        raise VarloomError(MANIFEST_UNREADABLE, "The manifest holds NUL bytes: it is no text.")
    return text


def _rows(text: str) -> Iterator[_Row]:
    for number, line in enumerate(_lines(text), 1):
        if number > MOST_BESIDE:
            message = f"The manifest has more than {MOST_BESIDE:,} lines, blank ones and comments among them."
            raise VarloomError(MANIFEST_TOO_LARGE, message)
        bare = line.strip()
        if bare.strip(_DELIMITERS + " ") and not bare.startswith("#"):
            yield _Row(number, line)


def _lines(text: str) -> Iterator[str]:
    """One after the other: of millions no list is made before it is seen that they are too many."""
    start = 0
    for end in _LINE_ENDS.finditer(text):
        yield text[start : end.start()]
        start = end.end()
    yield text[start:]


def _cells(text: str, delimiter: str) -> list[str]:
    """The cells of a line. Raises csv.Error for quotation marks that do not match, and for a line without end."""
    if len(text) > LONGEST_LINE:
        raise csv.Error
    return [cell.strip() for cell in next(csv.reader([text], delimiter=delimiter, strict=True))]


def _columns(header: _Row, delimiter: str) -> dict[str, tuple[int, str]]:
    """Where each column stands."""
    place = Place(header.number)
    if "://" in header.text:
        message = "The first line is a URL; it should name the columns."
        raise VarloomError(MANIFEST_HEADER_INVALID, message, place, ("Put a line `url` before the first URL.",))
    try:
        names = _cells(header.text, delimiter)
    except csv.Error:
        message = f"A quotation mark is not closed, or the line is longer than {LONGEST_LINE:,} characters."
        raise VarloomError(MANIFEST_HEADER_INVALID, message, place) from None
    while names and not names[-1]:
        names.pop()
    known: dict[str, tuple[int, str]] = {}
    problems = []
    for at, name in enumerate(names, 1):
        plain = re.sub(r"[\s-]+", "_", name.lower())
        column = SYNONYMS.get(plain, plain)
        where = Place(header.number, at, safe_excerpt(name, 60))
        if column not in COLUMNS:
            message = f"There is no column {safe_excerpt(name, 60)!r}." if name else "The column has no name."
            problems.append(Problem(MANIFEST_HEADER_INVALID, message, place=where))
        elif column in known:
            message = f"{safe_excerpt(name, 60)!r} and {known[column][1]!r} are the same column."
            problems.append(Problem(MANIFEST_HEADER_INVALID, message, place=where))
        else:
            known[column] = (at, name)
    if not problems and URL not in known:
        problems.append(Problem(MANIFEST_HEADER_INVALID, "There is no column 'url'.", place=place))
    if problems:
        first = problems[0]
        raise VarloomError(
            MANIFEST_HEADER_INVALID, first.message, first.place, problems=tuple(problems[1 : MOST_TOLD + 1])
        )
    return known


def _is_beside(column: str, url: str) -> bool:
    """Whether the column concerns URLs alone, and the line names a file by its path."""
    return column == "credential" and is_path(url)


class _Reading:
    """Reads the lines below the header."""

    def __init__(
        self,
        delimiter: str,
        columns: Mapping[str, tuple[int, str]],
        defaults: Mapping[str, str],
        *,
        paths_allowed: bool,
    ) -> None:
        self._delimiter = delimiter
        self._columns = columns
        self._width = max(at for at, _ in columns.values())
        self._paths_allowed = paths_allowed
        self._defaults = {name: defaults[name] for name in OPTION_COLUMNS if defaults.get(name)}
        self._known: dict[tuple[str, str], Any] = {}
        for name, value in self._defaults.items():
            self._value(name, value)
        self._seen: dict[tuple[str | None, ...], int] = {}
        self._problems: list[Problem] = []

    def read(self, rows: Sequence[_Row]) -> tuple[tuple[ManifestLine, ...], tuple[Problem, ...]]:
        """The lines without a fault, and the faults of the others."""
        lines = tuple(line for row in rows if (line := self._line(row)) is not None)
        return lines, tuple(self._problems)

    def _line(self, row: _Row) -> ManifestLine | None:
        before = len(self._problems)
        cells = self._checked_cells(row)
        if cells is None:
            return None
        fault = partial(self._fault, row.number)
        urls = self._urls(cells, fault)
        url = urls[0] if urls else ""
        name = self._sample_name(row.number, cells.get("sample_name", ""))
        values = {
            column: self._cell(row.number, column, cells.get(column, ""), use_default=not _is_beside(column, url))
            for column in OPTION_COLUMNS
        }
        if len(self._problems) > before:
            return None
        first = self._seen.setdefault((*urls, name), row.number)
        if first != row.number:
            fault(URL, MANIFEST_LINE_REPEATED, f"It is the same as line {first:,}.")
            return None
        priority = values.pop("priority")
        given = {column: value for column, value in values.items() if value is not None}
        options = JobOptions(**{"reads": any_are_reads(map(_path_of, urls)), **given})
        if len(urls) > 1 and not options.reads:
            fault(URL, MANIFEST_VALUE_INVALID, "Several files make one job only as reads: FASTQ, BAM or CRAM.")
            return None
        try:
            refuse_strange_caller(options.engine, options.caller)
        except VarloomError as error:
            fault("caller", MANIFEST_VALUE_INVALID, _without_name(error.message))
            return None
        return ManifestLine(row.number, url, name, options, priority or 0, tuple(urls[1:]))

    def _urls(self, cells: Mapping[str, str], fault: Callable[[str, ErrorKind, str], None]) -> list[str]:
        """The files of a line: a cell may hold several URLs with spaces between them."""
        found = []
        for column in (URL, URL2):
            text = cells.get(column, "")
            urls = _NEXT_URL.split(text) if text else []
            if not urls and column == URL:
                fault(column, MANIFEST_VALUE_INVALID, "The line has no URL.")
            if any(is_path(url) and (not self._paths_allowed or url.lower().startswith("file:")) for url in urls):
                fault(column, MANIFEST_SOURCE_LOCAL, "It is no URL: the server reads no files by their path.")
            found += urls
        if len(found) > MOST_FILES:
            fault(URL, MANIFEST_VALUE_INVALID, f"A job takes at most {MOST_FILES} files.")
        return found

    def _checked_cells(self, row: _Row) -> dict[str, str] | None:
        """The cells by column; None if the line does not match the header."""
        try:
            cells = _cells(row.text, self._delimiter)
        except csv.Error:
            message = "A quotation mark does not match another."
            if len(row.text) > LONGEST_LINE:
                message = f"The line is longer than {LONGEST_LINE:,} characters."
            self._fault(row.number, None, MANIFEST_LINE_MALFORMED, message)
            return None
        while len(cells) > self._width and not cells[-1]:
            cells.pop()
        if len(cells) != self._width:
            message = f"The line has {counted(len(cells), 'cell')}, the header {counted(self._width, 'column')}."
            self._fault(row.number, None, MANIFEST_LINE_MALFORMED, message)
            return None
        return {column: cells[at - 1] for column, (at, _) in self._columns.items()}

    def _sample_name(self, number: int, text: str) -> str | None:
        if not text:
            return None
        if "://" in text:
            self._fault(number, "sample_name", MANIFEST_VALUE_INVALID, "The name is a URL.")
            return None
        try:
            return checked_sample_name(text)
        except VarloomError as error:
            self._fault(number, "sample_name", error.kind, error.message)
            return None

    def _cell(self, number: int, column: str, text: str, *, use_default: bool) -> Any:
        """The value of an option, or the one for all lines; None if neither says anything."""
        try:
            if text:
                return self._value(column, text)
            return self._value(column, self._defaults[column]) if use_default and column in self._defaults else None
        except VarloomError as error:
            self._fault(number, column, MANIFEST_VALUE_INVALID, _without_name(error.message))
            return None

    def _value(self, column: str, text: str) -> Any:
        """The value that a text stands for; thousands of lines have the same."""
        key = (column, text)
        if key not in self._known:
            self._known[key] = _value_of(column, text)
        return self._known[key]

    def _fault(self, number: int, column: str | None, kind: ErrorKind, message: str) -> None:
        place = Place(number) if column is None else _place(self._columns, number, column)
        steps = _VALUES.get(column or "", ()) if kind is MANIFEST_VALUE_INVALID else ()
        self._problems.append(Problem(kind, message, place=place, resolution=steps))


def _place(columns: Mapping[str, tuple[int, str]], number: int, column: str) -> Place:
    """Where a cell stands; a value that was asked for all lines stands in no column."""
    at, name = columns.get(column, (None, column))
    return Place(number, at, name)


def _path_of(url: str) -> str:
    """A URL without what follows its path; a file's name is its end."""
    return url.partition("?")[0].partition("#")[0]


def _without_name(message: str) -> str:
    """What is wrong with a value; the place says which."""
    told = re.sub(r"^[a-z_]+: ", "", message)
    return told[:1].upper() + told[1:]


def _value_of(column: str, text: str) -> Any:
    """The value of an option. Raises the errors of `parse_options`, in which no URL is repeated."""
    if "://" in text:
        raise VarloomError(MANIFEST_VALUE_INVALID, "The cell holds a URL.")
    return parse_priority(text) if column == "priority" else getattr(parse_options({column: text}), column)
