"""Independent dense maps side by side, as a grouped or depthwise convolution is: weights are kept group by group."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range, Ranges, check_ranges
from ei_fast.network.checks import check_patch, check_per_position
from ei_fast.network.layer import Layer


class GroupedLayer(Layer):
    """A dense layer of which consecutive inputs feed consecutive outputs alone: groups that share no edge.

    Parameters
    ----------
    columns : array-like (n_in / groups, n_out)
        Weights into each output from the inputs of its group.
    groups : int
        How many there are; all have as many inputs and as many outputs as each other.
    bias, activation, name, out_range, in_range, patch, per_position
        As of `Layer`.

    Notes
    -----
    `weight` (n_in, n_out), in which what is in another group is 0, is made anew each time it is asked for: what is
    computed of the layer is computed of its `columns`, and is the same to the last bit.
    """

    def __init__(
        self,
        columns: ArrayLike,
        groups: int,
        bias: ArrayLike | None = None,
        activation: str | Activation = "sigmoid",
        name: str | None = None,
        *,
        out_range: Range | None = None,
        in_range: Ranges | None = None,
        patch: Sequence[int] | None = None,
        per_position: bool = False,
    ):
        # All but what depends on the number of inputs is checked by it.
        of_group = Layer(columns, bias, activation, name, out_range)
        owner = f"Layer {name!r}" if name is not None else "Layer"
        if of_group.n_out % groups:
            raise ValueError(
                f"The 'groups' parameter of {owner} must divide its number of outputs, {of_group.n_out}. Got {groups} "
                "instead."
            )
        n_in = groups * of_group.n_in
        patch = check_patch(patch, n_in, owner)
        known = {
            "_columns": of_group.weight,
            "_groups": int(groups),
            "in_range": None if in_range is None else check_ranges(in_range, n_in, "in_range", owner),
            "patch": patch,
            "per_position": check_per_position(per_position, patch, owner),
        }
        known |= {key: getattr(of_group, key) for key in ("bias", "activation", "name", "out_range")}
        for key, value in known.items():
            object.__setattr__(self, key, value)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return int(self._groups)  # type: ignore[attr-defined]

    @property
    def columns(self) -> NDArray[np.float64]:
        """Weights into each output from the inputs of its group, (n_in / groups, n_out)."""
        columns: NDArray[np.float64] = self._columns  # type: ignore[attr-defined]
        return columns

    @property
    def weight(self) -> NDArray[np.float64]:
        """Weights (n_in, n_out), made anew: what is in another group is 0."""
        weight = spread_out(self.columns, self.groups)
        weight.flags.writeable = False
        return weight

    @property
    def n_in(self) -> int:
        """Number of input neurons."""
        return self.groups * len(self.columns)

    def of_inputs(self, values: NDArray[np.float64], outputs: slice = slice(None)) -> NDArray[np.float64]:
        return at_columns(values, self.groups, self.n_out, outputs)

    def preactivations(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        sums: NDArray[np.float64] = self._by_group(x, self.columns) + self.bias
        return sums

    def size_of_sums(self, x: NDArray[np.float64]) -> float:
        return float(np.max(self._by_group(np.abs(x), np.abs(self.columns)) + np.abs(self.bias), initial=0.0))

    def _by_group(self, x: NDArray[np.float64], columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums (m, n_out) of inputs (m, n_in) times columns (n_in / groups, n_out)."""
        n_rows, n_out = columns.shape
        inputs = np.ascontiguousarray(x.reshape(len(x), self.groups, n_rows).transpose(1, 0, 2))
        weights = np.ascontiguousarray(columns.reshape(n_rows, self.groups, -1).transpose(1, 0, 2))
        sums: NDArray[np.float64] = (inputs @ weights).transpose(1, 0, 2).reshape(len(x), n_out)
        return sums

    def __reduce__(self) -> tuple[Any, ...]:
        kept = ("bias", "activation", "name", "out_range", "in_range", "patch", "per_position")
        return partial(GroupedLayer, **{key: getattr(self, key) for key in kept}), (self.columns, self.groups)


def spread_out(columns: NDArray[np.float64], groups: int) -> NDArray[np.float64]:
    """Weights (n_in, n_out) of groups side by side, from those inside them, (n_in / groups, n_out)."""
    n_rows, n_out = columns.shape
    weight = np.zeros((groups, n_rows, groups, n_out // groups))
    each = np.arange(groups)
    weight[each, :, each] = columns.reshape(n_rows, groups, -1).transpose(1, 0, 2)
    return weight.reshape(groups * n_rows, n_out)


def at_columns(
    values: NDArray[np.float64], groups: int, n_out: int, outputs: slice = slice(None)
) -> NDArray[np.float64]:
    """Of numbers (n_in,) of inputs those of each output's group, below each other: (n_in / groups, outputs)."""
    group_of = np.arange(n_out)[outputs] // (n_out // groups)
    # In one piece row by row, so that NumPy adds up what is made of it in the order of the inputs.
    return np.ascontiguousarray(values.reshape(groups, -1).T[:, group_of])
