"""`varloom submit --manifest`: all lines of a manifest become jobs. Files are uploaded from here, URLs handed over."""

from __future__ import annotations

import hashlib
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

import click

from varloom.cli.connection import told_problem
from varloom.cli.output import describe, print_error
from varloom.cli.problems import SERVER_UNREACHABLE, SOURCE_UNREADABLE
from varloom.cli.readable_file import STDIN, standard_input
from varloom.cli.sending import check_readable, send_together
from varloom.errors import Problem, VarloomError, safe_excerpt
from varloom.services.manifest_lines import (
    MOST_BYTES,
    MOST_TOLD,
    OPTION_COLUMNS,
    faults,
    parse_manifest,
    too_many_bytes,
)
from varloom.services.problems import MANIFEST_LINES_INVALID, MANIFEST_VALUE_INVALID

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from varloom.cli.connection import Server
    from varloom.services.manifest_lines import Manifest, ManifestLine

    Job = dict[str, Any]

_CSV = {"Content-Type": "text/csv"}
_PAUSES = (0.5, 1.0, 2.0, 4.0)
"""Seconds between the tries while the server does not answer. The key makes no second set of jobs of them."""


@dataclass(slots=True)
class Submission:
    """What became of a manifest: `created` jobs with the line of each, and what was left out."""

    created: list[Job] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    complete: bool = True


class ManifestSubmission:
    """One manifest on its way. Use it once.

    Args:
        path: of the manifest, or `-`; paths in its lines are relative to its folder.
        defaults: values of options for the lines that leave them out.
        key: the same one makes no second set of jobs; unset: a new one.
        skip_faulty: whether faulty lines are left out, rather than nothing being sent.
    """

    def __init__(self, path: str, defaults: Mapping[str, str], key: str | None, *, skip_faulty: bool) -> None:
        self._folder = Path() if path == STDIN else Path(path).parent
        self._content = _read(path)
        self._defaults = {name: value for name, value in defaults.items() if name in OPTION_COLUMNS}
        self._key = key or secrets.token_hex(16)
        self._skip = skip_faulty
        self._manifest: Manifest = parse_manifest(self._content, self._defaults, paths_allowed=True)
        self._files, unreadable = self._readable_files()
        self._problems = [*self._manifest.problems, *unreadable]
        self._urls = [line for line in self._manifest.lines if not line.is_local]

    def send(self, server: Server, done: Submission) -> None:
        """Hand the URLs over, all of them or none, then upload the files one after the other.

        Args:
            server: where to.
            done: is told each job as soon as there is one.

        Raises:
            VarloomError: `manifest_lines_invalid` with all faults, before anything is created; or whatever keeps the
                server from taking more.
        """
        if self._problems and not self._skip:
            raise self._refusal([*self._problems, *self._faults_of_urls(server)])
        done.problems.extend(self._problems)
        if self._urls:
            self._hand_over(server, done)
        if self._skip and not self._files and not done.created:
            raise self._refusal(done.problems)
        for line in self._files:
            self._upload(server, line, done)
        done.complete = done.complete and not done.problems

    def _readable_files(self) -> tuple[list[ManifestLine], list[Problem]]:
        """The lines that name a file, each one looked at before anything is sent."""
        files, problems = [], []
        for line in self._manifest.lines:
            if not line.is_local:
                continue
            try:
                for path in line.urls:
                    check_readable(str(self._folder / path))
            except VarloomError as error:
                place = self._manifest.place(line.number, "url")
                problems.append(Problem(SOURCE_UNREADABLE, error.message, place=place))
                continue
            if line.options.credential is not None:
                place = self._manifest.place(line.number, "credential")
                message = "A credential is for files from a URL; this one is sent."
                problems.append(Problem(MANIFEST_VALUE_INVALID, message, place=place))
                continue
            files.append(line)
        return files, problems

    def _faults_of_urls(self, server: Server) -> list[Problem]:
        """What the server finds wrong with the URLs, so that all faults are told at once."""
        if not self._urls:
            return []
        found = server.request("POST", "/manifests/preflight", content=self._for_the_server(), **self._asked())
        return [told_problem(problem) for problem in found["problems"]]

    def _hand_over(self, server: Server, done: Submission) -> None:
        try:
            made = self._posted(server)
        except VarloomError as error:
            if error.code != MANIFEST_LINES_INVALID.code or not self._skip:
                raise
            done.problems.extend(error.problems)  # none of the URLs can be loaded; the files may be
            return
        done.created.extend(made["jobs"])
        done.problems.extend(told_problem(problem) for problem in made["problems"])

    def _posted(self, server: Server) -> dict[str, Any]:
        asked = self._asked()
        asked["headers"] = {**_CSV, "Idempotency-Key": self._key}
        asked["params"] = {**asked["params"], "skip_faulty": str(self._skip).lower()}
        for pause in (*_PAUSES, None):
            try:
                made: dict[str, Any] = server.request("POST", "/manifests", content=self._for_the_server(), **asked)
            except VarloomError as error:
                if error.code != SERVER_UNREACHABLE.code or pause is None:
                    raise
                time.sleep(pause)
                server.find_again()
            else:
                return made
        raise AssertionError("the last try answers or raises")

    def _asked(self) -> dict[str, Any]:
        return {"headers": _CSV, "params": self._defaults, "timeout": 120}

    def _for_the_server(self) -> bytes:
        """The manifest with blank lines instead of those that are not for the server; all others keep their number."""
        wanted = {line.number for line in self._urls}
        return self._manifest.text_of(wanted).encode()

    def _upload(self, server: Server, line: ManifestLine, done: Submission) -> None:
        """Upload one file; one that is refused keeps no other back."""
        options: dict[str, Any] = {
            "assembly": line.options.assembly,
            "annotate": line.options.annotate,
            "priority": line.priority or None,
        }
        if line.options.reads:
            chosen = {
                name: getattr(line.options, name)
                for name in ("reference", "caller", "engine", "alignment_format", "sex_chromosomes")
            }
            options |= {"reads": "true", **chosen}
        fields = {name: str(value) for name, value in options.items() if value is not None}
        if line.options.split_by_sample:
            fields["split_by_sample"] = "true"
        if line.options.pgx:
            fields["pgx"] = "true"
        if line.options.reference_sites_listed:
            fields["reference_sites_listed"] = "true"
        if line.sample_name is not None:
            fields["sample_name"] = line.sample_name
        key = hashlib.sha256(f"{self._key}:{line.number}".encode()).hexdigest()
        try:
            job = send_together(server, [str(self._folder / path) for path in line.urls], fields, key)
        except VarloomError as error:
            if error.code in {SERVER_UNREACHABLE.code, "not_authenticated", "storage_full"}:
                raise
            told = error.as_dict()
            print_error({**told, "title": f"Line {line.number:,}, {safe_excerpt(line.url)}: {told['title']}"})
            done.complete = False
            return
        done.created.append({**job, "line": line.number})

    def _refusal(self, problems: Sequence[Problem]) -> VarloomError:
        ordered = sorted(problems, key=lambda one: (one.place.line or 0, one.place.column or 0))
        faulty = {problem.place.line for problem in problems}
        good = [line for line in (*self._files, *self._urls) if line.number not in faulty]
        return faults(ordered, len(faulty) + len(good))


def is_refusal(error: BaseException) -> TypeGuard[VarloomError]:
    """Whether it tells of faulty lines."""
    return isinstance(error, VarloomError) and error.code == MANIFEST_LINES_INVALID.code


def print_faults(problems: Iterable[Mapping[str, Any]]) -> None:
    """Faults with their places, and below them how each kind of them is mended, on the standard error."""
    told = list(problems)
    for problem in told:
        click.echo(
            f"  {_where(problem)}: {describe({**problem, 'line': None, 'column': None, 'field': None})}", err=True
        )
    for step in dict.fromkeys(step for problem in told for step in problem["resolution"]):
        click.echo(f"  - {step}", err=True)


def print_refusal(error: VarloomError) -> None:
    """A manifest that was refused: all faults that are told of it."""
    click.echo(f"{error.kind.title}: {error.message}", err=True)
    print_faults(problem.as_dict() for problem in error.problems)


def print_left_out(problems: Sequence[Problem]) -> None:
    """The lines that were left out, since that was asked for."""
    ordered = sorted(problems, key=lambda one: (one.place.line or 0, one.place.column or 0))
    click.echo("Left out:", err=True)
    print_faults(problem.as_dict() for problem in ordered[:MOST_TOLD])


def _where(problem: Mapping[str, Any]) -> str:
    where = f"line {problem['line']:,}" if problem["line"] else "the manifest"
    if problem["column"]:
        where += f", column {problem['column']}"
    return where + (f" ({problem['field']})" if problem["field"] else "")


def _read(path: str) -> bytes:
    """The whole manifest, unless it is larger than any."""
    try:
        if path == STDIN:
            with standard_input() as file:
                content = file.read(MOST_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise VarloomError(SOURCE_UNREADABLE, f"{path}: {error.strerror}.") from None
    if len(content) > MOST_BYTES:
        raise too_many_bytes()
    return content
