"""Which steps of a training are recorded."""

from typing import Any

import numpy as np


class Schedule:
    """Every so many steps is due, but none that is recorded already.

    Parameters
    ----------
    every : int
        Steps that are multiples of it are due.

    Attributes
    ----------
    last : int or None
        The step before, whether it was recorded or not; None before the first.
    """

    def __init__(self, every: int):
        self._every = every
        self.last: int | None = None
        self._recorded_until: int | None = None

    def begin_after(self, step: int | None) -> None:
        """Begin anew, as a training does that is repeated; what had been recorded up to `step` is not due again."""
        self.last = None
        if step is not None:
            self._recorded_until = step

    def is_due(self, step: int) -> bool:
        """Whether the step is to be measured, and is not recorded already."""
        return step % self._every == 0 and (self._recorded_until is None or step > self._recorded_until)

    def checked(self, step: Any) -> int:
        """The step that is given, above the last one; the next one where it is None."""
        last = self.last
        if step is None:
            before = self._recorded_until if last is None else last
            return 0 if before is None else before + 1
        rule = "The 'step' parameter of Recorder.record must be an integer above the last one"
        if isinstance(step, (bool, np.bool_)) or not isinstance(step, (int, np.integer)):
            raise TypeError(f"{rule}. Got {step!r} instead.")
        if not -(2**63) <= step < 2**63:
            raise ValueError(f"{rule} that fits into 64 bits. Got {step} instead.")
        if last is not None and step <= last:
            raise ValueError(f"{rule}, {last}. Got {step} instead.")
        return int(step)
