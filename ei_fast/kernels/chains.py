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

from ei_fast.kernels.extrema import larger, smaller
from ei_fast.kernels.jit import inlined, inner, jit
from ei_fast.kernels.levels import END, GRID, ROOT_12, density, draw_between, mass_between, place_of
from ei_fast.kernels.normal import log_mass_between, normal_between
from ei_fast.kernels.rectangles import uniform_of

_MIN_MASS = 1e-250
_SMALL = 1e-100
"""Product of ratios of which the log is taken before it underflows."""


# Chain c's row of an array is named by its number: a view of it would be counted, which takes as long as a move.


@inlined
def _interval(inverse, i, below, above, c):
    """Return how far down and up input i of chain c may move, at least 0, so that no output leaves its interval.

    Parameters
    ----------
    inverse : (n, m) float64
        One over the weights.
    below, above : (K, m) float64
        How far each pre-activation of a chain may move down (below 0) and up (above 0).
    """
    low, high = -np.inf, np.inf
    for j in range(inverse.shape[1]):
        a, b = below[c, j] * inverse[i, j], above[c, j] * inverse[i, j]
        low, high = larger(low, smaller(a, b)), smaller(high, larger(a, b))
    return min(low, 0.0), max(high, 0.0)


@inlined
def _move(weight, i, step, below, above, c):
    """Move input i of chain c by `step`."""
    for j in range(weight.shape[1]):
        change = weight[i, j] * step
        below[c, j] -= change
        above[c, j] -= change


@jit
def _place(weight, x, noise, low, high, below, above):
    """Write how far every pre-activation may move, with the inputs of all chains at x and this noise on the outputs."""
    for c in range(x.shape[0]):
        for j in range(low.shape[0]):
            below[c, j], above[c, j] = low[j] - noise[c, j], high[j] - noise[c, j]
        for i in range(x.shape[1]):
            _move(weight, i, x[c, i], below, above, c)


@inner
def _mirror(tables, level, weight, inverse, is_forward, keys, number, x, below, above):
    """Mirror every input of every chain once in the interval that is left to it, where the densities accept that."""
    n_chains, n = x.shape
    for step_number in range(n):
        i = step_number if is_forward else n - 1 - step_number
        for c in range(n_chains):
            down, up = _interval(inverse, i, below, above, c)
            # The same ends for every input of a level, so that a mirror of a mirror is where it began.
            step = larger(down, -END - x[c, i]) + smaller(up, END - x[c, i])
            now, then = density(tables, level, x[c, i]), density(tables, level, x[c, i] + step)
            if uniform_of(keys[c], number + step_number) * now < then:
                x[c, i] += step
                _move(weight, i, step, below, above, c)


@inlined
def _redraw(tables, guides, level, is_forward, low, high, uniform):
    """Return what a level has between low and high over what the one before it has; and a draw from one of them.

    A forward chain goes on from the level, a reverse one from that before it.
    """
    first, last = place_of(low), place_of(high)
    new, old = mass_between(tables, level, first, last), mass_between(tables, level - 1, first, last)
    # An interval of no width has no mass to compare.
    ratio = new / old if old > _MIN_MASS else 1.0
    if is_forward:
        return ratio, draw_between(tables, guides, level, first, last, new, uniform) / GRID - END
    return ratio, draw_between(tables, guides, level - 1, first, last, old, uniform) / GRID - END


@inner
def _redraw_first(tables, guides, is_forward, low, high, uniform):
    """Return what `_redraw` does for level 1, before which there is the Gaussian itself."""
    first, last = place_of(low), place_of(high)
    mass = mass_between(tables, 1, first, last)
    log_old, z = normal_between(low * ROOT_12, high * ROOT_12, uniform)
    ratio = np.exp(np.log(mass) - log_old) if mass > 0.0 else 0.0
    if not is_forward:
        return ratio, z / ROOT_12
    return ratio, draw_between(tables, guides, 1, first, last, mass, uniform) / GRID - END


@inner
def _redraw_all(tables, guides, level, is_forward, weight, inverse, keys, number, x, below, above, log_weights):
    """Draw every input of every chain anew, and multiply the chains' weights by the ratios of both levels."""
    n_chains, n = x.shape
    factors = np.ones(n_chains, np.float64)
    for step_number in range(n):
        i = step_number if is_forward else n - 1 - step_number
        # Chains take turns: what one waits for, the processor does of the others.
        for c in range(n_chains):
            down, up = _interval(inverse, i, below, above, c)
            low, high = x[c, i] + down, x[c, i] + up
            uniform = uniform_of(keys[c], number + step_number)
            if level == 1:
                ratio, drawn = _redraw_first(tables, guides, is_forward, low, high, uniform)
            else:
                ratio, drawn = _redraw(tables, guides, level, is_forward, low, high, uniform)
            drawn = smaller(larger(drawn, low), high)
            factors[c] *= ratio
            if not _SMALL < factors[c] < 1.0 / _SMALL:
                log_weights[c] += np.log(factors[c])
                factors[c] = 1.0
            _move(weight, i, drawn - x[c, i], below, above, c)
            x[c, i] = drawn
    for c in range(n_chains):
        log_weights[c] += np.log(factors[c])


@inner
def _redraw_noise(old, new, is_forward, low, high, uniform):
    """Return ln of what noise of standard deviation `new` has between low and high over what one of `old` has; a draw.

    A forward chain goes on from the new one, a reverse one from the old one, as in `_redraw`.
    """
    if not new > 0.0:
        log_old, z = normal_between(low / old, high / old, uniform)
        ratio = -log_old if low <= 0.0 <= high else -np.inf
        return ratio, 0.0 if is_forward else z * old
    if is_forward:
        log_new, z = normal_between(low / new, high / new, uniform)
        return log_new - log_mass_between(low / old, high / old), z * new
    log_old, z = normal_between(low / old, high / old, uniform)
    return log_mass_between(low / new, high / new) - log_old, z * old


@inner
def _change_noise(old, new, is_forward, key, number, noise, below, above):
    """Lead the noise of all outputs from one level to the next or back; return the log of the weight's factor."""
    m = noise.shape[0]
    log_weight = 0.0
    for k in range(m):
        j = k if is_forward else m - 1 - k
        low, high = below[j] + noise[j], above[j] + noise[j]
        ratio, drawn = _redraw_noise(old, new, is_forward, low, high, uniform_of(key, number + k))
        log_weight += ratio
        if log_weight == -np.inf:
            return log_weight
        below[j] += noise[j] - drawn
        above[j] += noise[j] - drawn
        noise[j] = drawn
    return log_weight


@inner
def _change_noises(old, new, is_forward, keys, number, noise, below, above, log_weights):
    """Lead the noise of all chains from one level to the next or back."""
    for c in range(log_weights.shape[0]):
        if log_weights[c] > -np.inf:
            log_weights[c] += _change_noise(old, new, is_forward, keys[c], number, noise[c], below[c], above[c])


@jit
def forward_chains(tables, guides, noises, weight, inverse, low, high, n_mirrors, keys, number, x, noise, log_weights):
    """Lead chains from the Gaussian to the box, and add the logs of their weights' factors.

    Parameters
    ----------
    tables : (T + 1, 2 GRID_SIZE + 2) float64
        What each level has below the points of the grid, the last point twice; the first is not used, since level 0 is
        the Gaussian itself.
    guides : (T + 1, GUIDE + 1) int64
        Of each level the last point of the grid that has less than 0, 1, ... GUIDE parts in GUIDE of the mass below it,
        or 0.
    noises : (T + 1,) float64
        Standard deviation of the noise of each level; the last is 0.
    weight, inverse : (n, m) float64
        Weights in units of the outputs' standard deviations, and one over each.
    low, high : (m,) float64
        The rectangle.
    n_mirrors : int
        Rounds of mirror moves at a level.
    keys : (K,) uint64
        Of each chain's own stream of uniforms ...
    number : int
        ... and the number of the first that it uses.
    x, noise : (K, n), (K, m) float64
        The inputs at the Gaussian level, and the outputs' noise; on return those at the end.
    log_weights : (K,) float64
        On return greater by the logs of the factors. A chain whose weight is 0 goes on without a meaning.
    """
    (n_chains, n), m = x.shape, low.shape[0]
    n_levels = tables.shape[0] - 1
    below, above = np.empty((n_chains, m), np.float64), np.empty((n_chains, m), np.float64)
    for level in range(1, n_levels + 1):
        _place(weight, x, noise, low, high, below, above)
        _redraw_all(tables, guides, level, True, weight, inverse, keys, number, x, below, above, log_weights)
        number += n
        if noises[level - 1] > 0.0:
            _change_noises(noises[level - 1], noises[level], True, keys, number, noise, below, above, log_weights)
            number += m
        if level < n_levels:
            for _ in range(n_mirrors):
                _mirror(tables, level, weight, inverse, True, keys, number, x, below, above)
                number += n


@inner
def reverse_chains(tables, guides, noises, weight, inverse, low, high, n_mirrors, keys, number, x, noise, log_weights):
    """Lead chains from the box to the Gaussian, all that `forward_chains` does undone in the opposite order.

    Parameters are those of `forward_chains`; `x` are inputs of the box on entry, and `noise` 0.
    """
    (n_chains, n), m = x.shape, low.shape[0]
    n_levels = tables.shape[0] - 1
    below, above = np.empty((n_chains, m), np.float64), np.empty((n_chains, m), np.float64)
    for level in range(n_levels, 0, -1):
        _place(weight, x, noise, low, high, below, above)
        if level < n_levels:
            for _ in range(n_mirrors):
                _mirror(tables, level, weight, inverse, False, keys, number, x, below, above)
                number += n
        if noises[level - 1] > 0.0:
            _change_noises(noises[level - 1], noises[level], False, keys, number, noise, below, above, log_weights)
            number += m
        _redraw_all(tables, guides, level, False, weight, inverse, keys, number, x, below, above, log_weights)
        number += n
