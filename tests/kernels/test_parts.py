"""Conditional distributions of the pre-activation, and EI_parts, by every route, against 80 digits and quadrature."""

import naive
import numpy as np
import pytest
from slow_cases import some_slow

from ei_fast.kernels import parts
from ei_fast.kernels.closed_form import _widest_and_lumped, closed_cdf
from ei_fast.kernels.parts import edges_parts, information_of_cdf
from ei_fast.kernels.series import (
    _cdf_of_series,
    _integrated_cdf_of_series,
    _integration_constant,
    _series_sums,
    dominated_cdf,
    series_cdf,
    trigonometry,
)
from ei_fast.kernels.uniform_sums import leave_one_out

BREAKS = np.array([-1.1, -0.4, 0.0, 0.3, 0.9])
CODES = np.array([0, 1, 2, 1, 3, 0], np.uint16)
"""The output's bins between them; two come back, as under a function that is not monotone."""
OUTSIDE = 3
IN_BINS = 4

WEIGHTS = {
    "no input": [0.0, 0.0],
    "single input": [0.0, -1.2],
    "closed form": [0.6, 0.0, -1.0, 0.2],
    "series": [0.6, -1.0, 0.2, 0.5, 0.4, -0.3, 0.8],
    "series, of which one input leads": [3.0, -1.0, 0.9, 0.8, 0.7],
    "widest integrated out": [0.2, 0.3, 0.4, -0.5, 2e3, 0.6, -0.7, 0.8, 0.9, 1.0],
    "narrow ones lumped": [1.0, 1e-7, 1e-2, 1e-4, -1e-9, 1e-6, 1e-8, 1e-3, 1e-5],
}


def _information(table, outside=-1):
    table = np.delete(table, outside, axis=1) if outside >= 0 else table
    table = table / table.sum()
    independent = table.sum(axis=1, keepdims=True) * table.sum(axis=0)
    some = table > 0
    return float((table[some] * np.log2(table[some] / independent[some])).sum())


def _table(cdf, codes, n_codes):
    pieces = np.diff(cdf, axis=1, prepend=0.0, append=1.0)
    table = np.zeros((len(cdf), n_codes))
    for k, code in enumerate(codes):
        table[:, code] += pieces[:, k]
    return table


def _expected_cdf(i, half_widths, positions, in_bins, spacing):
    half_widths = np.array(half_widths, float)
    half_widths[i] /= in_bins
    shifts = spacing * (np.arange(in_bins) - (in_bins - 1) / 2)
    return naive.uniform_sum_cdf(positions - shifts[:, None], half_widths)


def _expected_parts(weight, centre, range_width, in_bins, breaks, codes, outside):
    out = np.zeros(len(weight))
    for i in np.flatnonzero(weight):
        half_widths = np.abs(weight) * range_width / 2
        cdf = _expected_cdf(i, half_widths, breaks - centre, in_bins, weight[i] * range_width / in_bins)
        out[i] = _information(_table(cdf, codes, max(codes) + 1), outside)
    return out


def test_information_of_a_cdf():
    cdf = np.sort(np.random.default_rng(0).uniform(0, 1, (IN_BINS, len(BREAKS))), axis=1)
    got = information_of_cdf(cdf, CODES, OUTSIDE, np.ones((IN_BINS, 4)))
    assert got == pytest.approx(_information(_table(cdf, CODES, 4), OUTSIDE), abs=1e-13)


def test_a_cdf_that_falls_by_rounding_counts_as_constant():
    cdf = np.array([[0.5, 0.5 - 1e-12, 0.7], [0.2, 0.3, 0.3]])
    table = np.ones((2, 4))
    information_of_cdf(cdf, np.arange(4, dtype=np.uint16), 4, table)
    np.testing.assert_allclose(table, [[0.5, 0.0, 0.2, 0.3], [0.2, 0.1, 0.0, 0.7]], rtol=0, atol=1e-15)
    assert table[0, 1] == 0.0


@pytest.mark.parametrize("n", [1, 5, 7, 8, 12])
def test_widest_and_lumped(n):
    half_widths = np.sort(np.random.default_rng(n).uniform(0.1, 2, n))[::-1]
    for i in range(n):
        held = half_widths.copy()
        held[i] /= 8
        got = _widest_and_lumped(i, half_widths, 8)
        # Support and order of what stays, and the variance of all.
        assert (np.diff(got) <= 0).all()
        assert (got**2).sum() == pytest.approx((held**2).sum(), rel=1e-13)
        if n <= 7:
            np.testing.assert_array_equal(got, np.sort(held)[::-1])
        else:
            lumped = np.sqrt((held[6:] ** 2).sum())
            np.testing.assert_allclose(got, np.sort([*held[:6], lumped])[::-1], rtol=1e-14)


def test_trigonometry():
    positions, period = np.array([-0.3, 0.2, 1.7]), 5.0
    t = 2 * np.pi * np.arange(1, 8) / period
    for peeled, expected in ((0.0, positions), (0.8, np.concatenate([positions + 0.8, positions - 0.8]))):
        sines, cosines = trigonometry(positions, peeled, period, 7)
        np.testing.assert_allclose(sines, np.sin(np.outer(t, expected)), rtol=0, atol=1e-14)
        np.testing.assert_allclose(cosines, np.cos(np.outer(t, expected)), rtol=0, atol=1e-14)


@pytest.mark.parametrize("integrated", [False, True])
def test_series_sums(integrated):
    rng = np.random.default_rng(0)
    positions, phi, period, spacing = rng.normal(size=6), rng.normal(size=9), 4.0, 0.3
    sines, cosines = trigonometry(positions, 0.0, period, 9)
    sums = np.full((6, IN_BINS), np.nan)
    _series_sums(phi, period, spacing, IN_BINS, sines, cosines, integrated, sums)
    t = 2 * np.pi * np.arange(1, 10) / period
    z = positions[:, None] - spacing * (np.arange(IN_BINS) - (IN_BINS - 1) / 2)
    terms = -np.cos(z[..., None] * t) / t**2 if integrated else np.sin(z[..., None] * t) / t
    np.testing.assert_allclose(sums, 2 / period * (terms * phi).sum(axis=-1), rtol=0, atol=1e-13)


def test_an_integrated_series_begins_at_zero():
    phi, period = np.random.default_rng(0).normal(size=9), 4.0
    t = 2 * np.pi * np.arange(1, 10) / period
    at_the_end = -2 / period * (phi * np.cos(t * period / 2) / t**2).sum()
    assert _integration_constant(phi, period) == pytest.approx(-at_the_end, abs=1e-13)


def test_series_beyond_the_support():
    assert [_cdf_of_series(z, 4.0, 1.5, 7.0) for z in (-1.5, 1.5)] == [0.0, 1.0]
    assert [_cdf_of_series(0.0, 4.0, 1.5, series) for series in (-0.6, 0.1, 0.6)] == [0.0, 0.6, 1.0]
    assert [_integrated_cdf_of_series(z, 4.0, 1.5, 7.0) for z in (-1.5, 1.5, 9.0)] == [0.0, 1.5, 9.0]
    # The integral of 1/2 + y / 4 from -2 to 1, and what the oscillations add.
    assert _integrated_cdf_of_series(1.0, 4.0, 1.5, 0.25) == pytest.approx(1.5 - 3 / 8 + 0.25, rel=1e-15)


@pytest.mark.parametrize("name", ["closed form", "series", "narrow ones lumped"])
@pytest.mark.parametrize("in_bins", [1, IN_BINS])
def test_closed_cdf(name, in_bins):
    half_widths = np.sort(np.abs([w for w in WEIGHTS[name] if w]))[::-1]
    positions = BREAKS * half_widths.sum() / 2
    for i in (0, len(half_widths) - 1):
        cdf = np.full((in_bins, len(BREAKS)), np.nan)
        closed_cdf(i, half_widths, positions, in_bins, 0.3, cdf)
        expected = _expected_cdf(i, half_widths, positions, in_bins, 0.3)
        np.testing.assert_allclose(cdf, expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("widest", [None, 4.0, 1e3])
def test_series_cdf(widest):
    others = np.linspace(1.0, 0.3, 9)
    peeled = 0.0 if widest is None else widest
    period, terms = 2 * others.sum(), 200
    half_widths = others if widest is None else np.append(widest, others)
    positions = np.linspace(-1.1, 1.1, 7) * half_widths.sum()
    phi = np.empty((len(others), terms))
    leave_one_out(others, IN_BINS, period, phi)
    sines, cosines = trigonometry(positions, peeled, period, terms)
    for k in (0, 5):
        sums, cdf = np.empty((sines.shape[1], IN_BINS)), np.empty((IN_BINS, len(positions)))
        support = others.sum() - others[k] * (1 - 1 / IN_BINS)
        series_cdf(phi[k], period, support, peeled, positions, 0.4, IN_BINS, sines, cosines, sums, cdf)
        own = k + len(half_widths) - len(others)
        # Where one dominates the oracle interpolates, to about 1e-10.
        error = 2e-10 if widest == 1e3 else 1e-12
        np.testing.assert_allclose(cdf, _expected_cdf(own, half_widths, positions, IN_BINS, 0.4), rtol=0, atol=error)


# On its own edge the widest input stays in the series, or is integrated out there too.
@pytest.mark.parametrize("widest", [1.2, 30.0])
@pytest.mark.parametrize("in_bins", some_slow([1, IN_BINS, 64], 2))
def test_dominated_cdf(widest, in_bins):
    half_widths = np.append(widest, np.linspace(1.0, 0.3, 9))
    positions = np.linspace(-1.1, 1.1, 9) * half_widths.sum()
    spacing = 2 * widest / in_bins
    cdf = np.full((in_bins, len(positions)), np.nan)
    dominated_cdf(half_widths, spacing, in_bins, positions, 400, cdf)
    np.testing.assert_allclose(
        cdf, _expected_cdf(0, half_widths, positions, in_bins, spacing), rtol=0, atol=2e-10 if widest == 30.0 else 1e-12
    )


def _routes_of(monkeypatch):
    """The routes of `parts` that outputs go through from now on: a set that grows."""
    called = set()
    for name in ("_parts_by_series", "_parts_without_the_widest", "_parts_in_closed_form"):
        kernel = getattr(parts, name)

        def noted(*arguments, name=name, kernel=kernel):
            called.add(name)
            return kernel(*arguments)

        monkeypatch.setattr(parts, name, noted)
    return called


ROUTES = {
    "no input": "_parts_in_closed_form",
    "single input": "_parts_in_closed_form",
    "closed form": "_parts_in_closed_form",
    "series": "_parts_by_series",
    "series, of which one input leads": "_parts_by_series",
    "widest integrated out": "_parts_without_the_widest",
    "narrow ones lumped": "_parts_in_closed_form",
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_edges_of_one_output(name, monkeypatch):
    weight, centre = np.array(WEIGHTS[name]), np.array([0.1])
    order = np.argsort(-np.abs(weight), kind="stable")
    breaks = BREAKS * max(np.abs(weight).sum() / 2, 1.0)
    out, row, called = np.full((1, len(weight)), np.nan), np.array([0]), _routes_of(monkeypatch)
    table = (breaks[None], np.array([len(breaks)]), CODES[None], row)
    edges_parts(weight[None], order[None], centre, 1.5, IN_BINS, *table, OUTSIDE, 4, out)
    expected = _expected_parts(weight, centre, 1.5, IN_BINS, breaks, CODES, OUTSIDE)
    np.testing.assert_allclose(out[0], expected, rtol=0, atol=1e-12)
    assert (out[0, weight == 0] == 0).all()
    assert called == {ROUTES[name]}


def test_outputs_of_one_layer_go_by_different_routes(monkeypatch):
    names = ["closed form", "series", "widest integrated out", "narrow ones lumped"]
    weights = np.zeros((4, 10))
    for j, name in enumerate(names):
        weights[j, : len(WEIGHTS[name])] = WEIGHTS[name]
    orders = np.argsort(-np.abs(weights), axis=1, kind="stable")
    rest = (1.5, IN_BINS, BREAKS[None], np.array([len(BREAKS)]), CODES[None])
    together, alone, called = np.empty((4, 10)), np.empty((1, 10)), _routes_of(monkeypatch)
    edges_parts(weights, orders, np.zeros(4), *rest, np.zeros(4, np.int64), OUTSIDE, 4, together)
    assert called == {ROUTES[name] for name in names}
    for j in range(4):
        one = slice(j, j + 1)
        edges_parts(weights[one], orders[one], np.zeros(1), *rest, np.zeros(1, np.int64), OUTSIDE, 4, alone)
        np.testing.assert_array_equal(together[j], alone[0])


def test_every_output_has_its_own_step_function():
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(3, 6))
    weights[1, :3] = 0.0
    orders = np.argsort(-np.abs(weights), axis=1, kind="stable")
    centres, rows = np.array([0.1, -0.3, 0.5]), np.array([1, 0, 1])
    breaks = np.array([BREAKS, [-0.5, 0.7, np.inf, np.inf, np.inf]])
    sizes, codes = np.array([5, 2]), np.array([CODES, [2, 0, 1, 1, 1, 1]], np.uint16)
    out = np.full((3, 6), np.nan)
    edges_parts(weights, orders, centres, 2.0, IN_BINS, breaks, sizes, codes, rows, OUTSIDE, 4, out)
    for j in range(3):
        n = sizes[rows[j]]
        expected = _expected_parts(
            weights[j],
            centres[j],
            2.0,
            IN_BINS,
            breaks[rows[j], :n],
            codes[rows[j], : n + 1],
            OUTSIDE if rows[j] == 0 else -1,
        )
        np.testing.assert_allclose(out[j], expected, rtol=0, atol=1e-10)
