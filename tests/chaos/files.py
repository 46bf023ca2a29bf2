"""The files of a chaos run: some of the shared corpus, valid and broken, and larger ones that are made here."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
MOST_BYTES = 100_000
VALID, BROKEN, TABLES = 60, 20, 20
LARGE = {"large-a.vcf": (60_000, 1), "large-b.vcf": (250_000, 1), "family.vcf": (20_000, 3)}
"""Records and samples of files whose stages last long enough to be hit."""
HUGE = {"huge.vcf": (750_000, 1)}
"""Of files that a download fetches in several parts at once; they come by URL only."""


@dataclass(frozen=True)
class ChosenFile:
    """A file that is uploaded. `records` is what an independent source says, where one does."""

    path: Path
    name: str
    records: int | None = None
    samples: int = 1
    size: str = "small"  # or "large" or "huge"

    @property
    def can_split(self) -> bool:
        return 2 <= self.samples <= 4


def choose_files(chance: random.Random, folder: Path) -> list[ChosenFile]:
    """About a hundred small ones, and the large ones, which are written into `folder`."""
    small = _of_corpus(chance) if CORPUS.is_dir() else _made(folder)
    large = [
        ChosenFile(write_vcf(folder / name, records, samples), name, records, samples, size)
        for size, every in {"large": LARGE, "huge": HUGE}.items()
        for name, (records, samples) in every.items()
    ]
    return [*small, *large]


def _of_corpus(chance: random.Random) -> list[ChosenFile]:
    rows = [row for row in _manifest("vcf.tsv") if 0 < int(row["bytes"]) < MOST_BYTES and row["format"] == "vcf"]
    valid = [row for row in rows if row["must"].startswith("accept exactly")]
    broken = [row for row in rows if row["must"].startswith("reject, ")]
    tables = [row for row in _manifest("csv.tsv") if 0 < int(row["bytes"]) < MOST_BYTES]
    chosen = [_vcf(row) for row in [*chance.sample(valid, VALID), *chance.sample(broken, BROKEN)]]
    return chosen + [ChosenFile(CORPUS / row["path"], Path(row["path"]).name) for row in chance.sample(tables, TABLES)]


def _manifest(name: str) -> list[dict[str, str]]:
    with (CORPUS / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def _vcf(row: dict[str, str]) -> ChosenFile:
    valid = row["must"].startswith("accept exactly")
    samples = int(row["samples"]) if row["samples"].isdigit() else 0
    records = data_lines(CORPUS / row["path"]) if valid else None
    if valid and f"exactly {records} rows" not in row["must"]:
        records = int(row["must"].split()[2])  # blank lines and the like: the manifest knows better
    return ChosenFile(CORPUS / row["path"], Path(row["path"]).name, records, samples)


def _made(folder: Path) -> list[ChosenFile]:
    """Where the corpus is absent."""
    files = []
    for number in range(VALID):
        path = write_vcf(folder / f"made-{number}.vcf", number * 7, 1 + number % 3)
        files.append(ChosenFile(path, path.name, number * 7, 1 + number % 3))
    for number in range(BROKEN):
        path = folder / f"broken-{number}.vcf"
        path.write_text("##fileformat=VCFv4.2\n" + "chr1\t1\t.\tA\tC\t.\t.\t.\n" * (1 + number))
        files.append(ChosenFile(path, path.name))
    for number in range(TABLES):
        path = folder / f"table-{number}.csv"
        ragged = "1,2,3\n" if number % 2 else ""
        path.write_text("a,b\n" + "".join(f"{line},x{line}\n" for line in range(number * 11)) + ragged)
        files.append(ChosenFile(path, path.name, None if ragged else number * 11))
    return files


def data_lines(path: Path) -> int:
    """Lines of a VCF that are neither header nor blank."""
    content = path.read_bytes()
    content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    return sum(1 for line in content.splitlines() if line.strip() and not line.startswith(b"#"))


def write_vcf(path: Path, records: int, samples: int) -> Path:
    names = "\t".join(f"NA{number}" for number in range(samples))
    with path.open("w", encoding="utf-8") as file:
        file.write(
            '##fileformat=VCFv4.2\n##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">\n'
            '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n##contig=<ID=chr1>\n'
            f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{names}\n"
        )
        calls = "\t".join(["0/1", "1/1", "0/0"][:samples])
        for number in range(records):
            file.write(
                f"chr1\t{100 + number * 3}\trs{number}\tA\tC\t{number % 90}\tPASS\tDP={number % 50}\tGT\t{calls}\n"
            )
    return path
