"""What the exact H(Y | X) of a single output is made of: entropies inside cells, and what cells there are.

Notes
-----
Inside a cell the pre-activation is its centre plus a sum of independent uniforms, whose CDF is that of `marginals`: the
entropy of the binned output is a function of the centre alone, h(s). The centre itself is a sum of independent discrete
uniforms, the middles of the inputs' bins, with the characteristic function of `characteristic_of_centres`.
"""

import numpy as np

from ei_fast.kernels.characteristic import characteristic
from ei_fast.kernels.jit import jit
from ei_fast.kernels.marginals import extent_of, sum_cdf, sum_cdf_terms


@jit
def entropies_at(half_widths, centres, breaks, codes, n_codes, out):
    """Write the entropy of the binned output inside cells into `out`.

    Parameters
    ----------
    half_widths : (n,) float64
        Of the inputs' contributions inside a cell, in falling order; at least one.
    centres : (K,) float64
        Pre-activations in the middle of the cells.
    breaks, codes : (B,) float64, (B + 1,) uint16
        The binned activation: breakpoints of the pre-activation, and the code between them.
    n_codes : int
        Codes are less than this.
    out : (K,) float64, output
        Bits.
    """
    n, n_breaks = centres.shape[0], breaks.shape[0]
    extent = extent_of(half_widths)
    terms = sum_cdf_terms(half_widths, extent)
    phi = np.empty(terms, np.float64)
    characteristic(half_widths, extent, phi)
    cdfs, positions = np.empty((n_breaks, n), np.float64), np.empty(n, np.float64)
    for k in range(n_breaks):
        for j in range(n):
            positions[j] = breaks[k] - centres[j]
        sum_cdf(half_widths, phi, extent, positions, cdfs[k])
    p = np.zeros(n_codes, np.float64)
    for j in range(n):
        below = 0.0
        for k in range(n_breaks + 1):
            above = max(cdfs[k, j], below) if k < n_breaks else 1.0
            p[codes[k]] += above - below
            below = above
        bits = 0.0
        for k in range(n_breaks + 1):
            share = p[codes[k]]
            # Where codes repeat, theirs is counted once.
            p[codes[k]] = 0.0
            if share > 0.0:
                bits -= share * np.log2(share)
        out[j] = bits


@jit
def characteristic_of_centres(half_steps, bins, frequency, phi):
    """Write the characteristic function of a cell's centre at the multiples 0, 1, ... of a frequency into `phi` (M,).

    Parameters
    ----------
    half_steps : (n,) float64
        Half of what an input's next bin adds to the pre-activation.
    bins : int
        Bins of an input.
    frequency : float
    phi : (M,) float64, output
        The product over inputs of sin(bins u) / (bins sin(u)), u being the frequency times the half step.
    """
    for m in range(phi.shape[0]):
        phi[m] = 1.0
        for half_step in half_steps:
            u = m * frequency * half_step
            turns = np.round(u / np.pi)
            u -= turns * np.pi
            sine = np.sin(u)
            if sine != 0.0:
                phi[m] *= np.sin(bins * u) / (bins * sine)
            if bins % 2 == 0 and turns % 2 != 0:
                phi[m] = -phi[m]
