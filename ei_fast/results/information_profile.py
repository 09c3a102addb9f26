"""What the inputs of a layer tell together and alone: an `InformationProfile`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.profile.estimate import LayerProfile
from ei_fast.measures.profile.figure import Figure
from ei_fast.network.binned import BinnedLayer
from ei_fast.network.bins import Ranges
from ei_fast.results.flags import Flag, explanation_of
from ei_fast.results.notebook import printed_in_html
from ei_fast.results.tables import frame_of, lines_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Picture
    from pandas import DataFrame

Values = NDArray[np.float64]
Ends = tuple[float, float]

DEGREES = {
    "redundancy_degree": "average degree of redundancy",
    "vulnerability_degree": "average degree of vulnerability",
    "output_redundancy_degree": "average degree of redundancy of the outputs",
}
"""Titles of the ratios, by their names."""

_COLUMNS = ("side", "neuron", "information", "conditional_information")
_ENDS = ("stderr", "low", "high")


_HEADER = ("figure", "value", "error", "low", "high")


@dataclass(frozen=True, eq=False, repr=False)
class InformationProfile:
    """What the inputs of a layer tell about its outputs, together, alone, and once all others are known.

    Parameters
    ----------
    name : str
        Name of the layer in its network.
    n_in, n_out : int
        Numbers of input and output neurons.
    in_range, out_range : (float, float), or one such pair for each neuron
        Ranges over which inputs and outputs are binned.
    in_bins, out_bins : int
        Numbers of bins of each input and of each output.
    ei, ei_stderr : float
        Effective information I(X; Y) in bits, as of `effective_information` with the same seed, and its standard error.
    ei_interval : (float, float)
        95 % interval, which allows for the bias that may be left; lower and upper bound where undersampled. So are all
        intervals here.
    synergy, synergy_stderr : float
        EI less the sum of `input_information`, in bits: what only several inputs together tell.
    synergy_interval : (float, float)
        Its 95 % interval.
    redundancy_degree, redundancy_degree_stderr : float
        The sum of `input_information` over EI, between 0 and 1; NaN where EI is 0.
    redundancy_degree_interval : (float, float)
        Its 95 % interval.
    vulnerability_degree, vulnerability_degree_stderr : float
        The sum of `conditional_information` over EI, between 1 and `n_in`; NaN where EI is 0.
    vulnerability_degree_interval : (float, float)
        Its 95 % interval.
    output_redundancy_degree, output_redundancy_degree_stderr : float
        The sum of `output_information` over EI, between 0 and `n_out`; NaN where EI is 0.
    output_redundancy_degree_interval : (float, float)
        Its 95 % interval.
    input_information, input_information_stderr : ndarray (n_in,)
        I(X_i; Y) in bits of every input to all outputs together.
    input_information_interval : ndarray (n_in, 2)
        Their 95 % intervals.
    conditional_information, conditional_information_stderr : ndarray (n_in,)
        I(X_i; Y | X_others) in bits of every input, all other inputs known.
    conditional_information_interval : ndarray (n_in, 2)
        Their 95 % intervals.
    output_information, output_information_stderr : ndarray (n_out,)
        I(X; Y_j) in bits of all inputs together to every output.
    output_information_interval : ndarray (n_out, 2)
        Their 95 % intervals.
    n_samples : int
        Number of simulated points; 0 where everything is exact.
    flags : tuple of str
        What to know before trusting the figures; `explain` says what each means.

    Notes
    -----
    X are the binned inputs, uniform and independent under do(X = H^max), and Y the binned outputs. Degrees are the
    Shannon invariants of Gutknecht et al. (2025, arXiv:2504.15779). Since the intervention leaves the inputs nothing in
    common (arXiv:2605.03267), EI is never less than what they tell alone: the difference is the synergy.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> profile = ef.information_profile(np.eye(2), activation="linear", bins=4)
    >>> profile.input_information
    array([2., 2.])
    >>> print(profile)
    layer0, 2 -> 2
    figure                                       value  error    low   high
    -----------------------------------------------------------------------
    EI                                           4.000  0.000  4.000  4.000
    synergy                                      0.000  0.000  0.000  0.000
    average degree of redundancy                 1.000  0.000  1.000  1.000
    average degree of vulnerability              1.000  0.000  1.000  1.000
    average degree of redundancy of the outputs  1.000  0.000  1.000  1.000
    """

    name: str
    n_in: int
    n_out: int
    in_range: Ranges
    out_range: Ranges
    in_bins: int
    out_bins: int
    ei: float
    ei_stderr: float
    ei_interval: Ends
    synergy: float
    synergy_stderr: float
    synergy_interval: Ends
    redundancy_degree: float
    redundancy_degree_stderr: float
    redundancy_degree_interval: Ends
    vulnerability_degree: float
    vulnerability_degree_stderr: float
    vulnerability_degree_interval: Ends
    output_redundancy_degree: float
    output_redundancy_degree_stderr: float
    output_redundancy_degree_interval: Ends
    input_information: Values = field(repr=False)
    input_information_stderr: Values = field(repr=False)
    input_information_interval: Values = field(repr=False)
    conditional_information: Values = field(repr=False)
    conditional_information_stderr: Values = field(repr=False)
    conditional_information_interval: Values = field(repr=False)
    output_information: Values = field(repr=False)
    output_information_stderr: Values = field(repr=False)
    output_information_interval: Values = field(repr=False)
    n_samples: int
    flags: tuple[str, ...]

    def to_frame(self) -> "DataFrame":
        """Return the figures of every neuron as a table.

        Returns
        -------
        pandas.DataFrame
            One row for each input, then one for each output, with the columns side ("input" or "output"), neuron,
            information (I(X_i; Y) or I(X; Y_j), bits) and conditional_information (I(X_i; Y | X_others), bits; NaN for
            outputs), and the standard error and interval of each.

        Raises
        ------
        ImportError
            Where pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> profile = ef.information_profile(np.eye(2), activation="linear", bins=4)
        >>> profile.to_frame()[["side", "neuron", "information"]].values.tolist()
        [['input', 0, 2.0], ['input', 1, 2.0], ['output', 0, 2.0], ['output', 1, 2.0]]
        """
        rows: list[dict[str, Any]] = []
        for side, names in (
            ("input", {"information": "input_information", "conditional_information": "conditional_information"}),
            ("output", {"information": "output_information"}),
        ):
            count = self.n_in if side == "input" else self.n_out
            for k in range(count):
                row: dict[str, Any] = {"side": side, "neuron": k}
                for column, name in names.items():
                    low, high = getattr(self, f"{name}_interval")[k]
                    row |= {column: getattr(self, name)[k], f"{column}_stderr": getattr(self, f"{name}_stderr")[k]}
                    row |= {f"{column}_low": low, f"{column}_high": high}
                rows.append(row)
        columns = [*_COLUMNS[:2]]
        for column in _COLUMNS[2:]:
            columns += [column, *(f"{column}_{end}" for end in _ENDS)]
        return frame_of(rows, columns, "InformationProfile.to_frame")

    def plot(self, ax: "Axes | None" = None) -> "Picture":
        """Draw what every neuron tells; see `plot_profile`.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Divided into two panels; those of a new figure, known to no window system, where not given.

        Returns
        -------
        Figure
            The one that was drawn into.

        Raises
        ------
        ImportError
            Where matplotlib is not installed.
        TypeError, ValueError
            As `plot_profile`.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> len(ef.information_profile(np.eye(2), activation="linear").plot().axes)
        3
        """
        # By its public name: results know no picture, and import none before one is drawn.
        import ei_fast

        return ei_fast.plot_profile(self, ax)

    def explain(self) -> str:
        """Say what the figures say of the layer, and what each flag means.

        Returns
        -------
        str
            A few sentences, and one paragraph for each flag.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> print(ef.information_profile(np.zeros((2, 2))).explain())
        layer0: EI is 0, so that all degrees are undefined (NaN). [constant] No output leaves its bin anywhere on the \
input range, so that everything is exactly 0.
        """
        if np.isnan(self.redundancy_degree):
            how = "EI is 0, so that all degrees are undefined (NaN)."
        else:
            how = (
                f"the inputs tell {self.ei:.3g} bits, of which {self.synergy:.3g} are synergy, told only together. On "
                f"average a bit is told by {self.redundancy_degree:.2f} inputs alone, lost with any of "
                f"{self.vulnerability_degree:.2f}, and found in {self.output_redundancy_degree:.2f} outputs alone."
            )
        return " ".join([f"{self.name}: {how}", *(f"[{flag}] {_meaning(flag)}" for flag in self.flags)])

    def __str__(self) -> str:
        flags = [f"flags: {', '.join(self.flags)}"] if self.flags else []
        head = f"{self.name}, {self.n_in} -> {self.n_out}"
        return "\n".join([head, *lines_of(_HEADER, self._lines(), right=(1, 2, 3, 4)), *flags])

    def _repr_html_(self) -> str:
        return printed_in_html(_HEADER, self._lines(), (1, 2, 3, 4), [self.explain()])

    def _lines(self) -> list[tuple[str, ...]]:
        rows = [("EI", "ei"), ("synergy", "synergy"), *((title, name) for name, title in DEGREES.items())]
        return [(title, *self._numbers(name)) for title, name in rows]

    def __repr__(self) -> str:
        names = ("ei", "synergy", *DEGREES)
        figures = ", ".join(f"{name}={getattr(self, name):.4g}" for name in names)
        return f"InformationProfile({self.name!r}, {self.n_in} -> {self.n_out}, {figures}, flags={self.flags})"

    def _numbers(self, name: str) -> tuple[str, ...]:
        """Value, standard error and ends of the interval as text."""
        numbers = (getattr(self, name), getattr(self, f"{name}_stderr"), *getattr(self, f"{name}_interval"))
        return tuple(f"{number:.3f}" for number in numbers)


def information_profile_of(binned: BinnedLayer, profile: LayerProfile, flags: Sequence[Flag]) -> InformationProfile:
    """The figures of a layer, with what they were computed with."""
    layer = binned.layer
    values: dict[str, Any] = {}
    for name in ("ei", "synergy", *DEGREES):
        one: Figure = getattr(profile, name)
        values |= {name: one.value, f"{name}_stderr": one.stderr, f"{name}_interval": (one.low, one.high)}
    sides = (("input_information", profile.alone), ("conditional_information", profile.given))
    for name, figures in (*sides, ("output_information", profile.outputs)):
        values |= _arrays(name, figures.each)
    return InformationProfile(
        name=str(layer.name),
        n_in=layer.n_in,
        n_out=layer.n_out,
        in_range=binned.in_range,
        out_range=binned.out_range,
        in_bins=binned.in_bins,
        out_bins=binned.out_bins,
        n_samples=profile.n_samples,
        flags=tuple(flags),
        **values,
    )


def _arrays(name: str, each: Sequence[Figure]) -> dict[str, Values]:
    return {
        name: np.array([one.value for one in each]),
        f"{name}_stderr": np.array([one.stderr for one in each]),
        f"{name}_interval": np.array([(one.low, one.high) for one in each]).reshape(len(each), 2),
    }


def _meaning(flag: str) -> str:
    if flag == Flag.UNDERSAMPLED:
        return (
            "The joint states outnumber the points, so that some figures are known by bounds only: their interval is "
            "a bracket, the value its midpoint. Give fewer bins, or a layer with fewer outputs."
        )
    return explanation_of(flag, 0.0)
