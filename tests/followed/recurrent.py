"""Remedies of recurrent networks, and of ranges of single inputs, followed."""

import numpy as np
from models import Does
from torch import nn

import ei_fast as ef
from followed import follows, literal


def _model():
    return Does(lambda s, x: s.fc(s.rnn(x)[0][:, -1]), rnn=nn.GRU(2, 3, batch_first=True), fc=nn.Linear(3, 2))


@follows("in a row. Got {}, where it takes {}. Give fewer, or an 'input_shape' of at least {} steps.")
def _(said):
    message = said.refused(ef.as_network, _model(), input_shape=(3, 2), unroll=4)
    ef.as_network(_model(), input_shape=(3, 2), unroll=literal(message, "where it takes "))
    steps = literal(message, "an 'input_shape' of at least ")
    assert len(ef.as_network(_model(), input_shape=(steps, 2), unroll=4)) == 2


@follows("outside of 'blocks'. Got {} for a model that runs none. Leave it out.")
def _(said):
    model = nn.Sequential(nn.Linear(3, 2))
    said.refused(ef.as_network, model, unroll=2)
    ef.as_network(model)
    said.refused(ef.as_network, _model(), input_shape=(3, 2), unroll=2, blocks=["rnn"])
    ef.as_network(_model(), input_shape=(3, 2), blocks=["rnn"])


@follows("a sequence of {} such pairs, one for each neuron. Got {} pairs instead. Give one for each.")
def _(said):
    weight = np.ones((3, 2))
    said.refused(ef.Layer, weight, in_range=((0.0, 1.0), (-1.0, 1.0)))
    ef.Layer(weight, in_range=((0.0, 1.0), (-1.0, 1.0), (0.0, 1.0)))
