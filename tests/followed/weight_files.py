"""Remedies of files of weights, followed."""

import gzip
import json
import os
import pickle
import warnings
import zipfile

import numpy as np
import torch
from safetensors.numpy import save_file

import ei_fast as ef
from followed import follows
from followed.extras import installs

QUICK = {"random_state": 0, "tol": 0.5}
WEIGHTS = {"fc1.weight": np.ones((3, 2), np.float32), "fc2.weight": np.ones((1, 3), np.float32)}


def _model():
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))


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
    path = said.folder / "net.weights"
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


@follows("Give the .safetensors or .bin files that it was made from, or their index.")
def _(said):
    path = said.folder / "net.gguf"
    path.write_bytes(b"GGUF" + bytes(64))
    said.refused(ef.analyze, path)
    save_file(WEIGHTS, said.folder / "model.safetensors")
    ef.analyze(said.folder / "model.safetensors", **QUICK)
    torch.save(_model().state_dict(), said.folder / "pytorch_model.bin")
    ef.analyze(said.folder / "pytorch_model.bin", **QUICK)
    ef.analyze(_shards(said.folder), **QUICK)


@follows("what lies where in it is not known any more. Read it again.")
def _(said):
    said.monkeypatch.setattr("ei_fast.adapters.dicts.alone.HELD_BYTES", 0)
    path = said.folder / "net.safetensors"
    save_file(WEIGHTS, path)
    network = ef.as_network(path, chain=False)
    os.utime(path, ns=(0, 0))
    said.refused(ef.analyze, network)
    ef.analyze(ef.as_network(path, chain=False), **QUICK)
