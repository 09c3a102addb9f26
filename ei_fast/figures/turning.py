"""Where a validation loss turns: its least value, where what follows rises by more than the noise of the curve."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

Values = NDArray[np.float64]

# Of a curve without a turn, how often one is seen by chance.
_BY_CHANCE = 0.01
# Records on either side of the least one that tell its level, as a share of all.
_BESIDE = 1 / 20
# Standard error of a median, in those of a mean.
_MEDIAN = 1.2533


def turning_point(losses: Values) -> int | None:
    """Index of the least loss, or None where it is no turn: the first or last of all, or a dip of a noisy curve.

    The median of the second half of what follows must lie above the least value by more than the deepest of that many
    records dips by chance, once in a hundred curves; and above the median around the least one, within a twentieth of
    all records on either side, by more than the error of both medians. Of a few records the noise is hardly known: of
    six that fall no further one curve in six seems to turn, of ten one in seven, of thirty or more one in forty.

    Parameters
    ----------
    losses : ndarray (n_steps,)
        NaN where a step did not have one.
    """
    at = np.flatnonzero(np.isfinite(losses))
    values = losses[at]
    if len(values) < 3:
        return None
    least = int(np.argmin(values))
    if not values[least] < min(values[0], values[-1]):
        return None
    noise = noise_of(values, least)
    after = values[least + 1 :]
    end = after[len(after) // 2 :]
    threshold = norm.isf(_BY_CHANCE / len(values)) * noise
    if np.median(end) - values[least] <= threshold:
        return None
    beside = int(len(values) * _BESIDE)
    if beside:
        around = values[max(least - beside, 0) : least + beside + 1]
        error = _MEDIAN * noise * np.sqrt(1 / len(around) + 1 / len(end))
        if np.median(end) - np.median(around) <= norm.isf(_BY_CHANCE) * error:
            return None
    return int(at[least])


def noise_of(values: Values, turn: int) -> float:
    """Standard deviation of a curve's noise, from each value's distance to the mean of its neighbours.

    The turn itself is left out: it bends the curve without any noise.
    """
    distances = values[1:-1] - (values[:-2] + values[2:]) / 2
    apart = np.arange(1, len(values) - 1) != turn
    apart = np.abs(distances[apart])
    return float(1.4826 * np.median(apart) / np.sqrt(1.5)) if len(apart) else 0.0
