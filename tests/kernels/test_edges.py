"""Exact single edges against a fine grid and against answers known beforehand."""

import naive
import numpy as np
import pytest

from ei_fast.kernels.edges import sensitivity_edges
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
