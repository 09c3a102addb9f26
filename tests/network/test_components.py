"""What is left out and what is split never changes EI."""

import numpy as np

import ei_fast as ef
from ei_fast.network.binned import BinnedLayer


def _components(weight, bias=None, activation="sigmoid", in_range=(0.0, 1.0), out_range=(0.0, 1.0)):
    return BinnedLayer(ef.Layer(weight, bias, activation), 0, in_range, out_range, 8, 8).components()


def test_connected_outputs_stay_together():
    weight = np.zeros((5, 4))
    weight[0, 0] = weight[1, 0] = weight[1, 2] = weight[4, 1] = 9.0
    parts = _components(weight)
    assert [(part.inputs.tolist(), part.outputs.tolist()) for part in parts] == [([0, 1], [0, 2]), ([4], [1])]
    np.testing.assert_array_equal(parts[0].weight, [[9.0, 0.0], [9.0, 9.0]])


def test_repeated_and_unmoved_outputs_are_left_out():
    weight = np.array([[5.0, 5.0, 5.0, 0.1, 0.0], [3.0, 3.0, 3.0, 0.1, 0.0]])
    (part,) = _components(weight, [0.0, 0.0, 1.0, 0.05, 2.0])
    assert part.outputs.tolist() == [0, 2]


def test_nothing_is_left_of_a_constant_layer():
    assert _components(np.zeros((2, 2))) == []
    assert _components(np.ones((2, 2)), [-9.0, -9.0], "relu") == []


def test_an_edge_at_the_very_end_of_the_reach_is_not_crossed():
    # s goes from 0 to 0.3: the edge at 0.3 is reached by no sample, the one at 0 is passed by all.
    assert _components([[0.1], [0.2]], None, "linear", (0.0, 1.0), (0.0, 2.4)) == []


def test_rounding_carries_no_output_over_an_edge():
    # Large biases beside small weights: the edge between two bins lies where the largest pre-activation does, to
    # rounding, and rounding goes either way.
    for bias in np.random.default_rng(0).uniform(1e5, 1e6, 50):
        edge = bias + 1e-3
        assert _components([[0.4e-3], [0.6e-3]], [bias], "linear", out_range=(edge - 4, edge + 4)) == []
