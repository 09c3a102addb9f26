"""Figures of control variates against their definitions written out."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from ei_fast.kernels.controls import (
    _add_code_probabilities,
    add_gaussian_entropies,
    add_kept_entropies,
    faded_entropies,
    gaussian_entropy,
    lattice_characteristic,
    mark_codes,
    sums_by_code,
)

BREAKS = np.array([-1.0, -0.2, 0.1, 0.7, 2.0])


def _pieces(breaks, mean, sd):
    """Probabilities of the intervals between breakpoints under a Gaussian."""
    return np.diff(norm.cdf(breaks, mean, sd), prepend=0.0, append=1.0)


def _entropy(p):
    return -np.sum(p[p > 0] * np.log2(p[p > 0]))


# Narrow and wide, among the breakpoints, on one, and so far from all of them that they are not looked at.
@pytest.mark.parametrize(("mean", "sd"), [(0.0, 0.3), (0.1, 1e-3), (0.3, 50.0), (-1.0, 0.1), (2.9, 0.1), (-3.0, 0.1)])
def test_gaussian_entropy(mean, sd):
    assert gaussian_entropy(mean, sd, BREAKS) == pytest.approx(_entropy(_pieces(BREAKS, mean, sd)), abs=1e-12)


def test_gaussian_entropies_of_all_outputs():
    rng = np.random.default_rng(0)
    centres, sds = rng.normal(size=(20, 3)), np.array([0.5, 0.0, 2.0])
    breaks, sizes, rows = np.array([BREAKS, BREAKS - 0.5]), np.array([3, 5]), np.array([1, 0, 0])
    out = np.ones(20)
    add_gaussian_entropies(centres, sds, breaks, sizes, rows, out)
    expected = [
        1.0 + _entropy(_pieces(BREAKS - 0.5, row[0], 0.5)) + _entropy(_pieces(BREAKS[:3], row[2], 2.0))
        for row in centres
    ]
    np.testing.assert_allclose(out, expected, rtol=0, atol=1e-12)


def test_probabilities_of_codes():
    codes, probabilities = np.array([0, 1, 3, 1, 2, 0], np.uint16), np.array([0.5, 0.0, 0.0])
    stop, kept = _add_code_probabilities(0.0, 0.3, BREAKS, codes, 1, 3, probabilities)
    pieces = _pieces(BREAKS, 0.0, 0.3)
    # The last breakpoint, 2.0, is within 8 standard deviations; the first one is said not to be.
    assert stop == 6
    np.testing.assert_allclose(
        probabilities, [0.5 + pieces[5], pieces[:2].sum() + pieces[3], pieces[4]], rtol=0, atol=1e-14
    )
    assert kept == pytest.approx(1 - pieces[2], abs=1e-14)


@pytest.mark.parametrize("bins", [2, 3, 8, 32, 33, 100])
def test_characteristic_function_of_lattices(bins):
    spacings = np.array([0.3, -1.1, 0.7])
    # Half of the step times the second spacing is pi / 4, so that every fourth frequency meets a multiple of pi.
    step = np.pi / 2.2
    out = np.full(30, np.nan)
    lattice_characteristic(spacings, bins, step, out)
    points = np.multiply.outer(spacings, np.arange(bins) - (bins - 1) / 2)
    expected = np.prod(np.cos(np.multiply.outer(step * np.arange(30), points)).mean(axis=2), axis=1)
    # The recurrence doubles rounding with every step at the worst: bins**2 of it.
    np.testing.assert_allclose(out, expected, rtol=0, atol=40 * bins**2 * np.finfo(float).eps)
    assert out[0] == 1.0


def test_the_characteristic_function_gives_the_mean_over_all_cells():
    spacings, bins, t = np.array([0.3, -1.1, 0.7]), 3, 0.9
    sums = [np.dot(spacings, np.array(cell) - 1) for cell in product(range(3), repeat=3)]
    out = np.empty(2)
    lattice_characteristic(spacings, bins, t, out)
    assert out[1] == pytest.approx(np.cos(t * np.array(sums)).mean(), abs=1e-14)


def test_mark_codes():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 8, (6, 5))
    states = sum(codes[:, j].astype(np.uint64) << np.uint64(3 * j) for j in range(5))
    seen = np.zeros((5, 8), np.bool_)
    seen[0, :] = True
    mark_codes(states, 3, seen)
    expected = np.zeros((5, 8), np.bool_)
    expected[0] = True
    expected[np.arange(5), codes] = True
    np.testing.assert_array_equal(seen, expected)
    assert not seen.all()


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
    sizes, rows = np.array([5]), np.array([0])
    add_kept_entropies(np.zeros((2, 1)), np.zeros(1), BREAKS[None], sizes, np.zeros((1, 6), np.uint16), rows, 3, out)
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
