"""A figure of every run beside the same with the losses of other runs, which have nothing to do with its path."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from ei_fast.claims.runs import Run, Values


def own_and_others(runs: Sequence[Run], figures_of: Callable[[Run], Sequence[float]]) -> tuple[Values, Values]:
    """Figures of every run, and their means over the same run with the losses of each of the others.

    Trainings of one network resemble each other: what comes of their common course comes of any run's losses. Where the
    losses of a run say nothing about its own path, both are the same in the mean.

    Parameters
    ----------
    runs : sequence of Run
    figures_of : callable
        From a run to its figures, NaN where it has none.

    Returns
    -------
    own, others : ndarray (n_runs, n_figures)
    """
    own = np.array([figures_of(run) for run in runs])
    swapped = [[figures_of(run.with_losses_of(other)) for other in runs if other is not run] for run in runs]
    return own, np.array([_mean_of_known(np.reshape(of_run, (-1, own.shape[1]))) for of_run in swapped])


def lacking(runs: Sequence[Run], reason_of: Callable[[Run], str], figures: Values) -> str:
    """Why some runs have no figure, in a sentence; "" where all have one.

    Parameters
    ----------
    runs : sequence of Run
    reason_of : callable
        From a run to what it lacks; "" where that is nothing.
    figures : ndarray (n_runs, n_figures)
        Those that decide.
    """
    known = [bool(np.isfinite(of_run).all()) for of_run in figures]
    reasons = Counter(
        run.defect or reason_of(run) or "no other run to compare it with"
        for run, is_known in zip(runs, known, strict=True)
        if not is_known
    )
    said = (f"{count} of {len(runs)} runs ({reason})" for reason, count in reasons.items())
    return f"Without a figure: {', '.join(said)}." if reasons else ""


def _mean_of_known(figures: Values) -> Values:
    """Means of columns over their finite values; NaN where there is none."""
    known = np.isfinite(figures)
    counts = known.sum(axis=0)
    sums = np.where(known, figures, 0.0).sum(axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
