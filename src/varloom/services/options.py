"""The options of a job: what a user may choose, and what this version refuses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from varloom.errors import VarloomError, safe_excerpt
from varloom.pipeline.plan import make_plan
from varloom.processing.pgx.outside import parse_outside_calls
from varloom.services.names import checked_credential_name
from varloom.services.problems import OPTION_UNKNOWN, REQUEST_INVALID

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from varloom.jobs.lifecycle import Stage

Assembly = Literal["GRCh37", "GRCh38"]
Annotate = Literal["small", "structural"]
CallerName = Literal["bcftools", "haplotypecaller", "deepvariant"]
EngineName = Literal["auto", "cpu", "parabricks"]
AlignmentFormatName = Literal["bam", "cram"]
SexChromosomesName = Literal["auto", "xx", "xy"]

_ASSEMBLIES: dict[str, Assembly] = {
    "grch37": "GRCh37",
    "hg19": "GRCh37",
    "b37": "GRCh37",
    "grch38": "GRCh38",
    "hg38": "GRCh38",
}
PRIORITY_LIMIT = 1000
"""A job's priority lies between minus this and this."""

_T = TypeVar("_T")
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,220}")

CALLERS: Mapping[EngineName, tuple[CallerName, ...]] = {
    "cpu": ("bcftools",),
    "parabricks": ("haplotypecaller", "deepvariant"),
}
"""By engine: what it calls variants with; `auto` takes the one that has the caller."""

_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off", ""})


@dataclass(frozen=True, slots=True)
class JobOptions:
    """What the user chose for one job."""

    assembly: Assembly | None = None
    split_by_sample: bool = False
    credential: str | None = None
    annotate: Annotate | None = None
    reads: bool = False
    reference: str | None = None
    caller: CallerName | None = None
    engine: EngineName = "auto"
    alignment_format: AlignmentFormatName = "bam"
    sex_chromosomes: SexChromosomesName = "auto"
    pgx: bool = False
    reference_sites_listed: bool = False
    outside_calls: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """As they are stored with the job and echoed back."""
        chosen: dict[str, Any] = {"assembly": self.assembly, "split_by_sample": self.split_by_sample}
        if self.annotate is not None:
            chosen["annotate"] = self.annotate
        if self.credential is not None:
            chosen["credential"] = self.credential
        if self.reads:
            chosen |= {"reads": True, "reference": self.reference, "caller": self.caller, "engine": self.engine}
            if self.alignment_format != "bam":
                chosen["alignment_format"] = self.alignment_format
            if self.sex_chromosomes != "auto":  # jobs of before this option have none
                chosen["sex_chromosomes"] = self.sex_chromosomes
        if self.pgx:
            chosen |= {"pgx": True, "reference_sites_listed": self.reference_sites_listed}
            if self.outside_calls is not None:
                chosen["outside_calls"] = self.outside_calls
        return chosen

    def plan(self, source_kind: str = "file") -> tuple[Stage, ...]:
        """The stages that a job with these options and a source that is a `file` or a `url` runs."""
        return make_plan(self.as_dict(), source_kind)


def parse_options(given: Mapping[str, Any]) -> JobOptions:
    """Check options that came from outside; None stands for an option that was not given.

    Raises:
        VarloomError: `option_unknown` or `request_invalid`, with the option's name; `outside_calls_malformed`.
    """
    chosen: dict[str, Any] = {}
    for name, value in given.items():
        parse = _PARSERS.get(name)
        if parse is None:
            raise VarloomError(OPTION_UNKNOWN, f"There is no option {safe_excerpt(str(name), 60)!r}.")
        chosen[name] = parse(value)
    if chosen.get("outside_calls") and "pgx" not in chosen:
        chosen["pgx"] = True  # nobody gives calls for anything else
    refuse_strange_caller(chosen.get("engine", "auto"), chosen.get("caller"))
    return JobOptions(**chosen)


def refuse_strange_caller(engine: EngineName, caller: CallerName | None) -> None:
    """A caller that the chosen engine has not is refused at once, and not by a worker: `request_invalid`."""
    having = CALLERS.get(engine)
    if caller is not None and having is not None and caller not in having:
        raise VarloomError(REQUEST_INVALID, f"caller: the engine {engine} calls with {' or '.join(having)}.")


def parse_flag(name: str, value: Any) -> bool:
    """A yes or no, as JSON or as the text of a form field."""
    if value is None or isinstance(value, bool):
        return bool(value)
    text = str(value).strip().lower()
    if text not in _TRUE | _FALSE:
        raise VarloomError(REQUEST_INVALID, f"{name}: expected true or false, not {safe_excerpt(str(value), 40)!r}.")
    return text in _TRUE


def parse_priority(value: Any) -> int:
    """A job's priority: higher goes first, 0 is ordinary."""
    if value is None or value == "":
        return 0
    try:
        priority = int(str(value)) if not isinstance(value, bool) else None
    except ValueError:
        priority = None
    if priority is None or abs(priority) > PRIORITY_LIMIT:
        raise VarloomError(
            REQUEST_INVALID,
            f"priority: expected a whole number from {-PRIORITY_LIMIT} to {PRIORITY_LIMIT}, "
            f"not {safe_excerpt(str(value), 40)!r}.",
        )
    return priority


def _assembly(value: Any) -> Assembly | None:
    if value is None or value == "":
        return None
    known = _ASSEMBLIES.get(str(value).strip().lower())
    if known is None:
        raise VarloomError(
            REQUEST_INVALID, f"assembly: expected GRCh37 or GRCh38, not {safe_excerpt(str(value), 40)!r}."
        )
    return known


def _annotate(value: Any) -> Annotate | None:
    match value:
        case None | "" | "none":
            return None
        case "small":
            return "small"
        case "structural":
            return "structural"
    message = f"annotate: expected none, small or structural, not {safe_excerpt(str(value), 40)!r}."
    raise VarloomError(REQUEST_INVALID, message)


def _reference(value: Any) -> str | None:
    """The name of an installed genome; whether there is one is seen when the job is created."""
    if value in (None, ""):
        return None
    if not isinstance(value, str) or not _REFERENCE.fullmatch(value):
        raise VarloomError(
            REQUEST_INVALID, f"reference: expected the name of a genome, not {safe_excerpt(str(value), 40)!r}."
        )
    return value


def _caller(value: Any) -> CallerName | None:
    return None if value in (None, "", "auto") else _one_of("caller", value, get_args(CallerName))


def _engine(value: Any) -> EngineName:
    return "auto" if value in (None, "") else _one_of("engine", value, get_args(EngineName))


def _alignment_format(value: Any) -> AlignmentFormatName:
    known = get_args(AlignmentFormatName)
    return "bam" if value in (None, "") else _one_of("alignment_format", value, known)


def _sex_chromosomes(value: Any) -> SexChromosomesName:
    name = value.strip().lower() if isinstance(value, str) else value
    return "auto" if name in (None, "") else _one_of("sex_chromosomes", name, get_args(SexChromosomesName))


def _one_of(name: str, value: Any, known: Sequence[_T]) -> _T:
    """The value, which must be one of these."""
    for one in known:
        if value == one:
            return one
    names = ", ".join(str(one) for one in known)
    raise VarloomError(REQUEST_INVALID, f"{name}: expected one of {names}, not {safe_excerpt(str(value), 40)!r}.")


def _outside_calls(value: Any) -> str | None:
    """The text of a TSV with calls that were made elsewhere, checked line by line.

    Raises:
        VarloomError: `outside_calls_malformed`.
    """
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise VarloomError(REQUEST_INVALID, "outside_calls: expected the text of a TSV.")
    parse_outside_calls(value, None)
    return value


def _credential(value: Any) -> str | None:
    """The name of a stored credential."""
    if value in (None, ""):
        return None
    if not isinstance(value, str):
        raise VarloomError(REQUEST_INVALID, "credential: expected the name of a stored credential.")
    return checked_credential_name(value)


_PARSERS: Mapping[str, Callable[[Any], Any]] = {
    "assembly": _assembly,
    "split_by_sample": partial(parse_flag, "split_by_sample"),
    "annotate": _annotate,
    "pgx": partial(parse_flag, "pgx"),
    "reference_sites_listed": partial(parse_flag, "reference_sites_listed"),
    "outside_calls": _outside_calls,
    "credential": _credential,
    "reads": partial(parse_flag, "reads"),
    "reference": _reference,
    "caller": _caller,
    "engine": _engine,
    "alignment_format": _alignment_format,
    "sex_chromosomes": _sex_chromosomes,
}
"""By option: what checks its value, and raises `request_invalid`."""
