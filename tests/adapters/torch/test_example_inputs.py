"""Models of PyTorch that are read on what their user calls them with."""

import dataclasses
from collections import OrderedDict, UserDict, namedtuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ei_fast as ef


class Tokens(nn.Module):
    """A small classifier of tokens."""

    def __init__(self, n=11):
        super().__init__()
        self.table, self.place = nn.Embedding(n, 4), nn.Embedding(8, 4)
        self.a, self.b = nn.Linear(4, 5), nn.Linear(5, 2)

    def forward(self, ids, attention_mask=None, position_ids=None):
        places = torch.arange(ids.shape[1]) if position_ids is None else position_ids
        h = torch.relu(self.a(self.table(ids) + self.place(places)))
        if attention_mask is not None:
            h = h * attention_mask[..., None]
        return self.b(h.mean(1))


class Towers(nn.Module):
    """Two inputs, and what is made of both."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.both = nn.Linear(4, 3), nn.Linear(2, 3), nn.Linear(6, 2)

    def forward(self, x, t):
        return {"logits": self.both(torch.cat([torch.relu(self.a(x)), torch.tanh(self.b(t))], 1))}


class Diffusion(nn.Module):
    """An image and a time, which is an integer, and a class or none."""

    def __init__(self):
        super().__init__()
        self.time1, self.time2 = nn.Linear(6, 8), nn.Linear(8, 8)
        self.inward, self.out = nn.Linear(5, 8), nn.Linear(8, 5)
        self.kinds = nn.Embedding(3, 8)

    def forward(self, x, t, kind=None):
        freqs = torch.exp(-torch.arange(3) / 3.0)
        angles = t[:, None].float() * freqs[None].to(x.dtype)
        emb = torch.cat([angles.sin(), angles.cos()], 1).to(x.dtype)
        emb = self.time2(F.silu(self.time1(emb)))
        if kind is not None:
            emb = emb + self.kinds(kind)
        return self.out(F.silu(self.inward(x) + emb))


def hooked(model, activations, *args, **kwargs):
    """The smallest and largest numbers that linear layers receive, and give behind their activations, as hooks see."""
    seen = {}

    def hook(name):
        def see(_, x, y):
            y = activations.get(name, lambda one: one)(y)
            seen[name] = tuple((float(one.min()), float(one.max())) for one in (x[0], y))

        return see

    linear = [(name, part) for name, part in model.named_modules() if isinstance(part, nn.Linear)]
    handles = [part.register_forward_hook(hook(name)) for name, part in linear]
    with torch.no_grad():
        model.double().eval()(*args, **kwargs)
    for handle in handles:
        handle.remove()
    model.float()
    return seen


def assert_weights(net, model):
    """Every layer has the weights of the model's own, transposed."""
    parts = dict(model.named_modules())
    for layer in net:
        part = parts[layer.name]
        np.testing.assert_array_equal(layer.weight, part.weight.detach().double().numpy().T)
        bias = np.zeros(layer.n_out) if part.bias is None else part.bias.detach().double().numpy()
        np.testing.assert_array_equal(layer.bias, bias)


def names(net):
    return [layer.name for layer in net]


IDS = torch.tensor([[1, 5, 2, 7], [3, 3, 0, 9], [4, 10, 6, 8]])


def test_token_ids_are_taken_as_they_are_and_the_vectors_have_the_range_that_was_seen():
    model = Tokens()
    net = ef.as_network(model, example_inputs=IDS)
    assert names(net) == ["a", "b"]
    assert [str(layer.activation) for layer in net] == ["relu", "linear"]
    assert_weights(net, model)
    vectors = model.table.weight[IDS] + model.place.weight[:4]
    table = model.table.weight[IDS]
    assert net.restarts == {0, 1}
    # What is added to all alike is taken into the layer: its inputs are the vectors of the table.
    low, high = net[0].in_range
    assert (low, high) in [
        pytest.approx((float(one.min()), float(one.max())), rel=1e-6) for one in (vectors.detach(), table.detach())
    ]
    assert ("table", "a table of vectors, in which the integers") in [(name, why[:41]) for name, why in net.skipped]


@pytest.mark.parametrize(
    "given",
    [
        IDS,
        (IDS,),
        [IDS],
        IDS.numpy(),
        IDS.tolist(),
        {"ids": IDS},
        {"ids": IDS.tolist()},
        UserDict({"ids": IDS}),
        OrderedDict(ids=IDS, attention_mask=torch.ones_like(IDS)),
        {"ids": IDS, "attention_mask": torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]])},
        {"ids": IDS, "attention_mask": torch.ones(3, 4, dtype=torch.bool)},
        {"ids": IDS, "attention_mask": torch.ones(3, 4)},
        {"ids": IDS, "position_ids": torch.arange(4)[None]},
        {"ids": IDS, "labels": torch.tensor([0, 1, 1])},
        (IDS, torch.ones_like(IDS), torch.arange(4).expand(3, 4)),
        [{"ids": IDS}, torch.tensor([0, 1, 1])],
        IDS[:1],
        IDS.to(torch.int32),
    ],
    ids=str,
)
def test_what_a_model_is_called_with_may_be_given_in_many_ways(given):
    model = Tokens()
    net = ef.as_network(model, example_inputs=given)
    assert names(net) == ["a", "b"]
    assert_weights(net, model)
    assert net.in_range == (0.0, 1.0)


def test_floating_inputs_are_all_drawn_over_the_range_of_inputs():
    model = Towers()
    x, t = torch.rand(5, 4), torch.rand(5, 2)
    for given in ((x, t), {"t": t, "x": x}, [x, t], [x, t, torch.tensor([0, 1, 0, 1, 1])], (x.numpy(), t.numpy())):
        net = ef.as_network(model, in_range=(-2.0, 3.0), example_inputs=given)
        assert names(net) == ["a", "b", "both"]
        assert_weights(net, model)
        ranges = net.ranges()
        assert ranges[0][0] == ranges[1][0] == (-2.0, 3.0)


def test_a_value_that_is_given_twice_is_one():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 4)

        def forward(self, x, y):
            return self.a(x) - self.a(y)

    x = torch.rand(3, 4)
    model = Twice()
    # The difference is 0 for any inputs, which the model is seen to give.
    assert names(ef.as_network(model, example_inputs=(x, x))) == ["a", "a#2"]


def test_times_and_classes_are_integers_of_which_vectors_are_made():
    model = Diffusion()
    x, t, kind = torch.rand(4, 5), torch.tensor([1, 10, 100, 999]), torch.tensor([0, 1, 2, 0])
    for given in ((x, t), (x, t, kind), {"x": x, "t": t, "kind": kind}):
        net = ef.as_network(model, example_inputs=given)
        assert sorted(names(net)) == ["inward", "out", "time1", "time2"]
        assert_weights(net, model)
        by_name = dict(zip(names(net), net.seen, strict=True))
        args = [one.double() if one.is_floating_point() else one for one in (x, t, kind)[: len(given)]]
        for name, ends in hooked(model, {"time1": F.silu}, *args).items():
            assert np.allclose(by_name[name], ends, rtol=1e-6, atol=1e-9), name


def test_times_that_are_floating_are_drawn():
    model = Diffusion()
    net = ef.as_network(model, example_inputs=(torch.rand(4, 5), torch.rand(4)))
    assert sorted(names(net)) == ["inward", "out", "time1", "time2"]


def test_a_bag_of_embeddings():
    class Bag(nn.Module):
        def __init__(self):
            super().__init__()
            self.bag, self.a, self.b = nn.EmbeddingBag(9, 4), nn.Linear(4, 3), nn.Linear(3, 2)

        def forward(self, ids, offsets=None):
            return self.b(torch.tanh(self.a(self.bag(ids, offsets))))

    model = Bag()
    for given in (torch.randint(9, (5, 3)), (torch.randint(9, (10,)), torch.tensor([0, 3, 7]))):
        net = ef.as_network(model, example_inputs=given)
        assert names(net) == ["a", "b"]
        assert net.restarts == {0}
        assert_weights(net, model)


def test_a_table_that_is_a_parameter_is_looked_up_by_indexing():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.a = nn.Parameter(torch.randn(9, 4)), nn.Linear(4, 3)

        def forward(self, ids):
            return self.a(self.table[ids])

    assert names(ef.as_network(Own(), example_inputs=torch.randint(9, (5, 3)))) == ["a"]


def test_bilinear_takes_two_inputs_and_is_named():
    class Joined(nn.Module):
        def __init__(self):
            super().__init__()
            self.bilinear, self.out = nn.Bilinear(3, 4, 5), nn.Linear(5, 2)

        def forward(self, x, y):
            return self.out(torch.tanh(self.bilinear(x, y)))

    model = Joined()
    net = ef.as_network(model, example_inputs=(torch.rand(6, 3), torch.rand(6, 4)))
    assert names(net) == ["out"]
    assert any(name == "bilinear" for name, _ in net.skipped)


def test_named_tuples_dataclasses_and_models_that_take_a_dict():
    Batch = namedtuple("Batch", "x mask")

    @dataclasses.dataclass
    class Sample:
        x: torch.Tensor
        kind: torch.Tensor

    class Takes(nn.Module):
        def __init__(self, get):
            super().__init__()
            self.a, self.get = nn.Linear(4, 3), get

        def forward(self, batch):
            return self.a(self.get(batch))

    x = torch.rand(5, 4)
    cases = [
        (lambda batch: batch.x, Batch(x, torch.ones(5))),
        (lambda batch: batch.x, Sample(x, torch.arange(5))),
        (lambda batch: batch["x"], {"x": x, "y": torch.arange(5)}),
        (lambda batch: batch[0], ([x, torch.arange(5)],)),
    ]
    for get, given in cases:
        [layer] = ef.as_network(Takes(get), in_range=(-1.0, 1.0), example_inputs=given)
        assert layer.n_in == 4


def test_a_shape_that_is_told_by_examples_is_that_of_input_shape():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 2))
    one = ef.as_network(model, input_shape=(3, 8, 8))
    other = ef.as_network(model, example_inputs=torch.zeros(2, 3, 8, 8))
    assert [repr(layer) for layer in one] == [repr(layer) for layer in other]
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.weight, b.weight)
    assert one.ranges() == other.ranges()
    assert one.seen == () != other.seen


def test_labels_that_are_left_out_are_said():
    loader = torch.utils.data.DataLoader(
        torch.utils.data.TensorDataset(torch.rand(6, 4), torch.randint(2, (6,))), batch_size=3
    )
    net = ef.as_network(nn.Sequential(nn.Linear(4, 3)), example_inputs=next(iter(loader)))
    assert net.notes == [("example_inputs", "the last value is left out, as labels are: the model takes 'input'")]


@pytest.mark.parametrize(
    ("given", "error", "told"),
    [
        ("text", TypeError, "must be what the model is called with, a tensor, tuple, dict or batch. Got 'text'"),
        (3, TypeError, "Got 3 instead"),
        ({}, TypeError, "with tensors or arrays in it"),
        (torch.rand(3, 4), TypeError, "Got nothing for 't'"),
        ({"x": torch.rand(3, 4)}, TypeError, r"forward\(x, t\). Got nothing for 't'"),
        ((torch.rand(3, 4), torch.rand(3, 2, dtype=torch.cfloat)), TypeError, "complex ones for 't'"),
        ((torch.rand(0, 4), torch.rand(0, 2)), ValueError, "at least one row"),
        ({"x": torch.rand(3, 4), "t": torch.rand(3, 2), "z": torch.rand(3)}, TypeError, "'z', which it does not take"),
    ],
    ids=("text", "a number", "nothing", "one of two", "one by name", "complex", "no rows", "one too many"),
)
def test_what_is_no_call_is_refused(given, error, told):
    with pytest.raises(error, match=told) as raised:
        ef.as_network(Towers(), example_inputs=given)
    assert not getattr(raised.value, "__notes__", [])


def test_what_the_model_raises_for_examples_is_passed_on_with_their_shapes():
    with pytest.raises(RuntimeError) as raised:
        ef.as_network(Towers(), example_inputs=(torch.rand(3, 7), torch.rand(3, 2)))
    [note] = raised.value.__notes__
    assert note.startswith("Raised by the model for the example inputs, x, (3, 7) of float32; t, (3, 2) of float32")


def test_a_model_that_needs_several_inputs_says_so_before_it_is_run():
    with pytest.raises(
        TypeError, match=r"takes 2 inputs: its forward pass is forward\(x, t\)\. Give example"
    ) as raised:
        ef.as_network(Towers())
    assert not getattr(raised.value, "__notes__", [])


def test_an_embedding_that_is_misread_is_found_beyond_what_was_seen(monkeypatch):
    """Vectors that are looked up are drawn ten times as far, as inputs are."""
    from ei_fast.adapters.torch import operations

    class Clamped(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.a, self.b = nn.Embedding(9, 4), nn.Linear(4, 3), nn.Linear(3, 2)

        def forward(self, ids):
            return self.b(F.hardtanh(self.a(self.table(ids)), -9.0, 9.0))

    model = Clamped()
    with torch.no_grad():
        model.a.weight.fill_(0.5)
        model.table.weight.uniform_(-1.0, 1.0)
    ids = torch.randint(9, (4, 3))
    ef.as_network(model, example_inputs=ids)
    wrong = ef.Activation("hard_tanh", min_val=-200, max_val=200)
    monkeypatch.setitem(operations.ACTIVATIONS, "hardtanh", lambda given: wrong)
    with pytest.raises(ValueError, match="Layer 'a' as extracted differs"):
        ef.as_network(model, example_inputs=ids)


def test_weights_that_come_first_are_a_layer_of_the_features():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 3, bias=False), nn.Linear(3, 2)

        def forward(self, x):
            h = self.a.weight @ x.transpose(1, 2)
            return self.b(torch.tanh(h).transpose(1, 2))

    model = Turned()
    for options in ({"input_shape": (5, 4)}, {"example_inputs": torch.rand(2, 5, 4)}):
        net = ef.as_network(model, **options)
        assert [(layer.n_in, layer.n_out, str(layer.activation)) for layer in net] == [(4, 3, "tanh"), (3, 2, "linear")]
        np.testing.assert_array_equal(net[0].weight, model.a.weight.detach().double().numpy().T)
        assert not net.skipped
