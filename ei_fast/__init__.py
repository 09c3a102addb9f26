"""The causal structure of neural networks: effective information, sensitivity and degeneracy, fast and right.

Names are loaded when they are first used, so that importing the package is as cheap as importing NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ei_fast._version import __version__ as __version__

if TYPE_CHECKING:
    from ei_fast.adapters import as_network
    from ei_fast.errors import (
        BatchWarning,
        Busy,
        CannotWrite,
        CompileCacheWarning,
        Incomplete,
        MissingExtra,
        RecordingWarning,
    )
    from ei_fast.estimator import EffectiveInformation, analyze
    from ei_fast.figures.ablations import plot_ablation, plot_ablation_curve
    from ei_fast.figures.animation import animate_causal_plane
    from ei_fast.figures.bins import plot_bins
    from ei_fast.figures.comparisons import plot_comparison, plot_null
    from ei_fast.figures.edges import plot_edges
    from ei_fast.figures.measures import plot_measures
    from ei_fast.figures.plane import CausalPlaneDisplay
    from ei_fast.figures.profile import plot_profile
    from ei_fast.functions import (
        GroupEI,
        ObservedInformation,
        ablation,
        ablation_curve,
        bin_sweep,
        compare,
        describe,
        effective_information,
        ei_parts_matrix,
        information_profile,
        input_histograms,
        jacobian_ei,
        mutual_information,
        null_report,
        observed_information,
        sensitivity_matrix,
    )
    from ei_fast.network.activations import Activation
    from ei_fast.network.function import Function
    from ei_fast.network.layer import Layer
    from ei_fast.network.network import Network
    from ei_fast.network.parameter_count import ParameterCount
    from ei_fast.results.ablation import Ablation, AblationCurve
    from ei_fast.results.comparison import Comparison, LayerComparison
    from ei_fast.results.differences import Difference
    from ei_fast.results.information_profile import InformationProfile
    from ei_fast.results.jacobian_ei import JacobianEI
    from ei_fast.results.layer_report import LayerReport
    from ei_fast.results.null_report import LayerNull, NullFigure, NullReport
    from ei_fast.results.report import Report
    from ei_fast.training.comparison import TrajectoryComparison
    from ei_fast.training.recorder import Recorder
    from ei_fast.training.trajectory import Trajectory
    from ei_fast.warmup import warmup

_HOMES = {
    "Ablation": "results.ablation",
    "AblationCurve": "results.ablation",
    "Activation": "network.activations",
    "BatchWarning": "errors",
    "Busy": "errors",
    "CannotWrite": "errors",
    "CausalPlaneDisplay": "figures.plane",
    "Comparison": "results.comparison",
    "CompileCacheWarning": "errors",
    "Difference": "results.differences",
    "EffectiveInformation": "estimator.effective_information",
    "Function": "network.function",
    "GroupEI": "functions",
    "Incomplete": "errors",
    "InformationProfile": "results.information_profile",
    "JacobianEI": "results.jacobian_ei",
    "Layer": "network.layer",
    "LayerComparison": "results.comparison",
    "LayerNull": "results.null_report",
    "LayerReport": "results.layer_report",
    "MissingExtra": "errors",
    "Network": "network.network",
    "NullFigure": "results.null_report",
    "NullReport": "results.null_report",
    "ObservedInformation": "functions",
    "ParameterCount": "network.parameter_count",
    "Recorder": "training.recorder",
    "RecordingWarning": "errors",
    "Report": "results.report",
    "Trajectory": "training.trajectory",
    "TrajectoryComparison": "training.comparison",
    "ablation": "functions",
    "ablation_curve": "functions",
    "analyze": "estimator",
    "animate_causal_plane": "figures.animation",
    "as_network": "adapters",
    "bin_sweep": "functions",
    "compare": "functions",
    "describe": "functions",
    "effective_information": "functions",
    "ei_parts_matrix": "functions",
    "information_profile": "functions",
    "input_histograms": "functions",
    "jacobian_ei": "functions",
    "mutual_information": "functions",
    "null_report": "functions",
    "observed_information": "functions",
    "plot_ablation": "figures.ablations",
    "plot_ablation_curve": "figures.ablations",
    "plot_bins": "figures.bins",
    "plot_comparison": "figures.comparisons",
    "plot_edges": "figures.edges",
    "plot_measures": "figures.measures",
    "plot_null": "figures.comparisons",
    "plot_profile": "figures.profile",
    "sensitivity_matrix": "functions",
    "warmup": "warmup",
}

__all__ = [
    "Ablation",
    "AblationCurve",
    "Activation",
    "BatchWarning",
    "Busy",
    "CannotWrite",
    "CausalPlaneDisplay",
    "Comparison",
    "CompileCacheWarning",
    "Difference",
    "EffectiveInformation",
    "Function",
    "GroupEI",
    "Incomplete",
    "InformationProfile",
    "JacobianEI",
    "Layer",
    "LayerComparison",
    "LayerNull",
    "LayerReport",
    "MissingExtra",
    "Network",
    "NullFigure",
    "NullReport",
    "ObservedInformation",
    "ParameterCount",
    "Recorder",
    "RecordingWarning",
    "Report",
    "Trajectory",
    "TrajectoryComparison",
    "ablation",
    "ablation_curve",
    "analyze",
    "animate_causal_plane",
    "as_network",
    "bin_sweep",
    "compare",
    "describe",
    "effective_information",
    "ei_parts_matrix",
    "information_profile",
    "input_histograms",
    "jacobian_ei",
    "mutual_information",
    "null_report",
    "observed_information",
    "plot_ablation",
    "plot_ablation_curve",
    "plot_bins",
    "plot_comparison",
    "plot_edges",
    "plot_measures",
    "plot_null",
    "plot_profile",
    "sensitivity_matrix",
    "warmup",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ei_fast' has no attribute {name!r}")
    value = getattr(import_module(f"ei_fast.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
