"""What a run of a model keeps: numbers once, however many tensors show them, and tensors that somebody has."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from peak import PEAK, reads_proc
from torch import nn

import ei_fast as ef
from ei_fast.adapters.torch import kept
from ei_fast.adapters.torch.kept import Copies, Tensors


def test_views_share_one_copy_and_what_is_changed_has_its_own():
    copies = Copies()
    whole = torch.arange(6000.0, dtype=torch.float64).reshape(60, 100)
    first = copies.of(whole)
    turned, part, same = copies.of(whole.T), copies.of(whole[3:50, 7:]), copies.of(whole.reshape(30, 200))
    for view, expected in ((turned, whole.T), (part, whole[3:50, 7:]), (same, whole.reshape(30, 200))):
        np.testing.assert_array_equal(view, expected.numpy())
        assert np.shares_memory(view, first)
    before = first.copy()
    whole[5, 5] = -1.0
    changed = copies.of(whole.T)
    assert changed[5, 5] == -1.0
    assert not np.shares_memory(changed, first)
    # What was written down stays as it was.
    np.testing.assert_array_equal(first, before)
    np.testing.assert_array_equal(turned, before.T)


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.rand(50, 50, dtype=torch.float64)[::2],
        lambda: torch.rand(2000)[None].expand(3, -1),
        lambda: torch.rand(40, 40).flip(0).T[1:],
        lambda: torch.full((60, 60), float("nan")),
        lambda: torch.rand(60, 60, dtype=torch.complex64),
        lambda: torch.rand(60, 60).half(),
        lambda: torch.randint(0, 5, (60, 60)),
        lambda: torch.rand(60, 60).to_sparse(),
        lambda: torch.rand(3),
        lambda: torch.tensor(2.0),
    ],
)
def test_copies_are_the_numbers_of_any_tensor(make):
    copies, tensor = Copies(), make()
    expected = kept.numbers_of(tensor)
    for _ in range(2):
        found = copies.of(tensor)
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        np.testing.assert_array_equal(found, expected)


def test_what_comes_into_the_place_of_another_is_not_taken_for_it():
    copies = Copies()
    numbers = np.zeros(4096)
    np.testing.assert_array_equal(copies.of(torch.from_numpy(numbers)), 0.0)
    numbers[:] = 1.0
    np.testing.assert_array_equal(copies.of(torch.from_numpy(numbers)), 1.0)


def test_tensors_are_let_go_that_nobody_has():
    tensors, moved = Tensors(), {}
    mine = torch.rand(4, 5)
    nobodys = torch.rand(4, 5)
    based = torch.rand(4, 5)
    view = based.T
    for number, tensor in enumerate((mine, nobodys, based, view)):
        tensors[id(tensor)] = (number, tensor)
    moved[id(view)] = (view, based, (1, 0))
    gone = {id(nobodys)}
    del nobodys, tensor
    assert set(tensors.let_go(moved)) == gone
    # A view goes, and then what it shows.
    gone = {id(based), id(view)}
    del based, view
    assert set(tensors.let_go(moved)) == gone
    assert not moved
    assert list(tensors) == [id(mine)]


class _Keeps(nn.Module):
    """Keeps a tensor until the end, and makes large ones meanwhile."""

    def __init__(self):
        super().__init__()
        self.first, self.inner, self.last = nn.Linear(64, 64), nn.Linear(64, 64), nn.Linear(128, 5)

    def forward(self, x):
        kept = {"a": torch.tanh(self.first(x)).transpose(0, 1)}
        y = kept["a"].transpose(0, 1)
        for _ in range(20):
            y = torch.relu(self.inner(y))
        return self.last(torch.cat([y, kept["a"].transpose(0, 1)], dim=-1))


def test_layers_are_the_same_however_often_tensors_are_let_go(monkeypatch):
    torch.manual_seed(0)
    model = _Keeps()
    read = {}
    for between in (2**60, 1):
        monkeypatch.setattr(kept, "_BETWEEN_LOOKS", between)
        read[between] = ef.as_network(model)
    one, other = read.values()
    assert [layer.name for layer in one] == [layer.name for layer in other]
    assert one.skipped == other.skipped
    for a, b in zip(one, other, strict=True):
        np.testing.assert_array_equal(a.weight, b.weight)
        np.testing.assert_array_equal(a.bias, b.bias)
    weight = model.first.weight.detach().double().numpy().T
    np.testing.assert_array_equal(one[0].weight, weight)


_LONG = (
    PEAK
    + """
import torch
from torch import nn
import ei_fast as ef

class Turns(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(256, 256), nn.Linear(256, 256)

    def forward(self, x):
        x = self.first(x)
        for _ in range(40):
            x = x.transpose(1, 2).unsqueeze(1).squeeze(1).transpose(1, 2)
            # Nobody has this afterwards.
            torch.exp(x)
        return self.last(x)

ef.as_network(nn.Linear(3, 2), example_inputs=torch.rand(4, 3))
before = peak()
network = ef.as_network(Turns(), example_inputs=torch.rand(4, 500, 256), verify=False)
assert [layer.name for layer in network] == ["first", "last"]
print((peak() - before) / (7 * 500 * 256 * 8))
"""
)


@reads_proc
def test_a_run_keeps_each_number_once():
    done = subprocess.run([sys.executable, "-c", _LONG], check=True, capture_output=True, text=True)
    # In arrays as large as one value: the exponentials are 40, moved about the same numbers would be 160 more, and as
    # many tensors as both. The allocator leaves as much between them as they are at the most.
    assert 40 < float(done.stdout) < 120
