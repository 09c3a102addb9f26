"""Convolutions: the map from one patch to the channels, in any arrangement, against the model and against a Linear."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models import Does, LeNet
from numpy.lib.stride_tricks import sliding_window_view
from torch import nn

import ei_fast as ef
from ei_fast.adapters.torch import operations as torch_ops


def _trained(model, *shape):
    """With batch statistics of its own."""
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(16, *shape))
    return model.eval()


def _what(net):
    return [
        (layer.name, layer.patch, layer.n_out, str(layer.activation) if isinstance(layer, ef.Layer) else "function")
        for layer in net
    ]


def _same_figures(one, other):
    for a, b in zip(one, other, strict=True):
        assert (a.ei, a.sensitivity, a.ei_parts, a.ei_interval) == (b.ei, b.sensitivity, b.ei_parts, b.ei_interval)


def test_lenet():
    net = ef.as_network(LeNet(), input_shape=(1, 28, 28))
    assert _what(net) == [
        ("conv1", (1, 6, 6), 6, "function"),
        ("conv2", (6, 6, 6), 16, "function"),
        ("fc1", None, 120, "relu"),
        ("fc2", None, 84, "relu"),
        ("fc3", None, 10, "linear"),
    ]
    assert not net.skipped
    assert not net.restarts
    # Pools leave ranges as they are, and a flattened value has the range of its channels.
    ranges = net.ranges()
    assert ranges[0] == ((0.0, 1.0), (-1.0, 1.0))
    assert ranges[2][0] == ranges[1][1]


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(3, 4, 5), (3, 20)),
        (nn.Conv1d(3, 4, 3, stride=2, padding=2, dilation=2), (3, 20)),
        (nn.Conv2d(2, 5, (3, 2), stride=(1, 2), padding=(2, 1), dilation=(2, 1)), (2, 9, 8)),
        (nn.Conv2d(2, 5, 4, padding="same", dilation=(1, 3)), (2, 14, 13)),
        (nn.Conv2d(2, 5, 3, padding="valid", bias=False), (2, 6, 7)),
        (nn.Conv2d(4, 6, 3, groups=2), (4, 6, 6)),
        (nn.Conv2d(4, 4, 3, groups=4, padding=1), (4, 6, 6)),
        (nn.Conv2d(4, 8, 3, groups=4, stride=3), (4, 9, 9)),
        (nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"), (3, 6, 6)),
        (nn.Conv2d(3, 4, 3, padding=2, padding_mode="circular"), (3, 6, 6)),
        (nn.Conv3d(2, 3, (2, 3, 2), stride=(1, 2, 1), padding=1), (2, 5, 6, 5)),
    ],
)
def test_every_geometry(layer, shape):
    """Against the layer itself on a patch of just the size that it needs."""
    net = ef.as_network(nn.Sequential(layer, nn.Tanh()), input_shape=shape)
    [one] = net
    size = layer.kernel_size
    assert one.patch == (layer.in_channels, *size)
    patches = np.random.default_rng(3).uniform(-2, 2, (7, *one.patch))
    # A kernel that is spread out sees every so many values; the rest is not its own.
    spread = torch.zeros(
        7, layer.in_channels, *((n - 1) * gap + 1 for n, gap in zip(size, layer.dilation, strict=True))
    )
    spread = spread.double()
    spread[:, :, *(slice(None, None, gap) for gap in layer.dilation)] = torch.from_numpy(patches)
    function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(size)]
    with torch.no_grad():
        bias = None if layer.bias is None else layer.bias.double()
        expected = function(spread, layer.weight.double(), bias, 1, 0, layer.dilation, layer.groups).tanh()
    np.testing.assert_allclose(one(patches.reshape(7, -1)), expected.reshape(7, -1).numpy(), atol=1e-12)


def test_convolution_equal_to_a_linear():
    conv = nn.Conv2d(2, 3, 2)
    linear = nn.Linear(8, 3)
    linear.load_state_dict({"weight": conv.weight.detach().reshape(3, 8), "bias": conv.bias.detach()})
    one = ef.analyze(ef.as_network(nn.Sequential(conv, nn.Tanh()), input_shape=(2, 5, 5)), random_state=4)
    other = ef.analyze(nn.Sequential(linear, nn.Tanh()), random_state=4)
    _same_figures(one, other)
    np.testing.assert_array_equal(one[0].sensitivity_matrix, other[0].sensitivity_matrix)
    assert (one[0].patch, other[0].patch) == ((2, 2, 2), None)
    assert "2x2x2 -> 3 per patch" in str(one)
    assert "one patch of 2x2x2 inputs" in one[0].explain()


def test_identity_kernel():
    conv = nn.Conv2d(3, 3, 1, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.eye(3).reshape(3, 3, 1, 1))
    net = ef.as_network(conv, input_shape=(3, 4, 4))
    report = ef.analyze(net, bins=8)
    # Every input bin is an output bin: three bits a channel, nothing shared.
    assert (report[0].ei, report[0].sensitivity, report[0].ei_parts) == pytest.approx((9.0, 9.0, 9.0), abs=1e-12)


def test_kernel_of_one_weight():
    conv = nn.Conv2d(2, 1, 3, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 1, 2, 0] = 1.7
    one = ef.analyze(ef.as_network(nn.Sequential(conv, nn.Sigmoid()), input_shape=(2, 5, 5)))[0]
    edge = ef.analyze([(np.array([[1.7]]).astype(np.float32), None, "sigmoid")])[0]
    assert one.sensitivity == pytest.approx(edge.sensitivity, abs=1e-12)
    assert one.sensitivity_matrix[9 + 6, 0] == one.sensitivity
    assert one.ei == pytest.approx(edge.ei, abs=1e-12)


def test_depthwise_adds_up():
    conv = nn.Conv2d(3, 3, 2, groups=3)
    whole = ef.analyze(ef.as_network(nn.Sequential(conv, nn.Tanh()), input_shape=(3, 4, 4)), random_state=0, tol=1e-3)[
        0
    ]
    parts = [
        ef.analyze(
            [(conv.weight[k].detach().reshape(4, 1).numpy(), conv.bias[k : k + 1].detach().numpy(), "tanh")],
            random_state=0,
            tol=1e-3,
        )[0]
        for k in range(3)
    ]
    error = np.hypot(whole.ei_stderr, np.hypot.reduce([part.ei_stderr for part in parts]))
    assert abs(whole.ei - sum(part.ei for part in parts)) < 4 * error + 1e-3
    assert whole.sensitivity == pytest.approx(sum(part.sensitivity for part in parts), abs=1e-9)


def _check_function(layer, model, shape, rows=40):
    """A pooled layer against the model on a whole input of which the box is a part."""
    box = layer.patch
    x = np.random.default_rng(1).uniform(-2, 2, (rows, *shape))
    with torch.no_grad():
        y = model.double()(torch.from_numpy(x)).numpy()
    boxes = sliding_window_view(x, box[1:], axis=tuple(range(2, x.ndim)))
    found = np.concatenate(
        [
            layer(boxes[(slice(None), slice(None), *at)].reshape(rows, -1))
            for at in np.ndindex(boxes.shape[2 : -len(box[1:])])
        ]
    )
    # Every output of the model is that of some box.
    for channel in range(y.shape[1]):
        distance = np.abs(np.sort(found[:, channel])[:, None] - y[:, channel].reshape(1, -1)[:, :50]).min(axis=0)
        assert distance.max() < 1e-9


@pytest.mark.parametrize(
    ("rest", "shape", "box"),
    [
        ([nn.ReLU(), nn.MaxPool2d(2)], (2, 8, 8), (2, 4, 4)),
        ([nn.MaxPool2d(2), nn.ReLU()], (2, 8, 8), (2, 4, 4)),
        ([nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(3, 2)], (2, 9, 9), (2, 5, 5)),
        ([nn.ReLU(), nn.BatchNorm2d(4), nn.AvgPool2d((2, 1))], (2, 8, 8), (2, 4, 3)),
        ([nn.MaxPool2d(2, dilation=2), nn.BatchNorm2d(4), nn.Tanh()], (2, 9, 9), (2, 5, 5)),
        ([nn.AdaptiveMaxPool2d(3), nn.GELU()], (2, 8, 8), (2, 4, 4)),
        ([nn.Dropout2d(), nn.LeakyReLU(0.3), nn.Dropout2d(), nn.MaxPool2d(2, 1)], (2, 6, 6), (2, 4, 4)),
    ],
)
def test_pools(rest, shape, box):
    model = _trained(nn.Sequential(nn.Conv2d(2, 4, 3), *rest), *shape)
    net = ef.as_network(model, input_shape=shape, in_range=(-2, 2))
    assert [(layer.name, layer.patch) for layer in net] == [("0", box)]
    assert not net.skipped
    _check_function(net[0], model, shape)
    low, high = net[0].out_range
    y = net[0](np.random.default_rng(0).uniform(-2, 2, (1000, net[0].n_in)))
    assert low - 1e-9 <= y.min() < y.max() <= high + 1e-9


@pytest.mark.parametrize("behind", [[], [nn.BatchNorm2d(4, eps=0.0)]], ids=["alone", "behind a norm"])
@pytest.mark.parametrize("pool", [nn.AvgPool2d(2), nn.MaxPool2d(2)], ids=["mean", "largest"])
@pytest.mark.parametrize("function", [torch.sqrt, torch.log], ids=["sqrt", "log"])
def test_an_activation_behind_a_pool_is_a_number_for_all_that_it_can_be_given(function, pool, behind):
    torch.manual_seed(0)
    activation = Does(lambda s, x: function(x))
    model = nn.Sequential(nn.Conv2d(2, 4, 3), pool, *behind, activation).eval()
    name = str(len(model) - 1)
    weight = model[0].weight.detach()
    if isinstance(pool, nn.AvgPool2d):
        # Places share inputs, so that they are not lowest at once: a mean of them is a map of the box.
        weight = sum(nn.functional.pad(weight, (left, 1 - left, top, 1 - top)) for left, top in np.ndindex(2, 2)) / 4
    lowest = weight.clamp(max=0).sum((1, 2, 3)).numpy()
    with torch.no_grad():
        # Random inputs come nowhere near the least that it can be given, which is just below 0, and then above.
        model[0].bias.copy_(torch.from_numpy(-lowest) - 0.01)
    net = ef.as_network(model, input_shape=(2, 8, 8), in_range=(0.0, 1.0))
    reason = dict(net.skipped)[name]
    assert reason == "its values are no numbers for all that layer '0' can reach; layer '0' is measured without it"
    with torch.no_grad():
        model[0].bias.add_(0.02)
    [layer] = (net := ef.as_network(model, input_shape=(2, 8, 8), in_range=(0.0, 1.0)))
    assert not net.skipped
    x = np.random.default_rng(0).uniform(0, 1, (500, 2, 4, 4))
    with torch.no_grad():
        expected = model.double()(torch.from_numpy(x)).numpy().reshape(500, 4)
    np.testing.assert_allclose(layer(x.reshape(500, -1)), expected, atol=1e-12)
    low, high = net.ranges(out_range="hull")[0][1]
    assert low - 1e-9 <= expected.min() < expected.max() <= high + 1e-9


def test_pools_behind_strides_and_padding():
    for conv in (nn.Conv2d(2, 3, 3, stride=2, padding=1), nn.Conv2d(2, 3, 2, stride=3), nn.Conv2d(2, 3, 2, dilation=2)):
        model = nn.Sequential(conv, nn.Sigmoid(), nn.MaxPool2d(2, padding=1))
        [layer] = ef.as_network(model, input_shape=(2, 13, 13))
        assert layer.out_range == (0.0, 1.0)
        # Four places of the convolution and no more: the function is the largest of them.
        x = np.random.default_rng(0).uniform(size=(5, *layer.patch))
        with torch.no_grad():
            conv.padding = (0, 0)
            expected = torch.sigmoid(conv.double()(torch.from_numpy(x))).amax((2, 3)).numpy()
        np.testing.assert_allclose(layer(x.reshape(5, -1)), expected, atol=1e-12)


def test_batch_norm_folds_from_either_side():
    model = _trained(
        nn.Sequential(
            nn.BatchNorm2d(2), nn.Conv2d(2, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.BatchNorm2d(3),
            nn.Conv2d(3, 4, 3), nn.ReLU(), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 16, 2),
        ),
        *(2, 6, 6),
    )  # fmt: skip
    net = ef.as_network(model, input_shape=(2, 6, 6), in_range=(-2, 2))
    assert [name for name, *_ in _what(net)] == ["1", "5", "9"]
    assert not net.skipped
    assert not net.restarts


def test_what_cannot_be_measured_is_named():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.up = (
                nn.Conv2d(1, 2, 3, padding=1),
                nn.Conv2d(2, 2, 7, padding=3),
                nn.ConvTranspose2d(2, 2, 2),
            )
            self.c, self.fc = nn.Conv2d(2, 2, 3), nn.Linear(2, 3)

        def forward(self, x):
            x = self.a(x)
            x = torch.relu(x) + x.flip(1)
            x = self.up(self.b(x))
            return self.fc(F.adaptive_avg_pool2d(F.max_pool2d(torch.relu(self.c(x)).cumsum(1), 2), 1).flatten(1))

    net = ef.as_network(Odd(), input_shape=(1, 6, 6))
    assert [layer.name for layer in net] == ["a", "b", "up", "c", "fc"]
    reasons = dict(net.skipped)
    assert "nowhere wholly inside" in dict(net.notes)["b"]
    assert "a pool that follows no convolution" in reasons["max_pool2d"]
    assert net.restarts == {1, 4}


def test_a_pool_over_everything():
    rest = [nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    small = ef.as_network(nn.Sequential(nn.Conv2d(1, 2, 3), *rest, nn.Linear(2, 2)), input_shape=(1, 6, 6))
    assert [layer.patch for layer in small] == [(1, 6, 6), None]
    assert not small.skipped
    large = ef.as_network(nn.Sequential(nn.Conv2d(8, 32, 3), *rest, nn.Linear(32, 2)), input_shape=(8, 30, 30))
    assert [layer.patch for layer in large] == [(8, 3, 3), None]
    assert "too much of it at once" in dict(large.skipped)["2"]


@pytest.mark.parametrize("reduce", [lambda x: x.mean((2, 3)), lambda x: x.amax((-1, 2), keepdim=True).flatten(1)])
def test_a_mean_over_all_places_is_a_pool(reduce):
    model = Does(lambda s, x: s.b(torch.tanh(reduce(s.a(x)) * 2)), a=nn.Conv2d(1, 3, 3), b=nn.Linear(3, 2))
    net = ef.as_network(model, input_shape=(1, 6, 6))
    assert [layer.patch for layer in net] == [(1, 6, 6), None]
    assert not net.skipped
    x = np.random.default_rng(0).uniform(-1, 1, (9, 36))
    with torch.no_grad():
        expected = model.double()(torch.from_numpy(x.reshape(9, 1, 6, 6))).numpy()
    np.testing.assert_allclose(net[1](net[0](x)), expected, atol=1e-12)


def test_means_that_are_no_pool():
    for forward in (
        lambda s, x: s.b(s.a(x).mean((1, 2, 3), keepdim=True).flatten(1)),
        lambda s, x: s.b(s.a(x).mean((1, 2)).mean(1, keepdim=True)),
        lambda s, x: s.b(s.a(x).transpose(1, 2).mean((2, 3)).mean(1, keepdim=True)),
    ):
        net = ef.as_network(Does(forward, a=nn.Conv2d(4, 4, 3), b=nn.Linear(1, 2)), input_shape=(4, 6, 6))
        assert net[0].patch == (4, 3, 3)
        assert "mean" in [name for name, _ in net.skipped]


def test_as_many_groups_as_there_are_channels():
    model = nn.Sequential(nn.Conv2d(2048, 2048, 3, groups=2048), nn.Conv2d(2048, 2, 1)).double()
    net = ef.as_network(model, input_shape=(2048, 3, 3))
    assert [(layer.name, layer.n_in, layer.groups) for layer in net] == [("0", 9 * 2048, 2048), ("1", 2048, 1)]
    x = torch.rand(2, 2048, 3, 3, dtype=torch.float64)
    expected = torch.einsum("nchw,chw->nc", x, model[0].weight[:, 0]) + model[0].bias
    np.testing.assert_allclose(net[0](x.reshape(2, -1).numpy()), expected.detach().numpy(), atol=1e-12)


def test_a_pool_that_always_sees_padding():
    model = nn.Sequential(nn.Conv2d(2, 3, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 2))
    net = ef.as_network(model, input_shape=(2, 4, 4))
    assert [layer.patch for layer in net] == [(2, 3, 3), None]
    assert "nowhere without padding" in dict(net.skipped)["2"]


def test_input_shape_must_be_given():
    for model in (nn.Conv2d(1, 2, 3), nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))):
        with pytest.raises(ValueError, match="Give input_shape=, the shape of one sample"):
            ef.as_network(model)


def test_every_patch_is_compared_with_the_model(monkeypatch):
    true = torch_ops._MEANING["conv2d"]
    wrong = {
        "a weight": lambda c: torch_ops.conv(c.weight.T.reshape(3, 2, 3, 3) + 1e-4, c.bias, 1, c.window),
        "the order": lambda c: torch_ops.conv(c.weight.T.reshape(3, 2, 3, 3)[..., ::-1], c.bias, 1, c.window),
        "the bias": lambda c: torch_ops.conv(c.weight.T.reshape(3, 2, 3, 3), 0 * c.bias, 1, c.window),
        "the stride": lambda c: torch_ops.conv(
            c.weight.T.reshape(3, 2, 3, 3), c.bias, 1, torch_ops.Window.over((3, 3), 1, 1, 1)
        ),
        "the padding": lambda c: torch_ops.conv(
            c.weight.T.reshape(3, 2, 3, 3), c.bias, 1, torch_ops.Window.over((3, 3), 2, 1, 0)
        ),
    }
    for change in wrong.values():
        monkeypatch.setitem(torch_ops._MEANING, "conv2d", lambda *call, change=change: change(true(*call)))
        with pytest.raises(ValueError, match="'0' as extracted differs"):
            ef.as_network(nn.Sequential(nn.Conv2d(2, 3, 3, 2, 1), nn.ReLU()), input_shape=(2, 9, 9))


def test_pools_are_compared_with_the_model(monkeypatch):
    true = torch_ops._MEANING["max_pool2d"]
    monkeypatch.setitem(torch_ops._MEANING, "max_pool2d", lambda *call: torch_ops.Pool(true(*call).window, mean=True))
    with pytest.raises(ValueError, match="'0' as extracted differs"):
        ef.as_network(nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2)), input_shape=(2, 9, 9))


def test_tokens_that_change_places():
    """As in a mixer: over the channels, and then over the tokens."""
    model = Does(
        lambda s, x: s.b(torch.tanh(s.a(x)).transpose(1, 2)).permute(0, 2, 1), a=nn.Linear(4, 4), b=nn.Linear(5, 5)
    )
    net = ef.as_network(model, input_shape=(5, 4))
    assert [(layer.name, layer.n_in) for layer in net] == [("a", 4), ("b", 5)]
    # Its inputs have the range of the outputs before it, in another arrangement.
    assert net.restarts == {1}
    assert net.ranges()[1][0] == (-1.0, 1.0)
    assert not net.skipped


def test_a_shuffle_between_dense_layers_is_no_chain():
    model = Does(
        lambda s, x: s.b(s.a(x).view(-1, 2, 3).transpose(1, 2).flatten(1)), a=nn.Linear(4, 6), b=nn.Linear(6, 2)
    )
    net = ef.as_network(model)
    assert net.restarts == {1}
    with pytest.raises(ValueError, match="do not feed each other"):
        net.between(0, 1)


def test_patches_in_a_network_of_ones_own():
    rng = np.random.default_rng(0)
    conv = ef.Layer(rng.normal(size=(8, 3)), activation="tanh", patch=(2, 2, 2))
    ef.Network([conv, ef.Layer(rng.normal(size=(12, 4)), patch=(3, 2, 2)), ef.Layer(rng.normal(size=(16, 2)))])
    with pytest.raises(ValueError, match=r"takes 2 channels.*3 outputs of layer 0"):
        ef.Network([conv, conv])
    with pytest.raises(ValueError, match="takes 16 inputs"):
        ef.Network([conv, ef.Layer(rng.normal(size=(16, 2)))])
    with pytest.raises(ValueError, match="patch by patch"):
        ef.Network([conv, ef.Layer(rng.normal(size=(12, 4)), patch=(3, 2, 2))]).between(0, 1)
    assert ef.Network([conv]).between(0, 0).patch == (2, 2, 2)
    with pytest.raises(ValueError, match=r"'patch' parameter of Layer 'c' must be.*product is 8"):
        ef.Layer(rng.normal(size=(8, 3)), name="c", patch=(2, 3))
    with pytest.raises(TypeError, match="'patch' parameter"):
        ef.Function(np.tanh, 8, 8, (-1, 1), patch=8)


def test_the_report_says_per_patch(tmp_path, capsys):
    net = ef.as_network(nn.Sequential(nn.Conv2d(1, 2, 2), nn.Flatten(), nn.Linear(8, 2)), input_shape=(1, 3, 3))
    report = ef.analyze(net, random_state=0)
    report.save(tmp_path / "r.npz")
    again = ef.Report.load(tmp_path / "r.npz")
    assert str(again) == str(report)
    assert [layer.patch for layer in again] == [(1, 2, 2), None]
    assert report.to_frame()["patch"].tolist() == ["1x2x2", ""]
    ef.describe(net)
    assert "1x2x2 -> 2 per patch" in capsys.readouterr().out
