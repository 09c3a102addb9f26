"""Files of weights that are refused: wrong content, missing libraries, shards elsewhere."""

import json
import sys
import zipfile

import pytest
import safetensors.numpy
import safetensors.torch
import torch
from torch import nn
from weight_files import SUFFIXES, state_of_all, write_file

import ei_fast as ef


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
    torch.save(state_of_all(), path, _use_new_zipfile_serialization=False)
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
    path = write_file(tmp_path, suffix)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(ImportError, match=rf'pip install "ei_fast\[{extra}\]"'):
        ef.as_network(path)


@pytest.mark.parametrize("version", ["2.9.1", "2.9.0+cpu", "1.13.1"])
def test_versions_of_torch_that_do_not_keep_code_out(tmp_path, monkeypatch, version):
    path = write_file(tmp_path, ".pt")
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
        safetensors.torch.save_file(state_of_all(), place / "other.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(state_of_all(), name)}))
    with pytest.raises(ValueError, match="must name .safetensors files in its own folder"):
        ef.as_network(index)


def test_shards_that_are_not_what_the_index_says(tmp_path):
    index = write_file(tmp_path, ".index.json")
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
