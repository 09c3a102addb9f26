"""Samples and times that are rows of one product, and lengths that are not guessed."""

import copy

import numpy as np
import pytest
import torch
from models import Does
from networks import activations_of, names_of
from torch import nn

import ei_fast as ef


class Conv1D(nn.Module):
    """As Hugging Face's: the samples of a batch and their times are the rows of one product."""

    def __init__(self, n_out, n_in):
        super().__init__()
        self.n_out = n_out
        self.weight, self.bias = nn.Parameter(torch.randn(n_in, n_out)), nn.Parameter(torch.randn(n_out))

    def forward(self, x):
        product = torch.addmm(self.bias, x.view(-1, x.size(-1)), self.weight)
        return product.view(*x.size()[:-1], self.n_out)


def _by_time(net, model, *shape):
    """The chain, time by time, against the model on samples (time, width)."""
    x = np.random.default_rng(1).uniform(-2, 2, (9, *shape))
    y = x.reshape(-1, shape[-1])
    for layer in net:
        y = layer(y)
    with torch.no_grad():
        expected = copy.deepcopy(model).double().eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(y.reshape(expected.shape), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("shape", [(4,), (5, 4), (3, 5, 4)])
def test_a_product_over_samples_and_times_stands_in_one_place(shape):
    model = nn.Sequential(Conv1D(8, 4), nn.Tanh(), Conv1D(3, 8))
    net = ef.as_network(model, input_shape=shape)
    assert names_of(net) == ["0", "2"]
    assert activations_of(net) == ["tanh", "linear"]
    assert not net.skipped
    assert not net.restarts
    _by_time(net, model, *shape)


def test_times_that_are_rows_are_normed_and_blocked_and_told_apart_again():
    def forward(s, x):
        y = s.norm(s.part(x.reshape(-1, 4)))
        return torch.softmax(s.out(y * torch.sigmoid(y)), -1).view(len(x), -1, 2)

    model = Does(
        forward, part=nn.Sequential(nn.Linear(4, 3), nn.Tanh()), norm=nn.BatchNorm1d(3), out=nn.Linear(3, 2)
    ).eval()
    for blocks in ([], ["part"]):
        net = ef.as_network(model, input_shape=(5, 4), blocks=blocks, verify=True)
        assert [(layer.n_in, layer.n_out) for layer in net] == [(4, 3), (3, 2)]
    # What is not known is none the less told apart.
    normed = Does(lambda s, x: s.b(s.n(s.a(x.flatten(0, 1)))).view(len(x), 5, 2), a=nn.Linear(4, 3), n=nn.LayerNorm(3))
    normed.b = nn.Linear(3, 2)
    assert [name for name, _ in ef.as_network(normed, input_shape=(5, 4)).skipped] == ["n"]
    # What goes from time to time is none of theirs.
    mixing = Does(lambda s, x: s.b(s.a(x.reshape(-1, 4)).cumsum(0)), a=nn.Linear(4, 3), b=nn.Linear(3, 2))
    net = ef.as_network(mixing, input_shape=(5, 4), verify=False)
    assert net.restarts == {1}
    assert "layer 'a' is measured without it" in dict(net.skipped)["cumsum"]


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(
            nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 2, 3), nn.AdaptiveAvgPool1d(15), nn.Flatten(), nn.Linear(30, 2)
        ),
        nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 1, 1), nn.ReLU(), nn.Flatten(), nn.Linear(7, 2)),
        nn.Sequential(nn.Conv1d(61, 2, 3, padding=1), nn.Linear(30, 2)),
        nn.Sequential(nn.Unflatten(1, (1, -1)), nn.ConvTranspose1d(1, 2, 1), nn.Flatten(), nn.Linear(14, 7)),
        nn.Sequential(nn.Conv1d(1, 2, 3, padding=1), nn.Flatten(), nn.Linear(30, 2)),
    ],
)
def test_no_length_of_a_sample_is_guessed_through_a_convolution(model):
    with pytest.raises(ValueError, match="Give input_shape=, the shape of one sample"):
        ef.as_network(model)


def test_a_length_that_is_told_before_a_convolution_is_taken():
    behind = nn.Sequential(nn.Linear(4, 6), nn.Unflatten(1, (1, 6)), nn.Conv1d(1, 2, 3), nn.Flatten(), nn.Linear(8, 2))
    assert names_of(ef.as_network(behind)) == ["0", "2", "4"]
    guessed = nn.Sequential(nn.Unflatten(1, (1, -1)), nn.Conv1d(1, 1, 1), nn.Flatten(), nn.Linear(7, 2))
    assert names_of(ef.as_network(guessed, input_shape=(7,))) == ["1", "3"]
