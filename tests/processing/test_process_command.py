"""`varloom process` from files to a folder of results, with a FASTA of one's own and with an installed genome."""

import gzip
import json
import shutil
import sys

import pytest
from click.testing import CliRunner
from tests.processing.conftest import rows

from varloom.annotation.refs.library import ReferenceLibrary
from varloom.cli import main
from varloom.errors import VarloomError
from varloom.processing import engines, references
from varloom.processing.model import Caller
from varloom.storage import LocalStorage


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
