"""In the hidden layers a drift towards degeneracy, right as the network begins to overfit."""

from collections.abc import Sequence

import numpy as np

from ei_fast.claims.compared import lacking, own_and_beyond, same_turns
from ei_fast.claims.outcomes import Claim, Criterion, Role
from ei_fast.claims.runs import Run, Values

NAME = "drift"
STATEMENT = "In the hidden layers there is a drift towards degeneracy right as the network begins to overfit."

_UNIT = "bits in a tenth of the training"
# Records before and after the turn that are compared: a quarter of all, or what there is on the shorter side.
_WINDOW = 1 / 4
_N_FIGURES = 6


def drift(runs: Sequence[Run]) -> Claim:
    """Slopes of degeneracy and EI after validation loss is least, against those before and in other layers.

    A curve that bends all along the training rises faster, or slower, after any time. So what decides is how much
    more it bends upwards at the time at which its own network begins to overfit than at the times of others.

    Parameters
    ----------
    runs : sequence of Run
        Of networks with the same layers.
    """
    own, beyond = own_and_beyond(runs, _figures)
    rise, faster, per_edge, fall_of_ei, of_degeneracy, of_ei = own.T
    sets_in = beyond[:, 1]
    criteria = (
        ("degeneracy rises", "Slope of the hidden layers' mean degeneracy after t*.", _UNIT, Role.DECIDES, rise),
        (
            "sets in at t* and not at the t* of other runs",
            "That slope less the slope before t*, over as many records; less the same where the validation losses of "
            "the other runs are least.",
            _UNIT,
            Role.DECIDES,
            sets_in,
        ),
        ("faster than before", "The slope after t* less the slope before it.", _UNIT, Role.CONTROL, faster),
        (
            "more than in the first and the last layer",
            "Slope of degeneracy per edge after t*, mean of the hidden layers less mean of the first and the last.",
            f"{_UNIT}, per edge",
            Role.CONTROL,
            per_edge,
        ),
        (
            "while EI falls",
            "Slope of the hidden layers' mean EI after t*, its sign turned.",
            _UNIT,
            Role.CONTROL,
            fall_of_ei,
        ),
        (
            "change of degeneracy",
            "Change of it from t* to the end of these records.",
            "bits",
            Role.FIGURE,
            of_degeneracy,
        ),
        ("change of EI", "The same of EI.", "bits", Role.FIGURE, of_ei),
    )
    said = lacking(runs, _lacks, np.stack([rise, sets_in], axis=1))
    return Claim(NAME, STATEMENT, tuple(Criterion(*one) for one in criteria), said, same_turns(runs))


def _lacks(run: Run) -> str:
    return "no layer between the first and the last" if run.n_layers < 3 else run.lacks_turn


def _figures(run: Run, lender: Run) -> Sequence[float]:
    """Rise, rise less that before, rise per edge less that of other layers, fall of EI, and both changes."""
    turn = None if run.defect or run.n_layers < 3 else run.turn_of(lender)
    if turn is None:
        return [float("nan")] * _N_FIGURES
    window = min(turn, run.n_records - 1 - turn, max(3, int(run.n_records * _WINDOW)))
    before = slice(turn - window, turn + 1)
    after = slice(turn, turn + window + 1)
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
    time, values = (one - one.mean(axis=0) for one in (run.time[window], values[window]))
    return np.asarray(0.1 * (time @ values) / (time @ time))
