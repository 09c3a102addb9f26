"""Tables: as text, and as pandas frames where pandas is there."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from ei_fast.errors import missing_extra

# Rooms above take both from here.
from ei_fast.network.rows import shape_of as shape_of
from ei_fast.network.rows import widths_text as widths_text
from ei_fast.shown.blocks import in_blocks

if TYPE_CHECKING:
    from pandas import DataFrame


def lines_of(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Lines of a table with a rule below its header; the columns with the numbers `right` are aligned to the right."""
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            cell.rjust(width) if k in right else cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    return [lines[0], "-" * max(map(len, lines)), *lines[1:]]


def lines_in_blocks(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> list[str]:
    """Lines of a table whose first column has names of layers; those of a block stand below its name, where there are
    many.
    """
    blocks = in_blocks([row[0] for row in rows])
    if blocks is None:
        return lines_of(header, rows, right)
    shown = [(f"  {name}" if block else name, *row[1:]) for (block, name), row in zip(blocks, rows, strict=True)]
    head, rule, *lines = lines_of(header, shown, right)
    result, before = [head, rule], ""
    for (block, _), line in zip(blocks, lines, strict=True):
        if block not in (before, ""):
            result.append(block)
        result.append(line)
        before = block
    return result


def frame_of(rows: Sequence[dict[str, Any]], columns: Sequence[str], what: str) -> "DataFrame":
    """A pandas frame of `rows`; without pandas `MissingExtra`, which says `what` needs it."""
    try:
        from pandas import DataFrame
    except ImportError as error:
        raise missing_extra(what, "pandas", "pandas") from error
    return DataFrame(rows, columns=list(columns))
