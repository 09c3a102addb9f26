"""Recurrent networks of Keras: every gate against the layer's own weights, every step against its own run."""

import keras
import numpy as np
import pytest
from keras import layers as L
from recurrent_cells import UNIT, gates_of, gru_step, lstm_step, pairs
from scipy.special import expit

import ei_fast as ef
from ei_fast.adapters.graph import cells

IN, HIDDEN, TIME = 3, 4, 5
GATES = {
    "LSTM": ("input_gate", "forget_gate", "cell_gate", "output_gate"),
    "GRU": ("reset_gate", "update_gate", "new_gate"),
}


def model_of(*layers, shape=(TIME, IN), seed=0):
    keras.utils.set_random_seed(seed)
    x = keras.Input(shape)
    y = x
    for layer in layers:
        y = layer(y)
    model = keras.Model(x, y)
    # Biases are 0 where nothing was trained.
    rng = np.random.default_rng(seed)
    model.set_weights([w + rng.normal(0, 0.1, w.shape) for w in model.get_weights()])
    return model


def names_of(network):
    return [one.name for one in network]


def gate(cell, k, n):
    """Weights of the input and the hidden state and the biases of gate number k, in the order of Keras."""
    at = slice(k * n, (k + 1) * n)
    kernel, recurrent = (np.asarray(w.numpy(), np.float64)[:, at] for w in (cell.kernel, cell.recurrent_kernel))
    bias = np.zeros((1, cell.kernel.shape[1])) if cell.bias is None else np.atleast_2d(cell.bias.numpy())
    return kernel, recurrent, bias.astype(np.float64)[:, at]


def check(network, name, cell, order):
    """Dense gates of a cell against its weights; `order` is that of Keras."""
    found = gates_of(network, name)
    for k, one in enumerate(order):
        kernel, recurrent, bias = gate(cell, k, cell.units)
        if isinstance(found[one], ef.Layer):
            np.testing.assert_array_equal(found[one].weight, np.vstack([kernel, recurrent]))
            np.testing.assert_allclose(found[one].bias, bias.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_an_lstm(return_sequences, use_bias):
    lstm = L.LSTM(HIDDEN, return_sequences=return_sequences, use_bias=use_bias, dropout=0.2, name="lstm")
    network = ef.as_network(model_of(lstm, L.Dense(2, name="out")), in_range=(-1.0, 3.0))
    assert names_of(network) == [*(f"lstm.{one}" for one in GATES["LSTM"]), "out"]
    assert network.skipped == []
    check(network, "lstm", lstm.cell, GATES["LSTM"])
    assert network[0].in_range == pairs((IN, (-1.0, 3.0)), (HIDDEN, UNIT))
    assert network.ranges()[-1][0] == UNIT


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_gru(reset_after):
    gru = L.GRU(HIDDEN, reset_after=reset_after, name="gru")
    network = ef.as_network(model_of(gru, L.Dense(2, name="out")))
    assert names_of(network) == [*(f"gru.{one}" for one in GATES["GRU"]), "out"]
    assert network.skipped == []
    check(network, "gru", gru.cell, ("update_gate", "reset_gate", "new_gate"))
    kernel, recurrent, bias = gate(gru.cell, 2, HIDDEN)
    rng = np.random.default_rng(0)
    x, h, r = rng.normal(size=(9, IN)), rng.uniform(-1, 1, (9, HIDDEN)), rng.uniform(size=(9, HIDDEN))
    if reset_after:
        made = np.tanh(x @ kernel + bias[0] + r * (h @ recurrent + bias[1]))
        np.testing.assert_allclose(network[2](np.hstack([x, h, r])), made, rtol=1e-9)
        assert network[2].in_range == pairs((IN, (0.0, 1.0)), (HIDDEN, UNIT), (HIDDEN, (0.0, 1.0)))
    else:
        # A dense layer of the input and of the hidden state that was reset.
        np.testing.assert_array_equal(network[2].weight, np.vstack([kernel, recurrent]))
        assert network[2].in_range == pairs((IN, (0.0, 1.0)), (HIDDEN, UNIT))


@pytest.mark.parametrize("options", [{}, {"reset_after": False}])
def test_what_was_extracted_runs_as_the_layer_does_at_every_step(options):
    kinds = [(L.GRU, options)] if options else [(L.GRU, {}), (L.LSTM, {})]
    x = np.random.default_rng(0).uniform(-3, 3, (7, TIME, IN)).astype(np.float32)
    for kind, more in kinds:
        layer = kind(HIDDEN, return_sequences=True, name="rnn", **more)
        model = model_of(layer)
        gates = gates_of(ef.as_network(model), "rnn")
        real = keras.ops.convert_to_numpy(model(x))
        h, c = np.zeros((7, HIDDEN)), np.zeros((7, HIDDEN))
        for t in range(TIME):
            if kind is L.LSTM:
                h, c = lstm_step(gates, x[:, t], h, c)
            else:
                h = gru_step(gates, x[:, t], h, reset_after=not more)
            np.testing.assert_allclose(h, real[:, t], atol=2e-6)


def test_simple_layers_of_any_activation():
    relu = L.SimpleRNN(HIDDEN, activation="relu", return_sequences=True, name="relu")
    back = L.SimpleRNN(3, activation="softsign", go_backwards=True, name="back")
    network = ef.as_network(model_of(relu, back, L.Dense(2, name="out")))
    assert names_of(network) == ["relu", "back", "out"]
    assert [str(one.activation) for one in network] == ["relu", "softsign", "linear"]
    for layer, own in zip(network, (relu, back), strict=False):
        weights = [np.asarray(w, np.float64) for w in own.get_weights()]
        np.testing.assert_array_equal(layer.weight, np.vstack(weights[:2]))
        np.testing.assert_array_equal(layer.bias, weights[2])
    assert network[0].in_range[-1][0] == 0.0
    assert network[1].in_range[-1] == UNIT
    hard = L.LSTM(HIDDEN, activation="relu", recurrent_activation="hard_sigmoid", name="hard")
    network = ef.as_network(model_of(hard, L.Dense(2, name="out")))
    assert [str(one.activation) for one in network] == [
        "hard_sigmoid",
        "hard_sigmoid",
        "relu",
        "hard_sigmoid",
        "linear",
    ]


@pytest.mark.parametrize("merge_mode", ["concat", "sum", "ave", "mul", None])
@pytest.mark.parametrize("return_sequences", [True, False])
def test_both_directions(merge_mode, return_sequences):
    both = L.Bidirectional(L.GRU(HIDDEN, return_sequences=return_sequences, name="gru"), merge_mode, name="both")
    behind = [L.Concatenate()] if merge_mode is None else []
    network = ef.as_network(model_of(both, *behind, L.Dense(2, name="out")))
    ways = ("both.forward_gru", "both.backward_gru")
    assert names_of(network) == [*(f"{way}.{one}" for way in ways for one in GATES["GRU"]), "out"]
    for way, own in zip(ways, (both.forward_layer, both.backward_layer), strict=True):
        check(network, way, own.cell, ("update_gate", "reset_gate", "new_gate"))
    if merge_mode in ("concat", None):
        assert network.skipped == []
        assert network.ranges()[-1][0] == UNIT
    else:
        assert {name for name, _ in network.skipped} == {"both"}


def test_layers_upon_each_other_and_at_each_step():
    network = ef.as_network(
        model_of(
            L.TimeDistributed(L.Dense(6, activation="relu"), name="each"),
            L.LSTM(HIDDEN, return_sequences=True, name="first"),
            L.LSTM(HIDDEN, return_sequences=True, name="second"),
            L.TimeDistributed(L.Dense(2), name="out"),
        )
    )
    assert names_of(network) == ["each", *(f"{k}.{one}" for k in ("first", "second") for one in GATES["LSTM"]), "out"]
    assert network.skipped == []
    assert network[1].in_range == pairs((6, network.ranges()[0][1]), (HIDDEN, UNIT))
    assert network[5].in_range == UNIT
    assert network.ranges()[-1][0] == UNIT


def test_whole_models_at_each_step():
    inner = keras.Sequential(
        [keras.Input((IN,)), L.Dense(4, activation="tanh", name="a"), L.Dense(2, name="b")], name="inner"
    )
    model = model_of(L.TimeDistributed(inner, name="each"), L.SimpleRNN(3, name="rnn"))
    network = ef.as_network(model)
    assert names_of(network) == ["a", "b", "rnn"]
    assert network.skipped == []


def test_cells_in_layers_of_their_own():
    one = L.RNN(L.GRUCell(HIDDEN), name="one", return_sequences=True)
    several = L.RNN([L.LSTMCell(4, name="a"), L.SimpleRNNCell(3, name="b"), L.LSTMCell(2, name="c")], name="several")
    network = ef.as_network(model_of(one, several, L.Dense(2, name="out")))
    assert names_of(network) == [
        *(f"one.{gate}" for gate in GATES["GRU"]),
        *(f"several.a.{gate}" for gate in GATES["LSTM"]),
        "several.b",
        *(f"several.c.{gate}" for gate in GATES["LSTM"]),
        "out",
    ]
    assert network.skipped == []
    for name, cell in zip("ac", several.cell.cells[::2], strict=True):
        check(network, f"several.{name}", cell, GATES["LSTM"])
    assert {layer.in_range for layer in network.layers[3:]} == {UNIT}


def test_states_that_go_from_one_layer_to_another():
    keras.utils.set_random_seed(0)
    x = keras.Input((TIME, IN))
    _, h, c = L.LSTM(HIDDEN, return_state=True, name="enc")(x)
    y = L.LSTM(HIDDEN, return_sequences=True, name="dec")(x, initial_state=[h, c])
    network = ef.as_network(keras.Model(x, L.Dense(2, name="out")(y)))
    assert names_of(network) == [*(f"{k}.{one}" for k in ("enc", "dec") for one in GATES["LSTM"]), "out"]
    assert network.skipped == []
    assert network.ranges()[-1][0] == UNIT
    repeated = model_of(L.GRU(HIDDEN, name="enc"), L.RepeatVector(TIME), L.GRU(HIDDEN, name="dec"))
    network = ef.as_network(repeated)
    assert network.skipped == []
    assert network[3].in_range == UNIT


def test_steps_that_are_masked_are_left_out():
    class Short(keras.Layer):
        """Leaves out the last steps of all samples, and the first of some."""

        def call(self, x):
            return x * 1.0

        def compute_mask(self, x, mask=None):
            first = keras.ops.arange(TIME) < TIME - 1
            return keras.ops.logical_and(first[None, :], x[:, :, 0] > 0.2)

    lstm = L.LSTM(HIDDEN, return_sequences=True, name="lstm")
    model = model_of(Short(name="short"), lstm, L.GRU(3, name="gru"))
    network = ef.as_network(model)
    names = [*(f"lstm.{one}" for one in GATES["LSTM"]), *(f"gru.{one}" for one in GATES["GRU"])]
    assert names_of(network) == names
    check(network, "lstm", lstm.cell, GATES["LSTM"])


@pytest.mark.parametrize("k", [1, 3])
def test_steps_of_a_cell_are_one_map(k):
    lstm = L.LSTM(HIDDEN, name="lstm")
    network = ef.as_network(model_of(lstm, L.Dense(2, name="out")), unroll=k)
    assert names_of(network) == ["lstm", "out"]
    kernel, recurrent, bias = (np.asarray(w, np.float64) for w in lstm.get_weights())
    rng = np.random.default_rng(0)
    x, h, c = rng.normal(size=(k, 9, IN)), rng.uniform(-1, 1, (9, HIDDEN)), rng.normal(size=(9, HIDDEN))
    made = network[0](np.hstack([*x, h, c]))
    for step in x:
        i, f, g, o = np.split(step @ kernel + h @ recurrent + bias, 4, axis=1)
        c = expit(f) * c + expit(i) * np.tanh(g)
        h = expit(o) * np.tanh(c)
    np.testing.assert_allclose(made, h, atol=1e-12)
    with pytest.raises(ValueError, match="must be no more than the steps that 'lstm' takes"):
        ef.as_network(model_of(lstm, L.Dense(2)), unroll=TIME + 1)


def test_a_cell_that_is_misunderstood_is_refused(monkeypatch):
    model = model_of(L.GRU(HIDDEN, name="gru"), L.Dense(2))
    gate_of = cells.Weights.gate
    monkeypatch.setattr(
        cells.Weights, "gate", lambda self, name, *more: gate_of(self._replace(of_h=1.02 * self.of_h), name, *more)
    )
    with pytest.raises(ValueError, match="The maps of 'gru' as extracted lead to states that differ"):
        ef.as_network(model)


def test_cells_that_are_not_known_are_named():
    class Own(keras.layers.SimpleRNNCell):
        def call(self, x, states, training=False):
            output, states = super().call(x, states, training)
            return 0.5 * output, states

    network = ef.as_network(model_of(L.RNN(Own(HIDDEN), name="own"), L.Dense(2, name="out")))
    assert names_of(network) == ["out"]
    assert [name for name, _ in network.skipped] == ["own"]
    stateful = keras.Sequential([keras.Input(batch_shape=(7, TIME, IN)), L.LSTM(HIDDEN, name="lstm", stateful=True)])
    stateful.build((7, TIME, IN))
    layer = stateful.layers[0]
    before = [np.array(keras.ops.convert_to_numpy(one)) for one in layer.states]
    with pytest.raises((TypeError, ValueError)):
        ef.as_network(stateful)
    for one, state in zip(before, layer.states, strict=True):
        np.testing.assert_array_equal(one, keras.ops.convert_to_numpy(state))


def test_the_model_is_left_as_it_is():
    model = model_of(L.Bidirectional(L.LSTM(HIDDEN, return_state=False), name="both"), L.Dense(2))
    layer = model.layers[1].forward_layer
    before = (layer.return_sequences, layer.return_state, len(layer._inbound_nodes), model.get_weights())
    ef.as_network(model)
    after = (layer.return_sequences, layer.return_state, len(layer._inbound_nodes), model.get_weights())
    assert before[:3] == after[:3]
    for one, other in zip(before[3], after[3], strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_of_a_model(tmp_path):
    model = model_of(L.Bidirectional(L.GRU(HIDDEN, name="gru"), name="both"), L.Dense(2, name="out"))
    model.save(tmp_path / "net.keras")
    network = ef.as_network(tmp_path / "net.keras")
    assert names_of(network) == names_of(ef.as_network(model))
    assert ef.as_network(tmp_path / "net.keras", unroll=2)[0].n_in == 2 * IN + HIDDEN
