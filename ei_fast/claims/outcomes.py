"""What a claim is, what tests it, and how tests make a verdict: rules that know no network and no measure."""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

LEAST_RUNS = 3
"""Of fewer runs the spread over seeds is not known, and no verdict is given."""

_CONFIDENCE = 0.95


class Outcome(StrEnum):
    """What data say to a claim, or to one of its tests."""

    YES = "yes"
    """Every test that decides is passed, and so are the controls."""

    PARTLY = "partly"
    """Every test that decides is passed, but a control is not: something simpler would explain it."""

    NOT_SHOWN = "not shown"
    """The data are compatible with the claim and with its contrary."""

    NO = "no"
    """A test that decides speaks for the contrary."""

    NO_VERDICT = "no verdict"
    """What the test needs is not there."""


class Role(StrEnum):
    """What a test is for."""

    DECIDES = "decides"
    """The claim says it."""

    CONTROL = "control"
    """Were it otherwise, the claim would be right for a reason that it does not mean."""

    FIGURE = "figure"
    """Shown beside the tests, without a part in the verdict."""


@dataclass(frozen=True)
class Criterion:
    """A figure of every run that is above 0 where a claim is right; controls say what else would make it so.

    Attributes
    ----------
    name : str
        What is claimed, in some words.
    statistic : str
        What is computed of every run, in a sentence.
    unit : str
        Of the figures.
    role : Role
    values : ndarray (n_runs,)
        NaN where a run has no figure.
    """

    name: str
    statistic: str
    unit: str
    role: Role
    values: NDArray[np.float64]

    @property
    def n_runs(self) -> int:
        """Number of runs with a figure."""
        return int(np.isfinite(self.values).sum())

    @cached_property
    def mean(self) -> float:
        """Mean over the runs with a figure; NaN where there is none."""
        return float(np.mean(self._known)) if self.n_runs else float("nan")

    @cached_property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean over seeds, by Student's t; NaN of fewer than two runs."""
        n = self.n_runs
        if n < 2:
            return float("nan"), float("nan")
        half = float(student.isf((1.0 - _CONFIDENCE) / 2.0, n - 1) * np.std(self._known, ddof=1) / np.sqrt(n))
        return self.mean - half, self.mean + half

    @property
    def outcome(self) -> Outcome:
        """Yes where the interval is above 0, no where it is below, of fewer than `LEAST_RUNS` runs no verdict."""
        if self.n_runs < LEAST_RUNS:
            return Outcome.NO_VERDICT
        low, high = self.interval
        return Outcome.YES if low > 0.0 else Outcome.NO if high < 0.0 else Outcome.NOT_SHOWN

    @property
    def _known(self) -> NDArray[np.float64]:
        return self.values[np.isfinite(self.values)]


@dataclass(frozen=True)
class Claim:
    """One observation with its tests.

    Attributes
    ----------
    name : str
        In a word, without blanks.
    statement : str
        The observation, in a sentence.
    criteria : tuple of Criterion
    lacking : str
        What the runs without a figure lack, in a sentence; "" where every run has one.
    caveat : str, default ""
        What keeps a claim from being shown with these runs, in a sentence.
    """

    name: str
    statement: str
    criteria: tuple[Criterion, ...]
    lacking: str
    caveat: str = ""

    @property
    def outcome(self) -> Outcome:
        """The verdict, by the rule that `Outcome` states."""
        deciding = [criterion.outcome for criterion in self.criteria if criterion.role == Role.DECIDES]
        if not deciding or Outcome.NO_VERDICT in deciding:
            return Outcome.NO_VERDICT
        if Outcome.NO in deciding:
            return Outcome.NO
        if Outcome.NOT_SHOWN in deciding:
            return Outcome.NOT_SHOWN
        controls = {criterion.outcome for criterion in self.criteria if criterion.role == Role.CONTROL}
        return Outcome.YES if controls <= {Outcome.YES} else Outcome.PARTLY

    @property
    def reason(self) -> str:
        """In a sentence why this is the verdict."""
        if self.outcome == Outcome.NO_VERDICT:
            return self.lacking or f"A verdict needs {LEAST_RUNS} runs of different seeds."
        if self.outcome == Outcome.YES:
            return "All tests and controls are passed."
        if self.outcome == Outcome.NO:
            return f"The contrary is seen of: {self._named(Role.DECIDES, Outcome.NO)}."
        if self.outcome == Outcome.NOT_SHOWN:
            return f"Not shown: {self._named(Role.DECIDES, Outcome.NOT_SHOWN)}. {self.caveat}".strip()
        failed = self._named(Role.CONTROL, Outcome.NO, Outcome.NOT_SHOWN)
        unknown = self._named(Role.CONTROL, Outcome.NO_VERDICT)
        said = [f"something simpler would do as well, since these controls are not passed: {failed}"] if failed else []
        said += [f"these controls have no figure: {unknown}"] if unknown else []
        return f"What the claim says is seen, but {', and '.join(said)}."

    def _named(self, role: Role, *outcomes: Outcome) -> str:
        """The criteria of a role with one of these outcomes."""
        return "; ".join(one.name for one in self.criteria if one.role == role and one.outcome in outcomes)
