"""The matcher against one that tries every sequence, on small definitions."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from varloom.annotation.refs.pgx_content import GeneDefinition, Locus, NamedAllele
from varloom.processing.pgx.gene_call import Status, call_gene
from varloom.processing.pgx.genotypes import ABSENT, Genotype, State
from varloom.processing.pgx.matching import AlleleTable

AMBIGUOUS = {"R": "AG", "M": "AC", "W": "AT"}


@st.composite
def definitions(draw):
    """A reference that is A everywhere, and alleles with cells of other bases, or of the reference, or ambiguous."""
    alts = draw(st.lists(st.lists(st.sampled_from("CGT"), min_size=1, max_size=2, unique=True), min_size=2, max_size=4))
    loci = tuple(Locus("1", 100 + 10 * index, "A", tuple(found), None) for index, found in enumerate(alts))
    alleles = [NamedAllele("*1", dict.fromkeys(range(len(loci)), "A"), True)]
    rows = st.dictionaries(st.integers(0, len(loci) - 1), st.sampled_from("ACGTRM"), min_size=1)
    seen = set()
    for row in draw(st.lists(rows, min_size=1, max_size=5)):
        cells = {
            index: cell
            for index, cell in row.items()
            if all(base == "A" or base in loci[index].alts for base in AMBIGUOUS.get(cell, cell))
        }
        key = tuple(sorted(cells.items()))
        if cells and key not in seen:
            seen.add(key)
            alleles.append(NamedAllele(f"*{len(alleles) + 1}", cells))
    return GeneDefinition("GENE", loci, tuple(alleles))


@st.composite
def cases(draw):
    definition = draw(definitions())
    copies = draw(st.sampled_from([1, 2, 2, 2]))
    genotypes = []
    for locus in definition.loci:
        if draw(st.integers(0, 3)) == 0:
            genotypes.append(ABSENT)
            continue
        bases = tuple(draw(st.sampled_from(("A", *locus.alts))) for _ in range(copies))
        phased = copies == 1 or draw(st.booleans())
        phase_set = draw(st.sampled_from([None, "1", "2"])) if phased and copies == 2 else None
        genotypes.append(Genotype(State.CALLED, bases, phased, phase_set))
    return definition, genotypes


def admits(cell, base):
    return base in AMBIGUOUS.get(cell, cell)


def sequences(genotypes, known):
    """Every pair of sequences that the genotypes allow."""
    groups = {}
    for index in known:
        one = genotypes[index]
        groups.setdefault(("set", one.phase_set) if one.is_phased else ("alone", index), []).append(index)
    for turns in product((False, True), repeat=len(groups)):
        first, second = {}, {}
        for turned, members in zip(turns, groups.values(), strict=True):
            for index in members:
                alleles = genotypes[index].alleles
                first[index], second[index] = (alleles[-1], alleles[0]) if turned else (alleles[0], alleles[-1])
        yield first, second


def brute_force(definition, genotypes, *, drop_undefined=True):
    """The names of the best diplotypes, tried sequence by sequence."""
    known = [index for index, one in enumerate(genotypes) if one.alleles]
    copies = len(genotypes[known[0]].alleles)
    alleles = [a for a in definition.alleles if not drop_undefined or set(a.cells) & set(known)]

    def fits(allele, sequence):
        return all(admits(allele.cells.get(index, "A"), base) for index, base in sequence.items())

    def score(allele, sequence):
        return sum(
            not (allele.cells[index] in AMBIGUOUS and sequence[index] == "A")
            for index in known
            if index in allele.cells
        )

    found = {}
    for first, second in sequences(genotypes, known):
        for one in alleles:
            if not fits(one, first):
                continue
            if copies == 1:
                found[(one.name,)] = max(found.get((one.name,), 0), score(one, first))
                continue
            for other in alleles:
                if fits(other, second):
                    names = tuple(sorted((one.name, other.name)))
                    found[names] = max(found.get(names, 0), score(one, first) + score(other, second))
    best = max(found.values(), default=0)
    return {names for names, total in found.items() if total == best}


@given(cases())
@settings(max_examples=400, deadline=None)
def test_the_best_diplotypes_are_those_of_brute_force(case):
    definition, genotypes = case
    call = call_gene(AlleleTable(definition), genotypes)
    if not any(one.alleles for one in genotypes):
        assert call.status is Status.NO_DATA
        return
    wanted = brute_force(definition, genotypes)
    assert {tuple(sorted(one.names)) for one in call.diplotypes} == wanted
    assert (call.status is Status.CALLED) == bool(wanted)


@given(cases())
@settings(max_examples=250, deadline=None)
def test_whatever_missing_positions_turn_out_to_be_was_told_to_be_possible(case):
    definition, genotypes = case
    known = [one for one in genotypes if one.alleles]
    if not known:
        return
    call = call_gene(AlleleTable(definition), genotypes)
    possible = {tuple(sorted(one.names)) for one in call.possible or ()}
    copies = len(known[0].alleles)
    gaps = [index for index, one in enumerate(genotypes) if not one.alleles]
    choices = [list(product(("A", *definition.loci[index].alts), repeat=copies)) for index in gaps]
    for filling in product(*choices):
        whole = list(genotypes)
        for index, bases in zip(gaps, filling, strict=True):
            whole[index] = Genotype(State.CALLED, bases, copies == 1)
        tops = brute_force(definition, whole, drop_undefined=False)
        if call.status is Status.CALLED:
            assert tops <= possible
