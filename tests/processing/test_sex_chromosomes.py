"""Sex chromosomes by coverage, and genotypes of as many alleles as there are copies, from simulated reads."""

import pysam
import pytest
from tests.processing.conftest import analyse, rows
from tests.support import simulated_reads as simulated
from tests.support import simulated_sex_chromosomes as small

from varloom.genomics.assemblies import LENGTHS
from varloom.processing import ploidy
from varloom.processing.cpu.mitochondrion import as_one_copy
from varloom.processing.model import SexChromosomes
from varloom.processing.ploidy import Ploidy, Span, layout_of, ploidy_of, settled
from varloom.processing.quality import sex_chromosomes

SPANS = [
    ("chr1", 0, 40_000),
    *(("chrX", first, last) for first, last in ((0, 8000), (9500, 22_000), (24_000, 40_000))),
    ("chrY", 0, 30_000),
    ("chrM", 0, 16_569),
]
"""All but two gaps, at which X is cut into regions."""
SITES = [
    ("chr1", 8000),
    ("chrX", 3500),
    ("chrX", 12_000),
    ("chrX", 13_000),
    ("chrY", 15_000),
    ("chrM", 2000),
    ("chrM", 3000),
]


@pytest.fixture(scope="module", autouse=True)
def _known_genome():
    ploidy.KNOWN.append(small.MEASURES)
    yield
    ploidy.KNOWN.remove(small.MEASURES)


class Lab:
    """A genome with its index, and analyses of people on it."""

    def __init__(self, folder):
        self.folder = folder
        self.contigs = small.genome()
        self.fasta = simulated.write_fasta(folder / "genome.fa", self.contigs)
        x = self.contigs["chrX"]
        self.variants = [
            simulated.snp(self.contigs, "chr1", 5000, (0,)),
            simulated.snp(self.contigs, "chr1", 10_000, (0, 1)),
            simulated.snp(self.contigs, "chrX", 3000, (0,)),
            simulated.snp(self.contigs, "chrX", 4000, (0, 1)),
            simulated.snp(self.contigs, "chrX", 12_000, (0,)),
            simulated.Variant("chrX", 18_000, x[17_999:18_004], x[17_999], (0,)),
            simulated.snp(self.contigs, "chrX", 30_000, (0, 1)),
            simulated.snp(self.contigs, "chrY", 12_000, (0,)),
            simulated.snp(self.contigs, "chrM", 2000, (0, 1)),
            simulated.snp(self.contigs, "chrM", 9000, (0,)),
        ]
        self.sites = folder / "sites.vcf"
        self.sites.write_text(
            "".join(f"{name}\t{at}\t.\t{self.contigs[name][at - 1]}\t.\t.\t.\t.\n" for name, at in SITES)
        )

    def analyse(self, name, copies, *, given="auto", depth=24, spans=SPANS):
        folder = self.folder / name
        if not folder.exists():
            folder.mkdir()
            pairs = small.reads(self.contigs, self.variants, copies, depth=depth, spans=spans)
            small.write(folder, "P1_S1_L001", pairs)
        files, indexes = sorted(folder.glob("*.fastq.gz")), self.folder / "indexes"
        return analyse(files, self.fasta, folder, sites=self.sites, indexes=indexes, sex_chromosomes=given)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return Lab(tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def xy(lab):
    return lab.analyse("xy", (1, 1))


@pytest.fixture(scope="module")
def xx(lab):
    return lab.analyse("xx", (2, 0))


def genotypes(vcf):
    return {(contig, position): genotype for contig, position, _, _, genotype in rows(vcf)}


def codes(made):
    return [warning["code"] for warning in made.warnings]


COMMON = {
    ("chr1", 5000): "0/1",
    ("chr1", 10_000): "1/1",
    ("chrX", 3000): "0/1",
    ("chrX", 4000): "1/1",
    ("chrM", 2000): "1",
    ("chrM", 9000): "0/1",
}

OWN = {("chrX", 12_000): "1", ("chrX", 18_000): "1", ("chrX", 30_000): "1", ("chrY", 12_000): "1"}


def test_a_sample_with_one_x_has_one_allele_outside_of_the_shared_regions(xy):
    figures = xy.quality["sex_chromosomes"]
    assert (figures["told"], figures["used"], figures["why"]) == ("xy", "xy", None)
    assert 0.4 < figures["x_ratio"] < 0.6
    assert 0.4 < figures["y_ratio"] < 0.6
    assert genotypes(xy.variants) == COMMON | OWN
    assert codes(xy) == []
    assert xy.quality["variants"]["of_one_copy"] == 5
    assert xy.quality["variants"]["homozygous"] == 2
    assert xy.quality["variants"]["heterozygous"] == 3
    told = genotypes(xy.genotyped)
    assert [told[site] for site in SITES] == ["0/0", "0/0", "1", "0", "0", "1", "0"]


def test_a_sample_with_two_x_has_two_alleles_there_and_none_of_y(xx):
    figures = xx.quality["sex_chromosomes"]
    assert (figures["told"], figures["used"], figures["y_depth"]) == ("xx", "xx", 0)
    assert genotypes(xx.variants) == COMMON | {
        ("chrX", 12_000): "0/1",
        ("chrX", 18_000): "0/1",
        ("chrX", 30_000): "1/1",
    }
    told = genotypes(xx.genotyped)
    assert [told[site] for site in SITES] == ["0/0", "0/0", "0/1", "0/0", "./.", "1", "0"]
    assert codes(xx) == ["reads_no_depth"]


def test_the_mitochondrion_tells_how_many_reads_have_an_allele(xy):
    with pysam.VariantFile(str(xy.variants)) as records:
        found = {one.pos: one for one in records.fetch("chrM")}
        reference, other = found[9000].samples[0]["AD"]
        assert 0.2 < other / (reference + other) < 0.47
        assert (found[2000].info["AC"], found[2000].info["AN"], len(found[2000].samples[0]["PL"])) == ((1,), 1, 2)


def test_regions_of_a_sample_with_one_x_give_what_one_run_gives(xy, lab, tmp_path):
    from varloom.processing.cpu.call import call_regions
    from varloom.processing.cpu.regions import Region, regions

    copies = ploidy_of(small.LENGTHS, "xy")
    groups = regions(xy.alignment, reads_per_region=500)
    assert len([one for group in groups for one in group if one.contig == "chrX"]) >= 3
    told = []
    for number, wanted in enumerate([*groups, tuple(Region(name, 1, size) for name, size in small.LENGTHS.items())]):
        output = tmp_path / f"{number}.bcf"
        call_regions(xy.alignment, lab.fasta, wanted, output, ploidy=copies, work=tmp_path, on_life=lambda: None)
        with pysam.VariantFile(output) as records:
            told.append([str(record) for record in records])
    assert [line for lines in told[:-1] for line in lines] == told[-1]
    assert len(told[-1]) == 10


def test_what_is_given_against_coverage_is_told_and_loses_nothing(xy, lab):
    before = (lab.folder / "xy" / "checkpoints" / "aligned.json").stat().st_mtime_ns
    made = lab.analyse("xy", (1, 1), given="xx")
    [warning] = made.warnings
    assert warning["code"] == "sex_chromosomes_contradict"
    assert "XX was given, and by coverage the sample has XY" in warning["message"]
    assert "Y 0.5" in warning["message"] or "Y 0.4" in warning["message"]
    found = genotypes(made.variants)
    assert found["chrX", 12_000] == found["chrY", 12_000] == "1/1"
    assert genotypes(made.genotyped)["chrX", 13_000] == "0/0"
    assert (lab.folder / "xy" / "checkpoints" / "aligned.json").stat().st_mtime_ns == before  # calling alone is anew
    again = lab.analyse("xy", (1, 1), given="xy")
    assert genotypes(again.variants) == COMMON | OWN
    assert codes(again) == []


def test_other_karyotypes_are_not_forced_into_one_of_the_two(lab):
    made = lab.analyse("xxy", (2, 1))
    figures = made.quality["sex_chromosomes"]
    assert (figures["told"], figures["used"]) == (None, None)
    assert "fits neither XX nor XY" in figures["why"]
    [warning] = made.warnings
    assert warning["code"] == "sex_chromosomes_untold"
    assert "4 variants and 3 given sites of X and Y" in warning["message"]
    assert genotypes(made.variants)["chrX", 12_000] == "0/1"
    assert codes(lab.analyse("xxy", (2, 1), given="xy")) == ["sex_chromosomes_contradict"]


def test_a_panel_tells_nothing_and_warns_where_that_matters(lab):
    lab.sites.rename(lab.folder / "kept")
    lab.sites.write_text(f"chr1\t8000\t.\t{lab.contigs['chr1'][7999]}\t.\t.\t.\t.\n")
    try:
        without = lab.analyse("panel", (1, 1), spans=[("chr1", 4000, 12_000)])
        assert (without.quality["sex_chromosomes"]["told"], codes(without)) == (None, [])
        spans = [("chr1", 4000, 12_000), ("chrX", 11_000, 14_000)]
        untold = lab.analyse("panel-x", (1, 1), spans=spans)
        assert codes(untold) == ["sex_chromosomes_untold"]
        assert "panel" in untold.quality["sex_chromosomes"]["why"]
        assert genotypes(untold.variants)["chrX", 12_000] == "1/1"
        given = lab.analyse("panel-x", (1, 1), given="xy")
        assert (codes(given), genotypes(given.variants)["chrX", 12_000]) == ([], "1")
    finally:
        (lab.folder / "kept").replace(lab.sites)


FIGURES = {"autosome_depth": 30.0, "is_even": True, "is_known_genome": True}


@pytest.mark.parametrize(
    ("x", "y", "told", "fitting"),
    [
        (1.0, 0.0, "xx", {"xx"}),
        (0.5, 0.48, "xy", {"xy"}),
        (0.5, 0.0, None, {"xy"}),  # X0, or a Y that was lost: one copy of X in any case
        (1.0, 0.5, None, set()),
        (0.5, 1.0, None, set()),
        (1.5, 0.0, None, set()),
        (0.78, 0.02, None, {"xx"}),
        (0.5, 0.25, None, {"xy"}),
    ],
)
def test_ratios_and_what_they_mean(x, y, told, fitting):
    figures = {**FIGURES, "x_ratio": x, "y_ratio": y}
    answer, why = sex_chromosomes._answer(figures)
    assert answer == told
    assert (why is None) == (told is not None)
    figures |= {"told": answer, "why": why}
    assert {one for one in ("xx", "xy") if not settled(figures, SexChromosomes(one))["contradiction"]} == fitting
    assert settled(figures, SexChromosomes.AUTO)["used"] == told


@pytest.mark.parametrize("assembly", ["GRCh37", "GRCh38"])
@pytest.mark.parametrize("prefix", ["", "chr"])
def test_the_regions_of_both_assemblies(assembly, prefix):
    which = ("GRCh37", "GRCh38").index(assembly)
    contigs = {f"{prefix}{name}": lengths[which] for name, lengths in LENGTHS.items()}
    contigs |= {("chrM" if prefix else "MT"): 16_569, "HLA-A*01:01": 3503}
    layout = layout_of(contigs)
    assert layout.assembly == assembly
    x, y = f"{prefix}X", f"{prefix}Y"
    first, second = {
        "GRCh37": (Span(x, 1, 60_000), Span(x, 2_699_521, 154_931_043)),
        "GRCh38": (Span(x, 1, 10_000), Span(x, 2_781_480, 155_701_382)),
    }[assembly]
    assert layout.own_x[:2] == (first, second)
    assert [span.contig for span in layout.own] == [x, x, x, y, y, y]
    assert layout.own_x[2].last == contigs[x]
    copies = ploidy_of(contigs, "xy")
    assert copies == Ploidy(layout.own, (), "chrM" if prefix else "MT")
    assert ploidy_of(contigs, "xx") == Ploidy((), (Span(y, 1, contigs[y]),), copies.mitochondrion)
    assert ploidy_of(contigs, None) == Ploidy((), (), copies.mitochondrion)


def test_another_genome_has_two_copies_of_all():
    other = {"1": 1000, "X": 171_031_299, "Y": 91_744_698, "MT": 16_299}  # of the mouse
    assert layout_of(other) is None
    assert ploidy_of(other, "xy") == Ploidy()


def test_lines_of_the_mitochondrion_are_rewritten_alone():
    lines = [
        "chr1\t5\t.\tA\tC\t9\t.\tAC=2;AN=2\tGT:PL\t1/1:9,3,0\n",
        "chrM\t5\t.\tA\tC,G\t9\t.\tDP=4;AC=0,2;AN=2\tGT:PL:DP\t2/2:60,50,40,30,20,0:4\n",
        "chrM\t7\t.\tA\tC\t9\t.\tAC=1;AN=2\tGT:PL\t0/1:9,0,9\n",
        "chrM\t8\t.\tA\tC\t9\t.\tAN=0\tGT\t./.\n",
    ]
    changed = list(as_one_copy(lines, "chrM"))
    assert changed[1] == "chrM\t5\t.\tA\tC,G\t9\t.\tDP=4;AC=0,1;AN=1\tGT:PL:DP\t2:60,40,0:4\n"
    assert [changed[0], changed[2], changed[3]] == [lines[0], lines[2], lines[3]]
