"""Measure a network again and again as it trains."""

from typing import Any

import numpy as np
from sklearn.base import clone

from ei_fast.adapters import as_network
from ei_fast.estimator import EffectiveInformation
from ei_fast.intervention.streams import resolve_seed
from ei_fast.network.network import Network
from ei_fast.report import Report
from ei_fast.settings import OWNER, Frozen, Settings
from ei_fast.training.trajectory import MEASURES, Trajectory


class Recorder:
    """Records measures of one network along its training.

    The ranges that the first record derives are kept for all later ones, so that a change in the figures
    is a change in the network; so is the seed, so that the sampling error hardly moves from step to step.

    Parameters
    ----------
    estimator : EffectiveInformation
        Says what is measured and how.

    Attributes
    ----------
    trajectory_ : Trajectory
        What has been recorded so far.
    report_ : Report
        Of the last record.

    Examples
    --------
    >>> import numpy as np
    >>> import ei_fast as ef
    >>> recorder = ef.Recorder(ef.EffectiveInformation(random_state=0))
    >>> for step in range(3):
    ...     _ = recorder.record([np.eye(2) * step], step=step, loss=1.0 / (1 + step))
    >>> recorder.trajectory_
    Trajectory(3 steps, layers layer0)
    """

    def __init__(self, estimator: EffectiveInformation):
        if not isinstance(estimator, EffectiveInformation):
            raise TypeError(
                f"The 'estimator' parameter of Recorder must be an EffectiveInformation. Got {estimator!r} instead."
            )
        # Of its own: what becomes of the one it was given must not change a recording half-way.
        self._estimator = clone(estimator)
        self._settings = Settings.checked(self._estimator.get_params(deep=False))
        self._frozen: Frozen | None = None
        self._widths: list[tuple[str, int, int]] = []
        self._steps: list[int] = []
        self._measures: list[dict[str, list[float]]] = []
        self._metrics: list[dict[str, float]] = []

    def record(self, model: Any, step: int | None = None, **metrics: float) -> Report:
        """Measure `model` now.

        Parameters
        ----------
        model : Network, Layer, Function, array, list, dict or path
            Whatever `as_network` accepts; the same layers every time.
        step : int, optional
            Training step or epoch, above the last one; counted on by one where not given.
        **metrics : float
            Losses and the like, kept beside the measures.

        Returns
        -------
        Report

        Raises
        ------
        TypeError, ValueError
            For a step that does not increase, a metric that is no number, or other layers than before.
        """
        step = self._checked_step(step)
        values = {name: _checked_metric(name, value) for name, value in metrics.items()}
        network = as_network(model, activation=self._estimator.activation)
        if self._frozen is None:
            ranges = tuple(network.ranges(self._settings.in_range, self._settings.out_range))
            self._frozen = Frozen(ranges, resolve_seed(self._estimator.random_state, OWNER))
            self._widths = _widths(network)
        elif _widths(network) != self._widths:
            raise ValueError(
                f"The 'model' parameter of Recorder.record must have the layers of the first record, {self._widths}. "
                f"Got {_widths(network)} instead. Use another Recorder for another network."
            )
        network.check_ranges(self._frozen.ranges)
        self.report_ = self._estimator._measure(network, self._settings, self._frozen)
        self._steps.append(step)
        self._measures.append({name: [getattr(layer, name) for layer in self.report_] for name in MEASURES})
        self._metrics.append(values)
        return self.report_

    @property
    def trajectory_(self) -> Trajectory:
        """Everything recorded so far."""
        names = dict.fromkeys(name for metrics in self._metrics for name in metrics)
        return Trajectory(
            self._steps,
            [name for name, _, _ in self._widths],
            {name: [measures[name] for measures in self._measures] for name in MEASURES},
            {name: [metrics.get(name, np.nan) for metrics in self._metrics] for name in names},
        )

    def _checked_step(self, step: Any) -> int:
        last = self._steps[-1] if self._steps else None
        if step is None:
            return 0 if last is None else last + 1
        rule = "The 'step' parameter of Recorder.record must be an integer above the last one"
        if isinstance(step, (bool, np.bool_)) or not isinstance(step, (int, np.integer)):
            raise TypeError(f"{rule}. Got {step!r} instead.")
        if last is not None and step <= last:
            raise ValueError(f"{rule}, {last}. Got {step} instead.")
        return int(step)


def _widths(network: Network) -> list[tuple[str, int, int]]:
    return [(str(layer.name), layer.n_in, layer.n_out) for layer in network]


def _checked_metric(name: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise TypeError(f"The metric {name!r} of Recorder.record must be a number. Got {value!r} instead.") from None
