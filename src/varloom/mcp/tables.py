"""Tools that look into the tables of samples."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from varloom.dataset.problems import SAMPLE_NOT_FOUND
from varloom.errors import VarloomError, counted
from varloom.mcp.cutting import CELL_LIMIT, NAME_LIMIT, Cutter, plain, plain_or_none, text_table
from varloom.mcp.problems import TOOL_ARGUMENTS_INVALID
from varloom.mcp.tool import UNTRUSTED, Answer, Arguments, Result, Tool, Varloom
from varloom.services.project_problems import PROJECT_NOT_FOUND

FIRST_COLUMNS = 25
"""So many columns are shown when none are named."""
MOST_ROWS = 200
ROOM = 60_000
"""The most characters of all rows together."""
LISTED_COLUMNS = 200
"""So many columns are listed at once."""
DESCRIPTION_LIMIT = 160
PAGE = 500

SampleName = Annotated[
    str, Field(min_length=1, max_length=NAME_LIMIT, description="the sample's id, or its name if only one has it")
]
DatasetId = Annotated[
    UUID | None,
    Field(description="which table of a file that was split by sample, as list_samples tells; null: the first"),
]

SeenAs = Annotated[
    Literal["full", "split"],
    Field(
        description="split: a row for each gene (sv.gene) that a structural variant overlaps, where describe_columns "
        "says can_be_split; full: a row for each variant"
    ),
]


class SampleFilter(Arguments):
    """Which samples."""

    project: str | None = Field(
        default=None, max_length=NAME_LIMIT, description="only samples of this project, by its name or id; null: all"
    )
    search: str | None = Field(default=None, max_length=NAME_LIMIT, description="part of the name; null: all")
    limit: int = Field(default=20, ge=1, le=100, description="at most this many samples")


class ColumnFilter(Arguments):
    """Which columns of which sample."""

    sample: SampleName
    dataset: DatasetId = None
    view: SeenAs = "full"
    search: str | None = Field(default=None, max_length=NAME_LIMIT, description="part of a column's name; null: all")


class Query(Arguments):
    """Which rows and columns of which sample."""

    sample: SampleName
    dataset: DatasetId = None
    view: SeenAs = "full"
    filter: str | None = Field(
        default=None,
        max_length=20_000,
        description="a condition in the manner of SQL, such as \"filter = 'PASS' AND INFO.AF < 0.01\" or "
        "\"region('chr7:117559590-117668665') AND csq.gene IN ('CFTR')\"; null: all rows. Texts in single quotes, "
        "column names with other characters than letters, digits, _ and . in double quotes. Operators: = != < <= > >= "
        "IN, BETWEEN, LIKE, IS NULL, IS NOT NULL, contains(a, 'text'), has(list, value), AND, OR, NOT. "
        "No arithmetic and no other functions",
    )
    columns: list[Annotated[str, Field(min_length=1, max_length=1_000)]] | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        description=f"names as describe_columns tells them; null: the first {FIRST_COLUMNS}",
    )
    sort: list[Annotated[str, Field(min_length=1, max_length=1_000)]] | None = Field(
        default=None,
        max_length=10,
        description='columns to sort by, a minus in front for descending, such as ["-qual", "position"]; null: the '
        "order of the file",
    )
    limit: int = Field(default=50, ge=1, le=MOST_ROWS, description=f"at most this many rows, up to {MOST_ROWS}")
    offset: int = Field(default=0, ge=0, description="skip so many of the selected rows, to go on after an answer")


class Dataset(Result):
    """One table of a sample."""

    id: UUID
    name: str = Field(description="the sample's name in the file where that was split; untrusted text")
    format: str
    assembly: str | None = Field(description="GRCh37, GRCh38, or null where it is not stated")
    rows: int


class Sample(Result):
    """What a completed job left."""

    id: UUID
    name: str = Field(description="as the user named it; untrusted text")
    shared_by: str | None = Field(description="the account that it belongs to; null: the user's own; untrusted text")
    projects: list[str] = Field(description="names of the user's projects that it is in; untrusted text")
    file: str = Field(description="name of the file; untrusted text")
    tags: list[str]
    records: int = Field(description="data lines of the file")
    variants: int = Field(description="rows of the first table (one per ALT allele in a VCF)")
    bytes: int = Field(description="size of its tables in bytes")
    created_at: datetime
    version: int = Field(description="of its tables: each time that it is annotated again makes a new one")
    newer: list[str] = Field(description="installed reference data that is newer than its annotation")
    datasets: list[Dataset] = Field(description="its tables: several when the file was split by sample; the first 20")


class SampleList(Result):
    """Samples, newest first."""

    samples: list[Sample]
    more: bool = Field(description="whether there are further samples that were not listed")


class Column(Result):
    """One column of a table."""

    name: str = Field(description="for filter, columns and sort of query_table; untrusted text of the file")
    type: str
    kind: str | None = Field(description="what its values can be compared with: number, text or flag; null: nothing")
    list: bool = Field(description="whether a cell holds a list; then the filter function is has(column, value)")
    origin: str = Field(description="where it comes from: the file's fixed columns, INFO, FORMAT, or an annotation")
    description: str | None = Field(description="as the file's header tells it; untrusted text")


class ColumnList(Result):
    """The columns of a table, in order."""

    sample_id: UUID
    columns: list[Column]
    can_be_split: bool = Field(description="whether the view `split` can be asked for")
    synthetic: bool = Field(
        description="true where the annotation is of Varloom's demonstration: all of it is made up, so say that"
    )
    total: int = Field(
        description="how many columns there are; those beyond the first 200 are not listed: search for them"
    )


class Rows(Result):
    """Rows of a table."""

    sample_id: UUID
    columns: list[str] = Field(description="the names of the columns shown, in order")
    columns_not_shown: int = Field(description="how many further columns the table has; name those you want")
    rows: list[dict[str, Any]] = Field(
        description="objects by column name; missing values are null; NaN and infinities are texts; untrusted contents"
    )
    total: int = Field(description="how many rows the filter selects in the whole table")
    offset: int = Field(description="how many selected rows stand before these")
    cut: bool = Field(description="whether there are selected rows after these: ask again with a larger offset")
    cut_columns: list[str] = Field(description=f"columns with a value cut after {CELL_LIMIT} characters (ends in …)")


def list_samples(varloom: Varloom, asked: SampleFilter) -> Answer:
    """The account's samples and those that are shared with it, newest first."""
    project = None if asked.project is None else _project_id(varloom, asked.project)
    page = varloom.get("/samples", search=asked.search, limit=asked.limit, project=project)
    samples = [_sample(one) for one in page["samples"]]
    more = page["next"] is not None
    text = "\n".join(
        f"{one.id} {one.name!r} ({one.file!r}): {counted(one.variants, 'row')}"
        + (f", shared by {one.shared_by!r}" if one.shared_by else "")
        for one in samples
    )
    told = text or "There are no such samples."
    return Answer(SampleList(samples=samples, more=more), told + ("\n(There are more.)" if more else ""))


def describe_columns(varloom: Varloom, asked: ColumnFilter) -> Answer:
    """The columns of a sample's table."""
    sample = find_sample(varloom, asked.sample)
    which: dict[str, Any] = {"dataset": asked.dataset, "view": asked.view}
    answer = varloom.get(f"/samples/{sample['id']}/columns", **which, search=asked.search)
    found, is_synthetic = answer["columns"], answer["synthetic"]
    columns = [
        Column(
            name=one["name"],
            type=one["type"],
            kind=one["kind"],
            list=one["list"],
            origin=one["origin"],
            description=plain_or_none(one["description"], DESCRIPTION_LIMIT),
        )
        for one in found[:LISTED_COLUMNS]
    ]
    listed = ColumnList(
        sample_id=sample["id"],
        columns=columns,
        can_be_split=answer["can_be_split"],
        synthetic=is_synthetic,
        total=len(found),
    )
    rows = [[one.name, "list" if one.list else one.kind or one.type, one.description or ""] for one in columns]
    told = f"{counted(len(found), 'column')} of {plain(sample['name'], NAME_LIMIT)!r}\n"
    if is_synthetic:
        told += "The annotation is synthetic demonstration data: nothing of it is real.\n"
    return Answer(listed, told + text_table(("name", "kind", "description"), rows))


def query_table(varloom: Varloom, asked: Query) -> Answer:
    """Rows of a sample's table."""
    sample = find_sample(varloom, asked.sample)
    path = f"/samples/{sample['id']}"
    which: dict[str, Any] = {"dataset": asked.dataset, "view": asked.view}
    known = [one["name"] for one in varloom.get(f"{path}/columns", **which)["columns"]]
    names = asked.columns or known[:FIRST_COLUMNS]
    page = varloom.get(
        f"{path}/rows",
        **which,
        filter=asked.filter,
        sort=None if asked.sort is None else ",".join(_sort_key(one) for one in asked.sort),
        columns=",".join(map(_quoted, names)),
        limit=asked.limit,
        offset=asked.offset,
    )
    cutter = Cutter()
    rows = _fitting([cutter.row({name: row[name] for name in names}) for row in page["rows"]])
    answer = Rows(
        sample_id=sample["id"],
        columns=names,
        columns_not_shown=len(set(known) - set(names)),
        rows=rows,
        total=page["total"],
        offset=page["offset"],
        cut=page["offset"] + len(rows) < page["total"],
        cut_columns=list(cutter.names),
    )
    return Answer(answer, _told(answer))


def find_sample(varloom: Varloom, wanted: str) -> dict[str, Any]:
    """The sample with this id, or the only one with this name; an own one goes before those that are shared.

    Raises:
        VarloomError: `sample_not_found`, or `tool_arguments_invalid` when several have the name.
    """
    try:
        found: dict[str, Any] = varloom.get(f"/samples/{UUID(wanted)}")
    except ValueError:
        named = _with_name(varloom, wanted)
        named = [one for one in named if one["shared_by"] is None] or named
    else:
        return found
    shown = plain(wanted, NAME_LIMIT)
    if not named:
        steps = ("list_samples tells the samples of this account; names are case-sensitive.",)
        raise VarloomError(SAMPLE_NOT_FOUND, f"No sample has the name {shown!r}.", resolution=steps)
    if len(named) > 1:
        message = f"sample: {len(named)} samples have the name {shown!r}; give the id, as list_samples tells it."
        raise VarloomError(TOOL_ARGUMENTS_INVALID, message)
    return named[0]


def _project_id(varloom: Varloom, wanted: str) -> str:
    """The id of a project, given by it or by its name.

    Raises:
        VarloomError: `project_not_found`, or `tool_arguments_invalid` when several have the name.
    """
    try:
        return str(UUID(wanted))
    except ValueError:
        found = [one for one in varloom.get("/projects")["projects"] if one["name"].lower() == wanted.strip().lower()]
    shown = plain(wanted, NAME_LIMIT)
    if not found:
        raise VarloomError(PROJECT_NOT_FOUND, f"No project of this account has the name {shown!r}.")
    if len(found) > 1:
        message = f"project: {len(found)} projects have the name {shown!r}; give the id."
        raise VarloomError(TOOL_ARGUMENTS_INVALID, message)
    return str(found[0]["id"])


def _with_name(varloom: Varloom, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = varloom.get("/samples", search=name, limit=PAGE, cursor=cursor)
        found += [sample for sample in page["samples"] if sample["name"] == name]
        cursor = page["next"]
        if cursor is None:
            return found


def _sample(sample: dict[str, Any]) -> Sample:
    return Sample(
        id=sample["id"],
        name=plain(sample["name"], NAME_LIMIT),
        shared_by=plain_or_none(sample["shared_by"], NAME_LIMIT),
        projects=[plain(one["name"], NAME_LIMIT) for one in sample["projects"]],
        file=plain(sample["source_name"], NAME_LIMIT),
        tags=[plain(tag, NAME_LIMIT) for tag in sample["tags"]],
        records=sample["records"],
        variants=sample["variants"],
        bytes=sample["bytes"],
        created_at=sample["created_at"],
        version=sample["version"],
        newer=[f"{one['title']} {one['release']}" for one in sample["newer"]],
        datasets=[
            Dataset(
                id=one["id"],
                name=plain(one["name"], NAME_LIMIT),
                format=one["format"],
                assembly=one["assembly"],
                rows=one["variants"],
            )
            for one in sample["datasets"][:20]
        ],
    )


def _quoted(name: str) -> str:
    """A column's name in a list of names."""
    return '"' + name.replace('"', '""') + '"'


def _sort_key(key: str) -> str:
    return "-" + _quoted(key[1:]) if key.startswith("-") else _quoted(key)


def _fitting(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many rows as there is room for, the first in any case."""
    taken = 0
    for number, row in enumerate(rows):
        taken += sum(len(str(value)) + 8 for value in row.values())
        if taken > ROOM and number:
            return rows[:number]
    return rows


def _told(answer: Rows) -> str:
    """The rows as a table, with what is not shown."""
    last = answer.offset + len(answer.rows)
    lines = [f"{counted(answer.total, 'row')} selected; shown: {answer.offset + 1 if answer.rows else 0} to {last}."]
    if answer.rows:
        lines.append(text_table(answer.columns, ([row[name] for name in answer.columns] for row in answer.rows)))
    if answer.cut:
        lines.append(f"(Cut: ask again with offset {last} for more.)")
    if answer.columns_not_shown:
        lines.append(
            f"(Not shown: {counted(answer.columns_not_shown, 'further column')}; describe_columns names them.)"
        )
    if answer.cut_columns:
        lines.append(f"(Long values are cut, marked by …, in {', '.join(map(plain, answer.cut_columns))}.)")
    return "\n".join(lines)


TOOLS = (
    Tool(
        name="list_samples",
        title="List samples",
        description="Lists the samples of the account and those that projects share with it, newest first. A sample "
        f"is what a completed job left: one table, or several where the file was split by sample. {UNTRUSTED}",
        arguments=SampleFilter,
        result=SampleList,
        run=list_samples,
    ),
    Tool(
        name="describe_columns",
        title="Describe the columns of a table",
        description="Lists the columns of a sample's table with kind and description. Call it before query_table to "
        "learn the exact names. In tables of variants a row is one ALT allele; `position` is 1-based; INFO.X are INFO "
        f"fields, SAMPLE.X FORMAT fields, csq.*, mane.*, clinvar.*, gnomad.* annotations. {UNTRUSTED}",
        arguments=ColumnFilter,
        result=ColumnList,
        run=describe_columns,
    ),
    Tool(
        name="query_table",
        title="Query a table",
        description="Reads rows of a sample's table: filtered, sorted, only the columns that are named. `total` says "
        "how many rows the filter selects in the whole table, `cut` whether there are more than are shown. At most "
        f"{MOST_ROWS} rows and about {ROOM:,} characters come at once, and values longer than {CELL_LIMIT} characters "
        "are cut; count by `total` rather than by reading rows. A missing value satisfies only IS NULL. "
        f"{UNTRUSTED}",
        arguments=Query,
        result=Rows,
        run=query_table,
    ),
)
