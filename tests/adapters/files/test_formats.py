"""Files of weights: the same network from every format, with every type of number, in every wrapping."""

import json
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn
from weight_files import BIASES, NAMES, SUFFIXES, WEIGHTS, state_of_all, write_file

import ei_fast as ef


def _assert_same(net, other):
    assert len(net) == len(other)
    for layer, expected in zip(net, other, strict=True):
        np.testing.assert_array_equal(layer.weight, expected.weight)
        np.testing.assert_array_equal(layer.bias, expected.bias)
        assert layer.activation == expected.activation


def _values(net):
    report = ef.analyze(net, tol=0.5, random_state=0)
    return [[(layer.ei, layer.sensitivity, layer.ei_parts) for layer in report]]


def test_the_same_values_from_every_source(tmp_path):
    tree = {name: {"kernel": w, "bias": b} for name, w, b in zip(NAMES, WEIGHTS, BIASES, strict=True)}
    reference = ef.as_network(list(zip(WEIGHTS, BIASES, strict=True)), activation="tanh")
    expected = _values(reference)
    assert expected != _values(ef.as_network(list(zip(WEIGHTS, BIASES, strict=True)), activation="relu"))
    sources = [state_of_all(), {"params": tree}, *(write_file(tmp_path, suffix) for suffix in SUFFIXES)]
    for source in sources:
        net = ef.as_network(source, activation="tanh")
        _assert_same(net, reference)
        assert _values(net) == expected
        assert [layer.name for layer in net] == NAMES
        assert net.skipped == []


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".index.json"])
@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e5m2, torch.float8_e4m3fn, torch.int8]
)
def test_every_type_of_number_exactly(tmp_path, suffix, dtype):
    state = {key: (3 * value).to(dtype) for key, value in state_of_all().items()}
    net = ef.as_network(write_file(tmp_path, suffix, state))
    for name, layer in zip(NAMES, net, strict=True):
        np.testing.assert_array_equal(layer.weight, state[f"{name}.weight"].double().numpy().T)
        np.testing.assert_array_equal(layer.bias, state[f"{name}.bias"].double().numpy())
    _assert_same(net, ef.as_network(state))


@pytest.mark.parametrize(
    ("dtype", "bits"),
    [(torch.bfloat16, torch.int16), (torch.float8_e5m2, torch.uint8), (torch.float8_e4m3fn, torch.uint8)],
)
def test_every_finite_value_of_the_types_that_numpy_lacks(tmp_path, dtype, bits):
    size = torch.iinfo(bits)
    values = torch.arange(size.min, size.max + 1, dtype=torch.int32).to(bits).view(dtype)
    values = values[torch.isfinite(values.double())].reshape(1, -1)
    assert values.numel() > 200
    path = write_file(tmp_path, ".safetensors", {"fc.weight": values})
    np.testing.assert_array_equal(ef.as_network(path)[0].weight, values.double().numpy().T)


def test_safetensors_are_read_without_torch(tmp_path):
    path = write_file(tmp_path, ".safetensors", state_of_all(torch.bfloat16))
    script = (
        "import sys; sys.modules['torch'] = None; import ei_fast as ef\n"
        f"print(ef.as_network({str(path)!r}), [n for n, m in sys.modules.items() if n == 'torch' and m])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Network(4 -> 6 -> 5 -> 3, in_range=(0.0, 1.0)) []"


def test_a_type_that_cannot_be_read(tmp_path):
    path = tmp_path / "net.safetensors"
    safetensors.torch.save_file({"fc.weight": torch.ones(2, 2, dtype=torch.complex64)}, path)
    with pytest.raises(ValueError, match="values of type C64 in .* cannot be read. Save them as one of F64"):
        ef.as_network(path)


def test_tensors_without_values():
    with pytest.raises(TypeError, match="'fc.weight' must be a dense tensor with values"):
        ef.as_network({"fc.weight": torch.empty(3, 2, device="meta")})


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "net.", "module._orig_mod.", "model.net."])
def test_wrappers_and_prefixes(tmp_path, wrapper, prefix):
    state = {f"{prefix}{key}": value for key, value in state_of_all().items()}
    optimiser = torch.optim.Adam(nn.Linear(2, 2).parameters()).state_dict()
    content = state if wrapper is None else {"epoch": 3, wrapper: state, "optimizer": optimiser}
    net = ef.as_network(write_file(tmp_path, ".pt", content))
    _assert_same(net, ef.as_network(state_of_all()))
    assert [layer.name for layer in net] == NAMES
    assert net.skipped == []


def test_prefixes_that_not_all_weights_have_stay(tmp_path):
    state = {"model.fc1.weight": torch.ones(3, 2), "fc2.weight": torch.ones(4, 3)}
    assert [layer.name for layer in ef.as_network(write_file(tmp_path, ".pt", state))] == ["model.fc1", "fc2"]
    lightning = {"model.fc1.weight": torch.ones(3, 2), "loss_scale": torch.ones(1)}
    net = ef.as_network(write_file(tmp_path, ".ckpt", {"state_dict": lightning}), order=["fc1"])
    assert net.skipped == [("loss_scale", "not in order")]
    # Without the prefix two entries would have one name.
    both = {"model.fc1.weight": torch.ones(3, 2), "model.x": torch.ones(1), "x": torch.ones(1)}
    assert ef.as_network(write_file(tmp_path, ".pt", both), order=["model.fc1"])[0].name == "model.fc1"


def test_nothing_is_left_out_silently(tmp_path):
    content = {"state_dict": {**state_of_all(), "step": 7}, "ema": state_of_all(), "epoch": 3}
    net = ef.as_network(write_file(tmp_path, ".ckpt", content))
    assert net.skipped == [("ema", "beside 'state_dict'"), ("step", "not a tensor with a name")]
    index = write_file(tmp_path, ".index.json")
    content = json.loads(index.read_text())
    del content["weight_map"]["fc3.weight"], content["weight_map"]["fc3.bias"]
    index.write_text(json.dumps(content))
    net = ef.as_network(index)
    assert len(net) == 2
    assert sorted(name for name, _ in net.skipped) == ["fc3.bias", "fc3.weight"]


def test_safetensors_are_put_in_order_or_refused(tmp_path):
    def write(widths):
        state = {name: torch.ones(n_out, n_in) for name, (n_in, n_out) in widths.items()}
        return write_file(tmp_path, ".safetensors", state)

    numbered = {f"layers.{k}.weight": (3, 3) for k in (0, 2, 10)}
    assert [layer.name for layer in ef.as_network(write(numbered))] == ["layers.0", "layers.2", "layers.10"]
    by_width = {"decode.weight": (5, 9), "encode.weight": (8, 5), "adapt.weight": (9, 2)}
    assert [layer.name for layer in ef.as_network(write(by_width))] == ["encode", "decode", "adapt"]
    square = write({"up.weight": (3, 3), "down.weight": (3, 3)})
    with pytest.raises(ValueError, match=r"net.safetensors': The order of the layers cannot be told. Candidates are"):
        ef.as_network(square)
    assert [layer.name for layer in ef.as_network(square, order=["up", "down"])] == ["up", "down"]


@pytest.mark.parametrize("suffix", [None, *SUFFIXES])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norms_are_taken_in(tmp_path, suffix, affine):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, affine=affine), nn.Tanh(), nn.Linear(6, 3)).double()
    for _ in range(20):
        model(3 * torch.randn(32, 4, dtype=torch.float64) + 1)
    model.eval()
    if affine:
        nn.init.normal_(model[1].weight)
        nn.init.normal_(model[1].bias)
    named = zip(("fc1", "bn1", "act", "fc2"), model, strict=True)
    state = {f"{name}.{key}": value for name, part in named for key, value in part.state_dict().items()}
    source = state if suffix is None else write_file(tmp_path, suffix, state)
    with pytest.raises(ValueError, match=r"batch norm 'bn1' stands cannot be told .*fc1 \(4 -> 6\)"):
        ef.as_network(source)
    net = ef.as_network(source, activation=["tanh", "linear"], order=["fc1", "bn1", "fc2"], norm_place="before")
    x = torch.randn(100, 4, dtype=torch.float64)
    y = net[1](net[0](x.numpy()))
    np.testing.assert_allclose(y, model(x).detach().numpy(), rtol=0, atol=1e-12)
    without = ef.as_network(source, activation=["tanh", "linear"], order=["fc1", "fc2"])
    assert without.skipped == [("bn1", "not in order")]
    assert np.abs(without[0].weight - net[0].weight).max() > 0.01
