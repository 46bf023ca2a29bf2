"""Archives whose bytes are the same wherever and whenever they are built."""

from __future__ import annotations

import base64
import csv
import gzip
import hashlib
import io
import os
import tarfile
import time
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

EARLIEST = 315_532_800
"""1980-01-01: a zip archive knows nothing before."""


def rewrite_wheel(path: Path, moment: int, more: Mapping[str, bytes]) -> None:
    """Put files into a wheel's `.dist-info`, and make all of it independent of this machine.

    Args:
        path: the wheel.
        moment: seconds since 1970, which every member gets as its time.
        more: content by name below `.dist-info`.
    """
    with zipfile.ZipFile(path) as wheel:
        members = {name: wheel.read(name) for name in wheel.namelist() if not name.endswith("/")}
    record = next(name for name in members if name.endswith(".dist-info/RECORD"))
    folder = record.removesuffix("RECORD")
    del members[record]
    members |= {f"{folder}{name}": content for name, content in more.items()}
    # As the format recommends: what tells of the wheel stands at its end.
    names = sorted(members, key=lambda name: (name.startswith(folder), name))
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    writer.writerows((name, f"sha256={_digest(members[name])}", len(members[name])) for name in names)
    writer.writerow((record, "", ""))
    fresh = path.with_name(f"{path.name}.fresh")
    with zipfile.ZipFile(fresh, "w") as wheel:
        for name in [*names, record]:
            about = zipfile.ZipInfo(name, time.gmtime(max(moment, EARLIEST))[:6])
            about.external_attr = (0o755 if name.endswith(".so") else 0o644) << 16 | 0o100000 << 16
            about.compress_type = zipfile.ZIP_DEFLATED
            about.create_system = 3  # Unix: the permissions hold
            wheel.writestr(about, members.get(name, rows.getvalue().encode()))
    fresh.replace(path)


def rewrite_source_distribution(path: Path, moment: int) -> None:
    """Make a `.tar.gz` independent of this machine: order, times, owners and permissions of its members."""
    fresh = path.with_name(f"{path.name}.fresh")
    with (
        tarfile.open(path) as given,
        fresh.open("wb") as file,
        gzip.GzipFile("", "wb", 9, file, mtime=moment) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as made,
    ):
        for member in sorted(given.getmembers(), key=lambda one: one.name):
            about = tarfile.TarInfo(member.name)
            about.type, about.size, about.mtime = member.type, member.size, moment
            about.mode = 0o755 if member.isdir() else 0o644
            made.addfile(about, given.extractfile(member) if member.isfile() else None)
    fresh.replace(path)


def build_moment(root: Path) -> int:
    """SOURCE_DATE_EPOCH, else the time that a source distribution gave its own files, else now."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told:
        return int(told)
    metadata = root / "PKG-INFO"
    return int(metadata.stat().st_mtime if metadata.is_file() else time.time())


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
