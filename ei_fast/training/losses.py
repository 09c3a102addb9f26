"""Which metrics are losses, and where a validation loss turns: at its least value, if more than noise follows."""

import re

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from ei_fast.training.trajectory import Trajectory

Values = NDArray[np.float64]

_OF_VALIDATION = frozenset(
    ("val", "valid", "validation", "eval", "evaluation", "test", "testing", "held", "heldout", "holdout", "dev")
)
"""Words in the names of losses of rows that a network does not learn from."""
_OF_TRAINING = frozenset(("train", "training", "loss"))
"""Words of which the names of losses consist that are of the rows from which it learns."""
_BY_CHANCE = 0.01
"""Of a curve without a turn, how often one is seen by chance."""
_BESIDE = 1 / 20
"""Records on either side of the least one that tell its level, as a share of all."""
_SMOOTHED_OVER = 1 / 20
"""Share of all records over which curves are smoothed."""
_MEDIAN = 1.2533
"""Standard error of a median of normal values, in standard errors of their mean: sqrt(pi / 2)."""
_MAD = 1.4826
"""Standard deviation of normal values, in medians of their absolute values."""
_TO_NEIGHBOURS = 1.5
"""Variance of the distance of a value to the mean of its two neighbours, in variances of one value: 1 + 1/4 + 1/4."""


def split_metrics(trajectory: Trajectory) -> tuple[dict[str, Values], dict[str, Values]]:
    """What was recorded beside the measures: the losses, and the rest."""
    losses = {name: values for name, values in trajectory.metrics.items() if "loss" in name.lower()}
    return losses, {name: values for name, values in trajectory.metrics.items() if name not in losses}


def training_loss(trajectory: Trajectory) -> Values | None:
    """The loss of the training rows, (n_steps,); None where there is none.

    Of several, like those of the parts of a sum, it is the first that is called just "loss", or with a word like
    "train"; else the first of all.
    """
    found = _losses(trajectory, of_validation=False)
    plain = [name for name in found if _words_of(name) <= _OF_TRAINING]
    return found[(plain or list(found))[0]] if found else None


def validation_loss(trajectory: Trajectory) -> Values | None:
    """The first loss of the validation rows, (n_steps,); None where none was recorded."""
    return next(iter(_losses(trajectory, of_validation=True).values()), None)


def least_validation_loss(trajectory: Trajectory) -> tuple[str, int | None] | None:
    """Name of the validation loss and the index at which it turns.

    The index is None where it does not, by `turning_point`, and the whole None where no validation loss was recorded.
    """
    for name, values in _losses(trajectory, of_validation=True).items():
        return name, turning_point(values)
    return None


def _losses(trajectory: Trajectory, of_validation: bool) -> dict[str, Values]:
    """The losses of this kind that have any value."""
    return {
        name: values
        for name, values in split_metrics(trajectory)[0].items()
        if bool(_words_of(name) & _OF_VALIDATION) == of_validation and np.isfinite(values).any()
    }


def _words_of(name: str) -> frozenset[str]:
    """The words of a name like ``val_loss``, ``valLoss`` or ``Loss/val``."""
    return frozenset(word.lower() for word in re.findall("[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name))


def turning_point(losses: Values) -> int | None:
    """Index of the least smoothed loss, or None where it is no turn: at an end of the curve, or a dip of its noise.

    The median of the second half of what follows must lie above the least value by more than the deepest of that many
    records dips by chance, once in a hundred curves; and above the median around the least one, within a twentieth of
    all records on either side, by more than the error of both medians. Of a few records the noise is hardly known: of
    six that fall no further one curve in six seems to turn, of thirty one in sixteen, of a hundred one in forty.

    Parameters
    ----------
    losses : ndarray (n_steps,)
        NaN where a step did not have one.
    """
    at = np.flatnonzero(np.isfinite(losses))
    values = losses[at]
    if len(values) < 3:
        return None
    curve = smoothed(values)
    least = int(np.argmin(curve))
    if not curve[least] < min(curve[0], curve[-1]):
        return None
    noise = noise_of(values, least)
    after = values[least + 1 :]
    end = after[len(after) // 2 :]
    # So many means of records that do not overlap are there to dip.
    size = min(2 * smoothing_reach(len(values)), 2 * least, 2 * (len(values) - 1 - least)) + 1
    threshold = norm.isf(_BY_CHANCE * size / len(values)) * noise / np.sqrt(size)
    if np.median(end) - curve[least] <= threshold:
        return None
    beside = int(len(values) * _BESIDE)
    if beside:
        around = values[max(least - beside, 0) : least + beside + 1]
        error = _MEDIAN * noise * np.sqrt(1 / len(around) + 1 / len(end))
        if np.median(end) - np.median(around) <= norm.isf(_BY_CHANCE) * error:
            return None
    return int(at[least])


def smoothed(values: Values) -> Values:
    """Running mean over a twentieth of all records, an odd number of them, and over fewer towards both ends.

    Of fewer than twenty records nothing is smoothed.
    """
    sums = np.concatenate([np.zeros_like(values[:1]), np.cumsum(values, axis=0)])
    at = np.arange(len(values))
    # As many on either side, so that a straight curve stays what it is.
    reach = np.minimum(smoothing_reach(len(values)), np.minimum(at, len(values) - 1 - at))
    counts = (2 * reach + 1).reshape(-1, *[1] * (values.ndim - 1))
    return np.asarray((sums[at + reach + 1] - sums[at - reach]) / counts)


def smoothing_reach(n_records: int) -> int:
    """On either side of a record, how many others its running mean takes in."""
    return round(n_records * _SMOOTHED_OVER / 2.0)


def noise_of(values: Values, turn: int) -> float:
    """Standard deviation of a curve's noise, from each value's distance to the mean of its neighbours.

    The turn itself is left out: it bends the curve without any noise.
    """
    distances = values[1:-1] - (values[:-2] + values[2:]) / 2
    apart = np.arange(1, len(values) - 1) != turn
    apart = np.abs(distances[apart])
    return float(_MAD * np.median(apart) / np.sqrt(_TO_NEIGHBOURS)) if len(apart) else 0.0
