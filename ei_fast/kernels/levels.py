"""The levels of a path of distributions, as tables: what a level has between two places, and draws from it.

The notes of `chains` say what the levels are.
"""

import numpy as np

from ei_fast.kernels.extrema import larger, smaller
from ei_fast.kernels.jit import inlined

GRID = 128
"""Intervals of a level's table to the width of the box, of which there are ..."""
GRID_SIZE = 224
"""... so many on either side of 0: the table ends at 1.75, six standard deviations of the Gaussian."""

END = GRID_SIZE / GRID
"""Where the table ends, in units of the width of the box."""

GUIDE = 256
"""Equal parts of a level's mass for which it is kept where on the grid they begin: a quantile is looked for from there
on (Chen & Asau 1974, AIIE Transactions 6, 163-166)."""

ROOT_12 = np.sqrt(12.0)
"""One over the standard deviation of an input, at every level."""


@inlined
def place_of(x):
    """Return where x lies on the grid of the tables, in its intervals; what lies beyond its ends counts as the end."""
    return smaller(larger((x + END) * GRID, 0.0), 2.0 * GRID_SIZE)


@inlined
def mass_between(tables, level, low, high):
    """Return what a level has between two places of the grid."""
    i, j = np.int64(low), np.int64(high)
    within_first = (low - i) * (tables[level, i + 1] - tables[level, i])
    within_last = (high - j) * (tables[level, j + 1] - tables[level, j])
    # Inside one interval the first difference is 0 exactly, so that narrow masses keep their digits.
    return (tables[level, j] - tables[level, i]) + (within_last - within_first)


@inlined
def draw_between(tables, guides, level, low, high, mass, uniform):
    """Return the place between two others below which that share of the mass between them lies."""
    first, last = np.int64(low), np.int64(high)
    below = tables[level, first] + (low - first) * (tables[level, first + 1] - tables[level, first]) + uniform * mass
    k = max(guides[level, np.int64(below * GUIDE)], first)
    while k < last and tables[level, k + 1] < below:
        k += 1
    place, here = low, tables[level, k + 1] - tables[level, k]
    if here > 0.0:
        place = k + (below - tables[level, k]) / here
    return smaller(larger(place, low), high)


@inlined
def density(tables, level, x):
    """Return what a level has in the grid interval around x."""
    k = np.int64(place_of(x))
    return tables[level, k + 1] - tables[level, k]
