"""Weights as networks begin with them: the rules of frameworks, of the layer's own numbers of neurons."""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.adapters.table import adapter_of
from ei_fast.adapters.wrappers import model_held
from ei_fast.network.layer import Layer
from ei_fast.validation import refusal

Values = NDArray[np.float64]
Drawn = tuple[Values, Values | None]
"""Weights (rows, n_out) and biases (n_out,), or None for biases of 0."""

# The standard deviation of a standard normal number that was drawn again until it lay within two of 0.
_OF_TRUNCATED = 0.87962566103423978
_WITHIN = 2.0


@dataclass(frozen=True)
class Fans:
    """What a rule may depend on.

    Attributes
    ----------
    shape : (int, int)
        Of the weights that are drawn: inputs of each output, and outputs.
    fan_in, fan_out : int
        Numbers of edges into an output, and out of an input; of a convolution, out of a channel.
    activation : str
        Name of the activation of the network's first layer: scikit-learn's hidden layers have one in common.
    """

    shape: tuple[int, int]
    fan_in: int
    fan_out: int
    activation: str

    @classmethod
    def of(cls, layer: Layer, activation: str) -> "Fans":
        rows = layer.n_in // layer.groups
        places = 1 if layer.patch is None else prod(layer.patch[1:])
        return cls((rows, layer.n_out), rows, layer.n_out * places, activation)


def _uniform(rng: np.random.Generator, fans: Fans, bound: float) -> Values:
    return rng.uniform(-bound, bound, fans.shape)


def _truncated(rng: np.random.Generator, fans: Fans, deviation: float) -> Values:
    values = rng.standard_normal(fans.shape)
    while (far := np.abs(values) > _WITHIN).any():
        values[far] = rng.standard_normal(int(far.sum()))
    return values * (deviation / _OF_TRUNCATED)


def _torch(rng: np.random.Generator, fans: Fans) -> Drawn:
    bound = 1.0 / np.sqrt(fans.fan_in)
    return _uniform(rng, fans, bound), rng.uniform(-bound, bound, fans.shape[1])


def _sklearn(rng: np.random.Generator, fans: Fans) -> Drawn:
    factor = 2.0 if fans.activation == "sigmoid" else 6.0
    bound = np.sqrt(factor / (fans.fan_in + fans.fan_out))
    return _uniform(rng, fans, bound), rng.uniform(-bound, bound, fans.shape[1])


def _glorot_uniform(rng: np.random.Generator, fans: Fans) -> Drawn:
    return _uniform(rng, fans, np.sqrt(6.0 / (fans.fan_in + fans.fan_out))), None


def _glorot_normal(rng: np.random.Generator, fans: Fans) -> Drawn:
    return _truncated(rng, fans, np.sqrt(2.0 / (fans.fan_in + fans.fan_out))), None


def _he_uniform(rng: np.random.Generator, fans: Fans) -> Drawn:
    return _uniform(rng, fans, np.sqrt(6.0 / fans.fan_in)), None


def _he_normal(rng: np.random.Generator, fans: Fans) -> Drawn:
    return _truncated(rng, fans, np.sqrt(2.0 / fans.fan_in)), None


def _lecun_normal(rng: np.random.Generator, fans: Fans) -> Drawn:
    return _truncated(rng, fans, np.sqrt(1.0 / fans.fan_in)), None


RULES: dict[str, Callable[[np.random.Generator, Fans], Drawn]] = {
    "torch": _torch,
    "sklearn": _sklearn,
    "glorot_uniform": _glorot_uniform,
    "glorot_normal": _glorot_normal,
    "he_uniform": _he_uniform,
    "he_normal": _he_normal,
    "lecun_normal": _lecun_normal,
}
"""By the names that `null_report` takes."""

_DEFAULT = "torch"
_OF_ADAPTERS = {
    "keras.model": "glorot_uniform",
    "files.keras": "glorot_uniform",
    "jax.model": "lecun_normal",
    "sklearn": "sklearn",
}

Init = str | Callable[[np.random.Generator, tuple[int, int]], Any]


def rule_of(init: Any, model: Any, owner: str) -> Init:
    """The name of a rule, or a callable, as given; for ``"auto"`` the default of the framework that a model is of.

    Raises
    ------
    TypeError, ValueError
        Where it is neither.
    """
    rule = f"'auto', one of {', '.join(map(repr, RULES))}, or a callable (rng, shape)"
    if isinstance(init, str):
        if init != "auto" and init not in RULES:
            raise ValueError(refusal(owner, "init", rule, init))
        return _rule_of_framework(model) if init == "auto" else init
    if not callable(init):
        raise TypeError(refusal(owner, "init", rule, init))
    checked: Init = init
    return checked


def _rule_of_framework(model: Any) -> str:
    held = model_held(model)
    return _OF_ADAPTERS.get(adapter_of(model if held is None else held).module, _DEFAULT)


def drawn_weights(layer: Layer, rule: Init, activation: str, rng: np.random.Generator) -> Drawn:
    """Weights and biases of a layer, drawn by a rule; biases that are all 0 stay so, since the layer may have none."""
    fans = Fans.of(layer, activation)
    weight, bias = RULES[rule](rng, fans) if isinstance(rule, str) else _by_callable(rule, rng, layer, fans.shape)
    if bias is None or not layer.bias.any():
        bias = np.zeros(layer.n_out)
    return weight, bias


def _by_callable(rule: Callable[..., Any], rng: np.random.Generator, layer: Layer, shape: tuple[int, int]) -> Drawn:
    drawn = rule(rng, shape)
    weight, bias = drawn if isinstance(drawn, tuple) else (drawn, None)
    weight = np.asarray(weight, dtype=np.float64)
    bias = None if bias is None else np.asarray(bias, dtype=np.float64)
    if weight.shape != shape or (bias is not None and bias.shape != shape[1:]):
        got = weight.shape if bias is None else (weight.shape, bias.shape)
        raise ValueError(
            f"The 'init' parameter of null_report must return weights of the shape that it is given, {shape} for layer "
            f"{layer.name!r}, or a pair of these and biases {shape[1:]}. Got {got} instead. Transpose weights that are "
            "(n_out, n_in)."
        )
    return weight, bias


def shuffled_weights(layer: Layer, rng: np.random.Generator) -> Drawn:
    """The weights of a layer in another order, and its biases in another order; of groups those that there are."""
    weight = rng.permutation(layer.columns.ravel()).reshape(layer.columns.shape)
    return weight, rng.permutation(layer.bias)
