"""Most movement while the loss falls fastest."""

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from ei_fast.claims.outcomes import Claim, Criterion, Role
from ei_fast.claims.runs import Run, Values

NAME = "movement"
STATEMENT = "Layers move most in the causal plane while the training loss falls fastest."

# Of the whole fall of the training loss: what comes before and after is its beginning and its end.
_FALL = (0.1, 0.9)


def movement(runs: Sequence[Run]) -> Claim:
    """Speed in the plane against the fall of the training loss.

    Both series decline over a training, whatever the one has to do with the other. So the control takes away what a
    common decline explains: a parabola over time is fitted to the ranks of both, and what is left is correlated.

    Parameters
    ----------
    runs : sequence of Run
        Of networks with the same layers.
    """
    figures = np.array([_figures(run) for run in runs])
    criteria = (
        (
            "speed goes with the fall of the loss",
            "Rank correlation of the layers' mean speed, each scaled by its path, with the fall of training loss.",
            "Spearman's ρ",
            Role.DECIDES,
        ),
        (
            "more path than time in the fall",
            "Share of the path between 10 % and 90 % of the fall of training loss, less that time's share.",
            "share",
            Role.DECIDES,
        ),
        (
            "beyond a common decline",
            "The rank correlation after a parabola over time has been taken from the ranks of both.",
            "correlation",
            Role.CONTROL,
        ),
        ("path in the fall", "Share of the path between 10 % and 90 % of the fall.", "share", Role.FIGURE),
    )
    without = sum(run.training_loss is None for run in runs)
    return Claim(
        NAME,
        STATEMENT,
        tuple(Criterion(*criterion, figures[:, k]) for k, criterion in enumerate(criteria)),
        f"{without} of {len(runs)} runs have no training loss at every record." if without else "",
    )


def _figures(run: Run) -> list[float]:
    """The figures of a run, in the order of the criteria."""
    if run.defect or run.training_loss is None:
        return [float("nan")] * 4
    lengths = np.linalg.norm(np.diff(run.points, axis=0), axis=2)
    paths = lengths.sum(axis=0)
    if not (paths > 0.0).any():
        return [float("nan")] * 4
    moved = (lengths[:, paths > 0.0] / paths[paths > 0.0]).mean(axis=1)
    durations = np.diff(run.time)
    ranks = rankdata(moved / durations), rankdata(-np.diff(run.training_loss) / durations)
    falling = _is_falling(run.training_loss)
    path_share = float(moved[falling].sum())
    return [
        _correlation(*ranks),
        path_share - float(durations[falling].sum()),
        _correlation(*(_without_trend(one) for one in ranks)),
        path_share,
    ]


def _is_falling(loss: Values) -> np.ndarray:
    """Of every interval between records: whether it lies between 10 % and 90 % of the fall."""
    fallen = (loss[0] - np.minimum.accumulate(loss)) / max(loss[0] - loss.min(), np.finfo(float).tiny)
    begin, end = (int(np.argmax(fallen >= share)) for share in _FALL)
    at = np.arange(len(loss) - 1)
    # The interval in which 10 % are reached is in, and so is that in which 90 % are.
    return (at >= begin - 1) & (at < end)


def _without_trend(ranks: Values) -> Values:
    at = np.linspace(-1.0, 1.0, len(ranks))
    return np.asarray(ranks - np.polyval(np.polyfit(at, ranks, 2), at))


def _correlation(one: Values, other: Values) -> float:
    one, other = one - one.mean(), other - other.mean()
    scale = np.sqrt((one @ one) * (other @ other))
    return float(one @ other / scale) if scale > 0.0 else 0.0
