"""`pgx.json` in other shapes: a table of genes, one of drugs, and what PharmCAT's matcher writes.

Source of those shapes: `CallsOnlyFormat` (`report.tsv`) and `haplotype.model` (`match.json`) of PharmCAT 3.1. Columns
and entries that they have mean the same; what Varloom adds stands behind them. PharmCAT writes its version on a line
above the columns, and the whole definition of an allele beside its name: both are left out.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from varloom.errors import VarloomError
from varloom.processing.pgx.calling import FORMAT, FORMAT_VERSION
from varloom.processing.pgx.gene_call import UNDOCUMENTED_AS_REFERENCE
from varloom.processing.pgx.problems import PGX_RESULT_DAMAGED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

COLUMNS = (
    "Sample ID",
    "Gene",
    "Source Diplotype",
    "Phenotype",
    "Activity Score",
    "Haplotype 1",
    "Haplotype 1 Function",
    "Haplotype 1 Activity Value",
    "Haplotype 2",
    "Haplotype 2 Function",
    "Haplotype 2 Activity Value",
    "Outside Call",
    "Match Score",
    "Missing positions",
    "Recommendation Lookup Diplotype",
    "Recommendation Lookup Phenotype",
    "Recommendation Lookup Activity Score",
    "Status",
    "Reason",
    "Phenotype If Reference",
    "Settled By",
    "Not Told Apart",
    "No Call",
    "Undocumented",
    "Notes",
)
"""Those up to `Recommendation Lookup Activity Score` are PharmCAT's, as it writes them for files of several samples."""


DRUG_COLUMNS = (
    "Sample ID",
    "Drug",
    "State",
    "Genes",
    "Phenotypes",
    "Recommendation",
    "Strength",
    "Population",
    "Implications",
    "CPIC Level",
    "Guideline",
    "Guideline URL",
    "Guideline Version",
    "PMIDs",
    "Source",
)


def load_result(content: bytes) -> dict[str, Any]:
    """The result from the content of its file.

    Raises:
        VarloomError: `pgx_result_damaged`, also for what a newer Varloom wrote.
    """
    try:
        result: dict[str, Any] = json.loads(content)
        if result["format"] != FORMAT or not isinstance(result["samples"], list):
            raise VarloomError(PGX_RESULT_DAMAGED, "The file is no PGx result.")
        if result["format_version"] > FORMAT_VERSION:
            message = f"The result was written by a newer Varloom (format {result['format_version']})."
            raise VarloomError(PGX_RESULT_DAMAGED, message)
    except (ValueError, KeyError, TypeError) as error:
        raise VarloomError(PGX_RESULT_DAMAGED, "The PGx result cannot be read.") from error
    return result


def read_result(path: Path) -> dict[str, Any]:
    """The result of a file; see `load_result`."""
    try:
        return load_result(path.read_bytes())
    except OSError as error:
        raise VarloomError(PGX_RESULT_DAMAGED, f"The PGx result cannot be read: {error.strerror}.") from error


def as_tsv(result: Mapping[str, Any]) -> Iterator[str]:
    """A line for each gene of each sample, behind one with the columns."""
    yield "\t".join(COLUMNS) + "\n"
    for sample in result["samples"]:
        for gene in sample["genes"]:
            yield "\t".join(map(_cell, _row(sample["sample"], gene))) + "\n"


def drugs_as_tsv(result: Mapping[str, Any]) -> Iterator[str]:
    """A line for each recommendation of a drug for each sample, and for each drug without one, behind the columns."""
    yield "\t".join(DRUG_COLUMNS) + "\n"
    for sample in result["samples"]:
        for drug in sample["drugs"]:
            for advice in drug.get("guidance") or [None]:
                yield "\t".join(map(_cell, _drug_row(sample["sample"], drug, advice))) + "\n"


def _drug_row(sample: str, drug: Mapping[str, Any], advice: Mapping[str, Any] | None) -> tuple[object, ...]:
    """One recommendation; without guidance that of the tables, if they have one."""
    told = advice or {"recommendation": drug["recommendation"], "strength": drug["strength"]}
    guideline = told.get("guideline", {})
    return (
        sample,
        drug["drug"],
        drug["state"],
        ", ".join(gene["gene"] for gene in drug["genes"]),
        "; ".join(f"{gene['gene']}: {gene['phenotype'] or _no_phenotype(gene)}" for gene in drug["genes"]),
        told["recommendation"],
        told["strength"],
        told.get("population"),
        " ".join(told.get("implications", ())),
        drug["cpic_level"],
        guideline.get("name"),
        guideline.get("url") or drug["guideline"],
        guideline.get("version"),
        ", ".join(drug["pmids"]),
        drug["source"],
    )


def _no_phenotype(gene: Mapping[str, Any]) -> str:
    return "withheld" if gene["withheld"] else "not known"


def _row(sample: str, gene: Mapping[str, Any]) -> tuple[object, ...]:
    diplotypes = gene["diplotypes"]
    first = diplotypes[0] if len(diplotypes) == 1 else None
    alleles = [*first["alleles"], {}, {}][:2] if first is not None else [{}, {}]
    named = " OR ".join(one["name"] for one in diplotypes) or "; ".join(one["name"] for one in gene["variants_found"])
    positions = gene["positions"] or {}
    withheld = gene["withheld"] or {}
    unknown = [*positions.get("missing", ()), *positions.get("no_call", ())]
    return (
        sample,
        gene["gene"],
        named,
        gene["phenotype"],
        gene["activity_score"],
        alleles[0].get("name"),
        alleles[0].get("function"),
        alleles[0].get("activity"),
        alleles[1].get("name"),
        alleles[1].get("function"),
        alleles[1].get("activity"),
        "yes" if gene["source"] == "outside" else "no",
        first["score"] if first is not None else None,
        "yes" if unknown else "no",
        " OR ".join(gene["decided_by"]),
        gene["phenotype"],
        gene["activity_score"],
        gene["status"],
        gene["reason"],
        gene["phenotype_if_reference"],
        ", ".join(_place(one) for one in withheld.get("settled_by", ())),
        "; ".join(" ".join(group) for group in gene["not_told_apart"]),
        ", ".join(_place(one) for one in positions.get("no_call", ())),
        ", ".join(f"{_place(one)} {one['genotype']}" for one in positions.get("undocumented", ())),
        " ".join(gene["notes"]),
    )


def _place(one: Mapping[str, Any]) -> str:
    return str(one["rsid"] or f"{one['contig']}:{one['position']}")


def _cell(value: object) -> str:
    """On one line and in one column, and no formula to a spreadsheet."""
    text = "" if value is None else " ".join(str(value).split())
    return f"'{text}" if text[:1] in {"=", "+", "@"} else text


def as_pharmcat(result: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """An object for each sample, as PharmCAT's matcher writes one a file; it has no time, to be the same each time."""
    for sample in result["samples"]:
        called = [gene for gene in sample["genes"] if gene["source"] == "file"]
        yield {
            "metadata": {
                "namedAlleleMatcherVersion": f"Varloom {result['varloom']}",
                "genomeBuild": result["assembly"],
                "inputFilename": result["file"],
                "timestamp": None,
                "topCandidatesOnly": True,
                "findCombinations": False,
                "callCyp2d": False,
                "sampleId": sample["sample"],
                "sampleProps": None,
            },
            "results": [_as_gene_call(gene, result) for gene in called],
            "vcfWarnings": {},
        }


def _as_gene_call(gene: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    about = result["genes"][gene["gene"]]
    places = {one["position"]: one for one in about["positions"]}
    positions = gene["positions"]
    missing = sorted({*positions["missing"], *(one["position"] for one in positions["no_call"])} & places.keys())
    names = dict.fromkeys(allele["name"] for one in gene["diplotypes"] for allele in one["alleles"])
    genotypes = positions["used"].values()
    return {
        "source": result["definitions"]["source"],
        "version": result["definitions"]["version"],
        "chromosome": next((one["contig"] for one in places.values()), None),
        "gene": gene["gene"],
        "diplotypes": [
            {
                "name": one["name"],
                "haplotype1": {"name": one["alleles"][0]["name"]},
                "haplotype2": {"name": one["alleles"][1]["name"]} if len(one["alleles"]) > 1 else None,
                "score": one["score"],
            }
            for one in gene["diplotypes"]
        ],
        "haplotypes": [{"name": name} for name in names],
        "haplotypeMatches": [{"name": one["name"]} for one in gene["variants_found"]],
        "phased": gene["phased"],
        "variants": [
            {
                "position": int(position),
                "rsid": places[int(position)]["rsid"],
                "vcfCall": genotype,
                "phased": "/" not in genotype,
                "phaseSet": None,
            }
            for position, genotype in positions["used"].items()
        ],
        "variantsOfInterest": [],
        "matchData": {
            "missingPositions": [_as_locus(places[one]) for one in missing],
            "positionsWithUndocumentedVariations": [_as_locus(one) for one in positions["undocumented"]],
            "treatUndocumentedVariationsAsReference": gene["gene"] in UNDOCUMENTED_AS_REFERENCE,
            "phased": gene["phased"],
            "homozygous": all(len(set(one.replace("|", "/").split("/"))) == 1 for one in genotypes),
            "effectivelyPhased": gene["effectively_phased"],
            "missingAmp1Positions": [str(places[one]["rsid"]) for one in missing if one in about["tier1"]],
        },
        "uncallableHaplotypes": gene["uncallable"],
        "warnings": [],
        "varloom": {key: gene[key] for key in ("status", "reason", "phenotype", "phenotype_if_reference", "withheld")},
    }


def _as_locus(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "chromosome": one["contig"],
        "position": one["position"],
        "rsid": one["rsid"],
        "ref": one["ref"],
        "alts": one["alts"],
    }
