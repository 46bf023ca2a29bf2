"""Looks whether a wheel holds all that Varloom needs at run time, and nothing else: `check_wheel.py WHEEL...`.

Run by `make wheel`. Each finding is a line; the exit status is 1 if there is one.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
import sys
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).resolve().parents[1] / "src"
STATIC = "varloom/web/static/"
SBOM = "sboms/varloom.cdx.json"

NEVER = {
    "a source map": re.compile(r"\.map$"),
    "a source of the native modules": re.compile(r"\.(pyx|pxd|c|cpp|h)$"),
    "a part of the build for the browser": re.compile(r"(^|/)(node_modules|frontend)/|(^|/)package(-lock)?\.json$"),
    "a test": re.compile(r"(^|/)(tests?|conftest\.py)(/|$)|(^|/)test_\w+\.py$"),
    "compiled by somebody's Python": re.compile(r"(^|/)__pycache__/|\.py[co]$"),
    "outside the package": re.compile(r"^(?!varloom/|varloom-[^/]+\.dist-info/)"),
}
_ASKED = re.compile(r"asset\('([^']+)'\)")
_NAMED = re.compile(r"[\"'(](/static/[^\"')?#{}]+)")
_IMPORTED = re.compile(r"[\"'](\./[A-Za-z0-9_-]+\.(?:js|css))[\"']")
_URL = re.compile(r"url\(\s*[\"']?(?!data:|#)([^\"')]+)")


def findings(path: Path) -> Iterator[str]:
    """What is wrong with a wheel, as sentences."""
    with zipfile.ZipFile(path) as wheel:
        members = {name: wheel.read(name) for name in wheel.namelist()}
    folder = next((name.removesuffix("RECORD") for name in members if name.endswith(".dist-info/RECORD")), None)
    if folder is None:
        yield "It has no RECORD."
        return
    for name in members:
        yield from (f"{name} is {what}." for what, pattern in NEVER.items() if pattern.search(name))
    yield from _missing_modules(members)
    yield from _missing_for_pages(members)
    yield from _broken_record(members, folder)
    yield from _licences(members, folder)
    yield from _bill(members, folder)


def _missing_modules(members: dict[str, bytes]) -> Iterator[str]:
    """Every file of the package is in it, and every native module is compiled."""
    browser = SOURCES / "varloom" / "web"
    for file in sorted((SOURCES / "varloom").rglob("*")):
        if not file.is_file() or browser / "frontend" in file.parents or browser / "static" / "dist" in file.parents:
            continue
        name = file.relative_to(SOURCES).as_posix()
        if file.suffix == ".pyx":
            compiled = f"{name.removesuffix('.pyx')}."
            if not any(one.startswith(compiled) and one.endswith((".so", ".pyd")) for one in members):
                yield f"{name} is not compiled."
        elif file.suffix in {".py", ".pyi", ".sql", ".html", ".svg", ".typed"} and name not in members:
            yield f"{name} is missing."


def _missing_for_pages(members: dict[str, bytes]) -> Iterator[str]:
    """What pages, scripts and styles refer to is in it, and no script names a source map."""
    try:
        built = json.loads(members[f"{STATIC}dist/manifest.json"])
    except KeyError:
        yield "The browser's scripts are not built: static/dist/manifest.json is missing."
        return
    for name, content in members.items():
        if name.endswith(".html"):
            for asked in _ASKED.findall(content.decode()):
                if f"{STATIC}dist/{built.get(asked)}" not in members:
                    yield f"{name} asks for {asked}, which is not there."
        if name.endswith((".html", ".py")):
            for named in _NAMED.findall(content.decode()):
                if not named.endswith("/") and f"varloom/web{named}" not in members:
                    yield f"{name} refers to {named}, which is not there."
        if name.endswith((".js", ".css")):
            yield from _missing_for_script(name, content.decode(), members)


def _missing_for_script(name: str, text: str, members: dict[str, bytes]) -> Iterator[str]:
    beside = PurePosixPath(name).parent
    for other in (_IMPORTED if name.endswith(".js") else _URL).findall(text):
        if str(beside / other) not in members:
            yield f"{name} needs {other}, which is not there."
    if "sourceMappingURL=" in text:
        yield f"{name} names a source map."


def _broken_record(members: dict[str, bytes], folder: str) -> Iterator[str]:
    """RECORD tells each file once, and its checksum."""
    rows = list(csv.reader(members[f"{folder}RECORD"].decode().splitlines()))
    told = {name: digest for name, digest, _ in rows}
    yield from (f"{name} is not in RECORD." for name in members if name not in told)
    yield from (f"{name} is in RECORD and not there." for name in told if name not in members)
    for name, digest in told.items():
        content = members.get(name)
        if content is None or name == f"{folder}RECORD":
            continue
        found = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        if digest != f"sha256={found}":
            yield f"{name} has another checksum than RECORD tells."


def _licences(members: dict[str, bytes], folder: str) -> Iterator[str]:
    """The licence files that the metadata name are there, and tell of each bundled package (PEP 639)."""
    metadata = Parser().parsestr(members[f"{folder}METADATA"].decode())
    named = metadata.get_all("License-File") or []
    if sorted(named) != ["LICENSE", "THIRD-PARTY.txt"]:
        yield f"The metadata name the licence files {named}."
    yield from (f"The licence file {name} is missing." for name in named if f"{folder}licenses/{name}" not in members)
    texts = members.get(f"{folder}licenses/THIRD-PARTY.txt", b"").decode()
    for package in json.loads(members.get(f"{STATIC}dist/packages.json", b"[]")):
        about = f"{package['name']} {package['version']}"
        if f"\n{about}: {package['license']}\n" not in texts or f"\n{about} ({package['license']})\n\n" not in texts:
            yield f"THIRD-PARTY.txt does not tell the licence of {about}."


def _bill(members: dict[str, bytes], folder: str) -> Iterator[str]:
    """The bill of materials (PEP 770) has every bundled package and every requirement, with licence and checksum."""
    if f"{folder}{SBOM}" not in members:
        yield f"The bill of materials {SBOM} is missing."
        return
    components = json.loads(members[f"{folder}{SBOM}"])["components"]
    known = {(one["purl"].split("/")[0], one["name"]): one for one in components}
    wanted = [("pkg:npm", one["name"]) for one in json.loads(members.get(f"{STATIC}dist/packages.json", b"[]"))]
    metadata = Parser().parsestr(members[f"{folder}METADATA"].decode())
    for requirement in metadata.get_all("Requires-Dist") or []:
        name, _, marker = requirement.partition(";")
        if not marker:  # what has one may be for other machines, or an extra
            bare = re.split(r"[\s<>=!~\[(]", name.strip(), maxsplit=1)[0]
            wanted.append(("pkg:pypi", re.sub(r"[-_.]+", "-", bare).lower()))
    for key in wanted:
        if key not in known:
            yield f"The bill of materials does not have {key[1]}."
    for one in components:
        hashes = one.get("hashes") or [more for part in one.get("externalReferences", []) for more in part["hashes"]]
        if not one.get("licenses") or not one.get("version") or not hashes:
            yield f"The bill of materials tells no version, licence or checksum of {one['name']}."


def main(paths: list[str]) -> int:
    """Print what is wrong with each wheel."""
    wrong = [f"{Path(path).name}: {finding}" for path in paths for finding in findings(Path(path))]
    print("\n".join(wrong) if wrong else "Nothing is missing from the wheel, and nothing is in it that should not be.")
    return 1 if wrong else 0


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("usage: check_wheel.py WHEEL...")
    sys.exit(main(sys.argv[1:]))
