"""Distributions of pre-activations whose inputs are drawn from histograms: CDFs given the bin of one input.

Notes
-----
Input k is in bin q with probability p_kq and anywhere in it with the same density. Its contribution to a pre-activation
is an offset w_k d (q - (B - 1) / 2), d being the width of a bin and B their number, plus a *piece*, which is uniform
with half width a_k = |w_k| d / 2. Less its mean it has the characteristic function

    sinc(t a_k) * sum over q of p_kq exp(i t (offset_kq - mean_k)).

Given that input i is in bin p only its piece is left of it, and the sum is shifted by offset_ip.

1. The sum S of the others and of that piece has mean 0 and bounded support. By Hoeffding's inequality
   P(|S| > z) <= 2 exp(-2 z**2 / sum of squares of the widths of the contributions), so that S practically ends at its
   *extent*. With the period T = 2 extent and t_m = 2 pi m / T

       F(y) = 1/2 + y / T + (2 / T) sum over m of Re(i phi(t_m) exp(-i t_m y)) / t_m,

   which a fast Fourier transform gives on a grid, with its density; cubic interpolation leads to any position.
2. Where phi falls too slowly for `MAX_TERMS` terms, as for few inputs, the widest input is integrated out: with
   G(y) = E max(y - R, 0), R being the sum without it, F is a sum over the edges of its bins of differences of G, whose
   series converges by another power of t and has a shorter period.
3. With a single input besides, G is known: piecewise quadratic.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Phi = NDArray[np.complex128]

MAX_TERMS = 2048
"""Terms of a series beyond which the widest input is integrated out ..."""
MAX_TERMS_OF_REST = 8192
"""... and the most that are then taken: what is left out is below 1e-8 at 8 bins, below 1e-6 at 64, in the worst case
of one input that dominates all others but the widest."""

_TOLERANCE = 1e-13
"""Bound on what a series leaves out."""
_LOG_OF_TAILS = 18.75
"""ln(2 / 1e-16) / 2: in Hoeffding's inequality what lies beyond the extent has a probability of 1e-16."""
_OVERSAMPLING = 8
"""Points of the grid to a term, at the least."""
_FEWEST_POINTS = 2048
_LARGEST_GRID = 2**15
_EDGES_AT_ONCE = 64
"""Edges whose grids are in memory together."""


class Contributions:
    """What each input adds to one pre-activation, the widest first.

    Parameters
    ----------
    weight : ndarray (n,)
        Weights, none of them 0, by falling size.
    probabilities : ndarray (n, bins)
        Of the bins of these inputs.
    bin_width : float
    """

    def __init__(self, weight: Array, probabilities: Array, bin_width: float):
        bins = probabilities.shape[1]
        self.probabilities = probabilities
        self.spacing = weight * bin_width
        self.offsets = self.spacing[:, None] * (np.arange(bins) - 0.5 * (bins - 1))
        self.means = (probabilities * self.offsets).sum(axis=1)
        self.pieces = 0.5 * np.abs(self.spacing)
        met = probabilities > 0
        self.low = np.where(met, self.offsets, np.inf).min(axis=1) - self.means - self.pieces
        self.high = np.where(met, self.offsets, -np.inf).max(axis=1) - self.means + self.pieces

    def __len__(self) -> int:
        return len(self.spacing)

    def without_first(self) -> "Contributions":
        """All but the widest."""
        rest = object.__new__(Contributions)
        for name, values in vars(self).items():
            setattr(rest, name, values[1:])
        return rest

    @property
    def extent(self) -> float:
        """How far the sum less its mean practically gets from 0."""
        support = float(np.maximum(-self.low, self.high).sum())
        return min(support, float(np.sqrt(_LOG_OF_TAILS * np.sum((self.high - self.low) ** 2))))

    def n_terms(self, extent: float, most: int) -> int:
        """Terms after which what the series of period 2 * `extent` leaves out is negligible; `most` + 1 if more."""
        low, high = 0, 8
        while high <= most and self._remainder(np.pi * high / extent) > np.log(_TOLERANCE):
            low, high = high, 2 * high
        if high > most:
            return most + 1
        while high - low > 1:
            middle = (low + high) // 2
            if self._remainder(np.pi * middle / extent) > np.log(_TOLERANCE):
                low = middle
            else:
                high = middle
        return high

    def _remainder(self, t: float) -> float:
        """Log of a bound on what the terms beyond frequency t add: each |sinc u| <= exp(-u**2 / 6) up to pi, 1/u."""
        u = t * self.pieces
        logs = np.where(u <= np.pi, -(np.minimum(u, np.pi) ** 2) / 6, -np.log(np.maximum(u, 1.0)))
        return float(logs.sum()) - float(np.log(np.pi * max(int(np.count_nonzero(u > 1)), 1)))

    def lattices(self, t: Array) -> Phi:
        """Characteristic functions (n, terms) of the offsets less their means."""
        bins = self.probabilities.shape[1]
        turned = np.exp(1j * t * (self.offsets[:, :1] - self.means[:, None]))
        step = np.exp(1j * t * self.spacing[:, None])
        phi = self.probabilities[:, :1] * turned
        for q in range(1, bins):
            turned *= step
            phi += self.probabilities[:, q : q + 1] * turned
        return phi

    def product_of_pieces(self, t: Array) -> Array:
        """Characteristic function (terms,) of the sum of all pieces."""
        phi: Array = np.sinc(t * self.pieces[:, None] / np.pi).prod(axis=0)
        return phi


class _OnGrids:
    """Functions with the period 2 * extent, one a row, on a grid; and what they are between its points.

    `values` (r, points + 1) begin at -extent and are those of a function whose slopes are `slopes`. Below `low` it is
    0; above `high` it is 1, or, where it is an integrated CDF, the position itself.
    """

    def __init__(self, values: Array, slopes: Array, extent: float, low: Array, high: Array, is_integrated: bool):
        self._values, self._slopes, self._extent = values, slopes, extent
        self._low, self._high = np.maximum(low, -extent)[:, None], np.minimum(high, extent)[:, None]
        self._step = 2 * extent / (values.shape[1] - 1)
        self._is_integrated = is_integrated

    def __call__(self, y: Array) -> Array:
        """At positions (r, v)."""
        at = (np.clip(y, -self._extent, self._extent) + self._extent) / self._step
        k = np.minimum(at.astype(np.intp), self._values.shape[1] - 2)
        s = at - k
        v0, v1 = (np.take_along_axis(self._values, k + j, axis=1) for j in (0, 1))
        d0, d1 = (np.take_along_axis(self._slopes, k + j, axis=1) * self._step for j in (0, 1))
        # Hermite's cubic.
        found = v0 + s * (d0 + s * ((3 * (v1 - v0) - 2 * d0 - d1) + s * (2 * (v0 - v1) + d0 + d1)))
        above = y if self._is_integrated else 1.0
        found = np.where(y >= self._high, above, np.where(y <= self._low, 0.0, found))
        return np.maximum(found, 0.0) if self._is_integrated else np.clip(found, 0.0, 1.0)


def _grid_of(phi: Phi, extent: float, low: Array, high: Array, is_integrated: bool) -> _OnGrids:
    """The CDFs, or the integrated CDFs, of sums with mean 0 and characteristic functions `phi` (r, terms)."""
    terms = phi.shape[1]
    points = max(_FEWEST_POINTS, min(1 << (_OVERSAMPLING * terms - 1).bit_length(), _LARGEST_GRID))
    m = np.arange(1, terms + 1)
    t = np.pi * m / extent
    # The grid begins half a period before 0.
    signed = np.conj(phi) * np.where(m % 2, -1.0, 1.0) * (points / (2 * extent))

    def series(of_terms: Phi) -> Array:
        spectrum = np.zeros((len(phi), points // 2 + 1), np.complex128)
        spectrum[:, 1 : terms + 1] = of_terms
        found = np.fft.irfft(spectrum, points, axis=1)
        return np.concatenate([found, found[:, :1]], axis=1)

    y = extent * (2 * np.arange(points + 1) / points - 1)
    cdf = 0.5 + y / (2 * extent) + series(-1j * signed / t)
    if not is_integrated:
        return _OnGrids(cdf, 0.5 / extent + series(signed), extent, low, high, False)
    oscillation = series(-signed / t**2)
    smooth = 0.5 * (y + extent) + (y**2 - extent**2) / (4 * extent)
    return _OnGrids(smooth + oscillation - oscillation[:, :1], cdf, extent, low, high, True)


def _leave_one_out(lattices: Phi, n_edges: int) -> Phi:
    """Products (n_edges, terms) of all rows but one, for the first so many rows."""
    n = len(lattices)
    below = np.ones((n_edges, lattices.shape[1]), np.complex128)
    np.cumprod(lattices[: n_edges - 1], axis=0, out=below[1:])
    above = np.ones(lattices.shape[1], np.complex128)
    for k in range(n - 1, 0, -1):
        if k < n_edges:
            below[k] *= above
        above = above * lattices[k]
    below[0] *= above
    return below


def _single_integrated(rest: Contributions, y: Array) -> Array:
    """E max(y - R, 0) at any positions, R being the contribution of a single input less its mean."""
    order = np.argsort(rest.offsets[0])
    ends = rest.offsets[0, order][0] - rest.means[0] - rest.pieces[0] + 2 * rest.pieces[0] * np.arange(len(order) + 1)
    cdf = np.concatenate([[0.0], np.cumsum(rest.probabilities[0, order])])
    areas = np.concatenate([[0.0], np.cumsum(rest.pieces[0] * (cdf[:-1] + cdf[1:]))])
    k = np.clip(np.searchsorted(ends, y, side="right") - 1, 0, len(order) - 1)
    s = y - ends[k]
    slope = rest.probabilities[0, order] / (2 * rest.pieces[0])
    inside = areas[k] + s * (cdf[k] + 0.5 * s * slope[k])
    found: Array = np.where(y <= ends[0], 0.0, np.where(y >= ends[-1], y, inside))
    return found


def edge_cdfs(given: Contributions, positions: Array, n_edges: int) -> Array:
    """CDFs of a pre-activation given the bin of one input, for the first so many inputs.

    Parameters
    ----------
    given : Contributions
        Of all inputs, at least one.
    positions : ndarray (K,)
        Breakpoints less the pre-activation with every input in the middle of its range.
    n_edges : int

    Returns
    -------
    ndarray (n_edges, bins, K)
        P(pre-activation < position | bin of the input).
    """
    if len(given) == 1:
        return _ramp(positions - given.offsets[0][:, None], given.pieces[0])[None]
    extent = given.extent
    terms = given.n_terms(extent, MAX_TERMS)
    if terms > MAX_TERMS:
        return _without_the_widest(given, positions, n_edges)
    t = _frequencies(terms, extent)
    phi = _leave_one_out(given.lattices(t), n_edges) * given.product_of_pieces(t)
    shifts = _shifts(given, n_edges)
    cdfs = np.empty((n_edges, given.offsets.shape[1], len(positions)))
    for first in range(0, n_edges, _EDGES_AT_ONCE):
        some = slice(first, min(first + _EDGES_AT_ONCE, n_edges))
        on_grid = _grid_of(phi[some], extent, *_ends(given, some), False)
        y = positions - shifts[some, :, None]
        cdfs[some] = on_grid(y.reshape(len(y), -1)).reshape(y.shape)
    return cdfs


def _frequencies(terms: int, extent: float) -> Array:
    """t_m for m = 1 ... terms."""
    t: Array = np.arange(1.0, terms + 1) * (np.pi / extent)
    return t


def _ramp(y: Array, half_width: float) -> Array:
    """CDF of a uniform on plus and minus a half width."""
    with np.errstate(over="ignore"):
        return np.clip(0.5 + y / (2 * half_width), 0.0, 1.0)


def _shifts(given: Contributions, n_edges: int) -> Array:
    """Means (n_edges, bins) of the pre-activation given the bin of an input."""
    return (given.means.sum() - given.means[:n_edges])[:, None] + given.offsets[:n_edges]


def _ends(given: Contributions, some: slice) -> tuple[Array, Array]:
    """Lower and upper end of what the sum less its mean reaches given the bin of each of some inputs."""
    pieces = given.pieces[some]
    return given.low.sum() - given.low[some] - pieces, given.high.sum() - given.high[some] + pieces


def _without_the_widest(given: Contributions, positions: Array, n_edges: int) -> Array:
    """What `edge_cdfs` returns, the widest input integrated out."""
    rest, bins = given.without_first(), given.offsets.shape[1]
    piece = float(given.pieces[0])
    cdfs = np.empty((n_edges, bins, len(positions)))
    if len(rest) == 1:
        integrated = lambda y: _single_integrated(rest, y)  # noqa: E731
        t, terms, extent = np.empty(0), 0, 0.0
    else:
        extent = rest.extent
        terms = min(rest.n_terms(extent, MAX_TERMS_OF_REST), MAX_TERMS_OF_REST)
        t = _frequencies(terms, extent)
        whole = rest.lattices(t).prod(axis=0) * rest.product_of_pieces(t)
        on_grid = _grid_of(whole[None], extent, rest.low.sum()[None], rest.high.sum()[None], True)
        integrated = lambda y: on_grid(y.reshape(1, -1)).reshape(y.shape)  # noqa: E731
    y = positions - (rest.means.sum() + given.offsets[0])[:, None]
    cdfs[0] = (integrated(y + piece) - integrated(y - piece)) / (2 * piece)
    if n_edges > 1:
        cdfs[1:] = _of_the_rest(given, rest, positions, n_edges - 1, t, extent)
    return np.clip(cdfs, 0.0, 1.0)


def _of_the_rest(
    given: Contributions, rest: Contributions, positions: Array, n_edges: int, t: Array, extent: float
) -> Array:
    """CDFs given the bins of inputs that are not the widest, which is integrated out."""
    order = np.argsort(given.offsets[0])
    masses = np.concatenate([[0.0], given.probabilities[0, order], [0.0]])
    jumps = np.diff(masses) / (2 * given.pieces[0])
    ends = given.offsets[0, order[0]] - given.pieces[0] + 2 * given.pieces[0] * np.arange(len(order) + 1)
    shifts = _shifts(rest, n_edges)
    cdfs = np.empty((n_edges, shifts.shape[1], len(positions)))
    if len(rest) == 1:
        # What is left of the rest is a piece: a ramp, integrated.
        for j, (jump, end) in enumerate(zip(jumps, ends, strict=True)):
            term = jump * _integrated_ramp(positions - end - shifts[0][:, None], float(rest.pieces[0]))
            cdfs[0] = term if j == 0 else cdfs[0] + term
        return cdfs
    phi = _leave_one_out(rest.lattices(t), n_edges) * rest.product_of_pieces(t)
    at_once = max(1, _EDGES_AT_ONCE // 8)
    for first in range(0, n_edges, at_once):
        some = slice(first, min(first + at_once, n_edges))
        on_grid = _grid_of(phi[some], extent, *_ends(rest, some), True)
        y = positions - shifts[some, :, None]
        total = np.zeros(y.shape)
        for jump, end in zip(jumps, ends, strict=True):
            if jump:
                total += jump * on_grid((y - end).reshape(len(y), -1)).reshape(y.shape)
        cdfs[some] = total
    return cdfs


def _integrated_ramp(y: Array, half_width: float) -> Array:
    """E max(y - U, 0) of a uniform U on plus and minus a half width."""
    inside = (y + half_width) ** 2 / (4 * half_width)
    found: Array = np.where(y >= half_width, y, np.where(y <= -half_width, 0.0, inside))
    return found
