"""The built scripts and styles: all that the templates ask for is there, and ships with its licences."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from varloom.errors import VarloomError
from varloom.web.pages import assets
from varloom.web.pages.rendering import TEMPLATES

BUILT = assets.STATIC / "dist"
ASKED = sorted(
    {name for path in TEMPLATES.rglob("*.html") for name in re.findall(r"asset\('([^']+)'\)", path.read_text())}
)


def test_the_templates_ask_for_scripts_and_styles() -> None:
    assert {"app.js", "login.js", "styles.css", "table.js"} <= set(ASKED)


@pytest.mark.parametrize("name", ASKED)
def test_every_file_that_a_template_asks_for_is_built(name: str) -> None:
    address = assets.asset(name)
    assert (assets.STATIC / address.removeprefix("/static/")).is_file()
    assert re.search(r"-[A-Z0-9]{8}\.\w+$", address), "the content's hash stands in the name"


def test_the_licences_of_what_is_bundled_are_shipped_and_source_maps_are_not() -> None:
    licences = (BUILT / "LICENSES.txt").read_text()
    locked = json.loads((assets.STATIC.parents[3] / "package-lock.json").read_text())["packages"]
    for name in ("htmx.org", "ag-grid-community", "ag-stack", "tus-js-client", "url-parse", "js-base64", "igv"):
        assert f"{name} {locked[f'node_modules/{name}']['version']} (" in licences
    for brought in ("DOMPurify", "vanilla-picker", "pako 2.1.0"):
        assert brought in licences, "igv brings it along"
    assert list(BUILT.glob("*.map")) == []
    assert not any("sourceMappingURL" in path.read_text() for path in BUILT.glob("*.js"))


def test_what_a_page_loads_before_the_grid_is_light_and_leaves_the_sending_of_files_until_it_is_needed() -> None:
    names = [assets.asset(name).removeprefix("/static/") for name in ("app.js", "table.js", "styles.css", "grid.css")]
    contents = [(assets.STATIC / name).read_bytes() for name in names]
    assert sum(len(gzip.compress(content)) for content in contents) < 100_000
    assert not any(b"Tus-Resumable" in content and b"tus-v1" in content for content in contents)


def test_an_installation_without_built_files_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.setattr(assets, "STATIC", tmp_path)
    assets._manifest.cache_clear()
    try:
        with pytest.raises(VarloomError, match=r"manifest\.json cannot be read") as refusal:
            assets.asset("app.js")
    finally:
        assets._manifest.cache_clear()
    assert refusal.value.code == "frontend_not_built"
    assert any("make install" in step for step in refusal.value.kind.resolution)
