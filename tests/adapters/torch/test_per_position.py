"""Layers and blocks that stand at many places of a sample: each is the map of one of them."""

import copy
import pickle

import numpy as np
import pytest
import torch
from models import Does
from networks import names_of
from torch import nn

import ei_fast as ef


class Positional(nn.Module):
    """Adds what is learned of each position, or of the whole sample."""

    def __init__(self, shape):
        super().__init__()
        self.shift = nn.Parameter(torch.randn(shape))

    def forward(self, x):
        return torch.tanh(x + self.shift)


def _residual(width, hidden=7):
    return Does(
        lambda s, x: x + s.down(torch.relu(s.up(x))), up=nn.Linear(width, hidden), down=nn.Linear(hidden, width)
    )


def _written_out(block, x):
    """A residual block on vectors, from its own parameters."""
    up, down = (
        (part.weight.detach().double().numpy(), part.bias.detach().double().numpy()) for part in (block.up, block.down)
    )
    return x + np.maximum(x @ up[0].T + up[1], 0) @ down[0].T + down[1]


class Swapped(nn.Module):
    def forward(self, x):
        return x.transpose(1, 2)


@pytest.mark.parametrize(
    ("model", "shape", "marked"),
    [
        (nn.Sequential(nn.Linear(4, 3)), (4,), [False]),
        (nn.Sequential(nn.Linear(4, 3)), (1, 4), [False]),
        (nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2)), (5, 4), [True, True]),
        (nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(15, 2)), (5, 4), [True, False]),
        (nn.Sequential(nn.Linear(4, 10), nn.Unflatten(1, (5, 2)), nn.Linear(2, 3)), (4,), [False, True]),
        (nn.Sequential(nn.Linear(4, 3), nn.Softmax(-1), nn.Linear(3, 2)), (2, 5, 4), [True, True]),
        (nn.Sequential(nn.Linear(4, 3), Swapped(), nn.Linear(5, 5)), (5, 4), [True, True]),
        (nn.Sequential(nn.Conv1d(4, 3, 1), Swapped(), nn.Linear(3, 2)), (4, 6), [False, True]),
        (nn.Sequential(nn.Conv1d(4, 3, 2), nn.Flatten(), nn.Linear(15, 2)), (4, 6), [False, False]),
    ],
)
def test_layers_at_many_places_are_marked(model, shape, marked):
    net = ef.as_network(model, input_shape=shape)
    assert [layer.per_position for layer in net] == marked
    # A convolution says so by its patch.
    assert [layer.patch is not None for layer in net] == [isinstance(part, nn.Conv1d) for part in model if _maps(part)]
    again = pickle.loads(pickle.dumps(net[0]))
    assert again.per_position == net[0].per_position
    assert again.named("other").over((-1, 1)).per_position == net[0].per_position


def _maps(part):
    return isinstance(part, (nn.Linear, nn.Conv1d))


def test_the_mark_is_shown_and_kept(tmp_path, capsys):
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.Flatten(), nn.Linear(10, 2))
    ef.describe(model, input_shape=(5, 4))
    lines = capsys.readouterr().out.splitlines()
    assert "4 -> 3 per position" in lines[2]
    assert "3 -> 2 per position" in lines[3]
    assert "per position" not in lines[4]
    report = ef.analyze(model, input_shape=(5, 4), random_state=0, tol=0.5)
    assert [layer.per_position for layer in report] == [True, True, False]
    assert "4 -> 3 per position" in str(report)
    assert "All figures are those of one position of a sample" in report[0].explain()
    assert "position" not in report[2].explain()
    assert [row["per_position"] for row in report.rows()] == [True, True, False]
    report.save(tmp_path / "report.npz")
    assert [layer.per_position for layer in ef.Report.load(tmp_path / "report.npz")] == [True, True, False]


def test_a_report_of_an_older_version_knows_no_positions(tmp_path):
    import json

    report = ef.analyze(nn.Linear(4, 2), input_shape=(5, 4), random_state=0, tol=0.5)
    report.save(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as file:
        arrays = dict(file)
    layers = json.loads(str(arrays["layers"]))
    del layers[0]["per_position"]
    arrays["layers"] = np.array(json.dumps(layers))
    np.savez(tmp_path / "old.npz", **arrays)
    [layer] = ef.Report.load(tmp_path / "old.npz")
    assert layer.per_position is False
    assert layer.ei == report[0].ei


def test_figures_are_those_of_the_same_layer_alone():
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    of_each, of_one = (ef.analyze(model, input_shape=shape, random_state=0, tol=0.3) for shape in ((6, 4), (4,)))
    assert [layer.ei for layer in of_each] == [layer.ei for layer in of_one]
    assert [layer.sensitivity for layer in of_each] == [layer.sensitivity for layer in of_one]


def test_recorded_weights_keep_the_mark(tmp_path):
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0, tol=0.5), keep_weights=True, input_shape=(5, 4))
    recorder.record(model, step=0)
    recorder.trajectory_.save(tmp_path / "run.npz")
    [network] = ef.Trajectory.load(tmp_path / "run.npz").networks
    assert [layer.per_position for layer in network] == [True, True]


def test_layers_of_one_place_are_composed_and_others_are_not():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.Flatten(), nn.Linear(10, 2))
    net = ef.as_network(model, input_shape=(5, 4))
    both = net.between(0, 1)
    assert both.per_position
    x = np.random.default_rng(0).uniform(size=(7, 4))
    first, last = (copy.deepcopy(model[k]).double() for k in (0, 2))
    with torch.no_grad():
        expected = last(torch.relu(first(torch.from_numpy(x)))).numpy()
    np.testing.assert_allclose(both(x), expected, rtol=1e-9)
    with pytest.raises(ValueError, match="Name what holds them in 'blocks'"):
        net.between(1, 2)


def test_networks_written_by_hand_chain_by_place():
    one, other = ef.Layer(np.ones((4, 3)), per_position=True), ef.Layer(np.ones((3, 2)), per_position=True)
    of_all, to_all = ef.Layer(np.ones((10, 2))), ef.Layer(np.ones((5, 20)))
    assert len(ef.Network([to_all, one, other, of_all])) == 4
    with pytest.raises(ValueError, match="do not feed each other place by place"):
        ef.Network([one, other, of_all]).between(1, 2)
    with pytest.raises(ValueError, match="takes 9 inputs of all positions, which the 2 outputs of layer 0"):
        ef.Network([other, ef.Layer(np.ones((9, 2)))])
    with pytest.raises(ValueError, match="must take as many inputs as layer 0"):
        ef.Network([one, one])
    # Where each neuron has a range of its own, those of one place are not those of all.
    ranges = ef.Network([other, of_all]).ranges(out_range="neuron")
    assert len(ranges[0][1]) == 2
    assert isinstance(ranges[1][0][0], float)
    for wrong, kind in ((1, TypeError), ("yes", TypeError)):
        with pytest.raises(kind, match="The 'per_position' parameter of Layer must be True or False"):
            ef.Layer(np.ones((4, 3)), per_position=wrong)
    with pytest.raises(ValueError, match="must be False where it has a 'patch'"):
        ef.Layer(np.ones((4, 3)), patch=(4, 1), per_position=True)


@pytest.mark.parametrize("shape", [(5, 4), (2, 3, 4)])
def test_a_block_that_maps_each_position_alike_is_the_map_of_one(shape):
    model = nn.Sequential(nn.Linear(4, 6), _residual(6), nn.Linear(6, 2))
    net = ef.as_network(model, input_shape=shape, blocks={"1": (-3, 3)})
    assert [(layer.n_in, layer.n_out, layer.per_position) for layer in net] == [
        (4, 6, True),
        (6, 6, True),
        (6, 2, True),
    ]
    assert not net.restarts
    assert not net.skipped
    x = np.random.default_rng(0).uniform(-2, 2, (11, 6))
    np.testing.assert_allclose(net[1](x), _written_out(model[1], x), rtol=1e-9, atol=1e-9)
    # It is what the block is on vectors.
    alone = ef.as_network(model, input_shape=(4,), blocks={"1": (-3, 3)})
    figures = [ef.analyze(one, random_state=0, tol=0.5)[1].ei for one in (net, alone)]
    assert figures[0] == figures[1]


def test_a_block_of_another_width_and_one_on_rows():
    part = nn.Sequential(nn.Linear(4, 3), nn.LayerNorm(3), nn.Sigmoid())
    net = ef.as_network(nn.Sequential(part), input_shape=(5, 4), blocks=["0"])
    assert [(layer.n_in, layer.n_out, layer.per_position) for layer in net] == [(4, 3, True)]
    rows = Does(lambda s, x: s.out(s.part(x.reshape(-1, 4))).view(len(x), -1, 2), part=part, out=nn.Linear(3, 2))
    net = ef.as_network(rows, input_shape=(5, 4), blocks=["part"])
    assert [(layer.n_in, layer.n_out, layer.per_position) for layer in net] == [(4, 3, True), (3, 2, True)]


MIXING = {
    "a mean over positions": Does(lambda s, x: torch.tanh(s.a(x) + x.mean(1, keepdim=True)), a=nn.Linear(6, 6)),
    "a norm over positions": nn.Sequential(nn.LayerNorm((5, 6)), nn.Tanh()),
    "a position's own shift": Positional((5, 6)),
    "a running sum": Does(lambda s, x: torch.tanh(x.cumsum(1))),
    "attention": nn.Sequential(nn.TransformerEncoderLayer(6, 2, 8, batch_first=True), nn.Tanh()),
    "the neighbour": Does(lambda s, x: torch.tanh(x + 1e-3 * x.roll(1, 1))),
    "times backwards": Does(lambda s, x: torch.tanh(x.flip(1))),
    "a maximum far away": Does(lambda s, x: torch.tanh(x + torch.relu(x.amax(1, keepdim=True) - 3))),
}


@pytest.mark.parametrize("what", MIXING)
def test_a_block_that_mixes_positions_is_one_map_of_all(what):
    model = nn.Sequential(nn.Linear(4, 6), MIXING[what], nn.Linear(6, 2))
    net = ef.as_network(model, input_shape=(5, 4), blocks=["1"])
    assert [(layer.n_in, layer.n_out, layer.per_position) for layer in net] == [
        (4, 6, True),
        (30, 30, False),
        (6, 2, True),
    ]


def test_a_block_on_images_that_maps_each_pixel_is_a_patch_of_one():
    block = Does(lambda s, x: torch.sigmoid(x + s.c(x)), c=nn.Conv2d(3, 3, 1))
    model = nn.Sequential(nn.Conv2d(2, 3, 1), block, nn.Conv2d(3, 2, 1))
    net = ef.as_network(model, input_shape=(2, 4, 5), blocks=["1"])
    assert [layer.patch for layer in net] == [(2, 1, 1), (3, 1, 1), (3, 1, 1)]
    x = np.random.default_rng(0).uniform(-2, 2, (11, 3))
    weight, bias = block.c.weight.detach().double().numpy()[:, :, 0, 0], block.c.bias.detach().double().numpy()
    np.testing.assert_allclose(net[1](x), 1 / (1 + np.exp(-(x + x @ weight.T + bias))), rtol=1e-9)
    wide = Does(lambda s, x: torch.sigmoid(x + s.c(x)), c=nn.Conv2d(3, 3, 3, padding=1))
    net = ef.as_network(nn.Sequential(nn.Conv2d(2, 3, 1), wide), input_shape=(2, 4, 5), blocks=["1"])
    assert (net[1].n_in, net[1].patch) == (60, None)


def test_a_block_that_insists_on_its_length_is_the_map_of_one_place_too():
    def insisting(s, x):
        assert x.shape[1:] == (5, 6)
        return torch.tanh(s.a(x))

    model = nn.Sequential(nn.Linear(4, 6), Does(insisting, a=nn.Linear(6, 3)))
    net = ef.as_network(model, input_shape=(5, 4), blocks=["1"])
    assert names_of(net) == ["0", "1"]
    assert (net[1].n_in, net[1].n_out) == (6, 3)
    # Any number of rows may be asked for.
    x = np.random.default_rng(0).uniform(-1, 1, (13, 6))
    np.testing.assert_allclose(net[1](x)[:1], net[1](x[:1]), rtol=1e-12)


def test_a_block_in_float32_is_told_by_what_rounding_makes_of_it():
    class Only32(nn.Sequential):
        def forward(self, x):
            assert x.dtype == torch.float32
            return super().forward(x)

    net = ef.as_network(
        Only32(nn.Linear(4, 6), nn.Sequential(nn.Linear(6, 6), nn.Tanh())), input_shape=(5, 4), blocks=["1"]
    )
    assert (net[1].n_in, net[1].per_position) == (6, True)
