"""E ln|f'(S_j)| of every output of a dense layer under do(L1 = H^max): one-dimensional averages, without sampling.

Notes
-----
S_j is a centre plus a sum of independent uniforms. With a the half width of the widest of them, and F the CDF of the
sum of all others, its density is (F(z + a) - F(z - a)) / (2 a): the widest uniform is integrated out, so that no
density needs to be differentiated from a CDF. F is that of `kernels.marginals`, by Fourier series or in closed form,
right to some 1e-13.

The average is integrated by Gauss-Kronrod rules on intervals that are halved until the rule and the Gauss rule inside
it agree: at knots of f, of which some are poles of ln|f'|, and at those of the density, which of few inputs are sharp.
"""

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

from ei_fast.kernels.marginals import FAR, marginal_cdfs
from ei_fast.measures.noise.unit_cube import Array, UnitCubeLayer
from ei_fast.network.slopes import Slopes
from ei_fast.runtime.threads import Threads

TOLERANCE = 1e-10
"""Error, in nats, that each output's average aims for."""

_TOLERANCE_OF_DIFFERENCES = 1e-7
"""The same where slopes are differences, which are no more accurate."""

_MOST_INTERVALS = 4096
"""Intervals that are halved at a time at the most; more there are where a user's function is full of kinks."""

_FIRST_INTERVALS = 24
"""Into which the reach of a pre-activation is divided at the least."""

_ROUNDS = 60
"""Halvings of an interval at the most: a logarithmic pole in one of width h leaves out some h ln h."""

_SHARP = 3
"""Widest inputs whose knots of the density are ends of intervals from the beginning."""

# The rule of Gauss and Kronrod with 7 and 15 points, as in QUADPACK (Piessens et al. 1983); nodes from 0 outwards.
_NODES = np.array([
    0.0, 0.207784955007898467600689403773245, 0.405845151377397166906606412076961, 0.586087235467691130294144691693013,
    0.741531185599394439863864773280788, 0.864864423359769072789712788640926, 0.949107912342758524526189684047851,
    0.991455371120812639206854697526329,
])  # fmt: skip
_KRONROD = np.array([
    0.209482141084727828012999174891714, 0.204432940075298892414161999234649, 0.190350578064785409913256402421014,
    0.169004726639267902826583426598550, 0.140653259715525918745189590510238, 0.104790010322250183839876322541518,
    0.063092092629978553290700663189204, 0.022935322010529224963732008058970,
])  # fmt: skip
_GAUSS = np.array([
    0.417959183673469387755102040816327, 0.0, 0.381830050505118944950369775488975, 0.0,
    0.279705391489276667901467771423780, 0.0, 0.129484966168869693270611432679082, 0.0,
])  # fmt: skip


def _both_sides(values: Array, sign: float = 1.0) -> Array:
    return np.concatenate([sign * values[:0:-1], values])


_POINTS, _WEIGHTS, _WEIGHTS_OF_GAUSS = _both_sides(_NODES, -1.0), _both_sides(_KRONROD), _both_sides(_GAUSS)


@dataclass(frozen=True)
class MeanLogSlopes:
    """E ln|f'(S_j)| of every output, in nats.

    Attributes
    ----------
    values : ndarray (n_out,)
        -inf where f is flat on a part of what the pre-activation reaches.
    errors : ndarray (n_out,)
        What the integration may be off by.
    """

    values: Array
    errors: Array


def mean_log_slopes(layer: UnitCubeLayer, threads: Threads) -> MeanLogSlopes:
    """The averages of all outputs; a user's activation is called by one thread."""
    own = threads if layer.slopes.is_formula else threads.alone()
    each = own.map(partial(_of_output, layer), range(len(layer.bias)))
    values, errors = np.array(each).T
    return MeanLogSlopes(np.where(is_flat_within(layer), -np.inf, values), errors)


def _of_output(layer: UnitCubeLayer, j: int) -> tuple[float, float]:
    """Average and error of one output."""
    density = Density(layer.weight[:, j])
    log_slopes = _Centred(layer.slopes, float(layer.centres[j]))
    if not density.widest:
        return float(log_slopes(np.zeros(1))[0]), 0.0
    return _integrated(log_slopes, density, log_slopes.knots_within(density))


@dataclass(frozen=True)
class _Centred:
    """ln|f'| at positions from the centre of a pre-activation."""

    slopes: Slopes
    centre: float

    def __call__(self, z: Array) -> Array:
        return self.slopes(self.centre + z)[1]

    def knots_within(self, density: "Density") -> Array:
        """Ends of the intervals to begin with."""
        extent = density.extent
        ends = [
            np.linspace(-extent, extent, _FIRST_INTERVALS + 1),
            density.sharp,
            np.array(self.slopes.knots) - self.centre,
        ]
        knots = np.unique(np.concatenate(ends))
        return knots[(knots >= -extent) & (knots <= extent)]


class Density:
    """The density of a sum of centred uniforms, whose full widths are given; beyond `extent` it is practically 0."""

    def __init__(self, widths: Array):
        half_widths = 0.5 * np.abs(widths[widths != 0])
        half_widths = half_widths[np.argsort(-half_widths, kind="stable")]
        self.widest = float(half_widths[0]) if len(half_widths) else 0.0
        self._others = half_widths[1:]
        self._half_widths = half_widths

    @cached_property
    def extent(self) -> float:
        """Its support, or so many standard deviations that what lies beyond is lost in rounding."""
        scaled = self._half_widths / self.widest
        return float(self.widest * min(scaled.sum(), FAR * np.sqrt((scaled**2).sum() / 3)))

    @cached_property
    def sharp(self) -> Array:
        """Positions at which it bends most: where the widest inputs are at their ends, and the others too."""
        positions: list[Array] = []
        for k in range(1, min(_SHARP, len(self._half_widths)) + 1):
            sums = np.array(list(product((-1.0, 1.0), repeat=k))) @ self._half_widths[:k]
            rest = float(self._half_widths[k:].sum())
            positions += [sums, sums - rest, sums + rest]
        return np.concatenate(positions)

    def __call__(self, z: Array) -> Array:
        """Its values at the positions `z` (k,)."""
        if not len(self._others):
            return np.where(np.abs(z) <= self.widest, 0.5 / self.widest, 0.0)
        breaks = np.concatenate([z + self.widest, z - self.widest])
        cdf = np.empty((1, len(breaks)))
        n = len(self._others)
        marginal_cdfs(
            2 * self._others[None],
            np.arange(n)[None],
            np.zeros(1),
            1.0,
            breaks[None],
            np.array([len(breaks)]),
            np.zeros(1, np.int64),
            cdf,
        )
        values: Array = (cdf[0, : len(z)] - cdf[0, len(z) :]) / (2 * self.widest)
        return values


def _integrated(log_slopes: _Centred, density: Density, knots: Array) -> tuple[float, float]:
    """The integral of ln|f'| times the density between the first and the last of the knots, and its error."""
    low, high = knots[:-1], knots[1:]
    tolerance = TOLERANCE if log_slopes.slopes.is_formula else _TOLERANCE_OF_DIFFERENCES
    value = error = 0.0
    for last in (*[False] * _ROUNDS, True):
        of_kronrod, of_gauss, sizes = _rules(log_slopes, density, low, high)
        if np.isinf(sizes).any():
            return -np.inf, 0.0
        errors = np.abs(of_kronrod - of_gauss)
        # In proportion to an interval's width, but never less than rounding.
        allowed = tolerance * np.maximum((high - low) / (2 * density.extent), 1e-3) * np.maximum(1.0, sizes)
        is_done = (errors <= allowed) | (high - low <= 1e-15 * density.extent) | last | (len(low) > _MOST_INTERVALS)
        value += float(of_kronrod[is_done].sum())
        error += float(errors[is_done].sum())
        low, high = low[~is_done], high[~is_done]
        if not len(low):
            break
        middle = 0.5 * (low + high)
        low, high = np.concatenate([low, middle]), np.concatenate([middle, high])
    return value, error


def _rules(log_slopes: _Centred, density: Density, low: Array, high: Array) -> tuple[Array, Array, Array]:
    """The integral over each interval, by both rules, and the largest |ln|f'|| in it: infinite where f is flat."""
    half = 0.5 * (high - low)[:, None]
    points = 0.5 * (low + high)[:, None] + half * _POINTS
    densities = density(points.ravel()).reshape(points.shape)
    logs = log_slopes(points)
    # Beyond the support f may be flat; and of a formula, in slivers between ends that differ by rounding alone.
    is_nothing = (densities <= 0) | ((logs == -np.inf) & log_slopes.slopes.is_formula)
    logs = np.where(is_nothing, 0.0, logs)
    integrands = half * np.where(np.isinf(logs), 0.0, logs) * densities
    return integrands @ _WEIGHTS, integrands @ _WEIGHTS_OF_GAUSS, np.abs(logs).max(axis=1)


def is_flat_within(layer: UnitCubeLayer) -> NDArray[np.bool_]:
    """Whether each output's activation, known by name, is flat on a part of what its pre-activation reaches.

    Overlaps that are no larger than rounding are none.
    """
    flat = np.zeros(len(layer.bias), np.bool_)
    rounding = 1e-12 * (layer.supports + np.abs(layer.centres))
    for low, high in layer.slopes.flats:
        overlap = np.minimum(layer.centres + layer.supports, high) - np.maximum(layer.centres - layer.supports, low)
        is_still = layer.supports == 0
        flat |= np.where(is_still, (layer.centres >= low) & (layer.centres <= high), overlap > rounding)
    return flat
