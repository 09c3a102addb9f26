"""Figures of control variates against their definitions written out."""

import numpy as np
from scipy.stats import norm

from ei_fast.kernels.controls import add_kept_entropies, faded_entropies, sums_by_code

BREAKS = np.array([-1.0, -0.2, 0.1, 0.7, 2.0])


def test_sums_by_code():
    rng = np.random.default_rng(0)
    figures, codes = rng.normal(size=(5, 8)), rng.integers(0, 8, (40, 5))
    states = sum(codes[:, j].astype(np.uint64) << np.uint64(3 * j) for j in range(5))
    out = np.empty(40)
    sums_by_code(states, 3, figures, out)
    np.testing.assert_allclose(out, figures[np.arange(5), codes].sum(axis=1), rtol=1e-13)


def test_entropies_among_what_is_kept():
    # The second output meets its first bin twice, and drops what lies between.
    breaks = np.array([BREAKS, BREAKS])
    codes = np.array([[3, 0, 1, 2, 0, 3], [0, 1, 3, 3, 2, 0]], np.uint16)
    centres = np.random.default_rng(0).normal(0, 1, (50, 2))
    spreads = np.array([0.3, 1.1])
    out = np.ones(50)
    add_kept_entropies(centres, spreads, breaks, np.array([5, 5]), codes, np.array([0, 1]), 3, out)
    expected = np.ones(50)
    for j in range(2):
        pieces = np.diff(norm.cdf(BREAKS[:, None], centres[:, j], spreads[j]), axis=0, prepend=0.0, append=1.0)
        p = np.array([pieces[codes[j] == code].sum(axis=0) for code in range(3)])
        p /= p.sum(axis=0)
        expected -= np.sum(p * np.log2(np.maximum(p, 1e-300)), axis=0)
    np.testing.assert_allclose(out, expected, atol=1e-9)


def test_an_output_that_does_not_move_has_no_entropy():
    out = np.zeros(2)
    one = np.zeros(1, np.int64)
    add_kept_entropies(np.zeros((2, 1)), np.zeros(1), BREAKS[None], one + 5, np.zeros((1, 6), np.uint16), one, 3, out)
    assert not out.any()


def test_faded_entropies():
    spread, reach, half = 0.3, 1.5, 3.9
    out = np.empty(64)
    faded_entropies(0.2, spread, BREAKS, reach, half, out)
    at = -half + 2 * half / 64 * np.arange(64)
    p = np.diff(norm.cdf(BREAKS[:, None], 0.2 + at, spread), axis=0, prepend=0.0, append=1.0)
    entropies = -np.sum(p * np.log2(np.maximum(p, 1e-300)), axis=0)
    inside = np.abs(at) <= reach
    np.testing.assert_allclose(out[inside], entropies[inside], atol=1e-9)
    share = (np.abs(at) - reach) / (half - reach)
    between = (share > 0) & (share < 1)
    fade = 1 / (1 + np.exp(1 / (1 - share[between]) - 1 / share[between]))
    np.testing.assert_allclose(out[between], fade * entropies[between], atol=1e-9)
    assert out[0] == 0.0
    assert between.sum() > 20
