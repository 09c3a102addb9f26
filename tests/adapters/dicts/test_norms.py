"""Batch norms of PyTorch in dicts: where they stand is told or asked for."""

import numpy as np
import pytest
import torch
from networks import through
from torch import nn

import ei_fast as ef


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
            np.testing.assert_allclose(through(network, x.numpy()), model(x).detach().numpy(), atol=1e-12)
        assert any("eps=1e-05" in note for _, note in network.notes)
        other = {"before": "after", "after": "before"}[place]
        wrong = ef.as_network(state, **options, norm_place=other)
        assert np.abs(through(wrong, x.numpy()) - model(x).detach().numpy()).max() > 0.1


def test_numbers_of_a_sequential_tell_what_stands_right_behind():
    x = torch.randn(50, 4, dtype=torch.float64)
    model = trained(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 3))
    network = ef.as_network(model.state_dict(), order=["0", "1", "3"], activation=["tanh", "linear"])
    np.testing.assert_allclose(through(network, x.numpy()), model(x).detach().numpy(), atol=1e-12)
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
    np.testing.assert_allclose(through(network, x.numpy()), model(x).detach().numpy(), atol=1e-12)


def test_an_eps_of_ones_own(capsys):
    x = torch.randn(50, 4, dtype=torch.float64)
    model = trained(nn.Linear(4, 6), nn.BatchNorm1d(6, eps=0.1), nn.Tanh(), nn.Linear(6, 3))
    options = {"order": ["0", "1", "3"], "activation": ["tanh", "linear"]}
    network = ef.as_network(model.state_dict(), **options, norm_eps=0.1)
    np.testing.assert_allclose(through(network, x.numpy()), model(x).detach().numpy(), atol=1e-12)
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
    np.testing.assert_allclose(through(network, x.numpy()), model(x).detach().numpy(), atol=1e-12)
    assert network.notes == [("4", "batch norm '2, 3' of its inputs taken in, eps=1e-05")]
