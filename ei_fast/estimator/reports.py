"""Reports of measured layers, and what is to be known of their figures before they are trusted."""

import numpy as np

from ei_fast.measures.constants import Z95
from ei_fast.measures.joint.estimate import JointEI
from ei_fast.measures.layer import LayerMeasures
from ei_fast.measures.options import MeasureOptions
from ei_fast.network.binned import BinnedLayer
from ei_fast.results.flags import Flag
from ei_fast.results.report import LayerReport

MAX_OUTSIDE = 0.02
"""Share of the outputs outside the range beyond which that is flagged."""
MIN_EI = 0.1
"""EI in bits an output below which the single outputs are looked at."""
MIN_ENTROPY = 0.5
"""Entropy in bits of a single output, on average, below which outputs are said to be in one bin: where they have more,
EI is small for other reasons, as that they repeat each other."""


def flags_of(joint: JointEI, options: MeasureOptions) -> list[Flag]:
    """What is to be known of a joint EI before it is trusted."""
    flags = []
    if joint.is_undefined:
        flags.append(Flag.NOTHING_KEPT)
    if joint.method == "exact" and joint.output_entropy == 0.0:
        flags.append(Flag.CONSTANT)
    if joint.undersampled:
        flags.append(Flag.UNDERSAMPLED)
    if joint.is_unverified:
        flags.append(Flag.UNVERIFIED)
    if joint.error > options.tol_of(joint.value):
        flags.append(Flag.TOL_NOT_REACHED)
    return flags


def _flags_of_layer(binned: BinnedLayer, measured: LayerMeasures, options: MeasureOptions) -> list[Flag]:
    """What is to be known of a layer's figures before they are trusted."""
    joint, sensitivity, ei_parts = measured.joint, measured.sensitivity, measured.ei_parts
    flags = flags_of(joint, options)
    # Below the interval, not below the estimate: equality must not be flagged for noise or rounding.
    if sensitivity.total + Z95 * sensitivity.stderr < joint.low - 1e-9:
        flags.append(Flag.SENSITIVITY_BELOW_EI)
    is_undefined = measured.pairwise_method != "none" and np.isnan(sensitivity.total + ei_parts.total)
    if Flag.NOTHING_KEPT not in flags and is_undefined:
        flags.append(Flag.NOTHING_KEPT)
    if Flag.TOL_NOT_REACHED not in flags and max(sensitivity.stderr, ei_parts.stderr) > options.tol:
        flags.append(Flag.TOL_NOT_REACHED)
    if Flag.NOTHING_KEPT not in flags and measured.occupancy.share_outside > MAX_OUTSIDE:
        flags.append(Flag.OUTSIDE)
    is_little = Flag.CONSTANT not in flags and joint.low < MIN_EI * binned.layer.n_out
    if is_little and measured.occupancy.output_entropy < MIN_ENTROPY:
        flags.append(Flag.ONE_BIN)
    return flags


def report_of(binned: BinnedLayer, measured: LayerMeasures, options: MeasureOptions) -> LayerReport:
    """The report of a layer: its figures, what these were computed with, and its flags."""
    layer, joint, sensitivity, ei_parts = binned.layer, measured.joint, measured.sensitivity, measured.ei_parts
    return LayerReport(
        name=str(layer.name),
        n_in=layer.n_in,
        n_out=layer.n_out,
        activation=layer.activation_name,
        in_range=binned.in_range,
        out_range=binned.out_range,
        in_bins=binned.in_bins,
        out_bins=binned.out_bins,
        ei=joint.value,
        ei_stderr=joint.stderr,
        ei_interval=(joint.low, joint.high),
        sensitivity=sensitivity.total,
        sensitivity_stderr=sensitivity.stderr,
        degeneracy=sensitivity.total - joint.value,
        degeneracy_stderr=float(np.hypot(joint.stderr, sensitivity.stderr)),
        ei_parts=ei_parts.total,
        ei_parts_stderr=ei_parts.stderr,
        phi_ff=joint.value - ei_parts.total,
        phi_ff_stderr=float(np.hypot(joint.stderr, ei_parts.stderr)),
        sensitivity_matrix=sensitivity.matrix,
        ei_parts_matrix=ei_parts.matrix,
        output_entropy=joint.output_entropy,
        conditional_entropy=joint.conditional_entropy,
        joint_method=joint.method,
        entropy_estimator=joint.estimator,
        pairwise_method=measured.pairwise_method,
        n_samples=joint.n_samples,
        flags=tuple(_flags_of_layer(binned, measured, options)),
        patch=layer.patch,
        share_outside=measured.occupancy.share_outside,
        ei_bounds=joint.bounds,
        per_position=layer.per_position,
    )
