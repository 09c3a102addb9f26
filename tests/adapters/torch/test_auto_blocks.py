"""Residual blocks and gated units, found in what a model does and measured as one map each."""

import copy

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models import Does, agrees
from networks import names_of
from scipy.special import erf, expit
from torch import nn

import ei_fast as ef

RNG = np.random.default_rng(0)


class Residual(nn.Module):
    """x + outer(relu(inner(norm(x)))), with an activation behind the sum if it is to have one."""

    def __init__(self, width, norm=False, behind=None):
        super().__init__()
        self.norm = nn.LayerNorm(width) if norm else nn.Identity()
        self.inner, self.outer, self.behind = nn.Linear(width, 5), nn.Linear(5, width), behind or nn.Identity()

    def forward(self, x):
        return self.behind(x + self.outer(torch.relu(self.inner(self.norm(x)))))


class SwiGLU(nn.Module):
    """As Llama's."""

    def __init__(self, width, hidden):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(width, hidden, bias=False), nn.Linear(width, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, width, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class GEGLU(nn.Module):
    def __init__(self, width, hidden):
        super().__init__()
        self.proj = nn.Linear(width, 2 * hidden)

    def forward(self, x):
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * F.gelu(gate)


class Squeeze(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 2, 1), nn.Conv2d(2, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True)))))


class Basic(nn.Module):
    """As ResNet18's, with a projection on the shortcut where the shape changes."""

    def __init__(self, n_in, n_out, stride=1):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(n_in, n_out, 3, stride, 1, bias=False), nn.BatchNorm2d(n_out)
        self.conv2, self.bn2 = nn.Conv2d(n_out, n_out, 3, 1, 1, bias=False), nn.BatchNorm2d(n_out)
        projects = stride > 1 or n_in != n_out
        self.down = nn.Conv2d(n_in, n_out, 1, stride, bias=False) if projects else nn.Identity()

    def forward(self, x):
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + self.down(x))


class Highway(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.t, self.h = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x):
        gate = torch.sigmoid(self.t(x))
        return gate * torch.tanh(self.h(x)) + (1 - gate) * x


def _numbers(layer):
    bias = 0.0 if layer.bias is None else layer.bias.detach().double().numpy()
    return layer.weight.detach().double().numpy().T, bias


def _dense(layer, x):
    weight, bias = _numbers(layer)
    return x @ weight + bias


def _residual(block, x):
    normed = x
    if isinstance(block.norm, nn.LayerNorm):
        centred = x - x.mean(1, keepdims=True)
        normed = centred / np.sqrt((centred**2).mean(1, keepdims=True) + block.norm.eps)
    y = x + _dense(block.outer, np.maximum(_dense(block.inner, normed), 0))
    return np.maximum(y, 0) if isinstance(block.behind, nn.ReLU) else y


def _swiglu(block, x):
    gate = _dense(block.gate_proj, x)
    return _dense(block.down_proj, gate * expit(gate) * _dense(block.up_proj, x))


def _geglu(block, x):
    value, gate = np.split(_dense(block.proj, x), 2, axis=1)
    return value * gate * 0.5 * (1 + erf(gate / np.sqrt(2)))


def _highway(block, x):
    gate = expit(_dense(block.t, x))
    return gate * np.tanh(_dense(block.h, x)) + (1 - gate) * x


def _glu(block, x):
    value, gate = np.split(x, 2, axis=1)
    return value * expit(gate)


WRITTEN_OUT = {
    "residual": (Residual(4), _residual, 4),
    "residual with a norm": (Residual(4, norm=True), _residual, 4),
    "residual with an activation behind": (Residual(4, behind=nn.ReLU()), _residual, 4),
    "SwiGLU": (SwiGLU(4, 6), _swiglu, 4),
    "GEGLU": (GEGLU(4, 6), _geglu, 4),
    "highway": (Highway(4), _highway, 4),
    "nn.GLU": (nn.GLU(), _glu, 8),
    "F.glu": (Does(lambda s, x: F.glu(x)), _glu, 8),
    "chunk": (Does(lambda s, x: x.chunk(2, -1)[0] * x.chunk(2, -1)[1].sigmoid()), _glu, 8),
    "slices": (Does(lambda s, x: x[..., :4] * torch.sigmoid(x[..., 4:])), _glu, 8),
    "split, in place": (Does(lambda s, x: (lambda a, b: a.clone().mul_(b.sigmoid()))(*x.split(4, -1))), _glu, 8),
}


@pytest.mark.parametrize("shape", [(), (3,)])
@pytest.mark.parametrize("what", WRITTEN_OUT)
def test_blocks_are_found_and_are_what_is_written_out(what, shape):
    block, by_hand, width = WRITTEN_OUT[what]
    n_out = by_hand(block, np.zeros((1, width))).shape[1]
    model = nn.Sequential(nn.Linear(4, width), block, nn.Linear(n_out, 2))
    net = ef.as_network(model, input_shape=(*shape, 4), blocks="auto")
    assert names_of(net) == ["0", "1", "2"]
    assert [layer.kind for layer in net] == ["dense", "function", "dense"]
    assert [layer.per_position for layer in net] == [bool(shape)] * 3
    assert (net[1].n_in, net[1].n_out) == (width, n_out)
    assert not net.skipped
    assert not net.restarts
    x = RNG.uniform(-2, 2, (70, width))
    np.testing.assert_allclose(net[1](x), by_hand(block, x), rtol=1e-9, atol=1e-9)
    [(name, note)] = net.notes
    assert name == "1"
    assert "found and measured as one map; its outputs are binned over (" in note
    if not shape:
        agrees(net, model, 4)


def test_what_is_done_by_no_module_is_found_too():
    def forward(s, x):
        h = torch.relu(s.skip(x) + torch.tanh(s.a(x)))
        value, gate = s.b(h).chunk(2, -1)
        return s.c(value * torch.sigmoid(gate))

    model = Does(forward, skip=nn.Linear(4, 3), a=nn.Linear(4, 3), b=nn.Linear(3, 6), c=nn.Linear(3, 2))
    net = ef.as_network(model, blocks="auto")
    assert names_of(net) == ["add", "b", "mul", "c"]
    assert not net.skipped
    agrees(net, model, 4)
    x = RNG.uniform(-2, 2, (9, 4))
    by_hand = np.maximum(_dense(model.skip, x) + np.tanh(_dense(model.a, x)), 0)
    np.testing.assert_allclose(net[0](x), by_hand, rtol=1e-9, atol=1e-9)


def test_ranges_are_derived_where_nothing_depends_on_weights():
    model = Does(lambda s, x: s.c(x + torch.tanh(s.a(x))), a=nn.Linear(4, 4), c=nn.Linear(4, 2))
    net = ef.as_network(model, in_range=(-2.0, 1.0), blocks="auto")
    assert net[0].out_range == (-3.0, 2.0)
    assert "what they can be at most, whatever goes in" in net.notes[0][1]
    gated = Does(
        lambda s, x: s.c(torch.sigmoid(s.a(x)) * torch.tanh(s.b(x))),
        a=nn.Linear(4, 3),
        b=nn.Linear(4, 3),
        c=nn.Linear(3, 2),
    )
    assert ef.as_network(gated, blocks="auto")[0].out_range == (-1.0, 1.0)
    seen = ef.as_network(nn.Sequential(Residual(4, behind=nn.ReLU())), input_shape=(4,), blocks="auto")
    assert seen[0].out_range[0] == 0.0
    assert "what was seen for random inputs" in seen.notes[0][1]


def test_convolutional_blocks():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.ReLU(), Basic(2, 2), Basic(2, 3, 2), Squeeze(3), nn.Flatten(), nn.Linear(12, 2)
    ).eval()
    net = ef.as_network(model, input_shape=(1, 6, 6), blocks="auto")
    assert names_of(net) == ["0", "2", "3", "4", "6"]
    assert [(layer.n_in, layer.n_out) for layer in net] == [(9, 2), (32, 32), (32, 12), (12, 12), (12, 2)]
    assert not net.skipped
    for index, part in ((1, model[2]), (2, model[3]), (3, model[4])):
        shape = {1: (2, 4, 4), 2: (2, 4, 4), 3: (3, 2, 2)}[index]
        x = RNG.uniform(-1, 1, (5, net[index].n_in))
        with torch.no_grad():
            expected = copy.deepcopy(part).double()(torch.from_numpy(x).reshape(-1, *shape)).flatten(1)
        np.testing.assert_allclose(net[index](x), expected.numpy(), rtol=1e-9, atol=1e-9)
    assert all(np.isfinite(layer.ei) for layer in ef.analyze(net, random_state=0, tol=1.0, pairwise="none"))


@pytest.mark.parametrize(("stride", "n_out", "side"), [(1, 2, 5), (2, 3, 7)])
def test_a_convolutional_block_in_a_large_image_is_the_map_of_the_box_that_a_place_sees(stride, n_out, side):
    torch.manual_seed(1)
    block = Basic(2, n_out, stride).eval()
    block.bn1.running_mean.uniform_(-0.3, 0.3)
    block.bn2.running_var.uniform_(0.5, 2.0)
    n_places = 12 // stride
    model = nn.Sequential(nn.Conv2d(1, 2, 1), block, nn.Flatten(), nn.Linear(n_out * n_places**2, 2)).eval()
    net = ef.as_network(model, input_shape=(1, 12, 12), blocks="auto")
    assert names_of(net) == ["0", "1", "3"]
    assert (net[1].patch, net[1].n_out) == ((2, side, side), n_out)
    # What the block makes of the box by itself, without padding: two convolutions one after the other.
    x = RNG.uniform(-1, 1, (7, 2 * side * side))
    box = torch.from_numpy(x).reshape(-1, 2, side, side)
    part = copy.deepcopy(block).double()
    with torch.no_grad():
        h = F.relu(part.bn1(F.conv2d(box, part.conv1.weight, stride=stride)))
        inner = box[:, :, 2:-2, 2:-2] if stride == 1 else box[:, :, 3:4, 3:4]
        y = part.bn2(F.conv2d(h, part.conv2.weight)) + (part.down(inner) if stride > 1 else inner)
        expected = F.relu(y).flatten(1).numpy()
    np.testing.assert_allclose(net[1](x), expected, rtol=1e-9, atol=1e-9)


def test_a_block_that_does_not_do_the_same_at_all_places_is_the_map_of_the_whole_image():
    def up_and_down(s, x):
        return x + F.interpolate(s.c(x), scale_factor=2)

    block = Does(up_and_down, c=nn.Conv2d(2, 2, 2, stride=2))
    model = nn.Sequential(nn.Conv2d(1, 2, 1), block, nn.Flatten(), nn.Linear(128, 2))
    net = ef.as_network(model, input_shape=(1, 8, 8), blocks="auto")
    assert [(layer.n_in, layer.patch) for layer in net] == [(1, (1, 1, 1)), (128, None), (128, None)]


def test_blocks_in_blocks_are_part_of_them():
    def decoder(s, x):
        return x + s.mlp(s.norm(x))

    model = nn.Sequential(nn.Linear(4, 4), Does(decoder, mlp=SwiGLU(4, 6), norm=nn.LayerNorm(4)), nn.Linear(4, 2))
    net = ef.as_network(model, input_shape=(5, 4), blocks="auto")
    assert [(layer.name, layer.n_in, layer.per_position) for layer in net] == [
        ("0", 4, True),
        ("1", 4, True),
        ("2", 4, True),
    ]


def test_a_sum_around_a_whole_network_leaves_the_blocks_in_it():
    body = nn.Sequential(nn.Linear(4, 4), Residual(4), Residual(4), nn.Linear(4, 4))
    model = Does(lambda s, x: s.out(x + s.body(x)), body=body, out=nn.Linear(4, 2))
    net = ef.as_network(model, blocks="auto")
    assert names_of(net) == ["body.0", "body.1", "body.2", "body.3", "out"]
    assert [name for name, _ in net.skipped] == ["add"]
    assert "'auto'" not in dict(net.skipped)["add"]


def test_attention_is_left_as_the_layers_that_it_has():
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, norm_first=True)
    model = nn.Sequential(nn.Linear(4, 8), layer, nn.Linear(8, 2)).eval()
    net = ef.as_network(model, input_shape=(3, 4), blocks="auto")
    attention = [f"1.self_attn.{part}" for part in ("q", "k", "v", "out_proj")]
    assert [one.name for one in net] == ["0", *attention, "1", "2"]
    assert all(one.per_position for one in net)
    reasons = [reason for name, reason in net.skipped if name == "in 1"]
    assert len(reasons) == 1
    assert "'auto'" not in reasons[0]
    x = RNG.normal(size=(6, 8))
    centred = x - x.mean(1, keepdims=True)
    normed = centred / np.sqrt((centred**2).mean(1, keepdims=True) + layer.norm2.eps)
    by_hand = x + _dense(layer.linear2, np.maximum(_dense(layer.linear1, normed), 0))
    np.testing.assert_allclose(net[5](x), by_hand, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("model", "names"),
    [
        # An activation that is written out is none.
        (Does(lambda s, x: s.b((lambda h: h * torch.sigmoid(h))(s.a(x))), a=nn.Linear(4, 4), b=nn.Linear(4, 2)), "ab"),
        # What is inside is read by others as well, or returned.
        (Does(lambda s, x: (lambda y: (y + x, y))(s.a(x)), a=nn.Linear(4, 4)), "a"),
        (Does(lambda s, x: (lambda y: s.b(y + x) + s.c(y.cumsum(1)))(s.a(x)), a=nn.Linear(4, 4), b=nn.Linear(4, 2),
              c=nn.Linear(4, 2)), None),
        # Rows are mixed.
        (Does(lambda s, x: s.b(x + s.a(x - x.mean(0))), a=nn.Linear(4, 4), b=nn.Linear(4, 2)), "ab"),
    ],
)  # fmt: skip
def test_what_is_no_map_of_its_own_is_none(model, names):
    net = ef.as_network(model, input_shape=(4,), blocks="auto")
    if names is None:
        # The whole has one input and one output all the same.
        assert len(net) == 1
        agrees(net, model, 4)
    else:
        assert names_of(net) == list(names)
        assert names_of(ef.as_network(model, input_shape=(4,))) == list(names)


def test_a_block_called_twice_and_one_whose_part_is_called_elsewhere():
    block = Residual(4)
    model = Does(lambda s, x: s.o(s.r(s.r(x))), r=block, o=nn.Linear(4, 2))
    assert names_of(ef.as_network(model, input_shape=(4,), blocks="auto")) == ["r", "r#2", "o"]
    shared = Does(lambda s, x: (s.o(s.r(x)), s.r.inner(x)), r=block, o=nn.Linear(4, 2))
    assert names_of(ef.as_network(shared, input_shape=(4,), blocks="auto")) == ["r", "o", "r.inner"]


def test_without_it_nothing_has_changed_and_the_reason_names_it():
    model = nn.Sequential(nn.Linear(4, 4), Residual(4), nn.Linear(4, 2))
    net = ef.as_network(model)
    assert names_of(net) == ["0", "1.inner", "1.outer", "2"]
    assert "add of 2 values is no dense layer" in dict(net.skipped)["1"]
    assert "; use blocks='auto' to have it found" in dict(net.skipped)["1"]
    with pytest.raises(ValueError, match="output range of the block '1' cannot be derived"):
        ef.as_network(model, blocks=["1"])
    with pytest.raises(TypeError, match="or 'auto'. Got 'automatic' instead"):
        ef.as_network(model, blocks="automatic")


def test_in_a_model_that_insists_on_float32():
    class Single(nn.Sequential):
        def forward(self, x):
            assert x.dtype == torch.float32
            return super().forward(x)

    model = Single(nn.Linear(4, 4), Residual(4, norm=True), nn.Linear(4, 2))
    net = ef.as_network(model, input_shape=(6, 4), blocks="auto")
    assert [layer.per_position for layer in net] == [True] * 3
    x = RNG.uniform(-1, 1, (9, 4))
    np.testing.assert_allclose(net[1](x), _residual(model[1], x), rtol=1e-4, atol=1e-5)


def test_it_is_described_analyzed_recorded_and_typed(tmp_path, capsys):
    model = nn.Sequential(nn.Linear(4, 4), Residual(4), nn.Linear(4, 2))
    ef.describe(model, blocks="auto")
    out = capsys.readouterr().out
    assert "note on 1: a residual block, found and measured as one map" in out
    report = ef.analyze(model, blocks="auto", random_state=0, tol=0.5)
    assert report["1"].activation == "function"
    recorder = ef.Recorder(ef.EffectiveInformation(random_state=0, tol=0.5), blocks="auto")
    recorder.record(model, step=0)
    recorder.record(model, step=1)
    assert recorder.trajectory_.layers == ("0", "1", "2")
