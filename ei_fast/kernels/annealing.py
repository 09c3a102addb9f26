"""Output states whose probabilities are found by chains: how these begin and end, and all chains of every state.

The notes of `chains` say what a chain does.
"""

import numpy as np

from ei_fast.kernels.chains import forward_chains, reverse_chains
from ei_fast.kernels.jit import inner, jit
from ei_fast.kernels.levels import ROOT_12
from ei_fast.kernels.normal import log_mass_between, normal_quantile
from ei_fast.kernels.rectangles import (
    bounded_outputs,
    draw_in_rectangle,
    log_mean_exp,
    ordered_rectangle,
    uniform_of,
)
from ei_fast.kernels.uniforms import GAMMA, mix64

NO_WEIGHT = 1e200
"""One over a weight of 0."""


@inner
def _apply(factor, z, k, s):
    """Write the pre-activations of draw k of z (m, R) into `s` (m,)."""
    for j in range(s.shape[0]):
        s[j] = 0.0
        for i in range(j + 1):
            s[j] += factor[j, i] * z[i, k]


@inner
def _solve(factor, s):
    """Solve covariance @ y = s in place, the covariance being factor @ factor.T."""
    m = s.shape[0]
    for j in range(m):
        for i in range(j):
            s[j] -= factor[j, i] * s[i]
        s[j] /= factor[j, j]
    for j in range(m - 1, -1, -1):
        s[j] /= factor[j, j]
        for i in range(j):
            s[i] -= factor[j, i] * s[j]


@inner
def _inputs_of(factor, weight, noise_sd, s, key, number, x, noise):
    """Draw Gaussian inputs and noise that lead to the pre-activations s.

    Notes
    -----
    Matheron's rule: inputs x' and noise e' are drawn without regard to s, and corrected linearly by what their
    pre-activations lack: x = x' + W K^-1 (s - W^T x' - e') / 12, with K the covariance of the pre-activations.
    """
    n, m = weight.shape
    lacking = s.copy()
    for i in range(n):
        x[i] = normal_quantile(uniform_of(key, number + i)) / ROOT_12
        for j in range(m):
            lacking[j] -= weight[i, j] * x[i]
    number += n
    if noise_sd > 0.0:
        for j in range(m):
            lacking[j] -= noise_sd * normal_quantile(uniform_of(key, number + j))
    _solve(factor, lacking)
    for i in range(n):
        change = 0.0
        for j in range(m):
            change += weight[i, j] * lacking[j]
        x[i] += change / 12.0
    noise[:] = 0.0
    if noise_sd > 0.0:
        _preactivations(weight, x, noise)
        for j in range(m):
            noise[j] = s[j] - noise[j]


@inner
def _preactivations(weight, x, s):
    """Write x @ weight into `s`."""
    s[:] = 0.0
    for i in range(x.shape[0]):
        for j in range(s.shape[0]):
            s[j] += weight[i, j] * x[i]


@inner
def _begin(factor, weight, low, high, noise_sd, n_draws, key, x, noise):
    """Draw the beginning of a forward chain; return the log of its weight.

    One of `n_draws` draws of the Gaussian in the rectangle is kept, in proportion to its weight; the chain's weight
    begins with the mean of theirs.
    """
    m = low.shape[0]
    z, log_weights = np.empty((m, n_draws), np.float64), np.empty(n_draws, np.float64)
    draw_in_rectangle(factor, low, high, key, False, z, log_weights)
    log_weight, _ = log_mean_exp(log_weights)
    if log_weight == -np.inf:
        x[:], noise[:] = 0.0, 0.0
        return log_weight
    left = uniform_of(key, n_draws * m) * n_draws
    kept = 0
    while kept < n_draws - 1:
        left -= np.exp(log_weights[kept] - log_weight)
        if left < 0.0:
            break
        kept += 1
    s = np.empty(m, np.float64)
    _apply(factor, z, kept, s)
    _inputs_of(factor, weight, noise_sd, s, key, n_draws * m + 1, x, noise)
    return log_weight


@jit
def _end(factor, weight, low, high, n_draws, key, x, noise):
    """Return the log of the mean weight of n_draws - 1 draws and of the end of a reverse chain."""
    m = low.shape[0]
    z, log_weights = np.empty((m, n_draws), np.float64), np.empty(n_draws, np.float64)
    draw_in_rectangle(factor, low, high, key, False, z, log_weights)
    s = np.empty(m, np.float64)
    _preactivations(weight, x, s)
    own = 0.0
    for j in range(m):
        mean = 0.0
        for i in range(j):
            mean += factor[j, i] * s[i]
        own += log_mass_between((low[j] - mean) / factor[j, j], (high[j] - mean) / factor[j, j])
        s[j] = (s[j] + noise[j] - mean) / factor[j, j]
    log_weights[0] = own
    return log_mean_exp(log_weights)[0]


@jit
def anneal(
    covariance, weight, inverse, low, high, x, tables, guides, noises, n_mirrors, n_draws, keys, first, forward, reverse
):
    """Write the logs of the weights of forward and reverse chains for sampled output states.

    Parameters
    ----------
    covariance : (n_out, n_out) float64
        Of the outputs, in units of their standard deviations.
    weight, inverse : (n_in, n_out) float64
        Weights in these units, and one over each; NO_WEIGHT where a weight is 0.
    low, high, x : (r, n_out), (r, n_out), (r, n_in) float64
        Rectangles and inputs as from `sample_rectangles`.
    tables, guides, noises, n_mirrors
        As of `forward_chains`.
    n_draws : int
        Draws at the Gaussian level for each chain.
    keys : (r,) uint64
        Of the stream of uniforms of each state.
    first : int
        Number of the first forward chain: each has a stream of its own.
    forward, reverse : (r, K), (r, L) float64, output
        ln of the weights of forward chains number `first` ... first + K - 1, and of L reverse ones, for each state.
    """
    n_in, n_out = weight.shape
    chosen = np.empty(n_out, np.int64)
    n_forward, n_reverse = forward.shape[1], reverse.shape[1]
    forward_keys, reverse_keys = np.empty(n_forward, np.uint64), np.empty(n_reverse, np.uint64)
    forward_x, reverse_x = np.empty((n_forward, n_in), np.float64), np.empty((n_reverse, n_in), np.float64)
    for r in range(low.shape[0]):
        m = bounded_outputs(low[r], high[r], chosen)
        forward[r], reverse[r] = 0.0, 0.0
        if m == 0:
            continue
        order, factor, lowest, highest = ordered_rectangle(covariance, noises[0], low[r], high[r], chosen[:m])
        own_weight, own_inverse = np.empty((n_in, m), np.float64), np.empty((n_in, m), np.float64)
        for i in range(n_in):
            for j in range(m):
                own_weight[i, j], own_inverse[i, j] = weight[i, order[j]], inverse[i, order[j]]
        noise = np.empty((n_forward, m), np.float64)
        for k in range(n_forward):
            forward_keys[k] = mix64(keys[r] + GAMMA * np.uint64(2 * (first + k) + 1))
            forward[r, k] = _begin(
                factor, own_weight, lowest, highest, noises[0], n_draws, forward_keys[k], forward_x[k], noise[k]
            )
        # Draws, the choice of one, the inputs and the noise that lead to it.
        number = n_draws * m + 1 + n_in + (m if noises[0] > 0.0 else 0)
        forward_chains(
            tables, guides, noises, own_weight, own_inverse, lowest, highest, n_mirrors, forward_keys, number,
            forward_x, noise, forward[r],
        )  # fmt: skip
        noise = np.zeros((n_reverse, m), np.float64)
        for k in range(n_reverse):
            reverse_keys[k] = mix64(keys[r] + GAMMA * np.uint64(2 * k + 2))
            reverse_x[k] = x[r]
        reverse_chains(
            tables, guides, noises, own_weight, own_inverse, lowest, highest, n_mirrors, reverse_keys, n_draws * m,
            reverse_x, noise, reverse[r],
        )  # fmt: skip
        for k in range(n_reverse):
            reverse[r, k] += _end(factor, own_weight, lowest, highest, n_draws, reverse_keys[k], reverse_x[k], noise[k])
        for k in range(n_forward):
            # A chain whose weight was 0 has gone on; what came of it may be no number.
            if not forward[r, k] > -np.inf:
                forward[r, k] = -np.inf
