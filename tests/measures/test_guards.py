"""What figures rest on and nothing else would notice: coverage, points of brackets, restarts."""

from types import SimpleNamespace

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.intervention.dense import DenseIntervention
from ei_fast.intervention.of_layer import intervention_on
from ei_fast.intervention.streams import Stream
from ei_fast.measures.counting.estimators import ZHANG_UNSEEN
from ei_fast.measures.counting.sampled import entropy_of_keys
from ei_fast.measures.entropies.bounds import least_entropy
from ei_fast.measures.entropies.to_tol import sample_for_bounds
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile import brackets
from ei_fast.measures.profile.brackets import LeastOfInputs
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads

PILOTS = {Stream.PILOT_CELLS, Stream.PILOT_POINTS, Stream.PILOT_MARGINAL}


def test_coverage_is_good_turings():
    # 17 samples in five states that repeat, three that were seen once.
    keys = np.array([0] * 5 + [1] * 4 + [2] * 4 + [3] * 2 + [4] * 2 + [5, 6, 7], np.uint64)
    entropy = entropy_of_keys(keys, ZHANG_UNSEEN)
    assert entropy.coverage == 1 - 3 / 20
    # Less than nine tenths of the probability was seen.
    assert not entropy.resolved


def test_a_coverage_just_below_the_border_is_not_enough():
    # 11 and 9 of 100 samples in states of their own, all others in pairs, so that an end to new states is in sight.
    for n_singles, resolved in ((11, False), (9, True)):
        pairs = np.repeat(np.arange(50), 2)[: 100 - n_singles - 1]
        keys = np.concatenate([pairs, pairs[:1], 1000 + np.arange(n_singles)]).astype(np.uint64)
        assert entropy_of_keys(keys, ZHANG_UNSEEN).resolved == resolved


def test_a_bracket_counts_the_points_that_it_rests_on(random_weight, monkeypatch):
    points = []
    stream_of = DenseIntervention._keys_of
    fill = DenseIntervention._fill_keys
    current = []

    def keys_of(self, stream):
        current.append(stream)
        return stream_of(self, stream)

    def counted(self, stream_keys, firsts, cells, keys):
        if current[-1] not in PILOTS:
            points.append(keys.size)
        return fill(self, stream_keys, firsts, cells, keys)

    monkeypatch.setattr(DenseIntervention, "_keys_of", keys_of)
    monkeypatch.setattr(DenseIntervention, "_fill_keys", counted)
    params = {"joint": "conditional", "pairwise": "none", "n_jobs": 1}
    report = ef.analyze(random_weight(40, 30, 5.0), random_state=0, **params)[0]
    assert "undersampled" in report.flags
    assert report.n_samples == sum(points)


@pytest.fixture
def counted():
    """A function of n_in -> n_out whose rows are counted, and the counter."""

    def make(n_in, n_out, scale):
        weight, rows = np.random.default_rng(4).uniform(-1, 1, (n_in, n_out)) * scale, []

        def fn(x):
            rows.append(len(x))
            return np.tanh(x @ weight)

        function = ef.Function(fn, n_in, n_out, (-1.0, 1.0))
        # Rows at which the function was tried out.
        rows.clear()
        return function, rows

    return make


@pytest.mark.parametrize(
    ("n_in", "n_out", "scale", "bins"), [(30, 12, 1.0, 8), (30, 12, 1.0, (2, 8)), (4, 8, 5.0, (2, 8))]
)
def test_a_bracket_counts_the_rows_that_a_function_was_evaluated_at(counted, n_in, n_out, scale, bins):
    # The numbers of outputs that are tried to be counted together are one, two and four.
    function, rows = counted(n_in, n_out, scale)
    n_samples = 1024
    report = ef.analyze(function, n_samples=n_samples, bins=bins, pairwise="none", random_state=0, n_jobs=1)[0]
    assert "undersampled" in report.flags
    # As many rows again say how outputs fill their range.
    assert sum(rows) == report.n_samples + n_samples


def test_a_bracket_counts_what_it_takes_to_find_kept_samples(counted):
    function, rows = counted(30, 12, 0.5)
    params = {"out_of_range": "drop", "out_range": (-0.99, 0.99), "pairwise": "none", "random_state": 0, "n_jobs": 1}
    report = ef.analyze(function, n_samples=8192, **params)[0]
    assert "undersampled" in report.flags
    # Kept samples inside cells are evaluated twice: for the outputs that are watched, and for all of them.
    assert sum(rows) / 2 < report.n_samples < sum(rows)


def test_layers_that_do_not_feed_each_other_are_not_taken_as_one():
    layers = [ef.Layer(np.eye(3), in_range=(0.0, 1.0)) for _ in range(3)]
    network = ef.Network(layers, restarts=[1])
    with pytest.raises(ValueError, match=r"Layers 0 to 1 do not feed each other: the model does something between"):
        network.between(0, 1)
    # It may begin where the restart is.
    assert network.between(1, 2).n_in == 3


def test_bounds_rest_on_as_many_points_inside_cells_as_anywhere():
    weight = np.random.default_rng(0).uniform(-5, 5, (40, 30)) / np.sqrt(40)
    do = intervention_on(BinnedLayer(ef.Layer(weight), 0, (0.0, 1.0), (0.0, 1.0), 8, 8), 0)
    with Threads(1) as threads:
        sample = run_here(sample_for_bounds(do, MeasureOptions()), threads)
    assert sample.inside.n_points == pytest.approx(sample.output.n_samples, rel=0.02)


@pytest.mark.parametrize(("n_pairs", "is_bound"), [(99, False), (100, True)])
def test_pairs_in_one_state_bound_the_entropy_where_they_are_a_hundred(n_pairs, is_bound):
    n = 10_000
    keys = np.concatenate([np.repeat(np.arange(n_pairs), 2), n + np.arange(n - 2 * n_pairs)]).astype(np.uint64)
    low = least_entropy(entropy_of_keys(keys, ZHANG_UNSEEN))
    # The collision entropy of so many samples, less its margin of 0.6 bits; what is seen has at most log2(n).
    collision = np.log2(n * (n - 1) / 2 / n_pairs)
    assert (low > np.log2(n)) == is_bound
    if is_bound:
        assert collision - 0.6 < low < collision - 0.5


def test_pools_that_bound_inputs_have_points_enough_and_fit_into_memory():
    def points(n_in, n_out, n_samples=None):
        return LeastOfInputs(SimpleNamespace(n_in=n_in, n_out=n_out), n_samples).n_points

    assert points(20, 20) == 2**17
    assert points(20, 20, 5000) == 5000
    # Pairs of points and inputs, and bins of outputs, are kept; but for 8,192 points in any case.
    assert points(2**13, 20) * 2**13 == 2**28
    assert points(20, 2**12) * 2**12 == 2**27
    assert points(2**20, 2**20) == 2**13


@pytest.mark.parametrize(("out_bins", "n_looked_at"), [(8, 4), (2, 12), (2**15, 1)])
def test_outputs_that_bound_an_input_have_states_that_can_be_counted(monkeypatch, out_bins, n_looked_at):
    looked_at = []
    monkeypatch.setattr(brackets, "_least", lambda outputs, *_: looked_at.append(len(outputs)) or 0.0)
    weight = np.random.default_rng(0).uniform(-1, 1, (3, 12))
    do = intervention_on(BinnedLayer(ef.Layer(weight), 0, (0.0, 1.0), (0.0, 1.0), 8, out_bins), 0)
    with Threads(1) as threads:
        LeastOfInputs(do, 256).compute(0, 3, threads)
    # With the 3 bits of the input they have 17 bits at the most, and one output is looked at in any case.
    assert looked_at == [n_looked_at] * 3
    assert n_looked_at == 1 or n_looked_at * np.log2(out_bins) + 3 <= 17
