"""What readers do with malformed VCF files: runs each on each file and writes docs/explanation/malformed-files.md.

    .venv/bin/python benchmarks/malformations.py [--only TEXT] [--print]

Installs the peers into build/peers the first time. Every cell of the table comes from a run: each reader reads each
file in a process of its own with a time limit, and what it gave is compared, cell by cell, with the text of the file.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from malformation_cases import BASE, Case, cases
from malformation_page import page
from malformation_verdicts import Cell, Run, Verdict, judge
from peer_environment import ROOT, VARLOOM, bcftools, peers_python, plain_environment, versions
from record_comparison import Record, records_of

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = ROOT / "docs" / "explanation" / "malformed-files.md"
SECONDS = 60
"""How long a reader may take for a file of a few lines."""

# --- the readers ------------------------------------------------------------------------------------------------------


def run(command: list[str], folder: Path) -> Run:
    """Run a reader that prints the VCF it has read."""
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=SECONDS, check=False, env=plain_environment()
        )
    except subprocess.TimeoutExpired:
        return Run(None, "", [])
    messages = done.stderr.decode("utf-8", "replace")
    return Run(done.returncode, messages, records_of(done.stdout.decode("utf-8", "surrogateescape")))


def run_bcftools(command: tuple[str, ...], path: Path) -> Run:
    """Run `bcftools view`."""
    return run([*command, "view", "--no-version", path.name], path.parent)


def run_peer(python: str, reader: str, path: Path) -> Run:
    """Run a Python reader; see peer_values.py."""
    target = path.with_suffix(".json")
    script = str(Path(__file__).with_name("peer_values.py"))
    ended = run([python, script, reader, str(path), str(target)], path.parent)
    if ended.status != 0:
        return ended
    found = json.loads(target.read_text(encoding="utf-8"))
    return Run(1 if found["error"] else 0, f"{ended.messages}\n{found['error'] or ''}", found["records"])


def run_varloom(path: Path) -> Run:
    """Load the file, and read the dataset."""
    target = path.parent / "dataset"
    ended = run([*VARLOOM, "load", path.name, "-o", str(target), "--json"], path.parent)
    if ended.status != 0:
        return ended
    manifest = json.loads((target / "manifest.json").read_text(encoding="utf-8"))
    rows = [row for part in manifest["parts"] for row in pq.read_table(target / part["name"]).to_pylist()]
    groups: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(row["record"], []).append(row)
    warnings = [f"warning: line {one['line']}: {one['message']}" for one in manifest["warnings"]]
    return Run(0, "\n".join(warnings), [_record_of(group) for group in groups.values()])


def _record_of(rows: list[dict[str, Any]]) -> Record:
    """The record that several rows, one for each allele, stand for; a text column speaks for its typed column."""
    first = rows[0]
    cells = {}
    for name in first:
        values = [row[name] for row in rows]
        cells[name] = values[0] if len(set(map(str, values))) == 1 else values
    texts = {name.removesuffix("_text"): value for name, value in cells.items() if name.endswith("_text")}
    cells.update({name: value or True for name, value in texts.items() if value is not None})  # "": a key alone
    info = {name[5:]: value for name, value in cells.items() if name.startswith("INFO.") and name[5:-5] not in texts}
    samples: dict[str, dict[str, Any]] = {}
    for name, value in cells.items():
        sample, dot, key = name.partition(".")
        if dot and sample != "INFO" and not name.endswith("_text"):
            samples.setdefault(sample, {})[key] = value
    return {
        "CHROM": first["contig"],
        "POS": first["position"],
        "ID": first["id"],
        "REF": first["ref"],
        "ALT": [row["alt"] for row in rows],
        "QUAL": first["qual"],
        "FILTER": (first["filter"] or "").split(";"),
        "INFO": _split_duplicates({key: value for key, value in info.items() if not key.endswith("_text")}),
        "SAMPLES": samples,
    }


def _split_duplicates(info: dict[str, Any]) -> dict[str, Any]:
    """The values of a key that comes again, which one text holds with semicolons between them."""
    split = {}
    for key, value in info.items():
        for number, one in enumerate(value.split(";") if isinstance(value, str) else [value], 1):
            split[key if number == 1 else f"{key}#{number}"] = one
    return split


# --- all of them ------------------------------------------------------------------------------------------------------


def readers() -> dict[str, Callable[[Path], Run]]:
    """The readers by name and version, in the order of the table's columns."""
    python = peers_python()
    told = versions(python)
    found: dict[str, Callable[[Path], Run]] = {
        f"bcftools {version}": partial(run_bcftools, command) for version, command in bcftools(python).items()
    }
    for name in ("cyvcf2", "pysam", "polars-bio", "oxbow"):
        found[f"{name} {told[name]}"] = partial(run_peer, python, name.replace("-", "_"))
    return {**found, f"Varloom {told['varloom']}": run_varloom}


def examine(case: Case, read: Callable[[Path], Run]) -> Cell:
    """What a reader does with a file."""
    with TemporaryDirectory(prefix="varloom-case-") as folder:
        path = Path(folder) / case.name
        path.write_bytes(case.content)
        return judge(case, read(path))


def main() -> None:
    """Run everything, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", default="", help="only faults whose description has this text; prints, writes nothing"
    )
    parser.add_argument("--print", action="store_true", help="print the page, write nothing")
    options = parser.parse_args()
    read = readers()
    sound = Case("no fault", BASE.encode(), BASE)
    for name, reader in read.items():
        cell = examine(sound, reader)
        if cell.verdict is not Verdict.AS_IS:  # else the comparison itself would be at fault
            sys.exit(f"{name} does not read the sound file as it is: {cell}")
    chosen = [case for case in cases() if options.only in case.fault]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda case: [examine(case, reader) for reader in read.values()], chosen))
    written = page(dict(zip(chosen, found, strict=True)), list(read))
    if options.only or options.print:
        print(written)
    else:
        PAGE.write_text(written, encoding="utf-8")
        print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
