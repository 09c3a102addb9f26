"""Dicts of weights that hold several networks, which feed each other or do not."""

import numpy as np
import pytest
from networks import names_of
from state_dicts import linears

import ei_fast as ef

RNG = np.random.default_rng(0)


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
    assert names_of(chosen)[0].endswith("fc1")
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
        assert all(name.startswith(role) for name in names_of(ef.as_network(state)))


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
    assert names_of(ef.as_network({f"{name}.weight": np.eye(4) for name in names_})) == list(names_)


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
