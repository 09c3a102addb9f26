"""Models of hundreds of millions of weights: what reading them takes."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from peak import PEAK, reads_proc
from torch import nn
from torch.nn import functional as F

import ei_fast as ef
from ei_fast.adapters.activations.tried import maps_each
from ei_fast.adapters.assemble import ranges
from ei_fast.network import reach


class Attending(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)

    def forward(self, x):
        return self.out(F.scaled_dot_product_attention(self.query(x), self.key(x), self.value(x)))


def test_attention_is_not_tried_on_a_square_of_all_its_numbers():
    sizes = []

    def attention(*given):
        sizes.append(given[0].size)
        q, k, v = (torch.from_numpy(np.array(one)) for one in given)
        return F.scaled_dot_product_attention(q, k, v).numpy()

    q, k, v = np.random.default_rng(0).normal(size=(3, 16, 12, 64, 32))
    assert not maps_each(attention, [q, k, v], "fff", attention(q, k, v), "f", 2.0**-52)
    # In the shape that the model has for it, and then of a few numbers one below the other.
    assert max(sizes[2:]) < 1000


def test_what_is_done_number_by_number_is_found_whatever_its_size():
    for shape in [(8, 3), (2, 1), (61, 40, 30)]:
        x = np.random.default_rng(0).normal(size=shape)
        assert maps_each(np.tanh, [x], "f", np.tanh(x), "f", 2.0**-52)
        assert not maps_each(lambda x: x - x.mean(), [x], "f", x - x.mean(), "f", 2.0**-52)


@pytest.fixture
def quantiles(monkeypatch):
    """Layers of which quantiles were taken."""
    found = []

    def counted(layer, in_range):
        found.append(layer.name)
        return reached(layer, in_range)

    reached = reach.reached
    monkeypatch.setattr(reach, "reached", counted)
    return found


def test_ranges_are_derived_where_they_are_needed(quantiles):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(20, 30), nn.ReLU(), nn.Linear(30, 20), nn.ReLU(), nn.LayerNorm(20), nn.Linear(20, 9), nn.Linear(9, 4)
    )
    network = ef.as_network(model)
    assert quantiles == []
    assert len(network.ranges()) == 4
    assert quantiles == ["0", "2", "5", "6"]


def test_a_layer_that_starts_anew_behind_another_has_its_range(quantiles):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.left, self.right = nn.Linear(5, 6), nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, x):
            h = torch.relu(self.first(x))
            return self.left(h), self.right(h)

    torch.manual_seed(0)
    network = ef.as_network(Twice())
    assert quantiles == ["first"]
    assert network[2].in_range == network.ranges()[0][1] == network.ranges()[1][0]


def test_outputs_that_overflow_are_told_when_the_model_is_read():
    model = nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 3)).double()
    with torch.no_grad():
        model[0].weight.fill_(1e200)
        model[2].weight.fill_(1e200)
    with pytest.raises(ValueError, match="overflow|not finite"):
        ef.as_network(model, verify=False)
    layer = ef.Layer(np.full((40, 1), 1e307), activation="relu", name="fc")
    with pytest.raises(ValueError, match=r"Layer 0 \('fc'\): its pre-activations overflow"):
        ranges.Outputs(layer, ranges.Known((0.0, 1.0)))
    assert ranges.Outputs(layer, ranges.Known((0.0, 0.1))).widest[1] == pytest.approx(4e307)


_WIDE = (
    PEAK
    + """
import torch
from torch import nn
import ei_fast as ef

# What is loaded once is no part of it.
ef.as_network(nn.Linear(3, 2))
model = nn.Sequential(*(nn.Linear(1000, 1000) for _ in range(32)))
before = peak()
network = ef.as_network(model, input_shape=(8, 1000))
print((peak() - before) / sum(layer.weight.nbytes for layer in network))
"""
)


@reads_proc
def test_reading_takes_the_layers_a_copy_of_the_model_and_what_a_run_keeps():
    # What glibc keeps of arrays that are gone, up to one and a half times the layers, is no need of the reading.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(2**17)}
    done = subprocess.run([sys.executable, "-c", _WIDE], check=True, capture_output=True, text=True, env=environment)
    assert float(done.stdout) < 4.0


_BERT = (
    PEAK
    + """
import torch
from torch import nn
from transformers import BertConfig, BertModel
import ei_fast as ef

class Entered(nn.Module):
    def __init__(self):
        super().__init__()
        self.bert = BertModel(BertConfig(), add_pooling_layer=False)

    def forward(self, x):
        return self.bert(inputs_embeds=x).last_hidden_state

model = Entered()
before = peak()
network = ef.as_network(model, input_shape=(16, 768))
print(len(network), sum(layer.weight.size for layer in network))
print((peak() - before) / 2**30)
"""
)


@reads_proc
@pytest.mark.slow
def test_bert_is_read_in_little_more_than_two_gigabytes_above_the_model():
    pytest.importorskip("transformers")
    done = subprocess.run([sys.executable, "-c", _BERT], check=True, capture_output=True, text=True)
    n_layers, n_weights, gigabytes = done.stdout.split()
    assert int(n_layers) == 72
    assert int(n_weights) == 12 * (4 * 768**2 + 2 * 768 * 3072)
    assert float(gigabytes) < 2.3
