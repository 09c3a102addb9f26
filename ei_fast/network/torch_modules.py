"""Modules of PyTorch that are activations known by name, read off without PyTorch: it may not even be installed."""

from collections.abc import Callable
from typing import Any

_HOMES = {"torch.nn.modules.activation", "torch.nn.modules.linear"}

_NAMES: dict[str, tuple[str, tuple[str, ...]]] = {
    "Identity": ("linear", ()),
    "Sigmoid": ("sigmoid", ()),
    "Tanh": ("tanh", ()),
    "ReLU": ("relu", ()),
    "ReLU6": ("relu6", ()),
    "LeakyReLU": ("leaky_relu", ("negative_slope",)),
    "ELU": ("elu", ("alpha",)),
    "SELU": ("selu", ()),
    "GELU": ("gelu", ("approximate",)),
    "SiLU": ("silu", ()),
    "Mish": ("mish", ()),
    "Softplus": ("softplus", ("beta",)),
    "Softsign": ("softsign", ()),
    "LogSigmoid": ("log_sigmoid", ()),
    "Hardsigmoid": ("hard_sigmoid", ()),
    "Hardtanh": ("hard_tanh", ("min_val", "max_val")),
    "Hardswish": ("hard_silu", ()),
}
"""By class: the activation's name here, and its parameters, which are attributes of the module."""

_ALLOWED: dict[str, Callable[[Any], bool]] = {
    # Above its threshold PyTorch's is linear; at 20 and more the two differ by less than 3e-9.
    "Softplus": lambda module: module.beta > 0 and module.threshold >= 20,
    "ELU": lambda module: module.alpha > 0,
    "LeakyReLU": lambda module: module.negative_slope >= 0,
}


def named_by_module(module: Any) -> tuple[str, dict[str, Any]] | None:
    """Return the name and the parameters of the activation that a module of PyTorch is.

    Parameters
    ----------
    module : object
        Anything. Modules of the library's own classes are known; subclasses and modules with hooks may do anything.

    Returns
    -------
    (str, dict) or None
        What `Activation` is to be called with; None where the object is no such module.

    Examples
    --------
    >>> named_by_module("sigmoid") is None
    True
    """
    kind = type(module)
    if kind.__module__ not in _HOMES or kind.__name__ not in _NAMES:
        return None
    name, parameters = _NAMES[kind.__name__]
    own = vars(module)
    is_hooked = own.get("_forward_hooks") or own.get("_forward_pre_hooks") or "forward" in own
    if is_hooked or not _ALLOWED.get(kind.__name__, lambda module: True)(module):
        return None
    return name, {parameter: getattr(module, parameter) for parameter in parameters}
