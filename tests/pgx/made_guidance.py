"""A small made file in the format of `prescribing_guidance.json`: made words, and keys as PharmCAT has them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def advice(drug, lookup, text, strength="Strong", population="general", implications=("Made: implies x",)):
    """One recommendation."""
    return {
        "id": "PA1",
        "name": f"Recommendation for {drug}",
        "population": population,
        "classification": {"term": strength, "termId": "x:1"} if strength else None,
        "relatedChemicals": [{"id": "PA2", "name": drug, "symbol": None}],
        "text": {"id": 1, "html": f"<p>{text}</p>\n"},
        "implications": list(implications),
        "lookupKey": [dict(key) for key in lookup],
        "dosingInformation": False,
        "alternateDrugAvailable": True,
        "otherPrescribingGuidance": False,
    }


def guideline(drug, *recommendations, source="CPIC", kind="Guideline Annotation"):
    """A guideline with its recommendations."""
    return {
        "guideline": {
            "id": "PA9",
            "name": f"Annotation of {source} Guideline for {drug}",
            "objCls": kind,
            "source": source,
            "version": 31,
            "url": None,
            "relatedChemicals": [{"id": "PA2", "name": drug, "symbol": None}],
            "relatedGenes": [],
            "relatedAlleles": [],
            "recommendation": True,
        },
        "recommendations": list(recommendations),
        "citations": [{"pmid": "12345", "title": "Made"}],
        "url": f"https://example.org/{drug}",
    }


def made_guidance():
    """Drugs that are looked up in each of the ways."""
    poor, normal = [{"CYP2C19": "Poor Metabolizer"}], [{"CYP2C19": "Normal Metabolizer"}]
    return {
        "version": "2026-02-03-04-05",
        "guidelines": [
            guideline(
                "clopidogrel",
                advice("clopidogrel", normal, "Label dose"),
                advice("clopidogrel", poor, "Avoid &lt;b&gt; if <em>possible</em>", population="CVI ACS PCI"),
                advice("clopidogrel", poor, "Consider another", "Moderate", "NVI"),
            ),
            guideline("voriconazole", advice("voriconazole", poor, "Choose another agent", "Moderate")),
            guideline(
                "celecoxib",
                advice("celecoxib", [{"CYP2C9": "2.0"}], "Label dose"),
                advice("celecoxib", [{"CYP2C9": "1.0"}, {"CYP2C9": "1.5"}], "Lowest dose", "Optional"),
                advice("celecoxib", [{"CYP2C9": {"*2": 1, "*3": 1}}], "By these alleles", "Optional"),
            ),
            guideline(
                "amitriptyline",
                advice("amitriptyline", [{"CYP2C19": "Poor Metabolizer", "CYP2D6": "1.0"}], "Both", "Moderate"),
                advice("amitriptyline", [{"CYP2C19": "Poor Metabolizer", "CYP2D6": "No Result"}], "One", "Optional"),
            ),
            guideline(
                "codeine",
                advice("codeine", [{"CYP2D6": "0.5"}, {"CYP2D6": "1.0"}], "Watch", "Moderate"),
                advice("codeine", [{"CYP2D6": "≥3.0"}], "Avoid"),
            ),
            guideline("abacavir", advice("abacavir", [{"HLA-B": "*57:01 positive"}], "Not recommended")),
            guideline("warfarin"),
            guideline("clopidogrel", advice("clopidogrel", poor, "Dutch", "Unspecified"), source="DPWG"),
        ],
    }


def written(path: Path, plain) -> Path:
    """The file."""
    path.write_text(json.dumps(plain, ensure_ascii=False))
    return path
