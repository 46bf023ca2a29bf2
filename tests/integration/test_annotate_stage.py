"""The annotate and parse stages as the child runs them, on a storage of this machine and on an object store."""

from __future__ import annotations

import gzip
import re
import uuid
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.shared_data import needs

from varloom.annotation.merging import AnnotationFolder
from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.worker_process import PieceFailedError
from varloom.dataset.stored import load_manifest
from varloom.errors import VarloomError
from varloom.pipeline.request import Scratch, SourceFile, StageRequest
from varloom.pipeline.stages import annotate, parse
from varloom.storage import LocalStorage, ObjectStorage
from varloom.storage.object_access import access_of

CLINVAR = Path(__file__).parents[3] / "shared" / "data" / "resources" / "exomiser.clinvar-test.vcf.gz"

pytestmark = needs(CLINVAR)


class Stages:
    """Runs stages one after the other on one source file."""

    def __init__(self, storage, tmp_path):
        self.storage = storage
        self.scratch = tmp_path / "scratch"
        self.job = str(uuid.uuid4())
        self.told = []

    def put(self, content: bytes, name: str) -> None:
        self.name = name
        self.key = f"uploads/{uuid.uuid4()}/source"
        self.storage.write_bytes(self.key, content)

    def install_clinvar(self, tmp_path, release="2023") -> None:
        key = ReleaseKey("variants", "clinvar", "GRCh37", release)
        install(ReferenceLibrary(self.storage), key, Published(CLINVAR), lambda *_: None)

    def run(self, stage, annotation=None, *, keeps_choice=True, **options):
        token = str(uuid.uuid4())
        scratch = Scratch(self.scratch / token, self.scratch / "sources", 10**9, self.scratch / "downloads")
        request = StageRequest(
            stage.__name__.rpartition(".")[2],
            SourceFile(self.key, self.name, None, None),
            f"attempts/{self.job}/{token}",
            options,
            self.storage.access,
            None if isinstance(self.storage, LocalStorage) else scratch,
            job=self.job,
            annotation=annotation,
            keeps_choice=keeps_choice,
        )
        self.told.clear()
        return stage.run(StageRequest.from_json(request.as_json()), lambda *told: self.told.append(told))

    def table(self, key: str, tmp_path: Path):
        manifest = load_manifest(self.storage, key)
        parts = []
        for part in manifest.parts:
            self.storage.fetch(f"{key}/{part.name}", tmp_path / f"{uuid.uuid4()}")
            parts.append(max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns))
        return manifest, pq.ParquetDataset(parts).read()


@pytest.fixture(params=["local", "s3"])
def stages(tmp_path, request):
    if request.param == "local":
        return Stages(LocalStorage(tmp_path / "storage"), tmp_path)
    store = request.getfixturevalue("s3")
    return Stages(ObjectStorage(access_of(f"{store.url}/annotate-{uuid.uuid4()}", store.environment)), tmp_path)


def test_the_annotation_stands_behind_the_files_own_columns(stages, tmp_path):
    stages.put(CLINVAR.read_bytes(), "clinvar.vcf.gz")
    stages.install_clinvar(tmp_path)
    first = stages.run(annotate, annotate="small", assembly="GRCh37")
    assert first.result["releases"] == [["variants", "clinvar", "GRCh37", "2023"]]
    assert stages.told[-1][2] in {"variants", "bytes"}
    assert (2000, 2000, "variants") in stages.told
    parsed = stages.run(parse, first.result["key"], annotate="small", assembly="GRCh37")
    copies = tmp_path / "copies"
    copies.mkdir()
    manifest, table = stages.table(parsed.result["folders"][0], copies)
    added = [column for column in manifest.columns if column.origin == "annotation"]
    assert {column.field for column in added} == {"clinvar"}
    assert manifest.columns[-len(added) :] == tuple(added)
    with gzip.open(CLINVAR, "rt") as lines:
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
    allele = [row[4] != "." for row in rows]  # one record has none, and is not looked up
    wanted = [found[1] if (found := re.search(r"CLNSIG=([^;\s]+)", row[7])) else None for row in rows]
    assert table.column("clinvar.significance").to_pylist() == [
        value if has else None for value, has in zip(wanted, allele, strict=True)
    ]
    assert table.column("clinvar.variation_id").to_pylist() == [
        row[2] if has else None for row, has in zip(rows, allele, strict=True)
    ]
    assert table.column("clinvar.found").to_pylist() == [True if has else None for has in allele]


def test_a_header_of_another_assembly_than_was_chosen_is_warned_of(stages, tmp_path):
    record = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t1000\t.\tA\tC\t.\t.\t.\n"
    stages.install_clinvar(tmp_path)
    for header, told in ((b"##contig=<ID=1,length=248956422>\n", True), (b"##contig=<ID=1,length=249250621>\n", False)):
        stages.put(b"##fileformat=VCFv4.2\n" + header + record, "a.vcf")
        stages.job = str(uuid.uuid4())
        found = {one["code"]: one for one in stages.run(annotate, annotate="small", assembly="GRCh37").warnings}
        assert ("assembly_contradicted" in found) is told
        assert not told or found["assembly_contradicted"]["message"].endswith("the file is GRCh38.")


def test_what_was_finished_is_not_done_again(stages, tmp_path, monkeypatch):
    stages.put(CLINVAR.read_bytes(), "clinvar.vcf.gz")
    stages.install_clinvar(tmp_path)
    monkeypatch.setattr("varloom.annotation.whole_file.CHUNK_ROWS", 500)
    first = stages.run(annotate, annotate="small", assembly="GRCh37")
    second = stages.run(annotate, annotate="small", assembly="GRCh37")
    assert next(told for told in stages.told if told[2] == "variants" and told[1] is not None) == (
        2000,
        2000,
        "variants",
    )
    folders = []
    for result in (first, second):
        keys = list(stages.storage.list_prefix(result.result["key"]))
        folder = tmp_path / str(uuid.uuid4())
        folder.mkdir()
        for key in keys:
            stages.storage.fetch(key, folder / key.rpartition("/")[2])
        folders.append(AnnotationFolder.load(folder))
    assert [folder.chunks for folder in folders] == [4, 4]
    assert list(folders[0].batches()) == list(folders[1].batches())


def test_a_job_works_with_the_releases_that_it_chose_and_they_stay_until_it_is_done(stages, tmp_path, monkeypatch):
    how = {"annotate": "small", "assembly": "GRCh37"}
    stages.put(CLINVAR.read_bytes(), "clinvar.vcf.gz")
    stages.install_clinvar(tmp_path)
    library = ReferenceLibrary(stages.storage)
    old, new = (ReleaseKey("variants", "clinvar", "GRCh37", release) for release in ("2023", "2024"))
    first = stages.run(annotate, **how)
    stages.install_clinvar(tmp_path, "2024")
    assert stages.run(annotate, **how).result["releases"] == [list(old)], "another attempt of the same job"
    with pytest.raises(VarloomError, match=rf"needed by 1 job that works with it: {stages.job}") as refused:
        library.remove(old)
    assert refused.value.code == "reference_in_use"
    library.remove(new)
    stages.run(parse, first.result["key"], **how)
    library.remove(old)

    for release in ("2023", "2024"):
        stages.install_clinvar(tmp_path, release)
    assert stages.run(annotate, **how).result["releases"] == [list(new)]
    library.remove(new, force=True)
    with pytest.raises(VarloomError, match="was removed") as refused:
        stages.run(annotate, **how)
    assert (refused.value.code, refused.value.kind.retryable) == ("reference_removed", False)
    assert stages.run(annotate, keeps_choice=False, **how).result["releases"] == [list(old)], "retried by hand"

    def fail(*_):
        library.remove(old, force=True)
        raise PieceFailedError("There is no such file.")

    stages.job = str(uuid.uuid4())
    monkeypatch.setattr("varloom.annotation.worker_process.AnnotatorProcess.annotate", fail)
    with pytest.raises(VarloomError, match="was removed"):
        stages.run(annotate, **how)


COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


@pytest.mark.parametrize(
    ("content", "name", "options", "code"),
    [
        (b"a,b\n1,2\n", "table.csv", {"assembly": "GRCh37"}, "annotation_needs_variants"),
        (b"##fileformat=VCFv4.2\n" + COLUMNS, "x.vcf", {}, "assembly_needed"),
        (
            b"##fileformat=VCFv4.2\n##contig=<ID=1,length=248956422>\n" + COLUMNS,
            "x.vcf",
            {},
            "reference_data_missing",
        ),
        (
            b"##fileformat=VCFv4.2\n" + COLUMNS + b"1\tx\t.\tA\tG\t.\t.\t.\n",
            "x.vcf",
            {"assembly": "GRCh37"},
            "vcf_position_invalid",
        ),
    ],
    ids=["table", "no assembly", "no data", "broken"],
)
def test_what_cannot_be_annotated_is_told(tmp_path, content, name, options, code):
    stages = Stages(LocalStorage(tmp_path / "storage"), tmp_path)
    stages.put(content, name)
    stages.install_clinvar(tmp_path)
    with pytest.raises(VarloomError) as raised:
        stages.run(annotate, annotate="small", **options)
    assert raised.value.kind.code == code
    assert raised.value.kind.resolution
