"""Models that take a matrix for one sequence: a batch of rows is none, unless it is said."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from models import Does
from networks import names_of
from torch import nn

import ei_fast as ef


def _recurrent(kind, directions=1, **options):
    rnn = kind(5, 4, bidirectional=directions == 2, **options)
    return Does(lambda s, x: s.head(s.rnn(x)[0]), rnn=rnn, head=nn.Linear(4 * directions, 2))


def _written_out(s, x):
    scores = (s.q(x) @ s.k(x).transpose(-2, -1) / 6**0.5).softmax(-1)
    return s.o(scores @ s.v(x))


def _causal(s, x):
    q, k, v = s.qkv(x).chunk(3, -1)
    return s.o(F.scaled_dot_product_attention(q, k, v, is_causal=True))


MODELS = {
    "LSTM": (lambda: _recurrent(nn.LSTM, batch_first=True), 5),
    "GRU, both directions": (lambda: _recurrent(nn.GRU, directions=2, batch_first=True), 5),
    "RNN behind a dense layer": (
        lambda: Does(
            lambda s, x: s.head(s.rnn(s.a(x))[0]),
            a=nn.Linear(3, 5),
            rnn=nn.RNN(5, 4, batch_first=True),
            head=nn.Linear(4, 2),
        ),
        3,
    ),
    "multi-head attention": (
        lambda: Does(
            lambda s, x: s.head(s.a(x, x, x)[0]), a=nn.MultiheadAttention(8, 2, batch_first=True), head=nn.Linear(8, 2)
        ),
        8,
    ),
    "attention by a function": (lambda: Does(_causal, qkv=nn.Linear(6, 18), o=nn.Linear(6, 6)), 6),
    "attention written out": (lambda: Does(_written_out, **{name: nn.Linear(6, 6) for name in "qkvo"}), 6),
    "encoder": (
        lambda: nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1, enable_nested_tensor=False
        ),
        8,
    ),
    "what came before": (lambda: Does(lambda s, x: s.o(x.cumsum(-2)), o=nn.Linear(6, 6)), 6),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_is_not_taken_for_a_sequence_in_silence(name):
    make, width = MODELS[name]
    model = make().eval()
    with pytest.raises(ValueError, match=rf"samples of shape \({width},\) for one sequence: .* as input_shape=\(7, "):
        ef.as_network(model)
    # As the message says.
    sequences = ef.as_network(model, input_shape=(7, width))
    assert names_of(sequences) == names_of(ef.as_network(model, input_shape=(width,)))


@pytest.mark.parametrize("kind", [nn.RNN, nn.GRU, nn.LSTM])
def test_time_first(kind):
    with pytest.raises(ValueError, match="'rnn' makes each row of others as well. Build it with batch_first=True"):
        ef.as_network(_recurrent(kind))


def test_one_step_of_a_cell_needs_no_shape():
    model = Does(lambda s, x: s.head(s.cell(x)[0]), cell=nn.LSTMCell(5, 4), head=nn.Linear(4, 2))
    assert names_of(ef.as_network(model)) == names_of(ef.as_network(model, input_shape=(5,)))


@pytest.mark.parametrize(
    "norm",
    [
        lambda h: h - h.mean(0),
        lambda h: F.batch_norm(h, None, None, training=True),
        lambda h: F.layer_norm(h, (5,)),
        lambda h: torch.where(h > 0, h, -h),
        lambda h: h.sort(-1)[0],
        lambda h: h.softmax(0),
        lambda h: F.dropout(h, 0.5, training=True),
    ],
    ids=["centred", "batch norm", "layer norm", "where", "sorted", "over rows", "drawn"],
)
def test_what_is_no_sequence_is_read_as_before(norm):
    torch.manual_seed(0)
    model = Does(lambda s, x: s.b(norm(s.a(x))), a=nn.Linear(4, 5), b=nn.Linear(5, 3))
    one, other = ef.as_network(model, verify=False), ef.as_network(model, input_shape=(4,), verify=False)
    assert one.skipped == other.skipped
    for mine, yours in zip(one, other, strict=True):
        np.testing.assert_array_equal(mine.weight, yours.weight)
