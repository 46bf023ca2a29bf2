"""CPIC's tables of alleles, phenotypes and recommendations, as the package `pypgx` brings them, into `pgx.json`.

Source of the format: `pypgx/api/data/*.csv` of pypgx 0.26: allele, cpic, diplotype, equation, gene, phenotype,
recommendation and variant table. They are taken as files, or out of the wheel. A table is told by its columns.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.refs.importer import Imported
from varloom.annotation.refs.pgx_checks import check_against_genome, check_gene
from varloom.annotation.refs.pgx_content import (
    GeneDefinition,
    GeneDrug,
    Locus,
    NamedAllele,
    PgxContent,
    PhenotypeTable,
    Recommendation,
    Score,
)
from varloom.annotation.refs.problems import REFERENCE_WRONG_ASSEMBLY
from varloom.annotation.refs.published_text import malformed
from varloom.errors import VarloomError
from varloom.genomics.contigs import bare_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from varloom.annotation.refs.importer import ImportTask

SOURCE = "CPIC tables of pypgx"
NO_VARIANTS = "alleles without variants of their own in GRCh38, or with copies of the gene; they are not called"
NOT_TABLES = "files that are none of the tables"
_NOTHING = frozenset({"", "N/A", "None"})
_TABLES: Mapping[str, frozenset[str]] = {
    "alleles": frozenset({"Gene", "StarAllele", "ActivityScore", "Function", "GRCh38Core", "SV"}),
    "genes": frozenset({"Gene", "Target", "SV", "PhenotypeMethod", "GRCh38Default"}),
    "diplotypes": frozenset({"Gene", "Diplotype", "Phenotype"}),
    "equations": frozenset({"Gene", "Phenotype", "Equation"}),
    "recommendations": frozenset({"Drug", "Gene1", "Phenotype1", "Gene2", "Phenotype2", "Recommendation"}),
    "pairs": frozenset({"Gene", "Drug", "Guideline", "CPICLevel", "CPICLevelStatus", "PMID"}),
    "priorities": frozenset({"Gene", "Phenotype", "Priority"}),
    "variants": frozenset({"rsID", "Chromosome", "GRCh38Position", "Variant"}),
}
_NEEDED = ("alleles", "genes", "diplotypes", "recommendations", "pairs")
_RANGE = re.compile(r"(?P<low>[0-9.]+) (?:<= score(?: < (?P<high>[0-9.]+))?|== score)")
_VARIANT = re.compile(r"(?P<contig>[0-9XYM]+)-(?P<position>[0-9]+)-(?P<ref>[ACGT]+)-(?P<alt>[ACGT]+)")
_EITHER = {frozenset(pair): code for pair, code in zip(("AG", "CT", "CG", "AT", "GT", "AC"), "RYSWKM", strict=True)}
"""The IUPAC codes of two bases."""
_MALE = "MALE"
"""What stands for the second allele of a man, who has one copy of a gene of chromosome X."""
_MOST_BYTES = 64 << 20

Rows = list[dict[str, str]]


class _Variant(NamedTuple):
    contig: str
    position: int
    ref: str
    alt: str


def import_cpic(task: ImportTask) -> Imported:
    """Fill a release of the kind `pgx` with definitions, phenotypes and recommendations.

    Raises:
        VarloomError: `reference_malformed`, `reference_wrong_assembly`.
    """
    if task.key.assembly != "GRCh38":
        message = "The tables are taken for GRCh38 alone: alleles are called on it."
        raise VarloomError(REFERENCE_WRONG_ASSEMBLY, message)
    unused: dict[str, int] = {}
    tables = _tables(task.sources, unused)
    missing = [name for name in _NEEDED if name not in tables]
    if missing:
        raise malformed(task.sources[0], f"The tables of {', '.join(missing)} are not there.")
    try:
        content = _content(tables, task.sources[0], unused)
    except (KeyError, ValueError, TypeError) as error:
        raise malformed(task.sources[0], f"An entry of a table is of another kind ({error!r}).") from error
    checked = check_against_genome(content.genes.values(), task.genome)
    content.save(task.folder)
    task.on_progress(size := sum(path.stat().st_size for path in task.sources), size)
    contigs: dict[str, int] = {}
    for gene in content.genes.values():
        for locus in gene.loci:
            contigs[locus.contig] = contigs.get(locus.contig, 0) + 1
    counts = {
        "genes": len(content.genes),
        "positions": sum(contigs.values()),
        "alleles": sum(len(gene.alleles) for gene in content.genes.values()),
        "phenotype_tables": len(content.phenotypes),
        "recommendations": len(content.recommendations),
        "drugs": len({one.drug for one in content.pairs}),
    }
    notes = ("The tables do not tell the strength of recommendations; the release pgx guidance does.",)
    return Imported(counts, contigs, unused, (*notes, *checked))


# --- the files --------------------------------------------------------------------------------------------------------


def _tables(paths: Iterable[Path], unused: dict[str, int]) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for path in paths:
        for text in _texts(path):
            reader = csv.DictReader(io.StringIO(text))
            columns = set(reader.fieldnames or ())
            name = next((name for name, needed in _TABLES.items() if needed <= columns), None)
            if name is None:
                unused[NOT_TABLES] = unused.get(NOT_TABLES, 0) + 1
                continue
            found[name] = []
            for row in reader:
                if None in row or None in row.values():
                    message = "The row has more or fewer columns than the header."
                    raise malformed(path, message, reader.line_num)
                found[name].append(row)
    return found


def _texts(path: Path) -> Iterator[str]:
    """A file, or those of a wheel."""
    if path.stat().st_size > _MOST_BYTES:
        raise malformed(path, "The file is far larger than any of the tables.")
    try:
        if not zipfile.is_zipfile(path):
            yield path.read_text("utf-8-sig")
            return
        with zipfile.ZipFile(path) as wheel:
            for entry in wheel.infolist():
                if entry.filename.endswith(".csv") and "api/data/" in entry.filename:
                    if entry.file_size > _MOST_BYTES:
                        raise malformed(path, "A file in it is far larger than any of the tables.")
                    yield wheel.read(entry).decode("utf-8-sig")
    except (UnicodeDecodeError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise malformed(path, f"The file cannot be read as a table ({error}).") from error


# --- the content ------------------------------------------------------------------------------------------------------


def _content(tables: dict[str, Rows], path: Path, unused: dict[str, int]) -> PgxContent:
    alleles = _by_gene(tables["alleles"])
    rsids = {
        (row["Chromosome"], row["GRCh38Position"]): row["rsID"]
        for row in tables.get("variants", ())
        if row["rsID"].startswith("rs")
    }
    genes: dict[str, GeneDefinition] = {}
    structural: list[str] = []
    for row in tables["genes"]:
        gene = row["Gene"]
        if row["SV"] == "TRUE":
            structural.append(gene)
        elif row["Target"] == "TRUE" and gene in alleles:
            made = _definition(alleles[gene], _Names(gene, row["GRCh38Default"], row["RefAllele"]), rsids, unused)
            if made is not None:
                check_gene(made, path)
                genes[gene] = made
    return PgxContent(
        SOURCE,
        None,
        dict(sorted(genes.items())),
        _phenotypes(alleles, tables),
        tuple(_recommendation(row) for row in tables["recommendations"]),
        tuple(_pair(row) for row in tables["pairs"]),
        tuple(sorted(structural)),
    )


def _by_gene(rows: Rows) -> dict[str, Rows]:
    found: dict[str, Rows] = {}
    for row in rows:
        found.setdefault(row["Gene"], []).append(row)
    return found


class _Names(NamedTuple):
    """A gene, the allele that the reference sequence has, and the one that the others are told against.

    Those two differ where the reference sequence has a rare allele (CYP2C19: *38 and *1). What tells them apart is left
    out of the other alleles, which can have it or not.
    """

    gene: str
    reference: str
    normal: str


def _definition(
    rows: Rows, names: _Names, rsids: Mapping[tuple[str, str], str], unused: dict[str, int]
) -> GeneDefinition | None:
    """The gene; None if nothing tells its alleles apart."""
    reference = names.reference
    variants: dict[str, tuple[_Variant, ...]] = {}
    for row in rows:
        name = row["StarAllele"]
        own = tuple(map(_variant, row["GRCh38Core"].split(","))) if row["GRCh38Core"] not in _NOTHING else ()
        if name != reference and (not own or row["SV"] == "TRUE"):
            unused[NO_VARIANTS] = unused.get(NO_VARIANTS, 0) + 1
        elif name not in variants:
            variants[name] = own
    loci = _loci({one for own in variants.values() for one in own}, rsids)
    if not loci or reference not in variants:
        return None
    alleles = tuple(NamedAllele(name, _cells(name, names, variants, loci), name == reference) for name in variants)
    return GeneDefinition(names.gene, loci, alleles)


def _cells(
    name: str, names: _Names, variants: Mapping[str, tuple[_Variant, ...]], loci: tuple[Locus, ...]
) -> dict[int, str]:
    """What an allele has at the positions that define it."""
    if name == names.reference:
        return {index: locus.ref for index, locus in enumerate(loci)}
    places = {(locus.contig, locus.position): index for index, locus in enumerate(loci)}
    cells = {}
    for one in variants[name]:
        index = places[one.contig, one.position]
        cells[index] = one.alt + loci[index].ref[len(one.ref) :]
    for one in variants[names.normal] if names.normal in variants and name != names.normal else ():
        either = _EITHER.get(frozenset({one.ref, one.alt}))
        if either is not None:
            cells.setdefault(places[one.contig, one.position], either)
    return cells


def _variant(text: str) -> _Variant:
    match = _VARIANT.fullmatch(text)
    if match is None:
        raise ValueError(text)
    return _Variant(bare_name(match["contig"]), int(match["position"]), match["ref"], match["alt"])


def _loci(variants: set[_Variant], rsids: Mapping[tuple[str, str], str]) -> tuple[Locus, ...]:
    """The positions, each with all that varies there over the longest stretch."""
    grouped: dict[tuple[str, int], list[_Variant]] = {}
    for one in sorted(variants):
        grouped.setdefault((one.contig, one.position), []).append(one)
    loci = []
    for (contig, position), here in grouped.items():
        ref = max((one.ref for one in here), key=len)
        alts = tuple(dict.fromkeys(one.alt + ref[len(one.ref) :] for one in here))
        loci.append(Locus(contig, position, ref, alts, rsids.get((contig.replace("MT", "M"), str(position)))))
    return tuple(sorted(loci, key=lambda locus: (locus.contig, locus.position)))


def _phenotypes(alleles: dict[str, Rows], tables: dict[str, Rows]) -> dict[str, PhenotypeTable]:
    diplotypes = _by_gene(tables["diplotypes"])
    equations = _by_gene(tables.get("equations", []))
    priorities = _by_gene(tables.get("priorities", []))
    found = {}
    for gene, rows in alleles.items():
        functions = {row["StarAllele"]: row["Function"] for row in rows if row["Function"] not in _NOTHING}
        activities = {
            row["StarAllele"]: float(row["ActivityScore"]) for row in rows if _is_number(row["ActivityScore"])
        }
        pairs = {_names(row["Diplotype"]): (row["Phenotype"], None) for row in diplotypes.get(gene, ())}
        scores = tuple(map(_score, equations.get(gene, ())))
        marked = {row["Phenotype"].lower(): row["Priority"] for row in priorities.get(gene, ())}
        marked = {phenotype: priority for phenotype, priority in marked.items() if priority not in _NOTHING}
        found[gene] = PhenotypeTable(functions, activities, pairs, scores, marked)
    return dict(sorted(found.items()))


def _names(diplotype: str) -> tuple[str, ...]:
    first, _, second = diplotype.partition("/")
    return (first,) if second == _MALE else tuple(sorted((first, second)))


def _score(row: dict[str, str]) -> Score:
    match = _RANGE.fullmatch(row["Equation"].strip())
    if match is None:
        raise ValueError(row["Equation"])
    low = float(match["low"])
    if "==" in row["Equation"]:
        return Score(row["Phenotype"], low, low)
    return Score(row["Phenotype"], low, float(match["high"]) if match["high"] else None)


def _recommendation(row: dict[str, str]) -> Recommendation:
    phenotypes = {
        row[f"Gene{number}"]: None if row[f"Phenotype{number}"] in _NOTHING else row[f"Phenotype{number}"]
        for number in (1, 2)
        if row[f"Gene{number}"] not in _NOTHING
    }
    text = row["Recommendation"].strip()
    return Recommendation(row["Drug"], phenotypes, None if text in _NOTHING else text)


def _pair(row: dict[str, str]) -> GeneDrug:
    pmids = tuple(one.strip() for one in row["PMID"].split(";") if one.strip())
    return GeneDrug(row["Gene"], row["Drug"], row["CPICLevel"], row["CPICLevelStatus"], row["Guideline"], pmids)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
