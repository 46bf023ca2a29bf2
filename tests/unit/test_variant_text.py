"""Variants as people write them."""

from __future__ import annotations

import pytest

from varloom.annotation.variant_text import WrittenVariant, is_rs_number, parse_variant
from varloom.errors import VarloomError

SEQUENCE = "ACGTACGGGTTTACGATCGA"
"""Bases 1 to 20 of contig 7."""


def bases(contig: str, first: int, count: int) -> str:
    return SEQUENCE[first - 1 : first - 1 + count] if contig == "7" else ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("chr7:117559590:A:G", ("7", 117559590, "A", "G")),
        ("7-117559590-A-G", ("7", 117559590, "A", "G")),
        (" chr7 117,559,590 a g ", ("7", 117559590, "A", "G")),
        ("chr7\t117559590\tA\tG", ("7", 117559590, "A", "G")),
        ("chr7:117559590 A>G", ("7", 117559590, "A", "G")),
        ("chr7_117559590_A/G", ("7", 117559590, "A", "G")),
        ("chr7:g.117559590A>G", ("7", 117559590, "A", "G")),
        ("NC_000007.14:g.117559590A>G", ("7", 117559590, "A", "G")),
        ("chrM:m.8993T>G", ("MT", 8993, "T", "G")),
        ("chr1_KI270706v1_random:5:A:G", ("chr1_KI270706v1_random", 5, "A", "G")),
        ("7:5:ACG:A", ("7", 5, "ACG", "A")),
        ("7:g.5del", ("7", 4, "TA", "T")),
        ("7:g.7_9del", ("7", 6, "CGGG", "C")),
        ("7:g.7_9delGGG", ("7", 6, "CGGG", "C")),
        ("7:g.7_9dup", ("7", 6, "C", "CGGG")),
        ("7:g.7_8insTT", ("7", 7, "G", "GTT")),
        ("7:g.7_9delinsAT", ("7", 7, "GGG", "AT")),
        ("7:g.5_8inv", ("7", 5, "ACGG", "CCGT")),
    ],
)
def test_ways_to_write_a_variant(text, expected):
    assert parse_variant(text, "GRCh38", bases) == WrittenVariant(*expected)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Write it as"),
        ("BRCA1", "Write it as"),
        ("chr7:117559590", "Write it as"),
        ("chr7:0:A:G", "outside of every chromosome"),
        ("chr7:99999999999:A:G", "outside of every chromosome"),
        ("7:g.7_9delACT", "The reference has GGG there, not ACT"),
        ("7:g.9_7del", "not in order"),
        ("7:g.7_9insA", "two positions beside it"),
        ("7:g.7_8ins", "does not name the bases"),
        ("7:g.30del", "no such position"),
        ("9:g.5del", "no such position"),
        ("NC_000007.13:g.5A>G", "is of GRCh37, and GRCh38 was asked for"),
        ("7:5:A:" + "G" * 20_000, "longer than"),
        ("\x00\x1b[31m", "Write it as"),
    ],
)
def test_what_is_not_understood_says_why(text, why):
    with pytest.raises(VarloomError, match=why) as raised:
        parse_variant(text, "GRCh38", bases)
    assert raised.value.kind.code == "variant_not_understood"
    assert len(raised.value.message) < 400
    assert raised.value.message.isprintable()


def test_without_a_genome_a_deletion_cannot_be_told():
    with pytest.raises(VarloomError, match="no reference genome is installed"):
        parse_variant("7:g.7_9del", "GRCh38", None)
    assert parse_variant("7:g.7A>T", "GRCh38", None) == ("7", 7, "A", "T")


def test_rs_numbers():
    assert is_rs_number(" rs113993960 ")
    assert is_rs_number("RS1")
    assert not is_rs_number("rs")
    assert not is_rs_number("rs12x")
