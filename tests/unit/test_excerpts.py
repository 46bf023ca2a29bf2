"""The mark under the part of an excerpt that is at fault."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from varloom.cli.excerpts import marked, width_of


@pytest.mark.parametrize(
    ("excerpt", "column", "field", "tabular", "part"),
    [
        ("1⇥12x4⇥.⇥A", 2, "POS", False, "12x4"),
        ("1⇥⇥.⇥A", 2, "POS", False, "⇥"),
        ("1⇥12⇥.⇥A", 5, None, False, ""),
        ("1⇥12⇥.⇥A…", 5, None, False, None),
        ("1⇥12⇥.⇥AAA…", 4, "REF", False, "AAA"),
        ("1 12 . A", 2, None, False, ""),
        ("q10;.", 7, "FILTER", False, "q10;."),
        ("36.0", None, "INFO.MQ", False, "36.0"),
        ("##INFO=<ID=X>", None, "INFO.X", False, None),
        ("a,b,c", 3, None, True, "c"),
        ("a,b;c,d", 2, None, True, None),
        ("日本⇥x⇥y", 2, None, False, "x"),
    ],
)
def test_the_part_at_fault_is_found(excerpt, column, field, tabular, part):
    found = marked(excerpt, column=column, field=field, tabular=tabular, width=None)
    assert found.text == excerpt
    if part is None:
        assert found.mark() == ""
    else:
        assert excerpt[found.start : found.start + found.length] == part
        assert found.mark().count("^") == max(1, width_of(part))
        assert found.mark().index("^") == width_of(excerpt[: found.start])


@given(st.lists(st.text("ab日é", max_size=40), min_size=1, max_size=12), st.data(), st.integers(12, 90))
def test_every_window_shows_the_part_and_fits(cells, data, width):
    column = data.draw(st.integers(1, len(cells)))
    whole = marked("⇥".join(cells), column=column, field="X", tabular=False, width=None)
    cut = marked("⇥".join(cells), column=column, field="X", tabular=False, width=width)
    assert width_of(cut.text) <= width
    if whole.length:
        assert cut.length  # also where the part is cut itself
        shown = cut.text[cut.start : cut.start + cut.length].rstrip("…")
        assert whole.text[whole.start :].startswith(shown)
