"""How much of a training's time measuring may take."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from numba.core import event


class TimeBudget:
    """Counts what measuring takes, and says whether one more record fits.

    Compilation, which Numba does once on a machine, is not counted. Loading what it compiled is: every process does it.

    Parameters
    ----------
    share : float or None
        Largest part of the time since the first record that records may take; None allows every record.

    Attributes
    ----------
    spent : float
        Seconds that records took.
    """

    def __init__(self, share: float | None):
        self.share = share
        self.spent = 0.0
        self._started: float | None = None
        self._next = 0.0

    def affords_one_more(self) -> bool:
        """Whether one more record, as costly as the last, fits; the first always does."""
        if self.share is None or self._started is None:
            return True
        return self.spent + self._next <= self.share * (time.monotonic() - self._started)

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """What runs inside is one record; what fails is not counted."""
        compiling, preparing = [0.0], [0.0]
        started = time.monotonic()
        with _seconds_of("numba:compile", compiling), _seconds_of("numba:compiler_lock", preparing):
            yield
        cost = time.monotonic() - started
        if self._started is None:
            self._started = started + compiling[0]
        self.spent += max(cost - compiling[0], 0.0)
        # Loading kernels, as compiling them, is behind us.
        self._next = max(cost - preparing[0], 0.0)


@contextmanager
def _seconds_of(kind: str, total: list[float]) -> Iterator[None]:
    """Adds to `total` the seconds that Numba's events of a kind take."""

    def add(seconds: float) -> None:
        total[0] += seconds

    with event.install_timer(kind, add):
        yield
