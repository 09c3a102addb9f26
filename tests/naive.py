"""A slow, readable oracle of everything the package computes, in plain NumPy and SciPy.

Nothing here calls the package: activations are evaluated and their values binned, where the package
works with breakpoints of the pre-activation; states are counted with numpy.unique; uniforms come from
numpy.random, or are recomputed with Python's integers.
"""

from itertools import product
from math import erf

import numpy as np
from mpmath import mp
from scipy.special import digamma, expit, ndtr


def _softplus(s):
    return np.log1p(np.exp(-np.abs(s))) + np.maximum(s, 0)


# Written down from their definitions, with the default parameters.
ACTIVATIONS = {
    "linear": lambda s: s,
    "sigmoid": expit,
    "tanh": np.tanh,
    "relu": lambda s: np.maximum(s, 0.0),
    "relu6": lambda s: np.minimum(np.maximum(s, 0.0), 6.0),
    "leaky_relu": lambda s: np.where(s < 0, 0.01 * s, s),
    "elu": lambda s: np.where(s < 0, np.exp(np.minimum(s, 0)) - 1, s),
    "selu": lambda s: 1.0507009873554805 * np.where(s < 0, 1.6732632423543772 * (np.exp(np.minimum(s, 0)) - 1), s),
    "gelu": lambda s: s * 0.5 * (1 + np.vectorize(erf)(s / np.sqrt(2))),
    "silu": lambda s: s / (1 + np.exp(-s)),
    "mish": lambda s: s * np.tanh(_softplus(s)),
    "softplus": _softplus,
    "softsign": lambda s: s / (1 + np.abs(s)),
    "log_sigmoid": lambda s: -_softplus(-s),
    "hard_sigmoid": lambda s: np.minimum(np.maximum(s + 3, 0), 6) / 6,
    "hard_tanh": lambda s: np.minimum(np.maximum(s, -1), 1),
    "hard_silu": lambda s: s * np.minimum(np.maximum(s + 3, 0), 6) / 6,
}


def bins_of(values, limits, bins):
    """Bin indices by counting the inner edges that are not above a value."""
    low, high = limits
    edges = [(low * (bins - k) + high * k) / bins for k in range(1, bins)]
    return sum((np.asarray(values) >= edge).astype(int) for edge in edges)


def codes_of(values, limits, bins, drop):
    """Bin indices; where outputs are dropped, `bins` stands for outside."""
    codes = bins_of(values, limits, bins)
    return np.where((values < limits[0]) | (values > limits[1]), bins, codes) if drop else codes


def outputs(x, weight, bias, activation):
    """Layer outputs for inputs (m, n_in)."""
    return ACTIVATIONS[activation](x @ weight + bias)


def entropy(states):
    """Plug-in entropy in bits of rows of `states`."""
    _, counts = np.unique(states, axis=0, return_counts=True)
    p = counts / counts.sum()
    return float(-(p * np.log2(p)).sum())


def grassberger(counts):
    """Grassberger's 2003 entropy in bits, by digamma functions as he writes them."""
    counts = np.asarray(counts)
    if len(counts) == 1:
        return 0.0
    g = digamma(counts) + 0.5 * (-1.0) ** counts * (digamma((counts + 1) / 2) - digamma(counts / 2))
    n = counts.sum()
    return float((np.log(n) - (counts * g).sum() / n) / np.log(2))


def entropy_by(name, counts):
    """Entropy in bits of counts by any of the estimators, one state having none."""
    counts = np.asarray(counts)
    if len(counts) == 1:
        return 0.0
    if name == "grassberger":
        return grassberger(counts)
    n = counts.sum()
    if name == "zhang":
        # Zhang's own form: powers of 1 - p, each estimated without bias, summed up to n - 1.
        total = 0.0
        for c in counts:
            term = 1.0
            for v in range(1, n - c + 1):
                term *= 1 - (c - 1) / (n - v)
                total += c / n * term / v
        return float(total / np.log(2))
    plugin = -sum(c / n * np.log2(c / n) for c in counts)
    if name == "plugin":
        return plugin
    if name == "miller-madow":
        return plugin + (len(counts) - 1) / (2 * n * np.log(2))
    # Chao & Shen: shrink by the coverage, weigh by the chance of being seen.
    singles = np.count_nonzero(counts == 1)
    coverage = 1 - min(singles, n - 1) / n
    p = coverage * counts / n
    return -sum(q * np.log2(q) / (1 - (1 - q) ** n) for q in p)


def splitmix64(state):
    """The finaliser of SplitMix64 on Python's integers."""
    mask = (1 << 64) - 1
    z = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
    return z ^ (z >> 31)


def word(stream_keys, neuron, sample):
    """The 32 random bits that input `neuron` gets in sample number `sample`."""
    mask = (1 << 32) - 1
    page, offset = divmod(sample, 1024)
    key = splitmix64((int(stream_keys[neuron]) + page * 0x9E3779B97F4A7C15) % 2**64)
    z = ((key >> 32) + offset * 0x9E3779B9) & mask
    z = ((z ^ (z >> 16)) * 0x21F0AAAD) & mask
    z ^= key & mask
    z = ((z ^ (z >> 15)) * 0xD35A2D97) & mask
    return z ^ (z >> 15)


def uniform(stream_keys, neuron, sample):
    """The uniform on (-1/2, 1/2) that input `neuron` gets in sample number `sample`."""
    return ((word(stream_keys, neuron, sample) >> 8) - 2**23 + 0.5) * 2.0**-24


def edge_information(weight, constant, activation, in_range, in_bins, out_range, out_bins, points=200_001):
    """I(A; B) of one edge in bits on a fine grid: error about (pieces / points) log2(points)."""
    low, high = in_range
    a = low + (high - low) * (np.arange(points) + 0.5) / points
    joint = np.zeros((in_bins, out_bins))
    b = ACTIVATIONS[activation](weight * a + constant)
    np.add.at(joint, (bins_of(a, in_range, in_bins), bins_of(b, out_range, out_bins)), 1.0 / points)
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    inside = joint > 0
    return float((joint[inside] * np.log2(joint[inside] / independent[inside])).sum())


def uniform_sum_cdf(points, widths):
    """P(S <= z) of a sum of uniforms on [-a, a], for every z.

    Few of them by the inclusion-exclusion formula with 80 digits, many by quadrature of the inversion
    formula of Gil-Pelaez with Gauss-Legendre panels that resolve its fastest oscillation. One that dwarfs the
    others together is integrated out by quadrature over where it leaves them room.
    """
    widths = np.asarray([a for a in widths if a > 0])
    points = np.asarray(points, dtype=float)
    if len(widths) <= 10:
        with mp.workdps(80):
            exact = [mp.mpf(float(a)) for a in widths]
            corners = [(mp.mpf(0), 1)]
            for a in exact:
                corners = [(c + s * a, sign * s) for c, sign in corners for s in (1, -1)]
            scale = mp.factorial(len(exact)) * mp.fprod(2 * a for a in exact)
            values = []
            for z in points.ravel():
                z = mp.mpf(float(z))
                values.append(float(sum(sign * (z + c) ** len(exact) for c, sign in corners if z + c > 0) / scale))
        return np.array(values).reshape(points.shape)
    support = widths.sum()
    largest = widths.max()
    rest = np.delete(widths, widths.argmax())
    if largest > 20 * rest.sum():
        # P = 1/2a * integral of F_rest from z - a to z + a, F_rest being 0, then rising within rest.sum(), then 1.
        nodes, weights = np.polynomial.legendre.leggauss(400)
        inner = rest.sum() * nodes
        rising = uniform_sum_cdf(inner, rest)

        def primitive(z):
            if z <= -rest.sum():
                return 0.0
            if z >= rest.sum():
                return z
            middle, half = (z - rest.sum()) / 2, (z + rest.sum()) / 2
            return half * (weights * np.interp(middle + half * nodes, inner, rising)).sum()

        values = [(primitive(z + largest) - primitive(z - largest)) / (2 * largest) for z in points.ravel()]
        return np.array(values).reshape(points.shape)
    end = 1.0
    while np.log(np.maximum(1.0, end * widths)).sum() < 45 and (np.minimum(end * widths, 3) ** 2).sum() / 6 < 45:
        end *= 1.05
    nodes, weights = np.polynomial.legendre.leggauss(32)
    panels = int(np.ceil(end * support / 8)) + 1
    edges = np.linspace(0.0, end, panels + 1)
    t = (0.5 * (edges[1:] + edges[:-1])[:, None] + 0.5 * np.diff(edges)[:, None] * nodes).ravel()
    w = (0.5 * np.diff(edges)[:, None] * weights).ravel()
    phi = np.ones_like(t)
    for a in widths:
        phi *= np.sinc(t * a / np.pi)
    inside = np.array([(w * phi * np.sin(t * z) / t).sum() for z in points.ravel()]).reshape(points.shape)
    return np.where(points >= support, 1.0, np.where(points <= -support, 0.0, 0.5 + inside / np.pi))


def parts_of_edge(i, weight, bias, activation, in_range, in_bins, out_range, out_bins, drop=False):
    """I(X_i; Y) in bits of one output (weight (n,)) with all inputs uniform, by `uniform_sum_cdf`."""
    low, high = in_range
    width = (high - low) / in_bins
    half = np.abs(weight) * (high - low) / 2
    half[i] /= in_bins
    pieces = step_pieces(activation, out_range, out_bins, drop)
    centre = bias + weight.sum() * (low + high) / 2
    joint = np.zeros((in_bins, out_bins + 1))
    for p in range(in_bins):
        shift = centre + weight[i] * (p - (in_bins - 1) / 2) * width
        cdf = np.concatenate([[0.0], uniform_sum_cdf(np.array([at for at, _ in pieces[1:]]) - shift, half), [1.0]])
        for k, (_, code) in enumerate(pieces):
            joint[p, code] += (cdf[k + 1] - cdf[k]) / in_bins
    joint = np.maximum(joint, 0.0)
    if drop:
        joint[:, out_bins] = 0.0
        joint /= joint.sum()
    independent = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0)
    inside = joint > 0
    return float((joint[inside] * np.log2(joint[inside] / independent[inside])).sum())


def step_pieces(activation, out_range, out_bins, drop=False):
    """(where it begins, bin) of every piece on which the binned activation is constant, by scanning and bisection."""
    f = ACTIVATIONS[activation] if isinstance(activation, str) else activation

    def code(s):
        y = f(np.asarray(s, dtype=float))
        bins = bins_of(y, out_range, out_bins)
        outside = (y < out_range[0]) | (y > out_range[1])
        return np.where(outside, out_bins, bins) if drop else bins

    grid = np.linspace(-30, 30, 600_001)
    codes = code(grid)
    pieces = [(-np.inf, int(codes[0]))]
    for k in np.flatnonzero(codes[1:] != codes[:-1]):
        left, right = grid[k], grid[k + 1]
        for _ in range(60):
            middle = (left + right) / 2
            if code(middle) == codes[k]:
                left = middle
            else:
                right = middle
        pieces.append((right, int(codes[k + 1])))
    return pieces


def joint_ei_on_a_grid(weight, bias, activation, in_range, in_bins, out_range, out_bins, points, drop=False):
    """EI in bits with `points` inner points along each input in each input cell; for a few inputs."""
    n_in = weight.shape[0]
    low, high = in_range
    width = (high - low) / in_bins
    inner = np.array(list(product((np.arange(points) + 0.5) / points, repeat=n_in)))
    inside, kept, counted = [], [], []
    for cell in product(range(in_bins), repeat=n_in):
        y = outputs(low + width * (np.array(cell) + inner), weight, bias, activation)
        if drop:
            y = y[((y >= out_range[0]) & (y <= out_range[1])).all(axis=1)]
        states, counts = np.unique(_keys(bins_of(y, out_range, out_bins), out_bins), return_counts=True)
        p = counts / max(counts.sum(), 1)
        inside.append(-(p * np.log2(p)).sum())
        kept.append(len(y))
        counted.append((states, counts))
    _, state = np.unique(np.concatenate([states for states, _ in counted]), return_inverse=True)
    p = np.bincount(state, np.concatenate([counts for _, counts in counted]))
    p /= p.sum()
    return float(-(p * np.log2(p)).sum() - np.average(inside, weights=kept))


def joint_ei_by_sampling(
    weight, bias, activation, in_range, in_bins, out_range, out_bins, rng, n_cells, m, n, n_control
):
    """EI in bits and its standard error, by drawn cells with a control variate; by every cell where `n_cells` is None.

    H(Y | X) averages over cells the entropy among m points; the control is the sum over outputs of the
    entropy of a Gaussian with the cell's mean and variance, whose mean comes from `n_control` cells.
    """
    n_in = weight.shape[0]
    low, high = in_range
    width = (high - low) / in_bins
    breaks = _breaks(activation, out_range, out_bins)
    spread = np.sqrt((weight**2).sum(axis=0) * width**2 / 12)

    def control(cells):
        centre = (low + width * (cells + 0.5)) @ weight + bias
        p = np.diff(ndtr((breaks[:, None, None] - centre) / spread), axis=0)
        return -np.where(p > 0, p * np.log2(np.where(p > 0, p, 1.0)), 0.0).sum(axis=(0, 2))

    def inside(cell):
        x = low + width * (cell + rng.random((m, n_in)))
        counts = np.unique(
            _keys(bins_of(outputs(x, weight, bias, activation), out_range, out_bins), out_bins), return_counts=True
        )[1]
        # The entropy, and the variance of what a point tells.
        return grassberger(counts), (counts @ np.log2(counts / m) ** 2) / m - entropy_by("plugin", counts) ** 2

    if n_cells is None:
        entropies, tells = np.transpose([inside(np.array(cell)) for cell in product(range(in_bins), repeat=n_in)])
        conditional = entropies.mean()
        variance = tells.sum() / m / len(tells) ** 2
    else:
        cells = rng.integers(0, in_bins, (n_cells, n_in))
        entropies = np.array([inside(cell)[0] for cell in cells])
        helper = control(cells)
        slope = np.cov(entropies, helper)[0, 1] / max(helper.var(ddof=1), 1e-300)
        chunk = min(50_000, 20_000_000 // n_in)
        many = np.concatenate([control(rng.integers(0, in_bins, (chunk, n_in))) for _ in range(n_control // chunk)])
        conditional = entropies.mean() - slope * (helper.mean() - many.mean())
        variance = (entropies - slope * helper).var(ddof=1) / n_cells + slope**2 * many.var() / len(many)

    # Of wide layers fewer at a time, for memory.
    chunk = min(500_000, 40_000_000 // n_in)
    keys = [
        _keys(
            bins_of(
                outputs(low + (high - low) * rng.random((chunk, n_in)), weight, bias, activation), out_range, out_bins
            ),
            out_bins,
        )
        for _ in range(n // chunk)
    ]
    _, counts = np.unique(np.concatenate(keys), return_counts=True)
    p = counts / counts.sum()
    plugin = -(p * np.log2(p)).sum()
    variance += ((p * np.log2(p) ** 2).sum() - plugin**2) / counts.sum()
    return grassberger(counts) - conditional, float(np.sqrt(variance))


def joint_ei_of_equal_weights(n, bias, breaks, codes, in_bins):
    """EI in bits, exact, of one output that all n inputs on (0, 1) enter with weight 1; also P of its bins.

    codes[k] is its bin below breaks[k]. A cell's centre is a sum of n lattice points, whose distribution is a
    convolution; inside a cell the pre-activation is a sum of n uniforms.
    """
    lattice = np.ones(1)
    for _ in range(n):
        lattice = np.convolve(lattice, np.full(in_bins, 1 / in_bins))
    centres = bias + (np.arange(len(lattice)) + n / 2) / in_bins
    reach = n / in_bins / 2
    inside = np.zeros((len(lattice), max(codes) + 1))
    before = np.zeros(len(lattice))
    for k, at in enumerate([*breaks, np.inf]):
        cdf = np.where(at - centres >= reach, 1.0, 0.0)
        crossed = np.abs(at - centres) < reach
        cdf[crossed] = uniform_sum_cdf(at - centres[crossed], np.full(n, 0.5 / in_bins))
        inside[:, codes[k]] += cdf - before
        before = cdf

    def entropies(p):
        return -(np.where(p > 1e-300, p, 1.0) * np.log2(np.where(p > 1e-300, p, 1.0))).sum(axis=-1)

    p = lattice @ inside
    return float(entropies(p) - lattice @ entropies(inside)), p


def joint_ei_of_kept(weight, bias, activation, in_range, in_bins, out_range, out_bins, rng, n_cells, m, n):
    """EI in bits and its standard error where outputs outside `out_range` are dropped: cells of kept points.

    Each of `n_cells` cells is that of a point that was kept; inside it `m` kept points are drawn. `n` points are
    kept for H(Y).
    """
    low, high = in_range
    width = (high - low) / in_bins
    n_in = weight.shape[0]

    def kept(x):
        y = outputs(x, weight, bias, activation)
        inside = ((y >= out_range[0]) & (y <= out_range[1])).all(axis=1)
        return x[inside], _keys(bins_of(y[inside], out_range, out_bins), out_bins)

    cells, keys = [], []
    while sum(map(len, keys)) < n:
        x, states = kept(low + (high - low) * rng.random((200_000, n_in)))
        keys.append(states)
        cells.append(np.floor((x - low) / width)[: n_cells - sum(map(len, cells))])
    entropies = []
    for cell in np.concatenate(cells):
        inside = []
        while sum(map(len, inside)) < m:
            inside.append(kept(low + width * (cell + rng.random((2 * m, n_in))))[1])
        entropies.append(grassberger(np.unique(np.concatenate(inside)[:m], return_counts=True)[1]))
    _, counts = np.unique(np.concatenate(keys), return_counts=True)
    p = counts / counts.sum()
    plugin = -(p * np.log2(p)).sum()
    variance = ((p * np.log2(p) ** 2).sum() - plugin**2) / counts.sum() + np.var(entropies) / n_cells
    return grassberger(counts) - np.mean(entropies), float(np.sqrt(variance))


def _keys(codes, bins):
    """One integer for each row of `codes`, exact for as long as it fits into 64 bits."""
    assert codes.shape[1] * np.log2(bins) <= 63
    return codes @ (bins ** np.arange(codes.shape[1], dtype=np.int64))


def _breaks(activation, limits, bins):
    """Pre-activations at which an increasing activation meets the edges of its bins, the outer ones infinite."""
    low, high = limits
    edges = low + (high - low) * np.arange(1, bins) / bins
    grid = np.linspace(-60, 60, 2_000_001)
    inner = np.interp(edges, ACTIVATIONS[activation](grid), grid)
    return np.concatenate([[-np.inf], inner, [np.inf]])


def edge_histograms(x, y, in_range, out_range, bins, drop=False):
    """Counts (n_in, n_out, bins, bins) of what goes in, x (m, n_in), and comes out, y (m, n_out), edge by edge."""
    counts = np.zeros((x.shape[1], y.shape[1], bins, bins), int)
    x_codes, y_codes = bins_of(x, in_range, bins), bins_of(y, out_range, bins)
    for i in range(x.shape[1]):
        for j in range(y.shape[1]):
            kept = (y[:, j] >= out_range[0]) & (y[:, j] <= out_range[1]) if drop else np.full(len(y), True)
            np.add.at(counts[i, j], (x_codes[kept, i], y_codes[kept, j]), 1)
    return counts


def information_by(name, counts):
    """H(X) + H(Y) - H(X, Y) of a table of counts by any of the estimators."""
    parts = counts.sum(axis=1), counts.sum(axis=0), counts.ravel()
    of_x, of_y, of_both = (entropy_by(name, part[part > 0]) for part in parts)
    return of_x + of_y - of_both
