"""Networks beside what chance makes of them."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import ks_2samp

import ei_fast as ef
from ei_fast.functions.initial_weights import RULES, Fans, rule_of
from ei_fast.functions.nulls import _network_by_chance
from ei_fast.network.grouped import GroupedLayer
from ei_fast.network.stored import StoredLayer
from ei_fast.results.null_report import layer_null

NAMES = ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff")
RNG = np.random.default_rng(0)
WEIGHTS = [RNG.normal(0, 2, (5, 4)), RNG.normal(0, 2, (4, 3))]
QUICK = {"random_state": 0, "tol": 0.1}


def _drawn(network, kind="reinitialised", rule="torch", seed=0, k=0):
    return _network_by_chance(network, kind, rule, seed, k)


def test_figures_by_chance_are_those_of_the_networks_measured_alone():
    null = ef.null_report(WEIGHTS, n=4, **QUICK)
    network = ef.as_network(WEIGHTS)
    for k in range(4):
        alone = ef.analyze(_drawn(network, k=k), tol=1e-3, random_state=9)
        for layer, report in zip(null, alone, strict=True):
            assert layer.sensitivity.draws[k] == pytest.approx(report.sensitivity, abs=1e-9)
            assert layer.ei_parts.draws[k] == pytest.approx(report.ei_parts, abs=1e-9)
            assert layer.ei.draws[k] == pytest.approx(report.ei, abs=0.4)
    assert null.report[0].ei == ef.analyze(WEIGHTS, **QUICK)[0].ei


def test_the_statistics_are_those_of_the_draws():
    null = ef.null_report(WEIGHTS, n=7, bins=16, **QUICK)
    for layer in null:
        for name in NAMES:
            figure = getattr(layer, name)
            assert figure.value == getattr(null.report[layer.name], name)
            mean = sum(figure.draws) / 7
            sd = np.sqrt(sum((draw - mean) ** 2 for draw in figure.draws) / 6)
            assert (figure.mean, figure.sd) == pytest.approx((mean, sd), rel=1e-12)
            assert figure.z == pytest.approx((figure.value - mean) / sd, rel=1e-9)
            assert figure.percentile == 100 * np.mean(figure.draws < figure.value)


def test_without_a_spread_z_is_0_or_infinite_and_ties_count_by_half():
    # In whatever order: every output is one of the inputs.
    null = ef.null_report(2 * np.eye(2)[:, :1], "shuffled", n=4, activation="linear", bins=4)
    assert [getattr(null[0], name).z for name in NAMES] == [0.0] * 5
    assert null[0].ei.percentile == 50.0
    other = ef.null_report(3 * np.eye(3), n=4, init=lambda rng, shape: np.zeros(shape))
    assert (other[0].ei.z, other[0].ei.sd, other[0].ei.percentile) == (np.inf, 0.0, 100.0)


def test_one_seed_gives_the_same_networks_and_figures_for_any_number_of_threads_and_of_draws():
    nulls = [ef.null_report(WEIGHTS, n=3, n_jobs=n_jobs, **QUICK) for n_jobs in (1, 2, 4)]
    nulls.append(ef.null_report(WEIGHTS, n=5, n_jobs=2, **QUICK))
    for layers in zip(*nulls, strict=True):
        for name in NAMES:
            draws = [getattr(layer, name).draws[:3].tolist() for layer in layers]
            assert all(one == other for one, other in pairwise(draws))
    assert ef.null_report(WEIGHTS, n=3, random_state=1, tol=0.1)[0].ei.draws.tolist() != nulls[0][0].ei.draws.tolist()


def test_shuffled_weights_are_the_layer_s_own():
    layers = [ef.Layer(WEIGHTS[0], [1, 2, 3, 4.0], "relu", name="fc"), ef.Layer(WEIGHTS[1], name="out")]
    drawn = _drawn(ef.Network(layers), "shuffled")
    for one, other in zip(layers, drawn, strict=True):
        assert sorted(one.weight.ravel()) == sorted(other.weight.ravel())
        assert (one.weight != other.weight).any()
        assert sorted(one.bias) == sorted(other.bias)
        assert (one.activation, one.name) == (other.activation, other.name)


def test_groups_patches_and_stored_layers_stay_what_they_are():
    grouped = GroupedLayer(np.arange(1.0, 13.0).reshape(3, 4), 2, name="grouped")
    for kind in ("shuffled", "reinitialised"):
        drawn = _drawn(ef.Network([grouped]), kind)[0]
        assert (drawn.weight != 0).sum() == 12
        assert (drawn.weight[:3, 2:] == 0).all()
        # Three inputs feed an output.
        assert kind == "shuffled" or 0.3 < np.abs(drawn.weight).max() <= 1 / np.sqrt(3)
    patch = ef.Layer(np.ones((18, 4)), np.ones(4), patch=(2, 3, 3))
    assert _drawn(ef.Network([patch]))[0].patch == (2, 3, 3)
    assert Fans.of(patch, "relu") == Fans((18, 4), 18, 36, "relu")
    stored = StoredLayer(lambda: (WEIGHTS[0], None), 5, 4, "relu", "far", None)
    drawn = _drawn(ef.Network([stored]))[0]
    assert isinstance(drawn, StoredLayer)
    first = drawn.weight.copy()
    assert (drawn.weight == first).all()
    assert (drawn.weight != WEIGHTS[0]).all()
    null = ef.null_report(ef.Network([stored]), n=2, **QUICK)
    assert len(null["far"].ei.draws) == 2


def test_biases_that_are_0_stay_0():
    with_bias, without = (ef.Layer(WEIGHTS[0], bias) for bias in (np.ones(4), None))
    for rule in ("torch", "sklearn"):
        assert _drawn(ef.Network([with_bias]), rule=rule)[0].bias.all()
        assert not _drawn(ef.Network([without]), rule=rule)[0].bias.any()
    assert not _drawn(ef.Network([with_bias]), rule="glorot_uniform")[0].bias.any()


def test_functions_have_no_null_and_are_named():
    block = ef.Function(lambda x: np.tanh(x), 4, 4, (-1.0, 1.0), name="block")
    null = ef.null_report(
        ef.Network([ef.Layer(WEIGHTS[0], name="fc"), block, ef.Layer(WEIGHTS[1], name="out")]), n=2, **QUICK
    )
    assert [layer.name for layer in null] == ["fc", "out"]
    assert null.skipped == [("block", "is a function, which has no weights that can be drawn")]
    assert "without a null block: is a function" in str(null)
    assert len(null.report) == 3


def test_each_network_has_ranges_of_its_own_unless_they_are_given():
    layer = ef.Layer(WEIGHTS[0], activation="linear")
    # On its own scale a linear layer without a bias is the same whatever its scale.
    one, other = (ef.null_report(ef.Layer(s * layer.weight, activation="linear"), n=3, init=init, **QUICK)
                  for s, init in ((1.0, lambda rng, shape: rng.normal(size=shape)),
                                  (10.0, lambda rng, shape: 7.0 * rng.normal(size=shape))))  # fmt: skip
    assert one[0].sensitivity.draws == pytest.approx(other[0].sensitivity.draws, abs=1e-6)
    assert one[0].sensitivity.value == pytest.approx(other[0].sensitivity.value, abs=1e-6)
    ruled = ef.null_report(layer, n=3, init=lambda rng, shape: rng.normal(size=shape), out_range=(-9.0, 9.0), **QUICK)
    assert (ruled[0].sensitivity.draws < one[0].sensitivity.draws).all()


def test_brackets_have_no_z():
    wide = ef.analyze(np.random.default_rng(0).normal(size=(120, 90)), effort=0.01, pairwise="none", random_state=0)[0]
    assert "undersampled" in wide.flags
    small = ef.analyze(WEIGHTS, pairwise="none", random_state=0)[0]
    for measured, draws in ((wide, [small, small]), (small, [small, wide])):
        figure = layer_null(measured, draws).ei
        assert np.isnan([figure.z, figure.percentile]).all()
        assert figure.n_bracketed == 1
    assert layer_null(small, [small, small]).ei.n_bracketed == 0
    assert np.isnan(layer_null(small, [small, small]).sensitivity.z)


def test_tables_and_frames():
    pytest.importorskip("pandas")
    null = ef.null_report(WEIGHTS, n=2, **QUICK)
    frame = null.to_frame()
    assert list(frame) == ["layer", "quantity", "value", "stderr", "mean", "sd", "z", "percentile", "n_bracketed"]
    assert len(frame) == 10
    assert (null.kind, null.init, null.n) == ("reinitialised", "torch", 2)
    assert "by the rule torch, each over ranges of its own" in str(null)
    assert "other order" in str(ef.null_report(WEIGHTS, "shuffled", n=2, **QUICK))
    with pytest.raises(KeyError, match="the layers are layer0, layer1"):
        null["fc"]
    assert len(null[:1]) == 1


def test_bad_parameters_are_refused_before_any_work():
    for params, error in (
        ({"kind": "random"}, ValueError), ({"kind": 1}, TypeError), ({"n": 1}, ValueError), ({"n": 2.5}, TypeError),
        ({"init": "keras"}, ValueError), ({"init": 3}, TypeError), ({"bin": 3}, TypeError),
        ({"matrices": "."}, ValueError),
        ({"init": lambda rng, shape: rng.normal(size=shape[::-1])}, ValueError),
        ({"init": lambda rng, shape: (rng.normal(size=shape), np.zeros(shape[0]))}, ValueError),
        ({"init": lambda rng, shape: np.full(shape, np.nan)}, ValueError),
    ):  # fmt: skip
        with pytest.raises(error, match="parameter|keyword"):
            ef.null_report(WEIGHTS, **({"n": 2} | params))


def test_a_callable_may_give_biases():
    layer = ef.Layer(WEIGHTS[0], np.ones(4))
    drawn = _drawn(ef.Network([layer]), rule=lambda rng, shape: (rng.normal(size=shape), np.full(shape[1], 0.25)))
    assert drawn[0].bias.tolist() == [0.25] * 4


def _of_rule(name, n_in, n_out, activation="relu", patch=None):
    layer = ef.Layer(np.ones((n_in, n_out)), np.ones(n_out), activation, patch=patch)
    weight, bias = RULES[name](np.random.default_rng(0), Fans.of(layer, activation))
    return weight, bias


def _alike(one, other):
    """Whether two samples have one distribution, and one scale to 2 %."""
    assert np.std(one) == pytest.approx(np.std(other), rel=0.02)
    return ks_2samp(np.ravel(one), np.ravel(other)).pvalue > 1e-3


def test_pytorch_s_own_weights():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    linear, conv = torch.nn.Linear(200, 150), torch.nn.Conv2d(8, 150, 5)
    for module, args in ((linear, (200, 150)), (conv, (200, 150, "relu", (8, 5, 5)))):
        weight, bias = _of_rule("torch", *args)
        assert _alike(module.weight.detach().numpy(), weight)
        bound = float(module.bias.detach().abs().max())
        assert np.abs(bias).max() == pytest.approx(bound, rel=0.05)
    assert rule_of("auto", linear, "null_report") == "torch"
    assert rule_of("auto", WEIGHTS, "null_report") == "torch"


def test_keras_own_weights():
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(0)
    dense, conv = keras.layers.Dense(150), keras.layers.Conv2D(150, 5)
    dense.build((None, 200))
    conv.build((None, 9, 9, 8))
    assert _alike(np.asarray(dense.kernel), _of_rule("glorot_uniform", 200, 150)[0])
    assert _alike(np.asarray(conv.kernel), _of_rule("glorot_uniform", 200, 150, "relu", (8, 5, 5))[0])
    for name in ("glorot_normal", "he_normal", "he_uniform", "lecun_normal"):
        kernel = keras.initializers.get(name)((200, 150))
        assert _alike(np.asarray(kernel), _of_rule(name, 200, 150)[0])
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
    assert rule_of("auto", model, "null_report") == "glorot_uniform"


def test_flax_own_weights():
    pytest.importorskip("flax")
    from flax import nnx

    dense = nnx.Linear(200, 150, rngs=nnx.Rngs(0))
    assert _alike(np.asarray(dense.kernel.value), _of_rule("lecun_normal", 200, 150)[0])
    assert rule_of("auto", dense, "null_report") == "lecun_normal"


@pytest.mark.filterwarnings("ignore:Stochastic Optimizer")
def test_scikit_learn_s_own_weights():
    from sklearn.neural_network import MLPClassifier

    rng = np.random.default_rng(0)
    for activation in ("relu", "logistic"):
        # One step so short that weights are as they were drawn.
        model = MLPClassifier((150,), activation, max_iter=1, learning_rate_init=1e-9, random_state=0)
        model.fit(rng.normal(size=(20, 200)), rng.integers(0, 2, 20))
        known = {"relu": "relu", "logistic": "sigmoid"}[activation]
        weight, bias = _of_rule("sklearn", 200, 150, known)
        assert _alike(model.coefs_[0], weight)
        assert np.abs(bias).max() == pytest.approx(np.abs(model.intercepts_[0]).max(), rel=0.05)
    assert rule_of("auto", model, "null_report") == "sklearn"
    null = ef.null_report(model, n=2, **QUICK)
    assert null.init == "sklearn"


def _fresh_of_torch(seed):
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 4), torch.nn.ReLU())


def _fresh_of_keras(seed):
    keras = pytest.importorskip("keras")
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.layers.Input((6,)), keras.layers.Dense(5, "tanh"), keras.layers.Dense(4, "relu")]
    )  # fmt: skip


@pytest.mark.endurance
@pytest.mark.parametrize("fresh", [_fresh_of_torch, _fresh_of_keras])
@pytest.mark.parametrize("kind", ["reinitialised", "shuffled"])
def test_of_fresh_networks_z_is_that_of_chance(fresh, kind):
    z = {name: [] for name in NAMES}
    percentiles = []
    for seed in range(100):
        null = ef.null_report(fresh(seed), kind, n=40, bins=16, tol=0.1, random_state=seed)
        for name in NAMES:
            z[name].append([getattr(layer, name).z for layer in null])
        percentiles += [layer.ei.percentile for layer in null]
    for name, values in z.items():
        # Of two layers together.
        mean, sd = np.mean(values), np.std(values)
        print(f"{fresh.__name__} {kind} {name}: mean {mean:+.3f}, sd {sd:.3f}")
        assert abs(mean) <= 0.2, name
        assert abs(sd - 1.0) <= 0.2, name
    assert abs(np.mean(np.array(percentiles) < 50) - 0.5) < 0.13
