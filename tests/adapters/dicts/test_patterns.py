"""Patterns over the names of layers: only those that fit are read."""

import numpy as np
import pytest
import torch
from torch import nn

import ei_fast as ef

RNG = np.random.default_rng(2)
STATE = {
    f"model.layers.{k}.{name}.weight": RNG.normal(size=shape)
    for k in range(3)
    for name, shape in {"attn.q_proj": (4, 4), "mlp.up": (8, 4), "mlp.down": (4, 8)}.items()
}
MLP = [f"model.layers.{k}.mlp.{name}" for k in range(3) for name in ("up", "down")]


def names(network):
    return [layer.name for layer in network]


@pytest.mark.parametrize(
    "layers",
    [
        *("*.mlp.*", ["*.mlp.*"], "*mlp*", ("*.up", "*.down"), ["*.mlp.up", "*.mlp.up", "*.mlp.down"]),
        *("model.layers.[0-2].mlp.*", "model.layers.?.mlp.*", "*.mlp.*.weight", MLP),
    ],
)
def test_only_what_fits_is_read(layers):
    for chain in (True, False):
        network = ef.as_network(STATE, chain=chain, layers=layers)
        assert names(network) == MLP
        assert network.skipped == [(f"model.layers.{k}.attn.q_proj", "not in layers=") for k in range(3)]
        for layer in network:
            np.testing.assert_array_equal(layer.weight, STATE[f"{layer.name}.weight"].T)


def test_what_is_chosen_chains_by_itself():
    state = {"a.fc1.weight": np.ones((3, 2)), "a.fc2.weight": np.ones((4, 3)), "b.weight": np.ones((7, 9))}
    with pytest.raises(ValueError, match="b"):
        ef.as_network(state)
    network = ef.as_network(state, layers="a.*")
    assert names(network) == ["a.fc1", "a.fc2"]
    assert not network.restarts
    assert names(ef.as_network(state, layers="a.*", order=["a.fc2"])) == ["a.fc2"]
    with pytest.raises(ValueError, match="names 'b', which is no dense layer here"):
        ef.as_network(state, layers="a.*", order=["b"])


def test_one_network_of_several_is_chosen():
    state = {f"{role}.fc{k}.weight": RNG.normal(size=(3, 3)) for role in ("online", "target") for k in (1, 2)}
    assert names(ef.as_network(state, layers="target.*")) == ["target.fc1", "target.fc2"]
    assert names(ef.as_network(state, prefix="target", layers="fc1")) == ["fc1"]


def test_what_belongs_to_a_layer_goes_with_it():
    codes, scale = np.ones((3, 2), np.int8), np.full((3, 1), 0.5)
    state = {"a.weight": codes, "a.weight_scale": scale, "a.bias": np.ones(3), "b.weight": np.ones((5, 7))}
    network = ef.as_network(state, layers="a")
    np.testing.assert_array_equal(network[0].weight, np.full((2, 3), 0.5))
    np.testing.assert_array_equal(network[0].bias, np.ones(3))
    normed = {"fc.weight": np.ones((3, 2)), "bn.running_mean": np.zeros(3), "bn.running_var": np.full(3, 4.0)}
    network = ef.as_network(
        normed | {"c.weight": np.ones((5, 7))}, layers=["fc", "bn"], order=["fc", "bn"], norm_place="before", norm_eps=0
    )
    np.testing.assert_array_equal(network[0].weight, np.full((2, 3), 0.5))


def test_activations_that_the_dict_states_stay_with_their_layers():
    state = {f"w{k}": np.ones((2, 2)) for k in range(3)} | {"activation": np.array(["relu", "tanh", "elu"])}
    assert [layer.activation_name for layer in ef.as_network(state, layers="layer[12]")] == ["tanh", "elu"]


@pytest.mark.parametrize(
    ("layers", "close"),
    [
        ("*.mpl.*", "There are|Names like it are"),
        ("model.layers.0.mlp.upp", "Names like it are 'model.layers.0.mlp.up'"),
        ("mlp", r"Names like it are 'model.layers.0.mlp.up', .* Give layers='\*mlp\*'"),
        ("MODEL.LAYERS.0.MLP.UP", "Names like it are 'model.layers.0.mlp.up'"),
        (["*.mlp.*", "nothing"], "has 'nothing', which fits the name of no layer here. There are"),
    ],
)
def test_a_pattern_that_fits_nothing_is_refused_with_names_that_do(layers, close):
    for chain in (True, False):
        with pytest.raises(ValueError, match=close):
            ef.as_network(STATE, chain=chain, layers=layers)


def test_names_with_brackets_are_their_own_patterns():
    state = {"a[0].weight": np.ones((3, 2)), "a0.weight": np.ones((4, 3))}
    assert names(ef.as_network(state, layers="a[0]")) == ["a[0]", "a0"]


def test_the_option_is_checked():
    for wrong in (3, [3], {"a": 1}, b"a"):
        with pytest.raises(TypeError, match="'layers' parameter of as_network must be a pattern of names"):
            ef.as_network(STATE, layers=wrong)
    for wrong in ("", [], [""]):
        with pytest.raises(ValueError, match="one is empty"):
            ef.as_network(STATE, layers=wrong)
    for model in (np.eye(2), nn.Linear(2, 2)):
        with pytest.raises(ValueError, match="'layers' parameter of as_network is for dicts and files of weights"):
            ef.as_network(model, layers="*")


def test_functions_that_read_models_take_it():
    state = {key: torch.tensor(value) for key, value in STATE.items()}
    quick = {"random_state": 0, "tol": 0.5, "layers": "model.layers.1.mlp.*"}
    report = ef.analyze(state, **quick)
    assert [layer.name for layer in report] == ["model.layers.1.mlp.up", "model.layers.1.mlp.down"]
    estimator = ef.EffectiveInformation(random_state=0, tol=0.5)
    assert str(estimator.fit(state, layers="model.layers.1.mlp.*").report_) == str(report)
    recorder = ef.Recorder(estimator, layers="*.up", chain=False)
    recorder.record(state, step=0)
    assert recorder.trajectory_.layers == tuple(f"model.layers.{k}.mlp.up" for k in range(3))
