"""What a notebook is given: one block with its own style, tables, and lines of text.

Colours of text and lines are those of what stands around it, so that it fits light and dark notebooks alike. No script
runs, and nothing is loaded.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from ei_fast.shown.tags import Html, tag, together

_STYLE = """
.ei-fast { font-size: 0.9em; line-height: 1.4; color: inherit; }
.ei-fast .ei-fast-pictures { display: flex; flex-wrap: wrap; gap: 0.5em 1.5em; align-items: flex-start; }
.ei-fast svg { max-width: 100%; height: auto; overflow: visible; background: none; }
.ei-fast svg text { fill: currentColor; font-size: 10px; font-family: system-ui, sans-serif; }
.ei-fast .ei-fast-rows { max-height: 32em; width: fit-content; max-width: 100%; overflow: auto;
  margin: 0.5em 0; scrollbar-color: rgba(128, 128, 128, 0.6) transparent; }
.ei-fast table { width: auto; margin: 0; border-collapse: collapse; font-size: inherit; color: inherit;
  table-layout: auto; font-variant-numeric: tabular-nums; }
.ei-fast tr, .ei-fast td, .ei-fast th { background: none; color: inherit; }
.ei-fast td, .ei-fast th { padding: 0.15em 0.7em; border: 0; border-bottom: 1px solid rgba(128, 128, 128, 0.35);
  text-align: left; white-space: nowrap; min-width: 0; }
.ei-fast thead th { font-weight: 600; }
.ei-fast .ei-fast-number { text-align: right; }
.ei-fast p { margin: 0.2em 0; max-width: 60em; }
.ei-fast abbr { text-decoration: underline dotted; cursor: help; }
"""


def page(*parts: Any) -> Html:
    """All that a notebook shows of one thing."""
    return tag("div", tag("style", Html(_STYLE)), *parts, class_="ei-fast")


def pictures(*drawn: Html | None) -> Html:
    """Pictures beside each other, those that there are."""
    there = [one for one in drawn if one is not None]
    return tag("div", *there, class_="ei-fast-pictures") if there else Html("")


def lines(said: Iterable[Any]) -> Html:
    """A paragraph for each line."""
    return together(*(tag("p", line) for line in said))


def table(
    header: Sequence[Any], cells: Sequence[Sequence[Any]], right: Collection[int] = (), blocks: Sequence[str] = ()
) -> Html:
    """A table, which scrolls by itself where it is long.

    Parameters
    ----------
    header : sequence
        Titles of the columns.
    cells : sequence of sequence
        One for each row.
    right : collection of int
        Numbers of the columns that are aligned to the right.
    blocks : sequence of str, optional
        What each row belongs to: a row above the first of several says it. An empty one says nothing.
    """
    classes = ["ei-fast-number" if k in right else None for k in range(len(header))]
    head = tag("tr", *(tag("th", title, class_=one) for title, one in zip(header, classes, strict=True)))
    body, before = [], ""
    for row, block in zip(cells, blocks or [""] * len(cells), strict=True):
        if block not in (before, ""):
            body.append(tag("tr", tag("th", block, colspan=len(header))))
        before = block
        body.append(tag("tr", *(tag("td", cell, class_=one) for cell, one in zip(row, classes, strict=True))))
    whole = tag("table", tag("thead", head), tag("tbody", *body))
    return tag("div", whole, class_="ei-fast-rows")


def named(said: str, colour: str | None = None) -> Html:
    """A name, which may be written from right to left, behind a spot of its colour."""
    spot = Html("") if colour is None else tag("span", Html("&#9679; "), style=f"color: {colour}", aria_hidden="true")
    return together(spot, tag("bdi", said))


def explained(said: str, meaning: str) -> Html:
    """A word whose meaning is told to whoever points at it."""
    return tag("abbr", said, title=meaning)
