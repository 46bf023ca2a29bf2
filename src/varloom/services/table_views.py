"""A table as the outside sees it: its columns, rows, counts and summaries. They become the JSON of the contract."""

from typing import Any, Literal

from pydantic import Field

from varloom.services.views import View


class ColumnView(View):
    """One column of a table."""

    name: str
    type: str
    kind: Literal["number", "text", "flag"] | None = Field(description="what its values can be compared with")
    list: bool = Field(description="whether a cell holds a list")
    origin: str
    description: str | None
    sample: str | None
    field: str | None = Field(description="the INFO or FORMAT key")
    virtual: bool = Field(description="whether it is an element of a column that holds all samples")


class ColumnList(View):
    """The columns of a table, in order."""

    columns: list[ColumnView]
    synthetic: bool = Field(
        default=False, description="whether the annotation is of the demonstration data, in which nothing is real"
    )
    rows: int = Field(description="of the table, in this view")
    can_be_split: bool = Field(
        default=False, description="whether the view `split` can be asked for: a row for each gene of a variant"
    )


class RowPage(View):
    """A page of rows."""

    rows: list[dict[str, Any]] = Field(description="a row is an object by column name; `rowno` is always there")
    offset: int = Field(description="how many selected rows stand before the page")
    total: int = Field(description="how many rows the filter selects")
    next: str | None = Field(description="the cursor of the next page; null on the last one")


class CountView(View):
    """How many rows a filter selects."""

    count: int


class LocationView(View):
    """Where in a table a position of the genome stands."""

    offset: int | None = Field(description="rows before it, in the order of the file; null when its contig has none")
    contig: str = Field(description="of the row that was found, as the table calls it")
    position: int
    exact: bool = Field(description="whether it is the position that was asked for; else the nearest")


class FacetValueView(View):
    """A value and how many rows have it."""

    value: Any
    count: int


class FacetsView(View):
    """The most frequent values of a column."""

    column: str
    values: list[FacetValueView]
    distinct: int = Field(description="how many different values there are")
    missing: int = Field(description="rows without a value")


class HistogramView(View):
    """How the numbers of a column are distributed."""

    column: str
    edges: list[float] = Field(description="one more than there are bins")
    counts: list[int]
    missing: int = Field(description="rows without a value")
    odd: int = Field(description="numbers that no bin can hold: NaN and infinities")
