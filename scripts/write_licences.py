"""Writes requirements/licences.txt: under which licence each pinned requirement is, as an expression of SPDX.

A build has none of them installed to ask. Run after `make lock` and `make install`; a test fails
while it is not up to date.
"""

from __future__ import annotations

import importlib.metadata
import sys

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name
from sbom import LICENCES, pins

HEAD = """\
# The licence of each requirement in run.txt, as its metadata tell it. Written by scripts/write_licences.py.
"""
BY_CLASSIFIER = {
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
BY_OLD_NAME = {"MIT License": "MIT", "PSFL": "PSF-2.0"}
READ_BY_HAND = {
    "hgvs-weaver": "MIT",  # only the text of the licence tells it
    "httpx2-jsfetch": "BSD-3-Clause",  # for browsers only: never installed here
    "jinja2": "BSD-3-Clause",  # its metadata tell the family
    "pywin32": "PSF-2.0",  # for Windows only: never installed here
    "superintervals": "MIT",  # only the text of the licence tells it
}


def written() -> str:
    """The content of requirements/licences.txt."""
    names = sorted({canonicalize_name(requirement.name) for requirement, _ in pins()})
    return HEAD + "".join(f"{name} {licence_of(name)}\n" for name in names)


def licence_of(name: str) -> str:
    """The licence of an installed package.

    Raises:
        SystemExit: neither its metadata nor `READ_BY_HAND` tell it.
    """
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    told = importlib.metadata.metadata(name)
    for given in (told.get("License-Expression"), told.get("License")):
        try:
            return str(canonicalize_license_expression(BY_OLD_NAME.get(given or "", given or "")))
        except InvalidLicenseExpression:
            continue
    found = {BY_CLASSIFIER[one] for one in told.get_all("Classifier") or () if one in BY_CLASSIFIER}
    if len(found) != 1:
        sys.exit(f"{name}: its metadata tell no licence; look it up and add it to READ_BY_HAND.")
    return found.pop()


if __name__ == "__main__":
    LICENCES.write_text(written(), encoding="utf-8")
