"""The quality of reads on a page: what an engine tells becomes bars and outlines, with words for all of it."""

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

import varloom.web
from varloom.services.quality_view import HEIGHT, WIDTH, quality_view

QUALITY = {
    "reads": {"total": 1000, "mapped": 990, "mapped_share": 0.99, "duplicates": 100, "duplicate_share": 0.1},
    "insert_size": {
        "pairs": 300,
        "mean": 300.2,
        "median": 300,
        "deviation": 30.0,
        "histogram": [[100, 1], [300, 298], [9000, 1]],
    },
    "depth": {
        "mean": 20.0,
        "mean_covered": 25.0,
        "at_least": {"1": 0.8, "30": 0.1},
        "histogram": [[0, 200], [20, 500], [30, 300]],
        "contigs": [
            {"contig": f"<{name}>", "length": 1000 - name, "reads": 9, "covered_share": 0.5, "mean_depth": float(name)}
            for name in range(40)
        ],
    },
    "variants": {"snps": 5, "indels": 1, "ti_tv": None},
    "sites": {"total": 10, "known": 9},
}


def drawn(quality):
    folder = Path(varloom.web.__file__).parent / "templates"
    page = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    text = page.get_template("parts/reads_quality.html").render(quality=quality_view(quality))
    return ET.fromstring(f"<div>{text}</div>")  # noqa: S314 - it is well formed, too


def test_all_is_drawn_and_said(tmp_path):
    page = drawn(QUALITY)
    words = " ".join(page.itertext())
    assert "Sites with a genotype" in words
    assert "9 of 10" in words
    assert "99.0% (990)" in words
    assert "Ti/Tv" not in words
    assert "14 shorter contigs are not shown" in words
    assert "<0>" in words
    images = [svg for svg in page.iter("svg") if svg.get("role") == "img"]
    assert ["half of them" in images[0].get("aria-label"), "mean depth is 20.0" in images[1].get("aria-label")] == [
        True,
        True,
    ]


def test_outlines_stay_in_their_frame():
    insert, depth = quality_view(QUALITY).charts
    for chart in (insert, depth):
        numbers = [part.split() for part in chart.outline.replace("M", "").replace("Z", "").split("L")]
        assert all(0 <= float(x) <= WIDTH + 0.1 and 0 <= float(y) <= HEIGHT for x, y in numbers)
        assert min(float(y) for _, y in numbers) == 0
        assert all(0 <= tick.at <= WIDTH for tick in chart.ticks)
    assert insert.ticks[-1].label == "300"  # the tail of 9,000 is not shown
    assert depth.ticks[-1].label == "30"


FIGURES = {
    "told": "xy",
    "why": None,
    "given": "auto",
    "used": "xy",
    "contradiction": False,
    "variants_diploid": False,
    "is_known_genome": True,
    "autosome_depth": 30.4,
    "x_depth": 15.1,
    "y_depth": 14.9,
    "x_ratio": 0.497,
    "y_ratio": 0.49,
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ["XY", "15.1, 0.50 of the autosomes' 30.4", "14.9, 0.49", "One copy of X and of Y"]),
        ({"told": "xx", "used": "xx"}, ["XX", "Two copies of X, none of Y"]),
        (
            {"given": "xx", "used": None, "contradiction": True, "variants_diploid": True},
            ["XX, which coverage contradicts", "Two copies of X and Y"],
        ),
        ({"told": None, "used": None, "variants_diploid": True, "why": "Too few."}, ["Not told. Too few."]),
        ({"variants_diploid": True}, ["Two copies of X and Y"]),
    ],
)
def test_sex_chromosomes_are_told_with_their_figures(changes, said):
    words = " ".join(drawn({"sex_chromosomes": FIGURES | changes}).itertext())
    for one in said:
        assert one in words


def test_what_an_engine_does_not_tell_is_left_out():
    page = drawn({"reads": {"total": 5}})
    assert "5" in " ".join(page.itertext())
    assert not list(page.iter("svg"))
