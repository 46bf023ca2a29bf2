"""What must hold for any variant: one way to write it, one number for it, and found exactly where it is."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, cast
from unittest import mock

import numpy as np
import pyarrow as pa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from varloom.annotation.lookups import site_table
from varloom.annotation.lookups.normalising import normalise
from varloom.annotation.lookups.shared_batches import Reference, normalised
from varloom.annotation.lookups.site_table import SITES, SiteTable
from varloom.annotation.refs import site_writer
from varloom.annotation.refs.site_writer import Merge, SiteWriter
from varloom.genomics.minimal_alleles import left_aligned, trimmed
from varloom.genomics.variant_keys import MOST_BASES, variant_keys

if TYPE_CHECKING:
    from varloom.annotation.refs.genome import Genome


class SmallGenome:
    """A reference of one short contig, in place of a FASTA file."""

    def __init__(self, bases: str) -> None:
        self._bases = bases
        self.lengths = {"1": len(bases)}

    def base_at(self, contig: str):
        assert contig == "1"
        return lambda position: self._bases[position - 1 : position] if position > 0 else ""


def shortest_leftmost(reference: str, position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Every way to write what the variant makes of the reference, tried one by one: the shortest, then the leftmost."""
    made = reference[: position - 1] + alt + reference[position - 1 + len(ref) :]
    ways = []
    for start in range(len(reference)):
        for length in range(1, len(reference) - start + 1):
            rest = len(reference) - start - length
            inner = made[start : len(made) - rest]
            if (
                inner
                and made[:start] == reference[:start]
                and len(made) >= start + rest
                and made[len(made) - rest :] == reference[start + length :]
            ):
                ways.append((length + len(inner), start + 1, reference[start : start + length], inner))
    return min(ways)[1:]


@st.composite
def variants_on_references(draw):
    reference = draw(st.text("AC", min_size=1, max_size=12))
    start = draw(st.integers(0, len(reference) - 1))
    end = draw(st.integers(start + 1, len(reference)))
    alt = draw(st.text("AC", min_size=1, max_size=6))
    return reference, start + 1, reference[start:end], alt


@settings(max_examples=400, deadline=None)
@given(variants_on_references())
@example(("AAAC", 2, "AA", "A"))
@example(("CAAA", 3, "A", "AA"))
@example(("ACACAC", 5, "AC", "ACAC"))
def test_left_aligned_is_the_shortest_and_leftmost_way(case):
    reference, position, ref, alt = case
    if ref == alt:
        return
    found = left_aligned(position, ref, alt, SmallGenome(reference).base_at("1"))
    assert tuple(found) == shortest_leftmost(reference, position, ref, alt)


@given(variants_on_references())
def test_trimming_keeps_what_the_variant_makes(case):
    reference, position, ref, alt = case
    start, shorter_ref, shorter_alt = trimmed(position, ref, alt)
    assert reference[start - 1 :].startswith(shorter_ref)
    made = reference[: position - 1] + alt + reference[position - 1 + len(ref) :]
    assert reference[: start - 1] + shorter_alt + reference[start - 1 + len(shorter_ref) :] == made
    assert len(shorter_ref) + len(shorter_alt) <= len(ref) + len(alt)


odd_alleles = st.sampled_from(["*", ".", "<DEL>", "A[1:5[", "", "N", "acg", "AR", "A" * 40, "ACGTACGTACGTA"])
alleles = st.one_of(st.text("ACGT", min_size=1, max_size=8), odd_alleles)


@settings(deadline=None)
@given(
    st.text("AC", min_size=30, max_size=60),
    st.lists(st.tuples(st.integers(0, 60), alleles, st.one_of(st.none(), alleles)), min_size=1, max_size=20),
)
def test_a_batch_is_normalised_as_its_variants_are_one_by_one(reference, rows):
    genome = SmallGenome(reference)
    position = np.array([row[0] for row in rows], dtype=np.int64)
    ref, alt = (pa.array([row[n] for row in rows], pa.string()) for n in (1, 2))
    # as a slice, whose buffers begin elsewhere
    padded = [pa.concat_arrays([pa.array(["GG", "T"]), texts]).slice(2) for texts in (ref, alt)]
    found = normalise("1", position, padded[0], padded[1], cast("Genome", genome))
    for number, (place, one_ref, one_alt) in enumerate(rows):
        usable = place > 0 and all(text and set(text.upper()) <= set("ACGTNRYKMSWBDHV") for text in (one_ref, one_alt))
        assert bool(found.usable[number]) == usable
        if usable:
            expected = left_aligned(place, one_ref.upper(), one_alt.upper(), genome.base_at("1"))
            assert (int(found.position[number]), found.ref[number].as_py(), found.alt[number].as_py()) == expected


sites = st.tuples(
    st.sampled_from(["1", "2", "X", "KI270706.1"]),
    st.integers(1, 3_000_000),
    st.text("ACGTN", min_size=1, max_size=MOST_BASES),
    st.text("ACGT", min_size=1, max_size=MOST_BASES),
)


@given(st.lists(sites, min_size=1, max_size=40))
def test_numbers_are_the_same_for_the_same_variant_only_and_in_the_order_of_positions(rows):
    by_key: dict[int, set[tuple[int, str, str]]] = {}
    for _, position, ref, alt in rows:
        key = int(variant_keys(np.array([position]), pa.array([ref]), pa.array([alt]))[0])
        by_key.setdefault(key, set()).add((position, ref, alt))
        assert key >> 35 == position
    assert all(len(found) == 1 for found in by_key.values())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(sites, min_size=1, max_size=60),
    st.lists(sites, max_size=30),
    st.randoms(use_true_random=False),
    st.sampled_from([[], ["word"]]),
)
def test_all_sites_are_found_and_nothing_else(known, strangers, chance, coded):
    """Whatever the order of the sites, and however they fall into row groups; the best of several is kept."""
    best: dict[tuple[str, int, str, str], float] = {}
    expected_merged = 0
    rows = [(*site, float(number)) for number, site in enumerate(known)]
    chance.shuffle(rows)
    for *place, score in rows:
        site = cast("tuple[str, int, str, str]", tuple(place))
        expected_merged += site in best
        best[site] = max(score, best.get(site, -1.0))
    with tempfile.TemporaryDirectory() as name:
        folder, scratch = Path(name) / "folder", Path(name) / "scratch"
        folder.mkdir()
        scratch.mkdir()
        with mock.patch.object(site_writer, "ROW_GROUP", 5):
            written = write(folder, scratch, rows)
        assert (written.rows, written.merged) == (len(best), expected_merged)
        asked = [*known, *strangers, *known[:3]]
        chance.shuffle(asked)
        with (
            mock.patch.object(site_table, "_MOST_MAPPED", 0),
            mock.patch.object(site_table, "_of_few_values", return_value=coded),
            SiteTable(folder / SITES, ["score", "word", "count"]) as table,
        ):
            for contig in {site[0] for site in asked}:
                mine = [site for site in asked if site[0] == contig]
                found = table.find(contig, as_they_are(mine))
                wanted = [values_of(best[site]) if site in best else (None, None, None) for site in mine]
                assert list(zip(*(column.to_pylist() for column in found.values.columns), strict=True)) == wanted
                assert found.found.tolist() == [site in best for site in mine]


def write(folder: Path, scratch: Path, rows):
    fields = [pa.field("score", pa.float64()), pa.field("word", pa.string()), pa.field("count", pa.int32())]
    writer = SiteWriter(folder, scratch, fields, Merge(best_by="score"), lambda: None)
    for row in rows:
        values = zip(fields, values_of(row[4]), strict=True)
        writer.add(row[0], as_they_are([row]), [pa.array([value], field.type) for field, value in values])
    return writer.finish()


def values_of(score: float) -> tuple[float, str | None, int | None]:
    """The columns of a site: some have no word, some no count."""
    number = int(score)
    return score, f"word {number % 5}" if number % 3 else None, number if number % 4 else None


def test_a_batch_is_normalised_once_for_all_that_are_asked_about_it():
    batch = pa.record_batch({"contig": ["chr1"], "position": [7], "ref": ["A"], "alt": ["G"]})
    same = pa.record_batch(batch.columns, schema=batch.schema)
    plain, other = Reference("GRCh38", None, None), Reference("GRCh37", None, None)
    found = normalised(batch, plain)
    assert normalised(batch, plain) is found
    assert normalised(batch, other) is not found
    assert normalised(same, other) is not normalised(batch, other)


def as_they_are(rows):
    """Variants as if they were normalised; any pair of alleles will do."""
    from varloom.annotation.lookups.normalising import Normalised

    position = np.array([row[1] for row in rows], dtype=np.int64)
    ref, alt = (pa.array([row[n] for row in rows], pa.string()) for n in (2, 3))
    return Normalised(position, ref, alt, variant_keys(position, ref, alt))
