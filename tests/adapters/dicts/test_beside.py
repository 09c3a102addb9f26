"""What stands in a dict beside the layers of a network is skipped by name, or acts on them."""

import json

import numpy as np
import pytest
from networks import names_of
from safetensors.numpy import save_file
from state_dicts import linears
from torch import nn

import ei_fast as ef

RNG = np.random.default_rng(0)


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
    assert names_of(network) == ["fc1", "fc2"]
    assert network.skipped
    assert {reason for _, reason in network.skipped} == {"of its training, and no part of the network"}


def test_what_training_leaves_is_read_where_it_is_asked_for():
    state = {**linears(4, 4, 4), **linears(4, 4, 4, prefix="grad.")}
    np.testing.assert_array_equal(ef.as_network(state, prefix="grad")[0].weight, state["grad.fc1.weight"].T)
    assert names_of(ef.as_network(state, order=["grad.fc1", "grad.fc2"])) == ["grad.fc1", "grad.fc2"]
    assert len(ef.as_network(linears(4, 4, 4, prefix="grad."))) == 2
    with pytest.raises(ValueError, match="Got 'step' instead"):
        ef.as_network({**linears(4, 4, 4), "step": np.ones(4)})


def test_an_order_is_advised_in_which_no_layer_feeds_one_before_it():
    """Of a variational autoencoder its decoder was to feed its encoder."""
    widths = {"enc": (8, 4), "fc21": (4, 2), "fc22": (4, 2), "fc3": (2, 4), "fc4": (4, 8)}
    state = {f"{name}.weight": RNG.normal(size=shape[::-1]) for name, shape in widths.items()}
    with pytest.raises(ValueError, match=r"Layer 2 \('fc22'\) must take .*order=\['enc', 'fc21', 'fc3', 'fc4'\]"):
        ef.as_network(state)
    assert len(ef.as_network(state, order=["enc", "fc21", "fc3", "fc4"])) == 4


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
    assert names_of(ef.as_network(tmp_path / "net.safetensors")) == ["fc1", "fc2"]
