"""CSQ, ANN and BCSQ unfolded: which entries belong to which ALT allele, and which is the most severe."""

from __future__ import annotations

import pytest
from tests.shared_data import SHARED, needs

from varloom.genomics.consequences import CONSEQUENCES
from varloom.reader import open_reader

VEP = "Consequence annotations from Ensembl VEP. Format: Allele|Consequence|IMPACT|SYMBOL|Gene"
NUMBERED = VEP + "|ALLELE_NUM"
SNPEFF = "Functional annotations: 'Allele | Annotation | Annotation_Impact | Gene_Name | Gene_ID' "
CSQ = "Local consequence annotation from BCFtools/csq. Format: Consequence|gene|transcript|biotype|strand|dna_change"


@pytest.fixture
def load(tmp_path):
    def read(records, key="CSQ", description=VEP, number="."):
        path = tmp_path / "a.vcf"
        header = f'##fileformat=VCFv4.2\n##INFO=<ID={key},Number={number},Type=String,Description="{description}">\n'
        columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        lines = [f"1\t{place}\t.\t{ref}\t{alt}\t.\t.\t{text}\n" for place, (ref, alt, text) in enumerate(records, 1)]
        path.write_text(header + columns + "".join(lines))
        reader = open_reader(path)
        rows = [row for batch in reader.batches() for row in batch.to_pylist()]
        summary = reader.summary()
        assert not rows or list(rows[0]) == [column.name for column in summary.columns]
        return rows, [(problem.kind.code, problem.place.line) for problem in summary.warnings]

    return read


def entries(row, key="CSQ"):
    return [list(filter(None, entry.values())) for entry in row[f"INFO.{key}.transcripts"]]


NAMES = [
    # how the annotator calls the alleles, REF, ALT, and the names in the order of the alleles
    ("CSQ", "A", "C,G", ["C", "G"]),
    ("CSQ", "CA", "C,CAA", ["-", "AA"]),
    ("CSQ", "CA", "C,CT", ["-", "T"]),
    ("CSQ", "CA", "C,TA", ["C", "TA"]),
    ("CSQ", "CA", "C,*", ["-", "*"]),
    ("CSQ", "CAG", "CAT,CAC", ["CAT", "CAC"]),
    ("CSQ", "CAG", "CAT,C", ["AT", "-"]),
    ("CSQ", "GAAC", "GAC,GAATC", ["AC", "AATC"]),
    ("CSQ", "GAAC", "GAC,GAATC", ["-", "T"]),
    ("ANN", "CA", "C,CAA", ["C", "CAA"]),
    ("ANN", "A", "C,G", ["C-A", "G-C"]),
]


@pytest.mark.parametrize(("key", "ref", "alt", "names"), NAMES)
def test_each_allele_has_its_own_entries(load, key, ref, alt, names):
    text = ",".join(f"{name}|t{number}|LOW|G|" for number, name in enumerate(names))
    rows, warnings = load([(ref, alt, f"{key}={text}")], key, VEP if key == "CSQ" else SNPEFF)
    assert [entries(row, key) for row in rows] == [[[name, f"t{n}", "LOW", "G"]] for n, name in enumerate(names)]
    assert warnings == []


def test_the_number_of_an_allele_decides(load):
    text = "x|a|||||2,y|b|||||1,x|c|||||2"
    rows, warnings = load([("A", "C,G", f"CSQ={text.replace('|||||', '||||')}")], description=NUMBERED)
    assert [[entry[1] for entry in entries(row)] for row in rows] == [["b"], ["a", "c"]]
    assert warnings == []


def test_one_allele_has_all_entries_whatever_they_call_it(load):
    rows, warnings = load([("A", "<DEL>", "CSQ=deletion|a|||,x|b|||"), ("G", "C,<NON_REF>", "CSQ=?|c|||")])
    assert [[entry[1] for entry in entries(row)] for row in rows] == [["a", "b"], ["c"]]
    assert warnings == []


def test_entries_of_no_allele_are_told_with_each(load):
    rows, warnings = load([("A", "C,G", "CSQ=T|a|||,G|b|||"), ("A", "C,G", "CSQ=T|a|||")])
    assert [[entry[1] for entry in entries(row)] for row in rows] == [["a"], ["a", "b"], ["a"], ["a"]]
    assert warnings == [("vcf_annotation_allele", 4)]


def best(row, key="CSQ"):
    return tuple(row[f"INFO.{key}.{name}"] for name in ("consequence", "impact", "gene"))


def test_the_most_severe_consequence_with_its_impact_and_gene(load):
    rows, _ = load(
        [
            (
                "A",
                "C",
                "CSQ=C|intron_variant&NMD_transcript_variant|MODIFIER|G1|E1,C|splice_region_variant&stop_gained|HIGH||E2",
            ),
            ("A", "C", "CSQ=C|missense_variant||G1|E1,C|missense_variant|MODERATE|G2|E2"),
            ("A", "C", "CSQ=C|unheard_of|LOW|G1|,C|intergenic_variant|MODIFIER||"),
            ("A", "C", "CSQ=C|unheard_of||G1|"),
            ("A", "C", "CSQ=C||||"),
            ("A", "C", "."),
        ]
    )
    assert [best(row) for row in rows] == [
        ("stop_gained", "HIGH", "E2"),
        ("missense_variant", "MODERATE", "G1"),
        ("intergenic_variant", "MODIFIER", None),
        ("unheard_of", None, "G1"),
        (None, None, None),
        (None, None, None),
    ]
    assert rows[4]["INFO.CSQ.transcripts"] == [
        {"Allele": "C", "Consequence": None, "IMPACT": None, "SYMBOL": None, "Gene": None}
    ]
    assert rows[5]["INFO.CSQ.transcripts"] is None


def test_bcsq_names_no_alleles_and_leaves_out_what_it_does_not_know(load):
    text = "BCSQ=*missense|G|T1|protein_coding|+|1A>C,@12,intron|H||lncRNA"
    rows, warnings = load([("A", "C,G", text)], "BCSQ", CSQ)
    assert [best(row, "BCSQ") for row in rows] == [("missense", "MODERATE", "G")] * 2
    assert entries(rows[1], "BCSQ") == [
        ["*missense", "G", "T1", "protein_coding", "+", "1A>C"],
        ["@12"],
        ["intron", "H", "lncRNA"],
    ]
    assert warnings == []


def test_entries_with_another_number_of_subfields(load):
    rows, warnings = load([("A", "C", "CSQ=C|a"), ("A", "C,G", "CSQ=C|a|b|c|d|e|f,G|b")])
    assert entries(rows[0]) == [["C", "a"]]
    assert entries(rows[1]) == [["C", "a", "b", "c", "d"]]
    assert rows[1]["INFO.CSQ"] == ["C|a|b|c|d|e|f", "G|b"]
    assert warnings == [("vcf_annotation_count", 4)]


def test_subfields_of_every_length_and_at_every_place(load):
    letters = "abcdefghijklmnopqrstuvwxyz" * 2
    texts = [
        "|".join([letters[:first], letters[:second], "x" * (first % 3), "", letters[: (first * second) % 35]])
        for first in range(40)
        for second in range(40)
    ]
    rows, _ = load([("A", "C", f"CSQ={text}") for text in texts] + [("A", "C", "CSQ=a|b|c|d|e")])
    expected = [[list(filter(None, text.split("|")))] if text != "||||" else [[]] for text in texts]
    assert [entries(row) for row in rows[:-1]] == expected
    assert entries(rows[-1]) == [["a", "b", "c", "d", "e"]]


def test_a_declaration_of_one_text_is_cut_at_commas(load):
    rows, _ = load([("A", "C,G", "CSQ=G|b|||,C|a|||")], number="1")
    assert [[entry[1] for entry in entries(row)] for row in rows] == [["a"], ["b"]]
    assert rows[0]["INFO.CSQ"] == "G|b|||,C|a|||"


@pytest.mark.parametrize(
    "description", ["whatever", "Format: a", "Format: a||b", "Format: a|A", "Format: " + "|".join("abc" * 999)]
)
def test_what_the_header_does_not_tell_is_kept_as_it_stands(load, description):
    rows, warnings = load([("A", "C", "CSQ=C|a")], description=description)
    assert rows[0]["INFO.CSQ"] == ["C|a"]
    assert [name for name in rows[0] if name.startswith("INFO.")] == ["INFO.CSQ"]
    assert warnings == [("vcf_annotation_format", None)]


def test_columns_of_other_fields_keep_their_names(load, tmp_path):
    path = tmp_path / "b.vcf"
    path.write_text(
        "##fileformat=VCFv4.2\n"
        f'##INFO=<ID=CSQ,Number=.,Type=String,Description="{VEP}">\n'
        '##INFO=<ID=CSQ.gene,Number=1,Type=String,Description="d">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        "1\t1\t.\tA\tC\t.\t.\tCSQ.gene=own;CSQ=C|a||G|\n"
    )
    reader = open_reader(path)
    (row,) = [row for batch in reader.batches() for row in batch.to_pylist()]
    assert (row["INFO.CSQ.gene"], row["INFO.CSQ.gene_2"]) == ("own", "G")


def split_by_hand(row, key, names):
    """The entries of a row whose record has one ALT allele."""
    raw = row[f"INFO.{key}"]
    texts = raw.split(",") if isinstance(raw, str) else [text for text in raw or [] if text]
    cut = [text.split("|") for text in texts]
    return [{name: (parts[n] if n < len(parts) else "") or None for n, name in enumerate(names)} for parts in cut]


@needs(SHARED)
def test_annotations_of_real_files_as_python_cuts_them():
    files = [path for path in (SHARED / "corpus" / "vcf").rglob("*.vcf") if path.stat().st_size < 2_000_000]
    ranks = {each.term: each.rank for each in CONSEQUENCES}
    seen = 0
    for path in files:
        if not any(mark in path.read_bytes()[:200_000] for mark in (b"ID=CSQ,", b"ID=ANN,", b"ID=BCSQ,")):
            continue
        try:
            reader = open_reader(path)
            rows = [row for batch in reader.batches() for row in batch.to_pylist()]
        except Exception:  # noqa: BLE001, S112 - broken files have tests of their own
            continue
        alleles = {}
        for row in rows:
            alleles[row["record"]] = alleles.get(row["record"], 0) + 1
        for key in ("CSQ", "ANN", "BCSQ"):
            for row in rows:
                found = row.get(f"INFO.{key}.transcripts")
                if found is None or alleles[row["record"]] > 1:
                    continue
                assert found == split_by_hand(row, key, list(found[0]))
                terms = [
                    term
                    for entry in found
                    for name in ("Consequence", "Annotation")
                    for term in (entry.get(name) or "").split("&")
                ]
                worst = min((ranks.get(term.lstrip("*"), 9999) for term in terms if term), default=None)
                if worst is not None and worst != 9999:
                    assert ranks[row[f"INFO.{key}.consequence"]] == worst
                seen += 1
    assert seen > 300


def test_entries_without_a_subfield_for_the_consequence_have_none(load):
    """With the sanitizers this looked before the first subfield."""
    rows, _ = load(
        [("A", "C", "CSQ=C|HIGH|G1")],
        description="Consequence annotations from Ensembl VEP. Format: Allele|IMPACT|SYMBOL",
    )
    assert entries(rows[0]) == [["C", "HIGH", "G1"]]
    assert rows[0]["INFO.CSQ.consequence"] is None
