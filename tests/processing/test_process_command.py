"""`varloom process` from files to a folder of results, with a FASTA of one's own and with an installed genome."""

import gzip
import json
import os
import shutil
import sys

import pysam
import pytest
from click.testing import CliRunner
from tests.processing.conftest import rows
from tests.support import simulated_reads as simulated

from varloom.annotation.refs.library import ReferenceLibrary
from varloom.cli import main
from varloom.errors import VarloomError
from varloom.processing import engines, references
from varloom.processing.model import Caller
from varloom.storage import LocalStorage, held_folder


def run(*words):
    return CliRunner().invoke(main, ["process", *map(str, words)])


def test_reads_become_files_in_a_folder(person, tmp_path):
    fasta = tmp_path / "packed.fa.gz"
    fasta.write_bytes(gzip.compress(person.fasta.read_bytes()))
    out, data = tmp_path / "out", tmp_path / "data"
    result = run(*person.reads, "--reference", fasta, "-o", out, "--data", data, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["quality"] == json.loads((out / "quality.json").read_text())
    assert len(rows(told["variants"])) == len(person.variants)
    assert {path.name for path in out.iterdir()} == {
        *("alignment.bam", "alignment.bam.bai", "variants.vcf.gz", "variants.vcf.gz.tbi", "quality.json")
    }
    assert list(tmp_path.glob("packed*")) == [fasta]  # nothing is left beside it
    told = run(*person.reads, "--reference", fasta, "-o", tmp_path / "xy", "--data", data, "--sex-chromosomes", "XY")
    assert "sex chromosomes: XY given; not told. The genome has not the X and Y" in told.stdout
    assert "warning: Called as two copies" in told.stdout
    busy = run(*person.reads, "--reference", person.fasta, "-o", fasta, "--data", data)
    assert busy.exit_code == 1
    assert "File exists" in busy.stderr


def test_an_installed_genome_is_unpacked_once_and_removed_with_its_release(person, tmp_path):
    data = tmp_path / "data"
    words = ["refs", "add", "made", "--kind", "fasta", "--assembly", "GRCh38", "--from", str(person.fasta)]
    added = CliRunner().invoke(main, [*words, "--release", "1", "--excerpt", "--data", str(data)])
    assert added.exit_code == 0, added.output
    library = ReferenceLibrary(LocalStorage(data / "storage"))
    (release,) = library.releases()
    told = []
    root = tmp_path / "indexes"
    for _ in range(2):
        with references.borrowed(library, release.key, root, lambda *news: told.append(news)) as reference:
            assert reference.fasta.read_text().replace("\n", "") == "".join(
                f">{name[3:]}{bases}" for name, bases in person.contigs.items()
            )
            assert references.sweep(library, root) == 0
    assert len(told) == 1
    damaged = library.storage.path("refs/GRCh38/fasta/other/1/release.json")
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    library.remove(release.key)
    assert references.sweep(library, root) == 0, "what cannot be read may be installed"
    damaged.unlink()
    assert references.sweep(library, root) == 1
    assert not [path for path in root.iterdir() if path.is_dir()]


def test_an_input_is_never_replaced_by_a_result(person, tmp_path):
    given = tmp_path / "alignment.bam"
    given.write_bytes(b"the only copy")
    result = run(given, "--reference", person.fasta, "-o", tmp_path, "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "a result would replace this file" in result.stderr
    assert given.read_bytes() == b"the only copy"


def test_who_comes_second_leaves_the_folder_of_the_first_alone(person, tmp_path, monkeypatch):
    out = tmp_path / "out"
    made = out / ".work" / "half-made"
    made.parent.mkdir(parents=True)
    made.touch()
    first = held_folder.hold(out / ".checkpoints")
    monkeypatch.setattr(held_folder, "LOCK_PATIENCE", 0)
    words = (*person.reads, "--reference", person.fasta, "-o", out, "--data", tmp_path / "data")
    second = run(*words)
    assert "another process works there" in second.stderr
    assert made.exists()
    os.close(first)
    assert run(*words).exit_code == 0
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_names_are_never_options_and_a_replaced_genome_is_unpacked_anew(person, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for mate, path in enumerate(person.reads, 1):
        shutil.copyfile(path, f"-o_R{mate}.fastq.gz")
    packed, data = tmp_path / "-g.fa.gz", tmp_path / "data"
    others = simulated.genome({"other": 3000}, seed=5)
    simulated.write_fasta(tmp_path / "other.fa", others)
    packed.write_bytes(gzip.compress((tmp_path / "other.fa").read_bytes()))
    words = ("--reference=-g.fa.gz", "--data", data, "--threads", 1)
    first = run(*words, "-o", "-one", "--", "-o_R1.fastq.gz", "-o_R2.fastq.gz")
    assert first.exit_code == 0, first.output
    assert "could be aligned" in first.output, "these reads are of another genome"
    packed.write_bytes(gzip.compress(person.fasta.read_bytes()))
    os.utime(packed, (1_000_000_000, 1_000_000_000))  # as a file that was moved here, older than the copy
    second = run(*words, "-o", "-two", "--", "-o_R1.fastq.gz", "-o_R2.fastq.gz")
    assert second.exit_code == 0, second.output
    assert len(rows(tmp_path / "-two" / "variants.vcf.gz")) == len(person.variants)
    third = run(*words, "-o", "-three", "--", "-two/alignment.bam")
    assert third.exit_code == 0, third.output


@pytest.mark.parametrize("fault", ["twice", "comma", "cut"])
def test_a_genome_that_would_fail_after_hours_is_refused_at_once(person, tmp_path, fault):
    text = person.fasta.read_text()
    fasta = tmp_path / "bad.fa"
    match fault:
        case "twice":
            fasta.write_text(f"{text}>chr1\nACGT\n")
        case "comma":
            fasta.write_text(text.replace(">chr2", ">chr2,part"))
        case "cut":
            with pysam.BGZFile(str(fasta), "wb", None) as packed:
                packed.write(text.encode())
            fasta.write_bytes(fasta.read_bytes()[:-28])
    result = run(*person.reads, "--reference", fasta, "-o", tmp_path / "out", "--data", tmp_path / "data")
    assert result.exit_code == 1
    assert "Reference not usable" in result.stderr
    said = {"twice": "one name is there twice", "comma": "'chr2,part'", "cut": "cut short"}[fault]
    assert said in result.stderr
    assert not list((tmp_path / "data").rglob("*.unfinished/*"))


@pytest.mark.parametrize("fault", ["mate", "page", "reference", "genome", "missing", "engine", "caller"])
def test_what_cannot_be_done_is_refused_in_words(person, tmp_path, fault):
    first, second = (tmp_path / path.name for path in person.reads)
    for path, source in zip((first, second), person.reads, strict=True):
        shutil.copyfile(source, path)
    words = [first, second, "--reference", person.fasta, "-o", tmp_path / "out", "--data", tmp_path / "data"]
    match fault:
        case "mate":
            words.remove(first)
        case "page":
            second.write_text("<html><body>Please log in</body></html>")
        case "reference":
            (tmp_path / "no.fa").write_text("no FASTA")
            words[3] = tmp_path / "no.fa"
        case "genome":
            del words[2:4]
        case "missing":
            words[0] = tmp_path / "none.fq"
        case _:
            words += [f"--{fault}", "other"]
    result = run(*words)
    assert result.exit_code == 1
    assert {
        "mate": "file of the first is missing",
        "page": "its content is HTML",
        "reference": "begins without `>`",
        "genome": "No genome of GRCh38 is installed",
        "missing": "there is no such file",
        "engine": "There is no engine 'other'",
        "caller": "There is no caller 'other'",
    }[fault] in result.stderr


def test_without_the_aligner_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pybwa", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(VarloomError) as caught:
        engines.engine_named("cpu", Caller.BCFTOOLS)
    assert caught.value.code == "engine_unavailable"
    assert "pip install 'varloom[reads]'" in caught.value.message
