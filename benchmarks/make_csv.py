"""Write a CSV of many kinds of columns, the same bytes at every run: `make_csv.py ROWS COLUMNS OUT.csv [SEED]`.

Columns repeat in a cycle of ten: ids, whole numbers, floats, texts of few and of many values, booleans, and texts that
need quotes. A share of the cells of most columns is empty.
"""

from __future__ import annotations

import random
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BLOCK = 5_000
GENES = ("BRCA1", "BRCA2", "TP53", "EGFR", "CFTR", "LDLR", "MLH1", "MSH2", "PTEN", "APOE", "HBB", "DMD")
REMARKS = ("seen twice, kept", 'called "likely benign"', "checked by hand; fine", "no remark", "low depth, see report")
BASES = "ACGT"


def sample_ids(draw: random.Random) -> Iterator[str]:
    """Texts of many values."""
    while True:
        yield f"S{draw.randrange(10**8):08d}"


def positions(draw: random.Random) -> Iterator[str]:
    """Whole numbers that rise."""
    position = 10_000
    while True:
        position += draw.randrange(1, 500)
        yield str(position)


def depths(draw: random.Random) -> Iterator[str]:
    """Small whole numbers, one in twenty missing."""
    while True:
        yield "" if draw.random() < 0.05 else str(draw.randrange(400))


def qualities(draw: random.Random) -> Iterator[str]:
    """Floats of two decimals."""
    while True:
        yield f"{draw.randrange(1, 1_000_000) / 100}"


def frequencies(draw: random.Random) -> Iterator[str]:
    """Floats of all their digits, one in five missing."""
    while True:
        yield "" if draw.random() < 0.2 else repr(draw.random())


def genes(draw: random.Random) -> Iterator[str]:
    """Texts of few values."""
    while True:
        yield draw.choice(GENES)


def genotypes(draw: random.Random) -> Iterator[str]:
    """Two bases, one in a hundred missing."""
    while True:
        yield "" if draw.random() < 0.01 else draw.choice(BASES) + draw.choice(BASES)


def flags(draw: random.Random) -> Iterator[str]:
    """Booleans."""
    while True:
        yield "true" if draw.random() < 0.3 else "false"


def remarks(draw: random.Random) -> Iterator[str]:
    """Texts, most of which need quotes; one in two is missing."""
    while True:
        yield "" if draw.random() < 0.5 else quoted(draw.choice(REMARKS))


def changes(draw: random.Random) -> Iterator[str]:
    """Signed floats with a power of ten."""
    while True:
        yield f"{draw.uniform(-1, 1):.4e}"


KINDS: tuple[Callable[[random.Random], Iterator[str]], ...] = (
    sample_ids,
    positions,
    depths,
    qualities,
    frequencies,
    genes,
    genotypes,
    flags,
    remarks,
    changes,
)


def quoted(text: str) -> str:
    """The cell as CSV writes it."""
    return '"' + text.replace('"', '""') + '"' if any(letter in text for letter in ',"\n') else text


def write(rows: int, columns: int, target: Path, seed: int) -> None:
    """Write the file."""
    kinds = [KINDS[index % len(KINDS)] for index in range(columns)]
    sources = [kind(random.Random(f"{seed} {index}")) for index, kind in enumerate(kinds)]  # noqa: S311 - made-up data
    with target.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(f"{kind.__name__}_{index}" for index, kind in enumerate(kinds, 1)) + "\n")
        for start in range(0, rows, BLOCK):
            count = min(BLOCK, rows - start)
            block = [list(islice(source, count)) for source in sources]
            file.writelines(",".join(cells) + "\n" for cells in zip(*block, strict=True))


def main() -> None:
    """Read the command line."""
    if len(sys.argv) not in {4, 5}:
        sys.exit(__doc__)
    rows, columns, target, *seed = sys.argv[1:]
    write(int(rows), int(columns), Path(target), int(seed[0]) if seed else 1)


if __name__ == "__main__":
    main()
