"""One seed, the same bits: for any number of threads and any way of cutting the work up."""

import numpy as np
import pytest
from slow_cases import some_slow

import ei_fast as ef
from ei_fast.measures.edges import ei_parts, sensitivity
from ei_fast.measures.entropies import drawn_cells, every_cell

NETWORKS = {"drawn": [(25, 6), (6, 6)], "enumerated": [(4, 5), (5, 3)], "undersampled": [(40, 30)]}


def _values(report):
    return [
        (
            layer.ei,
            layer.ei_stderr,
            layer.ei_interval,
            layer.output_entropy,
            layer.n_samples,
            layer.sensitivity_matrix.tolist(),
        )
        for layer in report
    ]


@pytest.fixture(params=NETWORKS)
def weights(request, random_weight):
    return [random_weight(*widths, 3.0, seed=k) for k, widths in enumerate(NETWORKS[request.param])]


def test_any_number_of_threads(weights):
    one, two, four = (_values(ef.analyze(weights, random_state=3, n_jobs=n)) for n in (1, 2, 4))
    assert one == two == four


@pytest.mark.parametrize("points", some_slow([5000, 2**10, 2**20], 1))
def test_any_split_into_tasks(weights, monkeypatch, points):
    expected = _values(ef.analyze(weights, random_state=3))
    monkeypatch.setattr(drawn_cells, "TASK_POINTS", points)
    monkeypatch.setattr(every_cell, "TASK_POINTS", points)
    monkeypatch.setattr(sensitivity, "SENSITIVITY_TASK_EDGES", points // 100)
    monkeypatch.setattr(ei_parts, "EI_PARTS_TASK_WORK", points // 10)
    assert _values(ef.analyze(weights, random_state=3)) == expected


def test_seeds_differ(random_weight):
    weight = random_weight(6, 4, 3.0)
    assert ef.analyze(weight, random_state=0)[0].ei != ef.analyze(weight, random_state=1)[0].ei
    # The same weights at another place of the network draw other samples.
    pair = ef.analyze([random_weight(4, 4, 3.0)] * 2, random_state=0)
    assert pair[0].ei != pair[1].ei


def test_a_report_names_the_seed_that_repeats_it(random_weight):
    weight = random_weight(6, 4, 3.0)
    first = ef.analyze(weight)
    assert _values(ef.analyze(weight, random_state=first.provenance["seed"])) == _values(first)


def test_global_random_state_is_left_alone(random_weight):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    ef.analyze(random_weight(4, 3), random_state=0)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
