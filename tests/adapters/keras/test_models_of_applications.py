"""The models of keras.applications: nearly all of their parameters are measured, each layer as Keras runs it."""

import keras
import numpy as np
import other_models
import pytest

import ei_fast as ef

SIZE = 96
# The others are in the slow run.
FAST = {"MobileNet", "MobileNetV3Small"}


def _models():
    for name, make in other_models.of_keras(SIZE).items():
        yield pytest.param(make, id=name, marks=[] if name in FAST else [pytest.mark.slow])


@pytest.mark.parametrize("make", _models())
def test_each_measured_layer_is_what_keras_runs(make):
    model = make()
    _make_norms_count(model)
    network = ef.as_network(model)
    count = network.parameters
    assert count.total == sum(variable.value.numel() for variable in model.trainable_variables)
    assert count.share >= 0.95
    measured = {layer.name: layer for layer in network}
    weighted = [layer for layer in model.layers if hasattr(layer, "kernel") or hasattr(layer, "depthwise_kernel")]
    # Nothing is missing, and nothing doubled.
    assert len(measured) == len(network)
    missing = [layer.name for layer in weighted if not any(name.startswith(layer.name) for name in measured)]
    assert missing == []
    plain = [layer for layer in weighted if type(layer) in (keras.layers.Dense, keras.layers.Conv2D)]
    _assert_as_keras_runs(model, [(layer, measured[layer.name]) for layer in plain if layer.name in measured])


def _make_norms_count(model):
    """As a training leaves batch norms: none is the identity."""
    rng = np.random.default_rng(0)
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            for variable in layer.variables:
                spread = rng.uniform(0.5, 1.5, variable.shape)
                variable.assign(spread if variable.name in ("gamma", "moving_variance") else 0.1 * spread)


def _assert_as_keras_runs(model, layers):
    """One window of each convolution, or one row of each dense layer, cut out of what Keras has at its input."""
    assert len(layers) > 2
    behind = [[layer.output for layer in _after(one)] for one, _ in layers]
    pooled = [_pooled(one) for one, _ in layers]
    before = [_before(one) for one, _ in layers]
    watched = keras.Model(model.inputs, [before, behind, pooled])
    x = np.random.default_rng(1).uniform(0, 1, (2, SIZE, SIZE, 3)).astype("float32")
    given, made, pools = keras.tree.map_structure(keras.ops.convert_to_numpy, watched([x], training=False))
    n_compared = 0
    for (layer, found), reads, writes, pool in zip(layers, given, made, pools, strict=True):
        off = []
        for read in reads:
            rows = _rows(layer, read, found)
            of_pool = _rows_of_pool(layer, read, found) if pool else None
            if rows is None and of_pool is None:
                continue
            inputs, (at, of) = rows or of_pool
            outputs = found(inputs)
            # With what stands before it, or follows it, and is taken in: one of these is the same.
            candidates = [one[:, at, of] if one.ndim == 4 else one for one in (writes if rows else pool)]
            off += [np.abs(one - outputs).max() / max(np.abs(one).max(), 1e-3) for one in candidates]
        if off:
            assert min(off) < 1e-3, (layer.name, off)
            n_compared += 1
    assert n_compared > 0.7 * len(layers)


def _after(layer):
    """A layer, and what follows it as long as a single reader changes its numbers one by one, and has no weights."""
    found = [layer]
    while len(found) < 6 and len(found[-1]._outbound_nodes) == 1:
        (node,) = found[-1]._outbound_nodes
        weighted = hasattr(node.operation, "kernel") or hasattr(node.operation, "depthwise_kernel")
        if weighted or len(node.input_tensors) != 1 or node.operation.output.shape != layer.output.shape:
            break
        found.append(node.operation)
    return found


def _before(layer):
    """What a layer reads, and what was there before that was scaled, padded with zeros as it is."""
    found, value, padding = [layer.input], layer.input, None
    if isinstance(value._keras_history.operation, keras.layers.ZeroPadding2D):
        padding = keras.layers.ZeroPadding2D(value._keras_history.operation.padding)
        value = value._keras_history.operation.input
    while isinstance(scaled := value._keras_history.operation, (keras.layers.Rescaling, keras.layers.Normalization)):
        value = scaled.input
        found.append(value if padding is None else padding(value))
    return found


def _pooled(layer):
    """What a max pool of 2 x 2 makes of a layer and its activation, if one follows."""
    nodes = _after(layer)[-1]._outbound_nodes
    pools = [node.operation for node in nodes if isinstance(node.operation, keras.layers.MaxPooling2D)]
    return [pool.output for pool in pools if pool.pool_size == (2, 2) == pool.strides and pool.padding == "valid"]


def _rows_of_pool(layer, reads, found):
    """The same as `_rows`, of a layer that is measured with the pool behind it: inputs of the second window of that."""
    size = tuple(one + 1 for one in layer.kernel_size)
    if layer.strides != (1, 1) or layer.padding != "same" or found.patch != (reads.shape[-1], *size):
        return None
    (top, side), (high, wide) = (2 - (one - 1) // 2 for one in layer.kernel_size), size
    window = reads[:, top : top + high, side : side + wide]
    return np.moveaxis(window, -1, 1).reshape(len(window), -1).astype(float), (1, 1)


def _rows(layer, reads, found):
    """Inputs of a layer (rows, n_in) at one place, and where that place is in the output; None at borders."""
    if reads.ndim == 2:
        return reads.astype(float), (0, 0)
    if isinstance(layer, keras.layers.Dense):
        # At each position alike.
        return reads[:, 0, 0].astype(float), (0, 0)
    if found.patch is None:
        return None
    (high, wide), (down, right) = layer.kernel_size, layer.strides
    if found.patch != (reads.shape[-1], high, wide):
        # The border is measured, where no window is inside.
        return None
    n, m = reads.shape[1:3]
    if layer.padding == "same":
        above = max((-(-n // down) - 1) * down + high - n, 0) // 2
        left = max((-(-m // right) - 1) * right + wide - m, 0) // 2
    else:
        above = left = 0
    # The first window that lies inside.
    at, of = -(-above // down), -(-left // right)
    top, side = at * down - above, of * right - left
    window = reads[:, top : top + high, side : side + wide]
    assert window.shape[1:3] == (high, wide)
    return np.moveaxis(window, -1, 1).reshape(len(window), -1).astype(float), (at, of)
