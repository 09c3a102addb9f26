"""The same weights in files of every format."""

import json
from itertools import pairwise

import numpy as np
import safetensors.numpy
import safetensors.torch
import torch

RNG = np.random.default_rng(0)
WIDTHS = [4, 6, 5, 3]
WEIGHTS = [RNG.normal(size=pair).astype(np.float32) for pair in pairwise(WIDTHS)]
BIASES = [RNG.normal(size=n).astype(np.float32) for n in WIDTHS[1:]]
NAMES = ["fc1", "fc2", "fc3"]


def state_of_all(dtype=torch.float32):
    state = {}
    for name, weight, bias in zip(NAMES, WEIGHTS, BIASES, strict=True):
        state[f"{name}.weight"] = torch.tensor(weight.T.copy()).to(dtype)
        state[f"{name}.bias"] = torch.tensor(bias).to(dtype)
    return state


def save_shards(folder, state):
    """Two shards and their index."""
    places = {key: f"model-0000{1 + (not key.startswith('fc1'))}-of-00002.safetensors" for key in state}
    for shard in set(places.values()):
        safetensors.torch.save_file({key: state[key] for key in state if places[key] == shard}, folder / shard)
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 0}, "weight_map": places}))
    return index


def write_file(folder, suffix, state=None):
    """The file of a kind that holds the state, float32 of `state_of_all` where it is not given."""
    state = state or state_of_all()
    path = folder / f"net{suffix}"
    if suffix == ".index.json":
        return save_shards(folder, state)
    if suffix == ".safetensors":
        safetensors.torch.save_file(state, path)
    elif suffix == ".npz":
        np.savez(path, **{key: value.numpy() for key, value in state.items()})
    else:
        torch.save(state, path)
    return path


SUFFIXES = [".npz", ".safetensors", ".index.json", ".pt", ".pth", ".ckpt"]
