"""What a row is: symbols, breakends and bases; which annotation counts; and records that say nothing usable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structural_data import releases, variants, write_genes

from varloom.annotation.sources.structural import StructuralSource
from varloom.annotation.sources.structural.breakends import Breakend, is_breakend, parse_breakend
from varloom.annotation.sources.structural.events import Event, EventReader, Row, UnusableRecordError

LENGTHS = {"1": 1000, "2": 500, "X": 1000, "Y": 300, "MT": 100, "KI270752.1": None}
READER = EventReader(LENGTHS, "GRCh38", 50)


def row(alt, position=100, **given_):
    usual = {"contig": "chr1", "id": None, "ref": "N", "end": None, "svtype": None, "svlen": None}
    return Row(**usual | {"copy_number": None, "imprecision": None} | {"position": position, "alt": alt} | given_)


def read(alt, position=100, **given_):
    return READER.read(row(alt, position, **given_))


def place(event):
    return event.type, event.start, event.end, event.length


# --- types and intervals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alt", "given_", "expected"),
    [
        ("<DEL>", {"end": 150}, ("DEL", 101, 150, 50)),
        ("<DEL>", {"svlen": -50}, ("DEL", 101, 150, 50)),
        ("<DEL:ME:ALU>", {"svlen": 50}, ("DEL", 101, 150, 50)),
        ("<DUP:TANDEM>", {"end": 150, "svlen": 50}, ("DUP", 101, 150, 50)),
        ("<INV>", {"end": 150, "svlen": 51}, ("INV", 101, 150, 50)),
        ("<CNV>", {"end": 150, "svtype": "CNV"}, ("CNV", 101, 150, 50)),
        ("<CN0>", {"end": 150, "svtype": "DEL"}, ("DEL", 101, 150, 50)),
        ("<CN0>", {"end": 150}, ("CNV", 101, 150, 50)),
        ("<INS:ME:LINE1>", {"svlen": 280, "end": 100}, ("INS", 100, 100, 280)),
        ("<INS>", {}, ("INS", 100, 100, None)),
        ("<X7>", {"svtype": "DEL", "end": 150}, ("DEL", 101, 150, 50)),
        (None, {"svtype": "DUP", "end": 150}, ("DUP", 101, 150, 50)),
        ("<TRA>", {}, ("TRA", 100, 100, None)),
        ("<BND>", {"svtype": "BND", "end": 700}, ("BND", 100, 100, None)),
        ("N[chr2:7[", {"svtype": "BND"}, ("TRA", 100, 100, None)),
        ("N[1:7[", {}, ("BND", 100, 100, None)),
        ("]<ctg>:7]N", {}, ("BND", 100, 100, None)),
    ],
)
def test_types_and_places(alt, given_, expected):
    assert place(read(alt, **given_)) == expected


BASES = "ACGTTGCAAC" * 10


@pytest.mark.parametrize(
    ("ref", "alt", "given_", "expected"),
    [
        ("A" + BASES, "A", {}, ("DEL", 101, 200, 100)),
        ("A", "A" + BASES, {}, ("INS", 100, 100, 100)),
        ("a", "A" + BASES, {}, ("INS", 100, 100, 100)),
        ("AC", "AG" + BASES + "T", {}, ("INS", 101, 101, 101)),
        ("A" + BASES + "T", "AGT", {}, ("DEL", 101, 200, 99)),
        ("A" + "CA" * 30, "A" + "TG" * 30, {}, ("INV", 101, 160, 60)),
        ("AC", "A", {"svtype": "DEL"}, ("DEL", 101, 101, 1)),
        ("A", "AG", {"svtype": "INS"}, ("INS", 100, 100, 1)),
        ("A" + BASES, "A" + "T" * 40, {}, ("DEL", 101, 200, 60)),
        ("A", "C", {}, None),
        ("A" + BASES, "A" + BASES[:60], {}, None),
        ("A" + BASES, "T" * 101, {}, None),
        ("A", "*", {}, None),
        ("A", "<*>", {"end": 900}, None),
        ("A", None, {}, None),
    ],
)
def test_alleles_of_bases(ref, alt, given_, expected):
    event = read(alt, ref=ref, **given_)
    assert (event and place(event)) == expected


@pytest.mark.parametrize(
    ("alt", "given_", "expected", "told"),
    [
        ("<DEL>", {"end": 150, "svlen": -90}, ("DEL", 101, 150, 50), "SVLEN says 90 bases, but END 50, which counts."),
        (
            "<DEL>",
            {"end": 40, "svlen": -50},
            ("DEL", 101, 150, 50),
            "END, 40, lies before POS, 100; the length counts.",
        ),
        ("<DUP>", {"end": 100}, ("DUP", 100, 100, 1), "END equals POS; the variant is taken for that base."),
        ("<DEL>", {"end": 5000}, ("DEL", 101, 1000, 900), "The end 5,000 lies beyond that of the contig, 1,000"),
        ("<DEL>", {"end": 150, "svtype": "DUP"}, ("DEL", 101, 150, 50), "SVTYPE says DUP, but the allele DEL"),
        (
            "<INS>",
            {"end": 150, "svlen": 50},
            ("INS", 100, 100, 50),
            "END is 150, but an insertion ends where it begins.",
        ),
        ("<INS>", {}, ("INS", 100, 100, None), "The record does not say how long the insertion is."),
        ("<BND>", {}, ("BND", 100, 100, None), "The record does not say to what the breakend is joined."),
        ("N[chr99:5[", {}, ("TRA", 100, 100, None), "Its mate lies on chr99, which is not known."),
        ("N" + BASES, {"svtype": "DEL"}, ("INS", 100, 100, 100), "SVTYPE says DEL, but the alleles INS"),
        ("N" + BASES, {"svtype": "DUP"}, ("INS", 100, 100, 100), "which bases are repeated is not told"),
        ("N" + BASES, {"svlen": 7}, ("INS", 100, 100, 100), "SVLEN says 7 bases, but the alleles 100"),
    ],
)
def test_contradictions_are_told_and_one_side_counts(alt, given_, expected, told):
    event = read(alt, **given_)
    assert place(event) == expected
    assert told in " ".join(event.notes)
    assert not read("<DEL>", end=150, svlen=-50, svtype="DEL").notes


@pytest.mark.parametrize(
    ("alt", "given_", "reason"),
    [
        ("<DEL>", {"end": 40}, "END, 40, lies before POS, 100, and there is no SVLEN."),
        ("<DEL>", {}, "neither END nor SVLEN"),
        ("<DEL>", {"svlen": 0}, "neither END nor SVLEN"),
        ("<DEL>", {"contig": "chrUn", "end": 150}, "The contig chrUn is not one"),
        ("<DEL>", {"contig": "NC_000001.10", "end": 150}, "The contig NC_000001.10 is not one"),
        ("<DEL>", {"position": 1500, "end": 1600}, "beyond the end of contig 1, which has 1,000 bases in GRCh38."),
        ("<FOO>", {"end": 150}, "The allele <FOO> is of no known type."),
        ("<CPX>", {"svtype": "CPX", "end": 150}, "of no known type"),
        ("N[chr2:700[", {}, "beyond the end of contig 2"),
        ("N[chr2[", {}, "not written as a breakend"),
        ("[2:7[", {}, "not written as a breakend"),
        ("N[2:7[N", {}, "not written as a breakend"),
        ("N[2:7]", {}, "not written as a breakend"),
        ("DEL\x00" * 30, {"svtype": "DEL"}, "neither bases nor a symbol"),
    ],
)
def test_records_that_say_nothing_usable_are_refused_with_the_reason(alt, given_, reason):
    with pytest.raises(UnusableRecordError) as refused:
        read(alt, **{"position": 100} | given_)
    assert reason in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    ("contig", "copies", "expected"),
    [
        ("1", 1, "loss"),
        ("1", 2, None),
        ("1", 2.5, "gain"),
        ("1", None, None),
        ("X", 0, "loss"),
        ("X", 1, None),
        ("X", 2, None),
        ("X", 3, "gain"),
        ("Y", 0, None),
        ("Y", 1, None),
        ("Y", 2, "gain"),
        ("MT", 90, None),
    ],
)
def test_a_copy_number_is_a_loss_or_a_gain_beside_what_either_sex_has(contig, copies, expected):
    event = read("<CNV>", 10, contig=contig, end=60, copy_number=copies)
    assert event.change == expected


def test_copies_of_an_allele_and_of_a_genome_are_told_apart():
    assert [read(f"<CN{n}>", end=150).change for n in range(4)] == ["loss", None, "gain", "gain"]
    assert [read(f"<CN={n}>", end=150).change for n in range(4)] == ["loss", "loss", None, "gain"]
    assert read("<DEL>", end=150).change == "loss"
    assert read("<DUP>", end=150).change == "gain"
    assert read("<INV>", end=150).change is None


# --- breakends --------------------------------------------------------------------------------------------------------

CONTIG = st.one_of(
    st.sampled_from(["1", "chr2", "HLA-A*01:01:01:01", "<ctg1>", "NC_000001.11"]), st.text("aZ09_-.:", min_size=1)
)
INSERTED = st.one_of(st.just("."), st.text("ACGTN", min_size=1, max_size=9))


@given(CONTIG, st.integers(0, 2**31 - 1), INSERTED, st.booleans(), st.booleans())
def test_a_breakend_is_read_back_as_it_was_written(contig, position, bases, keeps_left, extends_right):
    """All four orientations; the sequence on each side of a cut is where the specification says."""
    bracket = "[" if extends_right else "]"
    joined = f"{bracket}{contig}:{position}{bracket}"
    alt = bases + joined if keeps_left else joined + bases
    assert is_breakend(alt)
    assert parse_breakend(alt) == Breakend(keeps_left, contig, position, extends_right)
    assert parse_breakend(alt).mate_junction == (position - 1 if extends_right else position)


@given(st.text("ACGTN", min_size=1, max_size=9), st.booleans())
def test_a_single_breakend_has_no_mate(bases, keeps_left):
    alt = f"{bases}." if keeps_left else f".{bases}"
    assert is_breakend(alt)
    assert parse_breakend(alt) == Breakend(keeps_left)
    assert parse_breakend(alt).mate_junction is None


@given(st.text("[]:.ACGN<>12*,=;|\t ", max_size=14), st.text("ACGTN<>[].*", min_size=1, max_size=5))
def test_no_allele_is_a_crash(alt, ref):
    try:
        event = read(alt or None, ref=ref, end=150, svtype="DEL")
    except UnusableRecordError as reason:
        told = str(reason)
    else:
        assert event is None or isinstance(event, Event)
        told = "."
    assert told.endswith(".")


NUMBERS = st.one_of(st.none(), st.integers(-3, 1100), st.integers(-(2**62), 2**62))


@given(
    st.sampled_from(["<DEL>", "<DUP>", "<INS>", "<INV>", "<CNV>", "<BND>", "N[2:0[", "]2:501]N", ".N", None, "<CN3>"]),
    st.integers(0, 1001),
    NUMBERS,
    NUMBERS,
    st.sampled_from([None, "DEL", "CNV", "x", ""]),
)
def test_no_numbers_are_a_crash_and_places_stay_on_the_contig(alt, position, end, svlen, svtype):
    try:
        event = read(alt, position, end=end, svlen=svlen, svtype=svtype)
    except UnusableRecordError:
        return
    if event is not None:
        assert 1 <= event.start <= max(event.end, event.start)
        assert event.end <= 1001
        assert all(0 <= cut.before <= LENGTHS[cut.contig] + 1 for cut in event.junctions)


def test_both_mates_cut_the_same_places():
    """The two records of one adjacency (VCF 4.5, section 5.4, figure 2)."""
    pairs = [("1", 321, "G]2:198]", "2", 198, "A]1:321]"), ("1", 321, "G[2:198[", "2", 198, "]1:321]A"),
             ("1", 321, "]2:198]G", "2", 198, "A[1:321["), ("1", 321, "[2:198[G", "2", 198, "[1:321[A")]  # fmt: skip
    for contig, position, alt, other, mate, mate_alt in pairs:
        one = read(alt, position, contig=contig)
        two = read(mate_alt, mate, contig=other)
        assert set(one.junctions) == set(two.junctions)
        assert (one.mate, two.mate) == (f"{other}:{mate}", f"{contig}:{position}")


# --- through the source -----------------------------------------------------------------------------------------------


def test_bad_records_are_set_aside_and_the_others_annotated(tmp_path):
    folder = write_genes(tmp_path / "genes", [("1", 100, 200, 1, "g", "G", "protein_coding")], [])
    rows = [
        {"alt": "<DEL>", "position": 90, "end": 150, "imprecision": 12},
        {"alt": "<DEL>", "position": 90, "end": 20},
        {"alt": "<DEL>", "contig": "decoy_7", "end": 20},
        {"alt": "N[1:150[", "contig": "2", "position": 10},
    ]
    with StructuralSource().open(releases(folder), tmp_path) as source:
        found = source.annotate(variants(rows), lambda: None)
    assert [each.rowno for each in found.set_aside] == [1, 2]
    values = found.columns.to_pydict()
    assert values["sv.type"] == ["DEL", None, None, "TRA"]
    assert values["sv.genes"] == [["G"], None, None, ["G"]]
    assert values["sv.imprecision"] == [12, None, None, None]
    assert values["sv.mate"] == [None, None, None, "1:150"]
    assert values["sv.disrupted"] == [["G"], None, None, ["G"]]


def test_a_sign_of_life_can_cancel(tmp_path):
    folder = write_genes(tmp_path / "genes", [], [])

    class StoppedError(Exception):
        pass

    def stop():
        raise StoppedError

    with StructuralSource().open(releases(folder), tmp_path) as source, pytest.raises(StoppedError):
        source.annotate(variants([{"alt": "<DEL>", "end": 20}]), stop)
