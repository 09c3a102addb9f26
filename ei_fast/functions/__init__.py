"""The measures as functions: of groups, edges, vectors, samples; over bins; profiles; noise form; and `describe`."""

from ei_fast.functions.ablating import ablation, ablation_curve
from ei_fast.functions.comparing import compare
from ei_fast.functions.description import describe, description
from ei_fast.functions.histograms_of_samples import input_histograms
from ei_fast.functions.jacobian import jacobian_ei
from ei_fast.functions.nulls import null_report
from ei_fast.functions.observed import ObservedInformation, observed_information
from ei_fast.functions.profile import information_profile
from ei_fast.functions.single_layer import GroupEI, effective_information, ei_parts_matrix, sensitivity_matrix
from ei_fast.functions.sweep import bin_sweep
from ei_fast.functions.vectors import mutual_information

__all__ = [
    "GroupEI",
    "ObservedInformation",
    "ablation",
    "ablation_curve",
    "bin_sweep",
    "compare",
    "describe",
    "description",
    "effective_information",
    "ei_parts_matrix",
    "information_profile",
    "input_histograms",
    "jacobian_ei",
    "mutual_information",
    "null_report",
    "observed_information",
    "sensitivity_matrix",
]
