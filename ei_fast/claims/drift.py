"""In the hidden layers a drift towards degeneracy, right as the network begins to overfit."""

from collections.abc import Sequence

import numpy as np

from ei_fast.claims.outcomes import Claim, Criterion, Role
from ei_fast.claims.runs import Run, Values

NAME = "drift"
STATEMENT = "In the hidden layers there is a drift towards degeneracy right as the network begins to overfit."

_UNIT = "bits in a tenth of the training"
# Records before and after the turn that are compared: a quarter of all, or what there is on the shorter side.
_WINDOW = 1 / 4


def drift(runs: Sequence[Run]) -> Claim:
    """Slopes of degeneracy and EI after validation loss is least, against those before and in other layers.

    Parameters
    ----------
    runs : sequence of Run
        Of networks with the same layers.
    """
    figures = np.array([_figures(run) for run in runs])
    criteria = (
        ("degeneracy rises", "Slope of the hidden layers' mean degeneracy after t*.", _UNIT, Role.DECIDES),
        ("more than before", "That slope less the slope before t*, over as many records.", _UNIT, Role.DECIDES),
        (
            "more than in the first and the last layer",
            "Slope of degeneracy per edge after t*, mean of the hidden layers less mean of the first and the last.",
            f"{_UNIT}, per edge",
            Role.CONTROL,
        ),
        ("while EI falls", "Slope of the hidden layers' mean EI after t*, its sign turned.", _UNIT, Role.CONTROL),
        ("change of degeneracy", "Change of it from t* to the end of the same records.", "bits", Role.FIGURE),
        ("change of EI", "The same of EI.", "bits", Role.FIGURE),
    )
    return Claim(
        NAME,
        STATEMENT,
        tuple(Criterion(*criterion, figures[:, k]) for k, criterion in enumerate(criteria)),
        lacking(runs),
    )


def lacking(runs: Sequence[Run], hidden: bool = True) -> str:
    """What runs lack for a figure about the beginning of overfitting, in a sentence; "" where all have one."""
    if hidden and runs and runs[0].n_layers < 3:
        return "The network has no layer between hidden ones: only a first and a last."
    without = sum(run.validation_loss is None for run in runs)
    if without:
        return f"{without} of {len(runs)} runs have no validation loss at every record."
    flat = sum(run.turn is None for run in runs)
    if flat:
        return (
            f"In {flat} of {len(runs)} runs the validation loss has no minimum from which it rises by more than its "
            "noise, and 2 %."
        )
    return ""


def _figures(run: Run) -> list[float]:
    """The figures of a run, in the order of the criteria."""
    if run.defect or run.turn is None or run.n_layers < 3:
        return [float("nan")] * 6
    window = min(run.turn, run.n_records - 1 - run.turn, max(3, int(run.n_records * _WINDOW)))
    before = slice(run.turn - window, run.turn + 1)
    after = slice(run.turn, run.turn + window + 1)
    degeneracy, ei = run.measure("degeneracy"), run.measure("ei")
    hidden = slice(1, -1)
    rise = _slopes(run, degeneracy, after)
    rise_before = _slopes(run, degeneracy, before)
    per_edge = np.full(run.n_layers, np.nan) if run.n_edges is None else rise / run.n_edges
    return [
        float(rise[hidden].mean()),
        float((rise - rise_before)[hidden].mean()),
        float(per_edge[hidden].mean() - per_edge[[0, -1]].mean()),
        float(-_slopes(run, ei, after)[hidden].mean()),
        float((degeneracy[after][-1] - degeneracy[after][0])[hidden].mean()),
        float((ei[after][-1] - ei[after][0])[hidden].mean()),
    ]


def _slopes(run: Run, values: Values, window: slice) -> Values:
    """Least-squares slope of every layer over some records, (n_layers,), bits in a tenth of the training."""
    time = run.time[window] - run.time[window].mean()
    return 0.1 * (time @ values[window]) / (time @ time)
