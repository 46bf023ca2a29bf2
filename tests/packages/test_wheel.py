"""The check of the wheel finds what is missing and what is too much, and the bill of materials is one."""

from __future__ import annotations

import json
import re
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))  # the scripts import each other

import archives  # noqa: E402
import check_wheel  # noqa: E402
import frontend  # noqa: E402
import sbom  # noqa: E402
import write_licences  # noqa: E402

MOMENT = 1_700_000_000
INFO = "varloom-0.1.0.dist-info"
DIST = "varloom/web/static/dist"


@pytest.fixture(scope="module")
def members() -> dict[str, bytes]:
    """What the wheel of this checkout holds: the package as it is installed, and what tells of it."""
    package = ROOT / "src" / "varloom"
    left_out = {"frontend", "__pycache__"}
    files = {
        path.relative_to(package.parent).as_posix(): path.read_bytes()
        for path in package.rglob("*")
        if path.is_file() and not left_out.intersection(path.parts) and path.suffix not in {".pyx", ".pxd"}
    }
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    metadata = ["Metadata-Version: 2.4", "Name: varloom", "Version: 0.1.0"]
    metadata += ["License-File: LICENSE", "License-File: THIRD-PARTY.txt"]
    metadata += [f"Requires-Dist: {one}" for one in requirements]
    return files | {
        f"{INFO}/METADATA": "\n".join(metadata).encode(),
        f"{INFO}/RECORD": b"",
        f"{INFO}/licenses/LICENSE": (ROOT / "LICENSE").read_bytes(),
        f"{INFO}/licenses/THIRD-PARTY.txt": frontend.third_party().encode(),
    }


def wheel_of(members: dict[str, bytes], folder: Path) -> Path:
    path = folder / "varloom-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
    archives.rewrite_wheel(path, MOMENT, {check_wheel.SBOM: sbom.bill_of_materials(MOMENT)})
    return path


def test_a_whole_wheel_has_no_findings_and_the_same_bytes_from_another_machine(members, tmp_path):
    whole = wheel_of(members, tmp_path)
    assert list(check_wheel.findings(whole)) == []
    (tmp_path / "other").mkdir()
    turned = wheel_of(dict(reversed(members.items())), tmp_path / "other")
    assert whole.read_bytes() == turned.read_bytes()


def script(members, beginning):
    return next(name for name in members if name.startswith(f"{DIST}/{beginning}-") and name.endswith(".js"))


def kernel(members):
    return next(name for name in members if name.startswith("varloom/reader/native/vcf_records.") and "pyi" not in name)


WITHOUT = {
    "varloom/web/templates/job.html": r"templates/job\.html is missing",
    "varloom/db/migrations/0025_low_disks.sql": r"0025_low_disks\.sql is missing",
    "varloom/web/static/favicon.svg": "favicon.svg, which is not there",
    f"{DIST}/manifest.json": "scripts are not built",
    f"{INFO}/licenses/THIRD-PARTY.txt": r"licence file THIRD-PARTY\.txt is missing",
}
BESIDE = {
    f"{DIST}/app.js.map": "is a source map",
    "varloom/reader/native/buffers.pyx": "is a source of the native modules",
    "varloom/web/node_modules/igv/index.js": "is a part of the build",
    "tests/test_one.py": "is outside the package",
    "varloom/__pycache__/errors.cpython-311.pyc": "is compiled by somebody",
}


def test_whatever_is_missing_or_too_much_is_told(members, tmp_path):
    def told(changed: dict[str, bytes]) -> str:
        return "\n".join(check_wheel.findings(wheel_of(changed, tmp_path)))

    def without(name: str) -> dict[str, bytes]:
        return {other: content for other, content in members.items() if other != name}

    missing = WITHOUT | {
        script(members, "chunk"): "which is not there",
        script(members, "app"): r"asks for app\.js",
        kernel(members): r"vcf_records\.pyx is not compiled",
    }
    for name, finding in missing.items():
        assert_told(finding, told(without(name)), name)
    for name, finding in BESIDE.items():
        assert_told(finding, told(members | {name: b"x"}), name)
    mapped = members[script(members, "app")] + b"\n//# sourceMappingURL=app.js.map\n"
    assert_told("names a source map", told(members | {script(members, "app"): mapped}), "app.js")
    more = members[f"{INFO}/METADATA"] + b"\nRequires-Dist: forgotten>=1\n"
    assert_told("does not have forgotten", told(members | {f"{INFO}/METADATA": more}), "METADATA")
    packages = [*frontend.bundled_packages(), {"name": "unheard-of", "version": "1.0.0", "license": "MIT"}]
    unheard = told(members | {f"{DIST}/packages.json": json.dumps(packages).encode()})
    assert_told(r"licence of unheard-of 1\.0\.0", unheard, "packages.json")
    assert_told("bill of materials does not have unheard-of", unheard, "packages.json")


def assert_told(finding: str, told: str, name: str) -> None:
    assert re.search(finding, told), (name, told)


def test_a_file_that_was_changed_after_the_build_is_told(members, tmp_path):
    path = wheel_of(members, tmp_path)
    with zipfile.ZipFile(path) as wheel:
        contents = {name: wheel.read(name) for name in wheel.namelist()}
    contents["varloom/errors.py"] += b"# changed"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, content in contents.items():
            wheel.writestr(name, content)
    assert list(check_wheel.findings(path)) == ["varloom/errors.py has another checksum than RECORD tells."]


def test_the_bill_of_materials_is_one_and_names_each_part_once():
    bill = sbom.bill_of_materials(MOMENT)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill.decode()) is None
    assert bill == sbom.bill_of_materials(MOMENT)
    components = json.loads(bill)["components"]
    purls = [one["purl"] for one in components]
    assert len(purls) == len(set(purls)) > 70
    igv = next(one for one in components if one["name"] == "igv")
    assert {"dompurify", "pako"} <= {part["name"] for part in igv["components"]}


def test_the_list_of_licences_is_up_to_date():
    assert sbom.LICENCES.read_text() == write_licences.written(), "run .venv/bin/python scripts/write_licences.py"


def test_a_source_distribution_is_the_same_whoever_packs_it(tmp_path):
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b.txt").write_text("b")
    made = []
    for number, names in enumerate((("a.txt", "b.txt"), ("b.txt", "a.txt"))):
        (tmp_path / "a.txt").chmod(0o600 + 0o44 * number)
        path = tmp_path / f"{number}.tar.gz"
        with tarfile.open(path, "w:gz") as archive:
            for name in names:
                archive.add(tmp_path / name, name)
        archives.rewrite_source_distribution(path, MOMENT)
        made.append(path.read_bytes())
    assert made[0] == made[1]
