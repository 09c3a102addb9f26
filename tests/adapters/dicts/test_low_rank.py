"""Low-rank adapters, merged into the weights that they adapt or refused by name."""

import numpy as np
import pytest
from networks import names_of
from state_dicts import linears

import ei_fast as ef

RNG = np.random.default_rng(0)


def lora(strength=None, a="lora_A.default.weight", b="lora_B.default.weight", base="base_layer."):
    state = {f"fc1.{base}weight": RNG.normal(size=(5, 4)), f"fc1.{a}": RNG.normal(size=(2, 4))}
    state |= {f"fc1.{b}": RNG.normal(size=(5, 2)), "fc2.weight": RNG.normal(size=(4, 5))}
    return state if strength is None else state | {"fc1.alpha": np.array(strength)}


@pytest.mark.parametrize("order", [None, ["fc1", "fc2"], ["fc1.base_layer", "fc2"]])
def test_an_adapter_whose_strength_is_not_known_is_refused(order):
    with pytest.raises(ValueError, match=r"adapter \(LoRA\) of the layer 'fc1', .*merge_and_unload\(\)"):
        ef.as_network(lora(), order=order)
    # Of a layer that has none nothing is wrong.
    assert len(ef.as_network(lora(), order=["fc2"])) == 1


@pytest.mark.parametrize(
    ("a", "b", "base"),
    [
        ("lora_A.default.weight", "lora_B.default.weight", "base_layer."),
        ("lora_down.weight", "lora_up.weight", ""),
        ("lora_A", "lora_B", ""),
    ],
)
def test_an_adapter_whose_strength_is_known_is_merged(a, b, base):
    state = lora(3.0, a, b, base)
    network = ef.as_network(state)
    merged = state[f"fc1.{base}weight"] + 3.0 / 2 * state[f"fc1.{b}"] @ state[f"fc1.{a}"]
    np.testing.assert_allclose(network[0].weight, merged.T, rtol=1e-15, atol=1e-15)
    assert names_of(network) == ["fc1", "fc2"]
    assert network.notes == [("fc1", "LoRA of rank 2 merged, scaled by 1.5")]


@pytest.mark.parametrize(
    ("kind", "entry"),
    [
        ("DoRA", "lora_magnitude_vector.default.weight"),
        ("IA³", "ia3_l.default"),
        ("LoHa", "hada_w1_a.default"),
        ("LoKr", "lokr_w1.default"),
        ("OFT", "oft_r.default"),
        ("VeRA", "vera_lambda_b.default"),
    ],
)
def test_other_adapters_are_refused_by_name(kind, entry):
    state = {**linears(4, 5, 4), f"fc1.{entry}": np.ones((1, 4))}
    for order in (None, ["fc1", "fc2"]):
        with pytest.raises(ValueError, match=rf"adapter \({kind}\) of the layer 'fc1'"):
            ef.as_network(state, order=order)


def test_adapters_by_other_names():
    attached = {"attn.to_q.weight": np.eye(4), "attn.processor.to_q_lora.down.weight": np.ones((2, 4))}
    with pytest.raises(ValueError, match=r"adapter \(LoRA\)"):
        ef.as_network(attached)
    saved = {f"head.{name}.weight": np.eye(4) for name in ("original_module", "modules_to_save.default")}
    with pytest.raises(ValueError, match="a module to save beside its original"):
        ef.as_network(saved)
    with pytest.raises(ValueError, match=r"adapter \(LoRA\)"):
        ef.as_network(lora() | {"fc1.alpha": np.ones(2)})
    joined = {f"lora_unet_fc1.lora_{part}.weight": np.ones((2, 2)) for part in ("down", "up")}
    with pytest.raises(ValueError, match="of the layer 'lora_unet_fc1.lora_down.weight'"):
        ef.as_network(joined)


def test_an_adapter_without_the_weights_that_it_adapts():
    state = {"base_model.fc1.lora_A.weight": np.ones((2, 4)), "base_model.fc1.lora_B.weight": np.ones((4, 2))}
    with pytest.raises(ValueError, match=r"adapter \(LoRA\) of the layer 'base_model.fc1'"):
        ef.as_network(state)
