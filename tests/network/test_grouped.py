"""Layers of groups that share no edge: kept group by group, and measured as the dense map that they are."""

import pickle
import tracemalloc

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.grouped import GroupedLayer

RNG = np.random.default_rng(0)


def side_by_side(columns, groups):
    """The dense weights of groups side by side, number by number."""
    n_rows, n_out = columns.shape
    dense = np.zeros((groups * n_rows, n_out))
    for j in range(n_out):
        group = j // (n_out // groups)
        dense[group * n_rows : (group + 1) * n_rows, j] = columns[:, j]
    return dense


def pair(rows=4, groups=3, of_group=2, activation="relu", zeros=0.0, **options):
    """A layer of groups, and the dense one that it is."""
    columns = RNG.normal(size=(rows, groups * of_group)) * (RNG.random((rows, groups * of_group)) >= zeros)
    bias = RNG.normal(size=groups * of_group)
    grouped = GroupedLayer(columns, groups, bias, activation, "g", **options)
    return grouped, ef.Layer(side_by_side(columns, groups), bias, activation, "g", **options)


SHAPES = [
    {},
    {"of_group": 1, "rows": 9, "groups": 7},
    {"groups": 2, "of_group": 5, "rows": 1},
    {"zeros": 0.6, "rows": 5, "of_group": 4},
    {"activation": "silu"},
    {"activation": "tanh", "groups": 5},
    {"in_range": (-3.0, 1.0)},
    {"in_range": tuple((float(-k), float(k + 1)) for k in range(12))},
    {"out_range": (-0.2, 0.3)},
    {"patch": (3, 2, 2)},
]


@pytest.mark.parametrize("given", SHAPES, ids=[str(sorted(given)) for given in SHAPES])
def test_it_is_the_dense_layer(given):
    grouped, dense = pair(**given)
    assert (grouped.n_in, grouped.n_out, grouped.patch, grouped.in_range) == (
        dense.n_in,
        dense.n_out,
        dense.patch,
        dense.in_range,
    )
    np.testing.assert_array_equal(grouped.weight, dense.weight)
    x = RNG.normal(size=(20, dense.n_in))
    np.testing.assert_allclose(grouped(x), dense(x), atol=1e-12)
    assert grouped.size_of_sums(x) == pytest.approx(dense.size_of_sums(x), rel=1e-12)
    for in_range in ((0.0, 1.0), tuple((-0.1 * k, 1.0 + k) for k in range(dense.n_in))):
        for mine, theirs in zip(grouped.preactivation_hull(in_range), dense.preactivation_hull(in_range), strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("given", SHAPES, ids=[str(sorted(given)) for given in SHAPES])
@pytest.mark.parametrize(
    "params",
    [{}, {"out_range": "neuron"}, {"out_range": (-0.5, 0.5), "out_of_range": "drop", "baseline": 0.2}],
    ids=["clipped", "a range each", "dropped"],
)
def test_every_figure_is_that_of_the_dense_layer_to_the_last_bit(given, params):
    grouped, dense = pair(**given)
    reports = [ef.analyze(layer, bins=4, random_state=1, **params)[0] for layer in (grouped, dense)]
    mine, theirs = ({key: value for key, value in vars(one).items() if "matrix" not in key} for one in reports)
    assert repr(mine) == repr(theirs)
    for name in ("sensitivity_matrix", "ei_parts_matrix"):
        np.testing.assert_array_equal(*(getattr(one, name) for one in reports))


def test_some_edges_are_those_of_the_dense_layer():
    layers = pair(rows=9, groups=60, of_group=3)
    reports = [ef.analyze(layer, pairwise_edges=1000, random_state=0, joint="gaussian")[0] for layer in layers]
    assert reports[0].pairwise_method == "sampled"
    for name in ("sensitivity", "ei_parts", "sensitivity_stderr", "ei_parts_stderr"):
        assert getattr(reports[0], name) == getattr(reports[1], name)


def test_components_are_found_group_by_group():
    columns = np.array([[1.0, 1.0, 0.0, 2.0], [0.5, 0.5, 3.0, 0.0]])
    binned = [
        BinnedLayer(layer, 0, (0.0, 1.0), (0.0, 1.0), 4, 4)
        for layer in (
            GroupedLayer(columns, 2, activation="linear"),
            ef.Layer(side_by_side(columns, 2), activation="linear"),
        )
    ]
    found, expected = (
        [(c.inputs.tolist(), c.outputs.tolist(), c.weight.tolist()) for c in b.components()] for b in binned
    )
    # Of two equal outputs one is left; the group with a zero falls apart.
    assert found == expected == [([0, 1], [0], [[1.0], [0.5]]), ([3], [2], [[3.0]]), ([2], [3], [[2.0]])]


def test_names_ranges_and_pickles_keep_the_groups():
    grouped, dense = pair()
    for again in (
        grouped.named("other"),
        grouped.over((-1.0, 1.0)),
        pickle.loads(pickle.dumps(grouped.over((0.0, 2.0)))),
    ):
        assert (type(again), again.groups) == (GroupedLayer, 3)
        np.testing.assert_array_equal(again.weight, dense.weight)
    with pytest.raises(ValueError, match="one for each input|12"):
        grouped.over([(0.0, 1.0)] * 11)


def test_groups_must_divide_the_outputs():
    with pytest.raises(ValueError, match="must divide its number of outputs, 5"):
        GroupedLayer(np.ones((3, 5)), 2)


def test_a_wide_one_takes_the_memory_of_its_groups():
    # 25 numbers into each of 2,048 outputs; all weights side by side would take 800 MiB.
    columns = np.full((25, 2048), 0.1)
    columns[:, ::2] *= -1
    layer = GroupedLayer(columns, 2048, activation="relu")
    ef.analyze(ef.Layer([[1.0]]))
    tracemalloc.start()
    report = ef.analyze(layer, pairwise="none", random_state=0, n_jobs=1, n_samples=2**21)[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert report.sensitivity_matrix.shape == (25 * 2048, 2048)
    assert np.isnan(report.sensitivity)
    assert peak < 100 * 2**20
