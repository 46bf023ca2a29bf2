"""Calls made elsewhere, of genes that a VCF does not show (CYP2D6, HLA) or of any other: a small TSV.

Source of the format: PharmCAT's outside calls: gene, diplotype, phenotype, activity score, separated by tabs; lines
that begin with `#` are comments. A fifth column may name the sample.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from varloom.errors import Place, VarloomError, safe_excerpt
from varloom.processing.pgx.problems import OUTSIDE_CALLS_MALFORMED

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MOST_CHARACTERS = 16_384
"""Of all calls together: they are an option of a job."""
_MOST_COLUMNS = 5
_MOST_OF_CELL = 200
_GENE = re.compile(r"[A-Z][A-Z0-9-]{1,19}")
_SCORE = re.compile(r"(>=|≥|>|<)?\s*\d+(\.\d+)?")


class OutsideCall(NamedTuple):
    """One gene of one sample.

    Attributes:
        gene: its symbol.
        diplotype: the names of its alleles; empty if only the phenotype is told.
        phenotype: None if it is to be looked up.
        activity_score: likewise.
        sample: None: of the only sample.
        line: in the file.
    """

    gene: str
    diplotype: tuple[str, ...]
    phenotype: str | None
    activity_score: str | None
    sample: str | None
    line: int


def read_outside_calls(path: Path, samples: Sequence[str]) -> list[OutsideCall]:
    """All calls of a file; see `parse_outside_calls`."""
    with path.open("rb") as file:
        content = file.read(4 * MOST_CHARACTERS + 4)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise VarloomError(OUTSIDE_CALLS_MALFORMED, "The file is not UTF-8 text, or far too long.") from error
    return parse_outside_calls(text, samples)


def parse_outside_calls(text: str, samples: Sequence[str] | None) -> list[OutsideCall]:
    """All calls of a text; without samples it is not checked whose they are.

    Raises:
        VarloomError: `outside_calls_malformed`, with the line.
    """
    if len(text) > MOST_CHARACTERS:
        raise VarloomError(OUTSIDE_CALLS_MALFORMED, f"The calls have more than {MOST_CHARACTERS:,} characters.")
    found: dict[tuple[str, str | None], OutsideCall] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), 1):
        if not line.strip() or line.startswith("#") or _is_heading(line):
            continue
        call = _call(line, number, samples)
        if any(gene == call.gene and (None in {of, call.sample} or of == call.sample) for gene, of in found):
            raise _refusal(f"{call.gene} is called twice.", number, line)
        found[call.gene, call.sample] = call
    return list(found.values())


def _is_heading(line: str) -> bool:
    return line.split("\t", maxsplit=1)[0].strip().lower() == "gene"


def _call(line: str, number: int, samples: Sequence[str] | None) -> OutsideCall:
    cells = [cell.strip() for cell in line.split("\t")]
    if len(cells) > _MOST_COLUMNS:
        raise _refusal(f"The line has {len(cells)} columns; there are at most {_MOST_COLUMNS}.", number, line)
    if any(len(cell) > _MOST_OF_CELL or not cell.isprintable() for cell in cells):
        raise _refusal("A cell is too long, or has characters that do not print.", number, line)
    gene, diplotype, phenotype, score, sample = (*cells, "", "", "", "")[:_MOST_COLUMNS]
    if not _GENE.fullmatch(gene):
        raise _refusal("The first column is no symbol of a gene.", number, line)
    if not (diplotype or phenotype or score):
        raise _refusal(f"Nothing is told of {gene}: the columns are separated by tabs.", number, line)
    if score and not _SCORE.fullmatch(score):
        raise _refusal("The fourth column is no activity score.", number, line)
    if samples is not None and sample and sample not in samples:
        raise _refusal("The fifth column names no sample of the file.", number, line)
    if samples is not None and not sample and len(samples) > 1:
        raise _refusal("The file has several samples: the fifth column has to name one.", number, line)
    names = tuple(part.strip() for part in diplotype.split("/")) if diplotype else ()
    if len(names) > 2 or any(not name for name in names):
        raise _refusal("The second column is no diplotype.", number, line)
    return OutsideCall(gene, names, phenotype or None, score or None, sample or None, number)


def _refusal(message: str, line: int, text: str) -> VarloomError:
    return VarloomError(OUTSIDE_CALLS_MALFORMED, message, Place(line=line, excerpt=safe_excerpt(text)))
