"""Batch norms of Keras and Flax in dicts and files of weights: taken in as those of PyTorch are."""

import flax.linen as fl
import flax.nnx as nnx
import h5py
import jax
import keras
import numpy as np
import pytest
from flax.traverse_util import flatten_dict
from keras import layers as L
from networks import through
from safetensors.numpy import save_file

import ei_fast as ef

RNG = np.random.default_rng(0)
X = RNG.normal(size=(50, 4))
ACTIVATIONS = {"activation": ["tanh", "linear"]}


def assert_same(network, model, outputs):
    """The weights are those of the model's own adapter, and the outputs are the model's."""
    for layer, other in zip(network, ef.as_network(model, input_shape=(4,)), strict=True):
        np.testing.assert_allclose(layer.weight, other.weight, rtol=1e-6)
        np.testing.assert_allclose(layer.bias, other.bias, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(through(network, X), outputs, atol=1e-5)


def filled(tree):
    return jax.tree.map(lambda values: RNG.uniform(0.2, 2.0, np.shape(values)).astype(np.float32), tree)


# --- Keras -----------------------------------------------------------------------------------------------------------


def keras_model(place="before", **norm):
    between = [L.BatchNormalization(name="n", **norm), L.Activation("tanh")]
    model = keras.Sequential(
        [keras.Input((4,)), L.Dense(6, name="a"), *between[:: 1 if place == "before" else -1], L.Dense(3, name="b")]
    )
    for variable in model.weights:
        variable.assign(RNG.uniform(0.2, 2.0, variable.shape))
    return model


def by_path(model):
    return {variable.path.split("/", 1)[1]: np.asarray(variable.value.detach()) for variable in model.weights}


def forms_of_keras(model, folder):
    """The same weights as people have them: dicts and files."""
    flat = by_path(model)
    model.save_weights(folder / "net.weights.h5")
    model.save(folder / "net.h5")
    np.savez(folder / "net.npz", **flat)
    save_file({key.replace("/", "."): value for key, value in flat.items()}, folder / "net.safetensors")
    nested = {}
    for key, value in flat.items():
        layer, part = key.split("/")
        nested.setdefault(layer, {})[part] = value
    yield from (flat, nested, {f"{key}:0": value for key, value in flat.items()})
    yield from (folder / name for name in ("net.weights.h5", "net.h5", "net.npz", "net.safetensors"))


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("norm", [{}, {"epsilon": 0.1}, {"scale": False}, {"center": False}])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_batch_norms_of_keras_are_taken_in(tmp_path, place, norm):
    model = keras_model(place, **norm)
    given = {"norm_eps": norm["epsilon"]} if "epsilon" in norm else {}
    for form in forms_of_keras(model, tmp_path):
        if len(norm.keys() & {"scale", "center"}) and str(form).endswith(".weights.h5"):
            # Three numbered variables may be without the first or the second.
            continue
        options = {"order": ["a", "n", "b"], **ACTIVATIONS, **given}
        with pytest.raises(ValueError, match="'n' stands before or after the activation of 'a' cannot be told"):
            ef.as_network(form, **options)
        network = ef.as_network(form, **options, norm_place=place)
        assert_same(network, model, model.predict(X, verbose=0))
        assert any(f"eps={norm.get('epsilon', 0.001):g}" in note for _, note in network.notes)


def test_an_order_is_asked_for_that_has_the_batch_norm(tmp_path):
    for form in forms_of_keras(keras_model(), tmp_path):
        with pytest.raises(ValueError, match=r"the batch norm 'n' stands .* Give order=\['a', 'n', 'b'\]"):
            ef.as_network(form)


def test_numbered_variables_of_keras(tmp_path):
    """What `visititems` of h5py makes of a file of weights."""
    model = keras_model()
    model.save_weights(tmp_path / "net.weights.h5")
    flat = {}
    with h5py.File(tmp_path / "net.weights.h5") as file:
        file.visititems(lambda name, entry: flat.update({name: entry[()]} if isinstance(entry, h5py.Dataset) else {}))
    order = ["layers/dense", "layers/batch_normalization", "layers/dense_1"]
    assert "layers/dense/vars/0" in flat
    network = ef.as_network(flat, order=order, **ACTIVATIONS, norm_place="before")
    assert_same(network, model, model.predict(X, verbose=0))
    with pytest.raises(ValueError, match=r"layers/batch_normalization"):
        ef.as_network(flat)


def test_three_numbered_variables_do_not_tell_which_is_missing(tmp_path):
    keras_model(scale=False).save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(ValueError, match="Got 'n/variable0' instead"):
        ef.as_network(tmp_path / "net.weights.h5")


# --- Flax ------------------------------------------------------------------------------------------------------------


class Linen(fl.Module):
    place: str = "before"
    affine: bool = True

    @fl.compact
    def __call__(self, x):
        x = fl.Dense(6)(x)
        x = fl.tanh(x) if self.place == "after" else x
        x = fl.BatchNorm(use_running_average=True, use_scale=self.affine, use_bias=self.affine)(x)
        x = fl.tanh(x) if self.place == "before" else x
        return fl.Dense(3)(x)


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norms_of_linen_are_taken_in(tmp_path, place, affine):
    model = Linen(place, affine)
    variables = filled(model.init(jax.random.key(0), X))
    flat = flatten_dict(variables, sep="/")
    np.savez(tmp_path / "net.npz", **flat)
    save_file(flat, tmp_path / "net.safetensors")
    nested_once = {"params": flatten_dict(variables["params"], sep="/"), "batch_stats": variables["batch_stats"]}
    dotted = flatten_dict(variables, sep=".")
    for form in (variables, nested_once, flat, dotted, tmp_path / "net.npz", tmp_path / "net.safetensors"):
        with pytest.raises(ValueError, match=r"Where the batch norm '.*BatchNorm_0' stands") as error:
            ef.as_network(form)
        order = eval(str(error.value).split("Give order=")[1].split(", or other")[0])
        assert len(order) == 3
        network = ef.as_network(form, order=order, **ACTIVATIONS, norm_place=place)
        assert_same(network, (model, variables), model.apply(variables, X))
        assert "eps=1e-05" in network.notes[0][1]


def test_batch_norms_of_two_networks_of_linen():
    model = Linen()
    online, target = (filled(model.init(jax.random.key(0), X)) for _ in range(2))
    with pytest.raises(ValueError, match="prefix='online' or prefix='target'"):
        ef.as_network({"online": online, "target": target})
    order = ["params/Dense_0", "params/BatchNorm_0", "params/Dense_1"]
    options = {"prefix": "target", "order": order, **ACTIVATIONS, "norm_place": "before"}
    network = ef.as_network({"online": online, "target": target}, **options)
    assert_same(network, (model, target), model.apply(target, X))


def test_a_batch_norm_of_flax_without_what_it_saw_is_not_left_out():
    """`order=` without it was advised, and measured another network."""
    variables = Linen().init(jax.random.key(0), X)
    for form in (variables["params"], flatten_dict(variables["params"], sep="/")):
        with pytest.raises(ValueError, match=r"'BatchNorm_0', whose mean and variance are not in the dict"):
            ef.as_network(form)


class Nnx(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.a, self.norm, self.b = (
            nnx.Linear(4, 6, rngs=rngs),
            nnx.BatchNorm(6, rngs=rngs),
            nnx.Linear(6, 3, rngs=rngs),
        )
        self.norm.use_running_average = True

    def __call__(self, x):
        return self.b(nnx.tanh(self.norm(self.a(x))))


def test_batch_norms_of_nnx_are_taken_in():
    model = Nnx()
    state = filled(nnx.to_pure_dict(nnx.state(model)))
    nnx.update(model, state)
    inside = {name: {part: {"value": value} for part, value in layer.items()} for name, layer in state.items()}
    for form in (state, flatten_dict(state, sep="."), inside, nnx.state(model)):
        network = ef.as_network(form, order=["a", "norm", "b"], **ACTIVATIONS, norm_place="before")
        assert_same(network, model, model(X))


# --- where they stand ------------------------------------------------------------------------------------------------


def dense(name, n_in, n_out):
    return {f"{name}/kernel": RNG.normal(size=(n_in, n_out)), f"{name}/bias": RNG.normal(size=n_out)}


def norm_of(name, n):
    return {f"{name}/{part}": RNG.uniform(1, 2, n) for part in ("gamma", "beta", "moving_mean", "moving_variance")}


def test_after_which_layer_a_batch_norm_stands_is_not_guessed_where_names_are_sorted(tmp_path):
    entries = {**dense("dense", 4, 4), **dense("dense_1", 4, 4), **norm_of("batch_normalization", 4)}
    entries |= dense("dense_2", 4, 3)
    order = ["dense", "dense_1", "batch_normalization", "dense_2"]
    with pytest.raises(ValueError, match="Give order=") as error:
        ef.as_network(entries)
    assert str(order) in str(error.value)
    save_file(entries, tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match=r"Put the batch norm .* after one of 'dense', 'dense_1': the order of"):
        ef.as_network(tmp_path / "net.safetensors")
    assert len(ef.as_network(tmp_path / "net.safetensors", order=order, norm_place="after")) == 3


def test_numbers_tell_where_each_layer_has_a_batch_norm(tmp_path):
    entries = {**dense("dense", 4, 4), **dense("dense_1", 4, 4), **dense("dense_2", 4, 3)}
    entries |= norm_of("batch_normalization", 4) | norm_of("batch_normalization_1", 4)
    save_file(entries, tmp_path / "net.safetensors")
    with pytest.raises(ValueError, match="Give order=") as error:
        ef.as_network(tmp_path / "net.safetensors")
    order = ["dense", "batch_normalization", "dense_1", "batch_normalization_1", "dense_2"]
    assert str(order) in str(error.value)


@pytest.mark.parametrize(
    ("mean", "var", "scale", "shift", "eps"),
    [
        ("running_mean", "running_var", "gamma", "beta", 1e-5),
        ("moving_mean", "moving_var", "gamma", "beta", 1e-3),
        ("avg_mean", "avg_var", "gamma", "beta", 2e-5),
        ("_mean", "_variance", "weight", "bias", 1e-5),
    ],
)
def test_batch_norms_of_other_libraries(mean, var, scale, shift, eps):
    """Gluon, MXNet, Chainer and PaddlePaddle."""
    entries = {f"n.{part}": RNG.uniform(1, 2, 3) for part in (mean, var, scale, shift)}
    entries |= {"fc.weight": RNG.normal(size=(3, 4)), "fc.bias": RNG.normal(size=3)}
    network = ef.as_network(entries, order=["fc", "n"], activation="linear")
    outputs = X @ entries["fc.weight"].T + entries["fc.bias"]
    expected = (outputs - entries[f"n.{mean}"]) / np.sqrt(entries[f"n.{var}"] + eps)
    np.testing.assert_allclose(
        through(network, X), expected * entries[f"n.{scale}"] + entries[f"n.{shift}"], atol=1e-12
    )


def test_means_of_something_else_are_no_batch_norm():
    entries = {**dense("a", 4, 3), "rewards/mean": np.ones(3), "rewards/var": np.ones(3)}
    with pytest.raises(ValueError, match="Got 'rewards/mean' instead, which belongs to none"):
        ef.as_network(entries)


def test_sorted_names_of_jax_tell_no_order():
    """Of equal widths Dense_10 was read before Dense_2."""
    flat = {f"params/Dense_{k}/kernel": np.full((3, 3), float(k)) for k in (0, 1, 10, 11, 2)}
    bare = {key.removeprefix("params/"): value for key, value in flat.items()}
    for form in (flat, bare):
        assert [layer.weight[0, 0] for layer in ef.as_network(form)] == [0, 1, 2, 10, 11]
    with pytest.raises(ValueError, match="order of the layers cannot be told"):
        ef.as_network({"params/hidden/kernel": np.eye(3), "params/embed/kernel": np.eye(3)})
    halves = {f"{name}.weight": np.eye(3) for name in ("enc1", "enc2", "out1")}
    assert [layer.name for layer in ef.as_network(halves)] == ["enc1", "enc2", "out1"]
