"""Cells of hand-made files that are odd in a way that no public file is."""

from __future__ import annotations

from itertools import product
from math import comb
from random import Random

import pytest
from vcf_verifier import differences

from varloom.reader import check_file


@pytest.mark.parametrize(
    ("alternates", "ploidy"),
    [*((1, ploidy) for ploidy in (1, 2, 3, 8, 61, 62, 63, 64, 65)), (2, 60), (2, 61), (2, 64), (2, 65), (3, 12)],
)
def test_genotype_values_of_any_ploidy_find_their_allele(tmp_path, alternates, ploidy):
    values = ",".join(map(str, range(comb(alternates + ploidy, ploidy))))
    alt = ",".join("CGT"[:alternates])
    path = tmp_path / "pooled.vcf"
    path.write_text(
        '##fileformat=VCFv4.2\n##INFO=<ID=GP,Number=G,Type=Integer,Description="d">\n'
        f"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t5\t.\tA\t{alt}\t.\t.\tGP={values}\n"
    )
    assert differences(path) == []


def test_a_wide_number_in_a_line_that_only_the_careful_parser_reads(tmp_path):
    head = '##fileformat=VCFv4.2\n##INFO=<ID=N,Number=1,Type=Integer,Description="d">\n'
    path = tmp_path / "wide.vcf"
    path.write_text(
        f"{head}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
        "1\t1\t.\tA\t.\t.\t.\tN=1\n1\t2\t.\tA\t.\t.\t.\tN=3000000000;X;X\n1\t3\t.\tA\t.\t.\t.\tN=2\n"
    )
    assert differences(path) == []
    warned = [problem for problem in check_file(path).problems if "32 bits" in problem.message]
    assert [(problem.place.line, problem.message.count("times")) for problem in warned] == [(5, 0)]


def test_only_its_own_separator_ends_a_number(tmp_path):
    head = "".join(
        f'##{kind}=<ID={key},Number=1,Type={value_type},Description="d">\n'
        for kind in ("INFO", "FORMAT")
        for key, value_type in (("N", "Integer"), ("F", "Float"))
    )
    path = tmp_path / "separators.vcf"
    path.write_text(
        f"##fileformat=VCFv4.2\n{head}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS\n"
        "1\t1\t.\tA\t.\t.\t.\tN=1:F=2\tN:F\t5:6\n1\t2\t.\tA\t.\t.\t.\tN=3\tN:F\t1;2\n"
    )
    assert differences(path) == []


def test_numbers_of_every_shape_and_length(tmp_path):
    dice = Random(7)
    texts = ["".join(letters) for size in range(1, 5) for letters in product("09.-+e", repeat=size)]
    texts += ["".join(dice.choices("0123456789", k=size)) for size in range(1, 22) for _ in range(20)]
    texts += [f"{text[:at]}.{text[at:]}" for text in texts[-420:] for at in {0, len(text) // 2, len(text)}]
    texts += [
        f"{sign}{text}{power}" for text in texts[-1000:] for sign in ("-", "+", "") for power in ("", "e-3", "E7")
    ]
    fields = [
        (key, number, kind) for kind in ("Integer", "Float") for key, number in (("ONE", "1"), ("R", "R"), ("G", "G"))
    ]
    head = "".join(
        f'##{column}=<ID={kind[0]}{key},Number={number},Type={kind},Description="d">\n'
        for column in ("INFO", "FORMAT")
        for key, number, kind in fields
    )
    path = tmp_path / "numbers.vcf"
    with path.open("w") as file:
        file.write(f"##fileformat=VCFv4.2\n{head}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS\n")
        for position, text in enumerate(texts, 1):
            values = [
                ",".join([text, dice.choice(texts), "7"][: {"1": 1, "R": 2, "G": 3}[number]]) for _, number, _ in fields
            ]
            keys = [f"{kind[0]}{key}" for key, _, kind in fields]
            info = ";".join(f"{key}={value}" for key, value in zip(keys, values, strict=True))
            file.write(f"1\t{position}\t.\tA\tC\t.\t.\t{info}\t{':'.join(keys)}\t{':'.join(values)}\n")
    assert differences(path) == []
