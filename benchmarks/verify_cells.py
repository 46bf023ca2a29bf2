"""Every cell of datasets of generated VCFs, a million records at first, held to the text of their files.

`make verify` runs it. The verifier of the tests does the comparing: a slow and plain reader that shares no code with
Varloom's. Exit status 1 when any cell differs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from peer_environment import ROOT
from reader_data import ALL, Data, made

sys.path.insert(0, str(ROOT / "tests" / "verifier"))

from vcf_verifier import dataset_differences

FILES = [data for data in ALL if data.name in {"gatk 1M", "vep 300k", "multi500 20k"}]
_WIDTHS = "{:14} {:>10} {:>10} {:>14} {:>10} {:>9}"


def main() -> int:
    """Compare all files; how many differ decides the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="with a twentieth of the records")
    quick = parser.parse_args().quick
    print(_WIDTHS.format("file", "records", "rows", "values", "differing", "seconds"))
    return int(sum(_verify(data, quick=quick) for data in FILES) > 0)


def _verify(data: Data, *, quick: bool) -> int:
    path = made(data, quick=quick)
    folder = Path(tempfile.mkdtemp(prefix="varloom-verify-"))
    start = time.perf_counter()
    try:
        found, expected = dataset_differences(path, folder / "dataset")
    finally:
        shutil.rmtree(folder)
    seconds = f"{time.perf_counter() - start:.1f}"
    counts = (f"{count:,}" for count in (expected.records, expected.rows, expected.values, len(found)))
    print(_WIDTHS.format(data.name, *counts, seconds), *found, sep="\n  ", flush=True)
    return len(found)


if __name__ == "__main__":
    sys.exit(main())
