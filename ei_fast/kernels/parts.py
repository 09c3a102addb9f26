"""Exact EI_parts: I(X_i; Y_j) of every edge with all inputs uniform.

Given the bin of x_i, the pre-activation is a sum of independent uniforms around a centre that moves with
the bin; its CDF at the breakpoints of the binned activation gives the joint table of the edge.
"""

import numpy as np

from ei_fast.kernels.edges import table_information
from ei_fast.kernels.jit import jit
from ei_fast.kernels.uniform_sums import (
    few_uniforms_cdf,
    leave_one_out,
    sinc,
    suffix_moments,
    terms_needed,
)

MAX_TERMS = 8192
_CLOSED = 4
_LUMPED = 6


@jit
def _finish(cdf, codes, outside, table):
    """Bits of an edge from its CDF (in_bins, K) at the breakpoints."""
    in_bins, n_breaks = cdf.shape
    table[:] = 0.0
    for p in range(in_bins):
        before = 0.0
        for k in range(n_breaks):
            table[p, codes[k]] += max(cdf[p, k] - before, 0.0)
            before = max(cdf[p, k], before)
        table[p, codes[n_breaks]] += max(1.0 - before, 0.0)
    return table_information(table, outside)


@jit
def closed_cdf(i, widths, centres, in_bins, spacing, cdf):
    """CDF (in_bins, K) of an edge with the widest few other inputs exactly, all further ones as one uniform.

    `widths` come in falling order; i is the edge's own. With up to four inputs nothing is lumped. With
    more this route is taken only where a few widths dominate the rest by more than the series bears.
    """
    n = widths.shape[0]
    own = widths[i] / in_bins
    size = min(n, _LUMPED + 1)
    chosen = np.empty(size, np.float64)
    lumped, count = 0.0, 0
    for k in range(n):
        a = own if k == i else widths[k]
        if count < size - 1 or n <= _LUMPED + 1:
            chosen[count] = a
            count += 1
        else:
            lumped += a * a
    if n > _LUMPED + 1:
        chosen[size - 1] = np.sqrt(lumped)
    # Falling but for the last, or for the edge's own, that is narrower here.
    for k in range(1, size):
        a, at = chosen[k], k
        while at > 0 and chosen[at - 1] < a:
            chosen[at] = chosen[at - 1]
            at -= 1
        chosen[at] = a
    moments = np.empty((size + 1, 4), np.float64)
    suffix_moments(chosen, moments)
    for p in range(in_bins):
        shift = spacing * (p - 0.5 * (in_bins - 1))
        for k in range(centres.shape[0]):
            cdf[p, k] = few_uniforms_cdf(centres[k] - shift, chosen, moments)


@jit
def _series_sum(phi, period, spacing, in_bins, sines, cosines, integrated, total):
    """total (V, in_bins): sums over the series at every edge position (V) less the shift of every bin.

    `sines` and `cosines` (terms, V) are of frequency times edge position. The shift separates:
    sin(t (e - s)) = sin(te) cos(ts) - cos(te) sin(ts), and the bins' shifts are equally spaced, so that
    one rotation leads from each to the next.
    """
    terms, n_edges = sines.shape
    total[:] = 0.0
    sine = np.empty(in_bins, np.float64)
    cosine = np.empty(in_bins, np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        factor = 2 / period * phi[m] / t
        if integrated:
            factor /= -t
        s, c = np.sin(-t * spacing * 0.5 * (in_bins - 1)), np.cos(t * spacing * 0.5 * (in_bins - 1))
        ds, dc = np.sin(t * spacing), np.cos(t * spacing)
        for p in range(in_bins):
            sine[p] = factor * s
            cosine[p] = factor * c
            s, c = s * dc + c * ds, c * dc - s * ds
        for v in range(n_edges):
            se, ce = sines[m, v], cosines[m, v]
            row = total[v]
            if integrated:
                for p in range(in_bins):
                    row[p] += ce * cosine[p] + se * sine[p]
            else:
                for p in range(in_bins):
                    row[p] += se * cosine[p] - ce * sine[p]


@jit
def series_cdf(phi, period, support, peeled, centres, spacing, in_bins, sines, cosines, total, cdf):
    """CDF (in_bins, K) of an edge by the series; of the rest, integrated once, where a width is `peeled`.

    With a dominating half width a the CDF is (G(z + a) - G(z - a)) / 2a, G the integrated CDF of the rest,
    whose series needs a period no longer than the rest's support.
    """
    n_breaks = centres.shape[0]
    _series_sum(phi, period, spacing, in_bins, sines, cosines, peeled > 0.0, total)
    constant = 0.0
    if peeled > 0.0:
        for m in range(phi.shape[0]):
            t = 2 * np.pi * (m + 1) / period
            constant += 2 / period * phi[m] / (t * t) * (1.0 if m % 2 == 1 else -1.0)
    for p in range(in_bins):
        shift = spacing * (p - 0.5 * (in_bins - 1))
        for k in range(n_breaks):
            z = centres[k] - shift
            if peeled == 0.0:
                if z >= support:
                    cdf[p, k] = 1.0
                elif z <= -support:
                    cdf[p, k] = 0.0
                else:
                    cdf[p, k] = min(max(0.5 + z / period + total[k, p], 0.0), 1.0)
                continue
            difference = 0.0
            for side in range(2):
                at = z + peeled if side == 0 else z - peeled
                if at >= support:
                    value = at
                elif at <= -support:
                    value = 0.0
                else:
                    half = period / 2
                    value = (at + half) / 2 + (at * at - half * half) / (2 * period)
                    value += total[side * n_breaks + k, p] + constant
                difference += value if side == 0 else -value
            cdf[p, k] = min(max(difference / (2 * peeled), 0.0), 1.0)


@jit
def trigonometry(centres, peeled, period, terms):
    """Sines and cosines (terms, V) of frequency times position: of K edges, or on both sides of a peeled width."""
    n_breaks = centres.shape[0]
    n_edges = 2 * n_breaks if peeled > 0.0 else n_breaks
    sines, cosines = np.empty((terms, n_edges), np.float64), np.empty((terms, n_edges), np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        for v in range(n_edges):
            at = centres[v % n_breaks]
            if peeled > 0.0:
                at = at + peeled if v < n_breaks else at - peeled
            sines[m, v], cosines[m, v] = np.sin(t * at), np.cos(t * at)
    return sines, cosines


@jit
def _by_series(first, widths, spacings, in_bins, centres, peeled, terms, codes, outside, cdf, table, out):
    """Bits of the edges whose widths are widths[first:], in falling order; `peeled` is 0 or the width before them."""
    rest = widths[first:]
    n = rest.shape[0]
    support = rest.sum()
    period = 2 * support
    phi = np.empty((n, terms), np.float64)
    leave_one_out(rest, in_bins, period, phi)
    sines, cosines = trigonometry(centres, peeled, period, terms)
    total = np.empty((sines.shape[1], in_bins), np.float64)
    for k in range(n):
        own = support - rest[k] * (1 - 1 / in_bins)
        series_cdf(phi[k], period, own, peeled, centres, spacings[first + k], in_bins, sines, cosines, total, cdf)
        out[first + k] = _finish(cdf, codes, outside, table)


@jit
def dominated_cdf(widths, spacing, in_bins, centres, terms, cdf):
    """CDF (in_bins, K) of the edge of the widest input: its own width inside a bin is peeled, or one of many."""
    own = widths[0] / in_bins
    rest = widths[1:]
    peeled = own if own > 0.05 * rest.sum() else 0.0
    support = rest.sum() if peeled > 0.0 else rest.sum() + own
    period = 2 * support
    phi = np.empty((1, terms), np.float64)
    for m in range(terms):
        t = 2 * np.pi * (m + 1) / period
        phi[0, m] = 1.0
        for k in range(rest.shape[0]):
            phi[0, m] *= sinc(t * rest[k])
        if peeled == 0.0:
            phi[0, m] *= sinc(t * own)
    sines, cosines = trigonometry(centres, peeled, period, terms)
    total = np.empty((sines.shape[1], in_bins), np.float64)
    series_cdf(phi[0], period, support, peeled, centres, spacing, in_bins, sines, cosines, total, cdf)


@jit
def column_parts(weight, order, centre, width, in_bins, breaks, codes, outside, n_codes, out):
    """I(X_i; Y) in bits of every edge into one output.

    Parameters
    ----------
    weight : (n,) float64
        Weights from all inputs; an input of weight 0 gets exactly 0.
    order : (n,) int64
        Inputs by falling size of their weights.
    centre : float
        Pre-activation at the middle of the input range.
    width : float
        Width of the input range.
    in_bins, outside, n_codes : int
    breaks, codes : (K,) float64, (K + 1,) uint16
    out : (n,) float64, output
    """
    n = 0
    while n < order.shape[0] and weight[order[n]] != 0.0:
        n += 1
    out[:] = 0.0
    if n == 0:
        return
    widths = np.empty(n, np.float64)
    spacings = np.empty(n, np.float64)
    for k in range(n):
        widths[k] = np.abs(weight[order[k]]) * width / 2
        spacings[k] = weight[order[k]] * width / in_bins
    centres = breaks - centre
    cdf = np.empty((in_bins, breaks.shape[0]), np.float64)
    table = np.empty((in_bins, n_codes), np.float64)
    bits = np.empty(n, np.float64)
    terms, peeled_terms = MAX_TERMS + 1, MAX_TERMS + 1
    if n > _CLOSED:
        # The hardest edge is the widest input's: its own width then decays last.
        terms = terms_needed(widths, 0, widths[0] / in_bins, 2 * widths.sum(), MAX_TERMS)
        if terms > MAX_TERMS:
            rest = widths[1:]
            peeled_terms = terms_needed(rest, 0, rest[0] / in_bins, 2 * (rest.sum() + widths[0] / in_bins), MAX_TERMS)
    if terms <= MAX_TERMS:
        _by_series(np.int64(0), widths, spacings, in_bins, centres, 0.0, terms, codes, outside, cdf, table, bits)
    elif peeled_terms <= MAX_TERMS:
        dominated_cdf(widths, spacings[0], in_bins, centres, peeled_terms, cdf)
        bits[0] = _finish(cdf, codes, outside, table)
        _by_series(
            np.int64(1), widths, spacings, in_bins, centres, widths[0], peeled_terms, codes, outside, cdf, table, bits
        )
    else:
        for k in range(n):
            closed_cdf(k, widths, centres, in_bins, spacings[k], cdf)
            bits[k] = _finish(cdf, codes, outside, table)
    for k in range(n):
        out[order[k]] = bits[k]


@jit
def edges_parts(weights, orders, centres, width, in_bins, breaks, sizes, codes, rows, outside, n_codes, out):
    """`column_parts` of every row of `weights`, `orders` and `centres`, one an output; out (n_out, n_in)."""
    for j in range(weights.shape[0]):
        own, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
        column_parts(weights[j], orders[j], centres[j], width, in_bins, own, own_codes, outside, n_codes, out[j])
