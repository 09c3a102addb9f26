"""Files of weights: the same network from every format, and nothing worse than a ValueError from a damaged one."""

import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from itertools import pairwise

import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn

import ei_fast as ef

RNG = np.random.default_rng(0)
WIDTHS = [4, 6, 5, 3]
WEIGHTS = [RNG.normal(size=pair).astype(np.float32) for pair in pairwise(WIDTHS)]
BIASES = [RNG.normal(size=n).astype(np.float32) for n in WIDTHS[1:]]
NAMES = ["fc1", "fc2", "fc3"]


def _state(dtype=torch.float32):
    state = {}
    for name, weight, bias in zip(NAMES, WEIGHTS, BIASES, strict=True):
        state[f"{name}.weight"] = torch.tensor(weight.T.copy()).to(dtype)
        state[f"{name}.bias"] = torch.tensor(bias).to(dtype)
    return state


def _save_shards(folder, state):
    """Two shards and their index."""
    places = {key: f"model-0000{1 + (not key.startswith('fc1'))}-of-00002.safetensors" for key in state}
    for shard in set(places.values()):
        safetensors.torch.save_file({key: state[key] for key in state if places[key] == shard}, folder / shard)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": places}))
    return index


def _write(folder, suffix, state=None):
    """The file of a kind that holds the state, float32 of `_state` where it is not given."""
    state = state or _state()
    path = folder / f"net{suffix}"
    if suffix == ".index.json":
        return _save_shards(folder, state)
    if suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    elif suffix == ".npz":
        np.savez(path, **{key: value.numpy() for key, value in state.items()})
    else:
        torch.save(state, path)
    return path


SUFFIXES = [".npz", ".safetensors", ".index.json", ".pt", ".pth", ".ckpt"]


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
    sources = [_state(), {"params": tree}, *(_write(tmp_path, suffix) for suffix in SUFFIXES)]
    for source in sources:
        net = ef.as_network(source, activation="tanh")
        _assert_same(net, reference)
        assert _values(net) == expected
        assert [layer.name for layer in net] == NAMES
        assert net.skipped == []


# Types of numbers


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".index.json"])
@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e5m2, torch.float8_e4m3fn, torch.int8]
)
def test_every_type_of_number_exactly(tmp_path, suffix, dtype):
    state = {key: (3 * value).to(dtype) for key, value in _state().items()}
    net = ef.as_network(_write(tmp_path, suffix, state))
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
    path = _write(tmp_path, ".safetensors", {"fc.weight": values})
    np.testing.assert_array_equal(ef.as_network(path)[0].weight, values.double().numpy().T)


def test_safetensors_are_read_without_torch(tmp_path):
    path = _write(tmp_path, ".safetensors", _state(torch.bfloat16))
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


# What checkpoints wrap around a state dict


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "net.", "module._orig_mod.", "model.net."])
def test_wrappers_and_prefixes(tmp_path, wrapper, prefix):
    state = {f"{prefix}{key}": value for key, value in _state().items()}
    optimiser = torch.optim.Adam(nn.Linear(2, 2).parameters()).state_dict()
    content = state if wrapper is None else {"epoch": 3, wrapper: state, "optimizer": optimiser}
    net = ef.as_network(_write(tmp_path, ".pt", content))
    _assert_same(net, ef.as_network(_state()))
    assert [layer.name for layer in net] == NAMES
    assert net.skipped == []


def test_prefixes_that_not_all_weights_have_stay(tmp_path):
    state = {"model.fc1.weight": torch.ones(3, 2), "fc2.weight": torch.ones(4, 3)}
    assert [layer.name for layer in ef.as_network(_write(tmp_path, ".pt", state))] == ["model.fc1", "fc2"]
    lightning = {"model.fc1.weight": torch.ones(3, 2), "loss_scale": torch.ones(1)}
    net = ef.as_network(_write(tmp_path, ".ckpt", {"state_dict": lightning}), order=["fc1"])
    assert net.skipped == [("loss_scale", "not in order")]
    # Without the prefix two entries would have one name.
    both = {"model.fc1.weight": torch.ones(3, 2), "model.x": torch.ones(1), "x": torch.ones(1)}
    assert ef.as_network(_write(tmp_path, ".pt", both), order=["model.fc1"])[0].name == "model.fc1"


def test_nothing_is_left_out_silently(tmp_path):
    content = {"state_dict": {**_state(), "step": 7}, "ema": _state(), "epoch": 3}
    net = ef.as_network(_write(tmp_path, ".ckpt", content))
    assert net.skipped == [("ema", "beside 'state_dict'"), ("step", "not a tensor with a name")]
    index = _write(tmp_path, ".index.json")
    content = json.loads(index.read_text())
    del content["weight_map"]["fc3.weight"], content["weight_map"]["fc3.bias"]
    index.write_text(json.dumps(content))
    net = ef.as_network(index)
    assert len(net) == 2
    assert sorted(name for name, _ in net.skipped) == ["fc3.bias", "fc3.weight"]


# Order and batch norms


def test_safetensors_are_put_in_order_or_refused(tmp_path):
    def write(widths):
        state = {name: torch.ones(n_out, n_in) for name, (n_in, n_out) in widths.items()}
        return _write(tmp_path, ".safetensors", state)

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
    source = state if suffix is None else _write(tmp_path, suffix, state)
    with pytest.raises(ValueError, match=r"batch norm 'bn1' stands cannot be told .*fc1 \(4 -> 6\)"):
        ef.as_network(source)
    net = ef.as_network(source, activation=["tanh", "linear"], order=["fc1", "bn1", "fc2"], norm_place="before")
    x = torch.randn(100, 4, dtype=torch.float64)
    y = net[1](net[0](x.numpy()))
    np.testing.assert_allclose(y, model(x).detach().numpy(), rtol=0, atol=1e-12)
    without = ef.as_network(source, activation=["tanh", "linear"], order=["fc1", "fc2"])
    assert without.skipped == [("bn1", "not in order")]
    assert np.abs(without[0].weight - net[0].weight).max() > 0.01


# Refused files


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (nn.Linear(2, 3), "something else than tensors .*Save model.state_dict\\(\\) instead, or build the model"),
        ([torch.ones(2, 2)], "must hold a state dict, .*Got list instead"),
        (torch.ones(2, 2), "Got Tensor instead"),
        ({"epoch": 3, "net": {}}, "Got a dict of 'epoch', 'net' instead. Save model.state_dict"),
        ({}, "Got a dict of nothing instead"),
        ({"fc.weight": torch.ones(2, 2) * torch.nan}, "net.pt': The 'weight' parameter of Layer 'fc' must be finite"),
        ({"fc.weight": torch.ones(2, 2).to_sparse()}, "must be a dense tensor with values"),
        ({"fc.weight": torch.ones(2, 2) * 1j}, "Complex data not supported"),
        ({"emb": torch.ones(2, 2)}, "net.pt': .*Got 'emb' instead, which belongs to none"),
    ],
)
def test_refused_content(tmp_path, content, message):
    path = tmp_path / "net.pt"
    torch.save(content, path)
    with pytest.raises(ValueError, match=message):
        ef.as_network(path)


def test_old_and_other_files_of_torch(tmp_path):
    path = tmp_path / "net.pt"
    torch.save(_state(), path, _use_new_zipfile_serialization=False)
    with pytest.raises(ValueError, match="must be an archive that torch.save of PyTorch 1.6 or newer wrote"):
        ef.as_network(path)
    script = tmp_path / "script.pt"
    with zipfile.ZipFile(script, "w") as archive:
        archive.writestr("script/data.pkl", b"")
        archive.writestr("script/constants.pkl", b"")
    with pytest.raises(ValueError, match="is a TorchScript program"):
        ef.as_network(script)


def test_missing_files(tmp_path):
    for suffix in SUFFIXES:
        with pytest.raises(FileNotFoundError):
            ef.as_network(tmp_path / f"net.safetensors{suffix}")


@pytest.mark.parametrize(
    ("library", "suffix", "extra"), [("torch", ".pt", "torch"), ("safetensors", ".safetensors", "safetensors")]
)
def test_missing_libraries(tmp_path, monkeypatch, library, suffix, extra):
    path = _write(tmp_path, suffix)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf'pip install "ei_fast\[{extra}\]"'):
        ef.as_network(path)


@pytest.mark.parametrize("version", ["2.9.1", "2.9.0+cpu", "1.13.1"])
def test_versions_of_torch_that_do_not_keep_code_out(tmp_path, monkeypatch, version):
    path = _write(tmp_path, ".pt")
    monkeypatch.setattr(torch, "__version__", version)
    with pytest.raises(ImportError, match=rf"cannot be read safely with PyTorch {version[:4]}.*could run code"):
        ef.as_network(path)
    monkeypatch.setattr(torch, "__version__", "2.10.0a0+git1234")
    assert len(ef.as_network(path)) == 3


@pytest.mark.parametrize(
    "name",
    ["../other.safetensors", "/other.safetensors", "sub/other.safetensors", "..\\other.safetensors", "..", "x.pt"],
)
def test_shards_elsewhere_are_not_read(tmp_path, name):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    for place in (tmp_path, folder / "sub"):
        safetensors.torch.save_file(_state(), place / "other.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(_state(), name)}))
    with pytest.raises(ValueError, match="must name .safetensors files in its own folder"):
        ef.as_network(index)


def test_shards_that_are_not_what_the_index_says(tmp_path):
    index = _write(tmp_path, ".index.json")
    content = json.loads(index.read_text())
    content["weight_map"]["fc9.weight"] = content["weight_map"]["fc1.weight"]
    index.write_text(json.dumps(content))
    with pytest.raises(ValueError, match="'fc9.weight' is in 'model-00001-of-00002.safetensors', which does not hold"):
        ef.as_network(index)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(ValueError, match="names 'model-00002-of-00002.safetensors', which is not beside it"):
        ef.as_network(index)
    for text in (
        "",
        "[]",
        "{}",
        '{"weight_map": []}',
        '{"weight_map": {"a": 1}}',
        "[" * 100_000,
        '{"weight_map": {"a": []}}',
    ):
        index.write_text(text)
        with pytest.raises(ValueError, match="must be an index of safetensors files"):
            ef.as_network(index)


# Damaged files


def _damaged(content, n_flips):
    """The content cut off at many places, and with bits flipped: few, and many."""
    rng = np.random.default_rng(1)
    cuts = sorted({*range(0, min(len(content), 400), 7), *rng.integers(0, len(content), 60).tolist()})
    for cut in cuts:
        yield content[:cut]
    for flip in range(n_flips):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), 1 if flip % 2 else 20):
            damaged[at] ^= 1 << int(rng.integers(8))
        yield bytes(damaged)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("suffix", SUFFIXES[:4])
def test_damaged_files_are_refused_or_read(tmp_path, suffix, dtype):
    # Small, so that most of what is damaged is structure.
    state = {key: value.to(torch.float32 if suffix == ".npz" else dtype) for key, value in _state().items()}
    path = _write(tmp_path, suffix, state)
    content = path.read_bytes()
    refused = read = 0
    for damaged in _damaged(content, n_flips=300):
        path.write_bytes(damaged)
        try:
            net = ef.as_network(path)
        except ValueError:
            refused += 1
        else:
            assert isinstance(net, ef.Network)
            read += 1
    assert refused > 100
    path.write_bytes(content)
    assert len(ef.as_network(path)) == 3


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".pt"])
def test_no_file_that_is_cut_off_is_read(tmp_path, suffix):
    path = _write(tmp_path, suffix)
    content = path.read_bytes()
    for cut in range(0, len(content), max(1, len(content) // 100)):
        path.write_bytes(content[:cut])
        with pytest.raises(ValueError, match=r"net\."):
            ef.as_network(path)


# Malicious files


class _Touch:
    """Touches a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_code_in_files_is_not_run(tmp_path):
    trace = tmp_path / "trace"
    evil = _Touch(trace)
    pickle.loads(pickle.dumps(evil))
    assert trace.exists()
    trace.rmdir()
    saved, plain, arrays, renamed = (tmp_path / name for name in ("saved.pt", "plain.pt", "net.npz", "renamed.npz"))
    torch.save({**_state(), "evil": evil}, saved)
    plain.write_bytes(pickle.dumps(evil))
    np.savez(arrays, w0=np.ones((2, 2)), w1=np.array([[evil]], dtype=object))
    renamed.write_bytes(pickle.dumps(evil))
    for path, message in [
        (saved, "could run code and is not read"),
        (plain, "must be an archive"),
        (arrays, "Its entry number 1 is a Python object"),
        (renamed, "cannot be read as .npz"),
    ]:
        with pytest.raises(ValueError, match=message):
            ef.as_network(path)
        assert not trace.exists()
    for name in ("net.pkl", "net.pickle", "net.joblib"):
        (tmp_path / name).write_bytes(pickle.dumps(evil))
        with pytest.raises(ValueError, match="Pickles run code"):
            ef.as_network(tmp_path / name)
        assert not trace.exists()


def _header(entries, length=None):
    text = json.dumps(entries).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text


def _npy_header(shape, dtype="<f8"):
    text = repr({"descr": dtype, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def _zipped(path, entries, compression=zipfile.ZIP_DEFLATED):
    """An archive of names, and for each the beginning of an entry and the number of zeros that follow it."""
    with zipfile.ZipFile(path, "w", compression, compresslevel=1) as archive:
        for name, begin, n_zeros in entries:
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(begin)
                for _ in range(n_zeros // 2**20):
                    member.write(bytes(2**20))


def _make_malicious(folder):
    """Files that claim, or expand to, far more than they hold."""
    wide = {"dtype": "F32", "shape": [50_000, 50_000], "data_offsets": [0, 10**10]}
    (folder / "length.safetensors").write_bytes(_header({}, 10**10))
    (folder / "offsets.safetensors").write_bytes(_header({"fc.weight": wide}) + bytes(8))
    (folder / "shape.safetensors").write_bytes(_header({"fc.weight": {**wide, "data_offsets": [0, 8]}}) + bytes(8))
    many = {f"{k}": {"dtype": "F32", "shape": [0] * 20, "data_offsets": [0, 0]} for k in range(200_000)}
    (folder / "names.safetensors").write_bytes(_header(many))
    (folder / "lists.safetensors.index.json").write_text("[" + "[]," * (20 * 2**20) + "[]]")
    _zipped(folder / "bomb.npz", [("w0.npy", _npy_header((2**28, 1)), 2**31)])
    _zipped(folder / "bombs.npz", [(f"w{k}.npy", _npy_header((2**20, 1)), 2**23) for k in range(64)])
    _zipped(folder / "claim.npz", [("w0.npy", _npy_header((2**30, 2)), 2**20)])
    _zipped(
        folder / "names.npz",
        [("w0.npy", _npy_header((1, 1)) + bytes(8), 0), ("activation.npy", _npy_header((10**9,), "<U0"), 0)],
    )
    _zipped(folder / "bomb.pt", [("net/data.pkl", b"", 2**29)])
    _zipped(folder / "lists.pt", [("net/data.pkl", b"\x80\x02(" + b"]" * (20 * 2**20) + b"t.", 0)], zipfile.ZIP_STORED)
    torch.save({"fc.weight": torch.ones(1, 1).expand(100_000, 100_000)}, folder / "stride.pt")
    torch.save({f"{k}.weight": torch.ones(1_000).expand(1_000, 1_000) for k in range(200)}, folder / "strides.pt")


_MEASURE = """
import json, sys
from pathlib import Path
import numpy as np, torch, safetensors
import ei_fast as ef

def peak():
    # Not ru_maxrss, which a process inherits from the one that starts it.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 2**10

for path in json.loads(sys.argv[1]):
    ef.as_network(path)
before = peak()
result = {}
for path in json.loads(sys.argv[2]):
    try:
        raised = str(ef.as_network(path))
    except BaseException as error:
        raised = f"{type(error).__name__}: {error}"
    result[Path(path).name] = raised, peak() - before
np.ones(300 * 2**17)
print(json.dumps([result, peak() - before]))
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_files_cannot_exhaust_memory(tmp_path):
    warm = [str(_write(tmp_path, suffix)) for suffix in (".npz", ".safetensors", ".pt")]
    folder = tmp_path / "malicious"
    folder.mkdir()
    _make_malicious(folder)
    given = sorted(str(path) for path in folder.iterdir())
    assert len(given) == 13
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, json.dumps(warm), json.dumps(given)],
        capture_output=True,
        text=True,
        check=True,
    )
    result, growth_of_control = json.loads(done.stdout)
    for name, (raised, growth) in result.items():
        assert raised.startswith("ValueError"), (name, raised)
        # In megabytes, of this file and all before it.
        assert growth <= 200, name
    assert "expand to much more than weights do" in result["bomb.npz"][0]
    assert "w0.npy claims another size than it has" in result["claim.npz"][0]
    assert "claims to hold more than its size" in result["bomb.pt"][0]
    assert "far more than it holds" in result["stride.pt"][0]
    assert "its header claims 10000000000 bytes" in result["length.safetensors"][0]
    # What is allocated is seen.
    assert growth_of_control > 250
