"""How fast the Job Manager opens when an account has very many jobs: in a real Chromium, and over HTTP alone.

    .venv/bin/python benchmarks/bench_panel.py [--jobs 10000] [--waiting 1000] [--rounds 9]

Starts a server of its own in a temporary folder. Each figure is the median of the rounds, in milliseconds of the clock:
other work on the machine counts. The limit of 200 ms is for the panel, from the click until its entries are painted;
pages are told from the request until their list is painted, scripts and styles included.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from panel_runs import Server, server
from playwright.sync_api import sync_playwright
from psycopg.types.json import Jsonb

from varloom.db.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

LIMIT_MS = 200
PANEL = "the panel, from the click until it is painted"
ROOT = Path(__file__).resolve().parents[1]

ERROR = {
    "code": "vcf_column_count",
    "title": "Parsing error",
    "message": "The line has 6 tab-separated columns where the #CHROM line has 8.",
    "stage": "parse",
    "line": 5,
    "column": 7,
    "field": None,
    "excerpt": "chr1\u21e5300\u21e5.\u21e5A\u21e5C\u21e550",
    "url": None,
    "resolution": ["Match the data line to the #CHROM line.", "Upload the mended file again."],
    "retryable": False,
    "problems": [{"code": "vcf_column_count", "line": 6, "message": "The line has 6 columns."}],
}
JOBS = """
WITH account AS (
    SELECT id FROM accounts ORDER BY created_at LIMIT 1
), numbers AS (
    SELECT n, gen_random_uuid() AS upload_id, now() - make_interval(secs => 10 * n) AS at,
           CASE WHEN n <= %(waiting)s THEN 'queued' WHEN n %% 5 = 0 THEN 'failed' WHEN n %% 11 = 0 THEN 'cancelled'
                ELSE 'completed' END AS state
    FROM generate_series(1, %(jobs)s) AS n
), new_uploads AS (
    INSERT INTO uploads (id, account_id, kind, name, bytes, created_at)
    SELECT upload_id, account.id, 'file', 'sample-' || n || '.vcf.gz', 1000 * n, at FROM numbers, account
)
INSERT INTO jobs (account_id, upload_id, sample_name, plan, state, stage, error, message, records, variants, sample_id,
                  attempts, created_at, started_at, finished_at)
SELECT account.id, upload_id, 'Sample ' || n, '{parse}', state, CASE WHEN state <> 'completed' THEN 'parse' END,
       CASE WHEN state = 'failed' THEN %(error)s END, 'As it ended.', 10, 10,
       CASE WHEN state = 'completed' THEN gen_random_uuid() END,
       jsonb_build_array(jsonb_build_object('stage', 'parse', 'attempt', 1, 'began_at', at, 'seconds', 3,
           'outcome', CASE state WHEN 'completed' THEN 'succeeded' ELSE 'failed' END)),
       at, at, CASE WHEN state <> 'queued' THEN at + interval '4 s' END
FROM numbers, account
"""
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
OPEN_PANEL = """async () => {
    const began = performance.now();
    document.getElementById("jobs-button").click();
    const painted = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    do await painted(); while (!document.querySelector("#job-manager [data-job]"));
    return performance.now() - began;
}"""


def main() -> int:
    """Measure and tell; 1 when the panel takes longer than the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--waiting", type=int, default=1_000, help="of them: the newest, which wait for a slot")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="varloom-bench-") as folder,
        EmbeddedPostgres(Path(folder) / "pg") as postgres,
        server(postgres.conninfo, Path(folder) / "server") as running,
    ):
        add_jobs(postgres.conninfo, asked.jobs, asked.waiting)
        figures = measure(running, asked.rounds)
    print(f"{asked.jobs:,} jobs, {asked.waiting:,} of them waiting, median of {asked.rounds}:")
    for name, values in figures.items():
        print(f"  {statistics.median(values):7.1f} ms  {name}")
    return int(statistics.median(figures[PANEL]) > LIMIT_MS)


def add_jobs(conninfo: str, jobs: int, waiting: int) -> None:
    """Jobs of the first account in all states, the newest first to wait."""
    with psycopg.connect(conninfo, autocommit=True) as conn:
        conn.execute("SET session_replication_role = replica")  # no events: nobody has seen them happen
        conn.execute(JOBS, {"jobs": jobs, "waiting": waiting, "error": Jsonb(ERROR)})
        conn.execute("VACUUM ANALYZE jobs, uploads")


def measure(running: Server, rounds: int) -> dict[str, list[float]]:
    """The figures, by what they are of."""
    found = subprocess.run(
        [sys.executable, ROOT / "scripts" / "ensure_browser.py", "--find"], capture_output=True, text=True, check=True
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found.stdout.strip(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        log_in(page, running)
        steps: dict[str, Callable[[], float]] = {
            PANEL: lambda: panel(page, running),
            "a page with the panel open, from the request until its jobs are painted": lambda: kept_panel(
                page, running
            ),
            "the page of the jobs": lambda: listed(page, f"{running.url}/jobs"),
            "the failed ones": lambda: listed(page, f"{running.url}/jobs?state=failed"),
            "those with a text in their name": lambda: listed(page, f"{running.url}/jobs?q=sample-77"),
            "those of a week": lambda: listed(page, f"{running.url}/jobs?from=2020-01-01&to=2100-01-01&zone=UTC"),
        }
        figures = {name: [] for name in steps}
        for number in range(rounds + 1):  # the first round warms everything up
            for name, step in steps.items():
                taken = step()
                if number:
                    figures[name].append(taken)
        browser.close()
    return figures


def log_in(page: Page, running: Server) -> None:
    """Open a login link of the server's owner."""
    answer = page.request.post(
        f"{running.url}/api/v1/login-links", headers={"Authorization": f"Bearer {running.token}"}
    )
    page.goto(running.url + json.loads(answer.text())["path"])
    page.wait_for_url("**/samples")


def panel(page: Page, running: Server) -> float:
    """Open the panel on a page that is live."""
    page.goto(f"{running.url}/samples")
    page.evaluate("sessionStorage.clear()")
    page.wait_for_selector("body[data-link=live]", state="attached")
    return float(page.evaluate(OPEN_PANEL))


def kept_panel(page: Page, running: Server) -> float:
    """Load a page on which the panel is open already: its jobs come by the event stream."""
    page.goto(f"{running.url}/samples")
    page.evaluate("sessionStorage.setItem('varloom-job-manager', location.pathname)")
    began = time.perf_counter()
    page.reload(wait_until="commit")
    page.wait_for_selector("#job-manager [data-job]")
    page.evaluate(PAINTED)
    return (time.perf_counter() - began) * 1000


def listed(page: Page, address: str) -> float:
    """Load a page whose list the server renders."""
    page.goto("about:blank")
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector("#job-results [data-job]")
    page.evaluate(PAINTED)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    sys.exit(main())
