"""Control variates: cheap figures that move with the sampled ones and whose mean is known exactly."""

from math import erf

import numpy as np

from ei_fast.kernels.dense import count_at_most
from ei_fast.kernels.jit import jit

_FAR = 8.0
_FEW_BINS = 32


@jit
def gaussian_entropy(centre, spread, breaks):
    """Entropy in bits of a Gaussian pre-activation over the intervals between `breaks`."""
    k = count_at_most(breaks, centre - _FAR * spread)
    below = 0.0
    entropy = 0.0
    while k < breaks.shape[0] and breaks[k] < centre + _FAR * spread:
        here = 0.5 * (1.0 + erf((breaks[k] - centre) / (spread * np.sqrt(2.0))))
        if here > below:
            entropy -= (here - below) * np.log2(here - below)
            below = here
        k += 1
    if 0.0 < below < 1.0:
        entropy -= (1.0 - below) * np.log2(1.0 - below)
    return entropy


@jit
def add_gaussian_entropies(centres, spreads, breaks, sizes, rows, out):
    """Add to out (r,) the entropies of all outputs, their pre-activations Gaussian around `centres` (r, n_out)."""
    for r in range(centres.shape[0]):
        for j in range(centres.shape[1]):
            if spreads[j] > 0.0:
                out[r] += gaussian_entropy(centres[r, j], spreads[j], breaks[rows[j], : sizes[rows[j]]])


@jit
def add_kept_entropies(centres, spreads, breaks, sizes, codes, rows, outside, out):
    """Add to out (r,) the entropies of all outputs among what each of them keeps, their pre-activations Gaussian.

    `codes` (rows, at least sizes + 1) are the bins between the `breaks`, `outside` where a sample is dropped.
    """
    inside = np.zeros(outside, np.float64)
    for r in range(centres.shape[0]):
        for j in range(centres.shape[1]):
            if spreads[j] == 0.0:
                continue
            own, size = breaks[rows[j]], sizes[rows[j]]
            centre, scale = centres[r, j], 1.0 / (spreads[j] * np.sqrt(2.0))
            first = count_at_most(own[:size], centre - _FAR * spreads[j])
            k, below, kept = first, 0.0, 0.0
            while below < 1.0:
                here = 1.0
                if k < size and own[k] < centre + _FAR * spreads[j]:
                    here = 0.5 * (1.0 + erf((own[k] - centre) * scale))
                code = codes[rows[j], k]
                if code != outside:
                    inside[code] += here - below
                    kept += here - below
                below = here
                k += 1
            # By what was added: a bin may have been met more than once.
            for q in range(first, k):
                code = codes[rows[j], q]
                if code != outside and inside[code] > 0.0:
                    out[r] -= inside[code] / kept * np.log2(inside[code] / kept)
                    inside[code] = 0.0


@jit
def faded_entropies(centre, spread, breaks, reach, half, out):
    """`gaussian_entropy` at centre + c for c = -half, -half + 2 half / size, ..., faded out from `reach` to `half`."""
    for q in range(out.shape[0]):
        c = 2.0 * half / out.shape[0] * q - half
        share = (abs(c) - reach) / (half - reach)
        if share >= 1.0:
            out[q] = 0.0
            continue
        out[q] = gaussian_entropy(centre + c, spread, breaks)
        if share > 0.0:
            # All of its derivatives vanish at both ends.
            out[q] /= 1.0 + np.exp(1.0 / (1.0 - share) - 1.0 / share)


@jit
def lattice_characteristic(spacings, bins, step, out):
    """Characteristic function at frequencies 0, step, 2 step, ... of a sum of uniforms on lattices of `bins` points.

    That of one lattice around 0 is sin(bins h) / (bins sin h), h being half the frequency times the spacing: a
    Chebyshev polynomial of cos h, which goes round from one frequency to the next.
    """
    n = out.shape[0]
    out[:] = 1.0
    cosines = np.empty(n, np.float64)
    before, now = np.empty(n, np.float64), np.empty(n, np.float64)
    for k in range(spacings.shape[0]):
        turn = 0.5 * step * spacings[k]
        if bins > _FEW_BINS:
            for q in range(n):
                below = bins * np.sin(q * turn)
                # At a multiple of pi all points are in phase, up to a sign.
                if abs(below) > 1e-9:
                    out[q] *= np.sin(bins * (q * turn)) / below
                else:
                    out[q] *= np.cos(bins * (q * turn)) / np.cos(q * turn)
            continue
        c, s = np.cos(turn), np.sin(turn)
        x, y = 1.0, 0.0
        for q in range(n):
            cosines[q] = 2.0 * x
            x, y = c * x - s * y, c * y + s * x
        before[:] = 1.0
        now[:] = cosines
        for _ in range(bins - 2):
            for q in range(n):
                following = cosines[q] * now[q] - before[q]
                before[q] = now[q]
                now[q] = following
        for q in range(n):
            out[q] *= now[q] / bins


@jit
def sums_by_code(states, bits, figures, out):
    """out[k] = sum over outputs j of figures[j, code of output j in states[k]], each code having `bits` of a state."""
    mask = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    for k in range(states.shape[0]):
        state = states[k]
        total = 0.0
        for j in range(figures.shape[0]):
            total += figures[j, state & mask]
            state >>= np.uint64(bits)
        out[k] = total


@jit
def mark_codes(states, bits, seen):
    """seen[j, c] = True for every output j and code c that a state has."""
    mask = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    for k in range(states.shape[0]):
        state = states[k]
        for j in range(seen.shape[0]):
            seen[j, state & mask] = True
            state >>= np.uint64(bits)
