"""Activations: known by name, or a user's own function.

Followed by binning, one is a step function of the pre-activation (`step_functions`), and that is all that kernels read:
a new activation is a new row in `formulas` and never a new kernel.
"""

from collections.abc import Callable
from functools import lru_cache
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ei_fast.network.bins import Range
from ei_fast.network.formulas import ALIASES, FAMILIES, Formula, Map
from ei_fast.network.step_functions import StepFunction, TooFast, steps_by_pieces, steps_on_grid
from ei_fast.network.torch_modules import named_by_module
from ei_fast.validation import as_float, as_numpy_ships, check_unmasked

_GRID = 2**15
# How many times finer it is made where the function is too fast for it, which is told by this share of wrong bins.
_FINER = (1, 4, 16)
_TOO_FAST = 2.0**-10


class Activation:
    """An elementwise activation function.

    Parameters
    ----------
    name_or_callable : str, Activation or callable
        ``"linear"``, ``"sigmoid"``, ``"tanh"``, ``"relu"``, ``"relu6"``, ``"leaky_relu"`` (negative_slope=0.01),
        ``"prelu"`` (negative_slope=0.25), ``"elu"`` (alpha=1), ``"selu"``, ``"gelu"`` (approximate="none" or "tanh"),
        ``"silu"``, ``"mish"``, ``"softplus"`` (beta=1), ``"softsign"``, ``"log_sigmoid"``, ``"hard_sigmoid"``
        (slope 1/6), ``"hard_tanh"`` (min_val=-1, max_val=1) or ``"hard_silu"``; or a user's function, vectorised over
        arrays; or a module of PyTorch that is one of these, as ``torch.nn.LeakyReLU(0.2)``.
    codomain : (float, float), optional
        Infimum and supremum of the values of a user's function; infinite where unbounded. The steps of such a function
        are searched on a grid of 32,768 intervals over the pre-activations that a layer can reach, and then refined to
        rounding: a bin that is entered and left between two neighbouring points is not seen. Where that is so at more
        than one point in a thousand, as of a sine of many periods, the grid is made up to 16 times finer.
    **params : float or str
        Parameters of the named activation.

    Attributes
    ----------
    name : str
        Name of the activation, or ``__name__`` of the function.
    params : dict
        Parameters of the named activation, defaults included.
    codomain : (float, float)
        Infimum and supremum of the values.

    Raises
    ------
    ValueError
        For a name, a parameter or a value that is not known.
    TypeError
        For something that is neither a name nor callable.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> leaky = ef.Activation("leaky_relu", negative_slope=0.2)
    >>> leaky([-1.0, 1.0])
    array([-0.2,  1. ])
    >>> ef.Activation(np.sin, codomain=(-1.0, 1.0))
    Activation('sin')
    """

    name: str
    params: dict[str, Any]
    codomain: Range

    def __init__(
        self,
        name_or_callable: "str | Activation | Map",
        codomain: Range | None = None,
        **params: Any,
    ):
        self.formula: Formula | None = None
        if isinstance(name_or_callable, Activation):
            self.__dict__.update(name_or_callable.__dict__)
        elif isinstance(name_or_callable, str):
            self._from_name(name_or_callable, codomain, params)
        elif callable(name_or_callable):
            self._from_callable(name_or_callable, codomain, params)
        else:
            raise TypeError(
                "The 'name_or_callable' parameter of Activation must be a name or a function; "
                f"known are {', '.join(FAMILIES)}. Got {name_or_callable!r} instead."
            )

    def _from_name(self, given: str, codomain: Range | None, params: dict[str, Any]) -> None:
        name = ALIASES.get(given, given)
        if name not in FAMILIES:
            raise ValueError(
                f"The activation {given!r} is not known. Known are {', '.join([*FAMILIES, *ALIASES])}. "
                "Use one of them, or pass a function of your own with its codomain."
            )
        if codomain is not None:
            raise ValueError(
                f"The 'codomain' parameter of Activation belongs to functions of your own. Got it for {given!r}. "
                "Leave it out."
            )
        family = FAMILIES[name]
        unknown = sorted(params.keys() - family.defaults.keys())
        if unknown:
            known = ", ".join(family.defaults) or "none"
            raise ValueError(
                f"The activation {given!r} has no parameter {unknown[0]!r}. It has {known}. "
                f"{'Use one of these' if family.defaults else 'Leave it out'}."
            )
        self.params = family.defaults | {key: _plain(value) for key, value in params.items()}
        if self.params and not _holds(family.allowed, self.params):
            raise ValueError(f"The parameters of the activation {given!r}: {family.rule}. Got {self.params} instead.")
        self.name = name
        self._function: Map | None = None
        self.formula = _formula(name, tuple(self.params.items()))
        self.codomain = self.formula.codomain

    def _from_callable(self, function: Map, codomain: Range | None, params: dict[str, Any]) -> None:
        if params:
            raise ValueError(
                f"A function of your own takes no parameters here. Got {sorted(params)}. Bind them beforehand."
            )
        named = named_by_module(function)
        if named is not None:
            return self._from_name(named[0], codomain, named[1])
        try:
            low, high = (as_float(end) for end in codomain)  # type: ignore[union-attr]
        except (TypeError, ValueError):
            low = high = np.nan
        if not low < high:
            raise ValueError(
                "The 'codomain' parameter of Activation must be (low, high) with low < high, infinite where unbounded, "
                f"for a function of your own. Got {codomain!r} instead."
            )
        self.name, self.params, self.codomain = getattr(function, "__name__", "custom"), {}, (low, high)
        self._function = function

    @as_numpy_ships
    def __call__(self, s: ArrayLike) -> NDArray[np.float64]:
        """Values at the pre-activations `s`, float64, in the same shape."""
        s = np.asarray(s, dtype=np.float64)
        if self.formula is not None:
            with np.errstate(over="ignore", under="ignore"):
                return np.asarray(self.formula.function(s), dtype=np.float64)
        assert self._function is not None
        try:
            with np.errstate(over="ignore", under="ignore"):
                returned = self._function(s)
        except StopIteration as error:
            raise RuntimeError(f"The activation {self.name!r} raised StopIteration.") from error
        check_unmasked(returned, f"The activation {self.name!r} must return numbers")
        y = np.asarray(returned, dtype=np.float64)
        if y.shape != s.shape or np.isnan(y).any():
            raise ValueError(
                f"The activation {self.name!r} must map an array to an array of the same shape, without NaN. "
                f"Got shape {y.shape} for shape {s.shape}{', with NaN' if np.isnan(y).any() else ''}."
            )
        return y

    @property
    def function(self) -> Map | None:
        """The user's function; None where the activation is known by name."""
        return self._function

    @property
    def is_named(self) -> bool:
        """Whether the activation is known by name, and is not a user's function."""
        return self.formula is not None

    def image(self, low: ArrayLike, high: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the smallest and largest value on each interval of pre-activations.

        Parameters
        ----------
        low, high : array-like
            Ends of the intervals, of one shape.

        Returns
        -------
        smallest, largest : ndarray
            The extreme values on each interval, in the shape of `low`.

        Raises
        ------
        ValueError
            Where a user's function leaves the codomain that was stated.

        Examples
        --------
        >>> import ei_fast as ef
        >>> ef.Activation("relu").image([-1.0, 1.0], [2.0, 3.0])
        (array([0., 1.]), array([2., 3.]))
        """
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        if self.formula is None:
            return self._image_on_grid(low, high)
        points = [low, high, *(np.clip(knot, low, high) for knot in self.formula.knots)]
        values = self(np.stack(points))
        return values.min(axis=0), values.max(axis=0)

    def _image_on_grid(
        self, low: NDArray[np.float64], high: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The image of a user's function: its values on one grid for all intervals, and at their ends.

        Raises
        ------
        ValueError
            Where a value lies outside the codomain that was stated.
        """
        grid = np.linspace(float(np.min(low)), float(np.max(high)), _GRID + 1)
        values = self(grid)
        ends = self(low), self(high)
        at = np.concatenate([grid, low.ravel(), high.ravel()])
        self.check_codomain(at, np.concatenate([values, ends[0].ravel(), ends[1].ravel()]))
        smallest, largest = np.minimum(*ends), np.maximum(*ends)
        begin, end = np.searchsorted(grid, low, side="left"), np.searchsorted(grid, high, side="right")
        for k in np.ndindex(low.shape):
            inside = values[begin[k] : end[k]]
            if inside.size:
                smallest[k], largest[k] = min(smallest[k], inside.min()), max(largest[k], inside.max())
        return smallest, largest

    def check_codomain(self, at: NDArray[np.float64], values: NDArray[np.float64]) -> None:
        """Raise ValueError where values leave the stated codomain by more than rounding.

        Parameters
        ----------
        at : ndarray
            Pre-activations.
        values : ndarray
            The function's values there, in the same shape.

        Raises
        ------
        ValueError
            For the first such value.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> ef.Activation(np.sin, codomain=(-1.0, 1.0)).check_codomain(np.array([0.0]), np.array([0.0]))
        """
        low, high = self.codomain
        # An end may be 0, or infinite: the error of rounding is proportional to the size of the values.
        slack = 1e-9 * max((abs(end) for end in (low, high) if np.isfinite(end)), default=0.0)
        slack = max(slack, 1e-12 * float(np.max(np.abs(values), where=np.isfinite(values), initial=0.0)))
        outside = (values < low - slack) | (values > high + slack)
        if np.any(outside):
            k = np.unravel_index(int(np.argmax(outside)), np.shape(outside))
            raise ValueError(
                f"The 'codomain' parameter of Activation must hold all values of the function {self.name!r}. Got "
                f"{self.codomain}, and {np.asarray(values)[k]} at the pre-activation {np.asarray(at)[k]}."
            )

    @as_numpy_ships
    def steps(
        self, out_range: Range, out_bins: int, reach: Range = (-np.inf, np.inf), drop: bool = False
    ) -> StepFunction:
        """Return the activation followed by `out_bins` equal bins over `out_range`, as a step function.

        Parameters
        ----------
        out_range : (float, float)
            Range of the outputs.
        out_bins : int
            Number of bins.
        reach : (float, float), default (-inf, inf)
            Pre-activations among which the steps of a user's function are searched, finite for such a function.
        drop : bool, default False
            Whether outputs outside the range get a code of their own, to be dropped, or are counted in the outermost
            bins.

        Returns
        -------
        StepFunction
            Breakpoints of the pre-activation, and the bin of each interval between them.

        Raises
        ------
        ValueError
            Where a user's function goes up and down too often to be searched, or leaves the codomain that was stated.

        Examples
        --------
        >>> import ei_fast as ef
        >>> steps = ef.Activation("relu").steps((0.0, 1.0), 4)
        >>> steps.breaks, steps.codes.tolist()
        (array([0.25, 0.5 , 0.75]), [0, 1, 2, 3])
        """
        if self.formula is not None:
            return _steps_of_named(self, out_range, out_bins, drop)
        # Searched anew at every call, since what the function returns may have changed.
        for finer in _FINER:
            grid = np.linspace(*reach, finer * _GRID + 1)
            values = self(grid)
            self.check_codomain(grid, values)
            steps = steps_on_grid(self, grid, values, out_range, out_bins, drop)
            between = grid[:-1] + np.random.default_rng(0).random(len(grid) - 1) * np.diff(grid)
            if steps.differs(between, self(between), out_range, drop) <= _TOO_FAST:
                return steps
        raise TooFast(
            f"The activation {self.name!r} goes up and down too often between {reach[0]:.6g} and {reach[1]:.6g}, which "
            f"the pre-activations of the layer reach, for {_FINER[-1] * _GRID} intervals to show all of its steps. "
            "Give an 'in_range' that is smaller, or measure the layer as a function: "
            "Function(layer, layer.n_in, layer.n_out, out_range)."
        )

    def _key(self) -> tuple[Any, ...]:
        # A user's function equals itself alone: it need not be hashable, nor define equality.
        # A method is a new object at each access, so that its function and its owner are compared.
        function = getattr(self._function, "__func__", self._function)
        owner = getattr(self._function, "__self__", None)
        return (self.name, tuple(sorted(self.params.items())), id(function), id(owner))

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, Activation) and self._key() == other._key()

    def __reduce__(self) -> tuple[Any, ...]:
        if self._function is None:
            return _named, (self.name, self.params)
        return Activation, (self._function, self.codomain)

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        values = [repr(self.name), *(f"{key}={value!r}" for key, value in self.params.items())]
        return f"Activation({', '.join(values)})"

    def __str__(self) -> str:
        defaults = {} if self.formula is None else FAMILIES[self.name].defaults
        values = ", ".join(f"{key}={value}" for key, value in self.params.items() if value != defaults.get(key))
        return f"{self.name}({values})" if values else self.name


@lru_cache(maxsize=128)
def _formula(name: str, params: tuple[tuple[str, Any], ...]) -> Formula:
    return FAMILIES[name].formula(**dict(params))


@lru_cache(maxsize=256)
def _steps_of_named(activation: Activation, out_range: Range, out_bins: int, drop: bool) -> StepFunction:
    assert activation.formula is not None
    return steps_by_pieces(activation, activation.formula, out_range, out_bins, drop)


def _holds(rule: Callable[..., bool], params: dict[str, Any]) -> bool:
    """Whether the parameters are allowed; those of a type that the rule cannot compare are not."""
    try:
        return rule(*params.values())
    except TypeError:
        return False


def _named(name: str, params: dict[str, Any]) -> Activation:
    """An activation known by name, as a pickle makes it anew."""
    return Activation(name, **params)


def _plain(value: Any) -> Any:
    """A parameter as a Python float, where it is a number of any library."""
    return as_float(value) if isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) else value
