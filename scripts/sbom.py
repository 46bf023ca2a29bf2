"""The bill of materials of a wheel, in CycloneDX: what is in it, and what is installed beside it."""

from __future__ import annotations

import base64
import json
import re
import sys
import tomllib
import uuid
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from frontend import ROOT, bundled_packages
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIREMENTS = ROOT / "requirements" / "run.txt"
LICENCES = ROOT / "requirements" / "licences.txt"
NAMESPACE = uuid.UUID("1b6c1fb2-6b49-5a0e-9a5b-0f7a3c2a8d11")

_PIN = re.compile(r"^(?P<requirement>[A-Za-z0-9][^\\]*?)\s*\\?$")
_HASH = re.compile(r"^\s+--hash=sha256:(?P<digest>[0-9a-f]{64})")


def bill_of_materials(moment: int) -> bytes:
    """The bill of the wheel that is built by this Python, as JSON; the same for the same sources and moment.

    Raises:
        SystemExit: a requirement has no licence in requirements/licences.txt.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    bundled = [_bundled(package) for package in bundled_packages()]
    installed = _installed()
    direct = {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}
    bill: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds"),
            "lifecycles": [{"phase": "build"}],
            "tools": {"components": [_tool(name) for name in ("cython", "setuptools")]},
            "component": {
                "type": "application",
                "bom-ref": own,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "licenses": _licence(project["license"]),
                "purl": own,
            },
        },
        "components": [*bundled, *installed],
        "dependencies": [
            {
                "ref": own,
                "dependsOn": sorted(
                    [one["bom-ref"] for one in bundled] + [one["bom-ref"] for one in installed if one["name"] in direct]
                ),
            }
        ],
    }
    text = json.dumps(bill, sort_keys=True)
    bill["serialNumber"] = f"urn:uuid:{uuid.uuid5(NAMESPACE, text)}"
    return (json.dumps(bill, indent=2) + "\n").encode()


def pins() -> list[tuple[Requirement, list[str]]]:
    """Each pinned requirement with the SHA-256 of its files, for whichever platform it is."""
    found: list[tuple[Requirement, list[str]]] = []
    for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        if digest := _HASH.match(line):
            found[-1][1].append(digest["digest"])
        elif pin := _PIN.match(line):
            found.append((Requirement(pin["requirement"]), []))
    return found


def licences() -> dict[str, str]:
    """The licence of each requirement, as an expression of SPDX."""
    lines = LICENCES.read_text(encoding="utf-8").splitlines()
    return {name: licence for name, _, licence in (line.partition(" ") for line in lines if line[:1] not in {"", "#"})}


def _installed() -> list[dict[str, Any]]:
    """What is installed beside the wheel, as it is pinned, on the platform of this Python."""
    known = licences()
    made = []
    for requirement, digests in pins():
        if requirement.marker is not None and not requirement.marker.evaluate():
            continue
        name = canonicalize_name(requirement.name)
        if name not in known:
            sys.exit(
                f"{LICENCES.name} does not have {name}: run scripts/write_licences.py in an environment that has it."
            )
        release = str(requirement.specifier).removeprefix("==")
        purl = f"pkg:pypi/{name}@{release}"
        made.append(
            {
                "type": "library",
                "bom-ref": purl,
                "name": name,
                "version": release,
                "scope": "required",
                "licenses": _licence(known[name]),
                "purl": purl,
                # A release has many files, of which an installer takes one: these are theirs, not the component's.
                "externalReferences": [
                    {"type": "distribution", "url": purl, "hashes": [_sha256(digest) for digest in digests]}
                ],
            }
        )
    return made


def _bundled(package: dict[str, Any]) -> dict[str, Any]:
    """A package of npm whose code is in the browser's scripts, and those whose code it brings along.

    Raises:
        ValueError: the lock has no SHA-512 of it.
    """
    purl = _npm(package["name"], package["version"])
    algorithm, _, digest = package["integrity"].partition("-")
    if algorithm != "sha512":
        raise ValueError(f"{package['name']}: package-lock.json has no SHA-512 of it")
    parts = [
        {
            "type": "library",
            "bom-ref": f"{purl}#{part['name']}@{part['version']}",
            "name": part["name"],
            **({"version": part["version"]} if part["version"] else {}),
            "licenses": _licence(part["license"]),
            "purl": _npm(part["name"], part["version"]),
        }
        for part in package["brings"]
    ]
    return {
        "type": "library",
        "bom-ref": purl,
        "name": package["name"],
        "version": package["version"],
        "scope": "required",
        "hashes": [{"alg": "SHA-512", "content": base64.b64decode(digest).hex()}],
        "licenses": _licence(package["license"]),
        "purl": purl,
        **({"components": parts} if parts else {}),
    }


def _npm(name: str, release: str) -> str:
    return f"pkg:npm/{name.replace('@', '%40')}" + (f"@{release}" if release else "")


def _tool(name: str) -> dict[str, str]:
    release = version(name)
    return {"type": "application", "name": name, "version": release, "purl": f"pkg:pypi/{name}@{release}"}


def _licence(expression: str) -> list[dict[str, Any]]:
    if " " in expression:
        return [{"expression": expression}]
    return [{"license": {"id": expression}}]


def _sha256(digest: str) -> dict[str, str]:
    return {"alg": "SHA-256", "content": digest}
