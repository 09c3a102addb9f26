"""Gates of recurrent layers and projections of attention, told from names: compared with what the layers compute."""

import flax.linen as fl
import jax
import keras
import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef

RNG = np.random.default_rng(1)


def layers_of(model, **options):
    network = ef.as_network(model, chain=False, **options)
    return {layer.name: layer for layer in network}, network


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def doubles(tensor):
    return tensor.detach().double().numpy()


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_gates_of_an_lstm_make_its_step(bidirectional):
    model = nn.LSTM(3, 5, num_layers=2, bidirectional=bidirectional).double()
    layers, network = layers_of(nn.ModuleDict({"lstm": model}).state_dict())
    ends = [f"_l{k}{way}" for k in range(2) for way in (("", "_reverse") if bidirectional else ("",))]
    assert list(layers) == [f"lstm.{gate}{end}" for end in ends for gate in "ifgo"]
    x, h, c = RNG.normal(size=(1, 1, 3)), RNG.normal(size=(1, 1, 5)), RNG.normal(size=(1, 1, 5))
    joined = np.concatenate([x[0], h[0]], axis=1)
    i, f, g, o = (layers[f"lstm.{gate}_l0"](joined) for gate in "ifgo")
    state = f * c[0] + i * g
    directions = 2 if bidirectional else 1
    all_states = [torch.tensor(np.repeat(one, 2 * directions, axis=0)) for one in (h, c)]
    _, (new_h, new_c) = model(torch.tensor(x), tuple(all_states))
    np.testing.assert_allclose(doubles(new_c)[0], state, atol=1e-12)
    np.testing.assert_allclose(doubles(new_h)[0], o * np.tanh(state), atol=1e-12)
    assert any("both of which move over the range of the inputs" in note for _, note in network.notes)


def test_a_projected_lstm_has_its_projection():
    model = nn.LSTM(3, 5, proj_size=2).double()
    layers, network = layers_of(model.state_dict())
    assert network.skipped == []
    np.testing.assert_array_equal(layers["cell.hr_l0"].weight, doubles(model.weight_hr_l0).T)
    assert (layers["cell.i_l0"].n_in, layers["cell.i_l0"].n_out) == (3 + 2, 5)


@pytest.mark.parametrize("bias", [True, False])
def test_the_gates_of_a_gru(bias):
    model = nn.GRUCell(3, 5, bias=bias).double()
    layers, network = layers_of(model.state_dict())
    assert list(layers) == ["cell.r", "cell.z"]
    assert [name for name, _ in network.skipped] == ["cell.n"]
    x, h = RNG.normal(size=(1, 3)), RNG.normal(size=(1, 5))
    r, z = (layers[f"cell.{gate}"](np.concatenate([x, h], axis=1)) for gate in "rz")
    of_x, of_h = (doubles(one).T[:, 10:] for one in (model.weight_ih, model.weight_hh))
    b_x, b_h = (doubles(model.bias_ih)[10:], doubles(model.bias_hh)[10:]) if bias else (0.0, 0.0)
    n = np.tanh(x @ of_x + b_x + r * (h @ of_h + b_h))
    np.testing.assert_allclose(doubles(model(torch.tensor(x), torch.tensor(h))), (1 - z) * n + z * h, atol=1e-12)


def test_an_rnn_has_the_activation_that_is_given():
    model = nn.RNN(3, 5).double()
    layers, network = layers_of(model.state_dict(), activation="tanh")
    x, h = RNG.normal(size=(1, 1, 3)), RNG.normal(size=(1, 1, 5))
    expected = doubles(model(torch.tensor(x), torch.tensor(h))[1])[0]
    np.testing.assert_allclose(layers["cell.h_l0"](np.concatenate([x[0], h[0]], axis=1)), expected, atol=1e-12)
    assert "which PyTorch makes tanh, is not in its weights" in network.notes[0][1]


def _keras_model():
    layers = [keras.layers.Embedding(20, 4), keras.layers.LSTM(5, return_sequences=True), keras.layers.GRU(6)]
    return keras.Sequential([keras.Input((None,), dtype="int32"), *layers, keras.layers.Dense(3)])


@pytest.mark.parametrize("suffix", [".weights.h5", ".h5"])
def test_the_gates_of_keras_in_files(tmp_path, suffix):
    keras.backend.clear_session()
    model = _keras_model()
    path = tmp_path / f"net{suffix}"
    (model.save_weights if suffix == ".weights.h5" else model.save)(path)
    layers, network = layers_of(path)
    lstm = next(name[:-2] for name in layers if name.endswith("lstm_cell/i"))
    gru = next(name[:-2] for name in layers if name.endswith("gru_cell/z"))
    assert {name.rsplit("/", 1)[-1] for name, _ in network.skipped} == {"embedding", "h"}
    kernel, recurrent, bias = (np.asarray(one, float) for one in model.layers[1].get_weights())
    for k, gate in enumerate("ifco"):
        part = slice(5 * k, 5 * k + 5)
        np.testing.assert_array_equal(
            layers[f"{lstm}/{gate}"].weight, np.concatenate([kernel[:, part], recurrent[:, part]])
        )
        np.testing.assert_array_equal(layers[f"{lstm}/{gate}"].bias, bias[part])
        assert layers[f"{lstm}/{gate}"].activation_name == ("tanh" if gate == "c" else "sigmoid")
    kernel, recurrent, bias = (np.asarray(one, float) for one in model.layers[2].get_weights())
    for k, gate in enumerate("zr"):
        part = slice(6 * k, 6 * k + 6)
        np.testing.assert_array_equal(
            layers[f"{gru}/{gate}"].weight, np.concatenate([kernel[:, part], recurrent[:, part]])
        )
        np.testing.assert_array_equal(layers[f"{gru}/{gate}"].bias, bias[:, part].sum(axis=0))
    # The step of the cell itself, on the gates.
    x, h, c = RNG.normal(size=(1, 4)), RNG.normal(size=(1, 5)), RNG.normal(size=(1, 5))
    i, f, g, o = (layers[f"{lstm}/{gate}"](np.concatenate([x, h], axis=1)) for gate in "ifco")
    states = [torch.tensor(one, dtype=torch.float32) for one in (h, c)]
    _, (new_h, new_c) = model.layers[1].cell(torch.tensor(x, dtype=torch.float32), states)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(new_c), f * c + i * g, atol=1e-5)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(new_h), o * np.tanh(f * c + i * g), atol=1e-5)


@pytest.mark.parametrize(("kind", "gates"), [(fl.LSTMCell, "ifgo"), (fl.OptimizedLSTMCell, "ifgo"), (fl.GRUCell, "rz")])
def test_the_gates_of_flax(kind, gates):
    cell = kind(5)
    carry = cell.initialize_carry(jax.random.key(0), (1, 3))
    variables = cell.init(jax.random.key(1), carry, np.ones((1, 3)))
    layers, network = layers_of(variables)
    assert {name.split("/")[-1] for name in layers} == set(gates)
    assert [name.split("/")[-1] for name, _ in network.skipped] == (["n"] if gates == "rz" else [])
    x, h, c = (RNG.normal(size=(1, n)).astype(np.float32) for n in (3, 5, 5))
    values = {gate: layers[f"cell/{gate}"](np.concatenate([x, h], axis=1)) for gate in gates}
    if gates == "rz":
        params = variables["params"]
        inner = h @ params["hn"]["kernel"] + params["hn"]["bias"]
        n = np.tanh(x @ params["in"]["kernel"] + params["in"]["bias"] + values["r"] * inner)
        expected, (_, found) = (1 - values["z"]) * n + values["z"] * h, cell.apply(variables, h, x)
    else:
        state = values["f"] * c + values["i"] * values["g"]
        expected, (_, found) = values["o"] * np.tanh(state), cell.apply(variables, (c, h), x)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("widths", [{}, {"kdim": 5, "vdim": 6}])
@pytest.mark.parametrize("bias", [True, False])
def test_query_key_and_value_of_pytorch_are_layers_of_their_own(widths, bias):
    model = nn.MultiheadAttention(8, 2, bias=bias, batch_first=True, **widths).double()
    layers, network = layers_of(nn.ModuleDict({"attention": model}).state_dict(), activation="linear")
    assert list(layers) == ["attention.q", "attention.k", "attention.v", "attention.out_proj"]
    assert network.skipped == []
    query, key = RNG.normal(size=(1, 4, 8)), RNG.normal(size=(1, 3, widths.get("kdim", 8)))
    value = RNG.normal(size=(1, 3, widths.get("vdim", 8)))
    q, k, v = (layers[f"attention.{name}"](x[0]) for name, x in (("q", query), ("k", key), ("v", value)))
    heads = []
    for part in (slice(0, 4), slice(4, 8)):
        scores = np.exp(q[:, part] @ k[:, part].T / 2.0)
        heads.append(scores / scores.sum(axis=1, keepdims=True) @ v[:, part])
    expected = layers["attention.out_proj"](np.concatenate(heads, axis=1))
    found = model(*(torch.tensor(one) for one in (query, key, value)), need_weights=False)[0]
    np.testing.assert_allclose(doubles(found)[0], expected, atol=1e-12)


def test_what_no_name_or_shape_tells_is_named():
    state = {"rnn.weight_ih_l0": RNG.normal(size=(10, 3)), "rnn.weight_hh_l0": RNG.normal(size=(10, 5))}
    network = ef.as_network(state | {"fc.weight": RNG.normal(size=(2, 2))}, chain=False)
    assert [layer.name for layer in network] == ["fc"]
    assert "how many gates its weights hold is not told" in dict(network.skipped)["rnn"]
