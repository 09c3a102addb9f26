"""Models that several tests use."""

import copy
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


class Does(nn.Module):
    """A module whose forward pass is `forward(self, x)`."""

    def __init__(self, forward, **parts):
        super().__init__()
        self._forward = forward
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x):
        return self._forward(self, x)


class LeNet(nn.Module):
    """LeCun et al. 1998, with today's pools and activations of two kinds."""

    def __init__(self, channels=(6, 16), hidden=(120, 84), side=28):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, channels[0], 5, padding=2), nn.Conv2d(*channels, 5)
        seen = channels[1] * ((side // 2 - 4) // 2) ** 2
        self.fc1, self.fc2, self.fc3 = nn.Linear(seen, hidden[0]), nn.Linear(*hidden), nn.Linear(hidden[1], 10)

    def forward(self, x):
        x = F.max_pool2d(torch.tanh(self.conv1(x)), 2)
        x = F.relu(F.max_pool2d(self.conv2(x), 2)).flatten(1)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


def export_onnx(model, path, *shape, dynamic=True, **options):
    """Write a PyTorch model as ONNX, for batches of any size or of the size 1."""
    axes = {"input": {0: "batch"}} if dynamic else None
    with warnings.catch_warnings():
        # Of the exporter, for those who trace.
        warnings.simplefilter("ignore")
        inputs = (torch.rand(1, *shape),)
        torch.onnx.export(model.eval(), inputs, path, input_names=["input"], dynamic_axes=axes, dynamo=False, **options)
    return path


def export_keras_onnx(model, path):
    """Write a Keras model as ONNX."""
    model(torch.zeros(1, *model.input_shape[1:]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.export(path, format="onnx", verbose=False)
    return path


def keras_lenet(model):
    """The same network as a LeNet, in Keras: kernels are (height, width, in, out), and channels are flattened last."""
    import keras
    from keras import layers as L

    size = model.conv2.out_channels
    side = round((model.fc1.in_features / size) ** 0.5)
    twin = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            L.Conv2D(model.conv1.out_channels, 5, padding="same", activation="tanh", name="conv1"),
            L.MaxPooling2D(2),
            L.Conv2D(size, 5, name="conv2"),
            L.MaxPooling2D(2),
            L.ReLU(),
            L.Flatten(),
            L.Dense(model.fc1.out_features, activation="relu", name="fc1"),
            L.Dense(model.fc2.out_features, activation="relu", name="fc2"),
            L.Dense(model.fc3.out_features, name="fc3"),
        ]
    )
    for name in ("conv1", "conv2", "fc1", "fc2", "fc3"):
        layer = getattr(model, name)
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        if name == "fc1":
            weight = weight.reshape(-1, size, side, side).transpose(0, 2, 3, 1).reshape(len(weight), -1)
        twin.get_layer(name).set_weights([weight.transpose(2, 3, 1, 0) if weight.ndim == 4 else weight.T, bias])
    return twin


def trained(model, width):
    """With batch statistics of its own."""
    model.train()
    with torch.no_grad():
        for _ in range(3):
            model(torch.randn(64, width))
    return model


def agrees(net, model, width, spread=3.0):
    """The whole chain against the model in float64, far into saturation."""
    x = np.random.default_rng(5).uniform(-spread, spread, (200, width))
    y = x
    for layer in net:
        y = layer(y)
    with torch.no_grad():
        expected = copy.deepcopy(model).double().eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(y, expected, rtol=1e-9, atol=1e-9)


class Residual(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, x):
        return x + self.outer(torch.relu(self.inner(x)))


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc1(self.fc1(x).tanh()).sigmoid()
