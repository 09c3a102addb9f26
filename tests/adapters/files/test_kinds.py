"""Files that are not what their names say are refused as what they are, by whatever reader."""

import gzip
import pickle
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import save_file

import ei_fast as ef
from ei_fast.cli import main

WEIGHTS = {"fc1.weight": np.ones((3, 2), np.float32), "fc2.weight": np.ones((1, 3), np.float32)}
SUFFIXES = (
    ".pt",
    ".ckpt",
    ".npz",
    ".safetensors",
    ".keras",
    ".onnx",
    ".h5",
    ".weights.h5",
    ".hdf5",
    ".bin",
    ".pth.tar",
    "",
)


class _Runs:
    def __reduce__(self):
        return (pytest.fail, ("code of the file was run",))


def _torch(path, **options):
    torch.save({name: torch.tensor(one) for name, one in WEIGHTS.items()}, path, **options)


def _keras(path):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Dense(1)])
    model.save(path.with_suffix(".keras"))
    path.with_suffix(".keras").rename(path)


def _hdf5(path):
    with h5py.File(path, "w") as file:
        file["w0"] = np.eye(2)


def _array(path):
    with path.open("wb") as file:
        np.save(file, np.eye(2))


def _npz(path):
    with path.open("wb") as file:
        np.savez(file, w0=np.eye(2))


KINDS = {
    "legacy": (lambda path: _torch(path, _use_new_zipfile_serialization=False), "before PyTorch 1.6. Write it anew"),
    "torch": (_torch, "It is a file that torch.save wrote. Rename it to end in .pt"),
    "npz": (_npz, "It is an .npz file. Rename it to end in .npz"),
    "keras": (_keras, "It is a .keras file. Rename it to end in .keras"),
    "hdf5": (_hdf5, "It is an HDF5 file. Rename it to end in .h5"),
    "safetensors": (
        lambda path: save_file(WEIGHTS, path),
        "It is a safetensors file. Rename it to end in .safetensors",
    ),
    "pickle": (lambda path: path.write_bytes(pickle.dumps(_Runs())), "It is a pickle, which could run code"),
    "gzip": (lambda path: path.write_bytes(gzip.compress(b"weights")), "It is compressed by gzip. Write what"),
    "array": (_array, "It is a single array. Pass it"),
    "gguf": (lambda path: path.write_bytes(b"GGUF" + bytes(64)), "It is a GGUF file of llama.cpp"),
    "pointer": (
        lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "It is a pointer of Git LFS",
    ),
    "page": (lambda path: path.write_bytes(b"\n<!DOCTYPE html><html>404"), "It is the text of a web page. Download"),
    "empty": (lambda path: path.write_bytes(b""), "It is empty. Copy it again"),
}
OWN = {
    "torch": (".pt", ".ckpt", ".bin"),
    "npz": (".npz",),
    "keras": (".keras",),
    "hdf5": (".h5", ".weights.h5", ".hdf5"),
    "safetensors": (".safetensors",),
}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_another_kind_is_refused_as_what_it_is(tmp_path, kind, suffix):
    write, said = KINDS[kind]
    path = tmp_path / f"net{suffix}"
    write(path)
    if suffix in OWN.get(kind, ()):
        pytest.skip("It is what its name says.")
    with pytest.raises(ValueError, match="(?s)net.*It is") as refused:
        ef.as_network(path)
    assert said in str(refused.value)
    typed = CliRunner().invoke(main, ["describe", str(path)])
    assert typed.exit_code == 1
    assert said in typed.output


@pytest.mark.parametrize("suffix", [".PT", ".weights", ".pth.tar", ""])
def test_a_file_of_torch_that_is_renamed_as_the_message_says_is_read(tmp_path, suffix):
    _torch(tmp_path / f"model{suffix}")
    with pytest.raises(ValueError, match=r"Rename it to end in \.pt"):
        ef.as_network(tmp_path / f"model{suffix}")
    (tmp_path / f"model{suffix}").rename(tmp_path / "renamed.pt")
    assert len(ef.as_network(tmp_path / "renamed.pt")) == 2


def test_a_folder_where_a_file_should_be_names_what_can_be_read_in_it(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"x")
    with pytest.raises(IsADirectoryError, match="None of its files is read: load it yourself"):
        ef.as_network(tmp_path / "model")
    np.savez(tmp_path / "model" / "step1.npz", w0=np.eye(2))
    with pytest.raises(IsADirectoryError, match=r"Give a file in it, like '.*step1\.npz', or measure all of them"):
        ef.as_network(str(tmp_path / "model"))


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            lambda one: one.to_sparse(),
            r"a tensor of layout sparse_coo instead. Pass its values, as tensor.to_dense\(\)",
        ),
        (lambda one: one.to_sparse_csr(), "a tensor of layout sparse_csr instead"),
        (lambda one: one.to("meta"), "one on the meta device, without values instead. Load the weights"),
        (lambda one: torch.quantize_per_tensor(one, 0.1, 0, torch.qint8), r"quantised tensor \(qint8\) instead. Pass"),
    ],
    ids=["sparse", "csr", "meta", "quantised"],
)
def test_tensors_without_plain_values_are_named_with_what_gives_them(tmp_path, made, said):
    torch.save({"fc1.weight": made(torch.ones(3, 2)), "fc2.weight": torch.ones(1, 3)}, tmp_path / "net.pt")
    with pytest.raises(ValueError, match=f"'fc1.weight' must be a dense tensor with values. Got .*{said}"):
        ef.as_network(tmp_path / "net.pt")


def test_a_kind_is_told_of_files_that_are_read_as_trajectories_too(tmp_path):
    (tmp_path / "run.npz").write_bytes(b"")
    with pytest.raises(ValueError, match="It is empty"):
        ef.Trajectory.load(tmp_path / "run.npz")


def test_an_archive_of_something_else_is_not_called_what_it_is_not(tmp_path):
    with zipfile.ZipFile(tmp_path / "notes.pt", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    with pytest.raises(ValueError, match="cannot be read"):
        ef.as_network(tmp_path / "notes.pt")
    shutil.copy(tmp_path / "notes.pt", tmp_path / "notes.npz")
    with pytest.raises(ValueError, match=r"cannot be read as \.npz|must hold"):
        ef.as_network(tmp_path / "notes.npz")
