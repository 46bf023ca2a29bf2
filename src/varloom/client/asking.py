"""What a request says: options, questions about a table, and names of samples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias
from uuid import UUID

from varloom.client.problems import PROJECT_AMBIGUOUS, PROJECT_UNKNOWN, SAMPLE_AMBIGUOUS, SAMPLE_UNKNOWN
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from varloom.client.models import Dataset, Job, Project, Sample

Source: TypeAlias = str | Path | bytes | BinaryIO
"""A path, a URL, bytes, or an open binary file."""

NAME_LIMIT = 200
FORMATS = ("csv", "tsv", "jsonl", "parquet")


def id_of(thing: Job | Sample | Dataset | Project | UUID | str) -> str:
    """The id of something that is told by it or is it."""
    return str(thing if isinstance(thing, (UUID, str)) else thing.id)


def is_id(text: str) -> bool:
    """Whether a text is a UUID."""
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def only_sample(wanted: str, found: Sequence[Sample]) -> Sample:
    """The one sample with a name, an own one before a shared one. Raises `sample_unknown` or `sample_ambiguous`."""
    named = [sample for sample in found if sample.name == wanted]
    named = [sample for sample in named if sample.shared_by is None] or named
    shown = safe_excerpt(wanted, 60)
    if not named:
        raise VarloomError(SAMPLE_UNKNOWN, f"No sample has the name {shown!r}.")
    if len(named) > 1:
        raise VarloomError(SAMPLE_AMBIGUOUS, f"{len(named)} samples have the name {shown!r}.")
    return named[0]


def only_project(wanted: str, found: Sequence[Project]) -> Project:
    """The one project with a name, capitals aside. Raises `project_unknown` or `project_ambiguous`."""
    named = [project for project in found if project.name.lower() == wanted.strip().lower()]
    shown = safe_excerpt(wanted, 60)
    if not named:
        raise VarloomError(PROJECT_UNKNOWN, f"The account is a member of no project with the name {shown!r}.")
    if len(named) > 1:
        raise VarloomError(PROJECT_AMBIGUOUS, f"{len(named)} projects have the name {shown!r}.")
    return named[0]


def given(**parameters: Any) -> dict[str, Any]:
    """The parameters that are not None."""
    return {name: value for name, value in parameters.items() if value is not None}


def fields_of(options: Mapping[str, Any]) -> dict[str, str]:
    """Options as the fields of a form: those that are neither None nor False."""
    asked = {name: value for name, value in options.items() if value is not None and value is not False}
    return {name: "true" if value is True else str(value) for name, value in asked.items()}


def question(
    where: str | None,
    columns: Iterable[str] | None,
    sort: str | Iterable[str] | None,
    dataset: Dataset | UUID | str | None,
    view: str | None,
) -> dict[str, Any]:
    """The parameters of a question about a table."""
    return given(
        filter=where,
        columns=None if columns is None else ",".join(_quoted(name) for name in columns),
        sort=sort if sort is None or isinstance(sort, str) else ",".join(_sorted_by(name) for name in sort),
        dataset=None if dataset is None else id_of(dataset),
        view=view,
    )


def _sorted_by(name: str) -> str:
    return f"-{_quoted(name[1:])}" if name.startswith("-") else _quoted(name)


def _quoted(name: str) -> str:
    """A column's name as lists of names need it."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def file_format(chosen: str | None, path_name: str) -> str:
    """The format of an export: the chosen one, else what the file's name says, else CSV."""
    extension = path_name.rpartition(".")[2].lower()
    return chosen or (extension if extension in FORMATS else FORMATS[0])


def is_url(source: str) -> bool:
    """Whether the server fetches it."""
    return "://" in source


def name_of(source: Source) -> str:
    """What a source is called."""
    if isinstance(source, bytes):
        return "upload"
    told = source if isinstance(source, (str, Path)) else getattr(source, "name", None)
    return Path(told).name if isinstance(told, (str, Path)) else "upload"
