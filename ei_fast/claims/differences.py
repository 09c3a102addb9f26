"""First, hidden and last layers differ."""

from collections.abc import Callable, Sequence

import numpy as np

from ei_fast.claims.outcomes import Claim, Criterion, Role
from ei_fast.claims.runs import Run, Values

NAME = "differences"
STATEMENT = "First, hidden and last layers differ in the causal plane."

# Records at the end of a training whose mean is taken, as a share of all.
_LAST = 1 / 10
_STATISTIC = "(between − within) / (between + within): variance over first, hidden and last layers, and over runs."


def differences(runs: Sequence[Run]) -> Claim:
    """Variance between first, hidden and last layers against that within each of them, over runs.

    Layers with more edges have more degeneracy, and those with more states more EI, whatever they do. So the controls
    divide by the number of edges, and by the bits that the states can hold.

    Parameters
    ----------
    runs : sequence of Run
        Of networks with the same layers.
    """
    criteria = (
        _criterion("in degeneracy", Role.DECIDES, runs, lambda run: _at_the_end(run, "degeneracy")),
        _criterion("in EI", Role.DECIDES, runs, lambda run: _at_the_end(run, "ei")),
        _criterion("in degeneracy per edge", Role.CONTROL, runs, _degeneracy_per_edge),
        _criterion("in EI as a share of what their states can hold", Role.CONTROL, runs, _share_of_states),
        _criterion("in degeneracy, before training", Role.FIGURE, runs, lambda run: run.measure("degeneracy")[0]),
    )
    lacking = "The network has a single layer." if runs and runs[0].n_layers < 2 else ""
    return Claim(NAME, STATEMENT, criteria, lacking)


def _criterion(name: str, role: Role, runs: Sequence[Run], values_of: Callable[[Run], Values | None]) -> Criterion:
    """A criterion of one value of every layer, (n_layers,)."""
    found = [None if run.defect or run.n_layers < 2 else values_of(run) for run in runs]
    groups = np.array([_groups(one, run.n_layers) for one, run in zip(found, runs, strict=True)])
    figures = np.full(len(runs), np.nan)
    known = np.isfinite(groups).all(axis=1) if len(runs) else np.zeros(0, dtype=bool)
    if known.sum() >= 2:
        between = groups[known].var(axis=1, ddof=1)
        within = groups[known].var(axis=0, ddof=1).mean()
        total = between + within
        figures[known] = np.where(total > 0.0, (between - within) / np.where(total > 0.0, total, 1.0), 0.0)
    return Criterion(name, _STATISTIC, "from −1 to 1", role, figures)


def _groups(values: Values | None, n_layers: int) -> Values:
    """The value of the first layer, the mean of the hidden ones, and that of the last."""
    if n_layers < 2 or values is None:
        return np.full(2 if n_layers == 2 else 3, np.nan)
    ends = [values[0], values[-1]]
    return np.array(ends if n_layers == 2 else [ends[0], values[1:-1].mean(), ends[1]])


def _at_the_end(run: Run, measure: str) -> Values:
    return np.asarray(run.measure(measure)[-max(1, round(run.n_records * _LAST)) :].mean(axis=0))


def _degeneracy_per_edge(run: Run) -> Values | None:
    return None if run.n_edges is None else _at_the_end(run, "degeneracy") / run.n_edges


def _share_of_states(run: Run) -> Values | None:
    return None if run.state_bits is None else _at_the_end(run, "ei") / run.state_bits
