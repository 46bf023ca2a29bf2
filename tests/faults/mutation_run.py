"""Spoils valid files of the corpus in many ways and has child processes read them: `--seeds N` tries each way N times.

The exit status is 1 when a child crashed, hung, or read anything but all records of the spoiled text without a refusal
that says where. Every case can be made again from the file, the mutation and the seed that are printed.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mutations import MUTATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

CORPUS = Path(__file__).resolve().parents[3] / "shared" / "corpus"
CHILD = Path(__file__).with_name("mutations.py")
MOST_BYTES = 20_000
BATCH = 100
SECONDS = 120
"""So long may a batch take: a hang, not slowness, is what is looked for."""


class Job(NamedTuple):
    path: str
    mutation: str
    seed: int


class Verdict(NamedTuple):
    job: Job
    what: str
    why: str


def valid_files(count: int = 200) -> list[Path]:
    """So many valid files, from all over the corpus, none of them large."""
    with (CORPUS / "vcf.tsv").open(newline="", encoding="utf-8") as file:
        paths = [
            CORPUS / row["path"]
            for row in csv.DictReader(file, delimiter="\t")
            if row["format"] == "vcf"
            and row["compression"] in {"plain", "gzip", "bgzf"}
            and row["must"].startswith("accept exactly")
            and 300 < int(row["bytes"]) < MOST_BYTES
        ]
    return paths[:: max(1, len(paths) // count)][:count]


def jobs(files: list[Path], seeds: range) -> list[Job]:
    return [Job(str(path), mutation, seed) for seed in seeds for path in files for mutation in MUTATIONS]


def run(wanted: list[Job], children: int = 2) -> Iterator[Verdict]:
    """The verdicts, in no order."""
    batches = [wanted[at : at + BATCH] for at in range(0, len(wanted), BATCH)]
    with ThreadPoolExecutor(children) as pool:
        for verdicts in pool.map(run_batch, batches):
            yield from verdicts


def run_batch(batch: list[Job]) -> list[Verdict]:
    verdicts: list[Verdict] = []
    while len(verdicts) < len(batch):
        rest = batch[len(verdicts) :]
        answers, end = answered(rest)
        verdicts += [Verdict(job, *answer) for job, answer in zip(rest, answers, strict=False)]
        if len(answers) < len(rest):
            verdicts.append(Verdict(rest[len(answers)], "crash", end))
    return verdicts


def answered(batch: list[Job]) -> tuple[list[list[str]], str]:
    """What a child says of the jobs until it ends, and how it ended."""
    command = [sys.executable, CHILD]
    text = "".join(f"{json.dumps(job)}\n" for job in batch)
    environment = {**os.environ, "PYTHONFAULTHANDLER": "1"}
    try:
        done = subprocess.run(
            command, input=text, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False
        )
        out, end = done.stdout, f"exit status {done.returncode}: {done.stderr[-3000:]}"
    except subprocess.TimeoutExpired as hung:
        out, end = (hung.stdout or b"").decode(), f"no end within {SECONDS} s"
    return [json.loads(line) for line in out.splitlines() if line.startswith("[")], end


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how often each mutation of each file is tried")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--children", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    start = time.monotonic()
    counts: Counter[str] = Counter()
    seeds = range(chosen.first, chosen.first + chosen.seeds)
    for verdict in run(jobs(valid_files(chosen.files), seeds), chosen.children):
        counts[verdict.what] += 1
        if verdict.what in {"fault", "crash"}:
            sys.stdout.write(f"{verdict.what}: {verdict.job}\n  {verdict.why}\n")
            sys.stdout.flush()
    told = ", ".join(f"{count:,} {what}" for what, count in counts.most_common())
    sys.stdout.write(f"{counts.total():,} spoiled files: {told}, in {time.monotonic() - start:.0f} s\n")
    return 1 if counts["fault"] or counts["crash"] else 0


if __name__ == "__main__":
    sys.exit(main())
