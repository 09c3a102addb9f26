"""First, hidden and last layers differ."""

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from ei_fast.claims.compared import lacking
from ei_fast.claims.outcomes import Claim, Criterion, Role
from ei_fast.claims.runs import Run, Values

NAME = "differences"
STATEMENT = "First, hidden and last layers differ in the causal plane."

# Records at the end of a training whose mean is taken, as a share of all.
_LAST = 1 / 10
# Groups that differ by less than this share of their mean are called alike.
_ALIKE = 1 / 10


def differences(runs: Sequence[Run]) -> Claim:
    """Differences between first, hidden and last layers of a run, against their variance over runs.

    All of them differ where even the two that are most alike do. Layers with more edges have more degeneracy, and those
    with more states more EI, whatever they do: so the controls divide by the number of edges, and by the bits that the
    states can hold.

    Parameters
    ----------
    runs : sequence of Run
        Of networks with the same layers.
    """
    tests = (
        ("in degeneracy", Role.DECIDES, lambda run: _at_the_end(run, "degeneracy")),
        ("in EI", Role.DECIDES, lambda run: _at_the_end(run, "ei")),
        ("in degeneracy per edge", Role.CONTROL, _degeneracy_per_edge),
        ("in EI as a share of what their states can hold", Role.CONTROL, _share_of_states),
        ("in degeneracy, before training", Role.FIGURE, lambda run: run.measure("degeneracy")[0]),
    )
    criteria = tuple(_criterion(name, role, runs, values_of) for name, role, values_of in tests)
    deciding = np.stack([criterion.values for criterion in criteria if criterion.role == Role.DECIDES], axis=1)
    return Claim(NAME, STATEMENT, criteria, lacking(runs, lambda run: "a single layer", deciding))


def _criterion(name: str, role: Role, runs: Sequence[Run], values_of: Callable[[Run], Values | None]) -> Criterion:
    """How much those two of first, hidden and last layers differ that are most alike.

    `values_of` gives a run's value of every layer, (n_layers,), or None where it is not known.
    """
    of_runs = [None if run.defect else values_of(run) for run in runs]
    pairs = {
        f" (here {one} and {other})": np.array([_difference(values, this, that) for values in of_runs])
        for (one, this), (other, that) in combinations(_groups(runs[0].n_layers).items(), 2)
    }
    if not pairs:
        return Criterion(name, _statistic(""), "share", role, np.full(len(runs), np.nan))
    # Whether the greater is the one or the other is not claimed.
    beyond = {pair: np.sign(np.nansum(values)) * values - _ALIKE for pair, values in pairs.items()}
    # The pair whose interval is the furthest below 0, or the least far above: if its is above 0, so are all.
    alike = min(beyond, key=lambda pair: _certainty(beyond[pair]))
    return Criterion(name, _statistic(alike), "share", role, beyond[alike])


def _statistic(pair: str) -> str:
    return (
        f"Of first, hidden and last layers the two that are most alike{pair}: their difference as a share of the mean "
        "of both, less a tenth."
    )


def _groups(n_layers: int) -> dict[str, slice]:
    """Which layers are the first, hidden, and the last."""
    if n_layers < 2:
        return {}
    hidden = {"hidden": slice(1, -1)} if n_layers > 2 else {}
    return {"first": slice(0, 1)} | hidden | {"last": slice(-1, None)}


def _difference(values: Values | None, this: slice, that: slice) -> float:
    """Difference of the means of two groups of layers, as a share of the mean of both; 0 where both are 0."""
    if values is None:
        return float("nan")
    one, other = values[this].mean(), values[that].mean()
    scale = (abs(one) + abs(other)) / 2
    return float((one - other) / scale) if scale > 0.0 else 0.0


def _certainty(values: Values) -> float:
    """Student's t of the mean over the runs with a figure; of fewer than two runs the figure itself."""
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return float(np.sum(known))
    error = float(np.std(known, ddof=1) / np.sqrt(len(known)))
    return float(known.mean()) / max(error, np.finfo(float).tiny)


def _at_the_end(run: Run, measure: str) -> Values:
    return np.asarray(run.measure(measure)[-max(1, round(run.n_records * _LAST)) :].mean(axis=0))


def _degeneracy_per_edge(run: Run) -> Values | None:
    return None if run.n_edges is None else _at_the_end(run, "degeneracy") / run.n_edges


def _share_of_states(run: Run) -> Values | None:
    return None if run.state_bits is None else _at_the_end(run, "ei") / run.state_bits
