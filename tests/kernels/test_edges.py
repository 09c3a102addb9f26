"""Exact single edges against a fine grid and against answers known beforehand."""

import naive
import numpy as np
import pytest

from ei_fast.kernels.edges import _code_at, _edge_information, sensitivity_edges, table_information
from ei_fast.network.activations import Activation
from ei_fast.network.bins import bin_edges
from ei_fast.network.steps import StepTable


def _sensitivity(weight, bias, activation, in_range, in_bins, out_range, out_bins, baseline=0.0):
    steps = Activation(activation).steps(out_range, out_bins)
    weight, bias = np.atleast_2d(np.asarray(weight, float)), np.atleast_1d(np.asarray(bias, float))
    out = np.empty(weight.shape)
    edges = bin_edges(in_range, in_bins)
    table, baselines = StepTable.of([steps], weight.shape[1]), np.full(len(weight), baseline)
    sensitivity_edges(
        weight,
        bias,
        baselines,
        edges,
        table.breaks,
        table.sizes,
        table.codes,
        table.rows,
        out_bins + 1,
        out_bins,
        out,
    )
    return out


@pytest.mark.parametrize(
    ("activation", "in_range", "out_range"),
    [
        ("sigmoid", (0.0, 1.0), (0.0, 1.0)),
        ("tanh", (-1.0, 1.0), (-1.0, 1.0)),
        ("relu", (-1.0, 2.0), (0.0, 2.5)),
        ("linear", (-0.5, 1.0), (-2.0, 2.0)),
    ],
)
@pytest.mark.parametrize(("in_bins", "out_bins"), [(4, 4), (8, 5), (3, 16)])
def test_against_a_fine_grid(activation, in_range, out_range, in_bins, out_bins):
    weights = np.array([[0.7, -3.1], [12.0, 1.0]])
    bias = np.array([0.2, -0.4])
    got = _sensitivity(weights, bias, activation, in_range, in_bins, out_range, out_bins, baseline=0.3)
    for i in range(2):
        for j in range(2):
            constant = bias[j] + 0.3 * weights[1 - i, j]
            expected = naive.edge_information(
                weights[i, j], constant, activation, in_range, in_bins, out_range, out_bins, points=40_001
            )
            assert got[i, j] == pytest.approx(expected, abs=3e-3)


@pytest.mark.parametrize("bins", [2, 3, 8, 10, 64])
@pytest.mark.parametrize("weight", [1.0, -1.0])
def test_an_identity_carries_all_its_bits(bins, weight):
    limits = (-1.0, 1.0)
    assert _sensitivity(weight, 0.0, "linear", limits, bins, limits, bins)[0, 0] == pytest.approx(
        np.log2(bins), abs=1e-12
    )


def test_half_of_a_relu():
    # x in (-1, 1), two bins on either side: half of the inputs give 0 and share bin 0 with x < 1/2.
    # P(y = 1) = 1/4, all of it in input bin 1: I = H(1/4) - 1/2 H(1/2) = 0.811278... - 0.5
    got = _sensitivity(1.0, 0.0, "relu", (-1.0, 1.0), 2, (0.0, 1.0), 2)[0, 0]
    assert got == pytest.approx(-(0.25 * np.log2(0.25) + 0.75 * np.log2(0.75)) - 0.5, abs=1e-12)


def test_zero_weight_and_unmoved_outputs_are_exactly_zero():
    assert _sensitivity([[0.0, 0.2, -0.2]], [0.0, 0.0, 0.0], "sigmoid", (0.0, 1.0), 8, (0.0, 1.0), 8).tolist() == [
        [0.0] * 3
    ]


def _information(table):
    """I(X; Y) in bits of a table of joint weights; NaN of an empty one."""
    if not table.sum():
        return np.nan
    p = table / table.sum()
    independent = p.sum(axis=1, keepdims=True) * p.sum(axis=0)
    return float((p[p > 0] * np.log2(p[p > 0] / independent[p > 0])).sum())


@pytest.mark.parametrize("outside", [-1, 0, 2, 4])
def test_information_of_a_table(outside):
    rng = np.random.default_rng(0)
    for table in (rng.uniform(0, 3, (3, 4)), np.diag([1.0, 2.0, 3.0, 4.0]), np.outer([1, 2, 3], [4, 3, 2, 1.0])):
        table[1, 1] = 0.0
        kept = np.delete(table, outside, axis=1) if 0 <= outside < 4 else table
        assert table_information(table, outside) == pytest.approx(_information(kept), abs=1e-14)


def test_a_table_without_information():
    assert table_information(np.array([[0.5, 0.0], [0.3, 0.0]]), -1) == 0.0
    assert np.isnan(table_information(np.zeros((2, 2)), -1))
    assert np.isnan(table_information(np.array([[0.5, 0.0], [0.3, 0.0]]), 0))


def _edge_table(weight, constant, in_edges, breaks, codes, n_codes):
    """Joint probabilities: the input's range cut wherever either bin changes, and asked in the middle of each piece."""
    changes = (breaks - constant) / weight
    ends = np.unique(np.concatenate([in_edges, changes[(changes > in_edges[0]) & (changes < in_edges[-1])]]))
    middles = 0.5 * (ends[1:] + ends[:-1])
    x = np.searchsorted(in_edges, middles, side="right") - 1
    y = codes[np.searchsorted(breaks, weight * middles + constant, side="right")]
    table = np.zeros((len(in_edges) - 1, n_codes))
    np.add.at(table, (x, y), np.diff(ends) / (in_edges[-1] - in_edges[0]))
    return table


BREAKS = np.array([-0.9, -0.3, 0.0, 0.25, 0.8])
NOT_MONOTONE = np.array([3, 0, 2, 1, 2, 3], np.uint16)
"""Codes of which two come back; the last, 3, is also that of what is dropped in some tests."""


def _edge(weight, constant, in_edges, outside):
    scratch = np.zeros(4), np.zeros(4), np.zeros(4, np.int64)
    bits = _edge_information(weight, constant, in_edges, BREAKS, NOT_MONOTONE, outside, *scratch)
    # As they were found: the next edge counts on it.
    assert not scratch[0].any()
    assert not scratch[1].any()
    return bits


@pytest.mark.parametrize("outside", [-1, 3, 2])
@pytest.mark.parametrize("weight", [0.1, 0.7, -0.7, 3.0, -40.0])
@pytest.mark.parametrize("constant", [0.0, 0.3, -0.85])
def test_an_edge_of_any_step_function(weight, constant, outside):
    in_edges = np.array([-1.0, -0.5, 0.1, 1.3])
    table = _edge_table(weight, constant, in_edges, BREAKS, NOT_MONOTONE, 4)
    expected = _information(np.delete(table, outside, axis=1) if outside >= 0 else table)
    assert _edge(weight, constant, in_edges, outside) == pytest.approx(expected, abs=1e-13, nan_ok=True)


def test_an_edge_that_is_never_kept_or_has_one_code():
    in_edges = np.array([0.0, 0.3, 1.0])
    assert np.isnan(_edge(0.1, 2.0, in_edges, 3))
    assert _edge(0.1, 2.0, in_edges, -1) == 0.0
    assert _edge(0.2, 0.02, in_edges, -1) == 0.0
    # On either side of what is dropped the output has one code.
    assert _edge(0.1, -0.95, in_edges, 3) == 0.0


@pytest.mark.parametrize("s", [-5.0, -0.9, -0.3001, 0.0, 0.1, 0.8, 7.0])
def test_code_at(s):
    assert _code_at(s, BREAKS, NOT_MONOTONE) == NOT_MONOTONE[np.searchsorted(BREAKS, s, side="right")]


def test_every_output_has_its_own_step_function_and_every_input_its_baseline():
    rng = np.random.default_rng(0)
    weight, bias, baseline = rng.normal(size=(4, 3)), rng.normal(size=3) / 2, rng.normal(size=4) / 4
    weight[1, 0] = weight[2, 2] = 0.0
    bias[0], bias[2] = -0.2, 9.0
    in_edges = np.linspace(-1, 1, 6)
    breaks, sizes = np.array([BREAKS, [0.1, *[np.inf] * 4]]), np.array([5, 1])
    codes, rows = np.array([NOT_MONOTONE, [1, 0, 0, 0, 0, 0]], np.uint16), np.array([0, 1, 0])
    out = np.full((4, 3), 7.0)
    sensitivity_edges(weight, bias, baseline, in_edges, breaks, sizes, codes, rows, 4, 3, out)
    for i in range(4):
        for j in range(3):
            own_breaks, own_codes = breaks[rows[j], : sizes[rows[j]]], codes[rows[j]]
            constant = bias[j] + np.delete(baseline, i) @ np.delete(weight[:, j], i)
            if weight[i, j]:
                table = _edge_table(weight[i, j], constant, in_edges, own_breaks, own_codes, 4)[:, :3]
                assert out[i, j] == pytest.approx(_information(table), abs=1e-12, nan_ok=True)
            else:
                dropped = own_codes[np.searchsorted(own_breaks, constant, side="right")] == 3
                assert out[i, j] == pytest.approx(np.nan if dropped else 0.0, abs=0.0, nan_ok=True)
    # All kinds of outcomes are met.
    assert np.isnan(out[:, 2]).all()
    assert np.isfinite(out[1, 0])
    assert (out[:, :2] > 0).sum() >= 4
