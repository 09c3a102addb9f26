"""Control variates of entropies: approximations of a sampled figure whose mean is known exactly.

A control variate is computed for the same cells, or the same states, as the entropy that is sampled. What the sample's
mean of it has in excess of the known mean is an estimate of the sample's own error, and is subtracted.

Notes
-----
**Inside a cell** the control is the sum over outputs of the entropy that the output's bins would have, were its
pre-activation Gaussian with the mean and variance that it has in the cell. It needs no samples
(`add_gaussian_entropies`; among samples that are not dropped, `add_kept_entropies`).

**Its mean over all cells**, for one output, is E[g(C)]. Here g(c) is the Gaussian's entropy with its mean moved by c,
and C is the distance of a cell's pre-activation from that in the middle of the input range:
C = sum over inputs k of spacing_k * (bin_k - (B - 1) / 2), with bin_k uniform on 0 ... B - 1.

1. C is bounded: |C| <= reach. Faded out smoothly between reach and some larger `half`, g becomes a periodic function of
   period 2 * half whose Fourier coefficients fall fast, without a change where C can be (`faded_entropies`).
2. Then E[g(C)] is the sum over m of coefficient_m * E[cos(m pi C / half)].
3. C is symmetric about 0, so that E[cos(t C)] is its characteristic function at t: a product over inputs of the
   characteristic functions of uniform distributions on B points each (`lattice_characteristic`).

**Of a whole output state** the control is the sum over outputs of a figure of each output's code, such as -log2 P(Y_j)
(`sums_by_code`, `mark_codes`).
"""

from math import erf

import numpy as np

from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.search import count_at_most

_FAR = 8.0
"""Standard deviations from its mean beyond which a Gaussian's breakpoints are not looked at. A tail has the probability
6e-16 there, and takes 3e-14 bits of entropy with it."""

_RECURRENCE_BINS = 32
"""Bins up to which a lattice's characteristic function comes from a recurrence of bins - 2 steps, which vectorises over
frequencies. Beyond it from one sine for every frequency and one for its multiple, whatever the number of bins."""

_IN_PHASE = 1e-9
"""|bins * sin h| below which sin(bins h) / (bins sin h) is replaced by its limit. The limit is then off by less than
1e-18, whereas of the quotient rounding would leave nothing at a multiple of pi."""


@inner
def gaussian_entropy(mean, sd, breaks):
    """Return the entropy in bits of the intervals between breakpoints under a Gaussian.

    Parameters
    ----------
    mean, sd : float
        Of the Gaussian; sd > 0.
    breaks : (K,) float64
        Breakpoints in rising order.
    """
    k = count_at_most(breaks, mean - _FAR * sd)
    cdf_before = 0.0
    entropy = 0.0
    while k < breaks.shape[0] and breaks[k] < mean + _FAR * sd:
        cdf = 0.5 * (1.0 + erf((breaks[k] - mean) / (sd * np.sqrt(2.0))))
        if cdf > cdf_before:
            entropy -= (cdf - cdf_before) * np.log2(cdf - cdf_before)
            cdf_before = cdf
        k += 1
    if 0.0 < cdf_before < 1.0:
        entropy -= (1.0 - cdf_before) * np.log2(1.0 - cdf_before)
    return entropy


@jit
def add_gaussian_entropies(centres, sds, breaks, sizes, rows, out):
    """Add to `out` the sum over outputs of `gaussian_entropy` in each cell, in bits.

    Parameters
    ----------
    centres : (r, n_out) float64
        Pre-activations in the middle of each cell.
    sds : (n_out,) float64
        Standard deviations of the pre-activations inside a cell; an output with 0 adds nothing.
    breaks, sizes, rows : (R, K) float64, (R,) int64, (n_out,) int64
        Output j has the first sizes[rows[j]] breakpoints of row rows[j].
    out : (r,) float64, added to
    """
    for r in range(centres.shape[0]):
        for j in range(centres.shape[1]):
            if sds[j] > 0.0:
                out[r] += gaussian_entropy(centres[r, j], sds[j], breaks[rows[j], : sizes[rows[j]]])


@inner
def _add_code_probabilities(mean, sd, breaks, codes, first, outside, probabilities):
    """Add to `probabilities` those of the codes that a Gaussian meets within `_FAR` standard deviations.

    Parameters
    ----------
    mean, sd : float
    breaks, codes : (K,) float64, (> K,) uint16
        Breakpoints in rising order, and the codes between them.
    first : int
        Number of breakpoints below mean - _FAR * sd.
    outside : int
        Code of samples that are dropped; its probability is not added.
    probabilities : (outside,) float64, added to

    Returns
    -------
    stop : int
        The codes met are codes[first:stop].
    kept : float
        Probability of all codes but `outside`.
    """
    k, cdf_before, kept = first, 0.0, 0.0
    scale = 1.0 / (sd * np.sqrt(2.0))
    while cdf_before < 1.0:
        cdf = 1.0
        if k < breaks.shape[0] and breaks[k] < mean + _FAR * sd:
            cdf = 0.5 * (1.0 + erf((breaks[k] - mean) * scale))
        code = codes[k]
        if code != outside:
            probabilities[code] += cdf - cdf_before
            kept += cdf - cdf_before
        cdf_before = cdf
        k += 1
    return k, kept


@jit
def add_kept_entropies(centres, sds, breaks, sizes, codes, rows, outside, out):
    """Add to `out` the sum over outputs of the entropy, in each cell, of an output's code given that it is kept.

    Pre-activations are taken to be Gaussian, as in `add_gaussian_entropies`. Intervals with the same code count as one
    bin.

    Parameters
    ----------
    centres, sds, breaks, sizes, rows
        As of `add_gaussian_entropies`.
    codes : (R, >= K + 1) uint16
        Output bins between the breakpoints.
    outside : int
        Code of samples that are dropped, larger than all others.
    out : (r,) float64, added to
        Bits; an output that is never kept in a cell adds nothing.
    """
    probabilities = np.zeros(outside, np.float64)
    for r in range(centres.shape[0]):
        for j in range(centres.shape[1]):
            if sds[j] == 0.0:
                continue
            own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
            first = count_at_most(own_breaks, centres[r, j] - _FAR * sds[j])
            stop, kept = _add_code_probabilities(
                centres[r, j], sds[j], own_breaks, own_codes, first, outside, probabilities
            )
            # Over the codes met, some of them several times; each entry is cleared once it has been counted.
            for k in range(first, stop):
                code = own_codes[k]
                if code != outside and probabilities[code] > 0.0:
                    out[r] -= probabilities[code] / kept * np.log2(probabilities[code] / kept)
                    probabilities[code] = 0.0


@jit
def faded_entropies(mean, sd, breaks, reach, half, out):
    """Write one period of the Gaussian entropy as a function of its mean, faded out to 0, into `out`.

    Parameters
    ----------
    mean, sd, breaks
        As of `gaussian_entropy`.
    reach, half : float
        Distance from `mean` up to which the entropy is unchanged, and from which on it is 0.
    out : (n,) float64, output
        Bits. Entry q is the entropy at mean + c, c = 2 half q / n - half, times 1 / (1 + exp(1 / (1 - x) - 1 / x)),
        where x = (|c| - reach) / (half - reach) is the part of the way from `reach` to `half`. All derivatives of that
        factor are 0 at both ends, so that Fourier coefficients fall faster than any power.
    """
    for q in range(out.shape[0]):
        c = 2.0 * half / out.shape[0] * q - half
        x = (abs(c) - reach) / (half - reach)
        if x >= 1.0:
            out[q] = 0.0
            continue
        out[q] = gaussian_entropy(mean + c, sd, breaks)
        if x > 0.0:
            out[q] /= 1.0 + np.exp(1.0 / (1.0 - x) - 1.0 / x)


@inner
def _multiply_by_sines(h_step, bins, out):
    """Multiply out[q] by sin(bins h) / (bins sin h), h = q * h_step."""
    for q in range(out.shape[0]):
        denominator = bins * np.sin(q * h_step)
        # At a multiple of pi all points are in phase, up to a sign.
        if abs(denominator) > _IN_PHASE:
            out[q] *= np.sin(bins * (q * h_step)) / denominator
        else:
            out[q] *= np.cos(bins * (q * h_step)) / np.cos(q * h_step)


@inner
def _multiply_by_recurrence(h_step, bins, twice_cosine, previous, current, out):
    """Multiply out[q] by sin(bins h) / (bins sin h), h = q * h_step, from cosines alone.

    `twice_cosine`, `previous` and `current`, each (n,) float64 like `out`, are scratch.
    """
    step_cosine, step_sine = np.cos(h_step), np.sin(h_step)
    cosine, sine = 1.0, 0.0
    for q in range(out.shape[0]):
        twice_cosine[q] = 2.0 * cosine
        cosine, sine = step_cosine * cosine - step_sine * sine, step_cosine * sine + step_sine * cosine
    previous[:] = 1.0
    current[:] = twice_cosine
    for _ in range(bins - 2):
        for q in range(out.shape[0]):
            following = twice_cosine[q] * current[q] - previous[q]
            previous[q] = current[q]
            current[q] = following
    for q in range(out.shape[0]):
        out[q] *= current[q] / bins


@jit
def lattice_characteristic(spacings, bins, step, out):
    """Write the characteristic function of a sum of independent uniforms on lattices into `out`.

    Parameters
    ----------
    spacings : (n,) float64
        Distance of neighbouring points of each lattice.
    bins : int
        Points of each lattice, which is centred at 0; at least 2.
    step : float
        Distance of neighbouring frequencies.
    out : (n_frequencies,) float64, output
        At the frequencies 0, step, 2 step, ...

    Notes
    -----
    The points of one lattice are spacing * (p - (bins - 1) / 2), p = 0 ... bins - 1. With h = frequency * spacing / 2
    the mean of cos(frequency * point) is a geometric sum, sin(bins h) / (bins sin h). That is
    U(cos h) / bins, U being the Chebyshev polynomial of the second kind of degree bins - 1. So it follows from cos h by
    the recurrence U_(k+1) = 2 cos h U_k - U_(k-1) with U_0 = 1 and U_1 = 2 cos h.
    """
    n = out.shape[0]
    out[:] = 1.0
    twice_cosine, previous, current = np.empty(n, np.float64), np.empty(n, np.float64), np.empty(n, np.float64)
    for k in range(spacings.shape[0]):
        h_step = 0.5 * step * spacings[k]
        if bins > _RECURRENCE_BINS:
            _multiply_by_sines(h_step, bins, out)
        else:
            _multiply_by_recurrence(h_step, bins, twice_cosine, previous, current, out)


@jit
def sums_by_code(states, code_width, figures, out):
    """Write the sum over outputs of a figure of each output's code into `out`.

    Parameters
    ----------
    states : (K,) uint64
        Joint states of all outputs as keys of one word; see `pack_codes`.
    code_width : int
        Bits of a key that one code takes.
    figures : (n_out, n_codes) float64
        figures[j, c] is that of code c of output j.
    out : (K,) float64, output
        In the unit of `figures`.
    """
    mask = (np.uint64(1) << np.uint64(code_width)) - np.uint64(1)
    for k in range(states.shape[0]):
        remaining = states[k]
        total = 0.0
        for j in range(figures.shape[0]):
            total += figures[j, remaining & mask]
            remaining >>= np.uint64(code_width)
        out[k] = total


@jit
def mark_codes(states, code_width, seen):
    """Set seen[j, c] to True for every output j and code c that occur together in any state.

    Parameters
    ----------
    states, code_width
        As of `sums_by_code`.
    seen : (n_out, n_codes) bool, output
        Entries of other pairs are left as they are.
    """
    mask = (np.uint64(1) << np.uint64(code_width)) - np.uint64(1)
    for k in range(states.shape[0]):
        remaining = states[k]
        for j in range(seen.shape[0]):
            seen[j, remaining & mask] = True
            remaining >>= np.uint64(code_width)
