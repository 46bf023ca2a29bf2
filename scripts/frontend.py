"""The browser's scripts and styles, bundled by node; what is unpacked from a source distribution has them already."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from nodejs import node_and_npm

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "src" / "varloom" / "web" / "frontend"
BUNDLE = ROOT / "src" / "varloom" / "web" / "static" / "dist"
THIRD_PARTY = ROOT / "THIRD-PARTY.txt"
"""Named by `license-files` in pyproject.toml, so that it has to be there whenever metadata are made."""


def from_source_distribution() -> bool:
    """Whether this folder is an unpacked source distribution, and not a clone."""
    return (ROOT / "PKG-INFO").is_file()


def bundle() -> None:
    """Install the pinned npm packages, bundle, and write the licences; a source distribution brings both along."""
    if from_source_distribution():
        if not (BUNDLE / "manifest.json").is_file() or not THIRD_PARTY.is_file():
            sys.exit("This source distribution is not whole: the browser's scripts are not in it.")
        return
    node, npm, env = node_and_npm()
    subprocess.run([*npm, "ci", "--loglevel=error", "--no-audit", "--no-fund"], cwd=ROOT, env=env, check=True)
    subprocess.run([*node, str(SOURCES / "build.mjs")], cwd=ROOT, env=env, check=True)
    THIRD_PARTY.write_text(third_party(), encoding="utf-8")


def bundled_packages() -> list[dict[str, Any]]:
    """The npm packages of which a line went into the bundle: name, version, license, integrity, and what they bring."""
    packages: list[dict[str, Any]] = json.loads((BUNDLE / "packages.json").read_text(encoding="utf-8"))
    return packages


def third_party() -> str:
    """What of others is in the package, under which licence, and their texts."""
    lines = [
        "Varloom's scripts for the browser hold code of these packages. Their licences follow. What is installed",
        "beside Varloom, and not part of it, is listed in the bill of materials (sboms/varloom.cdx.json).",
        "",
    ]
    for package in bundled_packages():
        lines.append(f"{package['name']} {package['version']}: {package['license']}")
        lines += [f"  brings {_named(part)}: {part['license']}" for part in package["brings"]]
    rule = "=" * 80
    return "\n".join([*lines, "", rule, "", (BUNDLE / "LICENSES.txt").read_text(encoding="utf-8")])


def _named(part: dict[str, str]) -> str:
    """Name and version, where it is known."""
    return f"{part['name']} {part['version']}".strip()
