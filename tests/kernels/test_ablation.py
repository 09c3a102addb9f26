"""Kernels of ablated layers against plain NumPy."""

import numpy as np

from ei_fast.kernels.ablation import ablated_keys, control_of_cells, multiplicities, summed, words_of_codes

RNG = np.random.default_rng(0)
WEIGHT, BIAS, X = RNG.normal(size=(4, 3)), RNG.normal(size=3), RNG.random((4, 200))
WEIGHT[1, 2] = 0.0
BREAKS = np.array([[-0.5, 0.0, 0.7]])
CODES = np.array([[0, 1, 2, 1]], np.uint16)
TABLE = (BREAKS, np.array([3]), CODES, np.zeros(3, np.int64))
WORDS = RNG.integers(0, 2**63, (3, 4)).astype(np.uint64)


def _codes(weight, bias):
    s = (X[:, :, None] * weight[:, None]).sum(axis=0) + bias
    return CODES[0][np.searchsorted(BREAKS[0], s, side="right")]


def _keys_of(codes, outputs=(0, 1, 2)):
    keys = np.zeros(len(codes), np.uint64)
    for j in outputs:
        keys ^= WORDS[j][codes[:, j]]
    return keys


def test_keys_are_those_of_the_layers_written_out():
    s, found, base = np.empty((3, 200)), np.empty((3, 200), np.uint64), np.empty(200, np.uint64)
    summed(WEIGHT, BIAS, X, s)
    np.testing.assert_allclose(s.T, X.T @ WEIGHT + BIAS, rtol=1e-12)
    words_of_codes(s, *TABLE, WORDS, found, base)
    assert (base == _keys_of(_codes(WEIGHT, BIAS))).all()
    values = np.array([0.5, 0.0, -1.0, 0.25])
    inputs, outputs = np.array([2, 0, -1, -1, 1]), np.array([1, -1, 2, -1, 2])
    keys = np.zeros((5, 203), np.uint64)
    ablated_keys(WEIGHT, values, inputs, outputs, X, s, *TABLE, WORDS, found, base, 3, keys)
    edge, edge_bias = WEIGHT.copy(), BIAS.copy()
    edge[2, 1], edge_bias[1] = 0.0, BIAS[1] - WEIGHT[2, 1]
    held = WEIGHT.copy()
    held[0] = 0.0
    expected = [
        _keys_of(_codes(edge, edge_bias)),
        _keys_of(_codes(held, BIAS + 0.5 * WEIGHT[0])),
        _keys_of(_codes(WEIGHT, BIAS), (0, 1)),
        base,
        base,
    ]
    assert (keys[:, :3] == 0).all()
    assert (keys[:, 3:] == np.array(expected)).all()


def test_multiplicities_are_counts():
    keys = RNG.integers(0, 40, 300).astype(np.uint64)
    out = np.empty(300, np.int64)
    n = multiplicities(keys, np.empty(1024, np.uint64), np.empty(1024, np.int64), np.empty(300, np.int64), out)
    states, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    assert n == len(states)
    assert (out == counts[inverse]).all()


def test_controls_are_read_off_their_tables():
    middles, bins = np.array([0.25, 0.75]), RNG.integers(0, 2, (4, 50)).astype(np.uint16)
    centres = (middles[bins].T @ WEIGHT + BIAS).T.copy()
    lows, widths, tables = np.full(3, -2.0), np.full(3, 0.5), RNG.random((3, 9))
    inputs, outputs = np.array([2, 0, -1, -1]), np.array([1, -1, 2, -1])
    values, out = np.full(4, 0.5), np.empty((4, 50))
    control_of_cells(WEIGHT, values, inputs, outputs, middles, bins, centres, lows, widths, tables, out)

    def read(k, places):
        return np.interp(places, -2.0 + 0.5 * np.arange(9), tables[k])

    def change(i, k):
        return read(k, centres[k] - WEIGHT[i, k] * (middles[bins[i]] - 0.5)) - read(k, centres[k])

    expected = [change(2, 1), sum(change(0, k) for k in range(3)), -read(2, centres[2]), np.zeros(50)]
    np.testing.assert_allclose(out, expected, atol=1e-8)
