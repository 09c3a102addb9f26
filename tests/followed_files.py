"""Remedies of files of weights and models, followed."""

import gzip
import json
import os
import pickle
import subprocess
import sys
import warnings
import zipfile

import h5py
import keras
import numpy as np
import torch
from followed import follows
from followed_extras import installs
from safetensors.numpy import save_file

import ei_fast as ef

QUICK = {"random_state": 0, "tol": 0.5}
WEIGHTS = {"fc1.weight": np.ones((3, 2), np.float32), "fc2.weight": np.ones((1, 3), np.float32)}


def _model():
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))


def _keras_model():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "tanh"), keras.layers.Dense(1)])


@follows("Save the weights in one of these formats.")
def _(said):
    path = said.folder / "net.bin"
    path.write_bytes(b"something")
    said.refused(ef.analyze, path)
    save_file(WEIGHTS, said.folder / "net.safetensors")
    ef.analyze(said.folder / "net.safetensors", **QUICK)


@follows("cannot be read. Save them as one of {}.")
def _(said):
    path = said.folder / "net.safetensors"
    save_file({"fc.weight": np.ones((2, 2), np.complex64)}, path)
    message = said.refused(ef.analyze, path)
    assert "F32" in message.split("Save them as one of ")[1]
    save_file({"fc.weight": np.ones((2, 2), np.float32)}, path)
    ef.analyze(path, **QUICK)


@follows("It is {}. Rename it to end in {}.")
def _(said):
    path = said.folder / "pytorch_model.bin"
    torch.save(_model().state_dict(), path)
    suffix = said.refused(ef.analyze, path).split("Rename it to end in ")[1].rstrip(".")
    path.rename(path.with_suffix(suffix))
    ef.analyze(path.with_suffix(suffix), **QUICK)


@follows("It is of a format that torch.save wrote before PyTorch 1.6. Write it anew with torch.save(torch.load(")
def _(said):
    path = said.folder / "old.pt"
    torch.save(_model().state_dict(), path, _use_new_zipfile_serialization=False)
    call = said.refused(ef.analyze, path).split("Write it anew with ")[1].split(", and give")[0]
    said.monkeypatch.chdir(said.folder)
    eval(call, {"torch": torch})
    ef.analyze(said.folder / "weights.pt", **QUICK)


@follows("It is a pickle, which could run code and is not read. If you trust it, load it yourself, and pass the model")
def _(said):
    path = said.folder / "net.pt"
    path.write_bytes(pickle.dumps(WEIGHTS))
    said.refused(ef.analyze, path)
    ef.analyze(pickle.loads(path.read_bytes()), **QUICK)


@follows("It is compressed by gzip. Write what gzip.open(path).read() gives into a file, and give that.")
def _(said):
    torch.save(_model().state_dict(), said.folder / "net.pt")
    path = said.folder / "net.pt.gz"
    path.write_bytes(gzip.compress((said.folder / "net.pt").read_bytes()))
    said.refused(ef.analyze, path)
    with gzip.open(path) as unpacked:
        (said.folder / "unpacked.pt").write_bytes(unpacked.read())
    ef.analyze(said.folder / "unpacked.pt", **QUICK)


@follows("It is a single array. Pass it as an array, or put the weights of all layers into one file with numpy.savez")
def _(said):
    path = said.folder / "w.npy"
    np.save(path, np.eye(2))
    said.refused(ef.analyze, path)
    ef.analyze([np.load(path)], **QUICK)
    np.savez(said.folder / "weights.npz", w0=np.load(path))
    ef.analyze(said.folder / "weights.npz", **QUICK)


@follows("It is empty. Copy it again, or write it anew.")
def _(said):
    path = said.folder / "net.pt"
    path.write_bytes(b"")
    said.refused(ef.analyze, path)
    torch.save(_model().state_dict(), path)
    ef.analyze(path, **QUICK)


@follows(
    "None of its files is read: load it",
    "Give a file in it, like {}, or",
)
def _(said):
    folder = said.folder / "model"
    folder.mkdir()
    (folder / "weights.pkl").write_bytes(pickle.dumps(WEIGHTS))
    said.refused(ef.analyze, folder)
    ef.analyze(pickle.loads((folder / "weights.pkl").read_bytes()), **QUICK)
    np.savez(folder / "step1.npz", w0=np.eye(2))
    message = said.refused(ef.analyze, folder)
    ef.analyze(message.split("like '")[1].split("'")[0], **QUICK)
    said.monkeypatch.chdir(said.folder)
    said.typed(*message.split("measure all of them: ei-fast ")[1].split())


@follows("Pass its values, as tensor.dequantize() gives them.")
def _(said):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensor = torch.quantize_per_tensor(torch.ones(3, 2), 0.1, 0, torch.qint8)
    weights = {"fc1.weight": tensor, "fc2.weight": torch.ones(1, 3)}
    said.refused(ef.analyze, weights)
    ef.analyze(weights | {"fc1.weight": tensor.dequantize()}, **QUICK)


@follows("Pass its values, as tensor.to_dense() gives them.")
def _(said):
    weights = {"fc1.weight": torch.ones(3, 2).to_sparse(), "fc2.weight": torch.ones(1, 3)}
    said.refused(ef.analyze, weights)
    ef.analyze(weights | {"fc1.weight": weights["fc1.weight"].to_dense()}, **QUICK)


@follows("Load the weights into the model, and save or pass it then.")
def _(said):
    with torch.device("meta"):
        model = _model()
    said.refused(ef.analyze, dict(model.state_dict()))
    model.load_state_dict(_model().state_dict(), assign=True)
    ef.analyze(dict(model.state_dict()), **QUICK)


@follows("Save the model again, index and shards together.")
def _(said):
    index = _shards(said.folder)
    index.write_text("{")
    said.refused(ef.analyze, index)
    ef.analyze(_shards(said.folder), **QUICK)


def _shards(folder, **changes):
    places = {"fc1.weight": "a.safetensors", "fc2.weight": "b.safetensors"} | changes
    for name, shard in (("fc1.weight", "a.safetensors"), ("fc2.weight", "b.safetensors")):
        save_file({name: WEIGHTS[name]}, folder / shard)
    index = folder / "net.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    return index


@follows("which does not hold it. Save the model again, index and shards.")
def _(said):
    said.refused(ef.analyze, _shards(said.folder, **{"fc2.weight": "a.safetensors"}))
    ef.analyze(_shards(said.folder), **QUICK)


@follows("Put the shards beside it and name them so.")
def _(said):
    (said.folder / "other").mkdir()
    index = _shards(said.folder, **{"fc2.weight": "other/b.safetensors"})
    os.replace(said.folder / "b.safetensors", said.folder / "other" / "b.safetensors")
    said.refused(ef.analyze, index)
    os.replace(said.folder / "other" / "b.safetensors", said.folder / "b.safetensors")
    index.write_text(index.read_text().replace("other/", ""))
    ef.analyze(index, **QUICK)


@follows("The file {} names {}, which is not beside it. Put it there.")
def _(said):
    index = _shards(said.folder)
    os.replace(said.folder / "b.safetensors", said.folder / "elsewhere")
    said.refused(ef.analyze, index)
    os.replace(said.folder / "elsewhere", said.folder / "b.safetensors")
    ef.analyze(index, **QUICK)


@follows(
    "It is damaged or of another kind, or holds more than some 40,000 tensors. Save it again, or only the layers",
    "cannot be read as safetensors: it is damaged or of another kind ({}). Save it again.",
)
def _(said):
    path = said.folder / "net.safetensors"
    for content in (b"\xff" * 64, (8).to_bytes(8, "little") + b"{broken}"):
        path.write_bytes(content)
        said.refused(ef.analyze, path)
    save_file(WEIGHTS, path)
    ef.analyze(path, **QUICK)
    many = {f"{'buffer' * 30}.{k}": np.ones(1, np.float32) for k in range(20_000)}
    save_file(WEIGHTS | many, path)
    said.refused(ef.analyze, path)
    save_file(WEIGHTS, path)
    ef.analyze(path, **QUICK)


class _Settings:
    """Stands beside tensors in a file."""

    rate = 0.1


class _Filled(dict):
    """A dict of a kind of its own, that can be the key of one."""

    def __hash__(self):
        return 0


@follows("which could run code and is not read, or it is damaged ({}). Save model.state_dict() instead, or build the")
def _(said):
    path, model = said.folder / "net.pt", _model()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/version", "3\n")
        archive.writestr("net/data.pkl", b"\x80\x02]\xff")
    said.refused(ef.analyze, path)
    torch.save(model.state_dict(), path)
    ef.analyze(path, **QUICK)
    ef.analyze(model, **QUICK)


@follows(
    "holds something else than tensors ({}), which could run code and is not read. Save model.state_dict() instead"
)
def _(said):
    path, model = said.folder / "net.pt", _model()
    torch.save(model, path)
    said.refused(ef.analyze, path)
    torch.save(model.state_dict(), path)
    ef.analyze(path, **QUICK)
    ef.analyze(model, **QUICK)


@follows("is no tensor but {}, which could run code and is not read. Save its values as a tensor.")
def _(said):
    path = said.folder / "net.pt"
    state = {name: torch.as_tensor(weight) for name, weight in WEIGHTS.items()}
    torch.save(state | {"fc1.bias": _Settings()}, path)
    said.refused(ef.analyze, path)
    torch.save(state | {"fc1.bias": torch.full((3,), _Settings.rate)}, path)
    ef.analyze(path, **QUICK)


@follows("Save it again", "Save model.state_dict() alone")
def _(said):
    path, model = said.folder / "net.pt", _model()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/version", "3\n")
    assert said.refused(ef.analyze, path).endswith("Save it again.")
    torch.save(model.state_dict(), path)
    ef.analyze(path, **QUICK)
    torch.save({"state_dict": model.state_dict(), "seen": {_Filled(a=1): 1}}, path)
    assert said.refused(ef.analyze, path).endswith("Save model.state_dict() alone.")
    torch.save(model.state_dict(), path)
    ef.analyze(path, **QUICK)


@follows(
    "It is damaged or of another kind ({}). Save it again.",
    "claims to hold more than its size, which {} never does. It is damaged or made to exhaust memory. Save it again.",
)
def _(said):
    path = said.folder / "net.pt"
    path.write_bytes(b"nothing")
    said.refused(ef.analyze, path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", b"0" * 1000)
    said.refused(ef.analyze, path)
    torch.save(_model().state_dict(), path)
    ef.analyze(path, **QUICK)


@follows("If you trust it, write its weights with torch.save({}({}).{}, 'weights.pt'), and give that file; or build")
def _(said):
    said.monkeypatch.chdir(said.folder)
    model = _model().eval()
    torch.jit.save(torch.jit.trace(model, torch.ones(1, 2)), "net.pt")
    torch.export.save(torch.export.export(model, (torch.ones(2, 2),)), "net.pt2")
    for path in ("net.pt", "net.pt2"):
        message = said.refused(ef.analyze, path)
        exec(message.split("write its weights with ")[1].split(", and give that file")[0], {"torch": torch})
        network = ef.as_network("weights.pt")
        np.testing.assert_array_equal(network[0].weight, model[0].weight.detach().double().numpy().T)
        os.unlink("weights.pt")
    ef.analyze(model, **QUICK)


@follows("or much beside them. Save model.state_dict() alone, or the layers that are to be measured.")
def _(said):
    path, model = said.folder / "net.pt", _model()
    torch.save({"state_dict": model.state_dict(), "log": "x" * 2**23}, path)
    said.refused(ef.analyze, path)
    torch.save(model.state_dict(), path)
    ef.analyze(path, **QUICK)
    torch.save(model[0].state_dict(), path)
    ef.analyze(path, **QUICK)


@follows("must hold a state dict, bare or as {}. Got {} instead. Save model.state_dict().")
def _(said):
    path, model = said.folder / "net.pt", _model()
    torch.save({"epoch": 3}, path)
    said.refused(ef.analyze, path)
    torch.save(model.state_dict(), path)
    ef.analyze(path, **QUICK)


@follows("or ties one weight very often. Save each tensor by itself, as tensor.clone().")
def _(said):
    path = said.folder / "net.pt"
    expanded = torch.ones(1, 1).expand(2200, 2200)
    torch.save({"fc.weight": expanded}, path)
    said.refused(ef.as_network, path)
    torch.save({"fc.weight": expanded.clone()}, path)
    assert len(ef.as_network(path)) == 1


@follows("before 2.10 a file of weights could run code although only weights were asked for. pip")
def _(said):
    path = said.folder / "net.pt"
    torch.save(_model().state_dict(), path)
    with said.monkeypatch.context() as patched:
        patched.setattr(torch, "__version__", "2.4.1")
        installs(said.refused(ef.analyze, path), "torch>=2.10")


@follows("must hold the weights of a Keras model, as model.save_weights or model.save write them. It holds {}. Save")
def _(said):
    path = said.folder / "net.h5"
    with h5py.File(path, "w") as file:
        file["numbers"] = np.ones(3)
    said.refused(ef.analyze, path)
    _keras_model().save(said.folder / "net.keras")
    ef.analyze(said.folder / "net.keras", **QUICK)
    np.savez(said.folder / "net.npz", w0=np.eye(2))
    ef.analyze(said.folder / "net.npz", **QUICK)


@follows("The file {} is damaged ({}: {}). Save the weights again.")
def _(said):
    path = said.folder / "net.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("layers/dense/vars")["first"] = np.ones((2, 2))
    said.refused(ef.analyze, path)
    _keras_model().save_weights(path)
    ef.analyze(path, **QUICK)


@follows("The weights in {} {}. The file is damaged or made to. Save the model again.")
def _(said):
    path = said.folder / "net.weights.h5"
    with h5py.File(path, "w") as file:
        file["layers"] = h5py.ExternalLink("other.h5", "/layers")
    said.refused(ef.analyze, path)
    path.write_bytes(b"nothing")
    said.refused(ef.analyze, path)
    _keras_model().save_weights(path)
    ef.analyze(path, **QUICK)


def _with_member(path, name, content):
    with zipfile.ZipFile(path) as archive:
        members = {one: archive.read(one) for one in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for one, before in (members | {name: content}).items():
            archive.writestr(one, before)


@follows("The file {} must hold {} and nothing else. Got {} instead. Save the model again.")
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    _with_member(path, "more.txt", b"")
    said.refused(ef.analyze, path)
    _keras_model().save(path)
    ef.analyze(path, **QUICK)


@follows("must describe a Keras model in its config.json. It is damaged or of another kind ({}: {}). Save the model")
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    _with_member(path, "config.json", b"{}")
    said.refused(ef.analyze, path)
    _keras_model().save(path)
    ef.analyze(path, **QUICK)


@follows("The file {} is damaged at {} ({}). Save the model again.")
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("config.json").header_offset + 80
    content[at] ^= 1
    path.write_bytes(content)
    said.refused(ef.analyze, path)
    _keras_model().save(path)
    ef.analyze(path, **QUICK)


@follows("bytes of weights, far more than it holds. It is damaged or made to exhaust memory. Save the model again.")
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json").decode()
    _with_member(path, "config.json", config.replace('"units": 1,', '"units": 300000000,').encode())
    said.refused(ef.analyze, path)
    _keras_model().save(path)
    ef.analyze(path, **QUICK)


@follows("or needs code of your own: build the model, call its load_weights with the file, and pass the model.")
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json").decode()
    _with_member(path, "config.json", config.replace('"activation": "tanh"', '"activation": "mine"').encode())
    said.refused(ef.analyze, path)
    built = _keras_model()
    built.load_weights(path)
    ef.analyze(built, **QUICK)


@follows("numbers a sample, more than the {} that can be kept to verify it. Load it yourself and measure a part of it")
def _(said):
    inputs = keras.Input((4000, 4000, 1))
    pooled = keras.layers.MaxPooling2D(400)(keras.layers.Conv2D(6, 1, name="c")(inputs))
    hidden = keras.layers.Dense(3, name="d")(keras.layers.Flatten()(pooled))
    path = said.folder / "net.keras"
    model = keras.Model(inputs, keras.layers.Dense(2)(hidden))
    model.save(path)
    said.refused(ef.analyze, path)
    loaded = keras.saving.load_model(path)
    ef.analyze(keras.Model(loaded.layers[-1].input, loaded.output), **QUICK)


@follows(
    "with keras.saving.load_model(path, safe_mode=False) and pass the model; classes of your own are read once they"
)
def _(said):
    path = said.folder / "net.keras"
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.Lambda(lambda x: 2.0 * x)])
    model.save(path)
    said.refused(ef.analyze, path)
    ef.as_network(keras.saving.load_model(path, safe_mode=False))

    class Own(keras.layers.Layer):
        def call(self, x):
            return 2.0 * x

    keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), Own()]).save(path)
    said.refused(ef.analyze, path)
    try:
        keras.saving.register_keras_serializable("followed")(Own)
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), Own()]).save(path)
        ef.analyze(path, **QUICK)
    finally:
        keras.saving.get_custom_objects().pop("followed>Own", None)


@follows("Pickles run code when they are read: if you trust it, load it yourself and pass the model or its weights.")
def _(said):
    path = said.folder / "net.pkl"
    path.write_bytes(pickle.dumps(WEIGHTS))
    said.refused(ef.analyze, path)
    ef.analyze(pickle.loads(path.read_bytes()), **QUICK)


@follows(
    "which the environment variable KERAS_BACKEND names and which is not installed. Set it to one that is there: {}."
)
def _(said):
    path = said.folder / "net.keras"
    _keras_model().save(path)
    code = (
        "import sys, importlib.util as u, ei_fast as ef; found = u.find_spec; "
        "u.find_spec = lambda name: None if name == 'tensorflow' else found(name); "
        "print(len(ef.as_network(sys.argv[1])))"
    )

    def run(backend):
        environment = os.environ | {"KERAS_BACKEND": backend}
        typed = [sys.executable, "-W", "ignore", "-c", code, str(path)]
        return subprocess.run(typed, env=environment, capture_output=True, text=True, check=False)

    refused = run("tensorflow").stderr
    said.messages.append(refused)
    there = refused.split("Set it to one that is there: ")[1].strip().rstrip(".").split(", ")
    assert run(there[0]).stdout == "2\n"
