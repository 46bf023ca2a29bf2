"""Published files into releases and back through the sources, compared with the files by plain Python."""

from __future__ import annotations

import gzip
import zipfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from varloom.annotation.lookups.site_table import SITES
from varloom.annotation.model import VARIANTS, ReleaseKey
from varloom.annotation.refs.importer import ImportTask
from varloom.annotation.refs.importers import importer_of
from varloom.annotation.registry import SOURCES
from varloom.annotation.source import InstalledRelease, Need
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from varloom.annotation.refs.importer import Imported

Variant = tuple[str, int, str, str]


def import_files(
    folder: Path, kind: str, name: str, assembly: Any, *sources: Path, genome: Path | None = None
) -> Imported:
    """Import published files into `folder/out`."""
    for each in ("out", "scratch"):
        (folder / each).mkdir(parents=True)
    key = ReleaseKey(kind, name, assembly, "r")
    task = ImportTask(key, sources, folder / "out", folder / "scratch", genome, lambda *_: None, excerpt=True)
    entry = importer_of(kind, name)
    assert entry is not None
    imported = entry.load()(task)
    assert not any((folder / "scratch").iterdir())
    return imported


def look_up(folder: Path, name: str, assembly: Any, variants: Sequence[Variant], genome: Path | None = None):
    """The rows that a source gives of some variants, as dictionaries."""
    (source,) = [each for each in SOURCES if each.name == name]
    need = source.needs[0]
    releases = {need: InstalledRelease(ReleaseKey(need.kind, name, assembly, "r"), folder / "out")}
    if genome is not None:
        releases[Need("fasta", required=False)] = InstalledRelease(ReleaseKey("fasta", "g", assembly, "r"), genome)
    columns = [[row[n] for row in variants] for n in range(4)]
    nothing = [None] * len(variants)
    values = [list(range(len(variants))), columns[0], columns[1], nothing, columns[2], columns[3], *[nothing] * 5]
    batch = pa.RecordBatch.from_arrays(
        [pa.array(v, f.type) for v, f in zip(values, VARIANTS, strict=True)], schema=VARIANTS
    )
    with source.open(releases, folder) as opened:
        annotated = opened.annotate(batch, lambda: None)
    assert annotated.columns.schema.names == [column.name for column in source.columns(releases)]
    assert annotated.columns.num_rows == len(variants)
    assert annotated.set_aside == ()
    return annotated.columns.to_pylist()


def plain_records(path: Path):
    """The records of a VCF with their INFO as a dictionary; no code of Varloom."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#"):
                fields = line.rstrip("\n").split("\t")
                info = dict(pair.partition("=")[::2] for pair in fields[7].split(";"))
                yield fields, info


def shortened(position: int, ref: str, alt: str) -> tuple[int, str, str]:
    """Without what both alleles share, written anew for this test."""
    while len(ref) > 1 and len(alt) > 1 and ref[-1] == alt[-1]:
        ref, alt = ref[:-1], alt[:-1]
    while len(ref) > 1 and len(alt) > 1 and ref[0] == alt[0]:
        position, ref, alt = position + 1, ref[1:], alt[1:]
    return position, ref, alt


def text(info: dict[str, str], key: str) -> str | None:
    value = info.get(key)
    return None if value in {None, ".", ""} else value


def number(info: dict[str, str], key: str, kind: Any = float) -> Any:
    value = text(info, key)
    return None if value is None else kind(value)


@pytest.mark.corpus
@pytest.mark.parametrize("slice_name", ["slivar.clinvar_20191007.vcf.gz", "exomiser.clinvar-test.vcf.gz"])
def test_each_cell_of_clinvar_is_that_of_the_file(shared, tmp_path, slice_name):
    path = shared / "data" / "resources" / slice_name
    imported = import_files(tmp_path, "variants", "clinvar", "GRCh37", path)
    records = list(plain_records(path))
    usable = [(fields, info) for fields, info in records if set(fields[4]) <= set("ACGTN")]
    assert imported.counts["records"] == len(records)
    assert imported.counts["rows"] + imported.counts["merged"] == len(usable)
    assert sum(imported.unused.values()) == len(records) - len(usable)
    stored = pq.read_table(tmp_path / "out" / SITES)
    keys = stored["key"].to_pylist()
    assert keys == sorted(keys)
    for prefix in ("", "chr"):
        asked = [(prefix + fields[0], int(fields[1]), fields[3], fields[4]) for fields, _ in records]
        rows = look_up(tmp_path, "clinvar", "GRCh37", asked)
        for row, (fields, info) in zip(rows, records, strict=True):
            if (fields, info) not in usable:
                assert set(row.values()) == {None}
                continue
            assert row["clinvar.found"] is True
            assert row["clinvar.variation_id"] == fields[2]
            assert row["clinvar.significance"] == text(info, "CLNSIG")
            assert row["clinvar.review_status"] == text(info, "CLNREVSTAT")
            assert row["clinvar.conditions"] == text(info, "CLNDN")
            assert row["clinvar.conflicting"] == text(info, "CLNSIGCONF")
            assert row["clinvar.stars"] in {0, 1, 2, 3, 4}


@pytest.mark.corpus
def test_each_cell_of_gnomad_2_is_that_of_the_file(shared, tmp_path):
    path = shared / "data" / "resources" / "gnomad.exomes.r2.1.1.sites.chr1.sample.vcf.gz"
    imported = import_files(tmp_path, "variants", "gnomad", "GRCh37", path)
    alleles = []
    for fields, info in plain_records(path):
        alleles += [(fields, info, n, alt) for n, alt in enumerate(fields[4].split(","))]
    assert imported.counts["rows"] == len(alleles)
    asked = [("chr1", int(fields[1]), fields[3], alt) for fields, _, _, alt in alleles]
    for row, (fields, info, n, _) in zip(look_up(tmp_path, "gnomad", "GRCh37", asked), alleles, strict=True):
        own = {
            key: value.split(",")[n]
            for key, value in info.items()
            if key in {"AF", "AC", "nhomalt", "AF_popmax", "popmax"}
        }
        assert row == {
            "gnomad.found": True,
            "gnomad.af": number(own, "AF"),
            "gnomad.af_popmax": number(own, "AF_popmax"),
            "gnomad.popmax": text(own, "popmax"),
            "gnomad.homozygotes": number(own, "nhomalt", int),
            "gnomad.ac": number(own, "AC", int),
            "gnomad.an": number(info, "AN", int),
            "gnomad.filter": fields[6],
        }


def vcf(path: Path, header: str, *records: str) -> Path:
    columns = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
    lines = ["##fileformat=VCFv4.2", *header.split("\n"), columns, *("\t".join(r.split(" ")) for r in records)]
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(line for line in lines if line) + "\n")
    return path


@pytest.mark.parametrize(
    ("af", "popmax_af", "popmax", "suffix"),
    [
        ("AF", "AF_popmax", "popmax", ""),
        ("AF", "AF_grpmax", "grpmax", ""),
        ("AF_joint", "AF_grpmax_joint", "grpmax_joint", "_joint"),
    ],
)
def test_the_fields_of_gnomad_3_and_4_and_several_alleles(tmp_path, af, popmax_af, popmax, suffix):
    info = f"AC{suffix}=3,0;AN{suffix}=100;{af}=0.03,0;{popmax_af}=0.05,.;{popmax}=afr,.;nhomalt{suffix}=1,0"
    info += ";vep=T|x=1,G|AF=9"
    path = vcf(
        tmp_path / "g.vcf.gz", "", f"chr2 200 rs1 A T,G . PASS {info}", f"chr2 300 . CAA C,CA . AC0 AC{suffix}=1"
    )
    imported = import_files(tmp_path / "release", "variants", "gnomad", "GRCh38", path)
    asked = [
        ("2", 200, "A", "T"),
        ("2", 200, "A", "G"),
        ("2", 300, "CA", "C"),
        ("2", 200, "A", "C"),
        ("3", 200, "A", "T"),
    ]
    first, second, third, absent, elsewhere = look_up(tmp_path / "release", "gnomad", "GRCh38", asked)
    names = ("found", "af", "af_popmax", "popmax", "homozygotes", "ac", "an", "filter")
    assert tuple(first.values()) == (True, 0.03, 0.05, "afr", 1, 3, 100, "PASS")
    assert tuple(second.values()) == (True, 0.0, None, None, 0, 0, 100, "PASS")
    assert dict(zip(names, third.values(), strict=True))["filter"] == "AC0"
    assert tuple(absent.values()) == (False, *[None] * 7)
    assert tuple(elsewhere.values()) == (None,) * 8  # the release has no such contig
    assert imported.unused == {"values per allele whose number is not that of the alleles": 1}


def test_contigs_by_any_name_the_mitochondrion_and_shared_regions_of_x_and_y(tmp_path):
    path = vcf(
        tmp_path / "dbsnp.vcf.gz",
        "##reference=GRCh38.p14",
        "NC_000001.11 1000 rs1 A C,G . . RS=1",
        "NC_000001.11 1000 rs2 A C . . RS=2",
        "NC_000023.11 155701400 rs3 G T . . RS=3",
        "NC_000024.10 2781500 rs4 G T . . RS=4",
        "NC_012920.1 73 rs5 A G . . RS=5",
        "NW_003315947.1 5 rs6 A G . . RS=6",
        "NC_000001.11 2000 rs7 A . . . RS=7",
        "NC_000001.11 abc rs8 A C . . RS=8",
        "NC_000001.11 999999999 rs9 A C . . RS=9",
        "NC_000001.11 3000 rs10 A",
    )
    imported = import_files(tmp_path / "release", "variants", "dbsnp", "GRCh38", path)
    assert imported.counts == {"records": 9, "rows": 6, "merged": 1, "normalised": 0}
    assert imported.contigs == {"1": 2, "X": 1, "Y": 1, "MT": 1, "NW_003315947.1": 1}
    assert sorted(imported.unused.values()) == [1, 1, 1, 1]
    asked = {
        ("chr1", 1000, "A", "C"): "rs1;rs2",
        ("CM000663.2", 1000, "a", "g"): "rs1",
        ("chrX", 155701400, "G", "T"): "rs3",
        ("chrY", 56887920, "G", "T"): "rs3",
        ("Y", 2781500, "G", "T"): "rs4",
        ("chrM", 73, "A", "G"): "rs5",
        ("MT", 73, "A", "G"): "rs5",
        ("NW_003315947.1", 5, "A", "G"): "rs6",
        ("chrY", 56887920, "G", "C"): False,
        ("NC_000001.10", 1000, "A", "C"): None,
        ("1", 1000, "A", "*"): None,
        ("1", 1000, "A", "<DEL>"): None,
        ("1", 1000, "A", None): None,
    }
    for row, expected in zip(
        look_up(tmp_path / "release", "dbsnp", "GRCh38", list(asked)), asked.values(), strict=True
    ):
        found = True if isinstance(expected, str) else expected
        assert row == {"dbsnp.found": found, "dbsnp.id": expected if found else None}


def test_indels_are_found_wherever_they_are_written_once_the_genome_is_there(tmp_path):
    genome = tmp_path / "g.fa"
    genome.write_text(">chr1 of a test\nGGCACACACAT\nTTTTG\n", encoding="ascii")
    imported = import_files(tmp_path / "genome", "fasta", "g", "GRCh38", genome)
    assert imported.contigs == {"1": 16}
    path = vcf(tmp_path / "c.vcf.gz", "", "1 8 5 ACA A . . CLNSIG=Benign", "1 14 6 T TT . . CLNSIG=Pathogenic")
    imported = import_files(tmp_path / "r", "variants", "clinvar", "GRCh38", path, genome=tmp_path / "genome" / "out")
    assert imported.counts["normalised"] == 2
    asked = [
        ("1", 2, "GCA", "G"),
        ("1", 9, "CAT", "T"),
        ("1", 10, "A", "AT"),
        ("1", 15, "TG", "TTG"),
        ("1", 11, "T", "TTT"),
    ]
    rows = look_up(tmp_path / "r", "clinvar", "GRCh38", asked, genome=tmp_path / "genome" / "out")
    assert [row["clinvar.variation_id"] for row in rows] == ["5", "5", "6", "6", None]
    assert rows[4]["clinvar.found"] is False


REVEL = """chr,hg19_pos,grch38_pos,ref,alt,aaref,aaalt,REVEL,Ensembl_transcriptid
1,35142,35143,G,A,T,M,0.027,ENST1
1,35142,35143,G,A,T,V,0.5,ENST2
1,35150,.,G,C,T,R,0.035,ENST1
"""
CADD = """## CADD GRCh38-v1.7 (c) University of Washington
#Chrom\tPos\tRef\tAlt\tRawScore\tPHRED
1\t35143\tG\tA\t-0.25\t8.5
1\t35150\tT\tC\tx\t1
"""
ALPHAMISSENSE = """# Copyright 2023
#CHROM\tPOS\tREF\tALT\tgenome\tuniprot_id\ttranscript_id\tprotein_variant\tam_pathogenicity\tam_class
chr1\t35143\tG\tA\thg38\tQ8NH21\tENST1.4\tV2L\t0.2937\tlikely_benign
"""
SPLICE_ENTRIES = ("A|G1|0.00|0.10|0.20|0.01|-11|26|-28|3", "C|G1|1|1|1|1|1|1|1|1", "A|G2|0|0|0|0.3|1|2|3|-4")
SPLICEAI = f"""##fileformat=VCFv4.2
##reference=GRCh38/hg38
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
1\t35143\t.\tG\tA,C\t.\t.\tSpliceAI={",".join(SPLICE_ENTRIES)}
"""
DELTAS = {"ds_max": 0.3, "ds_ag": 0.0, "ds_al": 0.0, "ds_dg": 0.0, "ds_dl": 0.3}
TABLES = {
    "revel": (REVEL, {"score": 0.5}),
    "cadd": (CADD, {"phred": 8.5, "raw": -0.25}),
    "alphamissense": (ALPHAMISSENSE, {"score": 0.2937, "class": "likely_benign", "protein_variant": "V2L"}),
    "spliceai": (SPLICEAI, {"gene": "G2", **DELTAS, "dp_ag": 1, "dp_al": 2, "dp_dg": 3, "dp_dl": -4}),
}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_scores_are_those_of_the_published_format(tmp_path, name):
    content, expected = TABLES[name]
    path = tmp_path / "scores"
    if name == "revel":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("revel_with_transcript_ids", content)
    else:
        path.write_bytes(gzip.compress(content.encode()))
    import_files(tmp_path / "release", "scores", name, "GRCh38", path)
    found, absent = look_up(
        tmp_path / "release", name, "GRCh38", [("chr1", 35143, "G", "A"), ("chr1", 35143, "G", "T")]
    )
    assert found == {f"{name}.found": True, **{f"{name}.{key}": value for key, value in expected.items()}}
    assert absent == {f"{name}.found": False, **{f"{name}.{key}": None for key in expected}}
    if name in {"cadd", "alphamissense", "spliceai"}:
        with pytest.raises(VarloomError) as refused:
            import_files(tmp_path / "wrong", "scores", name, "GRCh37", path)
        assert refused.value.code == "reference_wrong_assembly"


def test_a_release_that_does_not_fit_is_told(tmp_path):
    import_files(tmp_path / "r", "variants", "dbsnp", "GRCh38", vcf(tmp_path / "v.vcf.gz", "", "1 5 rs5 A C . . ."))
    for fault in ("another source", "cut short", "missing"):
        path = tmp_path / "r" / "out" / SITES
        if fault == "cut short":
            path.write_bytes(path.read_bytes()[:-20])
        elif fault == "missing":
            path.unlink()
        with pytest.raises(VarloomError) as told:
            look_up(tmp_path / "r", "clinvar" if fault == "another source" else "dbsnp", "GRCh38", [("1", 5, "A", "C")])
        assert told.value.code == "reference_damaged"


@pytest.mark.parametrize(
    ("header", "record"),
    [
        ("##contig=<ID=1,length=249250621>", "1 5 . A C . . ."),
        ("##reference=hg19", "1 5 . A C . . ."),
        ("", "NC_000001.10 5 . A C . . ."),
    ],
)
def test_a_file_of_another_assembly_is_refused(tmp_path, header, record):
    path = vcf(tmp_path / "v.vcf.gz", header, record)
    with pytest.raises(VarloomError) as refused:
        import_files(tmp_path / "release", "variants", "dbsnp", "GRCh38", path)
    assert refused.value.code == "reference_wrong_assembly"
    assert "GRCh37" in refused.value.message


def test_ref_alleles_that_differ_from_the_genome_tell_another_assembly(tmp_path):
    genome = tmp_path / "g.fa"
    genome.write_text(">1\n" + "ACGT" * 50 + "\n", encoding="ascii")
    import_files(tmp_path / "genome", "fasta", "g", "GRCh38", genome)
    records = [f"1 {position} rs{position} {'CGTA'[position % 4]} N . . ." for position in range(1, 60)]
    with pytest.raises(VarloomError) as refused:
        import_files(
            tmp_path / "r",
            "variants",
            "dbsnp",
            "GRCh38",
            vcf(tmp_path / "v.vcf.gz", "", *records),
            genome=tmp_path / "genome" / "out",
        )
    assert refused.value.code == "reference_wrong_assembly"


@pytest.mark.parametrize("cut", ["gzip", "bgzip", "bgzip between blocks", "text"])
def test_a_file_that_breaks_off_is_refused(tmp_path, cut):
    import pysam

    lines = b"".join(b"1\t%d\trs%d\tA\tC\t.\t.\t.\n" % (n, n) for n in range(1, 30_000))
    content = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + lines
    path = tmp_path / "v.vcf.gz"
    if cut == "gzip":
        path.write_bytes(gzip.compress(content)[:-5000])
    elif cut == "text":
        path.write_bytes(b"no VCF at all\n")
    else:
        with pysam.BGZFile(str(path), "wb", None) as file:
            file.write(content)
        whole = path.read_bytes()
        path.write_bytes(whole[:-28] if cut == "bgzip between blocks" else whole[:-3000])
    with pytest.raises(VarloomError) as refused:
        import_files(tmp_path / "release", "variants", "dbsnp", "GRCh38", path)
    assert refused.value.code == "reference_malformed"
    assert "v.vcf.gz" in refused.value.message


def test_a_genome_is_held_against_the_assembly(tmp_path):
    from varloom.annotation.refs.importer import ImportTask as Task

    genome = tmp_path / "g.fa"
    genome.write_text(">chr21\nACGT\n", encoding="ascii")
    (tmp_path / "out").mkdir()
    task = Task(ReleaseKey("fasta", "g", "GRCh38", "r"), (genome,), tmp_path / "out", tmp_path, None, lambda *_: None)
    entry = importer_of("fasta", "g")
    assert entry is not None
    with pytest.raises(VarloomError) as refused:
        entry.load()(task)
    assert refused.value.code == "reference_wrong_assembly"
    assert "46,709,983" in refused.value.message
