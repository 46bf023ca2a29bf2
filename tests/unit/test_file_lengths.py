"""No file of the project is so long that nobody reads it whole."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES = 700
WRITTEN = {".py", ".pyi", ".pyx", ".pxd", ".js", ".mjs", ".css", ".html", ".sql", ".sh"}


def test_no_file_is_longer_than_can_be_read_at_once():
    files = [
        path
        for folder in ("src", "tests", "benchmarks", "scripts")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in WRITTEN and "dist" not in path.parts and "node_modules" not in path.parts
    ]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert len(lengths) > 400
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}
