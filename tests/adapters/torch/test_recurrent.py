"""Recurrent networks of PyTorch: every gate against the framework's own weights, every step against its own run."""

import numpy as np
import pytest
import torch
from models import Does
from recurrent_cells import UNIT, by_hand_gru, by_hand_lstm, gates_of, gru_step, lstm_step, pairs
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_packed_sequence

import ei_fast as ef
from ei_fast.adapters.graph import cells

L = nn.Linear
IN, HIDDEN, TIME = 3, 4, 5
GATES = {
    "LSTM": ("input_gate", "forget_gate", "cell_gate", "output_gate"),
    "GRU": ("reset_gate", "update_gate", "new_gate"),
    "RNN": ("",),
}


def last(s, x):
    return s.fc(s.rnn(x)[0][:, -1])


def network_of(model, **options):
    torch.manual_seed(0)
    return ef.as_network(model, input_shape=(TIME, IN), **options)


def rows(weight, k, n):
    return weight.detach().double().numpy()[k * n : (k + 1) * n]


def expected(module, suffix, k, n):
    """Weight (n_in + n_hidden, n) and bias of gate number k, written out from PyTorch's parameters."""
    own = dict(module.named_parameters())
    weight = np.hstack([rows(own[f"weight_{part}{suffix}"], k, n) for part in ("ih", "hh")]).T
    biases = [rows(own[f"bias_{part}{suffix}"], k, n) for part in ("ih", "hh") if f"bias_ih{suffix}" in own]
    return weight, np.sum(biases, axis=0) if biases else np.zeros(n)


def check_gates(network, module, name, suffix, kind):
    """Every dense gate of a layer against the parameters."""
    n = module.hidden_size
    for k, gate in enumerate(GATES[kind]):
        layer = {one.name: one for one in network}[f"{name}.{gate}" if gate else name]
        weight, bias = expected(module, suffix, k, n)
        if gate == "new_gate":
            # The reset gate multiplies what comes of the hidden state.
            own = dict(module.named_parameters())
            rng = np.random.default_rng(0)
            n_in = own[f"weight_ih{suffix}"].shape[1]
            x, h, r = rng.normal(size=(7, n_in)), rng.normal(size=(7, n)), rng.uniform(size=(7, n))
            b = [rows(own[f"bias_{part}{suffix}"], k, n) if f"bias_ih{suffix}" in own else 0.0 for part in ("ih", "hh")]
            made = np.tanh(x @ weight[:n_in] + b[0] + r * (h @ weight[n_in:] + b[1]))
            np.testing.assert_allclose(layer(np.hstack([x, h, r])), made, rtol=1e-12)
            continue
        np.testing.assert_array_equal(layer.weight, weight)
        np.testing.assert_allclose(layer.bias, bias, rtol=1e-15)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("RNN", {}),
        ("RNN", {"nonlinearity": "relu"}),
        ("LSTM", {}),
        ("LSTM", {"bias": False}),
        ("GRU", {}),
        ("GRU", {"bias": False}),
    ],
)
def test_every_gate_is_a_dense_layer_of_the_weights_that_the_module_has(kind, options, bidirectional, batch_first):
    torch.manual_seed(1)
    module = getattr(nn, kind)(
        IN, HIDDEN, 2, batch_first=batch_first, bidirectional=bidirectional, dropout=0.3, **options
    )
    ways = ("", "_reverse") if bidirectional else ("",)
    swap = (lambda x: x) if batch_first else (lambda x: x.transpose(0, 1))
    model = Does(lambda s, x: s.fc(swap(s.rnn(swap(x))[0])[:, -1]), rnn=module, fc=L(HIDDEN * len(ways), 2))
    network = network_of(model, in_range=(0.0, 2.0))
    names = [".".join(filter(None, (f"rnn.l{k}{way}", gate))) for k in range(2) for way in ways for gate in GATES[kind]]
    assert [layer.name for layer in network] == [*names, "fc"]
    assert network.skipped == []
    for k in range(2):
        for way in ways:
            check_gates(network, module, f"rnn.l{k}{way}", f"_l{k}{way}", kind)
    # What is measured is as much as the module holds, the two biases of a gate being one.
    dense = sum(one.weight.size for one in network if isinstance(one, ef.Layer))
    of_new = sum(p.numel() // 3 for name, p in module.named_parameters() if kind == "GRU" and "weight" in name)
    assert dense + of_new == sum(p.numel() for name, p in model.named_parameters() if "weight" in name)
    if options.get("nonlinearity") != "relu":
        ranges = dict(zip([*names, "fc"], [one for one, _ in network.ranges()], strict=True))
        hidden = HIDDEN * len(ways)
        for name in names:
            n_x, limits = (IN, (0.0, 2.0)) if ".l0" in name else (hidden, UNIT)
            behind = [(HIDDEN, (0.0, 1.0))] if name.endswith("new_gate") else []
            assert ranges[name] == pairs((n_x, limits), (HIDDEN, UNIT), *behind)
        assert ranges["fc"] == UNIT


def test_a_hidden_state_that_is_not_bounded_has_the_range_that_was_seen():
    module = nn.RNN(IN, HIDDEN, nonlinearity="relu", batch_first=True)
    network = network_of(Does(last, rnn=module, fc=L(HIDDEN, 2)))
    low, high = network[0].in_range[-1]
    with torch.no_grad():
        module = module.double()
        seen = module(torch.rand(4096, TIME, IN, dtype=torch.float64))[0].numpy()[:, :-1]
    assert low == 0.0
    assert 0.5 * seen.max() < high <= 1.2 * seen.max()
    assert network.ranges()[1][0][0] >= 0.0


@pytest.mark.filterwarnings("ignore:LSTM with projections")
def test_projected_states():
    module = nn.LSTM(IN, HIDDEN, 2, proj_size=2, batch_first=True, bidirectional=True)
    network = network_of(Does(last, rnn=module, fc=L(4, 2)))
    assert network.skipped == []
    for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
        gates = gates_of(network, f"rnn.{suffix[1:]}")
        weight, _ = expected(module, suffix, 3, HIDDEN)
        np.testing.assert_array_equal(gates["output_gate"].weight, weight)
        projection = getattr(module, f"weight_hr{suffix}").detach().double().numpy().T
        np.testing.assert_array_equal(gates["projection"].weight, projection)
        assert gates["projection"].in_range == UNIT
        # As of any linear layer, what it reaches: here of the gates that read it at the next step.
        reached = ef.Network([ef.Layer(projection, None, "linear")], UNIT).ranges()[0][1]
        assert gates["input_gate"].in_range[-1] == pytest.approx(reached)


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_what_was_extracted_runs_as_the_module_does_at_every_step(kind):
    torch.manual_seed(2)
    module = getattr(nn, kind)(IN, HIDDEN, 2, batch_first=True)
    network = network_of(Does(last, rnn=module, fc=L(HIDDEN, 2)))
    x = np.random.default_rng(3).uniform(-4, 4, (11, TIME, IN))
    out = x
    for k in range(2):
        gates, h, c, steps = gates_of(network, f"rnn.l{k}"), np.zeros((11, HIDDEN)), np.zeros((11, HIDDEN)), []
        for t in range(TIME):
            if kind == "LSTM":
                h, c = lstm_step(gates, out[:, t], h, c)
            else:
                h = gru_step(gates, out[:, t], h)
            steps.append(h)
        out = np.stack(steps, axis=1)
    with torch.no_grad():
        real = module.double()(torch.from_numpy(x))[0].numpy()
    np.testing.assert_allclose(out, real, atol=1e-13)


def loop_of(cell, state="new_zeros"):
    def forward(s, x):
        h = getattr(x, state)(len(x), HIDDEN) if state else None
        h = (h, h) if cell == "LSTMCell" and state else h
        for t in range(x.shape[1]):
            h = s.cell(x[:, t], h)
        return s.fc(h[0] if cell == "LSTMCell" else h)

    return forward


@pytest.mark.parametrize("state", ["new_zeros", None])
@pytest.mark.parametrize("cell", ["RNNCell", "LSTMCell", "GRUCell"])
def test_a_cell_in_a_loop_is_measured_once(cell, state):
    torch.manual_seed(0)
    module = getattr(nn, cell)(IN, HIDDEN)
    network = network_of(Does(loop_of(cell, state), cell=module, fc=L(HIDDEN, 2)), in_range=(-2.0, 2.0))
    kind = cell.removesuffix("Cell")
    assert [one.name for one in network] == [*(f"cell.{gate}".rstrip(".") for gate in GATES[kind]), "fc"]
    assert network.skipped == []
    check_gates(network, module, "cell", "", kind)
    assert network[0].in_range == pairs((IN, (-2.0, 2.0)), (HIDDEN, UNIT))
    assert network.ranges()[-1][0] == UNIT


def stacked(s, x):
    h, outs = None, []
    for step in x.unbind(1):
        h = s.cell(step, h)
        outs.append(h)
    return s.fc(torch.stack(outs, 1))


def two_cells(s, x):
    h1 = h2 = x.new_zeros(len(x), HIDDEN)
    for t in range(x.shape[1]):
        h1 = s.cell(x[:, t], h1)
        h2 = s.second(h1, h2)
    return s.fc(h2)


def chunked(s, x):
    h = torch.zeros(len(x), HIDDEN, dtype=x.dtype)
    for step in torch.chunk(x, TIME, dim=1):
        h = s.cell(step.squeeze(1), h)
    return s.fc(h)


@pytest.mark.parametrize("forward", [stacked, two_cells, chunked])
def test_loops_as_users_write_them(forward):
    model = Does(forward, cell=nn.GRUCell(IN, HIDDEN), second=nn.RNNCell(HIDDEN, HIDDEN), fc=L(HIDDEN, 2))
    network = network_of(model)
    assert network.skipped == []
    names = [one.name for one in network]
    assert names[:3] == ["cell.reset_gate", "cell.update_gate", "cell.new_gate"]
    assert names[-1] == "fc"
    assert network[0].in_range == pairs((IN, (0.0, 1.0)), (HIDDEN, UNIT))
    assert network.ranges()[-1][0] == UNIT
    if forward is two_cells:
        assert names[3] == "second"
        assert network[3].in_range == UNIT


def test_packed_sequences_of_any_lengths():
    def forward(s, x):
        lengths = torch.arange(len(x)) % TIME + 1
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        out, (h, _) = s.rnn(packed)
        out, _ = pad_packed_sequence(out, batch_first=True)
        return s.fc(h[-1]), s.each(out)

    module = nn.LSTM(IN, HIDDEN, 2, batch_first=True, bidirectional=True)
    network = network_of(Does(forward, rnn=module, fc=L(HIDDEN, 2), each=L(2 * HIDDEN, 2)))
    assert network.skipped == []
    assert len(network) == 18
    for suffix in ("_l0", "_l0_reverse", "_l1", "_l1_reverse"):
        check_gates(network, module, f"rnn.{suffix[1:]}", suffix, "LSTM")
    assert [one for one, _ in network.ranges()[-2:]] == [UNIT, UNIT]
    assert network[0].in_range == pairs((IN, (0.0, 1.0)), (HIDDEN, UNIT))


@pytest.mark.parametrize(
    ("forward", "limits"),
    [
        (lambda s, x: s.fc(s.rnn(x)[0][:, -1]), UNIT),
        (lambda s, x: s.fc(s.rnn(x)[1][-1]), UNIT),
        (lambda s, x: s.fc(s.rnn(x)[1].squeeze(0)), UNIT),
        (lambda s, x: s.fc(s.rnn(x)[1].transpose(0, 1).flatten(1)), UNIT),
        (lambda s, x: s.fc(s.rnn(x)[0]), UNIT),
        (lambda s, x: s.fc(s.rnn(x)[0])[:, -1], UNIT),
        (lambda s, x: s.fc(torch.dropout(s.rnn(x)[0][:, -1, :], 0.5, s.training)), UNIT),
        (lambda s, x: s.fc(s.rnn(x)[0].index_select(1, torch.tensor([TIME - 1])).squeeze(1)), UNIT),
        (lambda s, x: s.fc(s.rnn(x.flip(1))[0].permute(1, 0, 2)[-1]), UNIT),
    ],
)
def test_what_comes_behind_has_the_range_of_the_hidden_state(forward, limits):
    network = network_of(Does(forward, rnn=nn.GRU(IN, HIDDEN, batch_first=True), fc=L(HIDDEN, 2)))
    assert network[-1].name == "fc"
    assert network.ranges()[-1][0] == limits


def test_the_layer_before_gives_its_range():
    model = Does(
        lambda s, x: last(s, torch.relu(s.pre(x))),
        pre=L(IN, 6),
        rnn=nn.LSTM(6, HIDDEN, batch_first=True),
        fc=L(HIDDEN, 2),
    )
    network = network_of(model)
    assert network[0].name == "pre"
    assert network[1].in_range == pairs((6, network.ranges()[0][1]), (HIDDEN, UNIT))
    conv = Does(
        lambda s, x: last(s, torch.tanh(s.conv(x)).transpose(1, 2)),
        conv=nn.Conv1d(2, 6, 3), rnn=nn.LSTM(6, HIDDEN, batch_first=True), fc=L(HIDDEN, 2),
    )  # fmt: skip
    network = ef.as_network(conv, input_shape=(2, 9))
    assert network.skipped == []
    assert network[1].in_range == UNIT


def test_a_state_that_is_given_widens_the_range_of_the_hidden_state():
    class Given(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.fc = nn.GRU(IN, HIDDEN, batch_first=True), L(HIDDEN, 2)
            self.start = nn.Parameter(torch.tensor([[[-3.0, 0.0, 0.5, 2.0]]]))

        def forward(self, x):
            return (
                last(self, x)
                if self.start is None
                else self.fc(self.rnn(x, self.start.expand(1, len(x), -1).contiguous())[0][:, -1])
            )

    network = network_of(Given())
    assert network[0].in_range == pairs((IN, (0.0, 1.0)), (HIDDEN, (-3.0, 2.0)))
    encoder = Does(
        lambda s, x: s.fc(s.dec(x.flip(1), s.enc(x)[1])[0]),
        enc=nn.LSTM(IN, HIDDEN, batch_first=True), dec=nn.LSTM(IN, HIDDEN, batch_first=True), fc=L(HIDDEN, 2),
    )  # fmt: skip
    network = network_of(encoder)
    assert [one.name for one in network][:5:4] == ["enc.l0.input_gate", "dec.l0.input_gate"]
    assert network[4].in_range == pairs((IN, (0.0, 1.0)), (HIDDEN, UNIT))


def test_a_module_that_is_run_twice_is_measured_once():
    forward = lambda s, x: s.fc(torch.cat([s.rnn(x)[0][:, -1], s.rnn(x.flip(1))[0][:, -1]], 1))  # noqa: E731
    network = network_of(Does(forward, rnn=nn.LSTM(IN, HIDDEN, batch_first=True), fc=L(2 * HIDDEN, 2)))
    assert [one.name for one in network] == [*(f"rnn.l0.{gate}" for gate in GATES["LSTM"]), "fc"]
    assert network.ranges()[-1][0] == UNIT


def test_modules_alone_and_parametrized_ones():
    network = ef.as_network(nn.LSTM(IN, HIDDEN), input_shape=(IN,))
    assert [one.name for one in network] == [f"lstm.l0.{gate}" for gate in GATES["LSTM"]]
    normed = Does(loop_of("GRUCell"), cell=nn.GRUCell(IN, HIDDEN), fc=L(HIDDEN, 2))
    nn.utils.parametrizations.weight_norm(normed.cell, "weight_hh")
    network = network_of(normed)
    assert [one.name for one in network] == ["cell.reset_gate", "cell.update_gate", "cell.new_gate", "fc"]
    weight = normed.cell.weight_hh.detach().double().numpy()[:HIDDEN].T
    np.testing.assert_allclose(network[0].weight[IN:], weight, rtol=1e-6)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_a_cell_that_is_misunderstood_is_refused(kind, monkeypatch):
    model = Does(last, rnn=getattr(nn, kind)(IN, HIDDEN, 2, batch_first=True), fc=L(HIDDEN, 2))
    network_of(model)
    gate = cells.Weights.gate

    def other(self, name, *more):
        return gate(self._replace(of_h=1.01 * self.of_h), name, *more)

    monkeypatch.setattr(cells.Weights, "gate", other)
    with pytest.raises(ValueError, match="The maps of 'rnn.l0' as extracted lead to states that differ"):
        network_of(model)


def test_the_order_of_gates_is_told_by_the_run(monkeypatch):
    from ei_fast.adapters.torch import recurrent

    model = Does(last, rnn=nn.LSTM(IN, HIDDEN, batch_first=True), fc=L(HIDDEN, 2))
    known = recurrent.lstm_cell
    order = ("forget_gate", "input_gate", "cell_gate", "output_gate")
    monkeypatch.setattr(
        recurrent, "lstm_cell", lambda gates, *more: known(dict(zip(order, gates.values(), strict=True)), *more)
    )
    with pytest.raises(ValueError, match="differ from the model's"):
        network_of(model)
    # Unless it is not compared.
    assert len(network_of(model, verify=False)) == 5


@pytest.mark.parametrize("k", [1, 2, TIME])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_steps_of_a_cell_are_one_map(kind, k):
    torch.manual_seed(4)
    module = getattr(nn, kind)(IN, HIDDEN, 2, batch_first=True, bidirectional=True)
    network = network_of(Does(last, rnn=module, fc=L(2 * HIDDEN, 2)), unroll=k)
    names = ["rnn.l0", "rnn.l0_reverse", "rnn.l1", "rnn.l1_reverse", "fc"]
    assert [one.name for one in network] == names
    assert network.skipped == []
    rng = np.random.default_rng(0)
    for layer, suffix in zip(network, ("_l0", "_l0_reverse", "_l1", "_l1_reverse"), strict=False):
        n_in = IN if "l0" in suffix else 2 * HIDDEN
        own = dict(module.double().named_parameters())
        weights = [own[f"{part}{suffix}"].detach().numpy() for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        x, h, c = rng.normal(size=(k, 9, n_in)), rng.uniform(-1, 1, (9, HIDDEN)), rng.normal(size=(9, HIDDEN))
        state = [h, c] if kind == "LSTM" else [h]
        made = layer(np.hstack([*x, *state]))
        for step in x:
            if kind == "LSTM":
                h, c = by_hand_lstm(weights, step, h, c)
            elif kind == "GRU":
                h = by_hand_gru(weights, step, h)
            else:
                h = np.tanh(step @ weights[0].T + h @ weights[1].T + weights[2] + weights[3])
        np.testing.assert_allclose(made, h, atol=1e-13)
        before = pairs((k * n_in, (0.0, 1.0) if "l0" in suffix else UNIT), (HIDDEN, UNIT))
        if kind == "LSTM":
            # What the cell state was seen to be.
            assert layer.in_range[: k * n_in + HIDDEN] == before or before == UNIT
            assert len(set(layer.in_range[-HIDDEN:])) == 1
        else:
            assert layer.in_range == before
        if kind != "RNN" or k > 1:
            assert layer.out_range == UNIT


def test_steps_of_a_loop_are_one_map():
    torch.manual_seed(5)
    cell = nn.LSTMCell(IN, HIDDEN)
    network = network_of(Does(loop_of("LSTMCell"), cell=cell, fc=L(HIDDEN, 2)), unroll=3)
    assert [(one.name, one.n_in, one.n_out) for one in network] == [
        ("cell", 3 * IN + 2 * HIDDEN, HIDDEN),
        ("fc", HIDDEN, 2),
    ]
    weights = [p.detach().double().numpy() for p in cell.parameters()]
    rng = np.random.default_rng(0)
    x, h, c = rng.uniform(size=(3, 6, IN)), rng.uniform(-1, 1, (6, HIDDEN)), rng.normal(size=(6, HIDDEN))
    made = network[0](np.hstack([*x, h, c]))
    for step in x:
        h, c = by_hand_lstm(weights, step, h, c)
    np.testing.assert_allclose(made, h, atol=1e-13)


def test_wrong_numbers_of_steps_are_refused():
    model = Does(last, rnn=nn.GRU(IN, HIDDEN, batch_first=True), fc=L(HIDDEN, 2))
    with pytest.raises(
        ValueError, match="'unroll' parameter of as_network must be no more than the steps that 'rnn.l0'"
    ):
        network_of(model, unroll=TIME + 1)
    with pytest.raises(TypeError, match="must be an integer >= 1, a number of steps. Got 1.5"):
        network_of(model, unroll=1.5)
    with pytest.raises(ValueError, match="Got 0 instead"):
        network_of(model, unroll=0)
    with pytest.raises(ValueError, match="is for models that run recurrent layers"):
        ef.as_network(nn.Sequential(L(2, 2)), unroll=1)
    with pytest.raises(ValueError, match="is for models of PyTorch, Keras and ONNX"):
        ef.as_network(np.eye(2), unroll=1)


def test_a_recurrent_module_as_one_block():
    model = Does(last, rnn=nn.GRU(IN, HIDDEN, batch_first=True), fc=L(HIDDEN, 2))
    network = network_of(model, blocks={"rnn": UNIT})
    assert [(one.name, one.n_in, one.n_out) for one in network] == [
        ("rnn", TIME * IN, TIME * HIDDEN),
        ("fc", HIDDEN, 2),
    ]


def test_a_report_of_an_lstm_classifier():
    model = Does(last, rnn=nn.LSTM(IN, HIDDEN, batch_first=True), fc=L(HIDDEN, 2))
    report = ef.analyze(model, input_shape=(TIME, IN), random_state=0, tol=0.5)
    assert [row.name for row in report] == [*(f"rnn.l0.{gate}" for gate in GATES["LSTM"]), "fc"]
    assert all(0 < row.ei <= row.ei_bounds[1] for row in report)
    assert report[0].in_range == pairs((IN, (0.0, 1.0)), (HIDDEN, UNIT))


def test_a_description_shows_both_ranges_of_a_gate(capsys):
    ef.describe(Does(last, rnn=nn.GRU(IN, HIDDEN, batch_first=True), fc=L(HIDDEN, 2)), input_shape=(TIME, IN))
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "3 x (0, 1) 4 x (-1, 1) *" in lines["rnn.l0.reset_gate"]
    assert "3 x (0, 1) 4 x (-1, 1) 4 x (0, 1) *" in lines["rnn.l0.new_gate"]
    assert "  (-1, 1) *" in lines["fc"]


def test_ways_of_packing():
    def forward(s, x):
        packed = pack_sequence(list(x.unbind(0)))
        return s.fc(s.rnn(packed)[1][0][-1])

    network = network_of(Does(forward, rnn=nn.LSTM(IN, HIDDEN), fc=L(HIDDEN, 2)))
    assert [one.name for one in network] == [*(f"rnn.l0.{gate}" for gate in GATES["LSTM"]), "fc"]


@pytest.mark.parametrize("scale", [1.0, 3.0])
def test_a_chaotic_network_over_a_long_time_is_compared_step_by_step(scale):
    torch.manual_seed(0)
    module = nn.RNN(2, 40, batch_first=True)
    with torch.no_grad():
        module.weight_hh_l0.normal_(0, scale / np.sqrt(40))
    network = ef.as_network(Does(last, rnn=module, fc=L(40, 2)), input_shape=(200, 2))
    assert [one.name for one in network] == ["rnn.l0", "fc"]
