"""What tests ask of a network that was read."""

import ei_fast as ef


def names_of(net):
    return [layer.name for layer in net]


def activations_of(net):
    return [str(layer.activation) if isinstance(layer, ef.Layer) else "function" for layer in net]


def through(net, x):
    """What the layers make of x, one after another."""
    for layer in net:
        x = layer(x)
    return x
