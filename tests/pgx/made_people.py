"""People whose alleles are known, made from the definitions as published, and what their diplotypes mean by the tables.

Nothing here uses the code that calls: definitions, phenotypes and CPIC's tables are read as they were published.
"""

from __future__ import annotations

import csv
import json
import random
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from tests.pgx.made import PGX

if TYPE_CHECKING:
    from pathlib import Path

IUPAC = {"R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT", "M": "AC", "N": "ACGT"}
BY_VARIANT = ("DPYD", "RYR1")
_HEADER = (
    "##fileformat=VCFv4.2\n##reference=GRCh38\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n##FORMAT=<ID=PS,Number=1,Type=Integer,Description="p">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
)


class Published:
    """The tables, by gene."""

    def __init__(self) -> None:
        found = [json.loads(path.read_text()) for path in sorted((PGX / "definition").glob("*_translation.json"))]
        self.genes = {one["gene"]: one for one in found if one["gene"] != "CYP2D6"}
        self._rules = json.loads((PGX / "definition" / "exemptions.json").read_text())
        self._newer: dict[str, dict[tuple[str, ...], str]] = {}
        for path in (PGX / "phenotype").glob("*.json"):
            table = json.loads(path.read_text())
            self._newer[table["gene"]] = {
                tuple(sorted(name for name, copies in one["diplotypekey"].items() for _ in range(copies))): one[
                    "phenotype"
                ]
                for one in table["diplotypes"]
            }
        self._cpic: dict[str, dict[tuple[str, ...], str]] = defaultdict(dict)
        for row in _rows("diplotype-table.csv"):
            self._cpic[row["Gene"]][tuple(sorted(row["Diplotype"].split("/")))] = row["Phenotype"]
        self._functions = {(row["Gene"], row["StarAllele"]): row["Function"] for row in _rows("allele-table.csv")}
        dpyd = json.loads((PGX / "phenotype" / "DPYD.json").read_text())["activityValues"]
        self._activities = {name: float(value) for name, value in dpyd.items() if value != "n/a"}

    def alleles(self, gene):
        """Those that can be called, as published."""
        left_out = {name.lower() for name in self._rules.get(gene, {}).get("ignoredAlleles", ())}
        every = self.genes[gene]["namedAlleles"]
        return [one for one in every if one["name"].lower() not in left_out and not one.get("structuralVariant")]

    def reported(self, gene, name):
        """The name of the core allele."""
        return (self.genes[gene].get("suballelesMap") or {}).get(name, name)

    def phenotype(self, gene, first, second):
        """Of the names of the alleles of both chromosomes."""
        if gene == "RYR1":
            harm = any("Malignant" in (self._functions.get((gene, name)) or "") for name in (*first, *second))
            return "Malignant Hyperthermia Susceptibility" if harm else "Uncertain Susceptibility"
        if gene == "DPYD":
            total = sum(
                min((self._activities.get(name, 1.0) for name in side), default=1.0) for side in (first, second)
            )
            return (
                "Poor Metabolizer" if total < 1 else "Intermediate Metabolizer" if total < 2 else "Normal Metabolizer"
            )
        if gene == "IFNL3":  # CPIC's table names its alleles otherwise
            return "Unfavorable Response" if "variant" in first[0] + second[0] else "Favorable Response"
        names = tuple(sorted(self.reported(gene, name) for name in (*first, *second)))
        return self._newer.get(gene, {}).get(names) or self._cpic[gene].get(names)


def _rows(name):
    with (PGX / "cpic" / name).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


class Person(NamedTuple):
    """How the genotypes are written, how many are lost, and by gene the alleles of each chromosome."""

    mode: str
    lost: float
    alleles: dict[str, tuple[tuple[str, ...], tuple[str, ...]]]


def people(published: Published, path: Path, count: int, seed: int) -> list[Person]:
    """Write a file of people with all genes.

    Args:
        published: the tables.
        path: of the file that is made.
        count: how many people.
        seed: of all that is drawn.
    """
    draw = random.Random(seed)
    made = [
        Person(draw.choice(["unphased", "unphased", "phased", "sets"]), draw.choice([0, 0, 0.03, 0.1, 0.4]), {})
        for _ in range(count)
    ]
    lines = []
    for gene, table in published.genes.items():
        drawn = [_drawn(published, gene, draw) for _ in made]
        for person, (names, _) in zip(made, drawn, strict=True):
            person.alleles[gene] = names
        cut = draw.randrange(len(table["variants"]))
        turned = [(draw.random() < 0.5, draw.random() < 0.5) for _ in made]
        for index, place in enumerate(table["variants"]):
            alleles = list(
                dict.fromkeys([place["ref"], *place["alts"], *(s[index] for _, pair in drawn for s in pair)])
            )
            cells = []
            for person, (_, pair), turns in zip(made, drawn, turned, strict=True):
                both = [str(alleles.index(sequence[index])) for sequence in pair]
                cells.append(_cell(person, both, int(index >= cut), turns, draw))
            fixed = [place["chromosome"], str(place["position"]), ".", place["ref"], ",".join(alleles[1:])]
            lines.append((fixed[0], place["position"], "\t".join([*fixed, ".", "PASS", ".", "GT:PS", *cells])))
    names = "\t".join(f"s{number}" for number in range(count))
    path.write_text(_HEADER + names + "\n" + "".join(f"{line}\n" for _, _, line in sorted(lines)))
    return made


def _cell(person, both, part, turns, draw):
    if draw.random() < person.lost:
        return "./.:."
    if person.mode == "phased":
        return "|".join(both) + ":."
    if person.mode == "sets":
        return "|".join(both[::-1] if turns[part] else both) + f":{part + 1}"
    return "/".join(draw.sample(both, 2)) + ":."


def _drawn(published, gene, draw):
    """The names of both chromosomes, and their bases at each position."""
    places = published.genes[gene]["variants"]
    every = published.alleles(gene)
    reference = next(one for one in every if one["reference"])
    plain = [place["ref"] if cell in IUPAC else cell for place, cell in zip(places, reference["alleles"], strict=True)]
    names, sequences = [], []
    for _ in range(2):
        picked = _picked(gene, every, reference, draw)
        bases = list(plain)
        for allele in picked:
            for index, cell in enumerate(allele["alleles"]):
                if cell:
                    bases[index] = draw.choice(IUPAC[cell]) if cell in IUPAC else cell
        names.append(tuple(one["name"] for one in picked))
        sequences.append(bases)
    return (names[0], names[1]), sequences


def _picked(gene, every, reference, draw):
    if gene not in BY_VARIANT:
        return [draw.choice(every) if draw.random() < 0.7 else reference]
    picked, used = [], set()
    for allele in draw.sample(every, draw.choice([1, 1, 2])) if draw.random() < 0.7 else ():
        cells = {index for index, cell in enumerate(allele["alleles"]) if cell}
        if not allele["reference"] and not cells & used:
            picked.append(allele)
            used |= cells
    return picked
