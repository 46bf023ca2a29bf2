"""PGx calling of a file without a server, by the releases of a storage."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.errors import VarloomError
from varloom.processing.pgx.calling import call_pgx
from varloom.processing.pgx.choice import choose_pgx
from varloom.processing.pgx.model import PGX_FILE, PgxWanted
from varloom.processing.pgx.problems import PGX_DEFINITIONS_MISSING
from varloom.processing.pgx.recommending import is_to_act_on
from varloom.processing.pgx.tables import as_pharmcat, as_tsv, drugs_as_tsv, read_result
from varloom.services.references import open_library

if TYPE_CHECKING:
    from varloom.genomics.assemblies import Assembly
    from varloom.processing.pgx.model import Report
    from varloom.settings import Settings

__all__ = [
    "PGX_FILE",
    "CalledFile",
    "PgxQuestion",
    "as_pharmcat",
    "as_tsv",
    "call_file",
    "drugs_as_tsv",
    "is_to_act_on",
]


class PgxQuestion(NamedTuple):
    """What is to be called.

    Attributes:
        path: the file.
        name: what its owner calls it.
        assembly: of its coordinates; None leaves it to the header.
        reference_sites_listed: whether positions without a record are the reference.
        outside: a TSV of calls made elsewhere.
        samples: the names of those to call; None for all.
    """

    path: Path
    name: str
    assembly: Assembly | None = None
    reference_sites_listed: bool = False
    outside: Path | None = None
    samples: tuple[str, ...] | None = None


class CalledFile(NamedTuple):
    """What was called: the content of `pgx.json`, as an object and as bytes, and the warnings."""

    result: dict[str, Any]
    content: bytes
    warnings: tuple[dict[str, Any], ...]


def call_file(settings: Settings, question: PgxQuestion, report: Report) -> CalledFile:
    """Call all samples of a file.

    Raises:
        VarloomError: see `call_pgx`.
    """
    library = open_library(settings)
    keys = choose_pgx(library.newest_first())
    if not keys:
        raise VarloomError(PGX_DEFINITIONS_MISSING, "No release of the kind pgx is installed.")
    with contextlib.ExitStack() as held:
        releases = tuple(held.enter_context(library.borrow(key)) for key in keys)
        folder = Path(held.enter_context(tempfile.TemporaryDirectory(prefix="varloom-pgx-")))
        wanted = PgxWanted(
            question.path,
            question.name,
            question.assembly,
            releases,
            question.reference_sites_listed,
            question.outside,
            question.samples,
            folder,
        )
        made = call_pgx(wanted, report)
        return CalledFile(read_result(made.path), made.path.read_bytes(), made.warnings)
