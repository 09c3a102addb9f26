"""The closed form of an edge's CDFs: exact for few inputs, and for many with the narrow ones taken together."""

import numpy as np

from ei_fast.kernels.jit import inner
from ei_fast.kernels.uniform_sums import few_uniforms_cdf, suffix_moments

_EXACT_IN_CLOSED_FORM = 6
"""Widest inputs that enter the closed form as they are where there are more than seven: `few_uniforms_cdf` takes
seven uniforms, of which the last stands for all further inputs."""


@inner
def _widest_and_lumped(i, half_widths, in_bins):
    """Return up to seven half widths, in falling order, that stand for all inputs on the edge of input i.

    Input i has its half width inside a bin. Of more than seven the widest six stay, and one uniform with the
    variance of all others, a half width whose square is the sum of theirs, takes their place.
    """
    n = half_widths.shape[0]
    size = min(n, _EXACT_IN_CLOSED_FORM + 1)
    chosen = np.empty(size, np.float64)
    lumped_squares, count = 0.0, 0
    for k in range(n):
        a = half_widths[i] / in_bins if k == i else half_widths[k]
        if count < size - 1 or n <= _EXACT_IN_CLOSED_FORM + 1:
            chosen[count] = a
            count += 1
        else:
            lumped_squares += a * a
    if n > _EXACT_IN_CLOSED_FORM + 1:
        chosen[size - 1] = np.sqrt(lumped_squares)
    # By insertion: they fall already, but for the lumped one and that of the edge, which is narrower inside a bin.
    for k in range(1, size):
        a, slot = chosen[k], k
        while slot > 0 and chosen[slot - 1] < a:
            chosen[slot] = chosen[slot - 1]
            slot -= 1
        chosen[slot] = a
    return chosen


@inner
def closed_cdf(i, half_widths, positions, in_bins, spacing, cdf):
    """Write the CDFs of an edge into `cdf`, in closed form.

    Exact for up to seven inputs. With more, the narrow ones enter by their variance alone; this route is then taken
    only where the wide ones dominate them by more than a series of `MAX_TERMS` terms bears.

    Parameters
    ----------
    i : int
        Place in `half_widths` of the edge's own input.
    half_widths : (n,) float64
        Of all inputs' contributions, in falling order.
    positions : (K,) float64
        Breakpoints less the pre-activation's centre.
    in_bins : int
    spacing : float
        By how much the pre-activation's centre moves from one bin of input i to the next.
    cdf : (in_bins, K) float64, output
        P(sum < position k | input i in bin p).
    """
    chosen = _widest_and_lumped(i, half_widths, in_bins)
    moments = np.empty((chosen.shape[0] + 1, 4), np.float64)
    suffix_moments(chosen, moments)
    for p in range(in_bins):
        shift = spacing * (p - 0.5 * (in_bins - 1))
        for k in range(positions.shape[0]):
            cdf[p, k] = few_uniforms_cdf(positions[k] - shift, chosen, moments)
