"""Blocks: parts of a model that are measured whole."""

import numpy as np
import pytest
import torch
from models import Does, Residual, Twice, agrees
from networks import names_of
from torch import nn

import ei_fast as ef


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.LSTMCell(5, 4), nn.Linear(4, 2)

    def forward(self, x):
        hidden, _ = self.cell(x)
        return self.out(hidden)


def test_a_residual_network():
    model = nn.Sequential(nn.Linear(6, 4), nn.Tanh(), Residual(), nn.Linear(4, 2))
    net = ef.as_network(model)
    assert names_of(net) == ["0", "2.inner", "2.outer", "3"]
    assert [name for name, _ in net.skipped] == ["2"]
    assert net.restarts == {3}
    with pytest.raises(ValueError, match="do not feed each other"):
        net.between(2, 3)
    whole = ef.as_network(model, blocks={"2": (-3, 3)})
    assert names_of(whole) == ["0", "2", "3"]
    assert whole[1].out_range == (-3, 3)
    assert not whole.skipped
    agrees(whole, model, 6)
    assert ef.analyze(whole, random_state=0, tol=0.1)[1].joint_method
    with pytest.raises(
        ValueError, match=r"output range of the block '2' cannot be derived. .* Give it, as blocks=\{'2'"
    ):
        ef.as_network(model, blocks=["2"])


def test_an_encoder_layer():
    model = nn.Sequential(nn.Linear(8, 8), nn.TransformerEncoderLayer(8, 2, 16, batch_first=True))
    parts = ef.as_network(model, input_shape=(5, 8))
    attention = [f"1.self_attn.{part}" for part in ("q", "k", "v", "out_proj")]
    assert names_of(parts) == ["0", *attention, "1.linear1", "1.linear2"]
    assert "1.norm1" in [name for name, _ in parts.skipped]
    # One token at a time, and then a whole sample: five tokens of eight.
    whole = ef.as_network(model, input_shape=(5, 8), blocks={"1": (-3, 3)})
    assert [(layer.n_in, layer.n_out) for layer in whole] == [(8, 8), (40, 40)]
    assert whole.restarts == {1}


def test_what_is_done_inside_a_block_is_nothing_to_the_rest():
    net = ef.as_network(nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Linear(4, 3), nn.Sigmoid())), blocks=["1"])
    assert names_of(net) == ["0", "1"]
    assert net[1].out_range == (0.0, 1.0)


def test_an_lstm_cell():
    model = Cell()
    parts = ef.as_network(model)
    assert names_of(parts) == [*(f"cell.{gate}_gate" for gate in ("input", "forget", "cell", "output")), "out"]
    assert not parts.skipped
    net = ef.as_network(model, blocks=["cell"])
    assert net[0].out_range == (-1.0, 1.0)
    assert not net.skipped
    agrees(net, model, 5)


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize("module", [nn.LSTM(5, 4), nn.GRU(5, 4, bidirectional=True), nn.RNN(5, 4, 2)])
def test_hidden_states_are_bounded(module):
    model = nn.Sequential(module, Does(lambda s, x: s.out(x[0]), out=nn.Linear(module.hidden_size, 2)))
    model[1].out = nn.Linear(4 * (1 + module.bidirectional), 2)
    net = ef.as_network(model, input_shape=(3, 5), blocks=["0"], verify=False)
    assert net[0].out_range == (-1.0, 1.0)
    projected = nn.Sequential(nn.LSTM(5, 4, proj_size=2), Does(lambda s, x: s.out(x[0]), out=nn.Linear(2, 2)))
    with pytest.raises(ValueError, match="output range of the block '0' cannot be derived"):
        ef.as_network(projected, input_shape=(3, 5), blocks=["0"], verify=False)


def test_a_cell_that_also_keeps_its_state_has_no_one_output():
    class Both(Cell):
        def forward(self, x):
            return self.cell(x)

    net = ef.as_network(Both(), blocks=["cell"])
    assert names_of(net) == ["cell"]


def test_a_block_that_is_not_run():
    class Idle(Twice):
        def __init__(self):
            super().__init__()
            self.idle = nn.Tanh()

    with pytest.raises(ValueError, match="Got 'idle', which it does not run"):
        ef.as_network(Idle(), blocks=["idle"])


def test_a_block_that_changes_its_input():
    block = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3), nn.Sigmoid())

    def forward(self, x):
        hidden = self.a(x)
        return self.b(hidden), self.c(hidden)

    net = ef.as_network(Does(forward, a=nn.Linear(4, 4), b=block, c=nn.Linear(4, 2)), blocks=["b"])
    assert net.restarts == {2}
    # After the block it is not negative anywhere.
    assert net.ranges()[2][0][0] == 0.0
    x = np.full((3, 4), -1.0)
    net[1](x)
    assert (x == -1.0).all()


@pytest.mark.parametrize(
    "mixing", [lambda s, x: torch.sigmoid(x - x.mean(0)), lambda s, x: torch.sigmoid(x + torch.arange(len(x))[:, None])]
)
def test_a_block_whose_rows_depend_on_each_other(mixing):
    model = nn.Sequential(nn.Linear(4, 3), Does(mixing))
    with pytest.raises(ValueError, match="The block '1' must map every row by itself"):
        ef.as_network(model, blocks=["1"])


def test_ranges_of_blocks_are_held_against_what_is_seen():
    started = Does(lambda s, x: s.cell(x, torch.full((len(x), 3), 5.0, dtype=x.dtype)), cell=nn.GRUCell(4, 3))
    with pytest.raises(ValueError, match="output range of the block '0' cannot be derived"):
        ef.as_network(nn.Sequential(started), blocks=["0"])
    with pytest.raises(ValueError, match=r"The output range of the block '0' must hold its outputs. Got \(100"):
        ef.as_network(nn.Sequential(nn.Linear(4, 3)), blocks={"0": (100, 101)})


@pytest.mark.parametrize(
    ("forward", "message"),
    [
        (lambda s, x: s.b(x, flag=True), "1 such values, 1 arguments and 1 keywords instead"),
        (lambda s, x: s.b(x=x), "1 such values, 0 arguments and 1 keywords"),
        (lambda s, x: s.b((x,)), "as its first argument"),
        (lambda s, x: s.b(None, x), "1 such values, 2 arguments"),
    ],
)
def test_blocks_that_are_called_in_other_ways(forward, message):
    class Inner(nn.Module):
        def forward(self, x, y=None, flag=False):
            return torch.sigmoid(x[0] if isinstance(x, tuple) else y if x is None else x)

    with pytest.raises(ValueError, match=message):
        ef.as_network(Does(forward, b=Inner(), unused=nn.Linear(4, 4)), blocks=["b"])


def test_a_block_that_returns_nothing_of_use():
    model = Does(lambda s, x: (s.b(x), s.a(x))[1], b=Does(lambda s, x: "x"), a=nn.Linear(4, 4))
    with pytest.raises(ValueError, match="The block 'b' must map rows to rows. Got str for"):
        ef.as_network(model, blocks=["b"])


def test_the_state_of_a_cell_has_no_range_of_its_own():
    class State(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.LSTMCell(3, 2)

        def forward(self, x):
            state = None
            for _ in range(5):
                state = self.cell(x, state)
            return state[1]

    with pytest.raises(ValueError, match="The output range of the block '0' cannot be derived"):
        ef.as_network(nn.Sequential(State(), nn.Linear(2, 2)), blocks=["0"], input_shape=(3,))
