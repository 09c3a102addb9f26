"""How many parameters a model has and how many of them are in measured layers, counted by hand for each framework."""

import json
import warnings

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
import torch
from flax import linen, nnx
from models import Does
from sklearn.neural_network import MLPRegressor
from torch import nn
from torch.nn.utils import prune

import ei_fast as ef
from ei_fast.adapters.torch import watching


def counted(model, **options):
    return ef.as_network(model, **options).parameters


def own(model):
    return sum(parameter.numel() for parameter in model.parameters())


def test_what_is_folded_counts_and_what_is_skipped_does_not():
    model = nn.Sequential(
        *(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.LayerNorm(6), nn.Linear(6, 6, bias=False), nn.GELU()),
        *(nn.LayerNorm(6), nn.Linear(6, 2)),
    )
    measured = (4 * 6 + 6) + (6 + 6) + 6 * 6 + (6 * 2 + 2)
    assert counted(model) == ef.ParameterCount(own(model), measured, 0, (("LayerNorm", 2, 24),))
    assert own(model) == measured + 24


def test_a_weight_that_is_used_twice_counts_once():
    tied = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    tied[2].weight = tied[0].weight
    again = Does(lambda s, x: s.dense(torch.tanh(s.dense(x))), dense=nn.Linear(4, 4))
    assert counted(tied) == ef.ParameterCount(24, 24)
    assert counted(again) == ef.ParameterCount(20, 20)
    assert len(ef.as_network(again)) == 2


def test_a_weight_that_is_computed_counts_as_what_it_is_made_of():
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    model = nn.Sequential(normed, nn.Tanh(), nn.Linear(3, 2))
    assert counted(model) == ef.ParameterCount(own(model), own(model))
    pruned = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    prune.l1_unstructured(pruned[0], "weight", 0.5)
    assert counted(pruned) == ef.ParameterCount(23, 23)


def test_functional_calls_count_what_they_are_given():
    model = Does(
        lambda s, x: torch.nn.functional.linear(torch.tanh(x @ s.first.T), s.second, s.bias),
        first=nn.Parameter(torch.ones(3, 4)),
        second=nn.Parameter(torch.ones(2, 3)),
        bias=nn.Parameter(torch.ones(2)),
        unused=nn.Parameter(torch.ones(5)),
    )
    assert counted(model) == ef.ParameterCount(25, 20, 0, (("Does", 1, 5),))


def test_what_does_not_run_is_not_measured_and_tables_stand_apart():
    model = Does(lambda s, x: s.a(x), a=nn.Linear(4, 3), other=nn.Linear(7, 7), table=nn.Embedding(10, 4))
    assert counted(model) == ef.ParameterCount(15 + 56 + 40, 15, 40, (("Linear", 1, 56),))
    # A table that a dense layer uses as its weight is measured there.
    head = nn.Linear(4, 10, bias=False)
    tied = Does(lambda s, x: s.head(torch.tanh(s.a(x))), a=nn.Linear(4, 4), table=nn.Embedding(10, 4), head=head)
    tied.head.weight = tied.table.weight
    assert counted(tied) == ef.ParameterCount(60, 60)
    looked_up = Does(
        lambda s, x: s.b(s.a(x) + torch.nn.functional.embedding(torch.tensor([1]), s.places)),
        a=nn.Linear(4, 3),
        b=nn.Linear(3, 2),
        places=nn.Parameter(torch.ones(5, 3)),
    )
    assert counted(looked_up).embeddings in (0, 15)
    assert counted(looked_up).total == 38


def test_a_block_counts_whole():
    inner = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4))
    model = nn.Sequential(inner, nn.Linear(4, 2))
    assert counted(model, blocks={"0": (-3.0, 3.0)}) == ef.ParameterCount(38, 38)
    assert counted(model) == ef.ParameterCount(38, 30, 0, (("LayerNorm", 1, 8),))


def test_convolutions_with_pools_and_frozen_weights():
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3)),
    ).requires_grad_(False)
    assert counted(model, input_shape=(1, 8, 8)) == ef.ParameterCount(own(model), own(model))


def test_the_count_is_the_same_with_and_without_comparing_and_under_other_names():
    model = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2))
    for options in ({"verify": False}, {"names": ["a", "b"]}, {"in_range": (-1.0, 1.0)}):
        assert counted(model, **options) == ef.ParameterCount(29, 23, 0, (("LayerNorm", 1, 6),))
    network = ef.as_network(model)
    assert network.over(network.in_range).parameters == network.noted([("0", "is frozen")]).parameters
    assert ef.Network(network.layers, (0.0, 1.0), network.restarts).parameters is None


def test_keras():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.Flatten(),
            keras.layers.Dense(5, "tanh"),
            keras.layers.LayerNormalization(),
            keras.layers.Dense(2),
        ]
    )
    measured = (3 * 3 * 3 * 4 + 4) + 8 + (144 * 5 + 5) + (5 * 2 + 2)
    expected = ef.ParameterCount(measured + 10, measured, 0, (("LayerNormalization", 1, 10),))
    assert counted(model) == expected
    assert expected.total == sum(int(np.prod(one.shape)) for one in model.trainable_variables)
    model.trainable = False
    assert counted(model) == expected
    name = model.layers[5].name
    assert counted(model, blocks={name: (-3.0, 3.0)}).measured == expected.total


@pytest.mark.parametrize(
    "recurrent",
    [
        *(lambda one=one: one(3) for one in (keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN)),
        lambda: keras.layers.RNN([keras.layers.LSTMCell(3), keras.layers.GRUCell(5)]),
        lambda: keras.layers.Bidirectional(keras.layers.GRU(3)),
    ],
)
def test_cells_of_keras_are_measured_whole(recurrent):
    model = keras.Sequential(
        [keras.Input((6, 4)), recurrent(), keras.layers.LayerNormalization(), keras.layers.Dense(2)]
    )
    norm = model.layers[1].count_params()
    total = model.count_params()
    assert counted(model) == ef.ParameterCount(total, total - norm, 0, (("LayerNormalization", 1, norm),))


def test_a_cell_of_keras_that_is_not_known_is_not_measured():
    class Own(keras.layers.LSTMCell):
        def call(self, inputs, states, training=False):
            output, states = super().call(inputs, states, training)
            return output**2, states

    model = keras.Sequential([keras.Input((6, 4)), keras.layers.RNN(Own(3)), keras.layers.Dense(2)])
    assert counted(model) == ef.ParameterCount(96 + 8, 8, 0, (("Own", 1, 96),))


def test_layers_of_keras_that_are_not_looked_into():
    table = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, "sigmoid"), keras.layers.Embedding(5, 2),
                              keras.layers.Flatten(), keras.layers.Dense(2)])  # fmt: skip
    assert counted(table) == ef.ParameterCount(15 + 10 + 14, 29, 10)


def test_flax():
    rngs = nnx.Rngs(0)
    model = nnx.Sequential(
        nnx.Linear(4, 6, rngs=rngs), nnx.BatchNorm(6, rngs=rngs), nnx.silu, nnx.LayerNorm(6, rngs=rngs),
        nnx.Linear(6, 3, rngs=rngs),
    )  # fmt: skip
    # Of the layer norm the next layer takes the shift in, and its scale stands before what is no layer.
    assert counted(model) == ef.ParameterCount(30 + 12 + 12 + 21, 69, 0, (("LayerNorm", 1, 6),))

    class Linen(linen.Module):
        @linen.compact
        def __call__(self, x):
            x = linen.relu(linen.BatchNorm(use_running_average=True)(linen.Dense(5)(x)))
            return linen.Dense(2)(linen.LayerNorm()(x))

    variables = Linen().init(jax.random.key(0), jnp.ones((2, 4)))
    assert counted((Linen(), variables)) == ef.ParameterCount(25 + 10 + 10 + 12, 52, 0, (("LayerNorm", 1, 5),))

    def function(parameters, x):
        return jnp.tanh(x @ parameters["a"]["w"] + parameters["a"]["b"]) @ parameters["c"]

    tree = {"a": {"w": jnp.ones((4, 3)), "b": jnp.ones(3)}, "c": jnp.ones((3, 2)), "unused": jnp.ones(7)}
    assert counted((function, tree)) == ef.ParameterCount(28, 21, 0, (("unused", 1, 7),))


def test_onnx(tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.LayerNorm(6), nn.GELU(), nn.Linear(6, 2)).eval()
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (torch.rand(2, 4),), path, verbose=False, dynamo=True, dynamic_shapes=({0: "rows"},))
    count = counted(path)
    assert (count.total, count.measured) == (own(model), 44)
    assert count.others == (("LayerNormalization", 1, 12),)


def test_dicts_and_files(tmp_path):
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2), nn.LayerNorm(2))
    table = {"embed.weight": torch.ones(9, 4)}
    entries = {**table, **model.state_dict()}
    options = {"order": ["0", "1", "3"], "norm_place": {"1": "before"}}
    expected = ef.ParameterCount(30 + 12 + 14 + 4 + 36, 56, 36, (("4", 1, 4),))
    assert counted(entries, **options) == expected
    torch.save(entries, tmp_path / "net.pt")
    assert counted(tmp_path / "net.pt", **options) == expected
    whole = counted({"w0": np.eye(3), "b0": np.zeros(3), "w1": np.eye(3)})
    assert whole == ef.ParameterCount(21, 21)
    prefixed = {f"{name}.{key}": value for name in ("net", "ema") for key, value in model[:1].state_dict().items()}
    assert counted(prefixed, prefix="ema") == ef.ParameterCount(30, 30)


def test_scikit_learn():
    x = np.random.default_rng(0).uniform(size=(20, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=3).fit(x, x[:, 0])
    assert counted(model) == ef.ParameterCount(16 + 5, 21)
    # Arrays are no model of which anything could be left out.
    assert counted([np.eye(3)]) is None


def test_what_this_package_calls_itself_is_not_raised_by_the_model(monkeypatch):
    """An exception from NumPy or elsewhere that this package has called is no model's."""
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh())

    def raised(*_):
        return json.loads("{")

    with monkeypatch.context() as patched:
        patched.setattr(watching, "meaning_of", raised)
        with pytest.raises(json.JSONDecodeError) as caught:
            ef.as_network(model)
        assert not getattr(caught.value, "__notes__", [])
    own = Does(lambda s, x: raised() if len(x) else s.a(x), a=nn.Linear(4, 3))
    with pytest.raises(json.JSONDecodeError) as caught:
        ef.as_network(own)
    assert any("Raised by the model" in note for note in caught.value.__notes__)
    in_c = Does(lambda s, x: torch.mm(x, x) if len(x) else s.a(x), a=nn.Linear(4, 3))
    with pytest.raises(RuntimeError) as caught:
        ef.as_network(in_c)
    assert any("Raised by the model" in note for note in caught.value.__notes__)
