"""Exact EI_parts: the mutual information I(X_i; Y_j) of every edge while all inputs are uniform.

X_i is the bin of input i, Y_j the bin of output j (Mattsson, Michaud & Hoel, Entropy 22:1429, 2020, section 2.4).

Notes
-----
One output. Its pre-activation is centre + sum over inputs k of U_k, where U_k is uniform with half width
a_k = |weight_k| D / 2, D being the width of the input range (`uniform_sums`). Let B be the number of input bins.

1. Given that x_i lies in bin p, U_i is uniform over the p-th of B equal pieces. That is a uniform of half width
   a_i / B, shifted by s_p = spacing_i (p - (B - 1) / 2) with spacing_i = weight_i D / B.
2. So the CDF of the pre-activation at a breakpoint b of the binned activation, given p, is F_i(b - centre - s_p), F_i
   being the CDF of the sum in which a_i is divided by B.
3. Differences of the CDF at neighbouring breakpoints are the probabilities of the output's bins given p, and the table
   of them for all p gives the information in bits (`_information_of_cdf`).

F_i comes, for all p and all breakpoints at once, by the first of these routes that is open:

* up to `CLOSED_FORM_INPUTS` inputs: closed form (`closed_cdf`);
* the Fourier series of F_i (`series_cdf`), with one period for all edges of an output, so that its sines and cosines
  are computed once (`trigonometry`);
* where the widest input dominates the others by so much that phi falls too slowly for `MAX_TERMS` terms: the widest
  is integrated out, and the series is that of the others' CDF, integrated once (`series_cdf` with `peeled` > 0, for the
  widest input's own edge `dominated_cdf`);
* where even then the others are dominated by the widest of them: closed form of the widest six and of one uniform
  with the variance of all further ones.
"""

import numpy as np

from ei_fast.kernels.edges import table_information
from ei_fast.kernels.jit import jit
from ei_fast.kernels.uniform_sums import (
    CLOSED_FORM_INPUTS,
    few_uniforms_cdf,
    half_widths_of,
    leave_one_out,
    sinc,
    suffix_moments,
    terms_needed,
)

MAX_TERMS = 8192
"""Terms of a Fourier series beyond which another route is taken. Work and memory grow with terms times inputs; fewer
would send more layers with a few dominating weights to the closed form, which lumps the narrow inputs together."""

_EXACT_IN_CLOSED_FORM = 6
"""Widest inputs that enter the closed form as they are where there are more than seven: `few_uniforms_cdf` takes
seven uniforms, of which the last stands for all further inputs."""

_PEELED_SHARE = 0.05
"""Half width inside a bin, relative to the support of the others, above which the widest input's uniform is integrated
out on its own edge too. Integrating out divides by the half width, so that the series' errors grow by at most
1 / 0.05 = 20 times; a narrower uniform hardly slows the series and stays in it."""


@jit
def _information_of_cdf(cdf, codes, outside, table):
    """Return the information in bits of an edge, from CDFs of the pre-activation given the input's bin.

    Parameters
    ----------
    cdf : (in_bins, K) float64
        P(pre-activation < breakpoint k | input bin p).
    codes : (K + 1,) uint16
        Output bins between the breakpoints.
    outside : int
        Code of samples that are dropped.
    table : (in_bins, n_codes) float64, scratch
        Probability of every code given the input's bin. Differences of the CDF below 0, which are rounding, count as 0.
    """
    in_bins, n_breaks = cdf.shape
    table[:] = 0.0
    for p in range(in_bins):
        below = 0.0
        for k in range(n_breaks):
            table[p, codes[k]] += max(cdf[p, k] - below, 0.0)
            below = max(cdf[p, k], below)
        table[p, codes[n_breaks]] += max(1.0 - below, 0.0)
    return table_information(table, outside)


@jit
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


@jit
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


@jit
def trigonometry(positions, peeled, period, terms):
    """Return sines and cosines of every frequency times every position at which a series is summed.

    Parameters
    ----------
    positions : (K,) float64
    peeled : float
        0, or the half width that is integrated out: the series is then summed at positions + peeled and at
        positions - peeled.
    period : float
    terms : int

    Returns
    -------
    sines, cosines : (terms, K or 2 K) float64
        Row m has frequency 2 pi (m + 1) / period; where there are 2 K columns, those of positions + peeled are first.
    """
    n_breaks = positions.shape[0]
    n_positions = 2 * n_breaks if peeled > 0.0 else n_breaks
    sines, cosines = np.empty((terms, n_positions), np.float64), np.empty((terms, n_positions), np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        for v in range(n_positions):
            z = positions[v % n_breaks]
            if peeled > 0.0:
                z = z + peeled if v < n_breaks else z - peeled
            sines[m, v], cosines[m, v] = np.sin(t * z), np.cos(t * z)
    return sines, cosines


@jit
def _series_sums(phi, period, spacing, in_bins, sines, cosines, integrated, sums):
    """Write the sums over a Fourier series, at every position less the shift of every input bin, into `sums`.

    Parameters
    ----------
    phi : (terms,) float64
        Characteristic function at the frequencies t_m = 2 pi (m + 1) / period.
    period, spacing : float
    in_bins : int
    sines, cosines : (terms, V) float64
        As from `trigonometry`.
    integrated : bool
        False: sums[v, p] = (2 / period) * sum over m of phi_m sin(t_m z) / t_m with z = position v - shift p.
        True: its integral over z but for a constant, -(2 / period) * sum over m of phi_m cos(t_m z) / t_m**2.
    sums : (V, in_bins) float64, output

    Notes
    -----
    Positions and shifts separate: sin(t (z - s)) = sin(t z) cos(t s) - cos(t z) sin(t s), and the cosine likewise.
    The shifts are equally spaced: one rotation by t * spacing leads from each shift's sine and cosine to the next.
    """
    terms, n_positions = sines.shape
    sums[:] = 0.0
    shift_sine = np.empty(in_bins, np.float64)
    shift_cosine = np.empty(in_bins, np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        coefficient = 2 / period * phi[m] / t
        if integrated:
            coefficient /= -t
        s, c = np.sin(-t * spacing * 0.5 * (in_bins - 1)), np.cos(t * spacing * 0.5 * (in_bins - 1))
        step_sine, step_cosine = np.sin(t * spacing), np.cos(t * spacing)
        for p in range(in_bins):
            shift_sine[p] = coefficient * s
            shift_cosine[p] = coefficient * c
            s, c = s * step_cosine + c * step_sine, c * step_cosine - s * step_sine
        for v in range(n_positions):
            position_sine, position_cosine = sines[m, v], cosines[m, v]
            sums_of_position = sums[v]
            if integrated:
                for p in range(in_bins):
                    sums_of_position[p] += position_cosine * shift_cosine[p] + position_sine * shift_sine[p]
            else:
                for p in range(in_bins):
                    sums_of_position[p] += position_sine * shift_cosine[p] - position_cosine * shift_sine[p]


@jit
def _integration_constant(phi, period):
    """Return what the integrated series must be raised by to be 0 at -period / 2.

    There t_m z = -pi (m + 1), so that the constant is (2 / period) * sum over m of phi_m cos(pi (m + 1)) / t_m**2.
    """
    constant = 0.0
    for m in range(phi.shape[0]):
        t = 2 * np.pi * (m + 1) / period
        constant += 2 / period * phi[m] / (t * t) * (1.0 if m % 2 == 1 else -1.0)
    return constant


@jit
def _cdf_of_series(z, period, support, series):
    """Return the CDF 1/2 + z / period + `series` at z, 0 and 1 beyond the support, and never outside [0, 1]."""
    if z >= support:
        return 1.0
    if z <= -support:
        return 0.0
    return min(max(0.5 + z / period + series, 0.0), 1.0)


@jit
def _integrated_cdf_of_series(z, period, support, series):
    """Return the integral up to z of a CDF 1/2 + y / period + oscillations, `series` being that of the oscillations.

    Above the support it is E[z - S] = z, below 0. In between the smooth part is integrated from -period / 2 on.
    """
    if z >= support:
        return z
    if z <= -support:
        return 0.0
    half = period / 2
    return (z + half) / 2 + (z * z - half * half) / (2 * period) + series


@jit
def series_cdf(phi, period, support, peeled, positions, spacing, in_bins, sines, cosines, sums, cdf):
    """Write the CDFs of an edge into `cdf`, by Fourier series.

    Parameters
    ----------
    phi : (terms,) float64
        Characteristic function of the sum of all uniforms but the peeled one, at the frequencies
        2 pi (m + 1) / period.
    period, support : float
        Of the series, and of that sum: support <= period / 2.
    peeled : float
        0, or the half width of one dominating uniform that is integrated out. With G the integrated CDF of the sum of
        the others the CDF is (G(z + peeled) - G(z - peeled)) / (2 peeled), and G's series has a period no longer than
        twice the others' support.
    positions : (K,) float64
        Breakpoints less the pre-activation's centre.
    spacing : float
        By how much the centre moves from one bin of the edge's input to the next.
    in_bins : int
    sines, cosines : (terms, K or 2 K) float64
        As from `trigonometry`.
    sums : (K or 2 K, in_bins) float64, scratch
    cdf : (in_bins, K) float64, output
        P(sum < position k | input in bin p).
    """
    n_breaks = positions.shape[0]
    _series_sums(phi, period, spacing, in_bins, sines, cosines, peeled > 0.0, sums)
    constant = _integration_constant(phi, period) if peeled > 0.0 else 0.0
    for p in range(in_bins):
        shift = spacing * (p - 0.5 * (in_bins - 1))
        for k in range(n_breaks):
            z = positions[k] - shift
            if peeled == 0.0:
                cdf[p, k] = _cdf_of_series(z, period, support, sums[k, p])
            else:
                above = _integrated_cdf_of_series(z + peeled, period, support, sums[k, p] + constant)
                below = _integrated_cdf_of_series(z - peeled, period, support, sums[n_breaks + k, p] + constant)
                cdf[p, k] = min(max((above - below) / (2 * peeled), 0.0), 1.0)


@jit
def dominated_cdf(half_widths, spacing, in_bins, positions, terms, cdf):
    """Write the CDFs of the edge of the widest input into `cdf`, by Fourier series.

    Inside a bin of its input the widest uniform is narrower by `in_bins`. It is integrated out where it still is wider
    than `_PEELED_SHARE` of the others' support, and one factor of the characteristic function elsewhere.

    Parameters
    ----------
    half_widths : (n,) float64
        Of all inputs' contributions, in falling order.
    spacing : float
        By how much the pre-activation's centre moves from one bin of the widest input to the next.
    in_bins : int
        1 where the input is uniform over the whole range: `cdf` is then that of the pre-activation itself.
    positions : (K,) float64
        Breakpoints less the pre-activation's centre.
    terms : int
        Of the series.
    cdf : (in_bins, K) float64, output
        P(sum < position k | input in bin p).
    """
    own = half_widths[0] / in_bins
    others = half_widths[1:]
    peeled = own if own > _PEELED_SHARE * others.sum() else 0.0
    support = others.sum() if peeled > 0.0 else others.sum() + own
    period = 2 * support
    phi = np.empty((1, terms), np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        phi[0, m] = 1.0
        for k in range(others.shape[0]):
            phi[0, m] *= sinc(t * others[k])
        if peeled == 0.0:
            phi[0, m] *= sinc(t * own)
    sines, cosines = trigonometry(positions, peeled, period, terms)
    sums = np.empty((sines.shape[1], in_bins), np.float64)
    series_cdf(phi[0], period, support, peeled, positions, spacing, in_bins, sines, cosines, sums, cdf)


@jit
def _information_by_series(
    first, half_widths, spacings, in_bins, positions, peeled, terms, codes, outside, cdf, table, bits
):
    """Write the information of the edges of all inputs from number `first` on into bits[first:].

    Parameters
    ----------
    first : int
        0, or 1 where the widest input is integrated out.
    half_widths, spacings : (n,) float64
        Of all inputs, half widths in falling order.
    in_bins : int
    positions : (K,) float64
        Breakpoints less the pre-activation's centre.
    peeled : float
        0, or the half width of the widest input.
    terms : int
        Of the series.
    codes, outside
        As of `_information_of_cdf`.
    cdf, table : (in_bins, K), (in_bins, n_codes) float64, scratch
    bits : (n,) float64, output
    """
    summed = half_widths[first:]
    n = summed.shape[0]
    support = summed.sum()
    period = 2 * support
    phi = np.empty((n, terms), np.float64)
    leave_one_out(summed, in_bins, period, phi)
    sines, cosines = trigonometry(positions, peeled, period, terms)
    sums = np.empty((sines.shape[1], in_bins), np.float64)
    for k in range(n):
        own_support = support - summed[k] * (1 - 1 / in_bins)
        series_cdf(
            phi[k], period, own_support, peeled, positions, spacings[first + k], in_bins, sines, cosines, sums, cdf
        )
        bits[first + k] = _information_of_cdf(cdf, codes, outside, table)


@jit
def column_parts(weight, order, centre, range_width, in_bins, breaks, codes, outside, n_codes, out):
    """Write I(X_i; Y) of every edge into one output into `out`, in bits.

    Parameters
    ----------
    weight : (n_in,) float64
        Weights from all inputs; an edge of weight 0 has exactly 0 bits.
    order : (n_in,) int64
        Inputs by falling size of their weights.
    centre : float
        Pre-activation with every input in the middle of its range.
    range_width : float
        Width of the input range.
    in_bins : int
        Bins of an input.
    breaks, codes : (K,) float64, (K + 1,) uint16
        Breakpoints of the binned activation, and the output bins between them.
    outside : int
        Code of samples that are dropped.
    n_codes : int
        Number of codes, `outside` included.
    out : (n_in,) float64, output
    """
    half_widths = half_widths_of(weight, order, range_width)
    n = half_widths.shape[0]
    out[:] = 0.0
    if n == 0:
        return
    spacings = np.empty(n, np.float64)
    for k in range(n):
        spacings[k] = weight[order[k]] * range_width / in_bins
    positions = breaks - centre
    cdf = np.empty((in_bins, breaks.shape[0]), np.float64)
    table = np.empty((in_bins, n_codes), np.float64)
    bits = np.empty(n, np.float64)
    terms, peeled_terms = MAX_TERMS + 1, MAX_TERMS + 1
    if n > CLOSED_FORM_INPUTS:
        # The edge of the widest input takes most terms: without its full width phi falls last.
        own = half_widths[0] / in_bins
        terms = terms_needed(half_widths, 0, own, 2 * half_widths.sum(), MAX_TERMS)
        if terms > MAX_TERMS:
            others = half_widths[1:]
            peeled_terms = terms_needed(others, 0, others[0] / in_bins, 2 * (others.sum() + own), MAX_TERMS)
    if terms <= MAX_TERMS:
        # A literal 0 would be another type, for which all that it is passed to would be compiled again.
        _information_by_series(
            np.int64(0), half_widths, spacings, in_bins, positions, 0.0, terms, codes, outside, cdf, table, bits
        )
    elif peeled_terms <= MAX_TERMS:
        dominated_cdf(half_widths, spacings[0], in_bins, positions, peeled_terms, cdf)
        bits[0] = _information_of_cdf(cdf, codes, outside, table)
        _information_by_series(
            np.int64(1),
            half_widths,
            spacings,
            in_bins,
            positions,
            half_widths[0],
            peeled_terms,
            codes,
            outside,
            cdf,
            table,
            bits,
        )
    else:
        for k in range(n):
            closed_cdf(k, half_widths, positions, in_bins, spacings[k], cdf)
            bits[k] = _information_of_cdf(cdf, codes, outside, table)
    for k in range(n):
        out[order[k]] = bits[k]


@jit
def edges_parts(weights, orders, centres, range_width, in_bins, breaks, sizes, codes, rows, outside, n_codes, out):
    """Write I(X_i; Y_j) of every edge into several outputs into `out`, in bits.

    Parameters
    ----------
    weights, orders, centres : (n_out, n_in) float64, (n_out, n_in) int64, (n_out,) float64
        For each output what `column_parts` takes.
    range_width, in_bins, outside, n_codes
        As of `column_parts`.
    breaks, sizes, codes, rows : (R, K) float64, (R,) int64, (R, K + 1) uint16, (n_out,) int64
        Binned activations: output j has the first sizes[rows[j]] breakpoints of row rows[j], and the codes between.
    out : (n_out, n_in) float64, output
    """
    for j in range(weights.shape[0]):
        own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
        column_parts(
            weights[j], orders[j], centres[j], range_width, in_bins, own_breaks, own_codes, outside, n_codes, out[j]
        )


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


@jit
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
    sums = np.zeros(n_powers, np.float64)
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


@jit
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
        As of `column_parts`.
    terms : int
    out : (q,) float64, output

    Notes
    -----
    Where an input's uniform is narrow at all frequencies its factor of the characteristic function is not near 0, and
    another one takes its place by division. The products without one of the wide inputs are those of `leave_one_out`.
    """
    support = half_widths.sum()
    period = 2 * support
    is_wide = half_widths * (2 * np.pi * terms / period) > 1.0
    place = np.cumsum(is_wide) - 1
    wide = half_widths[is_wide]
    common = np.ones(terms, np.float64)
    multiply_by_narrow(half_widths[~is_wide], period, common)
    of_wide = np.empty((wide.shape[0], terms), np.float64)
    if is_wide[inputs].any():
        leave_one_out(wide, in_bins, period, of_wide)
    of_narrow = common.copy()
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        for k in range(wide.shape[0]):
            of_narrow[m] *= sinc(t * wide[k])
    positions = breaks - centre
    sines, cosines = trigonometry(positions, 0.0, period, terms)
    sums = np.empty((sines.shape[1], in_bins), np.float64)
    cdf = np.empty((in_bins, breaks.shape[0]), np.float64)
    table = np.empty((in_bins, n_codes), np.float64)
    phi = np.empty(terms, np.float64)
    for q in range(inputs.shape[0]):
        i = inputs[q]
        for m in range(terms):
            if is_wide[i]:
                phi[m] = common[m] * of_wide[place[i], m]
            else:
                u = 2 * np.pi * (m + 1) / period * half_widths[i]
                phi[m] = of_narrow[m] * sinc(u / in_bins) / sinc(u)
        own_support = support - half_widths[i] * (1 - 1 / in_bins)
        series_cdf(phi, period, own_support, 0.0, positions, weight[i] * spacing, in_bins, sines, cosines, sums, cdf)
        out[q] = _information_of_cdf(cdf, codes, outside, table)


@jit
def scattered_parts(
    weights, centres, range_width, in_bins, breaks, sizes, codes, rows, outside, n_codes, outputs, inputs, out
):
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
    n_in = weights.shape[1]
    whole_column = np.empty(n_in, np.float64)
    first = 0
    while first < outputs.shape[0]:
        j = outputs[first]
        stop = first + 1
        while stop < outputs.shape[0] and outputs[stop] == j:
            stop += 1
        own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
        half_widths = np.abs(weights[j]) * (range_width / 2)
        widest = np.argmax(half_widths)
        terms = MAX_TERMS + 1
        if np.count_nonzero(half_widths) > CLOSED_FORM_INPUTS:
            own = half_widths[widest] / in_bins
            terms = terms_needed(half_widths, widest, own, 2 * half_widths.sum(), MAX_TERMS)
        if terms <= MAX_TERMS:
            _scattered_by_series(
                weights[j],
                half_widths,
                inputs[first:stop],
                centres[j],
                range_width / in_bins,
                in_bins,
                terms,
                own_breaks,
                own_codes,
                outside,
                n_codes,
                out[first:stop],
            )
        else:
            order = np.argsort(-half_widths, kind="mergesort")
            column_parts(
                weights[j],
                order,
                centres[j],
                range_width,
                in_bins,
                own_breaks,
                own_codes,
                outside,
                n_codes,
                whole_column,
            )
            for q in range(first, stop):
                out[q] = whole_column[inputs[q]]
        first = stop
