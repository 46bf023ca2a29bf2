"""The PGx page of a sample: genes, drugs, and what could not be told. It prints as a report of one page."""
# ruff: noqa: FAST003 - the sample of a path is read by the dependencies `Viewing` and `Owning`

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from varloom.services.pgx_results import is_to_act_on
from varloom.web.dependencies import CurrentServices, Viewing
from varloom.web.pages.rendering import page
from varloom.web.pages.samples import chosen_table, sample_heading

router = APIRouter(include_in_schema=False)

STATUS = {
    "called": ("Called", "good"),
    "withheld": ("Withheld", "warn"),
    "not_called": ("Not called", "calm"),
    "no_data": ("No data", "calm"),
}
_LISTS = {
    "variants": "lists variants only: a position without a record is not known",
    "reference sites": "lists sites where the sample has the reference, too",
    "blocks": "is a gVCF: its blocks tell where the sample has the reference",
}
_MOST_NAMED = 40


@dataclass(frozen=True, slots=True)
class GeneRow:
    """One gene, as the table shows it; texts are plain."""

    gene: str
    status_code: str
    status: str
    tone: str
    diplotypes: str
    phenotype: str
    is_abnormal: bool
    told: str
    notes: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class DrugRow:
    """Drugs that have one recommendation; `population` is empty where it is for all."""

    drugs: str
    genes: str
    text: str
    strength: str
    level: str
    population: str
    implications: tuple[str, ...]
    guideline: str | None


@dataclass(frozen=True, slots=True)
class DrugGroups:
    """The drugs of a sample by what there is to say of them."""

    to_act: tuple[DrugRow, ...]
    ordinary: tuple[DrugRow, ...]
    withheld: str
    unknown: str
    marked_without: str
    without: str
    guideline_only: str


@router.get("/samples/{sample_id}/pgx")
async def pgx_page(
    *,
    request: Request,
    services: CurrentServices,
    access: Viewing,
    dataset: UUID | None = None,
    sample: str | None = None,
) -> HTMLResponse:
    """The PGx calls of one sample of the file; of the first unless another is named."""
    found = await services.samples.get(access)
    result = await services.pgx.get(access.account_id, access.sample_id)
    called = services.pgx.sample_of(result, sample)
    return await page(
        request,
        "sample_pgx.html",
        tab="pgx",
        **await sample_heading(services, access, found, chosen_table(found, dataset)),
        names=[one["sample"] for one in result["samples"]],
        called_name=called["sample"],
        genes=[_gene_row(one) for one in called["genes"]],
        summary=_summary(called["summary"]),
        drugs=_drug_groups(called["drugs"], called["genes"]),
        further=[
            f"{one['gene']} {one['position']}: {one['genotype'] or 'not known'}" for one in called["further_positions"]
        ],
        facts=_facts(result),
        has_recommendations=result["recommendations_source"] is not None,
        has_strength=result.get("strength_source") is not None,
        disclaimer=result["disclaimer"],
        assumed=result["reference_sites_listed"],
    )


def _summary(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    return [(f"{counts[key]} {STATUS[key][0].lower()}", STATUS[key][1]) for key in STATUS if counts[key]]


def _facts(result: Mapping[str, Any]) -> list[tuple[str, str]]:
    releases = ", ".join(f"{one['name']} {one['release']}" for one in result["releases"])
    version = result["definitions"]["version"]
    return [
        ("File", f"{result['file']} ({result['assembly']}), which {_LISTS[result['file_lists']]}"),
        ("Definitions", result["definitions"]["source"] + (f", version {version}" if version else "")),
        ("Recommendations", result["recommendations_source"] or "none are installed"),
        ("Strength of recommendations", result.get("strength_source") or "no guidance is installed that tells it"),
        ("Releases", releases),
        ("Called by", f"Varloom {result['varloom']}"),
    ]


# --- genes ------------------------------------------------------------------------------------------------------------


def _gene_row(gene: Mapping[str, Any]) -> GeneRow:
    status, tone = STATUS[gene["status"]]
    score = f", activity score {gene['activity_score']}" if gene["activity_score"] else ""
    phenotype = f"{gene['phenotype']}{score}" if gene["phenotype"] else ""
    told = gene["reason"] or ""
    if gene["phenotype_if_reference"]:
        told += f" Were all of them the reference: {gene['phenotype_if_reference']}."
    return GeneRow(
        gene=gene["gene"],
        status_code=gene["status"],
        status=status,
        tone=tone,
        diplotypes=_diplotypes(gene),
        phenotype=phenotype,
        is_abnormal=bool(gene["abnormal"]),
        told=told,
        notes=tuple(gene["notes"]),
        facts=tuple((label, text) for label, text in _gene_facts(gene) if text),
    )


def _diplotypes(gene: Mapping[str, Any]) -> str:
    if gene["diplotypes"]:
        return " or ".join(one["name"] for one in gene["diplotypes"])
    return ", ".join(one["name"] for one in gene["variants_found"])


def _gene_facts(gene: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is shown when a gene is opened."""
    positions = gene["positions"] or {}
    withheld = gene["withheld"] or {}
    functions = {one["name"]: one["function"] for pair in gene["diplotypes"] for one in pair["alleles"]}
    functions |= {one["name"]: one["function"] for one in gene["variants_found"]}
    named = "; ".join(f"{name}: {function}" for name, function in functions.items() if function)
    scores = "; ".join(f"{one['name']}: {one['score']}" for one in gene["diplotypes"] if one["score"] is not None)
    return [
        ("Phase", _phase(gene)),
        ("Functions", named),
        ("Scores", scores),
        ("Also possible, and rarer", ", ".join(one["name"] for one in gene["alternatives"])),
        ("Would settle it", ", ".join(map(_place, withheld.get("settled_by", ())))),
        ("Possible phenotypes", ", ".join(withheld.get("possible_phenotypes", ()))),
        ("Possible diplotypes", _possible(withheld)),
        ("Positions used", f"{len(positions['used'])} of {positions['total']}" if positions else ""),
        ("Not the reference", _changed(positions)),
        ("Missing", _cut([str(one) for one in positions.get("missing", ())])),
        ("No call", "; ".join(f"{_place(one)}: {one['why']}" for one in positions.get("no_call", ()))),
        ("Taken for the reference", _cut([str(one) for one in positions.get("assumed_reference", ())])),
        ("Undocumented", ", ".join(f"{_place(one)} {one['genotype']}" for one in positions.get("undocumented", ()))),
        ("Not told apart", "; ".join(" = ".join(group) for group in gene["not_told_apart"])),
        ("Cannot be seen", ", ".join(gene["uncallable"])),
    ]


def _phase(gene: Mapping[str, Any]) -> str:
    if gene["source"] != "file" or not gene["positions"]["used"]:
        return ""
    if gene["copies"] == 1:
        return "one copy"
    if gene["phased"]:
        return "phased"
    return "not phased, and need not be" if gene["effectively_phased"] else "not phased"


def _possible(withheld: Mapping[str, Any]) -> str:
    listed = withheld.get("possible_diplotypes", ())
    more = withheld.get("possible_diplotypes_count", 0) - len(listed)
    return ", ".join(listed) + (f" and {more:,} more" if more > 0 else "")


def _changed(positions: Mapping[str, Any]) -> str:
    """The genotypes with two different alleles: those of the reference are not worth a line."""
    used = positions.get("used", {})
    return _cut([f"{place} {genotype}" for place, genotype in used.items() if len(set(_alleles(genotype))) > 1])


def _alleles(genotype: str) -> list[str]:
    return genotype.replace("|", "/").split("/")


def _place(one: Mapping[str, Any]) -> str:
    place = f"{one['contig']}:{one['position']}"
    return f"{one['rsid']} ({place})" if one["rsid"] else place


def _cut(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - _MOST_NAMED:,} more" if len(texts) > _MOST_NAMED else ""
    return ", ".join(texts[:_MOST_NAMED]) + more


# --- drugs ------------------------------------------------------------------------------------------------------------


def _drug_groups(drugs: Sequence[Mapping[str, Any]], genes: Sequence[Mapping[str, Any]]) -> DrugGroups:
    given = [one for one in drugs if one["state"] == "given"]
    to_act = [one for one in given if is_to_act_on(one, genes)]
    silent = [one for one in drugs if one["state"] in {"none", "unknown"}]
    marked = [one for one in silent if is_to_act_on(one, genes)]
    others = [one for one in silent if one not in marked]
    return DrugGroups(
        _together(to_act),
        _together([one for one in given if one not in to_act]),
        _named(drugs, "withheld"),
        _named(others, "unknown"),
        ", ".join(map(_with_genes, marked)),
        _named(others, "none"),
        _named(drugs, "guideline"),
    )


def _together(drugs: Sequence[Mapping[str, Any]]) -> tuple[DrugRow, ...]:
    """A row for each recommendation; drugs that have the same one for the same phenotypes share it."""
    rows: dict[DrugRow, list[str]] = {}
    for drug in drugs:
        for row in _rows(drug):
            rows.setdefault(row, []).append(drug["drug"])
    return tuple(replace(row, drugs=", ".join(dict.fromkeys(names))) for row, names in rows.items())


def _rows(drug: Mapping[str, Any]) -> Iterator[DrugRow]:
    genes = ", ".join(f"{gene['gene']} {gene['phenotype'] or 'not known'}" for gene in drug["genes"])
    # What was called before there was guidance has none of its entries.
    guidance = drug.get("guidance", ())
    for advice in guidance or [drug]:
        guideline = advice.get("guideline") if guidance else {"url": drug["guideline"]}
        url = str(guideline["url"] or drug["guideline"])
        yield DrugRow(
            "",
            genes,
            advice["recommendation"],
            advice["strength"] or "",
            drug["cpic_level"] or "",
            _for_whom(advice, guidance),
            tuple(advice.get("implications", ())),
            url if url.startswith("https://") else None,
        )


def _for_whom(advice: Mapping[str, Any], guidance: Sequence[Mapping[str, Any]]) -> str:
    """The population, where it is not all; and the lookup, where only that tells two apart."""
    population = advice.get("population") or ""
    told = "" if population.lower() in {"general", "n/a"} else population
    alike = [one for one in guidance if one["population"] == advice.get("population")]
    if len(alike) > 1:
        lookups = (" and ".join(f"{gene} {_value(value)}" for gene, value in key.items()) for key in advice["lookup"])
        told = f"{told}; {' or '.join(lookups)}".removeprefix("; ")
    return told


def _value(value: object) -> str:
    return (
        "/".join(name for name, copies in value.items() for _ in range(int(copies)))
        if isinstance(value, Mapping)
        else str(value)
    )


def _named(drugs: Sequence[Mapping[str, Any]], state: str) -> str:
    return ", ".join(_with_genes(one) for one in drugs if one["state"] == state)


def _with_genes(drug: Mapping[str, Any]) -> str:
    return f"{drug['drug']} ({' and '.join(gene['gene'] for gene in drug['genes'])})"
