"""Two trainings compared, step by step and layer by layer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ei_fast.measures.constants import Z95
from ei_fast.measures.quantities import BY_NAME, EDGE_MEASURES, NAMES
from ei_fast.parameters import OneOf
from ei_fast.results.comparison import COLUMNS, identical
from ei_fast.results.differences import Difference, Known, difference_of, known_of
from ei_fast.results.flags import Flag
from ei_fast.results.matching import Match, left_out, matched
from ei_fast.results.tables import frame_of
from ei_fast.shown.skips import skips_in_lines
from ei_fast.training.columns import MEASURES

if TYPE_CHECKING:
    from pandas import DataFrame

_OWNER = "Trajectory.compare"
_STEPS = OneOf(("all", "common"))
_MOST_SHOWN = 4
_PARAMETERS = ("bins", "in_range", "out_range", "out_of_range", "baseline")


class _Recorded(Protocol):
    """What is read here of a trajectory."""

    steps: NDArray[np.int64]
    layers: tuple[str, ...]
    flags: tuple[tuple[tuple[str, ...], ...], ...]
    provenance: dict[str, Any]

    @property
    def ranges(self) -> str: ...
    def check_one_run(self) -> None: ...


class TrajectoryComparison:
    """Differences of the figures of two trainings, in bits.

    Parameters
    ----------
    steps : ndarray (n_steps,)
        The steps that are compared.
    layers : sequence of (str, str)
        Names of each layer in the first training and in the second.
    differences : dict of str to Difference
        Of each measure by its name, as arrays (n_steps, n_layers).
    skipped : sequence of (str, str)
        Name and reason of what was not compared.
    differs : sequence of str, default ()
        In what else both were measured, so that differences are not those of weights alone.

    Attributes
    ----------
    steps : ndarray (n_steps,)
        The steps that are compared.
    layers, layers_b : tuple of str
        Names of the layers in the first training, and in the second.
    ei, sensitivity, degeneracy, ei_parts, phi_ff : Difference
        Of the five measures, as arrays (n_steps, n_layers).
    skipped : list of (str, str)
        Name and reason of what was not compared.
    differs : tuple of str
        In what else both were measured, so that differences are not those of weights alone: ``"bins"``,
        ``"in_range"``, ``"out_range"``, ``"out_of_range"``, ``"baseline"``, or ``"ranges"``, the convention by which
        records have theirs.

    See Also
    --------
    Trajectory.compare : Makes one.
    plot_comparison : Draws one.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> trainings = []
    >>> for growth in (1, 2):
    ...     recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4, random_state=0))
    ...     for step in range(2):
    ...         _ = recorder.record([np.eye(2) * growth**step], step=step)
    ...     trainings.append(recorder.trajectory_)
    >>> comparison = trainings[0].compare(trainings[1])
    >>> comparison.ei.difference[:, 0].tolist()
    [0.0, 0.0]
    """

    ei: Difference
    sensitivity: Difference
    degeneracy: Difference
    ei_parts: Difference
    phi_ff: Difference

    def __init__(
        self,
        steps: NDArray[np.int64],
        layers: Sequence[tuple[str, str]],
        differences: dict[str, Difference],
        skipped: Sequence[tuple[str, str]],
        differs: Sequence[str] = (),
    ):
        self.steps = steps
        self.layers = tuple(name for name, _ in layers)
        self.layers_b = tuple(name for _, name in layers)
        for name in NAMES:
            setattr(self, name, differences[name])
        self.skipped = list(skipped)
        self.differs = tuple(differs)

    def __len__(self) -> int:
        return len(self.steps)

    def __repr__(self) -> str:
        return f"TrajectoryComparison({len(self)} steps, layers {', '.join(self.layers)})"

    def __str__(self) -> str:
        lines = [repr(self)]
        for k, layer in enumerate(self.layers):
            for name in NAMES:
                z = getattr(self, name).z[:, k]
                told = z[~np.isnan(z)]
                far = int((np.abs(told) > Z95).sum())
                lines.append(
                    f"{layer}, {BY_NAME[name].title}: beyond {Z95:.2f} standard errors at {far} of {len(told)}"
                )
        if self.differs:
            lines.append(f"differs as well in: {', '.join(self.differs)}")
        return "\n".join([*lines, *skips_in_lines(self.skipped, "not compared")])

    def rows(self) -> list[dict[str, Any]]:
        """Return the differences as plain numbers and text.

        Returns
        -------
        list of dict
            One row for each step, layer and measure, with the same keys in each: the columns of `to_frame`.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
        >>> _ = recorder.record([np.eye(2)], step=10)
        >>> row = recorder.trajectory_.compare(recorder.trajectory_).rows()[0]
        >>> row["step"], row["layer"], row["quantity"], row["difference"]
        (10, 'layer0', 'ei', 0.0)
        """
        return [
            {"step": int(step), "layer": layer, "layer_b": self.layers_b[k], "quantity": name}
            | vars(getattr(self, name).at(t, k))
            for t, step in enumerate(self.steps)
            for k, layer in enumerate(self.layers)
            for name in NAMES
        ]

    def to_frame(self) -> "DataFrame":
        """Return the differences as a pandas frame.

        Returns
        -------
        pandas.DataFrame
            One row for each step, layer and measure, with the columns step, layer, layer_b, quantity, a, b,
            difference, stderr, low, high and z.

        Raises
        ------
        ImportError
            Where pandas is not installed.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4))
        >>> _ = recorder.record([np.eye(2)], step=10)
        >>> recorder.trajectory_.compare(recorder.trajectory_).to_frame()["z"].tolist()
        [0.0, 0.0, 0.0, 0.0, 0.0]
        """
        return frame_of(self.rows(), ["step", "layer", "layer_b", *COLUMNS], "TrajectoryComparison.to_frame")


class Comparable:
    """What can be compared with another of its kind: a trajectory."""

    def compare(
        self: "_Recorded", other: Any, match: Match = None, steps: Literal["all", "common"] = "all"
    ) -> TrajectoryComparison:
        """Compare two trainings: differences of all figures at every step, with errors.

        The errors of both are taken to be independent. Trainings that were recorded with one seed share their random
        numbers, so that most of the errors cancel in the differences, by how much no trajectory says: the stated
        errors are then mostly too large. Where all figures of a layer are the same to the last bit, with one seed,
        both are one measurement, and the difference is exactly 0 with error 0.

        Parameters
        ----------
        other : Trajectory
            The second training; differences are those of its figures from this one's.
        match : sequence of str, or dict of str to str, optional
            Names of the layers that are compared, which both have; or names in the first, with those in the second.
            Where not given, all layers are, and both must have the same names.
        steps : "all" or "common", default "all"
            Whether both must have the same steps, or those are compared that both have.

        Returns
        -------
        TrajectoryComparison
            Of every step, layer and measure both figures, their difference with its error and interval, and the
            difference in standard errors.

        Raises
        ------
        TypeError, ValueError
            For what is no trajectory or has several runs, and for steps or layers that do not match.

        See Also
        --------
        compare : Compares two reports, or two models.
        plot_comparison : Draws what is found.

        Examples
        --------
        >>> import numpy as np
        >>> import ei_fast as ef
        >>> recorder = ef.Recorder(ef.EffectiveInformation(activation="linear", bins=4, random_state=0))
        >>> for step in range(3):
        ...     _ = recorder.record([np.ones((2, 1)) * (1 + step)], step=step)
        >>> trajectory = recorder.trajectory_
        >>> trajectory.compare(trajectory).ei.z[:, 0].tolist()
        [0.0, 0.0, 0.0]
        """
        if not isinstance(other, Comparable):
            raise TypeError(
                f"The 'other' parameter of {_OWNER} must be a Trajectory. Got {type(other).__name__} instead. Take "
                "that of a recorder, recorder.trajectory_, or compare two reports by ef.compare."
            )
        _STEPS.checked("steps", steps, _OWNER)
        second: Any = other
        for one in (self, second):
            one.check_one_run()
        return _compared(self, second, match, steps)


def _compared(a: _Recorded, b: _Recorded, match: Match, steps: str) -> TrajectoryComparison:
    pairs = matched(a.layers, b.layers, match, _OWNER)
    common, of_a, of_b = np.intersect1d(a.steps, b.steps, return_indices=True)
    _check_steps(a.steps, b.steps, common, steps)
    at: list[Any] = [
        np.ix_(of_one, np.array([one.layers.index(pair[which]) for pair in pairs]))
        for which, (one, of_one) in enumerate(((a, of_a), (b, of_b)))
    ]
    known, known_b = (_known(one, where) for one, where in zip((a, b), at, strict=True))
    same = _is_same(a, b, at[0], at[1])
    differences = {name: difference_of(known[name], known_b[name], same) for name in NAMES}
    skipped = [*_steps_left_out(a, b, common), *left_out(a.layers, b.layers, pairs)]
    return TrajectoryComparison(common, pairs, differences, skipped, _what_differs(a, b))


def _what_differs(a: _Recorded, b: _Recorded) -> list[str]:
    """Parameters that say what is measured, and that differ."""
    parameters, others = (one.provenance.get("parameters", {}) for one in (a, b))
    found = [name for name in _PARAMETERS if not identical(parameters.get(name), others.get(name))]
    return [*found, *(["ranges"] if a.ranges != b.ranges else [])]


def _check_steps(a: NDArray[np.int64], b: NDArray[np.int64], common: NDArray[np.int64], steps: str) -> None:
    """Raise ValueError where there are no steps to compare, or not those of both."""
    if not len(common):
        raise ValueError(
            f"{_OWNER} compares figures at equal steps, and the two have none in common: the first has {_said(a)}, the "
            f"second {_said(b)}. Record both at the same steps."
        )
    if steps == "all" and not len(a) == len(b) == len(common):
        raise ValueError(
            f"{_OWNER} compares figures at equal steps. The first alone has {_said(np.setdiff1d(a, b))}, the second "
            f"{_said(np.setdiff1d(b, a))}. Give steps='common' for the {len(common)} that both have."
        )


def _said(steps: NDArray[np.int64]) -> str:
    """Some steps in words."""
    shown = ", ".join(map(str, steps[:_MOST_SHOWN].tolist()))
    return f"{shown} and {len(steps) - _MOST_SHOWN} more" if len(steps) > _MOST_SHOWN else shown or "none"


def _steps_left_out(a: _Recorded, b: _Recorded, common: NDArray[np.int64]) -> list[tuple[str, str]]:
    found = [("first", np.setdiff1d(a.steps, common)), ("second", np.setdiff1d(b.steps, common))]
    return [(f"steps {_said(steps)}", f"of the {which} alone") for which, steps in found if len(steps)]


def _known(trajectory: _Recorded, at: Any) -> dict[str, Known]:
    """Every quantity at some steps and layers with what is known of it; older files know no intervals."""
    names = (*NAMES, "ei_stderr", *(f"{name}_stderr" for name in EDGE_MEASURES))
    figures = {name: getattr(trajectory, name)[at] for name in names}
    half = Z95 * figures["ei_stderr"]
    for name, end in (("ei_low", figures["ei"] - half), ("ei_high", figures["ei"] + half)):
        kept = getattr(trajectory, name)[at]
        figures[name] = np.where(np.isnan(kept), end, kept)
    shape = len(trajectory.steps), len(trajectory.layers)
    flags = np.array([[Flag.UNDERSAMPLED in of_layer for of_layer in of_step] for of_step in trajectory.flags], bool)
    return known_of(figures, flags.reshape(shape)[at])


def _is_same(a: _Recorded, b: _Recorded, at_a: Any, at_b: Any) -> NDArray[np.bool_]:
    """Where both are one and the same measurement: with one seed all that is kept is the same to the last bit."""
    seeds = a.provenance.get("seed"), b.provenance.get("seed")
    one_seed = a is b or (seeds[0] is not None and seeds[0] == seeds[1])
    same = np.full((at_a[0].size, at_a[1].size), one_seed)
    for name in MEASURES:
        one, other = getattr(a, name)[at_a], getattr(b, name)[at_b]
        same &= (one == other) | (np.isnan(one) & np.isnan(other))
    return same
