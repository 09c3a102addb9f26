"""What must hold for every layer, on layers that nobody chose."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from truths import OUT_RANGES

import ei_fast as ef

SETTINGS = settings(max_examples=50, deadline=None)
RELAXED = {"tol": 0.02, "random_state": 0}


@st.composite
def layers(draw, max_in=4, max_out=4, activations=tuple(OUT_RANGES)):
    """A layer with some weights equal to zero or to each other, over a range on which it does something."""
    n_in, n_out = draw(st.integers(1, max_in)), draw(st.integers(1, max_out))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.1, 1.0, 4.0, 20.0]))
    weight = rng.normal(0, scale, (n_in, n_out)) / np.sqrt(n_in)
    weight *= rng.random((n_in, n_out)) < draw(st.sampled_from([0.5, 1.0]))
    if draw(st.booleans()):
        weight[:, -1] = weight[:, 0]
    bias = rng.normal(0, draw(st.sampled_from([0.0, 1.0, 5.0])), n_out)
    activation = draw(st.sampled_from(activations))
    return ef.Layer(weight, bias, activation, out_range=OUT_RANGES[activation])


def _within(one, other, times=5.0):
    """Equal up to their stated errors, bias included; over hundreds of layers 4 standard errors are met by chance."""
    half = sum(report.ei_interval[1] - report.ei_interval[0] for report in (one, other)) / 2 / 1.96
    return abs(one.ei - other.ei) <= times * half + 1e-6


@given(layers(), st.sampled_from([2, 5, 8]), st.sampled_from([2, 8, 13]), st.sampled_from(["clip", "drop"]))
@SETTINGS
def test_bounds(layer, in_bins, out_bins, how):
    report = ef.analyze(layer, bins=(in_bins, out_bins), out_of_range=how, **RELAXED)[0]
    ceiling = min(layer.n_in * np.log2(in_bins), layer.n_out * np.log2(out_bins))
    edge = min(np.log2(in_bins), np.log2(out_bins))
    if not np.isnan(report.ei):
        assert 0 <= report.ei_interval[0] <= report.ei <= report.ei_interval[1] <= ceiling
        assert report.ei <= report.output_entropy + 5 * report.ei_stderr + 1e-9
        assert report.conditional_entropy >= -5 * report.ei_stderr - 1e-9
    for matrix in (report.sensitivity_matrix, report.ei_parts_matrix):
        kept = matrix[~np.isnan(matrix)]
        assert ((kept >= 0) & (kept <= edge + 1e-9)).all()
        if how == "clip":
            assert not np.isnan(matrix).any()
            assert (matrix[layer.weight == 0] == 0).all()


@given(layers(), st.integers(0, 1000))
@SETTINGS
def test_permutations_of_neurons_change_nothing(layer, seed):
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(layer.n_in), rng.permutation(layer.n_out)
    other = ef.Layer(layer.weight[rows][:, columns], layer.bias[columns], layer.activation, out_range=layer.out_range)
    one, two = ef.analyze(layer, **RELAXED)[0], ef.analyze(other, **RELAXED)[0]
    assert _within(one, two)
    np.testing.assert_allclose(two.sensitivity_matrix, one.sensitivity_matrix[rows][:, columns], atol=1e-9)
    np.testing.assert_allclose(two.ei_parts_matrix, one.ei_parts_matrix[rows][:, columns], atol=1e-8)


@given(layers(), st.integers(0, 15))
@SETTINGS
def test_turning_inputs_round_changes_nothing(layer, which):
    signs = np.where((which >> np.arange(layer.n_in)) & 1, -1.0, 1.0)
    other = ef.Layer(layer.weight * signs[:, None], layer.bias, layer.activation, out_range=layer.out_range)
    one, two = (ef.analyze(each, in_range=(-1.0, 1.0), **RELAXED)[0] for each in (layer, other))
    assert _within(one, two)
    # Bins hold their lower ends: an edge that is met exactly falls on the other side.
    np.testing.assert_allclose(two.sensitivity_matrix, one.sensitivity_matrix, atol=1e-6)
    np.testing.assert_allclose(two.ei_parts_matrix, one.ei_parts_matrix, atol=1e-6)


@given(layers(max_in=3, max_out=2, activations=("tanh", "relu")), layers(max_in=3, max_out=2, activations=("tanh",)))
@SETTINGS
def test_blocks_add_up(first, second):
    out_range = (-1.0, 1.0)
    weight = np.zeros((first.n_in + second.n_in, first.n_out + second.n_out))
    weight[: first.n_in, : first.n_out] = first.weight
    weight[first.n_in :, first.n_out :] = second.weight
    both = ef.Layer(weight, np.concatenate([first.bias, second.bias]), first.activation)
    second = ef.Layer(second.weight, second.bias, first.activation)
    whole, one, two = (ef.analyze(each, out_range=out_range, **RELAXED)[0] for each in (both, first, second))
    half = sum(report.ei_interval[1] - report.ei_interval[0] for report in (whole, one, two)) / 2 / 1.96
    assert abs(whole.ei - one.ei - two.ei) <= 5 * half + 1e-6
    assert whole.sensitivity == pytest.approx(one.sensitivity + two.sensitivity, abs=1e-9)
    assert whole.ei_parts == pytest.approx(one.ei_parts + two.ei_parts, abs=1e-8)


@given(layers(max_in=3, max_out=3), st.sampled_from([2, 3, 4]), st.sampled_from([1, 2, 3]), st.sampled_from([1, 2, 4]))
@SETTINGS
def test_finer_bins_never_tell_less(layer, bins, finer_in, finer_out):
    coarse = ef.analyze(layer, bins=bins, **RELAXED)[0]
    fine = ef.analyze(layer, bins=(bins * finer_in, bins * finer_out), **RELAXED)[0]
    half = (np.ptp(coarse.ei_interval) + np.ptp(fine.ei_interval)) / 2 / 1.96
    assert fine.ei >= coarse.ei - 5 * half - 1e-6
    assert (fine.sensitivity_matrix >= coarse.sensitivity_matrix - 1e-9).all()
    assert (fine.ei_parts_matrix >= coarse.ei_parts_matrix - 1e-8).all()


@given(layers(max_in=4, max_out=3), st.data())
@SETTINGS
def test_groups(layer, data):
    i, j = data.draw(st.integers(0, layer.n_in - 1)), data.draw(st.integers(0, layer.n_out - 1))
    report = ef.analyze(layer, **RELAXED)[0]
    assert ef.effective_information(layer, i, j).value == report.ei_parts_matrix[i, j]
    everything = ef.effective_information(layer, range(layer.n_in), range(layer.n_out), **RELAXED)
    assert everything.value == pytest.approx(report.ei, abs=1e-12)
    # A part tells no more than the whole.
    group = ef.effective_information(layer, [i], **RELAXED)
    half = (np.ptp(group.interval) + np.ptp(report.ei_interval)) / 2 / 1.96
    assert report.ei_parts_matrix[i, j] <= group.value + 5 * half + 1e-6
    assert group.value <= report.ei + 5 * half + 1e-6


@given(layers(max_out=1))
@SETTINGS
def test_one_output_has_no_negative_phi(layer):
    report = ef.analyze(layer, **RELAXED)[0]
    assert report.phi_ff >= -5 * np.ptp(report.ei_interval) / 2 / 1.96 - 1e-6
