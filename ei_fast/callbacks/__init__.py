"""A recorder inside somebody else's training loop: one file a framework, imported by name."""

from collections.abc import Mapping
from typing import Any

from ei_fast.report import Report


class Epochs:
    """Epochs counted on over several trainings, each of which counts from 0 again unless it is told otherwise."""

    def __init__(self) -> None:
        self._last, self._offset, self._begins = -1, 0, True

    def begin(self) -> None:
        """Another training begins."""
        self._begins = True

    def forget(self) -> None:
        """What follows has the numbers that the training gives it."""
        self._last = -1

    def step(self, epoch: int) -> int:
        """The number of an epoch that the training counts as `epoch`."""
        if self._begins:
            self._offset = 0 if epoch > self._last else self._last + 1 - epoch
            self._begins = False
        self._last = epoch + self._offset
        return self._last


LOGGED = ("ei", "sensitivity", "degeneracy", "ei_parts", "phi_ff")


def log_entries(report: Report) -> dict[str, float]:
    """What a framework's logs are told of every layer, in bits: ``ei/<layer>``, ``sensitivity/<layer>``, ..."""
    return {f"{measure}/{layer.name}": float(getattr(layer, measure)) for measure in LOGGED for layer in report}


def metrics_of(logs: Mapping[str, Any]) -> dict[str, float]:
    """What is to be kept of a framework's logs: all but measures of this package, which logs hold on to.

    Nor the names of `Recorder.record`'s own parameters: Lightning's loggers count steps as a metric.
    """
    return {
        name: float(value)
        for name, value in logs.items()
        if name not in ("model", "step") and name.partition("/")[0] not in LOGGED
    }
