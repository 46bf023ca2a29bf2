"""Step: genotypes at given positions, so that a reference genotype is told from a position that no read has."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, NamedTuple

from varloom.errors import Place, VarloomError, safe_excerpt
from varloom.genomics.contigs import bare_name
from varloom.genomics.packing import Compression, compression_of
from varloom.processing.alignment_file import contigs_of
from varloom.processing.cpu.call import NORMAL_REF, call_options, pileup_options
from varloom.processing.cpu.header import column_name
from varloom.processing.cpu.mitochondrion import one_allele
from varloom.processing.problems import SITES_UNUSABLE
from varloom.processing.programs import Stage, pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from varloom.processing.ploidy import Ploidy

_PADDING = 50
"""Bases around a site that are looked at, since an indel may be placed beside it before it is moved to the left."""
_MOST_JUMPS = 20_000
"""With more sites than this, reading the whole alignment is faster than jumping to each."""
_HEADER = """##fileformat=VCFv4.3
##source={source}
##reference={reference}
{contigs}##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype; ./. where no read tells it">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Reads that tell the genotype">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="Reads of each allele">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Quality of the genotype, on the scale of Phred">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{sample}
"""


class Site(NamedTuple):
    """A position that gets a genotype: contig as the reference names it, 1-based position, id and REF of the file."""

    contig: str
    position: int
    id: str
    ref: str


class Genotype(NamedTuple):
    """What is known at a site.

    Attributes:
        ref: the reference's bases.
        alts: alleles that reads have, as they were called.
        text: of the genotype, such as `0/1`; `1` where there is one copy.
        depth: reads that tell it.
        depths: by allele, the reference first.
        quality: of the genotype; None where it is not known.
    """

    ref: str
    alts: tuple[str, ...]
    text: str
    depth: int
    depths: tuple[int, ...]
    quality: int | None


def read_sites(path: Path, fasta: Path) -> list[Site]:
    """The sites of a VCF, one for each position, in the order of the reference.

    Raises:
        VarloomError: `sites_unusable`.
    """
    contigs = contigs_of(fasta)
    order = {name: number for number, name in enumerate(contigs)}
    by_bare = {bare_name(name): name for name in contigs}
    found: dict[tuple[str, int], Site] = {}
    for number, line in enumerate(_text_lines(path), 1):
        if line.startswith("#") or not line.strip():
            continue
        columns = line.rstrip("\r\n").split("\t", 5)
        if len(columns) < 5 or not columns[1].isdigit():
            raise VarloomError(SITES_UNUSABLE, "The sites are no VCF.", Place(line=number, excerpt=safe_excerpt(line)))
        contig = columns[0] if columns[0] in contigs else by_bare.get(bare_name(columns[0]))
        position = int(columns[1])
        if contig is None or not 1 <= position <= contigs[contig]:
            where = f"{safe_excerpt(columns[0], 40)}:{position:,}"
            raise VarloomError(SITES_UNUSABLE, f"The reference has no position {where}.", Place(line=number))
        found.setdefault((contig, position), Site(contig, position, columns[2], columns[3].upper()))
    if not found:
        raise VarloomError(SITES_UNUSABLE, "The file of sites has none.")
    return sorted(found.values(), key=lambda site: (order[site.contig], site.position))


def _text_lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        packed = compression_of(file.read(18)) is not Compression.NONE
    try:
        with gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as text:
            yield from text
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as error:
        raise VarloomError(SITES_UNUSABLE, f"The file of sites cannot be read: {error}.") from error


def genotype(
    alignment: Path, fasta: Path, sites: Sequence[Site], ploidy: Ploidy, *, work: Path, on_life: Callable[[], None]
) -> dict[tuple[str, int], list[Genotype]]:
    """Genotypes by contig and position, with those of the reference; none where no read is.

    Of as many alleles as the sample has copies: see `call_regions`, which calls variants alike.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    padded, exact, called = work / "sites.bed", work / "sites.tsv", work / "sites.called.vcf"
    lengths, copies = contigs_of(fasta), ploidy.write(work / "sites.ploidy")
    padded.write_text("".join(_padded(sites, lengths)), encoding="utf-8")
    exact.write_text("".join(f"{site.contig}\t{site.position}\n" for site in sites), encoding="utf-8")
    pipe(
        [
            Stage.bcftools(
                "mpileup", *pileup_options(fasta), "-R" if len(sites) <= _MOST_JUMPS else "-T", padded, alignment
            ),
            Stage.bcftools(*call_options(copies), "-Ou", "-"),
            Stage.bcftools("norm", "--no-version", *NORMAL_REF, "-f", fasta, "-Ou", "-"),
            Stage.bcftools("view", "--no-version", "-T", exact, "-Ov", "-o", called, "-"),
        ],
        on_life,
    )
    return _read(called, ploidy.mitochondrion)


def _padded(sites: Iterable[Site], lengths: Mapping[str, int]) -> Iterator[str]:
    """BED lines around the sites; those that touch are joined, so that no position comes twice."""
    contig, first, last = "", 0, -1
    for site in sites:
        begin = max(0, site.position - 1 - _PADDING)
        end = min(lengths[site.contig], site.position + len(site.ref) + _PADDING)
        if site.contig == contig and begin <= last:
            last = max(last, end)
            continue
        if last > 0:
            yield f"{contig}\t{first}\t{last}\n"
        contig, first, last = site.contig, begin, end
    yield f"{contig}\t{first}\t{last}\n"


def _read(called: Path, mitochondrion: str | None) -> dict[tuple[str, int], list[Genotype]]:
    """The records of an uncompressed VCF of one sample by contig and position."""
    found: dict[tuple[str, int], list[Genotype]] = {}
    with called.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                columns = line.rstrip("\n").split("\t")
                one = _genotype_of(columns)
                if columns[0] == mitochondrion:
                    one = one._replace(text=one_allele(one.text))
                found.setdefault((columns[0], int(columns[1])), []).append(one)
    return found


def _genotype_of(columns: Sequence[str]) -> Genotype:
    sample = dict(zip(columns[8].split(":"), columns[9].split(":"), strict=False))
    numbers = {
        name: [int(one) for one in sample.get(name, ".").split(",") if one != "."] for name in ("DP", "AD", "GQ")
    }
    alts = tuple(alt for alt in columns[4].split(",") if alt not in {".", "<*>"})
    return Genotype(
        ref=columns[3].upper(),
        alts=alts,
        text=sample["GT"].replace("|", "/"),
        depth=sum(numbers["DP"][:1]),
        depths=tuple(numbers["AD"]) or (0,),
        quality=numbers["GQ"][0] if numbers["GQ"] else None,
    )


def chosen(found: Sequence[Genotype], bases: str) -> list[Genotype]:
    """What is written of a site: what differs from the reference, else the reference, else that nothing is known.

    Args:
        found: what was called there; of bases and of indels apart.
        bases: of the reference, as many as the site's REF has.
    """
    differing = [one for one in found if any(allele not in "0./|" for allele in one.text)]
    if differing:
        return differing
    seen = [one for one in found if one.depth > 0 and "." not in one.text and sum(one.depths) > 0]
    if not seen:
        return [Genotype(bases, (), "./.", 0, (0,), None)]
    best = max(seen, key=lambda one: one.depth)
    return [Genotype(bases, (), best.text, best.depth, best.depths[:1], best.quality)]


def write_sites(
    sites: Sequence[Site],
    found: Mapping[tuple[str, int], Sequence[Genotype]],
    fasta: Path,
    output: Path,
    *,
    sample: str,
    reference: str,
    source: str,
) -> int:
    """Write the genotypes of all sites as a VCF with its index; how many of the sites are known."""
    import pysam

    contigs = "".join(f"##contig=<ID={name},length={length}>\n" for name, length in contigs_of(fasta).items())
    known = 0
    with pysam.BGZFile(str(output), "wb", None) as vcf, pysam.FastaFile(str(fasta)) as genome:
        vcf.write(
            _HEADER.format(source=source, reference=reference, contigs=contigs, sample=column_name(sample)).encode()
        )
        for site in sites:
            start = site.position - 1
            bases = genome.fetch(site.contig, start, start + len(site.ref)).upper()
            rows = chosen(found.get((site.contig, site.position), ()), bases)
            known += rows[0].text != "./."
            vcf.write("".join(_row(site, row) for row in rows).encode())
    pysam.tabix_index(str(output), preset="vcf", force=True)
    return known


def _row(site: Site, row: Genotype) -> str:
    quality = "." if row.quality is None else str(row.quality)
    values = f"{row.text}:{row.depth}:{','.join(map(str, row.depths))}:{quality}"
    alts = ",".join(row.alts) or "."
    return f"{site.contig}\t{site.position}\t{site.id}\t{row.ref}\t{alts}\t.\t.\t.\tGT:DP:AD:GQ\t{values}\n"
