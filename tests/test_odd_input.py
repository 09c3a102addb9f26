"""Whatever people pass: measured as meant, or refused with parameter, rule, value and remedy, before any work."""

import threading
from collections import Counter
from fractions import Fraction
from math import log2

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import ei_fast as ef

WEIGHT = np.array([[1.0, -2.0], [3.0, 0.5], [-1.0, 2.0]])


class Tensor:
    """What numpy.asarray can make an array of, as it can of other libraries' tensors."""

    ndim, shape = 2, (3, 2)

    def __array__(self, dtype=None, copy=None):
        return WEIGHT.astype(np.float32)


def _memory_mapped(tmp_path):
    np.save(tmp_path / "weight.npy", WEIGHT)
    return np.load(tmp_path / "weight.npy", mmap_mode="r")


GOOD = {
    "float64": WEIGHT,
    "float32": WEIGHT.astype(np.float32),
    "float16": WEIGHT.astype(np.float16),
    "big-endian": WEIGHT.astype(">f8"),
    "Fortran-ordered": np.asfortranarray(WEIGHT),
    "strided": np.repeat(np.repeat(WEIGHT, 2, axis=0), 3, axis=1)[::2, ::3],
    "read-only": np.frombuffer(WEIGHT.tobytes()).reshape(3, 2),
    "object": WEIGHT.astype(object),
    "list": WEIGHT.tolist(),
    "DataFrame": pd.DataFrame(WEIGHT, columns=["a", "b"]),
    "tensor": Tensor(),
    "matrix": sparse.csr_array(WEIGHT).todense(),
    "masked, nothing hidden": np.ma.masked_array(WEIGHT),
}


@pytest.mark.parametrize("kind", GOOD)
def test_every_form_of_the_same_numbers(kind):
    expected = ef.analyze(WEIGHT, random_state=0)[0]
    for model in (GOOD[kind], [GOOD[kind]], (GOOD[kind], None), ef.Layer(GOOD[kind])):
        report = ef.analyze(model, random_state=0)[0]
        assert report.ei == expected.ei
        np.testing.assert_array_equal(report.sensitivity_matrix, expected.sensitivity_matrix)


def test_a_memory_mapped_file(tmp_path):
    assert ef.analyze(_memory_mapped(tmp_path), random_state=0)[0].ei == ef.analyze(WEIGHT, random_state=0)[0].ei


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.int64])
def test_whole_numbers(dtype):
    weight = np.array([[1, 0], [0, 1], [1, 1]])
    assert (
        ef.analyze(weight.astype(dtype), random_state=0)[0].ei == ef.analyze(weight.astype(float), random_state=0)[0].ei
    )


BAD = {
    "NaN": (np.array([[1.0, np.nan]]), ValueError, r"finite, neither NaN nor inf. Got nan at index \(0, 1\)"),
    "inf": (np.array([[1.0], [-np.inf]]), ValueError, r"Got -inf at index \(1, 0\)"),
    "no rows": (np.empty((0, 2)), ValueError, r"shape=\(0, 2\)"),
    "no columns": (np.empty((2, 0)), ValueError, r"0 feature\(s\) \(shape=\(2, 0\)\) while a minimum of 1 is required"),
    "no columns, in a list": ([np.empty((2, 0))], ValueError, r"'weight' parameter of Layer .* Got shape \(2, 0\)"),
    "1-D": (np.ones(3), ValueError, r"Got ndarray of shape \(3,\) instead"),
    "3-D": (np.ones((2, 2, 2)), ValueError, r"Got ndarray of shape \(2, 2, 2\) instead"),
    "3-D, in a list": ([np.ones((2, 2, 2))], ValueError, r"must have shape \(n_in, n_out\).* Got shape \(2, 2, 2\)"),
    "0-D": (np.float64(1.0), ValueError, r"Got float64 of shape \(\) instead"),
    "ragged": ([[1.0, 2.0], [3.0]], (TypeError, ValueError), "Layer 'layer0'"),
    "complex": (WEIGHT * 1j, ValueError, "Complex data not supported: pass the real part"),
    "objects": (np.array([[{}, 1.0]]), TypeError, "Got object instead: .*not 'dict'"),
    "strings": (np.array([["a", "b"]]), TypeError, "must be an array of real numbers. Got <U1 instead"),
    "dates": (np.array([["2026-01-01"]], dtype="M8[D]"), TypeError, "Got datetime64"),
    "sparse matrix": (sparse.csr_matrix(WEIGHT), TypeError, r"sparse input is not supported. Convert it with .toarray"),
    "sparse, a dict of keys": (sparse.dok_matrix(WEIGHT), TypeError, "sparse input is not supported"),
    "hidden entries": (np.ma.masked_less(WEIGHT, 0), ValueError, "masked array instead.* Fill them in"),
    "not chaining": ([WEIGHT, WEIGHT], ValueError, "must take as many inputs as layer 0"),
    "PyTorch's orientation": (
        [np.ones((4, 3)), np.ones((5, 4))],
        ValueError,
        r"Transposed the widths chain.*weight\.T",
    ),
    "overflowing": (np.full((4, 2), 1e308), ValueError, r"Layer 0 \('layer0'\): its pre-activations overflow .* Scale"),
    "nothing": (None, TypeError, "Got NoneType instead"),
    "a number": (3, TypeError, "Got int instead"),
    "a generator": ((row for row in WEIGHT), TypeError, "Got generator instead"),
    "a set": ({1.0, 2.0}, TypeError, "Got set instead"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_network(no_work, kind):
    model, error, message = BAD[kind]
    with pytest.raises(error, match=message):
        ef.analyze(model)


@pytest.mark.parametrize(
    ("bias", "error", "message"),
    [
        ([1.0, np.nan], ValueError, r"'bias' parameter of Layer 'fc' must be finite.* Got nan at index \(1,\)"),
        ([np.inf, 1.0], ValueError, "Got inf at index"),
        ([1.0], ValueError, r"'bias' parameter of Layer 'fc' must have shape \(2,\).* Got shape \(1,\)"),
        (np.ones((1, 2)), ValueError, r"Got shape \(1, 2\)"),
        (3.0, ValueError, r"Got shape \(\)"),
        (["a", "b"], TypeError, "'bias' parameter of Layer 'fc' must be an array of real numbers"),
        ([1j, 0], ValueError, "Complex data not supported"),
    ],
)
def test_bad_biases(bias, error, message):
    with pytest.raises(error, match=message):
        ef.Layer(WEIGHT, bias, name="fc")


@pytest.mark.parametrize("bins", [np.int8(4), np.uint64(4), (np.int32(4), 4), [4, 4], np.array([4, 4])])
def test_bins_of_every_integer_kind(bins):
    assert ef.analyze(WEIGHT, bins=bins, random_state=0)[0].ei == ef.analyze(WEIGHT, bins=4, random_state=0)[0].ei


@pytest.mark.parametrize(
    ("bins", "error"),
    [
        (0, ValueError),
        (1, ValueError),
        (-8, ValueError),
        (10**6, ValueError),
        ((8, 1), ValueError),
        (True, TypeError),
        (np.True_, TypeError),
        (8.0, TypeError),
        ("8", TypeError),
        (None, TypeError),
        ((8, 8, 8), TypeError),
        ((8, 2.0), TypeError),
    ],
)
def test_bad_bins(no_work, bins, error):
    with pytest.raises(
        error, match="'bins' parameter of EffectiveInformation must be an integer from 2 to 32768.* Got"
    ):
        ef.analyze(WEIGHT, bins=bins)


@pytest.mark.parametrize("name", ["in_range", "out_range"])
@pytest.mark.parametrize(
    ("limits", "error", "message"),
    [
        ((1.0, 0.0), ValueError, "Swap the two ends"),
        ((1.0, 1.0), ValueError, "low < high"),
        ((0.0, np.inf), ValueError, "finite"),
        ((np.nan, 1.0), ValueError, "finite"),
        ((-1e308, 1e308), ValueError, "finite"),
        ((1.0, 1.0 + 2e-16), ValueError, "far enough apart"),
        ((0.0,), TypeError, "two finite numbers"),
        ((0.0, 1.0, 2.0), TypeError, "two finite numbers"),
        (("0", "1"), TypeError, "two finite numbers"),
        (1.0, TypeError, "two finite numbers"),
        (None, TypeError, "two finite numbers"),
        ("wide", ValueError, "or two numbers"),
    ],
)
def test_bad_ranges(no_work, name, limits, error, message):
    with pytest.raises(error, match=f"'{name}' parameter of EffectiveInformation must be .*{message}"):
        ef.analyze(WEIGHT, **{name: limits})


def test_a_baseline_outside_the_range_is_as_good_as_any():
    # With the second input at 5 the output is saturated: the first one's edge carries nothing any more.
    layer = ef.Layer(np.array([[1.0], [3.0]]), activation="hard_sigmoid")
    assert ef.sensitivity_matrix(layer, baseline=5.0)[0, 0] == 0.0
    assert ef.sensitivity_matrix(layer, baseline=0.0)[0, 0] > 0.0
    sampled = ef.sensitivity_matrix(layer, baseline=-0.5, pairwise="histogram", random_state=0)
    np.testing.assert_allclose(sampled, ef.sensitivity_matrix(layer, baseline=-0.5), atol=0.01)


def test_a_generator_moves_on_from_fit_to_fit():
    rng = np.random.default_rng(0)
    est = ef.EffectiveInformation(random_state=rng)
    first, second = est.fit(WEIGHT).ei_[0], est.fit(WEIGHT).ei_[0]
    assert first != second
    again = ef.EffectiveInformation(random_state=np.random.default_rng(0))
    assert (again.fit(WEIGHT).ei_[0], again.fit(WEIGHT).ei_[0]) == (first, second)
    sequence = np.random.SeedSequence(7)
    assert ef.analyze(WEIGHT, random_state=sequence)[0].ei == ef.analyze(WEIGHT, random_state=sequence)[0].ei


def test_unknown_names():
    with pytest.raises(TypeError, match="unexpected keyword argument 'n_bins'"):
        ef.analyze(WEIGHT, n_bins=8)
    with pytest.raises(ValueError, match=r"Invalid parameter 'n_bins' for estimator EffectiveInformation"):
        ef.EffectiveInformation().set_params(n_bins=8)
    with pytest.raises(ValueError, match="'entropy' parameter of EffectiveInformation must be one of 'auto', 'plugin'"):
        ef.analyze(WEIGHT, entropy="nsb")
    with pytest.raises(ValueError, match="The activation 'rleu' is not known. Known are linear, sigmoid"):
        ef.analyze(WEIGHT, activation="rleu")
    with pytest.raises(KeyError, match="the layers are layer0"):
        ef.analyze(WEIGHT, random_state=0)["fc1"]
    with pytest.raises(AttributeError, match="has no attribute 'analyse'"):
        ef.analyse  # noqa: B018


def test_two_threads_at_once():
    weights = [np.random.default_rng(k).normal(size=(8, 4)) for k in range(2)]
    expected = [ef.analyze(weight, random_state=0)[0].ei for weight in weights]
    got = [[], []]

    def work(k):
        for _ in range(10):
            got[k].append(ef.analyze(weights[k], random_state=0, n_jobs=2)[0].ei)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got == [[expected[0]] * 10, [expected[1]] * 10]


def _need_a_gradient():
    torch = pytest.importorskip("torch")
    return torch.tensor([0.0, 1.0, 2.0, 3.0], requires_grad=True)


def test_tensors_that_need_a_gradient_are_read():
    tensor = _need_a_gradient()
    torch = pytest.importorskip("torch")
    for x in (tensor, tensor.half(), tensor.bfloat16(), list(tensor), torch._neg_view(-tensor.detach()), tensor * 1):
        assert ef.mutual_information(x, tensor, bins=4) == 2.0
    weight = tensor.reshape(2, 2)
    few = {"activation": "linear", "n_samples": 256, "random_state": 0}
    expected = ef.analyze(weight.detach().numpy(), **few)[0].ei
    layer = ef.Layer(list(weight), activation="linear")
    for model in (weight, [weight], [list(weight)], {"w0": weight}, [(weight, tensor[:2] * 0)], layer):
        assert ef.analyze(model, **few)[0].ei == expected
    function = ef.Function(lambda x: torch.tanh(torch.as_tensor(x) @ weight.double()), 2, 2, (-1, 1))
    assert ef.analyze(function, n_samples=256, random_state=0)[0].ei > 0
    recorder = ef.Recorder(ef.EffectiveInformation(n_samples=256, random_state=0))
    recorder.record([weight], loss=tensor.sum())
    assert recorder.trajectory_.metrics["loss"].tolist() == [6.0]


def test_a_tensor_without_values_is_refused_with_the_name_of_its_parameter():
    tensor = _need_a_gradient().to("meta")
    with pytest.raises(TypeError, match="The 'x' parameter of mutual_information must be a vector .* Got Tensor"):
        ef.mutual_information(tensor, [1, 2, 3, 4])
    with pytest.raises(TypeError, match="The 'weight' parameter of .* must be an array of real numbers. Got"):
        ef.analyze(tensor.reshape(2, 2))


def _exactly(x, y, bins):
    """Mutual information with bins that fractions tell apart."""

    def codes(values, n):
        values = [Fraction(int(v)) if isinstance(v, (int, np.integer)) else Fraction(float(v)) for v in values]
        low, high = min(values), max(values)
        return [0 if low == high else min(int((v - low) * n / (high - low)), n - 1) for v in values]

    a, b = codes(x, bins[0]), codes(y, bins[1])
    entropies = [
        -sum(n / len(x) * log2(n / len(x)) for n in Counter(one).values())
        for one in (a, b, list(zip(a, b, strict=True)))
    ]
    return entropies[0] + entropies[1] - entropies[2]


LARGEST = np.finfo(np.float64).max
FAR_OUT = {
    "integers beyond 2**53": [2**60 + k for k in range(8)],
    "unsigned integers": np.arange(8, dtype=np.uint64) + np.uint64(2**63 + 1),
    "signed integers": np.arange(8) - 2**62,
    "integers beyond 2**64": [2**70 + k for k in range(8)],
    "integers that no type holds together": [2**63 + k if k % 2 else -k for k in range(8)],
    "objects": np.array([2**70 + k for k in range(8)], object),
    "up to the largest": [LARGEST * (1 - k / 16) for k in range(8)],
    "as wide as floats go": [LARGEST * (k / 4 - 1) for k in range(8)],
    "next to the largest": [LARGEST - k * 2.0**971 for k in range(8)],
    "next to each other": [1e16 + 2 * k for k in range(8)],
    "integers as wide as floats go": [int(LARGEST) // 4 * (k - 4) for k in range(8)],
    "one value": [LARGEST] * 8,
    "one integer": [2**60] * 8,
}


@pytest.mark.parametrize("values", FAR_OUT.values(), ids=FAR_OUT)
@pytest.mark.parametrize("bins", [2, 3, 8])
def test_mutual_information_of_numbers_that_floats_would_round_together(values, bins):
    y = [0, 1, 4, 4, 1, 0, 1, 4]
    assert ef.mutual_information(values, y, bins=(bins, 5)) == pytest.approx(_exactly(values, y, (bins, 5)), abs=1e-9)


def test_a_range_of_integers_beyond_2_to_the_53_is_not_rounded():
    x = [2**60 + k for k in range(8)]
    assert ef.mutual_information(x, range(8), range=((2**60, 2**60 + 7), (0, 7))) == 3.0
    assert ef.mutual_information(x, range(8), bins=(2, 8), range=((2**60, 2**60 + 15), (0, 7))) == 0.0


@pytest.mark.parametrize("limits", [(-1.7e308, 1.7e308), (-LARGEST, LARGEST), (-1e308, 1e308)])
def test_a_range_wider_than_floats_go_is_refused_and_one_half_as_wide_measured(limits):
    layer = ef.Layer(np.eye(2), activation="linear")
    for call in (
        lambda ends: ef.analyze(layer, in_range=ends, n_samples=256, random_state=0)[0].ei,
        lambda ends: ef.analyze(layer, out_range=ends, n_samples=256, random_state=0)[0].ei + 6.0,
        lambda ends: ef.mutual_information(range(8), range(8), range=(ends, (0, 7))) + 6.0,
    ):
        with pytest.raises(ValueError, match="Its width is more than the largest number .* give a range half as wide"):
            call(limits)
        assert call((limits[0] / 2, limits[1] / 2)) == pytest.approx(6.0)
