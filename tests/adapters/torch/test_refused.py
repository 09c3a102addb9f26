"""Models of PyTorch that cannot be measured are refused with what to do."""

import numpy as np
import pytest
import torch
from models import Does
from torch import nn

import ei_fast as ef


def test_not_a_number():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))
    with torch.no_grad():
        model[2].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="Layer '2' must be finite"):
        ef.as_network(model)


def test_what_the_model_raises_comes_through():
    class Refuses(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x):
            raise KeyError("not today")

    with pytest.raises(KeyError, match="not today") as raised:
        ef.as_network(Refuses())
    assert any("input_shape" in note for note in raised.value.__notes__)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (nn.ReLU(), TypeError, "no dense layer that tells what its inputs are. Give input_shape="),
        (nn.Conv2d(1, 2, 3), ValueError, "Give input_shape="),
        (
            Does(lambda s, x: torch.fft.fft(x).real, unused=nn.Linear(3, 4)),
            TypeError,
            "no dense layer or convolution that could be measured. It has .*fft",
        ),
        (nn.Linear(2, 2, dtype=torch.complex64), TypeError, "real numbers. Got 'weight', which is complex"),
        (torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), TypeError, "ScriptModule does not show what it does"),
    ],
)
def test_refused(model, error, message):
    with pytest.raises(error, match=message):
        ef.as_network(model)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"blocks": "0"}, TypeError, "'blocks' parameter must be a list of module names.* Got '0'"),
        ({"blocks": ["9"]}, ValueError, "Got '9', which the model does not have; it has 0, 1"),
        ({"blocks": {"1": (1, 0)}}, ValueError, r"blocks\['1'\]"),
        ({"input_shape": (0,)}, ValueError, "'input_shape' parameter of as_network must be integers >= 1"),
        ({"order": ["0"]}, ValueError, "'order' parameter of as_network is for dicts and files"),
        ({"in_range": (1, 1)}, ValueError, "in_range"),
    ],
)
def test_refused_options(options, error, message):
    with pytest.raises(error, match=message):
        ef.as_network(nn.Sequential(nn.Linear(4, 3), nn.Tanh()), **options)


def test_options_of_modules_are_refused_elsewhere():
    for options, whose in (
        ({"blocks": ["a"]}, "PyTorch and Keras"),
        ({"input_shape": (2,)}, "a framework that can be run"),
    ):
        with pytest.raises(ValueError, match=f"is for models of {whose}. Got it for ndarray"):
            ef.as_network(np.ones((2, 2)), **options)


def test_what_overflows_shows_nothing():
    model = Does(lambda s, x: torch.exp(s.a(x)), a=nn.Linear(4, 3))
    with pytest.raises(ValueError, match="Layer 'a': its outputs overflow on the input range"):
        ef.as_network(model, in_range=(1e4, 2e4))
    # In float32 the model overflows where the layer does not: beyond in_range, for some of the inputs or for all.
    with torch.no_grad():
        model.a.weight.fill_(1.0)
    model._forward = lambda s, x: torch.exp(s.a(x)).float()
    assert ef.as_network(model, in_range=(0, 20))
    with pytest.raises(ValueError, match="cannot be compared with the model's, which is not finite"):
        ef.as_network(model, in_range=(30, 31))


def test_values_that_are_no_numbers_before_a_layer():
    with pytest.raises(ValueError, match=r"The inputs of layer 'b' \(after 'log'\) are not finite"):
        ef.as_network(Does(lambda s, x: s.b(torch.log(s.a(x) - 9)), a=nn.Linear(4, 4), b=nn.Linear(4, 2)))


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (nn.Sequential(nn.Linear(4, 3), nn.LazyLinear(5)), "layer '1', a LazyLinear, is not initialised"),
        (nn.Sequential(nn.LazyConv2d(5, 3)), "layer '0', a LazyConv2d, is not initialised"),
        (nn.Sequential(nn.Linear(4, 3), nn.LazyBatchNorm1d()), "layer '1', a LazyBatchNorm1d, is not initialised"),
        (nn.LazyLinear(3), "The LazyLinear is not initialised"),
    ],
)
def test_a_layer_that_has_seen_no_data_is_not_initialised(model, told):
    with pytest.raises(ValueError, match=f"{told}.*Call the model on a batch of data once"):
        ef.as_network(model, input_shape=(4,))


def test_a_model_of_tokens_says_that_it_takes_indices():
    def forward(s, x):
        return s.b(torch.relu(s.a(s.table(x) + s.place(torch.arange(x.shape[1])))))

    parts = {"a": nn.Linear(4, 5), "b": nn.Linear(5, 2), "table": nn.Embedding(10, 4), "place": nn.Embedding(3, 4)}
    model = Does(forward, **parts)
    for taken in (model, Does(lambda s, x: forward(s, x.long()), **parts)):
        for shape in ((3,), None):
            with pytest.raises(ValueError, match="takes indices, as of tokens: 'table' looks them up") as raised:
                ef.as_network(taken, input_shape=shape)
            assert not getattr(raised.value, "__notes__", [])
    # What it says to do, for samples of three tokens.
    assert "example_inputs=torch.randint(10, (4, 16))" in str(raised.value)
    behind = ef.as_network(model, example_inputs=torch.randint(10, (4, 3)))
    assert [(layer.name, layer.n_in, layer.n_out) for layer in behind] == [("a", 4, 5), ("b", 5, 2)]


def test_only_what_a_model_raises_is_said_to_be_raised_by_it():
    model = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    for blocks in ({"0": (90, 91)}, ["0"]):
        with pytest.raises(ValueError, match="The output range of the block '0'") as raised:
            ef.as_network(model, blocks=blocks)
        assert not getattr(raised.value, "__notes__", [])
    with pytest.raises(RuntimeError, match="cannot be multiplied") as raised:
        ef.as_network(model, input_shape=(5,))
    assert raised.value.__notes__ == ["Raised by the model for samples of shape (5,)."]
