"""Files that PyTorch writes: what stands beside the tensors, archives of other kinds, and limits."""

import argparse
import collections
import dataclasses
import datetime
import enum
import functools
import os
import pathlib
import warnings

import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef

MODEL = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)).eval()


class Settings(dict):
    """A dict of its own kind, as configurations are."""

    def __getattr__(self, name):
        return self[name]


class Names(list):
    """A list of its own kind."""


class Stage(enum.Enum):
    FIT = 1


@dataclasses.dataclass
class Options:
    rate: float = 0.1


BESIDE = {
    "a number of NumPy": np.float32(2.0),
    "an array": np.ones(3),
    "a random state": np.random.RandomState(0),
    "a path": pathlib.Path("a"),
    "a namespace": argparse.Namespace(rate=np.float64(0.1), path=pathlib.Path("b")),
    "a settings dict": Settings(rate=0.1, inner=Settings(depth=3)),
    "a default dict": collections.defaultdict(list, a=[1]),
    "a list": Names([1, 2]),
    "a queue": collections.deque([1, 2]),
    "a stage": Stage.FIT,
    "options": Options(),
    "a date": datetime.datetime(2020, 1, 1),
    "a function": functools.partial(max, 1),
}


def assert_is_model(network):
    assert [layer.n_out for layer in network] == [5, 2]
    for layer, module in zip(network, (MODEL[0], MODEL[2]), strict=True):
        np.testing.assert_array_equal(layer.weight, module.weight.detach().double().numpy().T)


@pytest.mark.parametrize("what", BESIDE)
def test_what_stands_beside_the_tensors_is_passed_over(tmp_path, what):
    """As checkpoints of Lightning and of Hugging Face's Trainer have it."""
    torch.save({"state_dict": MODEL.state_dict(), "epoch": 3, "hyper_parameters": BESIDE[what]}, tmp_path / "net.ckpt")
    assert_is_model(ef.as_network(tmp_path / "net.ckpt"))


def test_what_other_libraries_allow_for_all_files_is_made_of_none(tmp_path):
    """As torch_geometric does, which whoever imports transformers may have imported."""
    beside = {"pairs": BESIDE["a default dict"], "options": BESIDE["options"]}
    torch.save({"state_dict": MODEL.state_dict(), "beside": beside}, tmp_path / "net.ckpt")
    with torch.serialization.safe_globals([collections.defaultdict, Options]):
        allowed = torch.serialization.get_safe_globals()
        assert_is_model(ef.as_network(tmp_path / "net.ckpt"))
        assert set(torch.serialization.get_safe_globals()) == set(allowed)


def test_all_of_it_at_once_and_inside_the_state_dict(tmp_path):
    torch.save(Settings(state_dict=MODEL.state_dict(), beside=BESIDE), tmp_path / "net.ckpt")
    assert_is_model(ef.as_network(tmp_path / "net.ckpt"))
    torch.save({**MODEL.state_dict(), "args": BESIDE["a namespace"]}, tmp_path / "net.pt")
    network = ef.as_network(tmp_path / "net.pt")
    assert_is_model(network)
    assert network.skipped == [("args", "an object of argparse.Namespace")]


class Command:
    """Makes a folder when it is unpickled."""

    def __init__(self, path, function=os.mkdir):
        self.path, self.function = str(path), function

    def __reduce__(self):
        return self.function, (self.path,)


def test_what_is_passed_over_is_not_called(tmp_path):
    """By whatever name a file calls it."""
    trace = tmp_path / "trace"
    torch.save({"state_dict": MODEL.state_dict(), "evil": Command(trace, np.save)}, tmp_path / "net.pt")
    assert_is_model(ef.as_network(tmp_path / "net.pt"))
    torch.save({"state_dict": MODEL.state_dict(), "evil": Command(trace)}, tmp_path / "net.pt")
    with pytest.raises(ValueError, match="could run code and is not read"):
        ef.as_network(tmp_path / "net.pt")
    torch.save({"state_dict": MODEL.state_dict(), "evil": Command("1 + 1", eval)}, tmp_path / "net.pt")
    assert_is_model(ef.as_network(tmp_path / "net.pt"))
    assert not list(tmp_path.glob("trace*"))


def test_objects_in_place_of_weights_are_named(tmp_path):
    torch.save(MODEL, tmp_path / "net.pt")
    with pytest.raises(
        ValueError, match=r"\(an object of torch.nn.modules.container.Sequential\), .*Save model.state_dict"
    ):
        ef.as_network(tmp_path / "net.pt")
    torch.save({"model": MODEL}, tmp_path / "net.pt")
    with pytest.raises(
        ValueError, match=r"Got a dict of 'model' \(an object of torch.nn.modules.container.Sequential\)"
    ):
        ef.as_network(tmp_path / "net.pt")
    torch.save({**MODEL.state_dict(), "2.weight": Options()}, tmp_path / "net.pt")
    with pytest.raises(ValueError, match=r"'2.weight' of the file .* is no tensor but an object of .*Options"):
        ef.as_network(tmp_path / "net.pt")


def test_a_network_is_found_by_whatever_name_it_has(tmp_path):
    for name in ("net", "params", "actor_state"):
        torch.save({name: MODEL.state_dict(), "epoch": torch.tensor(3), "lr": 0.1}, tmp_path / "net.pt")
        network = ef.as_network(tmp_path / "net.pt")
        assert_is_model(network)
        assert network.skipped == [("epoch", f"beside {name!r}")]


def test_of_two_networks_in_a_checkpoint_one_is_asked_for(tmp_path):
    other = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))
    optimiser = torch.optim.Adam(other.parameters()).state_dict()
    content = {"generator": MODEL.state_dict(), "discriminator": other.state_dict(), "optimiser": optimiser, "step": 3}
    torch.save(content, tmp_path / "gan.pt")
    with pytest.raises(ValueError, match="Give prefix='generator' or prefix='discriminator'"):
        ef.as_network(tmp_path / "gan.pt")
    assert_is_model(ef.as_network(tmp_path / "gan.pt", prefix="generator"))


def test_an_exported_program_is_no_module():
    program = torch.export.export(MODEL, (torch.ones(2, 4),))
    with pytest.raises(TypeError, match=r"Got ExportedProgram instead\. Give the module .* or its state_dict"):
        ef.as_network(program)
    assert_is_model(ef.as_network(program.state_dict))


def test_numbers_beside_a_weight_belong_to_it(tmp_path):
    """A scale, a bias as a list, layers inside each other: as in the same dict in memory."""
    codes = torch.ones(2, 3).to(torch.float8_e4m3fn)
    for state in (
        {"fc.weight": codes, "fc.weight_scale": 0.01},
        {"fc.weight": torch.ones(2, 3), "fc.bias": [1.0, 2.0]},
        {"fc.weight": torch.ones(2, 3), "head": {"weight": torch.ones(4, 2)}},
    ):
        torch.save(state, tmp_path / "net.pt")
        for layer, same in zip(ef.as_network(tmp_path / "net.pt"), ef.as_network(state), strict=True):
            np.testing.assert_array_equal(layer.weight, same.weight)
            np.testing.assert_array_equal(layer.bias, same.bias)


def _follow(error):
    """Do what a message says: the call of torch.save in it."""
    call = str(error).split("write its weights with ")[1].split(", and give that file")[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(call, {"torch": torch})


@pytest.mark.parametrize("suffix", [".pt", ".pth"])
@pytest.mark.parametrize("make", [torch.jit.script, lambda model: torch.jit.trace(model, torch.ones(1, 4))])
def test_torchscript_is_told_by_its_kind_and_the_remedy_works(tmp_path, monkeypatch, suffix, make):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(make(MODEL), f"net{suffix}")
    with pytest.raises(ValueError, match="is a TorchScript program, .* If you trust it") as error:
        ef.as_network(f"net{suffix}")
    _follow(error.value)
    assert_is_model(ef.as_network("weights.pt"))


def test_exported_programs_are_told_by_their_kind_and_the_remedy_works(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(MODEL, (torch.ones(2, 4),)), "net.pt2")
    pathlib.Path("renamed.pt").write_bytes(pathlib.Path("net.pt2").read_bytes())
    for name in ("net.pt2", "renamed.pt"):
        with pytest.raises(ValueError, match="is a program that torch.export wrote, .* If you trust it") as error:
            ef.as_network(name)
        _follow(error.value)
        assert_is_model(ef.as_network("weights.pt"))


def test_one_layer_under_many_names(tmp_path):
    """Twelve blocks that share their weights: the file holds them once."""
    shared = nn.Linear(256, 256)
    state = {f"{k}.{part}": getattr(shared, part) for k in range(12) for part in ("weight", "bias")}
    torch.save(state, tmp_path / "net.pt")
    assert (tmp_path / "net.pt").stat().st_size < 2 * 256 * 256 * 4
    network = ef.as_network(tmp_path / "net.pt")
    assert len(network) == 12
    np.testing.assert_array_equal(network[11].weight, shared.weight.detach().double().numpy().T)


def test_very_many_tensors_are_read_or_the_limit_is_named(tmp_path):
    torch.save({f"{k}.weight": torch.eye(1) for k in range(9000)}, tmp_path / "net.pt")
    assert len(ef.as_network(tmp_path / "net.pt")) == 9000
    torch.save({f"{'a' * 500}.{k}.weight": torch.eye(1) for k in range(9000)}, tmp_path / "net.pt")
    with pytest.raises(ValueError, match=r"describes what it holds in \d+ bytes, above the limit of 4194304"):
        ef.as_network(tmp_path / "net.pt")
