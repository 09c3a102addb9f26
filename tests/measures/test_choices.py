"""What would be chosen for a layer is said before it is measured, and is what is done."""

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.measures.edges.auto import explain_choice as explain_edges
from ei_fast.measures.joint.auto import explain_choice
from ei_fast.measures.options import MeasureOptions
from ei_fast.network.binned import BinnedLayer


def _binned(layer, **bins):
    return BinnedLayer(layer, 0, (0.0, 1.0), **({"out_range": (0.0, 1.0), "in_bins": 8, "out_bins": 8} | bins))


@pytest.mark.parametrize(
    ("weight", "options", "said"),
    [
        (np.eye(3), {}, "3 of 3 components exact: its outputs are step functions of one input"),
        (np.ones((2, 2)) + np.eye(2), {}, "conditional: every one of 64 input cells is visited"),
        (np.ones((6, 2)) + np.eye(6, 2), {}, "conditional: of 2**18 input cells some are drawn, with as many points"),
        (np.ones((6, 2)) + np.eye(6, 2), {"n_samples": 500}, "some are drawn, with 500 points"),
        (np.eye(3), {"joint": "plugin"}, "plugin: the joint states of 1,048,576 samples are counted"),
        (np.full((2, 2), 1e-9), {}, "exact: no output leaves its bin"),
    ],
)
def test_what_is_said(weight, options, said):
    assert said in explain_choice(
        _binned(ef.Layer(weight, bias=np.full(weight.shape[1], 0.1))), MeasureOptions(**options)
    )


def test_several_kinds_of_components():
    weight = np.zeros((5, 4))
    weight[0, 0], weight[1:3, 1:3], weight[3:, 3] = 1.0, [[1.0, 2.0], [3.0, 1.0]], 1.0
    said = explain_choice(_binned(ef.Layer(weight)), MeasureOptions())
    assert said.startswith("1 of 3 components exact: ")
    assert "1 of 3 components conditional: every one of 64 input cells is visited" in said
    assert "1 of 3 components one output: " in said


def test_an_output_that_is_never_kept():
    layer = ef.Layer(np.eye(2), bias=[50.0, 0.0])
    assert explain_choice(_binned(layer, out_range=(0.0, 0.5), drop=True), MeasureOptions()).startswith("undefined")


def test_edges():
    assert explain_edges(_binned(ef.Layer(np.eye(2))), MeasureOptions()).startswith("exact")
    function = ef.Function(np.tanh, 2, 2, (0.0, 1.0))
    assert explain_edges(_binned(function), MeasureOptions()).startswith("histogram")
    assert explain_edges(_binned(function), MeasureOptions(pairwise="none")).startswith("none")
