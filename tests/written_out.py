"""What is asked of activations that models write out in functions of their frameworks."""

import pickle

import numpy as np

NAMES = {"gelu_tanh": "gelu(approximate=tanh)", "leaky_relu": "leaky_relu(negative_slope=0.1)"}
KNOWN = ("gelu_tanh", "gelu", "relu", "leaky_relu", "elu", "sigmoid", "silu")


def as_known(net, name):
    """Layers in a row, the first under the name that its activation has."""
    assert not net.skipped
    assert not net.restarts
    known = name.split()[0]
    if known in KNOWN and name != "softplus early":
        assert str(net[0].activation) == NAMES.get(known, known)
    assert pickle.loads(pickle.dumps(net[0].activation)).name == net[0].activation.name


INPUTS = np.random.default_rng(5).uniform(-3.0, 3.0, (200, 4))
