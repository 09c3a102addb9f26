"""The causal structure of neural networks: effective information, sensitivity and degeneracy, fast and right.

Names are loaded when they are first used, so that importing the package is as cheap as importing NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ei_fast.adapters import as_network
    from ei_fast.description import describe
    from ei_fast.estimator import EffectiveInformation, analyze
    from ei_fast.figures.animation import animate_causal_plane
    from ei_fast.figures.bins import plot_bins
    from ei_fast.figures.edges import plot_edges
    from ei_fast.figures.measures import plot_measures
    from ei_fast.figures.plane import CausalPlaneDisplay
    from ei_fast.groups import GroupEI, effective_information, ei_parts_matrix, sensitivity_matrix
    from ei_fast.network.activations import Activation
    from ei_fast.network.layer import Function, Layer
    from ei_fast.network.network import Network
    from ei_fast.report import LayerReport, Report
    from ei_fast.samples import mutual_information
    from ei_fast.sweep import bin_sweep
    from ei_fast.training.recorder import Recorder
    from ei_fast.training.trajectory import Trajectory

_HOMES = {
    "Activation": "network.activations",
    "CausalPlaneDisplay": "figures.plane",
    "EffectiveInformation": "estimator",
    "Function": "network.layer",
    "GroupEI": "groups",
    "Layer": "network.layer",
    "LayerReport": "report",
    "Network": "network.network",
    "Recorder": "training.recorder",
    "Report": "report",
    "Trajectory": "training.trajectory",
    "analyze": "estimator",
    "animate_causal_plane": "figures.animation",
    "as_network": "adapters",
    "bin_sweep": "sweep",
    "describe": "description",
    "effective_information": "groups",
    "ei_parts_matrix": "groups",
    "mutual_information": "samples",
    "plot_bins": "figures.bins",
    "plot_edges": "figures.edges",
    "plot_measures": "figures.measures",
    "sensitivity_matrix": "groups",
}

__all__ = [
    "Activation",
    "CausalPlaneDisplay",
    "EffectiveInformation",
    "Function",
    "GroupEI",
    "Layer",
    "LayerReport",
    "Network",
    "Recorder",
    "Report",
    "Trajectory",
    "analyze",
    "animate_causal_plane",
    "as_network",
    "bin_sweep",
    "describe",
    "effective_information",
    "ei_parts_matrix",
    "mutual_information",
    "plot_bins",
    "plot_edges",
    "plot_measures",
    "sensitivity_matrix",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ei_fast' has no attribute {name!r}")
    value = getattr(import_module(f"ei_fast.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
