"""A slow, readable oracle of measures with inputs drawn from histograms: enumeration, in plain NumPy and mpmath.

Nothing here calls the package. Inputs are on the unit interval, input k in bin q with probability p[k, q] and uniform
inside it.
"""

from itertools import product
from math import factorial

import numpy as np
from mpmath import mp, mpf


def entropy(p):
    """Entropy in bits of probabilities."""
    p = np.asarray(p, dtype=float).ravel()
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())


def information(joint):
    """Mutual information in bits of a joint table, made to add up to 1."""
    joint = np.asarray(joint, dtype=float)
    if not joint.sum():
        return np.nan
    joint = joint / joint.sum()
    return entropy(joint.sum(axis=0)) + entropy(joint.sum(axis=1)) - entropy(joint)


def joint_table(codes_of, p, out_bins, points):
    """P(input cell, joint state of the outputs), (cells, states), with a grid of `points` along each input in a cell.

    `codes_of` has the bins (m, n_out) of the outputs at inputs (m, n_in); a bin of `out_bins` is outside.
    """
    n_in, in_bins = p.shape
    inner = np.array(list(product((np.arange(points) + 0.5) / points, repeat=n_in)))
    n_out = codes_of(inner[:1]).shape[1]
    table = np.zeros((in_bins**n_in, (out_bins + 1) ** n_out))
    for c, cell in enumerate(product(range(in_bins), repeat=n_in)):
        probability = np.prod([p[k, q] for k, q in enumerate(cell)])
        if probability:
            states = codes_of((np.array(cell) + inner) / in_bins) @ (out_bins + 1) ** np.arange(n_out)
            table[c] = probability * np.bincount(states, minlength=table.shape[1]) / len(inner)
    return table


def kept(table, out_bins, n_out):
    """The table with the states in which any output is outside set to 0."""
    states = np.arange(table.shape[1])
    inside = np.all([states // (out_bins + 1) ** j % (out_bins + 1) < out_bins for j in range(n_out)], axis=0)
    return table * inside


def edge(table, i, j, n_in, in_bins, n_out, out_bins):
    """Joint table of input i and output j, what is outside left out."""
    cube = table.reshape((in_bins,) * n_in + (out_bins + 1,) * n_out)
    # The first output counts fastest, so that it is last.
    axes = tuple(k for k in range(n_in) if k != i) + tuple(n_in + k for k in range(n_out) if k != n_out - 1 - j)
    return cube.sum(axis=axes)[:, :out_bins]


def sensitivity(code_of, p, i, baseline, out_bins, points=4000):
    """I(X_i; Y) in bits with input i alone drawn, on a grid of `points` in each of its bins."""
    in_bins = p.shape[1]
    joint = np.zeros((in_bins, out_bins + 1))
    for q in range(in_bins):
        x = np.full((points, len(p)), float(baseline))
        x[:, i] = (q + (np.arange(points) + 0.5) / points) / in_bins
        joint[q] = p[i, q] * np.bincount(code_of(x), minlength=out_bins + 1) / points
    return information(joint[:, :out_bins])


def cdf_given(weight, p, i, q, z):
    """P(sum over k of weight_k (x_k - 1/2) < z | input i in bin q): inclusion and exclusion with 40 digits."""
    bins, axes = p.shape[1], []
    with mp.workdps(40):
        for k, w in enumerate(weight):
            shares = np.eye(bins)[q] if k == i else p[k]
            ends = [mpf(float(w)) * (mpf(e) / bins - mpf(1) / 2) for e in range(bins + 1)]
            densities = [mpf(float(share)) * bins / abs(mpf(float(w))) for share in shares]
            if w < 0:
                ends, densities = ends[::-1], densities[::-1]
            jumps = [b - a for a, b in zip([mpf(0), *densities], [*densities, mpf(0)], strict=True)]
            axes.append([(end, jump) for end, jump in zip(ends, jumps, strict=True) if jump])
        total = mpf(0)
        for corner in product(*axes):
            left = mpf(float(z)) - sum(end for end, _ in corner)
            if left > 0:
                total += left ** len(weight) * mp.fprod(jump for _, jump in corner)
        return float(total / factorial(len(weight)))
