"""The 43 published cases of bcftools csq, through the whole source: alone (`--local-csq`) and on haplotypes.

Exceptions, each with its reason:

- symbolic alleles (`<INS:ME:ALU>`, `<DEL>`; 7 records of ENST00000263103-INS) are no small variants: they stay missing;
- `-C 1` (alternative start codons, one of ENST00000368801.2) is not what the source runs: only ATG starts outside of
  the mitochondrion, so that M1L is a start that is lost;
- `-B`/`-b` cut the change of the protein short; the source leaves it whole, so only its first residue is compared;
- where csq says nothing of an indel within a gene ("can be normalized", three records of ENST00000341065), the source
  says `intron_variant`, which is where it is: every row is answered;
- `feature_elongation` and `feature_truncation`, which csq says of small replacements by more or fewer bases, are left
  out;
- the GFF3 of ENST00000318249.2 has no lines for untranslated parts: the source tells them by the exons all the same;
- a residue's number behind an indel of the same haplotype (`355K>354Q`) is told for the variant alone (`355K>355Q`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.annotation.opened import Row, annotated, installed_fasta, installed_genes, opened, sequences_of
from tests.shared_data import needs

from varloom.annotation.sources.consequence.answers import term_of

CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "consequence"
SYMBOLIC = {("ENST00000263103-INS", position) for position in (280440, 315639, 315640, 315641, 315642, 315771, 315772)}
SILENT = {("ENST00000341065", position) for position in (16255, 18365, 18498)}
NOT_RUN = ("-C 1",)
WITHOUT_UTR = {"ENST00000318249.2": {"5_prime_UTR_variant"}}
SKIPPED_FILTER = {40512}  # the case shows that the filter of csq works, which is not used here

pytestmark = [
    pytest.mark.corpus,
    needs(CASES),
]


class Expected(NamedTuple):
    """One entry of BCSQ as the published output has it."""

    terms: frozenset[str]
    gene: str
    transcript: str
    protein: str | None
    changes: str | None
    behind_stop: bool


class Run(NamedTuple):
    gff: Path
    vcf: Path
    output: str  # lines of position, REF, ALT, BCSQ
    local: bool
    merged: bool  # genotypes are taken as one haplotype


def expected_of(entry):
    fields = entry.split("|")
    names = [name for name in fields[0].lstrip("*").split("&") if not name.startswith("feature_")]
    terms = frozenset(term_of(name).term for name in names)
    protein = fields[5] if len(fields) > 5 else None
    changes = fields[6] if len(fields) > 6 else None
    return Expected(terms, fields[1], fields[2].split(".")[0], protein or None, changes, fields[0].startswith("*"))


def runs_of(folder):
    gff = folder / f"{folder.name}.gff"
    for vcf in sorted(folder.glob("*.vcf")):
        for suffix in (".txt", ".txt-l"):
            output = vcf.with_suffix(suffix)
            if output.exists():
                yield Run(gff, vcf, output.read_text(), suffix == ".txt-l", merged=False)
    for command in sorted(folder.glob("*.cmd")):
        lines = [line for line in command.read_text().splitlines() if "bcftools csq" in line]
        blocks = Path(f"{command}.out").read_text().strip().split("\n\n")
        for line, block in zip(lines, blocks, strict=True):
            if any(option in line for option in NOT_RUN) or "-Ot" in line:
                continue
            names = re.search(r"-g (\S+)", line)[1], re.search(r"(\S+\.vcf)", line)[1]
            text = block if "\t" in block else f"11192\tT\tG\t{block}"
            local = "-l" in line
            yield Run(folder / names[0], folder / names[1], text, local, merged="-p a" in line or "--phase m" in line)


def rows_of(run):
    rows = []
    for line in run.vcf.read_text().splitlines():
        if not line.startswith("#"):
            (
                contig,
                position,
                _,
                ref,
                alts,
                *_,
            ) = line.split("\t")
            genotypes = [field.split(":")[0] for field in line.split("\t")[9:]]
            for number, alt in enumerate(alts.split(","), 1):
                texts = tuple(genotypes) if genotypes and not run.merged else (str(number),)
                rows.append(Row(contig, int(position), ref, alt, texts, None, number))
    return rows


def published(run):
    """The entries by place. Without samples a line of what was once expected stands before each line of the output."""
    has_samples = "\tFORMAT\t" in run.vcf.read_text()
    found = {}
    for line in run.output.splitlines():
        if line.strip():
            position, ref, alt, entries = line.split("\t")[:4]
            key = int(position), ref, alt
            kept = {entry for entry in entries.split(",") if entry not in {"", "."}}
            found[key] = kept | found.get(key, set()) if has_samples else kept
    return found


def same_protein(expected, own):
    if expected is None or expected in (own or "").split(","):
        return True
    begun = re.match(r"\d+[A-Z*]", expected)
    return ".." in expected and (own or "").startswith(begun[0])


def alone_of(answer):
    return [
        (
            frozenset(entry["consequence"].split("&")),
            entry["gene"],
            entry["transcript"].split(".")[0],
            entry["protein_change"],
        )
        for entry in answer["csq.all"] or []
    ]


def joint_of(answer):
    return [
        (frozenset(entry["consequence"].split("&")), entry["transcript"].split(".")[0], entry)
        for entry in answer["csq.joint"] or []
    ]


def is_found_alone(expected, answers):
    return any(
        expected.terms <= terms
        and expected.gene in {gene, transcript}
        and expected.transcript in {"", transcript}
        and (same_protein(expected.protein, protein) or _same_residue(expected.protein, protein))
        for answer in answers
        for terms, gene, transcript, protein in alone_of(answer)
    )


def _same_residue(expected, own):
    """Behind an indel of the haplotype the new residue has another number."""
    pattern = r"(\d+[A-Z*]+)>\d+([A-Z*]+)"
    left, right = re.fullmatch(pattern, expected or ""), re.fullmatch(pattern, own or "")
    return left is not None and right is not None and left.groups() == right.groups()


def is_found_jointly(expected, answers):
    return any(
        expected.terms <= terms
        and expected.transcript == transcript
        and same_protein(expected.protein, entry["protein_change"])
        and (expected.changes is None or expected.changes == entry["changes"])
        for answer in answers
        for terms, transcript, entry in joint_of(answer)
    )


def problems(run, name, rows, answers):
    by_place = published(run)
    for (position, ref, alts), entries in by_place.items():
        own = [
            answer
            for row, answer in zip(rows, answers, strict=True)
            if (row.position, row.ref) == (position, ref) and row.alt in alts.split(",")
        ]
        if (name, position) in SYMBOLIC or position in SKIPPED_FILTER:
            continue
        for entry in entries:
            if entry.startswith("@"):
                found = any(
                    re.search(rf"\b{entry[1:]}[A-Z]", item["changes"] or "")
                    for answer in own
                    for *_, item in joint_of(answer)
                )
            else:
                expected = expected_of(entry)
                joint = "+" in (expected.changes or "") or expected.behind_stop
                found = (is_found_jointly if joint else is_found_alone)(expected, own)
            if not found:
                yield f"{run.vcf.name}:{position} {ref}>{alts}: {entry} is missing"
        references = [expected_of(entry) for entry in entries if not entry.startswith("@")]
        alone = run.local or (entries and len(references) == len(entries)) or len(rows) == 1
        if alone and not any("+" in (each.changes or "") for each in references):
            for answer in own:
                for terms, gene, transcript, _ in alone_of(answer):
                    said = [
                        each.terms
                        for each in references
                        if each.gene in {gene, transcript} and each.transcript in {"", transcript}
                    ]
                    if not terms <= WITHOUT_UTR.get(name, set()).union(*said) and (name, position) not in SILENT:
                        yield f"{run.vcf.name}:{position} {ref}>{alts}: {sorted(terms)} in {transcript} is ours alone"


def test_there_are_43_cases():
    assert len([folder for folder in CASES.iterdir() if any(runs_of(folder)) or folder.name == "ENST00000428061"]) == 43


@pytest.mark.parametrize("name", sorted(folder.name for folder in CASES.iterdir()) if CASES.is_dir() else [])
def test_a_published_case_is_reproduced(name, tmp_path):
    folder = CASES / name
    fasta = installed_fasta(sequences_of(folder / f"{name}.fa"), tmp_path / "fasta")
    found, sources = [], {}
    for number, run in enumerate(runs_of(folder)):
        rows = rows_of(run)
        key = (run.gff, run.vcf, run.merged)
        if key not in sources:
            genes, _ = installed_genes(run.gff, tmp_path / f"genes{number}")
            with opened(genes, fasta, tmp_path / "scratch") as source:
                sources[key] = annotated(source, rows)[0]
        found += problems(run, name, rows, sources[key])
    assert found == []


def test_the_assertion_of_a_published_case_does_not_fail(tmp_path):
    folder = CASES / "ENST00000428061"
    run = Run(folder / "ENST00000428061.gff", folder / "failed-assert.vcf", "", local=False, merged=False)
    genes, _ = installed_genes(run.gff, tmp_path / "genes")
    fasta = installed_fasta(sequences_of(folder / "ENST00000428061.fa"), tmp_path / "fasta")
    with opened(genes, fasta, tmp_path / "scratch") as source:
        answers, _ = annotated(source, rows_of(run))
    assert all(answer["csq.consequence"] for answer in answers)
