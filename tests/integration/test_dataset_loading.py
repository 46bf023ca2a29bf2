"""From files on disk to datasets, through the real reader."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from varloom.dataset import Dataset, QueryEngine, load_file, split_directories, written_directories
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from varloom.reader import ReadProgress

VCF = """##fileformat=VCFv4.3
##contig=<ID=chr1>
##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">
##INFO=<ID=DB,Number=0,Type=Flag,Description="In a database">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2
chr1\t100\trs1\tA\tG,T\t30.5\tPASS\tAF=0.25,0.5;DB\tGT:DP\t0/1:12\t1/2:7
chr1\t200\t.\tC\t.\t.\tq10\tNEW=x\tGT:DP\t0/0:3\t./.:.
"""


@pytest.fixture
def vcf(tmp_path: Path) -> Path:
    path = tmp_path / "family.vcf"
    path.write_text(VCF)
    return path


@pytest.fixture
def engine() -> Iterator[QueryEngine]:
    with QueryEngine(memory_limit=256 * 1024**2, threads=1) as opened:
        yield opened


def test_a_vcf_becomes_a_table_that_can_be_asked(vcf: Path, tmp_path: Path, engine: QueryEngine) -> None:
    told: list[ReadProgress] = []
    manifests = load_file(vcf, tmp_path / "ds", name="Family.vcf", assembly="GRCh38", on_progress=told.append)
    (directory,) = written_directories(tmp_path / "ds", manifests)
    dataset = Dataset.open(directory)
    manifest = dataset.manifest

    assert (manifest.records, manifest.variants, manifest.samples) == (2, 3, ("S1", "S2"))
    assert (manifest.source.name, manifest.source.format, manifest.source.bytes) == ("Family.vcf", "vcf", len(VCF))
    assert manifest.header == VCF[: VCF.index("chr1\t100")]
    assert [warning["code"] for warning in manifest.warnings]
    assert (told[-1].bytes_done, told[-1].bytes_total) == (len(VCF), len(VCF))

    page = engine.rows(dataset, columns=["contig", "position", "alt", "INFO.AF", "INFO.DB", "S2.GT", "INFO.NEW"])
    assert [list(row.values())[1:5] for row in page.rows] == [
        ["chr1", 100, "G", 0.25],
        ["chr1", 100, "T", 0.5],
        ["chr1", 200, None, None],
    ]
    assert engine.count(dataset, where="region('1:100') AND INFO.AF > 0.3 AND INFO.DB") == 1
    assert engine.count(dataset, where="INFO.NEW = 'x'") == 1
    assert engine.rows(dataset, sort="-S1.DP", limit=1, columns=["S1.DP"]).rows == [{"rowno": 0, "S1.DP": 12}]


def test_a_file_splits_by_sample(vcf: Path, tmp_path: Path, engine: QueryEngine) -> None:
    told: list[ReadProgress] = []
    manifests = load_file(vcf, tmp_path / "ds", split_by_sample=True, on_progress=told.append)
    directories = written_directories(tmp_path / "ds", manifests)
    assert directories == split_directories(tmp_path / "ds", 2)
    second = Dataset.open(directories[1])
    assert [column.name for column in second.manifest.columns if column.sample] == ["S2.GT", "S2.DP"]
    assert engine.count(second) == 3
    # The split goes on after all was read: the last progress is told again, as a sign of life.
    assert told.count(told[-1]) > len(directories)


def test_the_same_rows_have_the_same_hash_however_the_file_is_packed(vcf: Path, tmp_path: Path) -> None:
    (plain,) = load_file(vcf, tmp_path / "plain")
    packed = tmp_path / "family.vcf.gz"
    packed.write_bytes(subprocess.run(["gzip", "-c", vcf], check=True, capture_output=True).stdout)
    (gzipped,) = load_file(packed, tmp_path / "gzipped")
    assert gzipped.content_hash == plain.content_hash
    assert gzipped.source.sha256 != plain.source.sha256
    assert gzipped.source.compression == "gzip"


def test_a_csv_becomes_a_table_whatever_its_headers_say(tmp_path: Path, engine: QueryEngine) -> None:
    path = tmp_path / "odd.csv"
    path.write_text('a b,"c""d",select,naïve;--,A B\n1,x,2.5,é,=1\n2,,,y,z\n', encoding="utf-8")
    (manifest,) = load_file(path, tmp_path / "ds")
    dataset = Dataset.open(tmp_path / "ds")
    assert (manifest.records, manifest.variants, manifest.source.format) == (2, 2, "csv")
    names = [column.name for column in manifest.columns]
    assert names[:6] == ["rowno", "line", "a b", 'c"d', "select", "naïve;--"]
    for name in names:
        assert engine.rows(dataset, sort=f'"{name.replace(chr(34), chr(34) * 2)}"', limit=1).total == 2
    assert engine.count(dataset, where='"c""d" = \'x\' AND "naïve;--" = \'é\' AND "a b" < 2') == 1


def test_a_refused_file_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "broken.vcf"
    path.write_text(VCF + "chr1\t300\t.\tA\n")
    with pytest.raises(VarloomError) as caught:
        load_file(path, tmp_path / "ds")
    assert caught.value.place.line == 10
    assert not (tmp_path / "ds").exists()


KILLED_AT_THE_MANIFEST = """
import os, signal, sys
from pathlib import Path
from varloom.dataset import load_file, manifest

def killed(path, content):
    os.kill(os.getpid(), signal.SIGKILL)

manifest.write_atomically = killed
load_file(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_killed_load_leaves_no_dataset_and_can_be_done_again_elsewhere(vcf: Path, tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", KILLED_AT_THE_MANIFEST, vcf, tmp_path / "ds"]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    left = sorted(path.name for path in (tmp_path / "ds").iterdir())
    assert left == ["manifest.json.unfinished", "part-00000.parquet"]
    with pytest.raises(VarloomError) as caught:
        Dataset.open(tmp_path / "ds")
    assert caught.value.code == "dataset_missing"
    with pytest.raises(VarloomError) as caught:
        load_file(vcf, tmp_path / "ds")
    assert caught.value.code == "dataset_exists"
    (manifest,) = load_file(vcf, tmp_path / "again")
    assert Dataset.open(tmp_path / "again").manifest == manifest


@pytest.mark.corpus
def test_a_real_file_is_whole(shared: Path, tmp_path: Path, engine: QueryEngine) -> None:
    source = shared / "data" / "variants" / "HG002_GRCh38_chr22_v4.2.1.vcf.gz"
    (manifest,) = load_file(source, tmp_path / "ds", assembly="GRCh38")
    dataset = Dataset.open(tmp_path / "ds")
    assert (manifest.records, engine.count(dataset)) == (50_284, manifest.variants)
    assert manifest.variants > manifest.records
    records: set[Any] = set()
    for part in dataset.part_paths:
        records |= set(pq.read_table(part, columns=["record"])["record"].to_pylist())
    assert len(records) == 50_284
    exported = pq.read_table(pa.BufferReader(b"".join(engine.export(dataset, "parquet", where="filter = 'PASS'"))))
    assert exported.num_rows == engine.count(dataset, where="filter = 'PASS'")


def test_columns_of_a_csv_may_be_called_as_ours_of_a_vcf_are(tmp_path: Path, engine: QueryEngine) -> None:
    path = tmp_path / "a.csv"
    path.write_text("record,allele,contig,position,alt\nr9,x,1,5,T\nr7,y,2,6,\n")
    load_file(path, tmp_path / "ds")
    rows = engine.rows(Dataset.open(tmp_path / "ds"), sort="-record").rows
    assert [(row["line"], row["record"], row["allele"], row["contig"]) for row in rows] == [
        (2, "r9", "x", 1),
        (3, "r7", "y", 2),
    ]


@pytest.mark.parametrize("contigs", [("1", "2", "1"), ("chr1", "2", "1"), ("1.5", "2", "chr1")])
def test_regions_work_on_a_csv_whatever_its_contigs_look_like(
    tmp_path: Path, engine: QueryEngine, contigs: tuple[str, ...]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("contig,position\n" + "".join(f"{contig},{at}\n" for at, contig in enumerate(contigs, 5)))
    load_file(path, tmp_path / "ds")
    dataset = Dataset.open(tmp_path / "ds")
    expected = [at for at, contig in enumerate(contigs, 5) if contig in {"1", "chr1"}]
    for region in ("1", "chr1", "chr1:5-7"):
        found = engine.rows(dataset, where=f"region('{region}')").rows
        assert [row["position"] for row in found] == expected
