"""Any map from inputs to outputs as a layer: a `Function`, whose values are checked as they come."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Integral
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.bins import Range, Ranges, check_range, check_ranges
from ei_fast.network.checks import check_name, check_patch, check_per_position
from ei_fast.validation import check_unmasked, without_gradient


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
    in_range : (float, float), or a sequence of one such pair for each input, optional
        Range of the inputs, or of each of them. Where not given, the range of the outputs of the layer before, or the
        network's.
    name : str, optional
        Name in reports. A network names its layers ``layer0, layer1, ...`` where they have no name.
    patch : tuple of int, optional
        For a convolution, the shape (channels, ...) of the patch that its inputs are, in C order, as of a `Layer`.
    per_position : bool, default False
        Whether it stands at many places of a sample and is the map of one of them, as of a `Layer`.

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
    in_range: Ranges | None = None
    name: str | None = None
    patch: tuple[int, ...] | None = None
    per_position: bool = False

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
            object.__setattr__(self, "in_range", check_ranges(self.in_range, self.n_in, "in_range", owner))
        object.__setattr__(self, "patch", check_patch(self.patch, self.n_in, owner))
        object.__setattr__(self, "per_position", check_per_position(self.per_position, self.patch, owner))

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

    def over(self, in_range: Ranges) -> "Function":
        """Return the same map with an input range of its own.

        Parameters
        ----------
        in_range : (float, float), or a sequence of one such pair for each input
            Range of all inputs, or of each.

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
