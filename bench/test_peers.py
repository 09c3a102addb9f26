"""ei_fast beside its peers: every pair of answers must agree before the times of either count."""

import numpy as np
import peers
import pytest
from cases import CONTESTS, Case, conditional, seed_network
from shapes import SEED_NETWORK

import ei_fast as ef

SAMPLES = 200_000


@pytest.fixture(scope="module")
def agreed():
    """Answers of both sides, each computed once."""
    known = {}

    def check(contest):
        if str(contest) not in known:
            known[str(contest)] = contest.ours(contest.case), contest.theirs(contest.case)
        ours, theirs = known[str(contest)]
        assert ours == pytest.approx(theirs, abs=contest.tolerance)

    return check


@pytest.mark.parametrize("contest", CONTESTS, ids=str)
@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_contest(benchmark, agreed, contest, side):
    agreed(contest)
    benchmark.group = str(contest)
    benchmark.extra_info.update(side=side, peer=contest.peer, scale=contest.scale, target=contest.target)
    function = contest.ours if side == "ours" else contest.theirs
    rounds = 15 if side == "ours" else 1
    benchmark.pedantic(function, (contest.case,), rounds=rounds, warmup_rounds=int(side == "ours"))


@pytest.mark.parametrize("widths", [(25, 6), (100, 30), (784, 128)], ids=lambda w: f"{w[0]}->{w[1]}")
@pytest.mark.parametrize("side", ["ours", "NumPy", "PyTorch"])
def test_sampling_against_a_bare_forward_pass(benchmark, widths, side):
    case = Case(*widths)
    forward = {"NumPy": peers.numpy_forward, "PyTorch": peers.torch_forward}
    # All three push the same layer's outputs through the same bins: one output's entropy tells.
    expected = _entropy_of_the_first(case, peers.numpy_forward(case, peers.BATCH))
    assert _entropy_of_the_first(case, peers.torch_forward(case, peers.BATCH)) == pytest.approx(expected, abs=0.05)
    ours = ef.analyze(case.weight[:, :1], random_state=0, pairwise="none")[0].output_entropy
    assert ours == pytest.approx(expected, abs=0.05)
    benchmark.group = f"{SAMPLES:,} samples, {case}"
    benchmark.extra_info.update(side=side, peer="forward pass", scale=1.0, target="0.2, 0.3 and 0.8 of PyTorch's time")
    function = conditional if side == "ours" else forward[side]
    benchmark.pedantic(function, (case, SAMPLES), rounds=7, warmup_rounds=1)


def test_whole_report_of_the_seeds_network(benchmark):
    for layer, widths in zip(seed_network(), SEED_NETWORK, strict=True):
        case = Case(*widths)
        # The published call takes ten million samples: a tenth of them is enough to agree to a few hundredths.
        assert layer.ei_parts == pytest.approx(peers.deep_ei_parts(case, 100_000), abs=0.05)
    benchmark.group = "whole report, 25->6->6->6->5"
    benchmark.extra_info.update(side="ours", peer="deep-ei, 10⁷ samples", scale=1.0, target="8,000")
    benchmark.pedantic(seed_network, rounds=15, warmup_rounds=1)


def test_the_published_calls_of_the_seeds_network(benchmark):
    benchmark.group = "whole report, 25->6->6->6->5"
    benchmark.extra_info.update(side="theirs", peer="deep-ei, 10⁷ samples", scale=100.0, target="8,000")

    def published():
        # A hundredth of the samples; the work grows with their number.
        for widths in SEED_NETWORK:
            peers.deep_ei_joint(Case(*widths), 100_000)
            peers.deep_ei_parts(Case(*widths), 100_000)

    benchmark.pedantic(published, rounds=1)


def test_one_edge(benchmark):
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 100_000))
    y = 0.5 * (x + y)
    expected = peers.sklearn_mutual_information(x, y, 8)
    assert ef.mutual_information(x, y, range=((0, 1), (0, 1))) == pytest.approx(expected, abs=1e-12)
    benchmark.group = "one edge, 100,000 samples"
    benchmark(ef.mutual_information, x, y, range=((0, 1), (0, 1)))


def test_one_edge_by_scikit_learn(benchmark):
    rng = np.random.default_rng(0)
    x, y = rng.random((2, 100_000))
    benchmark.group = "one edge, 100,000 samples"
    benchmark(peers.sklearn_mutual_information, x, 0.5 * (x + y), 8)


def _entropy_of_the_first(case, y):
    counts = np.bincount((y[:, 0] * case.bins).astype(int))
    p = counts[counts > 0] / counts.sum()
    return -(p * np.log2(p)).sum()
