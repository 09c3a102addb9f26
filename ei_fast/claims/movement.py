"""Most movement while the loss falls fastest."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from ei_fast.claims.compared import lacking, own_and_beyond
from ei_fast.claims.outcomes import Claim, Criterion, Role
from ei_fast.claims.runs import LEAST_RECORDS, Run, Values

NAME = "movement"
STATEMENT = "Layers move most in the causal plane while the training loss falls fastest."

# Of the whole fall of the training loss: what comes before and after is its beginning and its end.
_FALL = (0.1, 0.9)
_N_FIGURES = 3


def movement(runs: Sequence[Run]) -> Claim:
    """Speed in the plane against the fall of the training loss.

    Both series decline over a training, whatever the one has to do with the other. So the controls take the losses of
    other runs, which decline likewise: what goes along with a run's own loss alone is more than with those.

    Parameters
    ----------
    runs : sequence of Run
        Of networks with the same layers.
    """
    own, beyond = own_and_beyond(runs, _figures)
    correlation, excess, path_share = own.T
    criteria = (
        (
            "speed goes with the fall of the loss",
            "Rank correlation of the layers' mean speed, each scaled by its path, with the fall of training loss.",
            "Spearman's ρ",
            Role.DECIDES,
            correlation,
        ),
        (
            "more path than time in the fall",
            "Share of the path between 10 % and 90 % of the fall of training loss, less that time's share.",
            "share",
            Role.DECIDES,
            excess,
        ),
        (
            "speed goes less with the losses of other runs",
            "The rank correlation, less that with the fall of the other runs' training losses.",
            "Spearman's ρ",
            Role.CONTROL,
            beyond[:, 0],
        ),
        (
            "less of the path in the fall of other runs",
            "The path's share less the time's, less the same in the fall of the other runs' training losses.",
            "share",
            Role.CONTROL,
            beyond[:, 1],
        ),
        ("path in the fall", "Share of the path between 10 % and 90 % of the fall.", "share", Role.FIGURE, path_share),
    )
    return Claim(NAME, STATEMENT, tuple(Criterion(*one) for one in criteria), lacking(runs, _lacks, own[:, :2]))


def _lacks(run: Run) -> str:
    if run.training_loss is None:
        return f"no training loss at {LEAST_RECORDS} records or more"
    return "a training loss that does not fall, or layers that do not move"


def _figures(run: Run, lender: Run) -> Sequence[float]:
    """Rank correlation, share of the path less that of the time, and share of the path; NaN where nothing happens."""
    nothing = [float("nan")] * _N_FIGURES
    losses = None if run.defect else run.training_loss_of(lender)
    known = np.zeros(0, dtype=bool) if losses is None else np.isfinite(losses)
    if losses is None or known.sum() < LEAST_RECORDS:
        return nothing
    loss, time = losses[known], run.time[known]
    lengths = np.linalg.norm(np.diff(run.points[known], axis=0), axis=2)
    paths = lengths.sum(axis=0)
    if not loss.min() < loss[0] or not (paths > 0.0).any():
        return nothing
    moved = (lengths[:, paths > 0.0] / paths[paths > 0.0]).mean(axis=1)
    durations = np.diff(time) / (time[-1] - time[0])
    falling = _is_falling(loss)
    path_share = float(moved[falling].sum())
    return [
        _rank_correlation(moved / durations, -np.diff(loss) / durations),
        path_share - float(durations[falling].sum()),
        path_share,
    ]


def _is_falling(loss: Values) -> np.ndarray:
    """Of every interval between records: whether it lies between 10 % and 90 % of the fall."""
    fallen = (loss[0] - np.minimum.accumulate(loss)) / (loss[0] - loss.min())
    begin, end = (int(np.argmax(fallen >= share)) for share in _FALL)
    at = np.arange(len(loss) - 1)
    # The interval in which 10 % are reached is in, and so is that in which 90 % are.
    return (at >= begin - 1) & (at < end)


def _rank_correlation(one: Values, other: Values) -> float:
    """Spearman's; 0 where one of both is the same everywhere."""
    one, other = (ranks - ranks.mean() for ranks in (rankdata(one), rankdata(other)))
    scale = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / scale) if scale > 0.0 else 0.0
