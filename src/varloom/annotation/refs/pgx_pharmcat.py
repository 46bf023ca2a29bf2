"""The definitions of alleles and the phenotypes that PharmCAT publishes, into `pgx.json`.

Source of the format: the folders `definition` (`GENE_translation.json`, `exemptions.json`) and `phenotype`
(`GENE.json`) of PharmCAT 3; the data are those of CPIC, PharmVar and ClinPGx. A file is told by its content, not by its
name.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from varloom.annotation.refs.importer import Imported
from varloom.annotation.refs.pgx_checks import check_against_genome, check_gene
from varloom.annotation.refs.pgx_content import (
    GeneDefinition,
    Locus,
    NamedAllele,
    PgxContent,
    PhenotypeTable,
    Priority,
)
from varloom.annotation.refs.problems import REFERENCE_WRONG_ASSEMBLY
from varloom.annotation.refs.published_text import malformed
from varloom.errors import VarloomError, safe_excerpt
from varloom.genomics.contigs import bare_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from varloom.annotation.refs.importer import ImportTask
    from varloom.genomics.assemblies import Assembly

SOURCE = "PharmCAT allele definitions (CPIC, PharmVar, ClinPGx)"
NOT_USED = "files that are neither definitions nor phenotypes of a gene"
NO_PHENOTYPES = "genes without a table of phenotypes; another release may have it"
NO_EXEMPTIONS = (
    "The table of exemptions (exemptions.json) is not there: which positions every laboratory should test, and which "
    "alleles are not to be called, is not known."
)
_STRUCTURAL = frozenset({"CYP2D6"})
"""Genes that are defined and cannot be called from small variants: copies, deletions and hybrids decide."""
_MOST_COPIES = 2
_MOST_BYTES = 64 << 20
"""Of one file; the largest that is published has 4 MB."""


def import_pharmcat(task: ImportTask) -> Imported:
    """Fill a release of the kind `pgx` with definitions and, where the files have them, phenotypes.

    Raises:
        VarloomError: `reference_malformed`, `reference_wrong_assembly`.
    """
    genes: dict[str, GeneDefinition] = {}
    phenotypes: dict[str, PhenotypeTable] = {}
    exemptions: dict[str, Any] = {}
    versions: set[str] = set()
    unused: dict[str, int] = {}
    done, total = 0, sum(path.stat().st_size for path in task.sources)
    for path in task.sources:
        found = parsed_json(path)
        if not isinstance(found, dict):
            raise malformed(path, "The file is no JSON object.")
        try:
            if "namedAlleles" in found and "variants" in found:
                gene = _definition(found, path, task.key.assembly)
                if gene.gene in genes:
                    raise malformed(path, f"{gene.gene} is defined by another file, too: of which version is it?")
                genes[gene.gene] = gene
                versions.add(str(found.get("version")))
            elif "haplotypes" in found and "diplotypes" in found:
                if found["gene"] in phenotypes:
                    shown = safe_excerpt(str(found["gene"]), 40)
                    raise malformed(path, f"Another file has phenotypes of {shown}, too: of which version is it?")
                phenotypes[found["gene"]] = _phenotypes(found)
            elif found and all(isinstance(one, dict) and "requiredPositions" in one for one in found.values()):
                exemptions.update(found)
            else:
                unused[NOT_USED] = unused.get(NOT_USED, 0) + 1
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise malformed(path, f"An entry is missing or of another kind ({error!r}).") from error
        done += path.stat().st_size
        task.on_progress(done, total)
    if not genes:
        raise malformed(task.sources[0], "No file is a definition of the alleles of a gene.")
    genes = _all_exempted(genes, exemptions, task.sources[0])
    checked = check_against_genome(genes.values(), task.genome)
    content = PgxContent(
        SOURCE,
        ", ".join(sorted(versions)),
        genes,
        dict(sorted(phenotypes.items())),
        structural=tuple(sorted(_STRUCTURAL & genes.keys())),
    )
    content.save(task.folder)
    without = len(genes.keys() - phenotypes.keys())
    return Imported(
        {
            "genes": len(genes),
            "positions": sum(len(gene.loci) for gene in genes.values()),
            "alleles": sum(len(gene.alleles) for gene in genes.values()),
            "phenotype_tables": len(phenotypes),
        },
        _contigs(genes),
        {**unused, **({NO_PHENOTYPES: without} if without else {})},
        (f"The definitions are of version {content.version}.", *(() if exemptions else (NO_EXEMPTIONS,)), *checked),
    )


def parsed_json(path: Path) -> Any:
    """What a file of PharmCAT holds.

    Raises:
        VarloomError: `reference_malformed`, with the line where the file is not JSON.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise malformed(path, "The file is far larger than any that PharmCAT publishes.")
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise malformed(path, f"The file is not JSON: {error.msg}.", error.lineno) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise malformed(path, "The file is not JSON.") from error


def _definition(found: dict[str, Any], path: Path, assembly: Assembly) -> GeneDefinition:
    build = str(found.get("genomeBuild"))
    if not build.startswith(assembly):
        message = f"{safe_excerpt(path.name)} is of {safe_excerpt(build, 40)}, not of {assembly}."
        raise VarloomError(REFERENCE_WRONG_ASSEMBLY, message)
    loci = tuple(_locus(one) for one in found["variants"])
    alleles = tuple(
        NamedAllele(
            one["name"],
            {index: cell for index, cell in enumerate(one["alleles"]) if cell is not None},
            bool(one["reference"]),
        )
        for one in found["namedAlleles"]
        if not one.get("structuralVariant")
    )
    gene = GeneDefinition(found["gene"], loci, alleles, dict(found.get("suballelesMap") or {}))
    check_gene(gene, path)
    return gene


def _locus(one: dict[str, Any]) -> Locus:
    contig = bare_name(one["chromosome"], "GRCh38")
    return Locus(contig, int(one["position"]), one["ref"].upper(), tuple(a.upper() for a in one["alts"]), one["rsid"])


def _all_exempted(
    genes: Mapping[str, GeneDefinition], rules: Mapping[str, Any], path: Path
) -> dict[str, GeneDefinition]:
    try:
        exempted = {name: _exempted(genes[name], rules.get(name, {})) for name in sorted(genes)}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise malformed(path, f"An exemption is of another kind ({error!r}).") from error
    for gene in exempted.values():
        check_gene(gene, path)  # its reference allele may be among those that are to be left out
    return exempted


def _exempted(gene: GeneDefinition, rules: dict[str, Any]) -> GeneDefinition:
    """The gene with what PharmCAT's table of exemptions says of it."""
    ignored = {name.lower() for name in rules.get("ignoredAlleles", ())}
    return GeneDefinition(
        gene.gene,
        gene.loci,
        tuple(one for one in gene.alleles if one.name.lower() not in ignored),
        gene.core_of,
        tuple(rules.get("requiredPositions", ())),
        tuple(map(_locus, rules.get("extraPositions", ()))),
        tuple(Priority(tuple(one["list"]), one["pick"]) for one in rules.get("unphasedDiplotypePriorities", ())),
        tuple(rules.get("amp1Positions", ())),
    )


def _phenotypes(found: dict[str, Any]) -> PhenotypeTable:
    activities: dict[str, float] = {}
    for name, value in (found.get("activityValues") or {}).items():
        try:
            activities[name] = float(value)
        except (TypeError, ValueError):
            continue  # n/a: the allele has no value
    diplotypes = {}
    for one in found["diplotypes"]:
        key = one["diplotypekey"]
        if not 1 <= sum(map(int, key.values())) <= _MOST_COPIES or not all(int(copies) > 0 for copies in key.values()):
            raise ValueError(key)
        names = tuple(sorted(name for name, copies in key.items() for _ in range(int(copies))))
        score = one.get("activityScore")
        diplotypes[names] = (str(one["phenotype"]), None if score in {None, "n/a", "None"} else str(score))
    functions = dict(found["haplotypes"])  # of genes with an activity score these are its values
    functions |= {one["name"]: one["functionValue"] for one in found.get("namedAlleles", ()) if one["functionValue"]}
    return PhenotypeTable({name: str(function) for name, function in functions.items()}, activities, diplotypes)


def _contigs(genes: dict[str, GeneDefinition]) -> dict[str, int]:
    found: dict[str, int] = {}
    for gene in genes.values():
        for locus in gene.loci:
            found[locus.contig] = found.get(locus.contig, 0) + 1
    return found
