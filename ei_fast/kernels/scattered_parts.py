"""Exact EI_parts of some edges that are scattered over a layer, in less time than all edges of their outputs take.

The inputs that are narrow at all frequencies of a series enter its characteristic function together.
"""

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.parts import edges_parts, information_of_cdf
from ei_fast.kernels.series import MAX_TERMS, series_cdf, trigonometry
from ei_fast.kernels.uniform_sums import CLOSED_FORM_INPUTS, leave_one_out, sinc, support_of, terms_needed

_LOG_SINC = np.array(
    [
        1 / 6,
        1 / 180,
        1 / 2835,
        1 / 37800,
        1 / 467775,
        691 / 3831077250,
        2 / 127702575,
        3617 / 2605132530000,
        43867 / 350813659321125,
        174611 / 15313294652906250,
        155366 / 147926426347074375,
        236364091 / 2423034863565078262500,
    ]
)
"""log sinc u is minus the sum over c = 1, 2, ... of entry c - 1 times u**(2 c): zeta(2 c) / (c pi**(2 c)). Up to u = 1
what further entries would add is below 1e-14 u**2."""


@inner
def multiply_by_narrow(half_widths, period, product):
    """Multiply a characteristic function by those of many narrow uniforms.

    The logarithm of their product is a power series in the frequency, whose coefficients are sums over the half widths:
    one pass over the inputs serves all frequencies.

    Parameters
    ----------
    half_widths : (n,) float64
        Each times the last frequency is at most 1.
    period : float
    product : (terms,) float64, changed
        At the frequencies 2 pi (m + 1) / period.
    """
    terms, n_powers = product.shape[0], _LOG_SINC.shape[0]
    last = 2 * np.pi * terms / period
    sums = np.empty(n_powers, np.float64)
    sums[:] = 0.0
    for k in range(half_widths.shape[0]):
        square = (half_widths[k] * last) ** 2
        power = 1.0
        for c in range(n_powers):
            power *= square
            sums[c] += power
    for m in range(terms):
        square = ((m + 1) / terms) ** 2
        logarithm, power = 0.0, 1.0
        for c in range(n_powers):
            power *= square
            logarithm -= _LOG_SINC[c] * sums[c] * power
        product[m] *= np.exp(logarithm)


@inner
def _divide(half_widths, last, place, wide, narrow):
    """Divide uniforms into those that are wide at the last frequency and the others; return how many are wide.

    Parameters
    ----------
    half_widths : (n_in,) float64
    last : float
        The last frequency.
    place : (n_in,) int64, output
        Number of each wide one among them; -1 of a narrow one.
    wide, narrow : (n_in,) float64, output
        Their half widths, in the order of the inputs, come first.
    """
    n_wide = 0
    for i in range(half_widths.shape[0]):
        place[i] = -1
        if half_widths[i] * last > 1.0:
            place[i] = n_wide
            wide[n_wide] = half_widths[i]
            n_wide += 1
        else:
            narrow[i - n_wide] = half_widths[i]
    return n_wide


@inner
def _scattered_by_series(
    weight, half_widths, inputs, centre, spacing, in_bins, terms, breaks, codes, outside, n_codes, out
):
    """Write the information of some edges into one output into `out`, by Fourier series of `terms` terms.

    Parameters
    ----------
    weight, half_widths : (n_in,) float64
        Of all inputs, in any order; those of weight 0 have a half width of 0.
    inputs : (q,) int64
        The inputs of the edges; their weights are not 0.
    spacing : float
        By how much the centre moves from one bin of an input to the next, for a weight of 1.
    centre, in_bins, breaks, codes, outside, n_codes
        As of `_information_by_series` in `parts`.
    terms : int
    out : (q,) float64, output

    Notes
    -----
    Where an input's uniform is narrow at all frequencies its factor of the characteristic function is not near 0, and
    another one takes its place by division. The products without one of the wide inputs are those of `leave_one_out`.
    """
    n_in = half_widths.shape[0]
    support = support_of(half_widths)
    period = 2 * support
    place = np.empty(n_in, np.int64)
    wide, narrow = np.empty(n_in, np.float64), np.empty(n_in, np.float64)
    n_wide = _divide(half_widths, 2 * np.pi * terms / period, place, wide, narrow)
    common, of_narrow = np.empty(terms, np.float64), np.empty(terms, np.float64)
    for m in range(terms):
        common[m] = 1.0
    multiply_by_narrow(narrow[: n_in - n_wide], period, common)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        of_narrow[m] = common[m]
        for k in range(n_wide):
            of_narrow[m] *= sinc(t * wide[k])
    some_wide = False
    for q in range(inputs.shape[0]):
        some_wide |= place[inputs[q]] >= 0
    of_wide = np.empty((n_wide, terms), np.float64)
    if some_wide:
        leave_one_out(wide[:n_wide], in_bins, period, of_wide)
    positions = breaks - centre
    sines, cosines = trigonometry(positions, 0.0, period, terms)
    sums = np.empty((sines.shape[1], in_bins), np.float64)
    cdf = np.empty((in_bins, breaks.shape[0]), np.float64)
    table = np.empty((in_bins, n_codes), np.float64)
    phi = np.empty(terms, np.float64)
    for q in range(inputs.shape[0]):
        i = inputs[q]
        for m in range(terms):
            if place[i] >= 0:
                phi[m] = common[m] * of_wide[place[i], m]
            else:
                u = 2 * np.pi * (m + 1) / period * half_widths[i]
                phi[m] = of_narrow[m] * sinc(u / in_bins) / sinc(u)
        own_support = support - half_widths[i] * (1 - 1 / in_bins)
        series_cdf(phi, period, own_support, 0.0, positions, weight[i] * spacing, in_bins, sines, cosines, sums, cdf)
        out[q] = information_of_cdf(cdf, codes, outside, table)


@jit
def _scattered_parts_by_series(
    weights,
    centres,
    range_width,
    in_bins,
    breaks,
    sizes,
    codes,
    rows,
    outside,
    n_codes,
    outputs,
    inputs,
    out,
    is_left,
):
    """Write the edges into all outputs that have a series into `out`, and of which outputs there are others.

    Parameters
    ----------
    weights, centres, range_width, in_bins, breaks, sizes, codes, rows, outside, n_codes, outputs, inputs, out
        As of `scattered_parts`.
    is_left : (n_out,) bool, output
        Whether an output's edges remain to be written.
    """
    half_widths = np.empty(weights.shape[1], np.float64)
    first = 0
    while first < outputs.shape[0]:
        j = outputs[first]
        stop = first + 1
        while stop < outputs.shape[0] and outputs[stop] == j:
            stop += 1
        widest, n_wide = np.int64(0), 0
        for i in range(half_widths.shape[0]):
            half_widths[i] = abs(weights[j, i]) * (range_width / 2)
            if half_widths[i] > half_widths[widest]:
                widest = i
            n_wide += half_widths[i] != 0.0
        terms = MAX_TERMS + 1
        if n_wide > CLOSED_FORM_INPUTS:
            own = half_widths[widest] / in_bins
            terms = terms_needed(half_widths, widest, own, 2 * support_of(half_widths), MAX_TERMS)
        is_left[j] = terms > MAX_TERMS
        if terms <= MAX_TERMS:
            _scattered_by_series(
                weights[j],
                half_widths,
                inputs[first:stop],
                centres[j],
                range_width / in_bins,
                in_bins,
                terms,
                breaks[rows[j], : sizes[rows[j]]],
                codes[rows[j]],
                outside,
                n_codes,
                out[first:stop],
            )
        first = stop


def scattered_parts(
    weights: NDArray[np.float64],
    centres: NDArray[np.float64],
    range_width: float,
    in_bins: int,
    breaks: NDArray[np.float64],
    sizes: NDArray[np.int64],
    codes: NDArray[np.uint16],
    rows: NDArray[np.int64],
    outside: int,
    n_codes: int,
    outputs: NDArray[np.int64],
    inputs: NDArray[np.int64],
    out: NDArray[np.float64],
) -> None:
    """Write I(X_i; Y_j) of some edges, scattered over several outputs, into `out`, in bits.

    Parameters
    ----------
    weights : (n_out, n_in) float64
    centres, range_width, in_bins, breaks, sizes, codes, rows, outside, n_codes
        As of `edges_parts`.
    outputs, inputs : (q,) int64
        Of every edge; the outputs do not fall, and no weight is 0.
    out : (q,) float64, output
        As `edges_parts` has them, to rounding.
    """
    bins = (range_width, in_bins, breaks, sizes, codes)
    is_left = np.zeros(len(weights), np.bool_)
    _scattered_parts_by_series(weights, centres, *bins, rows, outside, n_codes, outputs, inputs, out, is_left)
    left = np.flatnonzero(is_left)
    if left.size:
        orders = np.argsort(-(np.abs(weights[left]) * (range_width / 2)), axis=1, kind="stable")
        columns = np.empty((len(left), weights.shape[1]))
        edges_parts(weights[left], orders, centres[left], *bins, rows[left], outside, n_codes, columns)
        edges = is_left[outputs]
        out[edges] = columns[np.searchsorted(left, outputs[edges]), inputs[edges]]
