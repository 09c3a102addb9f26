"""Checkpoints as trainings nest them: opened, or refused with the names of what may be meant."""

import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef

torch.manual_seed(0)
MODEL = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
OTHER = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
# Its layers could follow those of the first.
NEXT = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))
STATE, EMA, THIRD = MODEL.state_dict(), OTHER.state_dict(), NEXT.state_dict()


def _trained():
    optimiser = torch.optim.Adam(MODEL.parameters())
    MODEL(torch.ones(1, 4)).sum().backward()
    state = {key: value.clone() for key, value in STATE.items()}
    optimiser.step()
    MODEL.load_state_dict(state)
    return optimiser.state_dict()


OPTIMISER = _trained()


def under(prefix, state):
    return {f"{prefix}{key}": value for key, value in state.items()}


def is_model(network, state=STATE):
    assert len(network) == 2
    for layer, k in zip(network, (0, 2), strict=True):
        np.testing.assert_array_equal(layer.weight, state[f"{k}.weight"].double().numpy().T)
        np.testing.assert_array_equal(layer.bias, state[f"{k}.bias"].double().numpy())


WRAPPED = "_fsdp_wrapped_module."
OPENED = {
    **{
        name: {name: STATE, "epoch": 3} for name in ("net", "params", "model_state", "ema", "module", "weights", "netG")
    },
    "model_state_dict": {"model_state_dict": STATE, "optimizer_state_dict": OPTIMISER, "loss": torch.tensor(0.1)},
    "the optimiser beside": {"net": STATE, "optimizer": OPTIMISER, "scheduler": {"last_epoch": 3}},
    "a copy beside": {"model": STATE, "ema": EMA},
    "a copy further inside": {"model": STATE, "model_ema": {"decay": 0.9, "shadow": EMA}},
    "two levels": {"model": {"state_dict": STATE}},
    "two levels by other names": {"checkpoint": {"net": STATE}, "args": {"lr": 0.1}},
    "lightning": {"state_dict": under("model.", STATE), "optimizer_states": [OPTIMISER], "global_step": 5},
    "compiled and parallel": under("_orig_mod.module.", STATE),
    "deepspeed": {"module": under("_forward_module.model.", STATE), "optimizer": None},
    "sharded": under(WRAPPED, STATE),
    "sharded inside": {
        f"{WRAPPED}{key[0]}._checkpoint_wrapped_module.{WRAPPED}{key[2:]}": value for key, value in STATE.items()
    },
}


@pytest.mark.parametrize("content", OPENED.values(), ids=OPENED)
def test_a_network_is_opened_by_itself(tmp_path, content):
    torch.save(content, tmp_path / "net.pt")
    network = ef.as_network(tmp_path / "net.pt")
    is_model(network)
    assert [layer.name for layer in network] == ["0", "2"]
    alone = ef.as_network(tmp_path / "net.pt", chain=False)
    is_model(alone)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"model": STATE, "ema": EMA}, "ema"),
        ({"model": STATE, "model_ema": {"decay": 0.9, "shadow": EMA}}, "model_ema"),
        ({"net": STATE, "optimizer": OPTIMISER}, "optimizer"),
        ({"checkpoint": {"state_dict": STATE, "ema": EMA}}, "ema"),
        ({"state_dict": STATE, "optimizer_states": [OPTIMISER]}, "optimizer_states"),
    ],
)
def test_what_stands_beside_it_is_named(tmp_path, content, named):
    torch.save(content, tmp_path / "net.pt")
    assert named in dict(ef.as_network(tmp_path / "net.pt").skipped)


@pytest.mark.parametrize(
    ("content", "prefix"),
    [
        ({"model": STATE, "ema": EMA}, "ema"),
        ({"state_dict": STATE, "model_ema": {"decay": 0.9, "shadow": EMA}}, "model_ema"),
        ({"state_dict": STATE, "model_ema": {"decay": 0.9, "shadow": EMA}}, "model_ema/shadow"),
        ({"checkpoint": {"model": STATE, "ema": EMA}}, "ema"),
        ({"net": STATE, "net_ema": EMA}, "net_ema"),
    ],
)
def test_a_copy_is_read_by_its_name(tmp_path, content, prefix):
    torch.save(content, tmp_path / "net.pt")
    is_model(ef.as_network(tmp_path / "net.pt", prefix=prefix), EMA)


@pytest.mark.parametrize(
    "names", [("generator", "discriminator"), ("G", "D"), ("netG", "netD"), ("G_state_dict", "D_state_dict")]
)
def test_networks_that_could_follow_each_other_are_asked_about(tmp_path, names):
    one, other = names
    torch.save({one: STATE, other: THIRD, "opt": OPTIMISER}, tmp_path / "gan.pt")
    with pytest.raises(ValueError, match=f"Give prefix='{one}' or prefix='{other}' to read one of them"):
        ef.as_network(tmp_path / "gan.pt")
    is_model(ef.as_network(tmp_path / "gan.pt", prefix=one))
    is_model(ef.as_network(tmp_path / "gan.pt", prefix=other), THIRD)
    both = ef.as_network(tmp_path / "gan.pt", chain=False)
    assert [layer.name for layer in both] == [f"{name}/{k}" for name in names for k in (0, 2)]


@pytest.mark.parametrize(
    "content", [OPTIMISER, {"optimizer": OPTIMISER}, {"models": [STATE, EMA]}, [STATE], (STATE, 3)]
)
def test_what_is_no_network_is_refused_by_what_it_is(tmp_path, content):
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(ValueError, match=r"must hold a state dict, .* Got .* instead\. Save model\.state_dict\(\)\."):
        ef.as_network(tmp_path / "net.pt")


def test_a_dict_that_holds_itself_ends(tmp_path):
    content = {"model": {}, "state": STATE}
    content["model"]["again"] = content
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(ValueError, match="nested less deeply than 64 levels"):
        ef.as_network(tmp_path / "net.pt")
