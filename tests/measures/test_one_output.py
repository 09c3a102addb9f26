"""The exact EI of components with one output: against every cell, against a convolution, and against sampling."""

from itertools import product

import naive
import numpy as np
import pytest

import ei_fast as ef
from ei_fast.measures.joint import one_output
from ei_fast.measures.joint.auto import components
from ei_fast.measures.joint.conditional import Conditional
from ei_fast.measures.joint.one_output import one_output_ei
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.options import MeasureOptions
from ei_fast.measures.stages import run_here
from ei_fast.network.binned import BinnedLayer
from ei_fast.runtime.threads import Threads

RNG = np.random.default_rng(3)


def problem_of(weight, bias=0.0, activation="tanh", in_range=(0.0, 1.0), out_range=None, bins=(4, 4), inputs=None):
    """The one component of a layer with one output."""
    layer = ef.Layer(np.reshape(weight, (-1, 1)), [bias], activation)
    out_range = out_range or ef.Network([layer], in_range).ranges()[0][1]
    binned = BinnedLayer(layer, 0, in_range, out_range, *bins)
    (found,) = components(JointProblem(binned, 0, inputs=inputs))
    return found


def entropies(p):
    return -(np.where(p > 1e-300, p, 1.0) * np.log2(np.where(p > 1e-300, p, 1.0))).sum(axis=-1)


def by_every_cell(weight, bias, activation, in_range, out_range, bins, held=None):
    """EI in bits: the distribution of the output in every cell, by inclusion and exclusion with 80 digits."""
    weight, (low, high), (in_bins, out_bins) = np.asarray(weight), in_range, bins
    held = range(len(weight)) if held is None else held
    step = (high - low) / in_bins
    widths = np.abs(weight) * (high - low) / 2
    widths[list(held)] /= in_bins
    free = bias + 0.5 * (low + high) * sum(weight[i] for i in range(len(weight)) if i not in held)
    centres = np.array(
        [free + sum(weight[i] * (low + step * (k + 0.5)) for i, k in zip(held, cell, strict=True))
         for cell in product(range(in_bins), repeat=len(held))]
    )  # fmt: skip
    pieces = naive.step_pieces(activation, out_range, out_bins)
    inside = np.zeros((len(centres), out_bins))
    for k, (begins, code) in enumerate(pieces):
        ends = pieces[k + 1][0] if k + 1 < len(pieces) else np.inf
        cdf = [np.where(end - centres >= widths.sum(), 1.0, 0.0) for end in (begins, ends)]
        for of_end, end in zip(cdf, (begins, ends), strict=True):
            crossed = np.abs(end - centres) < widths.sum()
            of_end[crossed] = naive.uniform_sum_cdf(end - centres[crossed], widths)
        inside[:, code] += cdf[1] - cdf[0]
    return float(entropies(inside.mean(axis=0)) - entropies(inside).mean())


EVERY_CELL = {
    "five inputs": ([0.7, -1.1, 0.4, 0.9, -0.3], 0.1, "tanh", (0.0, 1.0), (-1.0, 1.0), (3, 4)),
    "equal weights": ([1.0] * 5, -2.0, "tanh", (0.0, 1.0), (-1.0, 1.0), (3, 4)),
    "not monotone": ([1.5, -2.0, 1.0, 0.8, 1.2], -1.0, "silu", (-1.0, 1.0), (-0.3, 1.5), (3, 5)),
    "an atom": ([0.5, 0.6, -0.7, 0.8, 0.4], -0.3, "relu", (-1.0, 1.0), (0.0, 1.0), (3, 4)),
    "even bins": ([0.7, -1.1, 0.8, 0.9], 0.1, "tanh", (-1.0, 1.0), (-1.0, 1.0), (4, 3)),
    "large numbers": ([0.7e5, -1.1e5, 0.4e5, 0.9e5, -0.3e5], 1e4, "linear", (0.0, 1.0), (-1e5, 1e5), (3, 4)),
}


@pytest.fixture(params=["by a series", "cell by cell"])
def way(request, monkeypatch):
    """Both ways to the mean over cells, for the same few cells."""
    monkeypatch.setattr(one_output, "MAX_ENUMERATED_CELLS", 0 if request.param == "by a series" else 2**12)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("given", EVERY_CELL.values(), ids=EVERY_CELL)
def test_it_is_the_mean_over_every_cell(given):
    weight, bias, activation, in_range, out_range, bins = given
    found = one_output_ei(problem_of(weight, bias, activation, in_range, out_range, bins))
    if activation == "linear":
        # The oracle looks for steps within 30.
        weight, bias, out_range = (np.asarray(one) / 1e5 for one in (weight, bias, out_range))
    expected = by_every_cell(weight, float(bias), activation, in_range, tuple(out_range), bins)
    assert found is not None
    assert found.value == pytest.approx(expected, abs=2e-8)
    assert (found.method, found.stderr, found.n_samples) == ("exact", 0.0, 0)


@pytest.mark.parametrize(
    ("weight", "bins"),
    [([1.0, 1.0], (8, 8)), ([2.0, -0.3], (7, 4)), ([1.0, 0.2, 1e-6], (8, 8)), ([3.0, 1e-9, 1.0, 0.5], (6, 5))],
    ids=["equal", "two", "a narrow one", "of all sizes"],
)
def test_few_inputs_are_exact(weight, bins):
    found = one_output_ei(problem_of(weight, -0.3, "tanh", (-1.0, 1.0), (-1.0, 1.0), bins))
    assert found is not None
    assert found.value == pytest.approx(by_every_cell(weight, -0.3, "tanh", (-1.0, 1.0), (-1.0, 1.0), bins), abs=2e-8)


@pytest.mark.usefixtures("way")
def test_a_group_of_its_inputs():
    weight, bias, bins = [0.7, -1.1, 0.4, 0.9, -0.3, 0.5], 0.1, (4, 5)
    found = one_output_ei(problem_of(weight, bias, "tanh", bins=bins, inputs=np.array([0, 3])))
    expected = by_every_cell(weight, bias, "tanh", (0.0, 1.0), (-1.0, 1.0), bins, held=[0, 3])
    assert found is not None
    assert found.value == pytest.approx(expected, abs=2e-8)


@pytest.mark.parametrize("n", [6, 9, 25, 49])
@pytest.mark.parametrize("in_bins", [2, 5, 8])
def test_equal_weights_of_many_inputs(n, in_bins):
    # The centres lie on a lattice, on which a wave of the series may be as strong as at 0.
    breaks, codes = [0.48 * n, 0.5 * n + 0.3], [0, 1, 2]
    expected, _ = naive.joint_ei_of_equal_weights(n, 0.0, breaks, codes, in_bins)
    layer = ef.Activation(lambda s: np.searchsorted(breaks, s, side="right") / 2.0, codomain=(0.0, 1.0))
    found = one_output_ei(problem_of([1.0] * n, 0.0, layer, bins=(in_bins, 3)))
    assert found is not None
    assert found.value == pytest.approx(expected, abs=3e-8)


@pytest.mark.parametrize("activation", ["sigmoid", "relu6", "silu", "linear"])
@pytest.mark.parametrize("n", [9, 25])
def test_it_is_what_sampling_finds(activation, n):
    problem = problem_of(RNG.normal(size=n), 0.2, activation, (-1.0, 1.0), bins=(8, 8))
    found, sampled = (
        one_output_ei(problem),
        run_here(Conditional().estimate(problem, MeasureOptions()), Threads(1)),
    )
    assert found is not None
    assert abs(found.value - sampled.value) < 4 * sampled.stderr + sampled.bias
    assert found.output_entropy == pytest.approx(sampled.output_entropy, abs=0.02)


def test_what_is_too_rough_is_sampled():
    weight = [1.0, 1e-6, 1e-6, 1e-6, 1e-6]
    assert one_output_ei(problem_of(weight, -0.8, bins=(8, 8))) is None
    columns = np.zeros((2 * len(weight), 2))
    columns[: len(weight), 0] = columns[len(weight) :, 1] = weight
    report = ef.analyze(ef.Layer(columns, [-0.8, -0.4], "tanh"), random_state=0, pairwise="none")[0]
    assert report.joint_method == "conditional"


def block_diagonal(columns):
    n, m = columns.shape
    weight = np.zeros((n * m, m))
    for j in range(m):
        weight[n * j : n * (j + 1), j] = columns[:, j]
    return weight


def test_a_layer_of_many_is_exact():
    layer = ef.Layer(block_diagonal(RNG.normal(size=(9, 12))), RNG.normal(size=12), "silu")
    exact = ef.analyze(layer, pairwise="none")[0]
    assert (exact.joint_method, exact.ei_stderr, exact.n_samples) == ("exact", 0.0, 0)
    assert exact.ei_bounds == exact.ei_interval == (exact.ei, exact.ei)
    for params in ({"joint": "conditional"}, {"n_samples": 2**20}):
        sampled = ef.analyze(layer, pairwise="none", random_state=0, **params)[0]
        assert sampled.joint_method == "conditional"
        low, high = sampled.ei_interval
        assert low - (high - low) / 2 < exact.ei < high + (high - low) / 2
    assert "one output" in exact.explain()


def test_dropped_samples_are_drawn():
    layer = ef.Layer(block_diagonal(RNG.normal(size=(9, 3))), activation="linear", out_range=(-0.5, 0.5))
    report = ef.analyze(layer, pairwise="none", out_of_range="drop", random_state=0)[0]
    assert report.joint_method == "conditional"
