"""What a user says of how a model is to be read, checked, as every adapter takes it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any

import numpy as np

from ei_fast.adapters.blocks import Blocks
from ei_fast.adapters.dicts.options import DictOptions
from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range, check_range

DEFAULT_RANGE = (0.0, 1.0)

WHOSE: Mapping[str, str] = {
    **dict.fromkeys(
        ("order", "prefix", "layout", "norm_place", "norm_eps", "chain", "layers"), "dicts and files of weights"
    ),
    "blocks": "models of PyTorch and Keras",
    "heads": "models of PyTorch and Keras",
    "input_shape": "models of a framework that can be run",
    "example_inputs": "all models",
    "unroll": "models of PyTorch, Keras and ONNX with recurrent layers",
}
"""Options that not every adapter takes, and for which models they are."""


@dataclass(frozen=True)
class Given:
    """The parameters of `as_network` beside the model.

    Attributes
    ----------
    activation : str, Activation, or one a layer
        Of layers that do not say.
    in_range : (float, float), optional
        Range of the first layer's inputs.
    of_dicts : DictOptions
        How dicts of weights are read.
    blocks : sequence of str, dict of str to (float, float), or "auto"
        Parts that are measured as one map each, and the ranges of their outputs where these cannot be derived.
    heads : bool
        Whether attention is measured head by head.
    verify : bool
        Whether every layer of a model that runs is compared with the model on random inputs.
    input_shape : sequence of int, optional
        Of one sample.
    example_inputs : tensor, array, tuple, dict or batch of a data loader, optional
        Instead, what the model is called with.
    heads : bool
        Whether attention is measured head by head.
    unroll : int, optional
        How many steps of recurrent cells are one map.
    """

    activation: str | Activation | Sequence[str | Activation] = "sigmoid"
    in_range: Range | None = None
    of_dicts: DictOptions = field(default_factory=DictOptions)
    blocks: Blocks = ()
    verify: bool = True
    input_shape: Sequence[int] | None = None
    example_inputs: Any = None
    heads: bool = False
    unroll: int | None = None

    @property
    def range_of_inputs(self) -> Range:
        """Range of the model's inputs, (0, 1) where not given."""
        return DEFAULT_RANGE if self.in_range is None else check_range(self.in_range, "in_range", "as_network")

    @property
    def checked_unroll(self) -> int | None:
        """`unroll`; TypeError or ValueError where it is no number of steps."""
        rule = "The 'unroll' parameter of as_network must be an integer >= 1, a number of steps"
        if self.unroll is None:
            return None
        if not isinstance(self.unroll, Integral) or isinstance(self.unroll, (bool, np.bool_)):
            raise TypeError(f"{rule}. Got {self.unroll!r} instead.")
        if self.unroll < 1:
            raise ValueError(f"{rule}. Got {self.unroll!r} instead.")
        return int(self.unroll)
