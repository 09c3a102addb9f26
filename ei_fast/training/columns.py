"""What a trajectory keeps of each layer and step, as the columns of its table; and the metrics beside them."""

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import Any

import numpy as np

from ei_fast.measures.quantities import BY_NAME, EDGE_MEASURES
from ei_fast.parameters import AdapterOptions
from ei_fast.results.report import ENDS, Report

MEASURES_OF_FORMAT_1 = ("ei", "ei_stderr", "sensitivity", "degeneracy", "ei_parts", "phi_ff")
"""What the first files held, whatever figures have been added since."""

_INTERVAL = ("ei_low", "ei_high")
_FURTHER = tuple(BY_NAME[name].stderr for name in EDGE_MEASURES)
_BOUNDS = ("ei_bounds_low", "ei_bounds_high")
MEASURES = (*MEASURES_OF_FORMAT_1, *_INTERVAL, *_FURTHER, *_BOUNDS)
"""What is kept of every layer at every step, in bits; files of older formats lack some after the first six."""

COLUMNS = ("run", "step", "layer", *MEASURES_OF_FORMAT_1, *_INTERVAL, "flags", *_FURTHER, "ranges", *_BOUNDS)
"""Columns of a trajectory's table, before those of the metrics; no metric may have one of these names."""


def measures_of(report: Report) -> dict[str, list[float]]:
    """What a trajectory keeps of a report: a figure a layer for each of `MEASURES`."""
    found = {name: [float(getattr(layer, name)) for layer in report] for name in (*MEASURES_OF_FORMAT_1, *_FURTHER)}
    return found | {name: [layer.end(name) for layer in report] for name in ENDS}


def check_metric_name(name: str, owner: str, columns: Sequence[str] = COLUMNS) -> None:
    """Raise ValueError where a metric would have the name of a column of the table."""
    if name in columns:
        raise ValueError(
            f"The metric {name!r} of {owner} must not have the name of a column of the trajectory's table. The column "
            f"{name!r} is taken: call the metric val_{name}, for example."
        )


def checked_metric(name: str, value: Any, owner: str) -> float:
    """The value of a metric, a number, whose name no column of the table has."""
    check_metric_name(name, owner)
    try:
        return float(value.detach() if hasattr(value, "detach") else value)
    # The last is what PyTorch raises for tensors of several numbers.
    except (TypeError, ValueError, OverflowError, RuntimeError):
        raise TypeError(f"The metric {name!r} of {owner} must be a number. Got {value!r} instead.") from None


def refuse_options(metrics: Mapping[str, Any]) -> None:
    """Raise TypeError where what is given as a metric is an option of how a model is read; a number may be named so."""
    for name, value in metrics.items():
        is_number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
        if name in AdapterOptions.__annotations__ and not is_number:
            raise TypeError(
                f"The {name!r} parameter of as_network is no metric of Recorder.record, and is the same for all "
                f"records. Give it to the recorder: Recorder(estimator, {name}={value!r})."
            )


def column_of(metric: str) -> str:
    """The column of a metric; of older files a metric may have the name of another column, and is marked."""
    return f"metric.{metric}" if metric in COLUMNS else metric
