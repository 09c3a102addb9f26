"""Dicts and files of weights that hold more, or something else, than a chain of dense layers."""

import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_model
from torch import nn

import ei_fast as ef

RNG = np.random.default_rng(0)


def linears(*widths, prefix=""):
    """A state dict of dense layers fc1, fc2, ... with biases."""
    return {
        f"{prefix}fc{k}.{part}": RNG.normal(size=shape)
        for k, (n_in, n_out) in enumerate(pairwise(widths), 1)
        for part, shape in (("weight", (n_out, n_in)), ("bias", (n_out,)))
    }


def names(network):
    return [layer.name for layer in network]


# --- several networks ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("online.", "target."),
        ("model.", "model_ema."),
        ("student.backbone.", "teacher.backbone."),
        ("module.encoder_q.", "module.encoder_k."),
        ("critic1.", "critic2."),
        ("q_1.net.", "q_2.net."),
        ("ensemble.0.", "ensemble.1."),
        ("agent/actor/", "agent/critic/"),
        ("branch1.", "branch2."),
        ("G.", "D."),
    ],
)
def test_two_networks_in_one_dict_are_no_chain(one, other):
    """Their widths chain: four layers would be measured, of which two never feed the others."""
    state = {**linears(3, 5, 3, prefix=one), **linears(3, 5, 3, prefix=other)}
    with pytest.raises(
        ValueError, match=r"are those of two networks, which do not feed each other\. Give prefix="
    ) as error:
        ef.as_network(state)
    told = str(error.value).split("prefix='")[1].split("'")[0]
    chosen = ef.as_network(state, prefix=told)
    np.testing.assert_array_equal(chosen[0].weight, state[next(iter(state))].T)
    assert names(chosen)[0].endswith("fc1")
    assert len(chosen) == 2
    assert chosen.skipped
    assert all(reason == f"not under {told!r}" for _, reason in chosen.skipped)
    assert len(ef.as_network(state, order=[f"{other}fc1", f"{other}fc2"])) == 2


def test_an_actor_and_a_critic_that_end_otherwise():
    state = {**linears(4, 8, 8, 4, prefix="actor."), **linears(4, 8, 8, 1, prefix="critic.")}
    with pytest.raises(ValueError, match="prefix='actor' or prefix='critic'"):
        ef.as_network(state)
    assert ef.as_network(state, prefix="critic")[-1].n_out == 1


def test_an_actor_and_a_critic_whose_layers_have_other_names():
    actor, critic = linears(4, 8, prefix="actor."), linears(4, 8, prefix="critic.")
    state = actor | {"actor.mu.weight": np.ones((4, 8))} | critic | {"critic.out.weight": np.ones((1, 8))}
    with pytest.raises(ValueError, match="prefix='actor' or prefix='critic'"):
        ef.as_network(state)
    state = {**linears(4, 8, 4, prefix="policy_net."), "value_net.l1.weight": np.ones((8, 4))}
    with pytest.raises(ValueError, match="are those of two networks"):
        ef.as_network(state)


def test_two_layers_that_are_two_networks():
    for one, other in (("online", "target"), ("policy", "value"), ("heads.0", "heads.1")):
        with pytest.raises(ValueError, match="two networks"):
            ef.as_network({f"{one}.weight": np.eye(3), f"{other}.weight": np.eye(3)})
    assert len(ef.as_network({"up.weight": np.eye(3), "down.weight": np.eye(3)})) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [("online.module.", "target."), ("student._orig_mod.", "teacher."), ("model_0.", "model_1."), ("net1.", "net2.")],
)
def test_two_networks_of_which_one_is_wrapped_or_numbered(one, other):
    with pytest.raises(ValueError, match="are those of two networks"):
        ef.as_network({**linears(4, 8, 4, prefix=one), **linears(4, 8, 4, prefix=other)})


def test_two_networks_that_are_told_apart_in_the_names_of_layers():
    """There a prefix would read one layer: the message does not offer it."""
    for names_ in (
        ("online_fc1", "online_fc2", "target_fc1", "target_fc2"),
        ("fc1", "fc2", "fc1_target", "fc2_target"),
    ):
        state = {f"{name}.weight": np.ones((4, 4)) for name in names_}
        with pytest.raises(ValueError, match=r"two networks|do not feed each other") as error:
            ef.as_network(state)
        assert "prefix=" not in str(error.value)


@pytest.mark.parametrize(
    "name",
    [
        *("fc{k}.{net|ema}", "fc{k}_{raw|avg}", "{fast|slow}_fc{k}", "net.l{k}.{fast|slow}.lin", "{in|out}.{net|ema}"),
        *("fc{k}{A|B}", "{left|right}{k}", "fc{k}{|_smooth}", "{|Slow}Fc{k}", "l{k}.{x|z}", "fc{k}{|Target}"),
        *("{hidden|out}.{|avg_}lin", "block{k}.{up|up_ema}"),
    ],
)
@pytest.mark.parametrize("widths", [(4, 4, 4), (3, 5, 3)])
@pytest.mark.parametrize("grouped", [True, False])
def test_two_networks_that_a_word_tells_apart_wherever_it_stands(name, widths, grouped):
    """Four layers that chain were measured, of which two never feed the others."""
    rows, words = ["1", "2"], ["", ""]
    for part in name.split("{")[1:]:
        inside = part.split("}")[0]
        if inside != "k":
            rows, words = (words if words != ["", ""] else rows), inside.split("|")
    if name.count("|") > 1:
        pattern = name.replace("{" + "|".join(rows) + "}", "{k}").replace("{" + "|".join(words) + "}", "{word}")
    else:
        pattern = name.replace("{" + "|".join(words) + "}", "{word}")
    layers = [[pattern.format(k=row, word=word) for row in rows] for word in words]
    pairs = [(word, row) for word in (0, 1) for row in (0, 1)]
    state = {}
    for word, row in pairs if grouped else sorted(pairs, key=lambda pair: pair[::-1]):
        state[f"{layers[word][row]}.weight"] = RNG.normal(size=(widths[row + 1], widths[row]))
        state[f"{layers[word][row]}.bias"] = RNG.normal(size=widths[row + 1])
    with pytest.raises(ValueError, match=r"two networks") as error:
        ef.as_network(state)
    for one, before in zip(layers, ("Give order=", " or order="), strict=True):
        order = eval(str(error.value).split(before)[1].split("]")[0] + "]")
        assert order == one
        network = ef.as_network(state, order=order)
        np.testing.assert_array_equal(network[1].weight, state[f"{one[1]}.weight"].T)
    assert len(ef.as_network(state, order=[*layers[0], *layers[1]])) == 4


def test_copies_of_copies():
    state = {f"{who}_{what}_fc{k}.weight": np.eye(4) for who in ("a", "c") for what in ("x", "z") for k in (1, 2)}
    with pytest.raises(ValueError, match=r"Give order=\['a_x_fc1', 'a_x_fc2'\] or order="):
        ef.as_network(state)
    nested = {key.replace("_", "."): value for key, value in state.items()}
    with pytest.raises(ValueError, match="Give prefix='a' or prefix='c'"):
        ef.as_network(nested)
    with pytest.raises(ValueError, match="Give prefix='a.x' or prefix='a.z'"):
        ef.as_network(nested, prefix="a")


@pytest.mark.parametrize("role", ["epoch_{}", "client{}", "ckpt-{}", "expert_{}", "round{}"])
def test_two_networks_that_a_number_tells_apart_where_networks_are_numbered(role):
    state = {**linears(4, 4, 4, prefix=role.format(1) + "/"), **linears(4, 4, 4, prefix=role.format(2) + "/")}
    with pytest.raises(ValueError, match="two networks"):
        ef.as_network(state)


@pytest.mark.parametrize("role", ["policy", "actor", "q_net", "value", "teacher", "momentum_encoder", "discriminator"])
def test_the_layers_of_one_network_are_no_networks(role):
    """A Sequential that is called policy, or q_net: its square layers were refused as networks."""
    for state in ({f"{role}.{k}.weight": np.eye(4) for k in (0, 2, 4)}, linears(4, 4, 4, prefix=f"{role}.")):
        assert all(name.startswith(role) for name in names(ef.as_network(state)))


@pytest.mark.parametrize("beside", ["momentum_copy.", "smoothed.moving.", "w_avg_"])
def test_two_networks_of_which_one_has_several_words_more(beside):
    state = {**linears(4, 4, 4), **linears(4, 4, 4, prefix=beside)}
    with pytest.raises(ValueError, match=r"two networks.*Give order=\['fc1', 'fc2'\] or order="):
        ef.as_network(state)


@pytest.mark.parametrize(
    "names_",
    [
        *(("enc1", "enc2", "dec1", "dec2"), ("b1.up", "b1.down", "b2.up", "b2.down"), ("up", "down"), ("fc", "proj")),
        *(("b1.in_proj", "b1.out_proj", "b2.in_proj", "b2.out_proj"), ("hidden1", "hidden2", "output1", "output2")),
        *(
            ("h.0.c_fc", "h.0.c_proj", "h.1.c_fc", "h.1.c_proj"),
            ("fc1a", "fc1b", "fc2a", "fc2b"),
            ("in_", "mid", "out"),
        ),
        *(("input.linear", "hidden.linear", "out.linear"), ("down1", "down2", "up1", "up2")),
        *(
            (
                "layer.0.intermediate.dense",
                "layer.0.output.dense",
                "layer.1.intermediate.dense",
                "layer.1.output.dense",
            ),
        ),
        *(("layer1", "layer1_out", "layer2", "layer2_out"), ("l1.first", "l1.second", "l2.first", "l2.second")),
    ],
)
def test_layers_that_are_called_after_their_place_are_a_chain(names_):
    assert names(ef.as_network({f"{name}.weight": np.eye(4) for name in names_})) == list(names_)


def test_layers_that_differ_in_more_than_a_word_of_their_names_are_no_copies():
    """One has a bias, or another shape: then it is none of the other."""
    state = {f"b{k}.{part}.weight": np.eye(4) for k in (1, 2) for part in ("alpha", "omega")}
    with pytest.raises(ValueError, match="two networks"):
        ef.as_network(state)
    assert len(ef.as_network(state | {f"b{k}.alpha.bias": np.ones(4) for k in (1, 2)})) == 4
    shapes = {"alpha": (5, 4), "omega": (4, 5)}
    assert len(ef.as_network({f"b{k}.{part}.weight": np.ones(shapes[part]) for k in (1, 2) for part in shapes})) == 4


@pytest.mark.parametrize(
    "names_",
    [
        ("feed_forward.w1", "feed_forward.w2", "feed_forward.w3"),
        ("attn.W_q", "attn.W_k", "attn.W_v", "attn.W_o"),
        ("q_linear", "k_linear", "v_linear", "out"),
        ("enc", "fc_mu", "fc_logvar", "dec"),
        ("blk.0.attn_q", "blk.0.attn_k", "blk.0.attn_v", "blk.0.attn_output"),
        ("blk.0.ffn_gate", "blk.0.ffn_up", "blk.0.ffn_down"),
        ("actor.fc1", "actor.fc2", "actor.fc_mean", "actor.fc_logstd"),
        ("trunk.0", "head_a", "head_b"),
        ("body", "class_head", "box_head"),
        ("feature", "fc_adv", "fc_val"),
    ],
)
def test_layers_side_by_side_are_no_chain(names_):
    with pytest.raises(ValueError, match=r"take the same inputs"):
        ef.as_network({f"{name}.weight": np.eye(4) for name in names_})


def test_blocks_and_halves_of_a_network_are_a_chain():
    blocks = {**linears(4, 8, 4, prefix="blocks.0."), **linears(4, 8, 4, prefix="blocks.1.")}
    assert len(ef.as_network(blocks)) == 4
    halves = {**linears(9, 5, 2, prefix="encoder."), **linears(2, 5, 9, prefix="decoder.")}
    assert len(ef.as_network(halves)) == 4


def test_projections_side_by_side_are_no_chain():
    state = {f"attention.{part}_proj.weight": np.eye(4) for part in "qkv"}
    with pytest.raises(ValueError, match=r"take the same inputs, .* Give order="):
        ef.as_network(state)
    assert len(ef.as_network(state, order=["attention.v_proj"])) == 1


def test_a_prefix_that_leads_nowhere_is_named():
    with pytest.raises(ValueError, match="Got 'student', and the first parts of the names are fc1, fc2"):
        ef.as_network(linears(2, 3, 2), prefix="student")
    for prefix, error in ((3, TypeError), ("", ValueError), (".", ValueError)):
        with pytest.raises(error, match="'prefix' parameter"):
            ef.as_network(linears(2, 3, 2), prefix=prefix)
    with pytest.raises(ValueError, match="'prefix' parameter of as_network is for dicts and files"):
        ef.as_network([np.eye(2)], prefix="fc1")


# --- what training leaves beside a network ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beside",
    [
        {"n_averaged": np.array(4)},
        linears(4, 4, 4, prefix="optimizer."),
        {**linears(4, 4, 4, prefix="exp_avg."), **linears(4, 4, 4, prefix="exp_avg_sq.")},
        linears(4, 4, 4, prefix="momentum_buffer."),
        {"fc1.weight.grad": np.eye(4), "fc1.bias.grad": np.ones(4)},
        {"opt_state": {"mu": linears(4, 4, 4), "nu": linears(4, 4, 4)}, "step": np.array(3)},
        {"fc1/weight/Adam": np.eye(4), "fc1/weight/Adam_1": np.eye(4), "beta1_power:0": np.array(0.9)},
    ],
)
def test_what_training_leaves_beside_a_network_is_skipped_by_name(beside):
    """Moments of an optimiser were offered as networks, and read as layers."""
    state = {**linears(4, 4, 4), **beside}
    network = ef.as_network(state)
    np.testing.assert_array_equal(network[1].weight, state["fc2.weight"].T)
    assert names(network) == ["fc1", "fc2"]
    assert network.skipped
    assert {reason for _, reason in network.skipped} == {"of its training, and no part of the network"}


def test_what_training_leaves_is_read_where_it_is_asked_for():
    state = {**linears(4, 4, 4), **linears(4, 4, 4, prefix="grad.")}
    np.testing.assert_array_equal(ef.as_network(state, prefix="grad")[0].weight, state["grad.fc1.weight"].T)
    assert names(ef.as_network(state, order=["grad.fc1", "grad.fc2"])) == ["grad.fc1", "grad.fc2"]
    assert len(ef.as_network(linears(4, 4, 4, prefix="grad."))) == 2
    with pytest.raises(ValueError, match="Got 'step' instead"):
        ef.as_network({**linears(4, 4, 4), "step": np.ones(4)})


# --- orders ----------------------------------------------------------------------------------------------------------


def test_an_order_is_advised_in_which_no_layer_feeds_one_before_it():
    """Of a variational autoencoder its decoder was to feed its encoder."""
    widths = {"enc": (8, 4), "fc21": (4, 2), "fc22": (4, 2), "fc3": (2, 4), "fc4": (4, 8)}
    state = {f"{name}.weight": RNG.normal(size=shape[::-1]) for name, shape in widths.items()}
    with pytest.raises(ValueError, match=r"Layer 2 \('fc22'\) must take .*order=\['enc', 'fc21', 'fc3', 'fc4'\]"):
        ef.as_network(state)
    assert len(ef.as_network(state, order=["enc", "fc21", "fc3", "fc4"])) == 4


# --- adapters --------------------------------------------------------------------------------------------------------


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
    assert names(network) == ["fc1", "fc2"]
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


# --- quantised weights -----------------------------------------------------------------------------------------------


WEIGHT = RNG.normal(size=(6, 256))


def rows_of_int8():
    largest = np.abs(WEIGHT).max(axis=1)
    return {
        "fc.weight": np.round(WEIGHT / largest[:, None] * 127).astype(np.int8),
        "fc.SCB": largest.astype(np.float32),
    }


def scaled(shape, name="weight_scale", dtype=torch.float8_e4m3fn):
    rows, columns = (n // m for n, m in zip(WEIGHT.shape, shape, strict=True))
    blocks = np.abs(WEIGHT).reshape(shape[0], rows, shape[1], columns).max(axis=(1, 3)) / 100
    codes = WEIGHT / np.repeat(np.repeat(blocks, rows, 0), columns, 1)
    codes = torch.tensor(codes).to(dtype) if dtype.is_floating_point else torch.tensor(codes).round().to(dtype)
    scale = torch.tensor(blocks)
    return {"fc.weight": codes, f"fc.{name}": scale.reshape(-1) if shape == (1, 1) else scale}


@pytest.mark.parametrize(
    ("state", "error"),
    [
        (rows_of_int8(), 0.02),
        (scaled((1, 1)), 0.25),
        (scaled((6, 1)), 0.25),
        (scaled((1, 2), "weight_scale_inv"), 0.25),
        (scaled((1, 1), "scale_weight"), 0.25),
        (scaled((6, 1), "scales", torch.int8), 0.02),
        (scaled((6, 8), "weight_scale", torch.int8), 0.02),
    ],
    ids=["SCB", "one scale", "rows", "blocks", "ComfyUI", "int8", "groups"],
)
@pytest.mark.parametrize("order", [None, ["fc"]])
def test_codes_are_multiplied_by_their_scale(state, error, order):
    """Their weights are those that were quantised, to half a step."""
    network = ef.as_network(state, order=order)
    assert np.abs(network[0].weight - WEIGHT.T).max() < error
    assert network.notes[0][0] == "fc"
    assert "codes times" in network.notes[0][1]


def test_codes_with_a_zero_point():
    codes = RNG.integers(0, 255, (3, 4)).astype(np.uint8)
    state = {"fc.weight": codes, "fc.scale": np.full(3, 0.5), "fc.zero_point": np.array([128, 100, 7])}
    np.testing.assert_array_equal(
        ef.as_network(state)[0].weight, (0.5 * (codes - np.array([[128.0], [100.0], [7.0]]))).T
    )


def test_scales_that_fit_no_way_are_refused():
    state = {"fc.weight": np.ones((6, 10), dtype=np.int8), "fc.weight_scale": np.ones((4, 3))}
    with pytest.raises(ValueError, match=r"'weight_scale' of the layer 'fc' must be one number, .* Got shape \(4, 3\)"):
        ef.as_network(state)
    # Two blocks of 192 rows are of 128 or of 96.
    state = {"fc.weight": np.ones((192, 8), dtype=np.int8), "fc.weight_scale": np.ones((2, 1))}
    with pytest.raises(ValueError, match="one for each block"):
        ef.as_network(state)
    # What a scale beside floating-point numbers means is not known.
    with pytest.raises(ValueError, match="beside a weight of type float64, and what that does to it is not known"):
        ef.as_network({"fc.weight": np.ones((3, 3)), "fc.weight_scale": np.ones(3)}, order=["fc"])


@pytest.mark.parametrize(
    "entries",
    [
        *(("qweight", "qzeros", "scales", "g_idx"), ("qweight", "scales"), ("weight_packed",)),
        *(("W_q", "scale", "zero"), ("weight._data", "weight._scale"), ("weight.int_data",), ("weight.CB",)),
    ],
)
def test_packed_codes_are_refused_by_name(entries):
    state = {f"fc.{entry}": np.ones((4, 4), dtype=np.int32) for entry in entries}
    for order in (None, ["fc"]):
        with pytest.raises(
            ValueError, match=r"The layer 'fc' is quantised.* Save its weights as floating-point numbers"
        ):
            ef.as_network(state, order=order)


def test_scales_that_are_codes_and_codes_that_may_be_packed():
    """Exponents of 8 bits stand for powers of 2; two codes of 4 bits fit into one of 8."""
    state = {"fc.weight": torch.ones(4, 64).to(torch.float8_e4m3fn), "fc.weight_scale": torch.full((4, 2), 127).byte()}
    with pytest.raises(ValueError, match=r"'weight_scale' of the layer 'fc' is of type uint8: a code itself"):
        ef.as_network(state)
    packed = {"fc.weight": np.ones((4, 32), dtype=np.uint8), "fc.scales": np.ones((4, 2)), "fc.zeros": np.ones((4, 2))}
    with pytest.raises(ValueError, match="two codes of 4 bits may be packed in each"):
        ef.as_network(packed, order=["fc"])


def test_four_bits_are_refused_by_name():
    state = {"fc.weight": np.ones((8, 1), dtype=np.uint8), "fc.weight.absmax": np.ones(1)}
    state["fc.weight.quant_state.bitsandbytes__nf4"] = np.ones(3, dtype=np.uint8)
    for order in (None, ["fc"]):
        with pytest.raises(ValueError, match="The layer 'fc' is quantised in 4 bits by bitsandbytes"):
            ef.as_network(state, order=order)


def test_integers_are_measured_and_said_to_be_so(capsys):
    state = {"fc.weight": np.arange(6, dtype=np.int8).reshape(2, 3)}
    ef.describe(state)
    assert "note on fc: The weights are stored as integers, and measured as they are" in capsys.readouterr().out
    report = ef.analyze(state, random_state=0)
    assert "integer weights" in report[0].flags
    assert "codes of a quantised layer" in report[0].meaning("integer weights")
    assert ef.as_network({"fc.weight": np.eye(3, dtype=bool)}).notes
    assert "integer weights" not in ef.analyze({"fc.weight": 1.0 * state["fc.weight"]}, random_state=0)[0].flags


# --- reparametrised layers -------------------------------------------------------------------------------------------


def _pruned():
    return nn.utils.prune.random_unstructured(nn.Linear(3, 4), "weight", 0.5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.utils.parametrizations.weight_norm(nn.Linear(3, 4)),
        lambda: nn.utils.parametrizations.spectral_norm(nn.Linear(3, 4)),
        lambda: nn.utils.parametrizations.orthogonal(nn.Linear(3, 4)),
        _pruned,
    ],
    ids=["weight norm", "spectral norm", "orthogonal", "pruned"],
)
def test_layers_that_are_stored_as_no_weight_are_told_by_name_and_their_modules_read(make):
    import torch.nn.utils.prune  # noqa: F401

    model = nn.Sequential(make(), nn.Tanh(), nn.Linear(4, 2)).eval()
    for order in (None, ["0", "2"]):
        with pytest.raises(ValueError, match=r"The layer '0' is .*, load the state dict and pass the module"):
            ef.as_network(model.state_dict(), order=order)
    network = ef.as_network(model)
    np.testing.assert_allclose(network[0].weight, model[0].weight.detach().numpy().T, atol=1e-6)
    assert ef.as_network(model.state_dict(), order=["2"]).skipped == [("0", "not in order")]


# --- batch norms -----------------------------------------------------------------------------------------------------


def trained(*modules):
    """Modules with a batch norm that has seen data, in double precision."""
    torch.manual_seed(0)
    model = nn.Sequential(*modules).double()
    for module in model:
        if isinstance(module, nn.BatchNorm1d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    for _ in range(20):
        model(3 * torch.randn(64, 4, dtype=torch.float64) + 1)
    return model.eval()


def state_of(model, *parts):
    return {
        f"{name}.{key}": value.numpy()
        for name, module in zip(parts, model, strict=True)
        for key, value in module.state_dict().items()
    }


def forward(network, x):
    for layer in network:
        x = layer(x)
    return x


def test_where_a_batch_norm_stands_is_asked_for_and_both_places_are_right():
    x = torch.randn(50, 4, dtype=torch.float64)
    behind = trained(nn.Linear(4, 6), nn.Tanh(), nn.BatchNorm1d(6), nn.Linear(6, 3))
    before = trained(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))
    for model, parts, place in (
        (behind, ("fc1", "act", "bn", "fc2"), "after"),
        (before, ("fc1", "bn", "act", "fc2"), "before"),
    ):
        state = state_of(model, *parts)
        options = {"order": ["fc1", "bn", "fc2"], "activation": ["tanh", "linear"]}
        with pytest.raises(ValueError, match=r"'bn' stands before or after the activation of 'fc1' cannot be told"):
            ef.as_network(state, **options)
        for given in (place, {"bn": place}):
            network = ef.as_network(state, **options, norm_place=given)
            np.testing.assert_allclose(forward(network, x.numpy()), model(x).detach().numpy(), atol=1e-12)
        assert any("eps=1e-05" in note for _, note in network.notes)
        other = {"before": "after", "after": "before"}[place]
        wrong = ef.as_network(state, **options, norm_place=other)
        assert np.abs(forward(wrong, x.numpy()) - model(x).detach().numpy()).max() > 0.1


def test_numbers_of_a_sequential_tell_what_stands_right_behind():
    x = torch.randn(50, 4, dtype=torch.float64)
    model = trained(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))
    network = ef.as_network(model.state_dict(), order=["0", "1", "3"], activation=["tanh", "linear"])
    np.testing.assert_allclose(forward(network, x.numpy()), model(x).detach().numpy(), atol=1e-12)
    behind = trained(nn.Linear(4, 6), nn.Tanh(), nn.BatchNorm1d(6), nn.Linear(6, 3))
    with pytest.raises(ValueError, match="Give norm_place='before' or norm_place='after'"):
        ef.as_network(behind.state_dict(), order=["0", "2", "3"], activation=["tanh", "linear"])


def test_other_numbers_tell_nothing_and_nested_norms_are_known():
    model = trained(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))
    with pytest.raises(ValueError, match="cannot be told from the weights"):
        ef.as_network(
            state_of(model, "layer1", "layer2", "act", "layer3"),
            order=["layer1", "layer2", "layer3"],
            activation="tanh",
        )
    nested = {name: dict(part.state_dict()) for name, part in zip(("fc1", "bn", "act", "fc2"), model, strict=True)}
    options = {"order": ["fc1", "bn", "fc2"], "activation": ["tanh", "linear"], "norm_place": "before"}
    x = torch.randn(50, 4, dtype=torch.float64)
    network = ef.as_network({name: part for name, part in nested.items() if part}, **options)
    np.testing.assert_allclose(forward(network, x.numpy()), model(x).detach().numpy(), atol=1e-12)


def test_an_eps_of_ones_own(capsys):
    x = torch.randn(50, 4, dtype=torch.float64)
    model = trained(nn.Linear(4, 6), nn.BatchNorm1d(6, eps=0.1), nn.Tanh(), nn.Linear(6, 3))
    options = {"order": ["0", "1", "3"], "activation": ["tanh", "linear"]}
    network = ef.as_network(model.state_dict(), **options, norm_eps=0.1)
    np.testing.assert_allclose(forward(network, x.numpy()), model(x).detach().numpy(), atol=1e-12)
    ef.describe(model.state_dict(), **options, norm_eps=0.1)
    assert "note on 0: batch norm '1' taken in before the activation, eps=0.1" in capsys.readouterr().out
    with pytest.raises(ValueError, match="'norm_eps' parameter of as_network"):
        ef.as_network(model.state_dict(), **options, norm_eps=-1.0)


def test_a_place_of_no_batch_norm_is_refused():
    """A slip in a name: the numbers would decide instead."""
    model = trained(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))
    with pytest.raises(ValueError, match=r"names '2', which is no batch norm in order=\. Those are '1'\. Leave it out"):
        ef.as_network(model.state_dict(), order=["0", "1", "3"], activation="tanh", norm_place={"2": "after"})


def test_a_batch_norm_that_nothing_follows():
    model = trained(nn.Linear(4, 6), nn.Tanh(), nn.BatchNorm1d(6))
    with pytest.raises(ValueError, match=r"'2' stands last, after an activation.* Leave it out of order="):
        ef.as_network(model.state_dict(), order=["0", "2"], activation="tanh", norm_place="after")
    assert len(ef.as_network(model.state_dict(), order=["0"], activation="tanh")) == 1


def test_two_batch_norms_in_a_row():
    x = torch.randn(50, 4, dtype=torch.float64)
    model = trained(nn.Linear(4, 6), nn.Tanh(), nn.BatchNorm1d(6), nn.BatchNorm1d(6), nn.Linear(6, 3))
    options = {"order": ["0", "2", "3", "4"], "activation": ["tanh", "linear"], "norm_place": "after"}
    network = ef.as_network(model.state_dict(), **options)
    np.testing.assert_allclose(forward(network, x.numpy()), model(x).detach().numpy(), atol=1e-12)
    assert network.notes == [("4", "batch norm '2, 3' of its inputs taken in, eps=1e-05")]


# --- tied weights, layouts -------------------------------------------------------------------------------------------


class Tied(nn.Module):
    """An encoder and a decoder of one weight."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.third = nn.Linear(3, 3, bias=False), nn.Linear(3, 3), nn.Linear(3, 3, bias=False)
        self.third.weight = self.first.weight


def test_tied_weights_that_a_file_keeps_once_are_put_back(tmp_path):
    model = Tied()
    save_model(model, str(tmp_path / "tied.safetensors"))
    network = ef.as_network(tmp_path / "tied.safetensors", order=["first", "second", "third"])
    for layer, module in zip(network, (model.first, model.second, model.third), strict=True):
        np.testing.assert_array_equal(layer.weight, module.weight.detach().double().numpy().T)


def gpt2(bias=True):
    """GPT-2's layers, stored as (n_in, n_out); the square one does not tell that by itself."""
    shapes = {"h.0.attn.c_proj": (4, 4), "h.0.mlp.c_fc": (4, 16), "h.0.mlp.c_proj": (16, 4)}
    state = {f"{name}.weight": RNG.normal(size=shape) for name, shape in shapes.items()}
    return state | ({f"{name}.bias": RNG.normal(size=shape[1]) for name, shape in shapes.items()} if bias else {})


def test_the_layout_that_biases_tell_is_that_of_the_whole_file(tmp_path):
    state = gpt2()
    save_file(state, tmp_path / "gpt2.safetensors")
    order = ["h.0.attn.c_proj", "h.0.mlp.c_fc", "h.0.mlp.c_proj"]
    for source in (state, tmp_path / "gpt2.safetensors"):
        network = ef.as_network(source, order=order)
        for layer, name in zip(network, order, strict=True):
            np.testing.assert_array_equal(layer.weight, state[f"{name}.weight"])


def test_a_layer_without_a_bias_says_what_told_its_layout():
    """A head of GPT-2 may be stored otherwise than its blocks, and nothing in the file says so."""
    network = ef.as_network(gpt2() | {"score.weight": RNG.normal(size=(4, 2))}, order=["h.0.attn.c_proj", "score"])
    assert "as the bias of 'h.0.mlp.c_fc' tells; it has none" in dict(network.notes)["score"]
    assert "h.0.attn.c_proj" not in dict(network.notes)


def test_a_layout_can_be_given():
    state = {"a.weight": RNG.normal(size=(3, 3)), "b.weight": RNG.normal(size=(3, 3))}
    np.testing.assert_array_equal(ef.as_network(state)[0].weight, state["a.weight"].T)
    np.testing.assert_array_equal(ef.as_network(state, layout="out_in")[0].weight, state["a.weight"].T)
    np.testing.assert_array_equal(ef.as_network(state, layout="in_out")[0].weight, state["a.weight"])
    np.testing.assert_array_equal(
        ef.as_network({"w0": state["a.weight"]}, layout="out_in")[0].weight, state["a.weight"].T
    )
    with pytest.raises(ValueError, match="'layout' parameter of as_network must be one of 'out_in', 'in_out'"):
        ef.as_network(state, layout="torch")


def test_biases_that_contradict_each_other():
    state = {"a.weight": np.ones((3, 4)), "a.bias": np.ones(3), "b.weight": np.ones((3, 5)), "b.bias": np.ones(5)}
    with pytest.raises(
        ValueError, match=r"The bias of 'a' fits a weight of \(n_out, n_in\), that of 'b' .* Give layout="
    ):
        ef.as_network(state)
    assert ef.as_network(state, order=["b"], layout="in_out")[0].n_in == 3


# --- what stands beside ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "name"),
    [
        ({"fc.weight": np.ones((3, 3)), "fc_scale": np.array(0.01)}, "fc"),
        ({"fc.weight": np.ones((3, 3)), "scales.fc": np.array(0.01)}, "fc"),
        ({"fc.weight": np.ones((3, 3)), "masks.fc": np.eye(3)}, "fc"),
        ({"fc.weight": np.ones((3, 3)), "mask_fc": np.eye(3)}, "fc"),
        ({"net.fc.weight": np.ones((3, 3)), "net.mask_fc": np.eye(3)}, "net.fc"),
        ({"Dense_0": {"kernel": np.eye(3)}, "WeightNorm_0": {"Dense_0/kernel/scale": np.ones(3)}}, "Dense_0"),
    ],
)
@pytest.mark.parametrize("with_order", [False, True])
def test_what_stands_elsewhere_and_is_called_after_a_layer_acts_on_it(state, name, with_order):
    with pytest.raises(ValueError, match=f"layer {name!r}.* what (it does to the layer|that does to it) is not known"):
        ef.as_network(state, order=[name] if with_order else None)


def test_a_number_called_w0_is_no_layer():
    state = {**linears(2, 3, 2), "w0": 1.5}
    with pytest.raises(ValueError, match=r"Got 'w0' instead, which belongs to none\. Candidates are fc1"):
        ef.as_network(state)
    assert len(ef.as_network(state, order=["fc1", "fc2"])) == 2


def test_no_candidates_are_never_advised():
    for state in ({"scale": np.ones(3)}, {"rnn.weight_ih_l0": np.ones((4, 4))}, {"a.b": np.ones((2, 2))}):
        for order in (None, ["fc"]):
            with pytest.raises(ValueError, match=r"no dense layer|must hold w0, w1") as error:
                ef.as_network(state, order=order)
            assert "none. Give order" not in str(error.value)
            assert "order=[]" not in str(error.value)


def test_nothing_that_an_index_adds_is_lost(tmp_path):
    """An entry in the header's own words is no weight."""
    state = linears(2, 3, 2)
    save_file(state, tmp_path / "net.safetensors", metadata={"format": "pt", "about": json.dumps({"a": 1})})
    assert names(ef.as_network(tmp_path / "net.safetensors")) == ["fc1", "fc2"]
