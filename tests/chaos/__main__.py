"""`python -m tests.chaos`: one chaos run. `make chaos` calls it."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from tests.chaos import faulty_disk
from tests.chaos.run import ChaosRun

MOST_TOLD = 50


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="which faults, files and uploads (default: 1)")
    parser.add_argument("--jobs", type=int, default=2000, help="how many uploads (default: 2000)")
    parser.add_argument("--workers", type=int, default=4, help="how many `varloom worker` processes (default: 4)")
    parser.add_argument("--keep", action="store_true", help="keep the folder of the run also when all is well")
    given = parser.parse_args()
    if not faulty_disk.is_possible():
        sys.exit("The chaos run needs Linux and a C compiler (cc).")
    home = Path(tempfile.mkdtemp(prefix="varloom-chaos-"))
    run = ChaosRun(home, given.seed, given.jobs, given.workers)
    report = run.run()
    lines = [report.summary, *(f"seed {given.seed}: {finding}" for finding in report.findings[:MOST_TOLD])]
    if report.findings or given.keep:
        lines.append(f"the folder of the run: {home}")
    else:
        run.destroy_database()
        shutil.rmtree(home)
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
