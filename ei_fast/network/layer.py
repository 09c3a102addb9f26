"""A dense `Layer`; of a convolution the map of one patch, of a layer on sequences that of one place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range, Ranges, check_range, check_ranges, ends_of, is_each
from ei_fast.network.checks import check_name, check_patch, check_per_position, real_array
from ei_fast.network.column_blocks import blocks_of

# Most imports take both from here, and pickles of older versions look for it here.
from ei_fast.network.function import Function as Function

_PARAMETERS = ("weight", "bias", "activation", "name", "out_range", "in_range", "patch", "per_position")


@dataclass(frozen=True, eq=False)
class Layer:
    """A dense layer y = activation(x @ weight + bias).

    Parameters
    ----------
    weight : array-like (n_in, n_out)
        Real and finite; column j holds the weights of output neuron j. Kept as a read-only float64 copy.
    bias : array-like (n_out,), optional
        Real and finite; zero where not given.
    activation : str or Activation, default "sigmoid"
        The elementwise activation; or what `Activation` makes one of, as a module of PyTorch.
    name : str, optional
        Name in reports. A network names its layers ``layer0, layer1, ...`` where they have no name.
    out_range : (float, float), optional
        Range over which the outputs are binned. Derived from the activation where not given.
    in_range : (float, float), or a sequence of one such pair for each input, optional
        Range of the inputs, or of each of them. Where not given, the range of the outputs of the layer before, or the
        network's.
    patch : tuple of int, optional
        For a convolution, the shape (channels, ...) of the patch that its inputs are, in C order: the layer is then
        the map from one patch to the output channels at one place.
    per_position : bool, default False
        Whether the layer stands at many places of a sample, as on each step of a sequence (time, width): it is then
        the map of one of them, as a convolution is that of one patch.

    Attributes
    ----------
    weight : ndarray (n_in, n_out), float64
        Read-only.
    bias : ndarray (n_out,), float64
        Read-only.
    activation : Activation
        The elementwise activation.

    Raises
    ------
    TypeError, ValueError
        The message names the parameter, the rule and the value.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> layer = ef.Layer([[1.0, -1.0], [0.5, 2.0]], activation="relu", name="fc1")
    >>> layer
    Layer(2 -> 2, relu, name='fc1')
    >>> layer(np.array([[1.0, 0.0]]))
    array([[1., 0.]])
    """

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]
    activation: Activation
    name: str | None
    out_range: Range | None
    in_range: Ranges | None
    patch: tuple[int, ...] | None
    per_position: bool

    kind: ClassVar[str] = "dense"
    pairwise_methods: ClassVar[tuple[str, ...]] = ("exact", "histogram", "none")
    is_thread_safe: ClassVar[bool] = True

    def __init__(
        self,
        weight: ArrayLike,
        bias: ArrayLike | None = None,
        activation: str | Activation = "sigmoid",
        name: str | None = None,
        out_range: Range | None = None,
        in_range: Ranges | None = None,
        patch: Sequence[int] | None = None,
        per_position: bool = False,
    ):
        owner = f"Layer {name!r}" if name is not None else "Layer"
        w = real_array(weight, "weight", owner)
        if w.ndim != 2 or 0 in w.shape:
            raise ValueError(
                f"The 'weight' parameter of {owner} must have shape (n_in, n_out), at least one of each. "
                f"Got shape {w.shape} instead."
            )
        n_out = w.shape[1]
        b = np.zeros(n_out) if bias is None else real_array(bias, "bias", owner)
        if b.shape != (n_out,):
            raise ValueError(
                f"The 'bias' parameter of {owner} must have shape ({n_out},), one entry a column of 'weight'. "
                f"Got shape {b.shape} instead."
            )
        for key, array in (("weight", w), ("bias", b)):
            # A sum is finite only where all that it adds up is.
            with np.errstate(over="ignore", invalid="ignore"):
                is_finite = bool(np.isfinite(array.sum()))
            bad = np.empty((0, array.ndim), np.intp) if is_finite else np.argwhere(~np.isfinite(array))
            if len(bad):
                at = tuple(int(k) for k in bad[0])
                raise ValueError(
                    f"The {key!r} parameter of {owner} must be finite, neither NaN nor inf. Got {array[at]} "
                    f"at index {at} ({len(bad)} such {'entry' if len(bad) == 1 else 'entries'}). "
                    "Measure an earlier checkpoint."
                )
            array.flags.writeable = False
        try:
            activation = Activation(activation)
        except (TypeError, ValueError) as error:
            raise type(error)(f"{owner}: {error}") from None
        object.__setattr__(self, "weight", w)
        object.__setattr__(self, "bias", b)
        object.__setattr__(self, "activation", activation)
        object.__setattr__(self, "name", check_name(name, owner))
        out_range = None if out_range is None else check_range(out_range, "out_range", owner)
        in_range = None if in_range is None else check_ranges(in_range, w.shape[0], "in_range", owner)
        object.__setattr__(self, "out_range", out_range)
        object.__setattr__(self, "in_range", in_range)
        object.__setattr__(self, "patch", check_patch(patch, w.shape[0], owner))
        object.__setattr__(self, "per_position", check_per_position(per_position, self.patch, owner))

    @property
    def groups(self) -> int:
        """Number of groups of neurons that share no edge, by the way in which the layer was made."""
        return 1

    @property
    def columns(self) -> NDArray[np.float64]:
        """Weights into each output from the inputs of its group, (n_in / groups, n_out)."""
        return self.weight

    def of_inputs(self, values: NDArray[np.float64], outputs: slice = slice(None)) -> NDArray[np.float64]:
        """Return one number for each input as it is to be multiplied with the `columns` of some outputs.

        Parameters
        ----------
        values : ndarray (n_in,)
            One for each input.
        outputs : slice, optional
            The outputs; all where not given.

        Returns
        -------
        ndarray (n_in / groups, 1 or number of these outputs)
            Read-only where it is a view.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Layer([[1.0], [-1.0]]).of_inputs(np.array([2.0, 3.0]))
        array([[2.],
               [3.]])
        """
        return values[:, None]

    def preactivations(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return x @ weight + bias.

        Parameters
        ----------
        x : ndarray (m, n_in)
            Inputs.

        Returns
        -------
        ndarray (m, n_out)
            Pre-activations.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Layer([[1.0], [-1.0]], bias=[0.5]).preactivations(np.ones((1, 2)))
        array([[0.5]])
        """
        sums: NDArray[np.float64] = x @ self.weight + self.bias
        return sums

    @property
    def activation_name(self) -> str:
        """Name of the activation in reports, with the parameters that differ from their defaults."""
        return str(self.activation)

    @property
    def n_in(self) -> int:
        """Number of input neurons."""
        return len(self.weight)

    @property
    def n_out(self) -> int:
        """Number of output neurons."""
        return len(self.bias)

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs (m, n_out) at the inputs `x` (m, n_in)."""
        return self.activation(self.preactivations(x))

    def size_of_sums(self, x: NDArray[np.float64]) -> float:
        """Return the largest sum of absolute terms of any pre-activation: the scale of its rounding error.

        Parameters
        ----------
        x : ndarray (m, n_in)
            Inputs.

        Returns
        -------
        float
            Maximum over samples and outputs of sum(abs(x_i * weight_ij)) + abs(bias_j).

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Layer([[1.0], [-1.0]], bias=[0.5]).size_of_sums(np.ones((1, 2)))
        2.5
        """
        sizes = np.abs(x)
        largest = (
            np.max(sizes @ np.abs(self.weight[:, some]) + np.abs(self.bias[some]), initial=0.0)
            for some in blocks_of(self.n_out, self.n_in)
        )
        return float(max(largest))

    def preactivation_hull(
        self, in_range: Ranges | NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the smallest and largest pre-activation of each output, by interval arithmetic.

        Parameters
        ----------
        in_range : (float, float), a tuple of one such pair for each input, or array (n_in, 2)
            Range of all inputs, or of each.

        Returns
        -------
        smallest, largest : ndarray (n_out,)
            Ends of the interval of each pre-activation while every input moves over its range.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.Layer([[1.0, -1.0], [0.5, 2.0]]).preactivation_hull((0.0, 1.0))
        (array([ 0., -1.]), array([1.5, 2. ]))
        """
        low: Any
        high: Any
        is_common = isinstance(in_range, tuple) and not is_each(in_range)
        ends: Any = in_range if is_common else ends_of(in_range, self.n_in)
        columns = self.columns
        smallest, largest = np.empty(self.n_out), np.empty(self.n_out)
        with np.errstate(over="ignore", invalid="ignore"):
            for some in blocks_of(self.n_out, len(columns)):
                low, high = ends if is_common else (self.of_inputs(end, some) for end in ends)
                positive, negative = np.maximum(columns[:, some], 0.0), np.minimum(columns[:, some], 0.0)
                smallest[some] = self.bias[some] + (positive * low + negative * high).sum(axis=0)
                largest[some] = self.bias[some] + (positive * high + negative * low).sum(axis=0)
        return smallest, largest

    def output_image(self, in_range: Ranges) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the smallest and largest value of each output, by interval arithmetic.

        Parameters
        ----------
        in_range : (float, float), or a tuple of one such pair for each input
            Range of all inputs, or of each.

        Returns
        -------
        smallest, largest : ndarray (n_out,)
            Ends of the interval of each output while every input moves over its range.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.Layer([[1.0, -1.0], [0.5, 2.0]], activation="relu").output_image((0.0, 1.0))
        (array([0., 0.]), array([1.5, 2. ]))
        """
        return self.activation.image(*self.preactivation_hull(in_range))

    def named(self, name: str) -> "Layer":
        """Return the same layer under another name.

        Parameters
        ----------
        name : str
            The new name.

        Returns
        -------
        Layer
            A new layer; this one stays as it is.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.Layer([[1.0]]).named("output")
        Layer(1 -> 1, sigmoid, name='output')
        """
        return self._with("name", check_name(name, f"Layer {name!r}"))

    def over(self, in_range: Ranges) -> "Layer":
        """Return the same layer with an input range of its own.

        Parameters
        ----------
        in_range : (float, float), or a sequence of one such pair for each input
            Range of all inputs, or of each.

        Returns
        -------
        Layer
            A new layer; this one stays as it is.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.Layer([[1.0]]).over((-1.0, 1.0)).in_range
        (-1.0, 1.0)
        """
        owner = f"Layer {self.name!r}" if self.name is not None else "Layer"
        return self._with(
            "in_range", None if in_range is None else check_ranges(in_range, self.n_in, "in_range", owner)
        )

    def _with(self, key: str, value: Any) -> "Layer":
        """The same layer but for one attribute, with the same arrays: they are read-only."""
        other = object.__new__(type(self))
        for name, held in vars(self).items():
            object.__setattr__(other, name, value if name == key else held)
        return other

    def _given(self) -> tuple[Any, ...]:
        """What it was made of, in the order of the parameters."""
        return tuple(getattr(self, key) for key in _PARAMETERS)

    def __reduce__(self) -> tuple[Any, ...]:
        return Layer, self._given()

    def __repr__(self) -> str:
        return f"Layer({self.n_in} -> {self.n_out}, {self.activation.name}, name={self.name!r})"
