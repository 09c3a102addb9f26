"""What measures say that they take, before anything is measured: batches are shared out and split by it."""

import numpy as np
import pytest

import ei_fast as ef
from ei_fast.measures.constants import ANNEALING_WORK, EXPECTED_POINTS, JOINT_POINTS
from ei_fast.measures.cost import Cost
from ei_fast.measures.joint.auto import METHODS, chosen_method, components
from ei_fast.measures.joint.problem import JointProblem
from ei_fast.measures.layer import MEASURES_OF_LAYER, measure_cost
from ei_fast.measures.options import MeasureOptions
from ei_fast.network.binned import BinnedLayer


def _binned(weight):
    return BinnedLayer(ef.Layer(weight), 0, (0.0, 1.0), (0.0, 1.0), 8, 8)


def _cost(weight, measure="joint", **options):
    return measure_cost(_binned(weight), measure, MeasureOptions(**options))


def test_what_is_exact_simulates_nothing(random_weight):
    assert _cost(np.eye(5)).points == 0
    cost = _cost(random_weight(6, 5, 3.0), "ei_parts")
    assert (cost.points, cost.edges) == (0, 30)


def test_an_output_that_is_always_dropped_leaves_nothing_to_do():
    binned = BinnedLayer(ef.Layer(np.zeros((3, 2))), 0, (0.0, 1.0), (0.6, 0.9), 8, 8, True)
    assert measure_cost(binned, "joint", MeasureOptions()).points == 0


def test_few_cells_take_what_they_are_visited_with(random_weight):
    report = ef.analyze(random_weight(2, 2, 3.0), random_state=0)[0]
    assert _cost(random_weight(2, 2, 3.0)).points == report.n_samples


def test_the_number_of_points_is_the_one_that_is_given(random_weight):
    assert _cost(random_weight(9, 5, 3.0), n_samples=5000).points == 5000
    assert _cost(random_weight(30, 60, 5.0), n_samples=5000).points == 5000


def test_each_component_counts_by_itself(random_weight):
    block = random_weight(3, 2, 3.0)
    one, two = _cost(block), _cost(np.kron(np.eye(2), block))
    assert two.points == 2 * one.points
    assert two.multiply_adds == 2 * one.multiply_adds


def test_wide_layers_take_the_work_of_chains_whatever_a_point_takes(random_weight):
    cost = _cost(random_weight(100, 30, 5.0))
    assert ANNEALING_WORK <= cost.multiply_adds < 1.1 * ANNEALING_WORK
    assert _cost(random_weight(100, 30, 5.0), effort=2.0).multiply_adds > 1.9 * ANNEALING_WORK
    # Where chains are too dear some outputs are annealed, and all of them scored.
    assert _cost(random_weight(784, 128, 5.0)).multiply_adds > 1.9 * ANNEALING_WORK


def test_states_that_can_be_counted_take_points_only(random_weight):
    assert _cost(random_weight(25, 6, 5.0)).points == EXPECTED_POINTS
    assert _cost(random_weight(40, 30, 5.0), joint="conditional").points == EXPECTED_POINTS


@pytest.mark.parametrize("joint", ["auto", *METHODS])
def test_the_cost_is_that_of_the_method_that_would_be_chosen(random_weight, joint):
    binned, options = _binned(random_weight(12, 20, 3.0)), MeasureOptions(joint=joint)
    if joint == "exact":
        binned = _binned(np.eye(3))
    elif joint == "plugin":
        assert measure_cost(binned, "joint", options).points == 2 * JOINT_POINTS
        return
    points = [chosen_method(problem, options).cost(problem, options) for problem in components(JointProblem(binned, 0))]
    assert measure_cost(binned, "joint", options).points == sum(points)


def test_edges_by_every_method(random_weight):
    weight = random_weight(40, 30, 3.0)
    for measure in MEASURES_OF_LAYER[1:]:
        assert _cost(weight, measure, pairwise="none") == type(_cost(weight, measure))()
        some = _cost(weight, measure, pairwise_edges=1000)
        assert (some.edges, some.drawn_edges, some.candidates) == (0, 1000, 1200)
        counted = _cost(weight, measure, pairwise="histogram", n_samples=5000)
        assert counted.counts == 5000 * 1200
        assert counted.points == (5000 * 40 if measure == "sensitivity" else 5000)


def test_a_function_takes_the_work_of_its_calls():
    block = ef.Function(lambda x: x[:, :2], 3, 2, (0.0, 1.0))
    binned = BinnedLayer(block, 0, (0.0, 1.0), (0.0, 1.0), 8, 8, False)
    for measure in MEASURES_OF_LAYER:
        cost = measure_cost(binned, measure, MeasureOptions())
        assert cost.points > 0
        assert cost.multiply_adds > 500 * cost.points


def test_the_cost_of_nothing_is_nothing():
    assert Cost() == Cost.sum([])
    assert Cost.sum([Cost.of_points(10, 3.0), Cost()]) == Cost(points=10, multiply_adds=30.0)
