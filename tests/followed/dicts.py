"""Remedies of dicts of weights and of the names of layers, followed."""

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import nn

import ei_fast as ef
from followed import follows, literal

RNG = np.random.default_rng(0)


def _layers(network):
    return [layer.name for layer in network]


def _linears(**shapes):
    return {f"{name}.weight": RNG.normal(size=shape) for name, shape in shapes.items()}


@follows("Give prefix={} or prefix={} to read one of them; or order=, the names of the layers of one network in order.")
def _(said):
    one, other = _linears(fc1=(4, 3), fc2=(3, 4)), _linears(fc1=(4, 3), fc2=(3, 4))
    state = {f"online.{key}": value for key, value in one.items()}
    state |= {f"target.{key}": value for key, value in other.items()}
    message = said.refused(ef.as_network, state)
    prefixes = [literal(message, before) for before in ("Give prefix=", " or prefix=")]
    for prefix, weights in zip(prefixes, (one, other), strict=True):
        network = ef.as_network(state, prefix=prefix)
        np.testing.assert_array_equal(network[0].weight, weights["fc1.weight"].T)
    twice = {f"{role}/{key}": value for role in ("student", "teacher") for key, value in state.items()}
    prefix = literal(said.refused(ef.as_network, twice), "Give prefix=")
    prefix = literal(said.refused(ef.as_network, twice, prefix=prefix), " or prefix=")
    np.testing.assert_array_equal(ef.as_network(twice, prefix=prefix)[0].weight, other["fc1.weight"].T)
    order = ["target.fc1", "target.fc2"]
    assert _layers(ef.as_network(state, order=order)) == order


@follows("do not feed each other. Give order={}, or other names of layers that do, in order.")
def _(said):
    state = {f"attention.{part}_proj.weight": np.eye(4) for part in "qkv"}
    message = said.refused(ef.as_network, state)
    order = literal(message, "Give order=")
    assert _layers(ef.as_network(state, order=order)) == order
    others = ["attention.v_proj"]
    assert _layers(ef.as_network(state, order=others)) == others
    alone = ef.as_network(state, chain=literal(message, "With chain="))
    assert _layers(alone) == [f"attention.{part}_proj" for part in "qkv"]


def _with_an_adapter(**further):
    state = {"fc1.base_layer.weight": RNG.normal(size=(5, 4)), "fc2.weight": RNG.normal(size=(4, 5))}
    state |= {"fc1.lora_A.weight": RNG.normal(size=(2, 4)), "fc1.lora_B.weight": RNG.normal(size=(5, 2))}
    return state | further


@follows("Merge it into the weights (model.merge_and_unload() of PEFT does so), and give what that model's")
def _(said):
    state = _with_an_adapter()
    said.refused(ef.as_network, state)
    # What merge_and_unload does, and the names that its state dict has.
    merged = state["fc1.base_layer.weight"] + 3.0 / 2 * state["fc1.lora_B.weight"] @ state["fc1.lora_A.weight"]
    network = ef.as_network({"fc1.weight": merged, "fc2.weight": state["fc2.weight"]})
    np.testing.assert_array_equal(network[0].weight, merged.T)


@follows("Got {} and {} instead. Merge the adapter before, as PEFT's model.merge_and_unload() does.")
def _(said):
    state = _with_an_adapter(**{"fc1.alpha": np.array(3.0)})
    wrong = state | {"fc1.lora_A.weight": state["fc1.lora_A.weight"].T}
    said.refused(ef.as_network, wrong)
    merged = state["fc1.base_layer.weight"] + 1.5 * state["fc1.lora_B.weight"] @ wrong["fc1.lora_A.weight"].T
    network = ef.as_network({"fc1.weight": merged, "fc2.weight": state["fc2.weight"]})
    np.testing.assert_allclose(network[0].weight, ef.as_network(state)[0].weight, atol=1e-12)


@follows("Build the model, load the state dict and pass the module")
def _(said):
    def built():
        normed = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))
        return nn.Sequential(normed, nn.Tanh(), nn.Linear(4, 2)).eval()

    trained, model = built(), built()
    state = trained.state_dict()
    said.refused(ef.as_network, state)
    model.load_state_dict(state)
    np.testing.assert_allclose(ef.as_network(model)[0].weight, trained[0].weight.detach().numpy().T, atol=1e-6)


@follows("Save its weights as floating-point numbers")
def _(said):
    packed = {"fc.qweight": np.ones((4, 4), np.int32), "fc.scales": np.ones((1, 4))}
    said.refused(ef.as_network, packed)
    np.savez(said.folder / "net.npz", **{"fc.weight": np.ones((4, 4), np.float32)})
    assert _layers(ef.as_network(said.folder / "net.npz")) == ["fc"]


@follows("and what it does to the layer is not known. Pass the module, or leave the entry out of the dict if it does")
def _(said):
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    model[0].register_buffer("seen", torch.ones(4))
    state = model.state_dict()
    said.refused(ef.as_network, state)
    assert len(ef.as_network(model)) == 2
    assert _layers(ef.as_network({key: value for key, value in state.items() if key != "0.seen"})) == ["0", "2"]


@follows("and what that does to it is not known. Pass the module, or leave what does nothing out of the dict.")
def _(said):
    model = nn.Sequential(nn.Linear(3, 3))
    model[0].register_buffer("weight_scale", torch.ones(3))
    state = model.state_dict()
    said.refused(ef.as_network, state)
    assert len(ef.as_network(model)) == 1
    assert _layers(ef.as_network({key: value for key, value in state.items() if key != "0.weight_scale"})) == ["0"]


@follows("Give layout='out_in' or layout='in_out', and order= with the layers that are stored so.")
def _(said):
    state = {"a.weight": np.ones((3, 4)), "a.bias": np.ones(3), "b.weight": np.ones((3, 5)), "b.bias": np.ones(5)}
    message = said.refused(ef.as_network, state)
    for layout, order, n_in in (
        (literal(message, "Give layout="), ["a"], 4),
        (literal(message, " or layout="), ["b"], 3),
    ):
        assert ef.as_network(state, layout=layout, order=order)[0].n_in == n_in


def _normed(*further):
    norm = {"bn.running_mean": RNG.normal(size=4), "bn.running_var": np.full(4, 4.0)}
    return _linears(fc1=(4, 3)) | norm | _linears(**dict.fromkeys(further, (2, 4)))


@follows("Give norm_place='before' or norm_place='after'; or one for each, as norm_place={}.")
def _(said):
    state, order = _normed("fc2"), ["fc1", "bn", "fc2"]
    message = said.refused(ef.as_network, state, order=order)
    before, after, each = (
        literal(message, word) for word in ("Give norm_place=", " or norm_place=", ", as norm_place=")
    )
    assert each == {"bn": "after"}
    networks = [ef.as_network(state, order=order, norm_place=place) for place in (before, after, each)]
    np.testing.assert_allclose(networks[0][0].weight, 0.5 * state["fc1.weight"].T, rtol=1e-5)
    np.testing.assert_array_equal(networks[1][0].weight, state["fc1.weight"].T)
    np.testing.assert_array_equal(networks[1][1].weight, networks[2][1].weight)
    # Of several each message keeps what was said of those before.
    state |= {"bn2.running_mean": RNG.normal(size=2), "bn2.running_var": np.ones(2), "fc3.weight": np.ones((1, 2))}
    order, places = [*order, "bn2", "fc3"], None
    for _ in range(2):
        places = literal(said.refused(ef.as_network, state, order=order, norm_place=places), ", as norm_place=")
    assert list(places) == ["bn", "bn2"]
    assert len(ef.as_network(state, order=order, norm_place=places)) == 3


@follows("Leave it out of order=, and the outputs of the activation are measured.")
def _(said):
    state = _normed()
    said.refused(ef.as_network, state, order=["fc1", "bn"], activation="tanh", norm_place="after")
    network = ef.as_network(state, order=["fc1"], activation="tanh", norm_place="after")
    np.testing.assert_array_equal(network[0].weight, state["fc1.weight"].T)


# Names that a user gives


@follows(
    "{}. Got {} instead. Give a list of them.",
    "{}. Got {} among them. Give a string for each layer.",
    "{}. Got {} among them. Give each layer a name that is not empty.",
    "{}. Got {} twice. Give each layer a name of its own.",
    "{}. Got {} names for {} layers. Give one for each of {}, in this order.",
)
def _(said):
    weights = [np.eye(2), np.eye(2)]
    for names in ("first", ["first", 2], ["first", ""], ["first", "first"], ["first"]):
        said.refused(ef.as_network, weights, names=names)
    assert "Give one for each of 'layer0', 'layer1'" in said.messages[-1]
    assert _layers(ef.as_network(weights, names=["first", "second"])) == ["first", "second"]


@follows("Leave it out of norm_place=, or name one of these.")
def _(said):
    state = {**_linears(fc1=(3, 2), fc2=(2, 3)), "bn.running_mean": np.zeros(3), "bn.running_var": np.ones(3)}
    given = {"order": ["fc1", "bn", "fc2"], "activation": "tanh"}
    said.refused(ef.as_network, state, **given, norm_place={"bn": "after", "bn2": "before"})
    assert len(ef.as_network(state, **given, norm_place={"bn": "after"})) == 2


@follows("Give order={} or order={} to read one of them; or all of them in the order in which they feed each other, if")
def _(said):
    state = {f"fc{k}.{word}.weight": RNG.normal(size=(4, 4)) for word in ("net", "ema") for k in (1, 2)}
    message = said.refused(ef.as_network, state)
    for before, word in (("Give order=", "net"), (" or order=", "ema")):
        network = ef.as_network(state, order=literal(message, before))
        assert _layers(network) == [f"fc1.{word}", f"fc2.{word}"]
    assert len(ef.as_network(state, order=[key.removesuffix(".weight") for key in state])) == 4


@follows(" Put the batch norm {} into it, after one of {}: the order of the entries does not tell after which.")
def _(said):
    shapes = {"body": (4, 4), "hidden": (4, 3), "out": (3, 4)}
    state = {f"net.{name}.kernel": RNG.normal(size=shape) for name, shape in shapes.items()}
    state |= {f"net.bn.{part}": np.ones(4) for part in ("gamma", "beta", "moving_mean", "moving_variance")}
    save_file(state, said.folder / "net.safetensors")
    message = said.refused(ef.as_network, said.folder / "net.safetensors")
    order, norm = literal(message, "Give order="), literal(message, "Put the batch norm ")
    assert norm not in order
    after = literal(message, "into it, after one of ")
    order.insert(order.index(after) + 1, norm)
    network = ef.as_network(said.folder / "net.safetensors", order=order, norm_place="before")
    np.testing.assert_allclose(network[order.index(norm) - 1].weight, state[f"{after}.kernel"] / np.sqrt(1.001))


@follows("Give the whole of the variables, as {'params': ..., 'batch_stats': ...} of Flax or all weights of a Keras")
def _(said):
    params = {"Dense_0": {"kernel": np.eye(3)}, "BatchNorm_0": {"scale": np.full(3, 2.0)}}
    seen = {"BatchNorm_0": {"mean": np.zeros(3), "var": np.ones(3)}}
    said.refused(ef.as_network, params)
    order = ["Dense_0", "BatchNorm_0"]
    whole = ef.as_network({"params": params, "batch_stats": seen}, "linear", order=order, norm_eps=0.0)
    np.testing.assert_array_equal(whole[0].weight, 2 * np.eye(3))
    assert ef.as_network(params, order=["Dense_0"]).skipped == [("BatchNorm_0", "not in order")]


@follows("are of two networks, as their names say. Give order=, the names of the layers of one network in order.")
def _(said):
    state = {f"{name}.weight": np.eye(3) for name in ("policy_fc", "value_fc")}
    said.refused(ef.as_network, state)
    assert _layers(ef.as_network(state, order=["value_fc"])) == ["value_fc"]


@follows("A state dict must be nested less deeply than {} levels. Save model.state_dict() instead.")
def _(said):
    model = nn.Linear(3, 2)
    nested = model.state_dict()
    for _ in range(70):
        nested = {"again": nested, "number": torch.ones(1)}
    path = said.folder / "net.pt"
    torch.save(nested, path)
    said.refused(ef.as_network, path)
    torch.save(model.state_dict(), path)
    assert len(ef.as_network(path)) == 1


@follows("they are not its weights; save it as floating-point numbers.")
def _(said):
    codes, scale = np.arange(-4, 5, dtype=np.int8).reshape(3, 3), 0.1
    assert "integer weights" in said.flagged({"fc.weight": codes}, random_state=0)[0].flags
    assert "integer weights" not in ef.analyze({"fc.weight": scale * codes}, random_state=0)[0].flags


@follows("names those that are to be measured.")
def _(said):
    state = _linears(fc1=(4, 3), fc2=(3, 4))
    said.refused(ef.as_network, state, chain=False, order=["fc2"])
    assert _layers(ef.as_network(state, order=["fc2"])) == ["fc2"]
    assert _layers(ef.as_network(state, chain=False)) == ["fc1", "fc2"]
    assert _layers(ef.as_network(state, chain=False, layers=["fc2"])) == ["fc2"]


@follows("Give layers={}, or another pattern: * stands for anything, dots and slashes included.")
def _(said):
    state = _linears(**{"encoder.fc1": (4, 3), "encoder.fc2": (3, 4), "head": (2, 3)})
    pattern = literal(said.refused(ef.as_network, state, layers="encoder"), "Give layers=")
    assert _layers(ef.as_network(state, layers=pattern)) == ["encoder.fc1", "encoder.fc2"]
    near = literal(said.refused(ef.as_network, state, layers="encoder.fx1"), "Give layers=")
    assert _layers(ef.as_network(state, layers=near, chain=False)) == ["encoder.fc1"]


@follows("of which one is empty. Give names, or leave it out.")
def _(said):
    state = _linears(fc1=(4, 3), fc2=(3, 4))
    for wrong in ("", [], ["fc1", " "]):
        said.refused(ef.as_network, state, layers=wrong)
    assert len(ef.as_network(state, layers=["fc1"])) == 1
    assert len(ef.as_network(state)) == 2


def _reason(network, name):
    return dict(network.skipped)[name]


@follows("Give layers={} and layout='in_out' to measure it as a layer {} -> {} all the same, or layout='out_in' as")
def _(said):
    state = _linears(embed=(50, 4), fc=(3, 4))
    message = _reason(ef.as_network(state, chain=False), "embed")
    said.messages.append(message)
    name, first, second = (literal(message, word) for word in ("Give layers=", " and layout=", ", or layout="))
    for layout, (n_in, n_out) in ((first, (50, 4)), (second, (4, 50))):
        (layer,) = ef.as_network(state, chain=False, layers=name, layout=layout)
        assert (layer.n_in, layer.n_out) == (n_in, n_out)
        assert f"{n_in} -> {n_out}" in message


@follows("whether it is (n_out, n_in) or (n_in, n_out). Give layers={} and layout='out_in' or layout='in_out' to")
def _(said):
    state = _linears(fc=(3, 4)) | {"proj": RNG.normal(size=(4, 5))}
    message = _reason(ef.as_network(state, chain=False), "proj")
    said.messages.append(message)
    name, first, second = (literal(message, word) for word in ("Give layers=", " and layout=", " or layout="))
    for layout, n_in in ((first, 5), (second, 4)):
        assert [one.n_in for one in ef.as_network(state, chain=False, layers=name, layout=layout)] == [n_in]


@follows("Pass the model, or a dict or file that holds such weights.")
def _(said):
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
    state = model.state_dict()
    only = {key: value for key, value in state.items() if key.startswith("0.")}
    said.refused(ef.as_network, only, chain=False)
    assert len(ef.as_network(model, input_shape=(1, 4, 4))) == 2
    assert _layers(ef.as_network(state, chain=False)) == ["2"]
