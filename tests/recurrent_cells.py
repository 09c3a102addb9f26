"""Recurrent cells written out in NumPy, from the layers that a network has, and their ranges as they are to be."""

import numpy as np
from scipy.special import expit

UNIT = (-1.0, 1.0)


def values(layer, *parts):
    """What a layer makes of inputs side by side."""
    return layer(np.hstack(parts))


def lstm_step(gates, x, h, c):
    """One step by the gates of an LSTM, by name, and the projection behind them if there is one."""
    i, f, g, o = (values(gates[f"{name}_gate"], x, h) for name in ("input", "forget", "cell", "output"))
    c = f * c + i * g
    h = o * np.tanh(c)
    return (gates["projection"](h) if "projection" in gates else h), c


def gru_step(gates, x, h, reset_after=True):
    """One step by the gates of a GRU, by name."""
    r, z = values(gates["reset_gate"], x, h), values(gates["update_gate"], x, h)
    n = values(gates["new_gate"], x, h, r) if reset_after else values(gates["new_gate"], x, r * h)
    return (1 - z) * n + z * h


def gates_of(network, name):
    """Layers of a cell by what they are called in it."""
    return {one.name.removeprefix(f"{name}."): one for one in network if one.name.startswith(f"{name}.")}


def pairs(*parts):
    """Ranges of inputs: how many have which, one after the other."""
    found = [limits for n, limits in parts for _ in range(n)]
    return found[0] if len(set(found)) == 1 else tuple(found)


def by_hand_lstm(weights, x, h, c):
    """One step of PyTorch's LSTM from (4 n, n_in), (4 n, n) and both biases: the order is i, f, g, o."""
    w_x, w_h, b_x, b_h = weights
    i, f, g, o = np.split(x @ w_x.T + h @ w_h.T + b_x + b_h, 4, axis=-1)
    c = expit(f) * c + expit(i) * np.tanh(g)
    return expit(o) * np.tanh(c), c


def by_hand_gru(weights, x, h):
    """One step of PyTorch's GRU from (3 n, n_in), (3 n, n) and both biases: the order is r, z, n."""
    w_x, w_h, b_x, b_h = weights
    n = w_h.shape[1]
    of_x, of_h = x @ w_x.T + b_x, h @ w_h.T + b_h
    r, z = expit(of_x[:, :n] + of_h[:, :n]), expit(of_x[:, n : 2 * n] + of_h[:, n : 2 * n])
    new = np.tanh(of_x[:, 2 * n :] + r * of_h[:, 2 * n :])
    return (1 - z) * new + z * h
