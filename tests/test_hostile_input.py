"""Values that no figure may hide: masked, beyond all numbers, not numbers; refused before any work, or right."""

import time

import numpy as np
import pytest

import ei_fast as ef

HUGE = 10**400


def test_masked_entries_are_refused_wherever_they_stand():
    masked = np.ma.masked_array(np.eye(3), mask=np.eye(3) > 2)
    ef.Layer(masked)
    masked[0, 1] = np.ma.masked
    for weights in (masked, [masked], [np.eye(3), masked], list(masked)):
        with pytest.raises(ValueError, match="Got a masked array instead"):
            ef.analyze(weights)
    with pytest.raises(ValueError, match="Got a masked array instead"):
        ef.mutual_information(masked[0], [1.0, 2.0, 3.0])
    function = ef.Function(lambda x: np.ma.masked_greater(x, 0.5), 2, 2, (0.0, 1.0))
    with pytest.raises(ValueError, match="must return numbers. Got a masked array"):
        ef.analyze(function)


@pytest.mark.parametrize(
    ("low", "high"), [(-1e308, 0.7e308), (-1.7e308, 1.7e308), (0.0, 1e-300), (0.0, 5e-320), (1e307, 1.6e308)]
)
def test_mutual_information_near_the_ends_of_the_numbers(low, high):
    unit = np.linspace(0, 1, 801)
    x = low * (1 - unit) + high * unit
    assert ef.mutual_information(x, unit) == pytest.approx(ef.mutual_information(unit, unit), abs=0.02)


def test_more_bins_than_numbers_are_refused():
    with pytest.raises(ValueError, match="no more than can be told apart"):
        ef.mutual_information([0.0, 5e-324], [0.0, 1.0])
    with pytest.raises(ValueError, match=r"Layer 0 \('layer0'\): its inputs' range .* cannot be divided into 64 bins"):
        ef.analyze(np.eye(2), in_range=(1.0, 1.0 + 3e-15), bins=64)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ef.Layer([[HUGE]]),
        lambda: ef.Layer(np.eye(1), [HUGE]),
        lambda: ef.Network([ef.Layer(np.eye(1))], in_range=(0, HUGE)),
        lambda: ef.analyze(np.eye(1), tol=HUGE),
        lambda: ef.analyze(np.eye(1), baseline=-HUGE),
        lambda: ef.analyze(np.eye(1), in_range=(-HUGE, 0)),
        lambda: ef.analyze(np.eye(1), bins=HUGE),
        lambda: ef.mutual_information([1, HUGE], [1, 2]),
        lambda: ef.mutual_information([1, 2], [1, 2], range=((0, HUGE), (0, 1))),
        lambda: ef.Activation("leaky_relu", negative_slope=HUGE),
        lambda: ef.Recorder(ef.EffectiveInformation()).record(np.eye(1), loss=HUGE),
        lambda: ef.Recorder(ef.EffectiveInformation()).record(np.eye(1), step=HUGE),
        lambda: ef.Recorder(ef.EffectiveInformation(), time_budget=HUGE),
    ],
)
def test_a_number_beyond_all_others_is_refused_by_name(call):
    with pytest.raises((ValueError, TypeError), match=r"must|parameter"):
        call()


def test_text_in_an_array_of_objects_is_no_weight():
    for weights in ([["1", "2"]], [[1.0, b"2"]]):
        with pytest.raises(TypeError, match="must be an array of real numbers.*in an array of objects"):
            ef.Layer(np.array(weights, dtype=object))
    assert ef.Layer(np.array([[1, np.float32(2.0)]], dtype=object)).weight.tolist() == [[1.0, 2.0]]


@pytest.mark.parametrize("slope", [np.float32(0.25), np.float64(0.25), np.float16(0.25)])
def test_numpys_numbers_are_parameters(slope):
    activation = ef.Activation("leaky_relu", negative_slope=slope)
    assert activation == ef.Activation("leaky_relu", negative_slope=0.25)
    assert type(activation.params["negative_slope"]) is float


@pytest.mark.parametrize("joint", ["auto", "plugin"])
def test_more_samples_than_memory_are_refused_before_any_work(joint):
    begun = time.perf_counter()
    with pytest.raises(MemoryError, match=r"n_samples=10,000,000,000 needs about .* GiB.* Ask for at most"):
        ef.analyze(np.ones((9, 9)), n_samples=10**10, joint=joint)
    with pytest.raises(MemoryError, match="needs about"):
        ef.analyze(np.ones((9, 9)), n_samples=HUGE, joint=joint)
    assert time.perf_counter() - begun < 1


def test_a_function_that_stops_an_iteration_is_an_error():
    def stops(x):
        raise StopIteration

    with pytest.raises(RuntimeError, match="Function 'layer0' raised StopIteration"):
        ef.analyze(ef.Function(stops, 2, 2, (0.0, 1.0)))


@pytest.mark.parametrize("restarts", [[5], [-1], ["a"], [2]])
def test_restarts_are_places_of_layers(restarts):
    layers = [ef.Layer(np.eye(2), in_range=(0.0, 1.0)), ef.Layer(np.eye(2), in_range=(0.0, 1.0))]
    with pytest.raises(ValueError, match="'restarts' parameter of Network must hold places from 0 to 1"):
        ef.Network(layers, restarts=restarts)


@pytest.mark.slow
def test_a_function_with_many_outputs_ends():
    weight = np.random.default_rng(0).normal(size=(2, 300))
    begun = time.perf_counter()
    report = ef.analyze(ef.Function(lambda x: np.tanh(x @ weight), 2, 300, (-1.0, 1.0)), random_state=0)[0]
    # Tens of seconds where its cost is not counted; the machine may be busy.
    assert time.perf_counter() - begun < 30
    assert {"tol not reached", "undersampled"} & set(report.flags)
    assert report.n_samples < 2_000_000
