"""A figure of every run beside the same with the losses of other runs, which have nothing to do with its path."""

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from ei_fast.claims.runs import Run, Values

# Figures are of the order of 1: what is left of equal ones is rounding.
_DIGITS = 12
# Shares of the training that lie nearer than this are about the same: losses are smoothed over as much.
_SAME = 1 / 20


def own_and_beyond(runs: Sequence[Run], figures_of: Callable[[Run, Run], Sequence[float]]) -> tuple[Values, Values]:
    """Figures of every run, and how far they are above those with the losses of the other runs, in the mean.

    Trainings of one network resemble each other: what comes of their common course comes of any run's losses. Where the
    losses of a run say nothing about its own path, what is beyond is 0 in the mean. For that, runs lend losses only to
    runs whose losses they can borrow.

    Parameters
    ----------
    runs : sequence of Run
    figures_of : callable
        From a run, and the run whose losses it is given, to its figures; NaN where it has none.

    Returns
    -------
    own, beyond : ndarray (n_runs, n_figures)
    """
    all_pairs = np.round([[figures_of(run, lender) for lender in runs] for run in runs], _DIGITS)
    own = np.einsum("iik->ik", all_pairs)
    has_own = np.isfinite(own)
    known = np.isfinite(all_pairs) & np.isfinite(all_pairs.swapaxes(0, 1)) & has_own & has_own[:, np.newaxis]
    known &= ~np.eye(len(runs), dtype=bool)[:, :, np.newaxis]
    counts = known.sum(axis=1)
    sums = np.where(known, all_pairs, 0.0).sum(axis=1)
    others = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return own, np.round(own - others, _DIGITS)


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
        run.defect or reason_of(run) or "no other run with which it could be compared"
        for run, is_known in zip(runs, known, strict=True)
        if not is_known
    )
    said = (f"{count} of {len(runs)} runs ({reason})" for reason, count in reasons.items())
    return f"Without a figure: {', '.join(said)}." if reasons else ""


def same_turns(runs: Sequence[Run]) -> str:
    """A sentence where all runs begin to overfit at about one time; "" where they do not."""
    times = [run.time[run.turn] for run in runs if not run.defect and run.turn is not None]
    if len(times) < 2 or max(times) - min(times) > _SAME:
        return ""
    return "All runs begin to overfit at about the same time, so that seeds cannot tell t* from that time."
