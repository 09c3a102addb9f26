"""EI in noise form: known answers, independent quadrature, and a slow computation in plain NumPy."""

from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import integrate
from scipy.special import expit

import ei_fast as ef
from ei_fast.measures.noise import log_volume, mean_slopes
from ei_fast.measures.noise.gaussian_noise import GaussianNoise
from ei_fast.runtime.threads import Threads

GAUSSIAN = 0.5 * np.log2(2 * np.pi * np.e)
"""Differential entropy of a standard normal number, bits."""


def _linear(weight):
    return ef.Layer(weight, activation="linear")


def _naive(f, low, high, noise, n_samples=20_000, seed=5):
    """EI in noise form and its standard error, with numerical derivatives, in plain NumPy."""
    low, high = np.broadcast_to(low, np.shape(high)).astype(float), np.asarray(high, float)
    n = len(high)
    x = np.random.default_rng(seed).uniform(low, high, (n_samples, n))
    columns = []
    for i in range(n):
        step = np.zeros(n)
        step[i] = 1e-5
        columns.append((f(x - 2 * step) - 8 * f(x - step) + 8 * f(x + step) - f(x + 2 * step)) / 12e-5)
    jacobians = np.stack(columns, axis=2)
    m = jacobians.shape[1]
    covariance = noise**2 * np.eye(m) if np.ndim(noise) == 0 else noise
    product_ = np.swapaxes(jacobians, 1, 2) @ np.linalg.solve(covariance, jacobians)
    logs = 0.5 * np.log2(np.linalg.det(product_))
    return np.log2(high - low).sum() - n * GAUSSIAN + logs.mean(), logs.std() / np.sqrt(n_samples)


def _rotation(n, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(n, n)))[0]


class TestLinearMaps:
    @pytest.mark.parametrize("n", [1, 2, 5, 40, 200, 400])
    def test_the_identity_has_the_capacity_of_each_channel(self, n):
        # (1 / (2 L))**n underflows at 140.
        result = ef.jacobian_ei(_linear(np.eye(n)), noise=0.001)
        assert result.per_dimension == pytest.approx(np.log2(1 / 0.001) - GAUSSIAN, abs=1e-12)
        assert (result.stderr, result.share_singular, result.n_samples, result.flags) == (0.0, 0.0, 0, ())

    def test_diagonal_maps_and_widths_of_ranges_add_their_logarithms(self):
        scales, widths = np.array([0.5, -3.0, 1e-8]), np.array([1.0, 20.0, 0.25])
        ranges = [(-1.0, low) for low in widths - 1.0]
        expected = np.log2(np.abs(scales) * widths / 0.01).sum() - 3 * GAUSSIAN
        for given in (ef.Layer(np.diag(scales), activation="linear", in_range=ranges), _linear(np.diag(scales))):
            in_range = {} if given.in_range else {"in_range": ranges}
            result = ef.jacobian_ei(given, 0.01, **in_range)
            assert float(result) == pytest.approx(expected, abs=1e-11)
            assert result.input_entropy == pytest.approx(np.log2(widths).sum(), abs=1e-12)

    def test_rotations_change_nothing(self):
        plain = ef.jacobian_ei(_linear(np.eye(30)), 0.01)
        assert ef.jacobian_ei(_linear(_rotation(30)), 0.01).value == pytest.approx(plain.value, abs=1e-10)

    def test_it_is_the_determinant_of_any_square_map(self):
        weight = np.random.default_rng(0).normal(size=(7, 7))
        expected = 7 * np.log2(3.0 / 0.02) - 7 * GAUSSIAN + np.log2(abs(np.linalg.det(weight)))
        assert float(ef.jacobian_ei(_linear(weight), 0.02, in_range=(-1.0, 2.0))) == pytest.approx(expected, abs=1e-10)

    def test_more_outputs_than_inputs(self):
        weight = np.random.default_rng(0).normal(size=(4, 9))
        result = ef.jacobian_ei(_linear(weight), 0.02, random_state=0)
        expected = -4 * GAUSSIAN + 0.5 * np.log2(np.linalg.det(weight @ weight.T / 0.02**2))
        assert result.value == pytest.approx(expected, abs=1e-10)
        assert result.stderr < 1e-10
        # k copies of an output have k times the precision.
        copies = ef.jacobian_ei(_linear(np.hstack([np.eye(3)] * 4)), 0.02, random_state=0)
        assert copies.per_dimension == pytest.approx(np.log2(2 / 0.02) - GAUSSIAN, abs=1e-10)

    def test_noise_of_each_output_and_correlated_noise(self):
        rng = np.random.default_rng(1)
        square, tall = rng.normal(size=(3, 3)), rng.normal(size=(3, 5))
        for weight in (square, tall):
            m = weight.shape[1]
            deviations = rng.uniform(0.01, 0.1, m)
            root = rng.normal(size=(m, m))
            for noise, covariance in (
                (deviations, np.diag(deviations**2)),
                (np.diag(deviations**2), np.diag(deviations**2)),
                (1e-4 * root @ root.T, 1e-4 * root @ root.T),
                (1e-4 * np.eye(m), 1e-4 * np.eye(m)),
            ):
                logs = 0.5 * np.log2(np.linalg.det(weight @ np.linalg.inv(covariance) @ weight.T))
                result = ef.jacobian_ei(_linear(weight), noise, random_state=0)
                assert result.value == pytest.approx(logs - 3 * GAUSSIAN, abs=1e-9)

    def test_chains_of_linear_layers_are_their_product(self):
        rng = np.random.default_rng(2)
        first, second, third = rng.normal(size=(3, 5)), rng.normal(size=(5, 4)), rng.normal(size=(4, 6))
        whole = ef.jacobian_ei([first, second, third], 0.01, activation="linear", random_state=0)
        joined = ef.jacobian_ei(_linear(first @ second @ third), 0.01, random_state=0)
        assert whole.value == pytest.approx(joined.value, abs=1e-9)

    def test_small_directions_are_not_lost_in_products(self):
        # The product of these has a condition of 1e40, and the determinant 1.
        squeeze = np.diag([1e5, 1e-5])
        turned = _rotation(2) @ squeeze @ _rotation(2, 1)
        result = ef.jacobian_ei([turned] * 4, 0.01, activation="linear", random_state=0)
        assert result.value == pytest.approx(ef.jacobian_ei(_linear(np.eye(2)), 0.01).value, abs=1e-4)


class TestClosedForm:
    @pytest.mark.parametrize("weight", [0.3, -4.0, 30.0])
    @pytest.mark.parametrize("activation", ["sigmoid", "tanh"])
    def test_one_neuron_against_quadrature(self, weight, activation):
        slope = {"sigmoid": lambda s: expit(s) * expit(-s), "tanh": lambda s: 1 / np.cosh(s) ** 2}[activation]
        mean = integrate.quad(lambda x: np.log2(slope(weight * x + 0.4) * abs(weight)), -1, 2, epsabs=1e-12)[0] / 3
        result = ef.jacobian_ei(ef.Layer([[weight]], [0.4], activation), 0.01, in_range=(-1.0, 2.0))
        assert result.value == pytest.approx(np.log2(3 / 0.01) - GAUSSIAN + mean, abs=1e-8)
        assert result.method == "closed form"

    @pytest.mark.parametrize("activation", ["sigmoid", "tanh", "gelu", "leaky_relu", "elu", "softsign", "hard_silu"])
    def test_two_neurons_against_gauss_legendre(self, activation):
        weight, bias = np.array([[2.0, 0.4], [-0.7, 1.0]]), np.array([0.1, 3.1 if activation == "hard_silu" else -0.2])
        own = ef.Activation(activation)
        points, weights = np.polynomial.legendre.leggauss(1500)
        s = 0.5 * (points[:, None, None] + 1) * weight[0] + 0.5 * (points[None, :, None] + 1) * weight[1] + bias
        slopes = (own(s + 1e-6) - own(s - 1e-6)) / 2e-6
        logs = np.log2(np.abs(slopes)).sum(axis=2) + np.log2(abs(np.linalg.det(weight)))
        expected = float(weights @ logs @ weights) / 4 - 2 * np.log2(0.01) - 2 * GAUSSIAN
        result = ef.jacobian_ei(ef.Layer(weight, bias, activation), 0.01)
        # The rule itself is right to some 1e-4 where there are jumps and poles.
        assert result.value == pytest.approx(expected, abs=1e-7 if activation in ("sigmoid", "tanh") else 2e-3)

    @pytest.mark.parametrize("n", [3, 6, 25])
    def test_many_inputs_against_the_density_of_uniform_sums(self, n):
        # Convolved on a grid: what is exact here is right there to the square of its step.
        rng = np.random.default_rng(n)
        weight = rng.normal(size=(n, n)) * 2 / np.sqrt(n)
        step, total = 1e-4, np.log(abs(np.linalg.det(weight)))
        for column in weight.T:
            size = int(np.ceil(np.abs(column).sum() / step)) + 2 * n
            frequencies = 2 * np.pi * np.fft.rfftfreq(4 * size, step)
            phi = np.prod(np.sinc(np.outer(frequencies, np.abs(column)) / (2 * np.pi)), axis=1)
            density = np.roll(np.fft.irfft(phi / step, 4 * size), 2 * size)
            z = step * (np.arange(4 * size) - 2 * size)
            total += step * np.sum(density * np.log(1 / np.cosh(z + column.sum() / 2) ** 2))
        result = ef.jacobian_ei(ef.Layer(weight, activation="tanh"), 0.01)
        assert result.value == pytest.approx(total / np.log(2) - n * np.log2(0.01) - n * GAUSSIAN, abs=2e-4 * n)

    @pytest.mark.parametrize(("n", "points"), [(2, 200), (3, 60), (5, 16)])
    @pytest.mark.parametrize("activation", ["tanh", "sigmoid", "silu"])
    def test_many_inputs_to_eight_digits(self, n, points, activation):
        # Of smooth functions the product of Gauss-Legendre rules is right to more than that.
        weight = np.random.default_rng(n).normal(size=(n, n)) / np.sqrt(n)
        bias = np.full(n, 1.5 if activation == "silu" else 0.2)
        nodes, weights = np.polynomial.legendre.leggauss(points)
        log_slope = {
            "tanh": lambda s: -2 * np.log(np.cosh(s)),
            "sigmoid": lambda s: np.log(expit(s) * expit(-s)),
            "silu": lambda s: np.log(expit(s) * (1 + s * expit(-s))),
        }[activation]
        total = np.log(abs(np.linalg.det(weight)))
        for j in range(n):
            s = sum(weight[i, j] * 0.5 * (nodes + 1).reshape([-1 if k == i else 1 for k in range(n)]) for i in range(n))
            mean = log_slope(s + bias[j])
            for _ in range(n):
                mean = mean @ weights / 2
            total += mean
        result = ef.jacobian_ei(ef.Layer(weight, bias, activation), 0.01)
        assert result.value == pytest.approx(total / np.log(2) - n * np.log2(0.01) - n * GAUSSIAN, abs=1e-8)

    def test_it_is_what_samples_say(self):
        weight = np.random.default_rng(0).normal(size=(8, 8))
        exact = ef.jacobian_ei(ef.Layer(weight), 0.01)
        function = ef.Function(ef.Layer(weight), 8, 8, (0.0, 1.0))
        for seed in range(5):
            sampled = ef.jacobian_ei(function, 0.01, random_state=seed)
            assert abs(sampled.value - exact.value) < 4 * sampled.stderr
            assert sampled.flags == ("numerical derivative",)

    def test_dominating_and_tiny_weights(self):
        for weight in (np.diag([1.0, 1e-6]) + 1e-9, np.array([[5.0, 1e-7], [1e-7, 5.0]]), np.diag([1e-150, 1.0])):
            result = ef.jacobian_ei(ef.Layer(weight, activation="tanh"), 1e-3)
            logs = 0.0
            for j in range(2):
                a, b = weight[:, j]
                points = (np.arange(1000) + 0.5) / 1000
                logs += np.mean(-2 * np.log2(np.cosh(a * points[:, None] + b * points)))
            expected = logs + np.linalg.slogdet(weight)[1] / np.log(2) + 2 * np.log2(1e3) - 2 * GAUSSIAN
            assert result.value == pytest.approx(expected, abs=1e-4)

    def test_saturated_neurons_do_not_underflow(self):
        # The slope of a sigmoid at 2,000 is exp(-2000).
        result = ef.jacobian_ei(ef.Layer(np.eye(2), [2000.0, -3000.0]), 0.01)
        assert result.value == pytest.approx(-2 * np.log2(0.01) - 2 * GAUSSIAN - 5000.0 / np.log(2), rel=1e-9)
        assert result.flags == ("negative",)

    def test_a_users_activation_is_differentiated(self):
        weight = np.random.default_rng(0).normal(size=(5, 5))
        own = ef.jacobian_ei(ef.Layer(weight, activation=ef.Activation(lambda s: np.tanh(s), (-1.0, 1.0))), 0.01)
        named = ef.jacobian_ei(ef.Layer(weight, activation="tanh"), 0.01)
        assert own.value == pytest.approx(named.value, abs=1e-7)
        assert own.stderr < 1e-6
        assert (own.flags, own.derivative, own.method) == (("numerical derivative",), "differences", "closed form")


CASES = {
    "6 to 9, tanh": ([(6, 9, "tanh")], (-1.0, 1.0)),
    "4 to 6, sigmoid": ([(4, 6, "sigmoid")], (0.0, 1.0)),
    "5 to 5 to 5": ([(5, 5, "tanh"), (5, 5, "sigmoid")], (-1.0, 1.0)),
    "3 to 3 to 5": ([(3, 3, "tanh"), (3, 5, "sigmoid")], (-1.0, 1.0)),
    "4 to 7 to 4": ([(4, 7, "gelu"), (7, 4, "linear")], (0.0, 2.0)),
    "3 to 5 to 3 to 4": ([(3, 5, "softplus"), (5, 3, "tanh"), (3, 4, "silu")], (-1.0, 1.0)),
}


def _network(case, seed=0):
    widths, in_range = CASES[case]
    rng = np.random.default_rng(seed)
    layers = [ef.Layer(rng.normal(size=(n, m)) / np.sqrt(n), 0.1 * rng.normal(size=m), act) for n, m, act in widths]
    return ef.Network(layers, in_range)


def _through(network):
    def f(x):
        for layer in network:
            x = layer(x)
        return x

    return f


class TestSampled:
    @pytest.mark.parametrize("case", CASES)
    def test_against_plain_numpy(self, case):
        network = _network(case)
        n = network[0].n_in
        m = network[len(network) - 1].n_out
        root = np.random.default_rng(3).normal(size=(m, m))
        for noise in (0.01, 1e-4 * (root @ root.T + np.eye(m))):
            result = ef.jacobian_ei(network, noise, random_state=0)
            expected, error = _naive(
                _through(network), network.in_range[0], np.full(n, network.in_range[1]), noise, n_samples=60_000
            )
            assert abs(result.value - expected) < 4 * np.hypot(result.stderr, error)
            assert result.stderr <= 0.0101
            assert (result.n_in, result.n_out, result.derivative) == (n, m, "formula")

    def test_layers_joined_to_one_are_seen_through(self):
        network = _network("3 to 5 to 3 to 4")
        whole = ef.jacobian_ei(network, 0.01, random_state=0)
        joined = ef.jacobian_ei(network.between(0, 2), 0.01, random_state=0)
        assert replace(joined, name=whole.name) == whole

    def test_functions_among_layers(self):
        rng = np.random.default_rng(0)
        first = ef.Layer(rng.normal(size=(3, 4)), activation="tanh")
        bend = ef.Function(lambda x: x + 0.5 * np.sin(x), 4, 4, (-2.0, 2.0))
        network = ef.Network([first, bend], (-1.0, 1.0))
        result = ef.jacobian_ei(network, 0.01, random_state=0)
        expected, error = _naive(lambda x: bend(first(x)), -1.0, np.ones(3), 0.01)
        assert abs(result.value - expected) < 4 * np.hypot(result.stderr, error)
        assert result.flags == ("numerical derivative",)

    def test_a_function_is_not_asked_outside_its_range(self):
        root = ef.Function(np.sqrt, 2, 2, (0.0, 1.0))
        result = ef.jacobian_ei(root, 0.01, random_state=0, tol=0.01)
        # E log2 of 1 / (2 sqrt(x)) is -1 + 1 / (2 ln 2).
        assert abs(result.value - 2 * (np.log2(100) - GAUSSIAN - 1 + 0.5 / np.log(2))) < 4 * result.stderr

    def test_a_jacobian_that_is_given(self):
        weight = np.random.default_rng(0).normal(size=(3, 3))

        def jacobian(x):
            return (1 - np.tanh(x @ weight) ** 2)[:, :, None] * weight.T

        function = ef.Function(lambda x: np.tanh(x @ weight), 3, 3, (-1.0, 1.0))
        result = ef.jacobian_ei(function, 0.01, jacobian=jacobian, random_state=0)
        exact = ef.jacobian_ei(ef.Layer(weight, activation="tanh"), 0.01)
        assert abs(result.value - exact.value) < 4 * result.stderr
        assert (result.derivative, result.flags) == ("given", ())

    def test_one_seed_gives_the_same_bits_for_any_number_of_threads(self):
        for case in CASES:
            network = _network(case)
            results = [ef.jacobian_ei(network, 0.01, random_state=7, n_jobs=n_jobs, tol=0.02) for n_jobs in (1, 2, 5)]
            assert results[0] == results[1] == results[2]
        assert ef.jacobian_ei(network, 0.01, random_state=8) != results[0]

    def test_the_number_of_samples_and_the_ceiling(self):
        network = _network("6 to 9, tanh")
        few = ef.jacobian_ei(network, 0.01, n_samples=300, random_state=0)
        assert (few.n_samples, few.flags) == (300, ())
        most = ef.jacobian_ei(network, 0.01, tol=1e-6, effort=0.01, random_state=0)
        assert most.flags == ("tol not reached",)

    def test_200_dimensions(self):
        rng = np.random.default_rng(0)
        weight = rng.normal(size=(200, 200)) / np.sqrt(200)
        exact = ef.jacobian_ei(ef.Layer(weight, activation="tanh"), 0.01)
        assert exact.method == "closed form"
        x = rng.random((2000, 200))
        logs = np.log2(1 - np.tanh(x @ weight) ** 2).sum(axis=1)
        expected = logs.mean() + np.linalg.slogdet(weight)[1] / np.log(2) - 200 * (np.log2(0.01) + GAUSSIAN)
        assert abs(exact.value - expected) < 4 * logs.std() / np.sqrt(2000)
        tall = ef.jacobian_ei(rng.normal(size=(200, 230)) / 14, 0.01, activation="tanh", random_state=0, effort=0.2)
        assert np.isfinite(tall.value)
        assert tall.stderr < 0.1


class TestSingular:
    def test_relu_is_counted_and_never_replaced(self):
        # Both pre-activations are on in a quarter of the square, and the determinant is 1 there.
        layer = ef.Layer(np.eye(2), activation="relu")
        result = ef.jacobian_ei(layer, 0.01, in_range=(-1.0, 1.0), random_state=0)
        assert result.value == -np.inf
        assert float(result) == -np.inf
        assert np.isnan(result.stderr)
        assert result.interval == (-np.inf, -np.inf)
        assert result.flags == ("singular",)
        assert abs(result.share_singular - 0.75) < 4 * np.sqrt(0.75 * 0.25 / result.n_samples)
        assert result.regular_value == pytest.approx(2 * np.log2(2 / 0.01) - 2 * GAUSSIAN, abs=1e-9)
        assert "share_singular" in repr(result)
        assert "-inf" in result.explain()

    def test_relu_that_is_always_on_is_linear(self):
        weight = np.abs(np.random.default_rng(0).normal(size=(4, 4)))
        relu = ef.jacobian_ei(ef.Layer(weight, activation="relu"), 0.01)
        assert relu.value == pytest.approx(ef.jacobian_ei(_linear(weight), 0.01).value, abs=1e-10)
        assert (relu.method, relu.flags) == ("closed form", ())
        rarely_off = ef.jacobian_ei(ef.Layer(weight, np.full(4, -1e-9), "relu"), 0.01, random_state=0)
        assert (rarely_off.value, rarely_off.flags) == (-np.inf, ("singular",))
        assert rarely_off.share_singular == 0.0

    def test_hidden_relus_of_which_enough_are_on(self):
        rng = np.random.default_rng(0)
        first, second = rng.normal(size=(2, 8)), rng.normal(size=(8, 3))
        network = ef.Network([ef.Layer(first, activation="relu"), _linear(second)], (-1.0, 1.0))
        result = ef.jacobian_ei(network, 0.01, random_state=0)
        x = rng.uniform(-1, 1, (40_000, 2))
        on = (x @ first > 0).astype(float)
        jacobians = np.einsum("hm,sh,ih->smi", second, on, first)
        volumes = np.linalg.det(np.swapaxes(jacobians, 1, 2) @ jacobians)
        share = np.mean(on.sum(axis=1) < 2)
        assert abs(result.share_singular - share) < 4 * np.sqrt(max(share, 1e-4) / min(40_000, result.n_samples))
        logs = 0.5 * np.log2(volumes[on.sum(axis=1) >= 2])
        expected = logs.mean() + 2 * np.log2(2 / 0.01) - 2 * GAUSSIAN
        assert abs(result.regular_value - expected) < 4 * np.hypot(result.regular_stderr, logs.std() / 200)

    @pytest.mark.parametrize(
        "model",
        [
            _linear(np.ones((2, 2))),
            ef.Layer(np.ones((3, 3))),
            ef.Layer(np.zeros((2, 2))),
            ef.Layer(np.ones((2, 4))),
            _linear(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]])),
            [np.ones((2, 3)), np.random.default_rng(0).normal(size=(3, 3))],
            ef.Function(lambda x: x.sum(axis=1, keepdims=True) * np.ones(2), 2, 2, (0.0, 2.0)),
        ],
        ids=str,
    )
    def test_maps_that_are_singular_everywhere(self, model):
        result = ef.jacobian_ei(model, 0.01, random_state=0)
        assert (result.value, result.share_singular) == (-np.inf, 1.0)
        assert np.isnan(result.regular_value)
        assert "singular" in result.flags

    def test_badly_scaled_maps_are_not_singular(self):
        for scales in product((1e-30, 1.0, 1e20), repeat=2):
            result = ef.jacobian_ei(_linear(np.diag(scales)), 0.01)
            assert result.value == pytest.approx(np.log2(scales).sum() - 2 * np.log2(0.01) - 2 * GAUSSIAN, abs=1e-9)
        # One of three rows hardly moves, and two inputs cannot do without it.
        weight = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 1.0]])
        result = ef.jacobian_ei(ef.Layer(weight, [0.0, 0.0, 120.0], "tanh"), 0.01, random_state=0)
        assert np.isfinite(result.value)
        x = np.random.default_rng(0).random((200_000, 2))
        s = x @ weight + [0.0, 0.0, 120.0]
        # The volume is sqrt(2) d_1 d_3, with d_3 = 4 exp(-2 s) to rounding.
        logs = 0.5 + np.log2(1 - np.tanh(s[:, 0]) ** 2) + 2 - 2 * s[:, 2] / np.log(2)
        expected = logs.mean() - 2 * np.log2(0.01) - 2 * GAUSSIAN
        assert abs(result.value - expected) < 4 * np.hypot(result.stderr, logs.std() / np.sqrt(200_000))


BINNED = {
    "linear": (ef.Layer([[0.9, 0.1], [0.3, 0.7]], activation="linear", out_range=(0.0, 1.2)), (32, 64), 2),
    "tanh": (ef.Layer([[1.3, 0.4], [-0.5, 1.1]], activation="tanh"), (64, 128), 2),
    "one sigmoid": (ef.Layer([[6.0]], [-3.0]), (64, 256), 1),
}


@pytest.mark.parametrize("case", BINNED)
def test_binned_ei_of_many_bins_is_ei_with_noise_of_a_quarter_of_a_bin(case):
    # Inputs in many more bins than outputs leave the outputs nothing to vary by inside a cell, so that binned EI tends
    # to h(Y) - n log2(bin), and noise form is h(Y) - n log2(noise sqrt(2 pi e)).
    layer, bins, n = BINNED[case]
    low, high = ef.Network([layer]).ranges()[0][1]
    away = []
    for out_bins in bins:
        width = (high - low) / out_bins
        in_bins = min(out_bins * (32 if n == 2 else 512), 32_768)
        binned = ef.effective_information(layer, bins=(in_bins, out_bins), tol=0.003, random_state=0)
        away.append((binned.value - ef.jacobian_ei(layer, noise=width).value) / n - GAUSSIAN)
        same = ef.jacobian_ei(layer, noise=width / np.sqrt(2 * np.pi * np.e))
        assert binned.value - same.value == pytest.approx(n * away[-1], abs=1e-9)
    assert abs(away[1]) < abs(away[0]) + 0.002
    assert abs(away[1]) < 0.02


def test_a_square_map_that_is_injective_has_at_least_as_much_information():
    # One neuron with large noise: h(Y + noise) by convolution on a grid.
    layer, noise = ef.Layer([[4.0]], [-2.0]), 0.1
    grid = np.linspace(-1.5, 2.5, 80_001)
    y = layer(np.linspace(0, 1, 4001)[:-1, None] + 0.5 / 4000)[:, 0]
    counts = np.histogram(y, np.append(grid, grid[-1] + 5e-5) - 2.5e-5)[0] / len(y)
    kernel = np.exp(-0.5 * (np.arange(-24_000, 24_001) * 5e-5 / noise) ** 2)
    kernel /= kernel.sum()
    p = np.fft.irfft(np.fft.rfft(counts, 2**18) * np.fft.rfft(kernel, 2**18), 2**18)
    p = p[p > 1e-18]
    truth = -(p * np.log2(p / 5e-5)).sum() - GAUSSIAN - np.log2(noise)
    value = ef.jacobian_ei(layer, noise).value
    assert 0 < value < truth < value + 1


def test_the_rule_of_gauss_and_kronrod_is_exact_for_polynomials_of_its_degrees():
    for weights, degree in ((mean_slopes._WEIGHTS, 22), (mean_slopes._WEIGHTS_OF_GAUSS, 13)):
        for power in range(degree + 1):
            exact = 2 / (power + 1) if power % 2 == 0 else 0.0
            assert weights @ mean_slopes._POINTS**power == pytest.approx(exact, abs=1e-14)
        assert abs(weights @ mean_slopes._POINTS ** (degree + 2 - degree % 2) - 2 / (degree + 3 - degree % 2)) > 1e-12


@pytest.mark.parametrize("flat_at", ["near", "far"])
def test_slopes_that_vanish_at_one_step_alone_have_no_known_error(monkeypatch, flat_at):
    logs = {"near": np.array([0.0, 1.0, 2.0]), "far": np.array([0.5, 1.5, 2.5])}
    # By steps of one size and by larger ones.
    samples = iter([SimpleNamespace(logs=logs["near"]), SimpleNamespace(logs=logs["far"])] * 2)
    monkeypatch.setattr(log_volume, "_sample", lambda *_: next(samples))
    found = SimpleNamespace(chain_with=lambda step: None)
    assert log_volume._change(found, 1e-3, None, None) == 0.5
    logs[flat_at][1] = -np.inf
    assert log_volume._change(found, 1e-3, None, None) == np.inf


def test_a_determinant_that_is_known_to_vanish_takes_no_sample():
    layer = ef.Layer(np.eye(2), activation="relu")
    with Threads(1) as threads:
        found = log_volume.exact_log_volume(layer, (-1.0, 1.0), GaussianNoise.independent(np.ones(2)), threads)
    assert (found.value, found.n_samples) == (-np.inf, 0)
