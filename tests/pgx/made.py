"""What the tests of PGx calling share: installed releases, files that are made, and calls of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.shared_data import SHARED

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.processing.pgx.calling import call_pgx
from varloom.processing.pgx.choice import choose_pgx
from varloom.processing.pgx.model import PgxWanted
from varloom.storage.local import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path

PGX = SHARED / "data" / "pgx"
POSITIONS = PGX / "pharmcat_positions.vcf"


def library_with(folder: Path, *names: str) -> ReferenceLibrary:
    """A library with the releases of these names."""
    library = ReferenceLibrary(LocalStorage(folder))
    for name in names:
        source = {"pharmcat": PGX / "definition", "cpic": PGX / "cpic"}[name]
        install(library, ReleaseKey("pgx", name, "GRCh38", "1"), Published(source), lambda *_: None)
    return library


class Lab:
    """Calls files by the releases of one library."""

    def __init__(self, library: ReferenceLibrary, folder: Path) -> None:
        self._library = library
        self._folder = folder
        self.warnings: tuple = ()

    def call(self, path: Path, *, assembly=None, listed=False, outside=None, samples=None):
        """The content of `pgx.json`."""
        keys = choose_pgx(self._library.newest_first())
        releases = [self._library.borrow(key) for key in keys]
        entered = tuple(one.__enter__() for one in releases)
        try:
            wanted = PgxWanted(path, path.name, assembly, entered, listed, outside, samples, self._folder)
            made = call_pgx(wanted, lambda *_: None)
        finally:
            for one in releases:
                one.__exit__(None, None, None)
        self.warnings = made.warnings
        return json.loads(made.path.read_bytes())

    def gene(self, path: Path, gene: str, **rest):
        """One gene of the first sample."""
        return next(one for one in self.call(path, **rest)["samples"][0]["genes"] if one["gene"] == gene)


def positions_vcf(path: Path, genotypes=None, *, gene=None, leave_out=(), samples=("s1",), header=()) -> Path:
    """All positions that define alleles, with the reference everywhere but where told otherwise.

    Args:
        path: of the file that is made.
        genotypes: by position: a GT, or a list with one for each sample.
        gene: only its positions.
        leave_out: positions without a record.
        samples: their names.
        header: further lines.
    """
    told = genotypes or {}
    lines = []
    for line in POSITIONS.read_text().splitlines():
        if line.startswith("##"):
            lines.append(line)
        elif line.startswith("#"):
            lines += [*header, "\t".join([*line.split("\t")[:9], *samples])]
        else:
            cells = line.split("\t")
            position = int(cells[1])
            if position in leave_out or (gene and f"PX={gene}" not in cells[7]):
                continue
            found = told.get(position, "0/0")
            found = found if isinstance(found, list) else [found] * len(samples)
            lines.append("\t".join([*cells[:9], *found]))
    path.write_text("\n".join(lines) + "\n")
    return path


def vcf(path: Path, *records: str, header=(), sample="s1") -> Path:
    """A file of GRCh38 with these records, each `chr10 94761900 C T GT 0/1` with spaces for tabs."""
    lines = ["##fileformat=VCFv4.2", "##reference=GRCh38", '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">']
    lines += ['##INFO=<ID=END,Number=1,Type=Integer,Description="e">', *header]
    lines.append(f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{sample}")
    for record in records:
        contig, position, ref, alt, keys, values, *info = record.split()
        lines.append("\t".join([contig, position, ".", ref, alt, ".", "PASS", info[0] if info else ".", keys, values]))
    path.write_text("\n".join(lines) + "\n")
    return path
