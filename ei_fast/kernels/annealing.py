"""Chains that lead from a Gaussian to the uniform inputs, inside the rectangle of one output state; and back.

Notes
-----
The probability of an output state is that of the inputs x in the box (-1/2, 1/2)^n whose pre-activations lie in a
rectangle. A *path* of distributions of the inputs leads there from a Gaussian of the same mean and variance. At every
level the inputs are independent, each with the same density, and restricted to the rectangle. With d**2 = (1 - rho**2)
/ 12, an input is the sum of rho times a uniform on (-1/2, 1/2) and d times a standard normal: its variance is 1/12 at
every level. rho = 0 is the Gaussian, whose rectangle probabilities `log_rectangles` finds; rho = 1 is the box.

**A forward chain** (annealed importance sampling: Neal 2001, Statistics and Computing 11, 125-139) begins with a draw
of the Gaussian in the rectangle. At every level, input by input, the interval is found that the rectangle and the
other inputs leave to this input; the chain's weight takes the ratio of what the new and the old density have there;
and the input is drawn anew from the new density. *Mirror* moves follow: an input goes to the other side of its
interval, which is accepted by the ratio of the densities (Metropolis). The mean of the final weight is the probability.

**A reverse chain** does the same backwards from inputs that were drawn from the box and led to this very state: they
are an exact sample of what a forward chain has to reach. The mean of one over its weight is one over the probability
(Grosse, Ghahramani & Adams 2015, arXiv 1511.02543). So the log of a forward weight is too low in expectation, and that
of a reverse weight too high, whatever the chains miss.

**Densities are tables**: between the first level, which is the exact Gaussian, and the last, which is the exact box,
any densities do. A level's density is constant on each interval of a grid, so that masses and quantiles are a table's.

**More outputs than inputs**, or outputs that depend on each other linearly, have no density. There a noise of standard
deviation `noise` is added to every output, in units of the output's own; it is annealed to 0 along the path.
"""

import numpy as np

from ei_fast.kernels.jit import jit
from ei_fast.kernels.normal import normal_between, normal_quantile
from ei_fast.kernels.rectangles import (
    bounded_outputs,
    draw_in_rectangle,
    log_mean_exp,
    ordered_rectangle,
    uniform_of,
)
from ei_fast.kernels.uniforms import GAMMA, mix64

GRID = 128
"""Intervals of a level's table to the width of the box, of which there are ..."""
GRID_SIZE = 224
"""... so many on either side of 0: the table ends at 1.75, six standard deviations of the Gaussian."""
_END = GRID_SIZE / GRID

_ROOT_12 = np.sqrt(12.0)
NO_WEIGHT = 1e200
"""One over a weight of 0."""
_MIN_MASS = 1e-250
_SMALL = 1e-100
"""Product of ratios of which the log is taken before it underflows."""


@jit
def _mass_below(table, x):
    """Return what a level's table (GRID_SIZE + 1,) has below x <= 0."""
    place = (x + _END) * GRID
    if place <= 0.0:
        return 0.0
    k = min(np.int64(place), GRID_SIZE - 1)
    return table[k] + (place - k) * (table[k + 1] - table[k])


@jit
def mass_between(table, low, high):
    """Return what a level has between low and high; symmetric about 0, its table has the lower half."""
    if high <= 0.0:
        return _mass_below(table, high) - _mass_below(table, low)
    if low >= 0.0:
        return _mass_below(table, -low) - _mass_below(table, -high)
    return 2.0 * table[GRID_SIZE] - _mass_below(table, low) - _mass_below(table, -high)


@jit
def _point_of(table, low, high, mass):
    """Return the point of (low, high), high <= 0, below which that mass of the interval lies."""
    below = _mass_below(table, low) + mass
    # Limited before the conversion: an open end is infinite.
    first = np.int64(min(max((low + _END) * GRID, 0.0), GRID_SIZE - 1.0))
    last = np.int64(min(max((high + _END) * GRID, 0.0), GRID_SIZE - 1.0))
    while first < last:
        middle = (first + last + 1) // 2
        if table[middle] <= below:
            first = middle
        else:
            last = middle - 1
    x = low
    if table[first + 1] > table[first]:
        x = (first + (below - table[first]) / (table[first + 1] - table[first])) / GRID - _END
    return min(max(x, low), high)


@jit
def draw_between(table, low, high, uniform):
    """Return the point of (low, high) below which that share of what the level has there lies."""
    if high <= 0.0:
        return _point_of(table, low, high, uniform * (_mass_below(table, high) - _mass_below(table, low)))
    if low >= 0.0:
        return -_point_of(table, -high, -low, (1.0 - uniform) * (_mass_below(table, -low) - _mass_below(table, -high)))
    left = table[GRID_SIZE] - _mass_below(table, low)
    right = table[GRID_SIZE] - _mass_below(table, -high)
    mass = uniform * (left + right)
    if mass < left:
        return _point_of(table, low, 0.0, mass)
    return -_point_of(table, -high, 0.0, left + right - mass)


@jit
def _density(table, x):
    """Return what a level has in the grid interval around x."""
    place = (_END - abs(x)) * GRID
    if place <= 0.0:
        return 0.0
    k = min(np.int64(place), GRID_SIZE - 1)
    return table[k + 1] - table[k]


@jit
def _interval(inverse, below, above):
    """Return how far down and up an input may move, at least 0, so that no output leaves its interval.

    Parameters
    ----------
    inverse : (m,) float64
        One over the input's weights.
    below, above : (m,) float64
        How far each pre-activation may move down (below 0) and up (above 0).
    """
    low, high = -np.inf, np.inf
    for j in range(inverse.shape[0]):
        a, b = below[j] * inverse[j], above[j] * inverse[j]
        # Comparisons without regard to NaN, which there is none of, are one instruction each.
        least, most = a if a < b else b, a if a > b else b
        low = low if low > least else least
        high = high if high < most else most
    return min(low, 0.0), max(high, 0.0)


@jit
def _move(weight, step, below, above):
    """Move one input by `step`."""
    for j in range(weight.shape[0]):
        change = weight[j] * step
        below[j] -= change
        above[j] -= change


@jit
def _place(weight, x, noise, low, high, below, above):
    """Write how far every pre-activation may move, with the inputs at x and this noise on the outputs."""
    for j in range(below.shape[0]):
        below[j], above[j] = low[j] - noise[j], high[j] - noise[j]
    for i in range(x.shape[0]):
        _move(weight[i], x[i], below, above)


@jit
def _mirror(table, weight, inverse, backwards, key, number, x, below, above):
    """Mirror every input once in the interval that is left to it, where the densities accept that."""
    n = x.shape[0]
    for k in range(n):
        i = n - 1 - k if backwards else k
        down, up = _interval(inverse[i], below, above)
        # The same ends for every input of a level, so that a mirror of a mirror is where it began.
        down, up = max(down, -_END - x[i]), min(up, _END - x[i])
        step = down + up
        now, then = _density(table, x[i]), _density(table, x[i] + step)
        if then >= now or uniform_of(key, number + k) * now < then:
            x[i] += step
            _move(weight[i], step, below, above)


@jit
def _ratio(tables, level, low, high):
    """Return what the level has between low and high over what the level before it has."""
    new = mass_between(tables[level], low, high)
    if level == 1:
        log_old, _ = normal_between(low * _ROOT_12, high * _ROOT_12, 0.5)
        return np.exp(np.log(new) - log_old) if new > 0.0 else 0.0
    old = mass_between(tables[level - 1], low, high)
    # An interval of no width has no mass to compare.
    return new / old if old > _MIN_MASS else 1.0


@jit
def _draw(tables, level, low, high, uniform):
    """Return a draw between low and high from a level; level 0 is the Gaussian."""
    if level == 0:
        _, z = normal_between(low * _ROOT_12, high * _ROOT_12, uniform)
        return z / _ROOT_12
    return draw_between(tables[level], low, high, uniform)


@jit
def _noise_ratio(old, new, low, high):
    """Return ln of what a noise of standard deviation `new` has between low and high over what one of `old` has."""
    log_old, _ = normal_between(low / old, high / old, 0.5)
    if new > 0.0:
        log_new, _ = normal_between(low / new, high / new, 0.5)
        return log_new - log_old
    return -log_old if low <= 0.0 <= high else -np.inf


@jit
def _change_noise(old, new, is_forward, key, number, noise, below, above):
    """Lead the noise of all outputs from one level to the next or back; return the log of the weight's factor."""
    m = noise.shape[0]
    log_weight = 0.0
    for k in range(m):
        j = k if is_forward else m - 1 - k
        low, high = below[j] + noise[j], above[j] + noise[j]
        log_weight += _noise_ratio(old, new, low, high)
        if log_weight == -np.inf:
            return log_weight
        sd = new if is_forward else old
        drawn = 0.0
        if sd > 0.0:
            _, z = normal_between(low / sd, high / sd, uniform_of(key, number + k))
            drawn = z * sd
        below[j] += noise[j] - drawn
        above[j] += noise[j] - drawn
        noise[j] = drawn
    return log_weight


@jit
def forward_chain(tables, noises, weight, inverse, low, high, n_mirrors, key, number, x, noise):
    """Lead a chain from the Gaussian to the box; return the log of its weight's factor.

    Parameters
    ----------
    tables : (T + 1, GRID_SIZE + 1) float64
        What each level has below the points of the grid; the first is not used, since level 0 is the Gaussian itself.
    noises : (T + 1,) float64
        Standard deviation of the noise of each level; the last is 0.
    weight, inverse : (n, m) float64
        Weights in units of the outputs' standard deviations, and one over each.
    low, high : (m,) float64
        The rectangle.
    n_mirrors : int
        Rounds of mirror moves at a level.
    key : uint64
        Of the chain's own stream of uniforms ...
    number : int
        ... and the number of the first that it uses.
    x, noise : (n,), (m,) float64
        The inputs at the Gaussian level, and the outputs' noise; on return those at the end.
    """
    n, m = weight.shape
    n_levels = tables.shape[0] - 1
    below, above = np.empty(m, np.float64), np.empty(m, np.float64)
    log_weight = 0.0
    for level in range(1, n_levels + 1):
        _place(weight, x, noise, low, high, below, above)
        factor = 1.0
        for i in range(n):
            down, up = _interval(inverse[i], below, above)
            factor *= _ratio(tables, level, x[i] + down, x[i] + up)
            if factor == 0.0:
                return -np.inf
            if not _SMALL < factor < 1.0 / _SMALL:
                log_weight += np.log(factor)
                factor = 1.0
            drawn = _draw(tables, level, x[i] + down, x[i] + up, uniform_of(key, number + i))
            _move(weight[i], drawn - x[i], below, above)
            x[i] = drawn
        log_weight += np.log(factor)
        number += n
        if noises[level - 1] > 0.0:
            log_weight += _change_noise(noises[level - 1], noises[level], True, key, number, noise, below, above)
            if log_weight == -np.inf:
                return log_weight
            number += m
        if level < n_levels:
            for _ in range(n_mirrors):
                _mirror(tables[level], weight, inverse, False, key, number, x, below, above)
                number += n
    return log_weight


@jit
def reverse_chain(tables, noises, weight, inverse, low, high, n_mirrors, key, number, x, noise):
    """Lead a chain from the box to the Gaussian, all that `forward_chain` does undone in the opposite order.

    Parameters and what is returned are those of `forward_chain`; `x` are inputs of the box on entry, and `noise` 0.
    """
    n, m = weight.shape
    n_levels = tables.shape[0] - 1
    below, above = np.empty(m, np.float64), np.empty(m, np.float64)
    log_weight = 0.0
    for level in range(n_levels, 0, -1):
        _place(weight, x, noise, low, high, below, above)
        if level < n_levels:
            for _ in range(n_mirrors):
                _mirror(tables[level], weight, inverse, True, key, number, x, below, above)
                number += n
        if noises[level - 1] > 0.0:
            log_weight += _change_noise(noises[level - 1], noises[level], False, key, number, noise, below, above)
            number += m
        factor = 1.0
        for k in range(n):
            i = n - 1 - k
            down, up = _interval(inverse[i], below, above)
            factor *= _ratio(tables, level, x[i] + down, x[i] + up)
            if not _SMALL < factor < 1.0 / _SMALL:
                log_weight += np.log(factor)
                factor = 1.0
            drawn = _draw(tables, level - 1, x[i] + down, x[i] + up, uniform_of(key, number + k))
            _move(weight[i], drawn - x[i], below, above)
            x[i] = drawn
        log_weight += np.log(factor)
        number += n
    return log_weight


@jit
def _apply(factor, z, k, s):
    """Write the pre-activations of draw k of z (m, R) into `s` (m,)."""
    for j in range(s.shape[0]):
        s[j] = 0.0
        for i in range(j + 1):
            s[j] += factor[j, i] * z[i, k]


@jit
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


@jit
def _inputs_of(factor, weight, noise_sd, s, key, number, x, noise):
    """Draw Gaussian inputs and noise that lead to the pre-activations s; return the number of the next uniform.

    Notes
    -----
    Matheron's rule: inputs x' and noise e' are drawn without regard to s, and corrected linearly by what their
    pre-activations lack: x = x' + W K^-1 (s - W^T x' - e') / 12, with K the covariance of the pre-activations.
    """
    n, m = weight.shape
    lacking = s.copy()
    for i in range(n):
        x[i] = normal_quantile(uniform_of(key, number + i)) / _ROOT_12
        for j in range(m):
            lacking[j] -= weight[i, j] * x[i]
    number += n
    if noise_sd > 0.0:
        for j in range(m):
            lacking[j] -= noise_sd * normal_quantile(uniform_of(key, number + j))
        number += m
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
    return number


@jit
def _preactivations(weight, x, s):
    """Write x @ weight into `s`."""
    s[:] = 0.0
    for i in range(x.shape[0]):
        for j in range(s.shape[0]):
            s[j] += weight[i, j] * x[i]


@jit
def _begin(factor, weight, low, high, noise_sd, n_draws, key, x, noise):
    """Draw the beginning of a forward chain; return the log of its weight and the number of the next uniform.

    One of `n_draws` draws of the Gaussian in the rectangle is kept, in proportion to its weight; the chain's weight
    begins with the mean of theirs.
    """
    m = low.shape[0]
    z, log_weights = np.empty((m, n_draws), np.float64), np.empty(n_draws, np.float64)
    draw_in_rectangle(factor, low, high, key, False, z, log_weights)
    log_weight, _ = log_mean_exp(log_weights)
    if log_weight == -np.inf:
        return log_weight, 0
    number = n_draws * m
    left = uniform_of(key, number) * n_draws
    kept = 0
    while kept < n_draws - 1:
        left -= np.exp(log_weights[kept] - log_weight)
        if left < 0.0:
            break
        kept += 1
    s = np.empty(m, np.float64)
    _apply(factor, z, kept, s)
    return log_weight, _inputs_of(factor, weight, noise_sd, s, key, number + 1, x, noise)


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
        log_mass, _ = normal_between((low[j] - mean) / factor[j, j], (high[j] - mean) / factor[j, j], 0.5)
        own += log_mass
        s[j] = (s[j] + noise[j] - mean) / factor[j, j]
    log_weights[0] = own
    return log_mean_exp(log_weights)[0]


@jit
def anneal(covariance, weight, inverse, low, high, x, tables, noises, n_mirrors, n_draws, keys, forward, reverse):
    """Write the logs of the weights of forward and reverse chains for sampled output states.

    Parameters
    ----------
    covariance : (n_out, n_out) float64
        Of the outputs, in units of their standard deviations.
    weight, inverse : (n_in, n_out) float64
        Weights in these units, and one over each; NO_WEIGHT where a weight is 0.
    low, high, x : (r, n_out), (r, n_out), (r, n_in) float64
        Rectangles and inputs as from `sample_rectangles`.
    tables, noises, n_mirrors
        As of `forward_chain`.
    n_draws : int
        Draws at the Gaussian level for each chain.
    keys : (r,) uint64
        Of the stream of uniforms of each state.
    forward, reverse : (r, K), (r, L) float64, output
        ln of the weights of K forward and L reverse chains for each state.
    """
    n_in, n_out = weight.shape
    chosen = np.empty(n_out, np.int64)
    inputs = np.empty(n_in, np.float64)
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
        noise = np.empty(m, np.float64)
        for k in range(forward.shape[1]):
            key = mix64(keys[r] + GAMMA * np.uint64(2 * k + 1))
            log_weight, number = _begin(factor, own_weight, lowest, highest, noises[0], n_draws, key, inputs, noise)
            if log_weight > -np.inf:
                log_weight += forward_chain(
                    tables, noises, own_weight, own_inverse, lowest, highest, n_mirrors, key, number, inputs, noise
                )
            forward[r, k] = log_weight
        for k in range(reverse.shape[1]):
            key = mix64(keys[r] + GAMMA * np.uint64(2 * k + 2))
            inputs[:], noise[:] = x[r], 0.0
            reverse[r, k] = reverse_chain(
                tables,
                noises,
                own_weight,
                own_inverse,
                lowest,
                highest,
                n_mirrors,
                key,
                n_draws * m,
                inputs,
                noise,
            ) + _end(factor, own_weight, lowest, highest, n_draws, key, inputs, noise)
