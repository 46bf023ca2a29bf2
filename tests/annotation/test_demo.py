"""The demonstration data: what it says is true of itself, and it never meets real data."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from varloom.annotation.choice import choose
from varloom.annotation.demo.files import sample_text
from varloom.annotation.demo.genome import make_genome
from varloom.annotation.demo.installing import install_demo, remove_demo
from varloom.annotation.demo.variants import demo_variants
from varloom.annotation.model import ReleaseKey, VariantKind
from varloom.annotation.on_demand import Annotators
from varloom.annotation.refs.rs_numbers import RS_NUMBERS, rows_of_rs_number
from varloom.annotation.source import Need
from varloom.errors import VarloomError
from varloom.genomics.demonstration import FIRST_RS_NUMBER
from varloom.services.references import NewRelease, add_release, open_library
from varloom.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.annotation.refs.library import ReferenceLibrary

if TYPE_CHECKING:
    from pathlib import Path

REAL = "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=248956422>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
CONSEQUENCES = {
    "missense": "missense_variant",
    "synonymous": "synonymous_variant",
    "nonsense": "stop_gained",
    "frameshift": "frameshift_variant",
    "inframe": "inframe_deletion",
    "start": "start_lost",
    "stop_lost": "stop_lost",
    "intron": "intron_variant",
    "intergenic": "intergenic_variant",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """A data folder in which the demonstration is installed, and beside it the file to load."""
    folder = tmp_path_factory.mktemp("demo")
    assert len(install_demo(open_library(load_settings(data=folder)), lambda *_: None)) == 12
    (folder / "varloom-demo.vcf").write_text(sample_text("varloom-demo.vcf"))
    return folder


@pytest.fixture(scope="module")
def library(data) -> ReferenceLibrary:
    return open_library(load_settings(data=data))


def run(*arguments: object, code: int = 0) -> str:
    """What a command prints, messages in front."""
    command = [sys.executable, "-m", "varloom", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stderr
    return done.stderr + done.stdout


def test_a_file_of_the_demonstration_is_annotated_as_it_was_made(data):
    told = run(
        *("load", data / "varloom-demo.vcf", "-o", data / "small", "--annotate", "small", "--data", data, "--json")
    )
    manifest = json.loads(told[told.index("{") : told.rindex("}") + 1])
    assert manifest["assembly"] == "GRCh38"
    assert {version for name, version in manifest["versions"].items() if " " in name} == {"demo"}
    assert "synthetic demonstration data" in told
    rows = pq.read_table(
        *(data / "small").glob("*.parquet"), columns=["csq.gene", "csq.consequence", "mane.consequence"]
    ).to_pylist()
    made = demo_variants(make_genome())
    assert len(rows) == len(made) > 100
    for variant, row in zip(made, rows, strict=True):
        if variant.effect in CONSEQUENCES and row["csq.gene"] != "DEMO4":
            assert CONSEQUENCES[variant.effect] in row["csq.consequence"], variant
    known = pq.read_table(
        *(data / "small").glob("*.parquet"), columns=["clinvar.found", "gnomad.found", "dbsnp.found", "revel.found"]
    )
    assert all(0 < sum(column.to_pylist()) < len(made) for column in known.columns)


def test_real_variants_are_refused_where_there_is_only_the_demonstration(data, tmp_path, library):
    real = tmp_path / "real.vcf"
    real.write_text(REAL + "chr1\t55039974\t.\tG\tT\t.\t.\t.\n")
    told = run("load", real, "-o", tmp_path / "out", "--annotate", "small", "--data", data, code=1)
    assert "the demonstration data, which is synthetic and serves its own files alone" in " ".join(told.split())
    annotators = Annotators(library)
    with pytest.raises(VarloomError, match="No reference data of GRCh38") as raised:
        annotators.annotate(["chr1:55039974:G:T"], "GRCh38")
    assert raised.value.kind.code == "reference_data_missing"


def test_made_data_and_real_data_are_never_chosen_together(library):
    demo = library.newest_first()
    real = ReleaseKey("variants", "clinvar", "GRCh38", "2026-11-15")
    for installed in ([*demo, real], [real, *demo]):
        assert choose(VariantKind.SMALL, "GRCh38", installed).keys == (real,)
        assert real not in choose(VariantKind.SMALL, "GRCh38", installed, demo=True).keys
    assert library.newest(Need("fasta"), "GRCh38") is None
    assert library.newest(Need("fasta"), "GRCh38", demo=True) is not None
    assert not choose(VariantKind.SMALL, "GRCh37", demo, demo=True).planned


def test_variants_of_both_kinds_are_told_apart_in_one_request(library):
    annotators = Annotators(library)
    try:
        found, releases = annotators.annotate(["demo1:23715:A:G", "chr1:55039974:G:T", "DEMO1:c.122A>G"], "GRCh38")
    finally:
        annotators.close()
    assert [(item.is_synthetic, item.error is None) for item in found] == [(True, True), (False, False), (True, True)]
    assert found[0].variant == found[2].variant
    assert found[0].values == found[2].values
    assert "No reference data of GRCh38" in found[1].error.message
    assert all(key.is_demo for key in releases)
    with pytest.raises(VarloomError, match="demonstration genome, which is called GRCh38, not GRCh37"):
        annotators.annotate(["demo1:23715:A:G"], "GRCh37")


def test_nothing_of_the_demonstration_becomes_a_real_release(data, library):
    new = NewRelease("clinvar", "variants", "GRCh38", str(data / "varloom-demo.vcf"), "demo")
    with pytest.raises(VarloomError, match="demo is what the releases of the demonstration are called"):
        add_release(load_settings(data=data), new, lambda *_: None)
    with pytest.raises(VarloomError, match="on the demonstration genome") as raised:
        add_release(load_settings(data=data), replace(new, release="1"), lambda *_: None)
    assert raised.value.kind.code == "reference_wrong_assembly"
    assert all(key.is_demo for key in library.newest_first())


def test_rs_numbers_are_found_by_their_index_and_without_it(library):
    (key,) = [key for key in library.newest_first() if key.name == "dbsnp"]
    with library.borrow(key) as release:
        number = FIRST_RS_NUMBER + 7
        (found,) = rows_of_rs_number(release.folder, number)
        assert found["id"] == f"rs{number}"
        assert rows_of_rs_number(release.folder, 7) == []
        (release.folder / RS_NUMBERS).rename(release.folder / "away")
        try:
            assert rows_of_rs_number(release.folder, number) == [found]
            assert rows_of_rs_number(release.folder, 7) == []
        finally:
            (release.folder / "away").rename(release.folder / RS_NUMBERS)


def test_it_is_installed_once_and_removed_whole(data, library):
    assert len(library.newest_first()) == 12
    assert install_demo(library, lambda *_: None) == []
    assert len(remove_demo(library)) == 12
    assert library.newest_first() == []
