"""The library of reference data: whole releases or none, whatever happens; in a folder and in an object store."""

from __future__ import annotations

import gzip
import hashlib
import json
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from tests.integration.cli_support import varloom
from tests.sources import HOST, web_source

from varloom.annotation.refs.catalogue import CATALOGUE, missing
from varloom.annotation.refs.importers import importer_of
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.refs.release import checked_release_key
from varloom.annotation.source import Need
from varloom.cli import main
from varloom.errors import VarloomError
from varloom.storage import LocalCopies, LocalStorage, ObjectStorage
from varloom.storage.object_access import access_of

if TYPE_CHECKING:
    from pathlib import Path

KEY = checked_release_key("variants", "dbsnp", "GRCh38", "156")
HEAD = (
    "##fileformat=VCFv4.2\n##fileDate=20251115\n##reference=GRCh38.p14\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
)


def nothing(*_: object) -> None:
    pass


def dbsnp(path: Path, count: int = 3) -> Path:
    rows = "".join(f"1\t{n}\trs{n}\tA\tC\t.\t.\t.\n" for n in range(1, count + 1))
    path.write_bytes(gzip.compress((HEAD + rows).encode()))
    return path


@pytest.fixture(params=["local", "s3"])
def library(request, tmp_path) -> ReferenceLibrary:
    if request.param == "local":
        return ReferenceLibrary(LocalStorage(tmp_path / "storage"))
    store = request.getfixturevalue("s3")
    prefix = hashlib.sha256(str(tmp_path).encode()).hexdigest()[:12]
    storage = ObjectStorage(access_of(f"{store.url}/{prefix}", store.environment))
    return ReferenceLibrary(storage, LocalCopies(tmp_path / "copies", 1 << 20))


def test_a_release_from_its_installation_to_its_removal(library, tmp_path):
    source = dbsnp(tmp_path / "dbsnp.vcf.gz")
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    assert library.releases() == []
    steps = []
    made = install(library, KEY, Published(source, sha256=sha256.upper()), lambda step, *_: steps.append(step))
    assert {"checking", "importing", "finishing"} <= set(steps)
    (found,) = library.releases()
    assert found == made
    assert (found.sha256, found.counts["rows"], found.licence) == (
        sha256,
        3,
        "public domain (United States government)",
    )
    assert library.newest(Need("variants", "dbsnp"), "GRCh38") == made
    assert library.newest(Need("variants", "dbsnp"), "GRCh37") is None
    with pytest.raises(VarloomError) as refused:
        install(library, KEY, Published(source), nothing)
    assert refused.value.code == "reference_exists"
    with library.borrow(KEY) as borrowed:
        path = borrowed.folder / "sites.parquet"
        (sites,) = (file for file in made.files if file.name == path.name)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == sites.sha256
        if library.storage.local_path("refs") is not None:
            with pytest.raises(VarloomError) as refused:
                library.remove(KEY)
            assert refused.value.code == "reference_in_use"
    assert library.verify(made) == []
    stored = f"refs/GRCh38/variants/dbsnp/156/{made.folder}/sites.parquet"
    library.storage.delete_tree(stored)
    assert library.verify(made) == ["sites.parquet is missing."]
    library.storage.write_bytes(stored, b"something else")
    assert len(library.verify(made)) == 1
    library.remove(KEY)
    assert library.releases() == []
    with pytest.raises(VarloomError) as refused, library.borrow(KEY):
        pass
    assert refused.value.code == "reference_missing"


def test_a_release_that_cannot_be_read_hides_no_other_and_can_be_removed(library, tmp_path):
    source = dbsnp(tmp_path / "dbsnp.vcf.gz")
    for release in ("one", "two"):
        install(library, KEY._replace(release=release), Published(source), nothing)
    note = "refs/GRCh38/variants/dbsnp/one/release.json"
    library.storage.delete_tree(note)
    library.storage.write_bytes(note, b'{"format_version": 99}')
    told: list[str] = []
    assert [release.release for release in library.releases(lambda error: told.append(error.message))] == ["two"]
    assert len(told) == 1
    assert note in told[0]
    assert library.sweep() == 0
    library.remove(KEY._replace(release="one"))
    assert [release.release for release in library.releases()] == ["two"]


def files_below(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]


@pytest.mark.parametrize("fault", ["checksum", "content", "assembly", "cancelled", "full"])
def test_what_fails_leaves_nothing(tmp_path, fault):
    library = ReferenceLibrary(LocalStorage(tmp_path / "storage"))
    source = dbsnp(tmp_path / "dbsnp.vcf.gz")
    key, sha256, code, on_step = KEY, None, "reference_malformed", nothing
    match fault:
        case "checksum":
            sha256, code = "0" * 64, "reference_checksum"
        case "content":
            source.write_bytes(source.read_bytes()[:-9])
        case "assembly":
            key, code = checked_release_key("variants", "dbsnp", "GRCh37", "156"), "reference_wrong_assembly"
        case "cancelled" | "full":
            code = "disk_full"

            def on_step(step: str, *_: object) -> None:
                if step == "finishing":
                    raise OSError(28, "No space left on device") if fault == "full" else KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt if fault == "cancelled" else VarloomError) as refused:
        install(library, key, Published(source, sha256=sha256), on_step)
    assert fault == "cancelled" or refused.value.code == code
    assert library.releases() == []
    assert files_below(tmp_path / "storage") == []
    install(library, KEY, Published(dbsnp(source)), nothing)
    assert len(library.releases()) == 1


@pytest.mark.parametrize("point", ["refs.before_import", "refs.after_import", "refs.after_publish"])
def test_a_killed_installation_leaves_nothing_visible(tmp_path, point):
    source = dbsnp(tmp_path / "dbsnp.vcf.gz")
    command = (
        "refs",
        "add",
        "dbsnp",
        "--kind",
        "variants",
        "--assembly",
        "GRCh38",
        "--from",
        source,
        "--release",
        "156",
    )
    killed = varloom(*command, data=tmp_path / "data", VARLOOM_FAILPOINTS=f"{point}=kill@1")
    assert killed.status == -signal.SIGKILL
    library = ReferenceLibrary(LocalStorage(tmp_path / "data" / "storage"))
    visible = [release.release for release in library.releases()]
    assert visible == (["156"] if point == "refs.after_publish" else [])
    again = varloom(*command, data=tmp_path / "data")
    assert again.status == (1 if visible else 0), again.err
    (release,) = library.releases()
    assert library.verify(release) == []
    library.sweep()
    folders = [path.name for path in (tmp_path / "data" / "storage" / "refs/GRCh38/variants/dbsnp/156").iterdir()]
    assert [name for name in folders if not name.startswith(".")] in (
        [release.folder, "release.json"],
        ["release.json", release.folder],
    )


def test_two_installations_at_once_never_mix(library, tmp_path):
    """One of them publishes; the other is told so, and leaves nothing."""
    sources = [dbsnp(tmp_path / f"{n}.vcf.gz", count=n) for n in (5, 7)]
    both_ready = threading.Barrier(2)
    outcomes: list[object] = []

    def run(source: Path) -> None:
        waited = []

        def on_step(step: str, *_: object) -> None:
            if step == "finishing" and not waited:
                waited.append(step)
                both_ready.wait(20)

        try:
            outcomes.append(install(library, KEY, Published(source), on_step))
        except VarloomError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=run, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    (release,) = library.releases()
    assert release in outcomes
    assert "reference_exists" in outcomes
    assert library.verify(release) == []
    with library.borrow(KEY) as borrowed:
        import pyarrow.parquet as pq

        assert pq.read_metadata(borrowed.folder / "sites.parquet").num_rows == release.counts["rows"]


def test_an_installation_that_runs_is_not_swept(tmp_path):
    library = ReferenceLibrary(LocalStorage(tmp_path / "storage"))
    swept = []

    def on_step(step: str, *_: object) -> None:
        if step in {"importing", "finishing"}:
            other = "from pathlib import Path; import sys; from varloom.storage import LocalStorage;"
            other += "from varloom.annotation.refs.library import ReferenceLibrary;"
            other += "print(ReferenceLibrary(LocalStorage(Path(sys.argv[1]))).sweep())"
            done = subprocess.run([sys.executable, "-c", other, tmp_path / "storage"], capture_output=True, check=True)
            swept.append(int(done.stdout))

    install(library, KEY, Published(dbsnp(tmp_path / "dbsnp.vcf.gz")), on_step)
    assert swept
    assert set(swept) == {0}
    assert library.verify(library.releases()[0]) == []


def test_the_catalogue_names_what_can_be_imported_and_what_is_missing(tmp_path):
    library = ReferenceLibrary(LocalStorage(tmp_path / "storage"))
    names = {entry.name for entry in missing("GRCh38", [])}
    assert {"genome", "ensembl", "clinvar", "gnomad", "dbsnp", "mane", "gnomad-sv", "clingen"} <= names
    assert "mane" not in {entry.name for entry in missing("GRCh37", [])}
    install(library, KEY, Published(dbsnp(tmp_path / "dbsnp.vcf.gz")), nothing)
    assert {entry.name for entry in missing("GRCh38", library.releases())} == names - {"dbsnp"}
    for entry in CATALOGUE:
        if entry.kind in {"fasta", "variants", "scores"}:
            found = importer_of(entry.kind, entry.name)
            assert found is not None
            assert callable(found.load())


def test_the_commands(tmp_path, monkeypatch):
    source = dbsnp(tmp_path / "dbsnp.vcf.gz")
    monkeypatch.setenv("VARLOOM_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("varloom.cli.refs.end_in_order", nothing)  # pytest handles the signals of this process

    def refs(*arguments: object):
        return CliRunner().invoke(main, ["refs", *map(str, arguments)])

    listed = refs("list")
    assert listed.exit_code == 0
    assert "No reference data is installed." in listed.stdout
    assert "https://ftp.ncbi.nlm.nih.gov/pub/clinvar/vcf_GRCh38/clinvar.vcf.gz" in listed.stdout
    kind = ("--kind", "variants")
    added = refs("add", "dbsnp", *kind, "--assembly", "hg38", "--from", source, "--json")
    assert (added.exit_code, added.stderr) == (0, "")
    made = json.loads(added.stdout)
    assert (made["release"], made["rows"], made["source"]) == ("2025-11-15", 3, "dbsnp.vcf.gz")
    (one,) = json.loads(refs("list", "--json").stdout)
    assert {"name", "kind", "assembly", "release", "bytes", "sha256", "added_at"} <= set(one)
    assert json.loads(refs("list", "--json", "--assembly", "GRCh37").stdout) == []
    lacking = json.loads(refs("list", "--json", "--missing", "--assembly", "GRCh38").stdout)
    assert "dbsnp" not in {entry["name"] for entry in lacking}
    assert "2025-11-15" in refs("list").stdout
    again = refs("add", "dbsnp", *kind, "--assembly", "GRCh38", "--from", source)
    assert (again.exit_code, "installed already" in again.stderr) == (1, True)
    assert refs("add", "x/y", *kind, "--assembly", "GRCh38", "--from", source).exit_code == 1
    assert refs("add", "strange", *kind, "--assembly", "GRCh38", "--from", source).exit_code == 1
    assert refs("add", "dbsnp", *kind, "--assembly", "GRCh38", "--from", tmp_path / "nowhere").exit_code == 1
    assert refs("add", "dbsnp", "--from", source).exit_code == 2
    assert refs("add", "dbsnp", *kind, "--assembly", "GRCh38", "--from", source, "--release", "two").exit_code == 0
    assert refs("remove", "dbsnp").exit_code == 1
    (path,) = (tmp_path / "data/storage/refs/GRCh38/variants/dbsnp/two").glob("*/sites.parquet")
    path.write_bytes(path.read_bytes()[:-1])
    verified = refs("verify", "dbsnp", "--json")
    assert verified.exit_code == 1
    assert {entry["release"]: entry["ok"] for entry in json.loads(verified.stdout)} == {
        "2025-11-15": True,
        "two": False,
    }
    assert refs("remove", "dbsnp", "--release", "two").exit_code == 0
    assert refs("verify").exit_code == 0
    assert refs("verify", "nothing").exit_code == 1


def test_a_release_from_a_url_that_breaks_off_is_gone_on_with(tmp_path):
    content = dbsnp(tmp_path / "dbsnp.vcf.gz", count=300_000).read_bytes()
    sha256 = hashlib.sha256(content).hexdigest()
    with web_source() as site:
        site.serve("/pub/dbsnp.vcf.gz", content, cut_after=[200_000] * 2)
        url = site.url("/pub/dbsnp.vcf.gz")
        added = varloom(
            *(
                "refs",
                "add",
                "dbsnp",
                "--kind",
                "variants",
                "--assembly",
                "GRCh38",
                "--from",
                url,
                "--sha256",
                sha256,
                "--json",
            ),
            data=tmp_path / "data",
            VARLOOM_ALLOWED_ENDPOINTS=HOST,
        )
    assert added.status == 0, added.err
    made = json.loads(added.out)
    assert (made["sha256"], made["rows"], made["source"]) == (sha256, 300_000, url)
    assert not any(
        path.is_file() and path.stat().st_size > 1000 for path in (tmp_path / "data/refs-downloads").rglob("*")
    )
    assert [path.name for path in (tmp_path / "data/storage/refs").iterdir()] == ["GRCh38"]
