"""Chains against brute force: their weights are unbiased both ways, whatever they mix."""

import numpy as np
import pytest
from numba import config
from scipy.special import ndtr

from ei_fast.kernels.annealing import NO_WEIGHT, anneal
from ei_fast.kernels.chains import forward_chains, reverse_chains
from ei_fast.kernels.levels import GRID, GRID_SIZE, draw_between, mass_between, place_of
from ei_fast.measures.entropies.path import tables_of

TABLES, GUIDES = tables_of(4)
POINTS = np.arange(-GRID_SIZE, GRID_SIZE + 1) / GRID


@pytest.mark.parametrize("level", [1, 3, 4])
@pytest.mark.parametrize(
    ("low", "high"),
    [(-2.0, 2.0), (-np.inf, np.inf), (-0.7, -0.1), (0.2, 0.20001), (-0.1, 0.4), (0.5, 0.6), (-3.0, -1.8), (0.3, 0.3)],
)
def test_masses_and_draws_are_those_of_the_table(level, low, high):
    places = place_of(low), place_of(high)
    mass = mass_between(TABLES, level, *places)
    np.testing.assert_allclose(mass, np.diff(np.interp([low, high], POINTS, TABLES[level, :-1]))[0], atol=1e-14)
    if mass > 1e-12:
        for share in (0.0, 0.01, 0.3, 0.99, 1.0):
            place = draw_between(TABLES, GUIDES, level, *places, mass, share)
            assert places[0] <= place <= places[1]
            np.testing.assert_allclose(mass_between(TABLES, level, places[0], place) / mass, share, atol=1e-9)
    else:
        assert places[0] <= draw_between(TABLES, GUIDES, level, *places, mass, 0.5) <= places[1]


def test_narrow_masses_keep_their_digits():
    low = place_of(0.3)
    for width in (1e-6, 1e-10):
        mass = mass_between(TABLES, 3, low, low + width * GRID)
        k = int(low)
        np.testing.assert_allclose(mass, (TABLES[3][k + 1] - TABLES[3][k]) * width * GRID, rtol=1e-11 / width * 1e-3)


def test_the_path_leads_from_a_gaussian_to_the_box():
    np.testing.assert_allclose(TABLES[0, :-1], ndtr(POINTS * np.sqrt(12)), atol=1e-12)
    np.testing.assert_allclose(TABLES[-1, :-1], np.clip(POINTS + 0.5, 0, 1), atol=1e-15)
    # The variance is 1/12 at every level, but for the width of the grid's intervals.
    middles, masses = 0.5 * (POINTS[1:] + POINTS[:-1]), np.diff(TABLES[:, :-1], axis=1)
    np.testing.assert_allclose((masses * middles**2).sum(axis=1), 1 / 12, rtol=2e-3)


def _inverse(weight):
    with np.errstate(divide="ignore"):
        return np.where(weight == 0, NO_WEIGHT, 1 / weight)


CASES = {
    "two outputs": (
        np.array([[1.0, 0.4], [-0.7, 0.9], [0.5, 0.0]]),
        np.array([-0.1, -0.2]),
        np.array([0.35, 0.1]),
        0.0,
    ),
    "an open side": (
        np.array([[1.0, 0.4], [-0.7, 0.9], [0.5, 0.0]]),
        np.array([0.2, -1e150]),
        np.array([1e150, -0.1]),
        0.0,
    ),
    "more outputs than inputs": (
        np.array([[1.0, 0.3, -0.8], [0.2, 1.1, 0.9]]),
        np.full(3, -0.35),
        np.full(3, 0.3),
        0.3,
    ),
}


def _exact(weight, low, high):
    """Probability of the rectangle, on a fine grid of inputs."""
    n = 2000 if len(weight) == 2 else 160
    grid = (np.arange(n) + 0.5) / n - 0.5
    x = np.stack(np.meshgrid(*[grid] * len(weight), indexing="ij"), axis=-1).reshape(-1, len(weight))
    s = x @ weight
    return ((s >= low) & (s < high)).all(axis=1).mean()


@pytest.mark.parametrize("name", CASES)
def test_weights_are_unbiased_both_ways(name):
    weight, low, high, noise = CASES[name]
    sds = np.sqrt((weight**2).sum(axis=0) / 12)
    exact = _exact(weight, low, high)
    scaled, ends = weight / sds, (low / sds, high / sds)
    covariance = scaled.T @ scaled / 12
    # Inputs that lead into the rectangle: an exact sample of where chains should arrive.
    rng, n = np.random.default_rng(1), 8 if config.DISABLE_JIT else 20_000
    x = np.empty((0, len(weight)))
    while len(x) < n:
        tried = rng.uniform(-0.5, 0.5, (100_000, len(weight)))
        s = tried @ weight
        x = np.concatenate([x, tried[((s >= low) & (s < high)).all(axis=1)]])[:n]
    forward, reverse = np.empty((n, 1)), np.empty((n, 1))
    anneal(
        covariance,
        scaled,
        _inverse(scaled),
        np.tile(ends[0], (n, 1)),
        np.tile(ends[1], (n, 1)),
        x,
        TABLES,
        GUIDES,
        noise * (1 - np.arange(5) / 4) ** 2,
        2,
        4,
        np.arange(n, dtype=np.uint64),
        0,
        forward,
        reverse,
    )
    assert np.isfinite(reverse).all()
    if config.DISABLE_JIT:
        # As plain Python: that it runs is all that so few chains show.
        return
    for ratios in (np.exp(forward[:, 0]) / exact, exact / np.exp(reverse[:, 0])):
        assert abs(ratios.mean() - 1) < 4 * ratios.std() / np.sqrt(n) + 2e-3
        assert ratios.std() > 0.01
    assert np.mean(forward[np.isfinite(forward)]) < np.log(exact) < np.mean(reverse)


@pytest.mark.parametrize("chains", [forward_chains, reverse_chains])
def test_chains_never_leave_the_rectangle_nor_the_box(chains):
    weight, low, high, _ = CASES["two outputs"]
    sds = np.sqrt((weight**2).sum(axis=0) / 12)
    scaled, n_chains = weight / sds, 5
    x, log_weights = np.tile([0.1, 0.1, 0.2], (n_chains, 1)), np.zeros(n_chains)
    chains(
        TABLES, GUIDES, np.zeros(5), scaled, _inverse(scaled), low / sds, high / sds, 2,
        np.arange(n_chains, dtype=np.uint64), 0, x, np.zeros((n_chains, 2)), log_weights,
    )  # fmt: skip
    s = x @ weight
    assert np.isfinite(log_weights).all()
    assert len(set(log_weights)) == n_chains
    assert (s >= low - 1e-9).all()
    assert (s <= high + 1e-9).all()
    if chains is forward_chains:
        assert (np.abs(x) <= 0.5).all()


def test_chains_that_take_turns_are_those_alone():
    weight, low, high, noise = CASES["more outputs than inputs"]
    sds = np.sqrt((weight**2).sum(axis=0) / 12)
    scaled, noises = weight / sds, noise * (1 - np.arange(5) / 4) ** 2
    keys = np.arange(3, dtype=np.uint64) + np.uint64(9)
    for chains in (forward_chains, reverse_chains):
        together, alone = np.zeros(3), np.zeros(3)
        for which, log_weights in [(slice(0, 3), together), *((slice(k, k + 1), alone) for k in range(3))]:
            x = np.tile([0.05, 0.1], (3, 1))[which]
            chains(
                TABLES, GUIDES, noises, scaled, _inverse(scaled), low / sds, high / sds, 2, keys[which], 7, x,
                np.zeros_like(log_weights, shape=(len(x), 3)), log_weights[which],
            )  # fmt: skip
        assert together.tolist() == alone.tolist()
        assert len(set(alone)) == 3


def test_a_state_without_edges_is_certain():
    ends = np.full((1, 2), 1e150)
    forward, reverse = np.empty((1, 2)), np.empty((1, 1))
    weight = np.ones((3, 2)) * [1.0, 2.0]
    anneal(
        np.eye(2), weight, 1 / weight, -ends, ends, np.zeros((1, 3)), TABLES, GUIDES, np.zeros(5), 1, 2,
        np.zeros(1, np.uint64), 0, forward, reverse,
    )  # fmt: skip
    assert forward.tolist() == [[0.0, 0.0]]
    assert reverse.tolist() == [[0.0]]
