"""Builds the documentation as a site in `build/site`, offline: `make docs`.

The pages are those of `docs/`, in the order of their list, `docs/README.md`, and the changelog. It fails where a
page is in no list, a list names a page that is not there, a link leads nowhere, or a page needs what lies elsewhere.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
BUILD = ROOT / "build"
PAGES = BUILD / "pages"
SITE = BUILD / "site"
CHANGELOG = "changelog.md"
ALONE = ("glossary.md", "decisions.md")
"""Pages that stand in the navigation by themselves, whatever list names them."""

LINK = re.compile(r"\]\(([^)#\s]+\.md)(?:#[^)\s]*)?\)")

Navigation = list[dict[str, Any]]


def main() -> int:
    """Build; the exit status."""
    BUILD.mkdir(exist_ok=True)
    shutil.rmtree(PAGES, ignore_errors=True)
    shutil.rmtree(SITE, ignore_errors=True)
    shutil.copytree(DOCS, PAGES)
    (PAGES / "README.md").rename(PAGES / "index.md")
    (PAGES / CHANGELOG).write_text(changelog(), encoding="utf-8")
    for page in PAGES.rglob("*.md"):
        page.write_text(without_escapes(page.read_text(encoding="utf-8")), encoding="utf-8")
    icon = ROOT / "src" / "varloom" / "web" / "static" / "favicon.svg"
    shutil.copy(icon, PAGES / "assets" / "icon.svg")
    faults = missing_pages()
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    if faults:
        return 1
    config = BUILD / "zensical.toml"
    config.write_text(configuration(navigation()), encoding="utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).parent / "zensical"), "build", "--clean", "--strict", "-f", str(config)],
        check=False,
        capture_output=True,
        text=True,
        cwd=BUILD,
    )
    if done.returncode:
        told, _, _ = done.stderr.partition("Traceback")
        sys.stderr.write(done.stdout + told)
        return 1
    faults = faults_of_site()
    sys.stderr.writelines(f"{fault}\n" for fault in faults)
    if faults:
        return 1
    sys.stdout.write(f"The documentation is in {SITE.relative_to(ROOT)}. Look at it with:\n")
    sys.stdout.write(f"  .venv/bin/python -m http.server --bind 127.0.0.1 -d {SITE.relative_to(ROOT)} 8500\n")
    return 0


def faults_of_site() -> list[str]:
    """Files that the built pages need and that are missing, or that lie elsewhere."""
    faults = []
    for page in sorted(SITE.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        needed = re.findall(r"""<(?:script|img)[^>]*\ssrc="([^"]+)\"""", text)
        needed += re.findall(r"""<link[^>]*rel="(?:stylesheet|icon)"[^>]*href="([^"]+)\"""", text)
        for target in sorted(set(needed)):
            if "//" in target:
                faults.append(f"{page.relative_to(SITE)} needs {target}, which lies elsewhere.")
            elif not target.startswith(("data:", "/")) and not (page.parent / target.partition("?")[0]).exists():
                faults.append(f"{page.relative_to(SITE)} needs {target}, which is not there.")
    return faults


def changelog() -> str:
    """The changelog as a page: its links to pages of `docs/` begin there."""
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8").replace("](docs/", "](")


def without_escapes(text: str) -> str:
    """A page whose code in tables has no backslash before a bar: others need it there, this builder shows it."""
    rows = [
        re.sub(r"`[^`]+`", lambda code: code[0].replace("\\|", "|"), line) if line.startswith("|") else line
        for line in text.split("\n")
    ]
    return "\n".join(rows)


def sections() -> dict[str, dict[str, list[str]]]:
    """The pages by the headings of the list of pages, and within them by group, in its order.

    A group begins with a line of its own that ends with a colon; what stands before the first has none.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for part in re.split(r"^## ", (DOCS / "README.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        heading, _, text = part.partition("\n")
        first, *others = re.split(r"^(\S.*):$", text, flags=re.MULTILINE)
        groups = {"": first, **dict(zip(others[::2], others[1::2], strict=True))}
        found[heading.strip()] = {name: list(dict.fromkeys(LINK.findall(inner))) for name, inner in groups.items()}
    return found


def missing_pages() -> list[str]:
    """What the list of pages names in vain, and what it does not name."""
    listed = {page for groups in sections().values() for pages in groups.values() for page in pages}
    there = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"}
    return [
        *(f"docs/README.md names {page}, which is not there." for page in sorted(listed - there)),
        *(f"{page} is not named in docs/README.md." for page in sorted(there - listed)),
    ]


def navigation() -> Navigation:
    """The navigation: a section for each heading, then the pages that stand alone."""
    parts: Navigation = [{"Start": "index.md"}]
    for heading, groups in sections().items():
        inner: Navigation = []
        for name, pages in groups.items():
            entries = [{title_of(page): page} for page in pages if page not in ALONE]
            inner += [{name: entries}] if name else entries
        parts.append({heading: inner})
    parts += [{title_of(page): page} for page in (*ALONE, CHANGELOG)]
    return parts


def title_of(page: str) -> str:
    """The heading of a page."""
    text = (PAGES / page).read_text(encoding="utf-8")
    (title,) = re.findall(r"^# (.+)$", text, re.MULTILINE)[:1]
    return str(title).replace("`", "")


def configuration(nav: Navigation) -> str:
    """The settings of the builder. Nothing is fetched from elsewhere: neither fonts nor scripts."""
    return f"""[project]
site_name = "Varloom"
site_description = "A self-hosted server that turns genomic files into tables that can be analysed"
docs_dir = "pages"
site_dir = "site"
use_directory_urls = false
extra_css = ["assets/site.css"]
nav = {_toml(nav)}

[project.theme]
favicon = "assets/icon.svg"
logo = "assets/icon.svg"
font = false
features = [
    "navigation.indexes", "navigation.sections", "navigation.top", "navigation.footer", "toc.follow",
    "content.code.copy", "search.highlight",
]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
primary = "teal"
accent = "teal"
toggle = {{ icon = "lucide/moon", name = "Dark" }}

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
primary = "teal"
accent = "teal"
toggle = {{ icon = "lucide/sun", name = "Light" }}

[project.validation]
invalid_links = true
invalid_link_anchors = true

[project.extra]
generator = false

[project.markdown_extensions.tables]
[project.markdown_extensions.toc]
permalink = true
[project.markdown_extensions.pymdownx.highlight]
[project.markdown_extensions.pymdownx.superfences]
"""


def _toml(value: str | list[Any] | dict[str, Any]) -> str:
    """A value as TOML."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(one) for one in value) + "]"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
