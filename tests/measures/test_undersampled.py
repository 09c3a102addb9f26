"""Layers with more states than samples, where nothing but counting is asked for: flagged, and bracketed by bounds."""

import numpy as np
import pytest
from slow_cases import some_slow

import ei_fast as ef


@pytest.mark.parametrize(("n_in", "n_out", "scale"), [(100, 30, 1.0), (100, 30, 5.0), (200, 200, 1.0), (200, 200, 5.0)])
def test_wide_layers_are_flagged(random_weight, n_in, n_out, scale):
    report = ef.analyze(random_weight(n_in, n_out, scale), random_state=0, joint="conditional")[0]
    low, high = report.ei_interval
    assert "undersampled" in report.flags
    assert low < report.ei < high <= min(n_in, n_out) * 3
    # Some of the outputs can be counted, and tell that much at least.
    assert low > 7
    assert report.ei == pytest.approx((low + high) / 2)
    assert report.ei_stderr == pytest.approx((high - low) / 2 / 1.959964, rel=1e-6)
    assert "bounds" in report.explain()


@pytest.mark.parametrize("n_blocks", some_slow([12, 60], 1))
def test_the_bracket_holds_what_is_known_by_construction(random_weight, n_blocks):
    # Blocks of 3 -> 3, each of which can be counted, tied by weights too small to move anything: one
    # component of 8**36 states or more whose EI is the blocks' sum.
    blocks = [random_weight(3, 3, 5.0, seed) for seed in range(n_blocks)]
    weight = np.full((3 * n_blocks, 3 * n_blocks), 1e-9)
    for k, block in enumerate(blocks):
        weight[3 * k : 3 * k + 3, 3 * k : 3 * k + 3] = block
    expected = sum(ef.analyze(block, random_state=0)[0].ei for block in blocks)
    for seed in range(5):
        report = ef.analyze(weight, random_state=seed, joint="conditional")[0]
        assert "undersampled" in report.flags
        assert report.ei_interval[0] < expected < report.ei_interval[1]


def test_too_few_samples_are_flagged_too(random_weight):
    report = ef.analyze(random_weight(25, 6, 5.0), n_samples=2000, random_state=0)[0]
    assert "undersampled" in report.flags
    assert report.ei_interval[0] < 10.9 < report.ei_interval[1]


def test_the_bracket_holds_where_the_ceiling_is_reached():
    # An identity, tied: every output tells its input to the bin.
    weight = np.full((30, 30), 1e-9)
    np.fill_diagonal(weight, 1.0)
    report = ef.analyze(weight, activation="linear", out_range=(0.0, 1.0), random_state=0, joint="conditional")[0]
    low, high = report.ei_interval
    assert "undersampled" in report.flags
    assert 9 < low <= report.ei <= high == 90


def test_both_ends_are_near_an_entropy_of_equal_states():
    # Seven identities, tied: 8**7 states, equally likely, of which two samples in one state tell the number. Over half
    # of the outputs' range, so that no ceiling holds either end.
    weight = np.full((7, 7), 1e-9)
    np.fill_diagonal(weight, 1.0)
    layer = ef.Layer(weight, activation="linear", out_range=(0.0, 2.0))
    params = {"bins": 16, "n_samples": 2**17, "pairwise": "none"}
    for seed in range(20):
        low, high = ef.analyze(layer, random_state=seed, **params)[0].ei_interval
        assert 20.7 < low < 21 < high < 21.01
