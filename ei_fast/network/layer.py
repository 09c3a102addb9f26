"""Layers: a dense `Layer`, or any other map as a `Function`; of a convolution, its map from one patch to channels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.activations import Activation
from ei_fast.network.bins import Range, Ranges, check_range, ends_of, is_each
from ei_fast.validation import check_unmasked, without_gradient


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
        The elementwise activation.
    name : str, optional
        Name in reports. A network names its layers ``layer0, layer1, ...`` where they have no name.
    out_range : (float, float), optional
        Range over which the outputs are binned. Derived from the activation where not given.
    in_range : (float, float), optional
        Range of the inputs. Where not given, the range of the outputs of the layer before, or the network's.
    patch : tuple of int, optional
        For a convolution, the shape (channels, ...) of the patch that its inputs are, in C order: the layer is then
        the map from one patch to the output channels at one place.

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
    in_range: Range | None
    patch: tuple[int, ...] | None

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
        in_range: Range | None = None,
        patch: Sequence[int] | None = None,
    ):
        owner = f"Layer {name!r}" if name is not None else "Layer"
        w = _real_array(weight, "weight", owner)
        if w.ndim != 2 or 0 in w.shape:
            raise ValueError(
                f"The 'weight' parameter of {owner} must have shape (n_in, n_out), at least one of each. "
                f"Got shape {w.shape} instead."
            )
        n_out = w.shape[1]
        b = np.zeros(n_out) if bias is None else _real_array(bias, "bias", owner)
        if b.shape != (n_out,):
            raise ValueError(
                f"The 'bias' parameter of {owner} must have shape ({n_out},), one entry a column of 'weight'. "
                f"Got shape {b.shape} instead."
            )
        for key, array in (("weight", w), ("bias", b)):
            bad = np.argwhere(~np.isfinite(array))
            if bad.size:
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
        for key, limits in (("out_range", out_range), ("in_range", in_range)):
            object.__setattr__(self, key, None if limits is None else check_range(limits, key, owner))
        object.__setattr__(self, "patch", check_patch(patch, w.shape[0], owner))

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
        return self.activation(x @ self.weight + self.bias)

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
        return float(np.max(np.abs(x) @ np.abs(self.weight) + np.abs(self.bias), initial=0.0))

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
        if isinstance(in_range, tuple) and not is_each(in_range):
            low, high = in_range
        else:
            low, high = (end[:, None] for end in ends_of(in_range, self.n_in))
        positive, negative = np.maximum(self.weight, 0.0), np.minimum(self.weight, 0.0)
        with np.errstate(over="ignore", invalid="ignore"):
            smallest = self.bias + (positive * low + negative * high).sum(axis=0)
            largest = self.bias + (positive * high + negative * low).sum(axis=0)
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
        return Layer(self.weight, self.bias, self.activation, name, self.out_range, self.in_range, self.patch)

    def over(self, in_range: Range) -> "Layer":
        """Return the same layer with an input range of its own.

        Parameters
        ----------
        in_range : (float, float)
            Range of all inputs.

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
        return Layer(self.weight, self.bias, self.activation, self.name, self.out_range, in_range, self.patch)

    def __reduce__(self) -> tuple[Any, ...]:
        given = (self.weight, self.bias, self.activation, self.name, self.out_range, self.in_range, self.patch)
        return Layer, given

    def __repr__(self) -> str:
        return f"Layer({self.n_in} -> {self.n_out}, {self.activation.name}, name={self.name!r})"


@dataclass(frozen=True, eq=False)
class Function:
    """Any map from input neurons to output neurons, measured as one layer.

    Parameters
    ----------
    fn : callable
        Takes a float64 array (m, n_in) and returns an array (m, n_out). Every row of the result depends on the same
        row of the input alone, and on nothing that happened before.
    n_in, n_out : int
        Numbers of input and output neurons.
    out_range : (float, float)
        Range over which the outputs are binned.
    in_range : (float, float), optional
        Range of the inputs. Where not given, the range of the outputs of the layer before, or the network's.
    name : str, optional
        Name in reports. A network names its layers ``layer0, layer1, ...`` where they have no name.
    patch : tuple of int, optional
        For a convolution, the shape (channels, ...) of the patch that its inputs are, in C order, as of a `Layer`.

    Raises
    ------
    TypeError, ValueError
        The message names the parameter, the rule and the value.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> product = ef.Function(lambda x: x[:, :1] * x[:, 1:], n_in=2, n_out=1, out_range=(0.0, 1.0))
    >>> product(np.array([[0.5, 0.5]]))
    array([[0.25]])
    """

    fn: Callable[[NDArray[np.float64]], ArrayLike]
    n_in: int
    n_out: int
    out_range: Range
    in_range: Range | None = None
    name: str | None = None
    patch: tuple[int, ...] | None = None

    kind: ClassVar[str] = "function"
    pairwise_methods: ClassVar[tuple[str, ...]] = ("histogram", "none")
    is_thread_safe: ClassVar[bool] = False

    def __post_init__(self) -> None:
        owner = f"Function {self.name!r}" if self.name is not None else "Function"
        check_name(self.name, owner)
        if not callable(self.fn):
            raise TypeError(
                f"The 'fn' parameter of {owner} must be callable: (m, n_in) array -> (m, n_out) array. "
                f"Got {self.fn!r} instead."
            )
        for key in ("n_in", "n_out"):
            width = getattr(self, key)
            if not isinstance(width, Integral) or isinstance(width, (bool, np.bool_)):
                raise TypeError(f"The {key!r} parameter of {owner} must be an integer >= 1. Got {width!r} instead.")
            if width < 1:
                raise ValueError(f"The {key!r} parameter of {owner} must be an integer >= 1. Got {width!r} instead.")
            object.__setattr__(self, key, int(width))
        object.__setattr__(self, "out_range", check_range(self.out_range, "out_range", owner))
        if self.in_range is not None:
            object.__setattr__(self, "in_range", check_range(self.in_range, "in_range", owner))
        object.__setattr__(self, "patch", check_patch(self.patch, self.n_in, owner))

    @property
    def activation_name(self) -> str:
        """What reports show in the place of an activation."""
        return "function"

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Outputs (m, n_out) at the inputs `x` (m, n_in), checked: of that shape, real, without NaN."""
        try:
            returned = self.fn(x)
            check_unmasked(returned, f"Function {self.name!r} must return numbers")
            y = np.asarray(without_gradient(returned))
        except StopIteration as error:
            # Passed on as it is, it would silently end a loop of some caller.
            raise RuntimeError(f"Function {self.name!r} raised StopIteration for inputs of shape {x.shape}.") from error
        except Exception as error:
            error.add_note(f"Raised by Function {self.name!r} for inputs of shape {x.shape}.")
            raise
        if y.shape != (len(x), self.n_out):
            raise ValueError(
                f"Function {self.name!r} must return an array of shape ({len(x)}, {self.n_out}) "
                f"for inputs of shape {x.shape}. Got shape {y.shape} instead."
            )
        if y.dtype.kind not in "fiub":
            raise TypeError(f"Function {self.name!r} must return real numbers. Got dtype {y.dtype} instead.")
        y = y.astype(np.float64, copy=False)
        if np.isnan(y).any():
            raise ValueError(
                f"Function {self.name!r} returned NaN. It must be defined on the whole input range: check 'in_range'."
            )
        return y

    def named(self, name: str) -> "Function":
        """Return the same map under another name.

        Parameters
        ----------
        name : str
            The new name.

        Returns
        -------
        Function
            A new function; this one stays as it is.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Function(np.tanh, 2, 2, (-1.0, 1.0)).named("block")
        Function(2 -> 2, name='block')
        """
        return replace(self, name=name)

    def over(self, in_range: Range) -> "Function":
        """Return the same map with an input range of its own.

        Parameters
        ----------
        in_range : (float, float)
            Range of all inputs.

        Returns
        -------
        Function
            A new function; this one stays as it is.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Function(np.tanh, 2, 2, (-1.0, 1.0)).over((-3.0, 3.0)).in_range
        (-3.0, 3.0)
        """
        return replace(self, in_range=in_range)

    def __repr__(self) -> str:
        return f"Function({self.n_in} -> {self.n_out}, name={self.name!r})"


def check_name(name: Any, owner: str) -> str | None:
    """Return `name`; TypeError where it cannot be the name of a layer."""
    if name is not None and (not isinstance(name, str) or not name):
        raise TypeError(f"The 'name' parameter of {owner} must be a non-empty string. Got {name!r} instead.")
    return name


def check_patch(patch: Any, n_in: int, owner: str) -> tuple[int, ...] | None:
    """Return `patch` as a tuple; TypeError or ValueError where it is not the shape of `n_in` inputs."""
    if patch is None:
        return None
    rule = f"The 'patch' parameter of {owner} must be integers >= 1, (channels, ...), whose product is {n_in}"
    if not isinstance(patch, Sequence) or any(isinstance(n, bool) or not isinstance(n, Integral) for n in patch):
        raise TypeError(f"{rule}. Got {patch!r} instead.")
    shape = tuple(int(n) for n in patch)
    if not shape or min(shape) < 1 or prod(shape) != n_in:
        raise ValueError(f"{rule}. Got {patch!r} instead.")
    return shape


def _real_array(values: Any, key: str, owner: str) -> NDArray[np.float64]:
    """A fresh C-ordered float64 copy of `values`."""
    if hasattr(values, "toarray"):
        raise TypeError(
            f"The {key!r} parameter of {owner} must be a dense array. Got {type(values).__name__} instead: "
            "sparse input is not supported. Convert it with .toarray()."
        )
    rule = f"The {key!r} parameter of {owner} must be an array of real numbers"
    check_unmasked(values, rule)
    try:
        array = np.asarray(without_gradient(values))
    # The last is what PyTorch raises for tensors that hold no values.
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{rule}. Got {type(values).__name__} instead: {error}.") from None
    if array.dtype.kind == "c":
        raise ValueError(f"{rule}. Got {array.dtype} instead. Complex data not supported: pass the real part.")
    if array.dtype.kind not in "fiubO":
        raise TypeError(f"{rule}. Got {array.dtype} instead.")
    entries = array.flat if array.dtype.kind == "O" else ()
    text = next((entry for entry in entries if isinstance(entry, (str, bytes))), None)
    if text is not None:
        # NumPy would convert it to a number.
        raise TypeError(f"{rule}. Got {text!r} in an array of objects instead.")
    try:
        return np.array(array, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"{rule}. Got {array.dtype} instead: {error}.") from None
