"""The page on malformed files: its words, and the table of what was found."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from malformation_verdicts import Cell, Verdict

if TYPE_CHECKING:
    from malformation_cases import Case


def page(table: dict[Case, list[Cell]], heads: list[str]) -> str:
    """The whole document."""
    lines = [_HEAD, _summary(table, heads), "", f"| fault | {' | '.join(heads)} |", "| --- |" + " --- |" * len(heads)]
    lines += [f"| {case.fault} | {' | '.join(map(str, cells))} |" for case, cells in table.items()]
    return "\n".join([*lines, "", _FOOT])


def _summary(table: dict[Case, list[Cell]], heads: list[str]) -> str:
    groups = {
        "refused": [verdict for verdict in Verdict if verdict.name.startswith("REFUSED")],
        "of these with the line": [Verdict.REFUSED_LINE],
        "read as is": [Verdict.AS_IS, Verdict.NOTED],
        "changed, with a warning": [Verdict.CHANGED_NOTED],
        "changed in silence": [Verdict.CHANGED],
        "records lost, with a warning": [Verdict.LOST_NOTED],
        "records lost in silence": [Verdict.LOST],
        "crashed or hung": [Verdict.CRASH, Verdict.HANG],
    }
    counts = [Counter(cells[at].verdict for cells in table.values()) for at in range(len(heads))]
    lines = [f"| of {len(table)} files | {' | '.join(heads)} |", "| --- |" + " ---: |" * len(heads)]
    for name, verdicts in groups.items():
        lines.append(f"| {name} | {' | '.join(str(sum(count[one] for one in verdicts)) for count in counts)} |")
    return "\n".join(lines)


_HEAD = """\
# How readers treat malformed files

A VCF passes through many hands, and some of them break it. What a reader then does decides whether anybody notices.
This page shows it for small files with one fault each. It is written by `benchmarks/malformations.py`, which makes the
files, lets each reader read each of them in a process of its own, and compares what came out with what stands in the
file, cell by cell; no cell is written by hand.

How to read it:

- *refused, names the line*: an error that says in which line of the file the fault is. *Names the position*: it tells
  the record's `POS`, from which the line can be found if it is unique. *No line*: an error without a place. *Refused*,
  with nothing behind it, stands where no line can be named, as in a file that was cut off.
- *as is*: all records came, and every cell is what the file says; a value that does not fit its column counts as kept
  when the reader gives its text. *Warns*: a message was printed, or stored with the table.
- **changed**: a cell holds something else than the file, or nothing; the first two are shown. A column that the reader
  leaves out is *dropped*. **Records lost**: fewer came than the file has, without an error that a program would notice.
- bcftools is `bcftools view`, whose exit status counts; the newer one is that within pysam. Of the other peers, an
  exception counts as refusal. **Crash**: the process died of a signal, or code in Rust gave up (*panic*), which
  `except Exception` does not catch.

Not every file here must be refused: an undeclared key or a missing end marker does no harm by itself. But nothing
should change or vanish in silence.
"""
_FOOT = """\
Varloom keeps 64-bit floats and integers, and puts a text that does not fit its column's type into a `_text` column
beside it; the warning names the first line. Which faults refuse a file and which are warnings is told in
[error codes](../reference/errors.md).
"""
