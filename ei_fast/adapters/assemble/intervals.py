"""What numbers of a value can be at most, whatever goes into the maps before it, by interval arithmetic."""

from collections.abc import Mapping

import numpy as np

from ei_fast.adapters.graph import Affine, Combine, Op, Pointwise, Pool, Reduce, Same, Softmax
from ei_fast.network.bins import Range


def interval_of(value: int, writer: Mapping[int, Op], known: Mapping[int, Range]) -> Range | None:
    """From where to where a value can go; None where it has no bounds that do not depend on weights.

    Parameters
    ----------
    writer : dict of int to Op
        Of each value.
    known : dict of int to (float, float)
        Of values whose range is given.
    """
    if value in known:
        return known[value]
    op = writer.get(value)
    if op is None:
        return None
    does = op.does
    if isinstance(does, Softmax):
        return None if does.log else (0.0, 1.0)
    if isinstance(does, Pointwise) and np.isfinite(does.activation.codomain).all():
        return does.activation.codomain
    operands = [interval_of(read, writer, known) for read in op.reads]
    bounds = [one for one in operands if one is not None]
    if len(bounds) < len(operands):
        return None
    if isinstance(does, Pointwise):
        return _activated(does, bounds[0])
    if isinstance(does, (Same, Pool, Reduce)):
        return bounds[0]
    if isinstance(does, Affine):
        ends = np.stack([does.scale * end + does.shift for end in bounds[0]])
        return float(ends.min()), float(ends.max())
    return _combined(does, bounds) if isinstance(does, Combine) and len(bounds) == 2 else None


def _activated(does: Pointwise, read: Range) -> Range | None:
    """Of an unbounded activation of what is bounded."""
    smallest, largest = (float(np.min(end)) for end in does.activation.image(np.array(read[0]), np.array(read[1])))
    return (smallest, largest) if np.isfinite(smallest) and np.isfinite(largest) else None


def _combined(does: Combine, bounds: list[Range]) -> Range | None:
    """Of a sum, a difference or a product; None of anything else."""
    (a, b), (c, d) = bounds
    name = getattr(does.function, "__name__", "")
    if name == "add":
        return a + c, b + d
    if name in ("sub", "subtract"):
        return a - d, b - c
    if name in ("mul", "multiply"):
        ends = (a * c, a * d, b * c, b * d)
        return min(ends), max(ends)
    return None
