"""What a profile is made of: arithmetic of figures with errors, what single inputs tell inside cells, bounds."""

from types import SimpleNamespace

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.intervention.of_layer import intervention_on
from ei_fast.measures.entropies.sample import points_ceiling
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.profile import pairs
from ei_fast.measures.profile.every_cell import _given
from ei_fast.measures.profile.figure import Figure, difference, ratio, total
from ei_fast.measures.profile.freed import freed
from ei_fast.measures.profile.pairs import PairCounts
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads

Z95 = 1.959963984540054
ONE, OTHER = Figure.estimated(3.0, 0.3, 0.05), Figure.estimated(2.0, 0.4, 0.01)
BOUNDS = Figure.bracketed(1.0, 4.0)


def test_a_bracket_is_its_middle_and_reaches_from_end_to_end():
    assert (BOUNDS.value, BOUNDS.low, BOUNDS.high, BOUNDS.bias, BOUNDS.is_bracket) == (2.5, 1.0, 4.0, 0.0, True)
    assert BOUNDS.stderr * Z95 == pytest.approx(1.5)
    # It has no distribution, and is never known to rounding, even where its ends meet.
    assert BOUNDS.variance == 0.0
    assert not Figure.bracketed(2.0, 2.0).is_exact
    # Ends that cross by their errors meet at the lower one.
    crossed = Figure.bracketed(2.0, 1.5)
    assert (crossed.low, crossed.high) == (2.0, 2.0)


def test_an_estimate_has_an_interval_and_an_error():
    # A normal error beside a bias of any size up to the one stated.
    rng = np.random.default_rng(0)
    values = 3.0 + 0.3 * rng.normal(size=10**5) + rng.uniform(-0.3, 0.3, 10**5)
    biased = Figure.estimated(3.0, 0.3, 0.3)
    assert np.mean((biased.low < values) & (values < biased.high)) == pytest.approx(0.95, abs=0.005)
    assert ONE.error == pytest.approx(np.hypot(0.3, 0.05))
    assert ONE.variance == pytest.approx(0.09)
    assert not ONE.is_exact
    assert not Figure.estimated(1.0, 0.0, 0.1).is_exact
    assert Figure.exact(1.0).is_exact


def test_sums_of_figures():
    whole = total([ONE, OTHER])
    assert (whole.value, whole.stderr, whole.bias) == pytest.approx((5.0, 0.5, 0.06))
    tied = total([ONE, OTHER], 0.7, 0.0)
    assert (tied.stderr, tied.bias) == (0.7, 0.0)
    part = total([ONE, BOUNDS])
    assert (part.low, part.high, part.is_bracket) == (ONE.low + 1.0, ONE.high + 4.0, True)


def test_differences_of_figures():
    # Of errors with a correlation of 0.9.
    found = difference(ONE, OTHER, 0.9 * 0.3 * 0.4)
    assert (found.value, found.bias) == pytest.approx((1.0, 0.06))
    assert found.stderr == pytest.approx(np.sqrt(0.09 + 0.16 - 2 * 0.108))
    assert difference(ONE, ONE, 0.09 + 1e-12).stderr == 0.0
    for bounds in (difference(BOUNDS, ONE, 0.0), difference(ONE, BOUNDS, 0.0)):
        assert bounds.is_bracket
    assert (bounds.low, bounds.high) == (ONE.low - 4.0, ONE.high - 1.0)


def test_ratios_of_figures_spread_as_simulated_ones_do():
    part, whole, covariance = Figure.estimated(3.0, 0.03, 0.02), Figure.estimated(2.0, 0.04, 0.01), 0.6 * 0.03 * 0.04
    found = ratio(part, whole, covariance, (0.0, 10.0))
    drawn = np.random.default_rng(0).multivariate_normal(
        [3.0, 2.0], [[0.0009, covariance], [covariance, 0.0016]], 10**5
    )
    ratios = drawn[:, 0] / drawn[:, 1]
    assert found.value == 1.5
    # The standard deviation of 10^5 is known to 0.3 %, and the second order of the delta method is smaller.
    assert found.stderr == pytest.approx(ratios.std(), rel=0.015)
    # The largest bias is that of both away from each other.
    assert found.bias == pytest.approx((3.02 / 1.99) - 1.5, rel=0.02)


def test_ratios_are_what_theory_allows():
    limits = (0.0, 1.0)
    assert ratio(ONE, OTHER, 0.0, limits).value == 1.0
    # Nothing of nothing is undefined; of what may be nothing, anything.
    nothing = ratio(Figure.exact(0.0), Figure.exact(0.0), 0.0, limits)
    assert np.isnan([nothing.value, nothing.stderr, nothing.low, nothing.high]).all()
    maybe = ratio(ONE, Figure.estimated(-0.1, 0.2), 0.0, limits)
    assert np.isnan(maybe.value)
    assert (maybe.low, maybe.high) == limits
    barely = ratio(Figure.exact(0.1), Figure.estimated(0.5, 0.4), 0.0, limits)
    assert (barely.low, barely.high, barely.is_bracket) == (pytest.approx(0.1 / (0.5 + Z95 * 0.4)), 1.0, True)
    bounds = ratio(BOUNDS, Figure.bracketed(5.0, 8.0), 0.0, limits)
    assert (bounds.low, bounds.high) == (1.0 / 8.0, 4.0 / 5.0)
    below = ratio(Figure.bracketed(-2.0, -1.0), Figure.exact(5.0), 0.0, limits)
    assert (below.low, below.high) == limits[:1] * 2


def test_what_theory_does_not_allow_is_cut_off():
    cut = Figure.estimated(0.1, 0.2).within(0.0, 3.0)
    assert (cut.value, cut.stderr, cut.low) == (0.1, 0.2, 0.0)
    assert BOUNDS.within(2.0, 3.0) == Figure.bracketed(2.0, 3.0)


def _freed(function, n_in, n_out, out_bins=2, **options):
    binned = BinnedLayer(ef.Function(function, n_in, n_out, (0.0, 1.0)), 0, (0.0, 1.0), (0.0, 1.0), 8, out_bins)
    do, options = intervention_on(binned, 0), MeasureOptions(**options)
    with Threads(1) as threads:
        return run_here(freed(do, options), threads), points_ceiling(do, options.effort)


def _some_matter(x):
    """The first input decides where the second is in the upper half, and nothing else does anything."""
    return np.where(x[:, [1]] >= 0.5, (x[:, [0]] >= 0.5) * 1.0, 0.0)


def test_errors_of_inputs_are_those_of_means_over_cells():
    found, _ = _freed(_some_matter, 3, 1, n_samples=400 * 3 * 8 * 16)
    assert found.n_cells == 400
    assert found.n_points == 400 * 3 * 8 * 16
    assert found.coverage == 1.0
    # One bit where the second input is in its upper half; and one of the second where the first input is in its own.
    of_cells = found.values
    np.testing.assert_allclose(of_cells[:2][of_cells[:2] > 0], 1.0, atol=0.01)
    assert not of_cells[2].any()
    each = found.figures.each
    assert [one.value for one in each[:2]] == pytest.approx([0.5, 0.5], abs=0.1)
    # Nothing is unseen, so that groups of cells spread as cells do: 16 groups know that to 1 / sqrt(30).
    plain = of_cells[:2].std(axis=1, ddof=1) / np.sqrt(400)
    freedom = 1 + 1.21 / 15
    assert [one.stderr for one in each[:2]] == pytest.approx(list(plain * freedom), rel=0.5)
    assert each[2].stderr == 0.0
    # That the third tells something in a share of the cells of which 400 show none: 3.69 / 400 of 3 bits at the most.
    assert each[2].bias == pytest.approx(3.69 / 400 * 3)
    found = found.figures.sum
    assert found.value == pytest.approx(sum(one.value for one in each))
    assert found.stderr * freedom == pytest.approx(np.sqrt(sum(one.stderr**2 for one in each)), rel=0.1)
    assert found.bias >= each[2].bias


@pytest.mark.parametrize("tol", [1e-4, 0.5])
def test_no_more_points_than_the_ceiling_allows(tol):
    found, ceiling = _freed(lambda x: (x[:, :1] + x[:, 1:2] > 1.1) * 1.0, 64, 1, effort=0.02, tol=tol)
    assert found.resolved
    # All that there are where they do not suffice: cells of all inputs with as many points.
    assert found.n_points <= ceiling
    if tol < 0.01:
        assert found.n_points > 0.9 * ceiling - 64 * 8 * 16


def test_coverage_is_that_inside_bins():
    # The place inside the bin of the first input, in 64 states: 16 points there, which leave (63/64)**15 unseen.
    found, _ = _freed(lambda x: 8 * x[:, :1] % 1.0, 2, 1, out_bins=64, n_samples=64 * 2 * 8 * 16)
    assert found.m == 16
    assert found.coverage == pytest.approx(1 - (63 / 64) ** 15, abs=0.03)
    assert not found.resolved


def _three_states(x):
    """How many of two thresholds the sum of two inputs is above; the third input does nothing."""
    s = x[:, :1] + x[:, 1:2]
    return 0.5 * (s > 0.83) + 0.5 * (s > 1.21)


def _truths():
    """What each input tells alone, and given the others, of `_three_states`, by the bins of 4 on a fine grid."""
    n = 512
    grid = (np.arange(n) + 0.5) / n
    x = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    y, bins = (2 * _three_states(x)[:, 0]).astype(int), (4 * x).astype(int)

    def entropy(*labels):
        p = np.unique(np.stack(labels), axis=1, return_counts=True)[1] / n**2
        return -float((p * np.log2(p)).sum())

    alone = [entropy(y) + 2 - entropy(y, bins[:, i]) for i in (0, 1)]
    given = [entropy(y, bins[:, 1 - i]) + 2 - entropy(y, bins[:, 0], bins[:, 1]) for i in (0, 1)]
    return {"input_information": [*alone, 0.0], "conditional_information": [*given, 0.0]}


TRUTHS = _truths()


def test_errors_where_every_cell_is_visited_are_those_seen():
    function = ef.Function(_three_states, 3, 1, (0.0, 1.0))
    profiles = [
        ef.information_profile(function, bins=(4, 3), n_samples=4096, random_state=seed, n_jobs=1)
        for seed in range(150)
    ]
    # A spread of 150 is known to 6 %. What tells nothing is above 0 by chance alone, as half a chi-square.
    for name in ("input_information", "conditional_information"):
        seen = np.std([getattr(profile, name) for profile in profiles], axis=0)
        stated = np.sqrt(np.mean([getattr(profile, f"{name}_stderr") ** 2 for profile in profiles], axis=0))
        np.testing.assert_allclose((stated / seen)[:2], 1.0, atol=0.3)
        # Cells have equal numbers of points, which takes most of the chance out of what an idle input has alone.
        assert 0.75 < (stated / seen)[2] < 6
        means = np.mean([getattr(profile, name) for profile in profiles], axis=0)
        # The truth, by the same function on a fine grid.
        np.testing.assert_allclose(means, TRUTHS[name], atol=0.004)


def test_freedom_is_that_of_tables_of_bins_and_states():
    rng, n_lines, bins, m = np.random.default_rng(0), 5, 4, 50
    lines = rng.integers(0, np.arange(1, n_lines + 1)[:, None, None], (n_lines, bins, m)).astype(np.uint64)
    no_excess = SimpleNamespace(excess=lambda *_: 0.0)
    value, _, freedom = _given(lines, no_excess, np.repeat(np.arange(n_lines), bins))
    # Line k has k states, which have nothing to do with the bin: (rows - 1) (columns - 1) of a table each.
    assert freedom == sum((bins - 1) * (k - 1) for k in range(1, n_lines + 1))
    assert abs(value) < 0.02


def test_an_output_that_stays_in_its_bin_tells_nothing_exactly():
    weight = np.column_stack([np.random.default_rng(0).normal(size=(4, 2)), np.zeros(4)])
    profile = ef.information_profile(weight, random_state=0, n_samples=2**14)
    assert profile.output_information[2] == profile.output_information_stderr[2] == 0.0
    assert profile.output_information_interval[2].tolist() == [0.0, 0.0]


def test_what_single_inputs_tell_has_bounds_where_their_cells_are_counted_and_all_states_are_not():
    # An identity of 12 inputs: 8**12 states of all outputs, eight of them where all other inputs are held.
    identity = ef.Function(lambda x: x, 12, 12, (0.0, 1.0))
    profile = ef.information_profile(identity, random_state=0, n_samples=2**15)
    assert "undersampled" in profile.flags
    low, high = profile.input_information_interval.T
    assert (low > 2.5).all()
    assert (high >= 3.0 - 1e-9).all()
    assert ((profile.conditional_information - 3.0) < 0.1).all()


def test_bounds_are_of_fewer_outputs_where_half_of_them_have_too_many_states():
    weight = np.random.default_rng(4).uniform(-1, 1, (14, 14))
    wide = ef.Function(lambda x: np.tanh(x @ weight), 14, 14, (-1.0, 1.0))
    profile = ef.information_profile(wide, effort=0.01, random_state=0, pairwise="none")
    assert "undersampled" in profile.flags
    low, high = profile.conditional_information_interval.T
    # Outputs that move with an input, whose others are held, tell of it.
    assert (low > 0.2).all()
    assert (high <= 3.0).all()


def test_pairs_of_many_states_are_counted_as_those_of_few(monkeypatch):
    rng = np.random.default_rng(0)
    states, codes = rng.integers(0, 40, 3000).astype(np.int32), rng.integers(0, 8, 3000).astype(np.uint16)
    table = PairCounts.of(states, codes, 40, 8)
    monkeypatch.setattr(pairs, "MAX_PAIRS_IN_TABLE", 100)
    listed = PairCounts.of(states, codes, 40, 8)
    by_hand = np.histogram2d(states, codes, bins=(range(41), range(9)))[0][states, codes]
    for counts in (table, listed):
        np.testing.assert_array_equal(counts.multiplicities(states, codes), by_hand)
